import runpy
import sys
from pathlib import Path

import fuzz
import pytest
from hypothesis import given, settings
from strategies import tangles

from archcalc import load, verify
from archcalc.count import product
from archcalc.layers import Convolution

NETWORKS = 300
KINDS = set()  # of what the networks below were made of, and their axes


@settings(max_examples=NETWORKS)
@given(tangles())
def test_random_networks(network):
    """Torch finds the shapes, parameters, MACs and receptive fields that archcalc says."""
    checks = fuzz.check(network).checks
    assert [check.witness for check in checks[:2]] == ["twin", "twin"]
    assert {check.quantity for check in checks} == {
        *("output", "parameters", "flops", "backward_flops", "mult_adds", "receptive field")
    }
    assert len(checks[0].lines) == len(network.nodes)
    KINDS.add(len(network.input.sizes))
    KINDS.update(type(node.layer).__name__ for node in network.nodes)


def test_random_networks_have_everything():
    """The networks above were of one to three axes, and of every kind of layer and join."""
    kinds = {1, 2, 3, "Activation", "AdaptivePool", "BatchNorm", "Convolution", "Dropout"}
    kinds |= {"Flatten", "GlobalPool", "GroupNorm", "LayerNorm", "Linear", "LocalResponseNorm"}
    kinds |= {"Pool", "TransposedConvolution", "Add", "Concat", "Multiply"}
    assert kinds == KINDS


def test_a_planted_fault_is_found_and_shrunk(capsys, monkeypatch):
    """A layer that miscounts is found, shrunk to that layer alone, and the seed is printed."""
    honest = Convolution.weights

    def faulty(layer, *shapes):
        counted = honest(layer, *shapes)
        return counted if layer.groups == 1 else product(2, counted)

    def quick(network, **asked):
        return verify(network, **asked | {"against": ()})

    monkeypatch.setattr(Convolution, "weights", faulty)
    monkeypatch.setattr(fuzz, "verify", quick)
    with pytest.raises(AssertionError, match="unexplained") as raised:
        fuzz.search(400, 1)
    text = str(raised.value).partition("unexplained: ")[2].splitlines()[0].strip("'")
    text = text.partition("'\nassert")[0]
    network = load(text)
    layers = [node.layer for node in network.nodes if not node.layer.sign]
    assert [type(layer) for layer in layers] == [Convolution]
    assert layers[0].groups > 1
    assert "seed 1: python tests/fuzz.py --networks 400 --seed 1\n" in capsys.readouterr().err


def test_the_command_of_the_fuzz(capsys, monkeypatch):
    """`python tests/fuzz.py` checks as many networks as it is told to and says so."""
    path = Path(fuzz.__file__)
    monkeypatch.setattr(sys, "argv", [str(path), "--networks", "5", "--seed", "3"])
    runpy.run_path(str(path), run_name="__main__")
    err = capsys.readouterr().err
    assert "5 of 5 networks" in err
    assert "no mismatch" in err


def test_seeds_follow_one_another(monkeypatch):
    """A long search is cut into chunks, and each has a seed of its own."""
    seen = []
    monkeypatch.setattr(fuzz, "CHUNK", 4)
    monkeypatch.setattr(fuzz, "check", seen.append)
    fuzz.search(12, 5)
    assert len(seen) == 12
    again = []
    monkeypatch.setattr(fuzz, "check", again.append)
    fuzz.search(4, 6)
    assert again == seen[4:8]
