"""Time and memory of every layer, measured beside what the device could do at best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from archcalc import memory as predicted
from archcalc import roofline
from archcalc.case import Case
from archcalc.costs import backward, graded
from archcalc.counters.base import backpropagate, release
from archcalc.errors import ArchitectureError, MeasurementError
from archcalc.measure import allocations, clock
from archcalc.measure.machine import chosen, fitting, named, running, torch_dtype
from archcalc.measure.twin import tensors, twin
from archcalc.memory import Memory
from archcalc.notation import write_word
from archcalc.timings import MEASURED, Ceilings, LayerTime, Pass, Profile, Spread
from archcalc.units import BYTES_OF

WARM_UP: Final = 3  # passes before the first that counts: libraries choose kernels, caches fill


def profile(
    case: Case, *, train: bool, device: str, optimizer: str, repeats: int, calibrate: bool
) -> Profile:
    """Run a case and measure it; see :func:`archcalc.api.profile`."""
    torch_dtype(case.dtype)
    if repeats < 1:
        raise ArchitectureError(f"at least 1 of the repeats is timed, not {repeats}")
    if chosen(device).type == "meta":
        raise MeasurementError("nothing runs on the meta device; --device cpu or cuda")
    twin(case, device="meta")  # says what torch cannot build before anything is run
    expected = predicted.memory(case, train=train, optimizer=optimizer, device=device)
    with (
        fitting(case, device, train=train, optimizer=optimizer),
        torch.random.fork_rng(range(torch.cuda.device_count())),
        _multiplying(device, case.dtype),
        torch.set_grad_enabled(train),
    ):
        ceilings = ceilings_of(device, case.dtype, calibrate=calibrate)
        run = _Run(case, device, optimizer, train=train)
        with running(case):  # what torch does not run, it says in the first step
            for _ in range(WARM_UP):
                run.step()
        times = [clock.layers(run.model, *run.inputs) for _ in range(repeats)]
        steps, updates = zip(*(run.step() for _ in range(repeats)), strict=True)
        measured = run.memory()
    threads = torch.get_num_threads()
    return Profile(
        case,
        train,
        optimizer,
        named(device) + (f", {threads} thread{'s' * (threads > 1)}" if device == "cpu" else ""),
        device,
        ceilings,
        tuple(_rows(case, times, ceilings, device, train=train)),
        Spread.of(steps),
        Spread.of(updates) if train else None,
        repeats,
        expected,
        measured,
        release("torch"),
    )


class _Run:
    """A twin that is stepped, with all that a step needs."""

    def __init__(self, case: Case, device: str, optimizer: str, *, train: bool) -> None:
        self.case, self.algorithm, self.train = case, optimizer, train
        dtype = torch_dtype(case.dtype)
        self.model = twin(case, device=device, dtype=dtype).train(train)
        self.inputs = [x.to(dtype) for x in tensors(case, torch.randn, device=device)]
        self.optimizer = _optimizer(self.model, optimizer) if train else None

    def passes(self) -> None:
        """A forward pass, and the backward pass if there is one."""
        backpropagate(self.model(*self.inputs))

    def step(self) -> tuple[float, float]:
        """One step; the seconds that it took, and those of its optimizer."""
        moment = clock.moments(self.inputs[0])
        start = moment()
        self.passes()
        before = moment()
        if self.optimizer is not None:
            self.optimizer.step()
            self.optimizer.zero_grad()
        end = moment()
        clock.synchronize(self.inputs[0])
        return clock.seconds(start, end), clock.seconds(before, end)

    def memory(self) -> Memory:
        """What the step holds: on a GPU as its allocator says, on a CPU as tensors come and go."""
        weights, buffers = _size(self.model.parameters()), _size(self.model.buffers())
        saved, gradients = {}, 0
        if self.optimizer is not None:
            saved = allocations.kept(self.model, *self.inputs)
            self.passes()
            gradients = _size(p.grad for p in self.model.parameters() if p.grad is not None)
            self.optimizer.zero_grad()
        peak = self._peak_cuda() if self.inputs[0].is_cuda else self._peak_cpu()
        return Memory(weights, buffers, gradients, _size(self._remembered()), saved, peak)

    def _remembered(self) -> list[torch.Tensor]:
        """What the optimizer keeps from step to step."""
        states = self.optimizer.state.values() if self.optimizer else ()
        values = (value for state in states for value in state.values())
        return [value for value in values if isinstance(value, torch.Tensor)]

    def _peak_cuda(self) -> int:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        self.passes()
        torch.cuda.synchronize()
        most: int = torch.cuda.max_memory_allocated()
        return most

    def _peak_cpu(self) -> int:
        """A step of fake tensors, which know how large they would be."""
        with FakeTensorMode():
            fake = _Run(self.case, "cpu", self.algorithm, train=self.train)
            if self.train:  # so that the optimizer has what it remembers
                fake.step()
            model = fake.model
            held = (*model.parameters(), *model.buffers(), *fake.inputs, *fake._remembered())
            with allocations.Live(held) as live:
                fake.passes()
        most: int = live.peak
        return most


def _optimizer(model: torch.nn.Module, name: str) -> torch.optim.Optimizer:
    parameters = list(model.parameters())
    if not parameters:
        raise ArchitectureError("this network has nothing to learn", hint="leave --train out")
    if name == "adam":
        return torch.optim.Adam(parameters, lr=1e-6)
    return torch.optim.SGD(parameters, lr=1e-6, momentum=0.9 if name == "momentum" else 0.0)


def _size(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes."""
    return sum(tensor.nbytes for tensor in tensors)


@contextmanager
def _multiplying(device: str, dtype: str) -> Iterator[None]:
    """While it lasts, a GPU multiplies float32 as the dtype says: as TF32 or not."""
    cudnn, products, is_tf32 = torch.backends.cudnn, torch.backends.cuda.matmul, dtype == "tf32"
    switches: tuple[Any, ...] = (cudnn, products)
    setting: tuple[str, bool | str] = ("allow_tf32", is_tf32)
    if hasattr(products, "fp32_precision"):  # since torch 2.9, which minds the old flags
        switches = (cudnn.conv, products)  # type: ignore[attr-defined]
        setting = ("fp32_precision", "tf32" if is_tf32 else "ieee")
    with ExitStack() as afterwards:
        for switch in switches if device == "cuda" else ():
            afterwards.callback(setattr, switch, setting[0], getattr(switch, setting[0]))
            setattr(switch, *setting)
        yield


def _rows(
    case: Case, times: Sequence[clock.Times], ceilings: Ceilings, device: str, *, train: bool
) -> Iterable[LayerTime]:
    wanted, kept = graded(case), predicted.saved(case, device=device)
    for step, back in zip(case.steps, backward(case), strict=True):
        name, again = step.name, None
        seconds = [time.forward[name] for time in times]
        forward = Pass.of(roofline.forward(step, case), seconds, ceilings)
        if train:
            flows = tuple(wanted[value.name] for value in step.inputs)
            work = roofline.backward(step, back, kept[name], flows, case)
            again = Pass.of(work, [time.backward[name] for time in times], ceilings)
        yield LayerTime(name, write_word(step.layer), forward, again)


def ceilings_of(device: str, dtype: str, *, calibrate: bool = False) -> Ceilings:
    """Those of the table, or measured where the device is not in it."""
    known = roofline.known(named(device)) if device == "cuda" else None
    launch = _least(lambda x: x.add_(0), torch.zeros(1, device=device), 200) / 200
    if known is not None and dtype in known.peak and not calibrate:
        return Ceilings(known.peak[dtype], known.bandwidth, launch, known.source)
    return Ceilings(*measured_ceilings(device, dtype), launch, MEASURED)


def measured_ceilings(device: str, dtype: str) -> tuple[float, float]:
    """FLOP/s of the fastest matrix product, and bytes/s of a copy, read and written."""
    sizes = (512, 1024, 2048) if device == "cpu" else (4096, 8192, 16384)
    rates = []
    for n in sizes:
        a = torch.randn(n, n, device=device).to(torch_dtype(dtype))
        seconds = _least(lambda a: torch.mm(a, a), a, 1)
        rates.append(2 * n**3 / seconds)
        if seconds > 1:  # the larger ones would take eight times as long
            break
    units = 2**26 if device == "cpu" else 2**27  # several times a cache, little beside a model
    source = torch.zeros(units, device=device)
    target = torch.empty_like(source)
    seconds = _least(target.copy_, source, 1)
    return max(rates), 2 * units * BYTES_OF["fp32"] / seconds


def _least(run: Callable[[torch.Tensor], object], x: torch.Tensor, times: int) -> float:
    """The least seconds of five rounds, after one that does not count."""
    moment = clock.moments(x)
    rounds = []
    for _ in range(6):
        start = moment()
        for _ in range(times):
            run(x)
        end = moment()
        clock.synchronize(x)
        rounds.append(clock.seconds(start, end))
    return min(rounds[1:])
