# ruff: noqa: TID253 - torch is what archcalc is compared with
"""Random networks of the notation against torch: `python tests/fuzz.py --networks 100000`.

Every network is built as a module of torch and compared with what archcalc says: shapes,
parameters, MACs (torch's FlopCounterMode), receptive fields (the support of the gradient), what
torchinfo counts, what is kept for the backward pass, and the most memory at one time. A failure is
shrunk by hypothesis and printed as a text that archcalc reads, with the seed that finds it again.
"""

import argparse
import sys
import time

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from strategies import tangles
from torch._subclasses.fake_tensor import FakeTensorMode

from archcalc import Network, verify, write
from archcalc.case import Case
from archcalc.checks import Verification
from archcalc.counters.base import backpropagate
from archcalc.measure import allocations
from archcalc.measure.twin import tensors, twin
from archcalc.memory import memory

CHUNK = 500  # networks of one seed: a failure is found again in no longer than that


def check(network: Network) -> Verification:
    """Compare a network with torch; the difference that nothing explains is an error."""
    compared = verify(network, against=("torch", "torchinfo", "gradient"), batch=2)
    assert compared.explained, f"{compared.complaint()}: {write(network)!r}"
    return compared


def check_memory(network: Network, *, train: bool) -> None:
    """Compare the predicted memory of a step with that of tensors without values.

    Where local response normalization pads much, the peak may be predicted too high.
    """
    case = Case.of(network, batch=2)
    predicted = memory(case, train=train)
    with FakeTensorMode(), torch.set_grad_enabled(train):
        model, inputs = twin(case).train(train), tensors(case, torch.empty)
        kept = allocations.kept(model, *inputs) if train else {}
        with allocations.Live([*model.parameters(), *model.buffers(), *inputs]) as live:
            backpropagate(model(*inputs))
    pads = any(node.layer.kind == "lrn" for node in network.nodes)
    exact = predicted.peak == live.peak or (pads and predicted.peak > live.peak)
    assert exact, f"peak {live.peak}, predicted {predicted.peak}: {write(network)!r}"
    assert predicted.saved == kept, f"kept {kept}, predicted {predicted.saved}: {write(network)!r}"


def search(networks: int, first: int) -> None:
    """Check so many random networks, from a seed onwards."""
    started, done, number = time.perf_counter(), 0, first
    while done < networks:
        count = min(CHUNK, networks - done)

        @seed(number)
        @settings(
            max_examples=count,
            derandomize=False,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(tangles())
        def law(network: Network) -> None:
            check(network)
            check_memory(network, train=False)
            check_memory(network, train=True)

        try:
            law()
        except BaseException:
            sys.stderr.write(
                f"seed {number}: python tests/fuzz.py --networks {count} --seed {number}\n"
            )
            raise
        done, number = done + count, number + 1
        rate = done / (time.perf_counter() - started)
        sys.stderr.write(f"\r{done:,} of {networks:,} networks, {rate:.0f} a second, no mismatch ")
        sys.stderr.flush()
    sys.stderr.write("\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given_ = parser.parse_args()
    search(given_.networks, given_.seed)
