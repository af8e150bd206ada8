"""Time and memory of every layer, measured beside what the device could do at best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

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
from archcalc.roofline import Device, Work
from archcalc.timings import (
    COMPUTE,
    LAUNCH,
    MEASURED,
    MEMORY,
    Ceilings,
    LayerTime,
    Pass,
    Profile,
    Spread,
)
from archcalc.units import BYTES_OF

if TYPE_CHECKING:
    from archcalc.measure.twin import Twin

WARM_UP: Final = 3  # passes before the first that counts: libraries choose kernels, caches fill


def profile(
    case: Case,
    *,
    train: bool = False,
    device: str = "cpu",
    optimizer: str = "sgd",
    repeats: int = 10,
    calibrate: bool = False,
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
        run.warm_up()
        times = [clock.layers(run.model, *run.inputs) for _ in range(repeats)]
        steps, updates = zip(*(run.step() for _ in range(repeats)), strict=True)
        measured = run.memory()
    return Profile(
        case,
        train,
        optimizer,
        named(device) + (_threads() if device == "cpu" else ""),
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
        self.case, self.train, self.optimizer_name = case, train, optimizer
        dtype = torch_dtype(case.dtype)
        self.model = twin(case, device=device, dtype=dtype).train(train)
        made = tensors(case, torch.randn, device=device)
        self.inputs = tuple(x.to(dtype) for x in made)
        self.optimizer = _optimizer(self.model, optimizer) if train else None

    def warm_up(self) -> None:
        """A few steps that do not count; the first says what torch does not run.

        Raises:
            MeasurementError: a layer that torch refuses, for this dtype or batch.
        """
        with running(self.case):
            self.step()
        for _ in range(WARM_UP - 1):
            self.step()

    def step(self) -> tuple[float, float]:
        """One step; the seconds that it took, and those of its optimizer."""
        moment = clock.moments(self.inputs[0])
        start = moment()
        self._pass(self.model, self.inputs)
        before = moment()
        if self.optimizer is not None:
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        end = moment()
        clock.synchronize(self.inputs[0])
        return end.since(start), end.since(before)

    def memory(self) -> Memory:
        """What the step holds: on a GPU as its allocator says, on a CPU as tensors come and go."""
        parameters = list(self.model.parameters())
        weights = _size(parameters)
        buffers = _size(self.model.buffers())
        saved = allocations.kept(self.model, *self.inputs) if self.train else {}
        gradients = remembered = 0
        if self.optimizer is not None:
            self._pass(self.model, self.inputs)
            gradients = _size(p.grad for p in parameters if p.grad is not None)
            remembered = _size(_remembered(self.optimizer))
            self.optimizer.zero_grad(set_to_none=True)
        peak = self._peak_cuda() if self.inputs[0].is_cuda else self._peak_cpu()
        return predicted.Memory(weights, buffers, gradients, remembered, saved, peak)

    @staticmethod
    def _pass(model: Twin, inputs: tuple[torch.Tensor, ...]) -> None:
        backpropagate(model(*inputs))

    def _peak_cuda(self) -> int:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        self._pass(self.model, self.inputs)
        torch.cuda.synchronize()
        most: int = torch.cuda.max_memory_allocated()
        return most

    def _peak_cpu(self) -> int:
        """A step of fake tensors, which know how large they would be."""
        dtype = torch_dtype(self.case.dtype)
        with FakeTensorMode():
            model = twin(self.case, dtype=dtype).train(self.train)
            inputs = tensors(self.case, torch.empty, dtype=dtype)
            optimizer = _optimizer(model, self.optimizer_name) if self.train else None
            if optimizer is not None:  # so that it has what it remembers
                self._pass(model, inputs)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            held = _remembered(optimizer) if optimizer else []
            with allocations.Live([*model.parameters(), *model.buffers(), *inputs, *held]) as live:
                self._pass(model, inputs)
        most: int = live.peak
        return most


def _threads() -> str:
    count = torch.get_num_threads()
    return f", {count} thread{'s' * (count > 1)}"


def _optimizer(model: Twin, name: str) -> torch.optim.Optimizer:
    parameters = list(model.parameters())
    if not parameters:
        raise ArchitectureError("this network has nothing to learn", hint="leave --train out")
    if name == "adam":
        return torch.optim.Adam(parameters, lr=1e-6)
    return torch.optim.SGD(parameters, lr=1e-6, momentum=0.9 if name == "momentum" else 0.0)


def _remembered(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    values = (value for state in optimizer.state.values() for value in state.values())
    return [value for value in values if isinstance(value, torch.Tensor)]


def _size(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@contextmanager
def _multiplying(device: str, dtype: str) -> Iterator[None]:
    """While it lasts, a GPU multiplies float32 as the dtype says: as TF32 or not."""
    if device != "cuda":
        yield
        return
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    switches: tuple[Any, ...] = (cudnn, products)
    name, wanted = "allow_tf32", (False, True)
    if hasattr(products, "fp32_precision"):  # since torch 2.9, which minds the old flags
        switches = (cudnn.conv, products)  # type: ignore[attr-defined]
        name, wanted = "fp32_precision", ("ieee", "tf32")  # type: ignore[assignment]
    before = [getattr(switch, name) for switch in switches]
    for switch in switches:
        setattr(switch, name, wanted[dtype == "tf32"])
    try:
        yield
    finally:
        for switch, setting in zip(switches, before, strict=True):
            setattr(switch, name, setting)


def _rows(
    case: Case, times: Sequence[clock.Times], ceilings: Ceilings, device: str, *, train: bool
) -> Iterable[LayerTime]:
    wanted, kept = graded(case), predicted.saved(case, device=device)
    for step, back in zip(case.steps, backward(case), strict=True):
        name = step.name
        work = roofline.forward(step, case)
        forward = _pass(work, [time.forward[name] for time in times], ceilings)
        again = None
        if train:
            flows = tuple(wanted[value.name] for value in step.inputs)
            work = roofline.backward(step, back, kept[name], flows, case)
            again = _pass(work, [time.backward[name] for time in times], ceilings)
        yield LayerTime(name, write_word(step.layer), forward, again)


def _pass(work: Work, seconds: Sequence[float], ceilings: Ceilings) -> Pass:
    compute, memory = work.bound(ceilings.peak, ceilings.bandwidth)
    nothing = not work.flops and not work.bytes
    bounds = {COMPUTE: compute, MEMORY: memory, LAUNCH: 0.0 if nothing else ceilings.launch}
    limit = max(bounds, key=lambda name: bounds[name])
    return Pass(work, Spread.of(seconds), bounds[limit], "" if nothing else limit)


def ceilings_of(device: str, dtype: str, *, calibrate: bool = False) -> Ceilings:
    """Those of the table, or measured where the device is not in it."""
    known: Device | None = roofline.known(named(device)) if device == "cuda" else None
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
    found = []
    for _ in range(6):
        start = moment()
        for _ in range(times):
            run(x)
        end = moment()
        clock.synchronize(x)
        found.append(end.since(start))
    least: float = min(found[1:])
    return least
