"""Floor 9: time and memory of every layer, measured beside what the device could do at best."""

from __future__ import annotations

import statistics
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from archcalc import memory as predicted
from archcalc import roofline
from archcalc.bridge.twin import twin
from archcalc.costs import backward, graded
from archcalc.errors import ArchitectureError, MeasurementError
from archcalc.infer import infer
from archcalc.machine import chosen, fitting, named, running, torch_dtype
from archcalc.notation import write_word
from archcalc.report import report
from archcalc.units import BYTES_OF
from archcalc.witnesses import allocations, clock
from archcalc.witnesses.base import release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from archcalc.bridge.twin import Twin
    from archcalc.count import Number
    from archcalc.infer import Step
    from archcalc.memory import Memory
    from archcalc.network import Network
    from archcalc.roofline import Device, Work
    from archcalc.shape import Shape

SCHEMA: Final = "archcalc.profile/1"
WARM_UP: Final = 3  # passes before the first that counts: libraries choose kernels, caches fill
COMPUTE, MEMORY, LAUNCH = "compute", "memory", "launch"


class Spread(NamedTuple):
    """Seconds over several passes: the median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(seconds: Sequence[float]) -> Spread:
        """The quartiles of some passes."""
        if len(seconds) == 1:
            return Spread(seconds[0], seconds[0], seconds[0])
        low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
        return Spread(median, low, high)


class Ceilings(NamedTuple):
    """What bounds every layer on a device.

    Attributes:
        peak: FLOP/s at the dtype in use.
        bandwidth: bytes/s.
        launch: seconds in which an operation that has next to nothing to do is done.
        source: where the first two are from.
    """

    peak: float
    bandwidth: float
    launch: float
    source: str


class Pass(NamedTuple):
    """A layer's forward or backward pass.

    Attributes:
        work: what it has to do.
        time: how long it took.
        bound: the least time that the ceilings allow.
        limit: the ceiling that gives it: ``compute``, ``memory`` or ``launch``.
    """

    work: Work
    time: Spread
    bound: float
    limit: str


class Row(NamedTuple):
    """A layer: its word in the notation, its forward pass, and its backward pass while training."""

    name: str
    word: str
    forward: Pass
    backward: Pass | None


@dataclass(frozen=True)
class Profile:
    """What :func:`profile` found. Draws itself in a terminal (rich) and in a notebook (HTML).

    Attributes:
        network: what was run.
        input: of one example.
        batch: examples at once.
        dtype: of parameters and values.
        train: whether forward, backward pass and optimizer ran, or the forward pass alone.
        optimizer: which one.
        device: its maker's name for it, and how many threads a CPU used.
        kind: ``cpu`` or ``cuda``.
        ceilings: of the device.
        rows: a layer each.
        step: a whole step, not looked into.
        update: the optimizer's part of it.
        repeats: passes that count.
        predicted: memory as archcalc predicts it.
        measured: memory as torch really used it.
        release: of torch.
    """

    network: Network
    input: Shape
    batch: int
    dtype: str
    train: bool
    optimizer: str
    device: str
    kind: str
    ceilings: Ceilings
    rows: tuple[Row, ...]
    step: Spread
    update: Spread | None
    repeats: int
    predicted: Memory
    measured: Memory
    release: str

    @property
    def flops(self) -> int:
        """Of one step."""
        return sum(one.work.flops for one in self.passes())

    @property
    def bound(self) -> float:
        """Seconds below which no step can come, if each layer runs on its own."""
        return sum(one.bound for one in self.passes())

    def passes(self) -> Iterable[Pass]:
        """All forward and backward passes of layers."""
        for row in self.rows:
            yield row.forward
            if row.backward is not None:
                yield row.backward

    def to_dict(self) -> dict[str, Any]:
        """The profile as JSON-ready data; times in seconds."""

        def plain(one: Pass | None) -> dict[str, Any] | None:
            return one and {
                **one.work._asdict(),
                "seconds": one.time._asdict(),
                "bound": one.bound,
                "limit": one.limit,
            }

        return {
            "schema": SCHEMA,
            "network": self.network.name,
            "input": str(self.input),
            "batch": self.batch,
            "dtype": self.dtype,
            "train": self.train,
            "optimizer": self.optimizer if self.train else None,
            "device": self.device,
            "torch": self.release,
            "repeats": self.repeats,
            "ceilings": self.ceilings._asdict(),
            "step": self.step._asdict(),
            "update": self.update._asdict() if self.update else None,
            "layers": [
                {
                    "name": row.name,
                    "layer": row.word,
                    "forward": plain(row.forward),
                    "backward": plain(row.backward),
                }
                for row in self.rows
            ],
            "memory": {
                "predicted": self.predicted._asdict(),
                "measured": self.measured._asdict(),
            },
        }

    def __rich__(self) -> object:
        from archcalc.render import drawing  # noqa: PLC0415 - only who draws needs it
        from archcalc.render.views.profile import profiled  # noqa: PLC0415 - likewise

        return drawing(profiled(self))

    def _repr_html_(self) -> str:
        from archcalc.render import fragment  # noqa: PLC0415 - only who draws needs it
        from archcalc.render.views.profile import profiled  # noqa: PLC0415 - likewise

        return fragment(profiled(self))


def profile(
    network: Network,
    input: str | Shape | None = None,  # noqa: A002 - the command line's own word
    *,
    train: bool = False,
    device: str = "cpu",
    dtype: str = "fp32",
    batch: int = 1,
    optimizer: str = "sgd",
    repeats: int = 10,
    calibrate: bool = False,
    at: str | Mapping[str, Number] | None = None,
) -> Profile:
    """Run a network and measure the time and memory of every layer.

    Args:
        network: what to run; its weights are random, as torch initializes them.
        input: of one example; the network's own if None.
        train: forward pass, backward pass and optimizer, else the forward pass alone.
        device: ``cpu`` or ``cuda``.
        dtype: ``fp64``, ``fp32``, ``tf32``, ``fp16`` or ``bf16``, of parameters and values alike.
            ``fp32`` switches TF32 off, which torch uses in convolutions otherwise.
        batch: examples at once.
        optimizer: ``sgd``, ``momentum`` or ``adam``.
        repeats: passes that are timed, after the first few that are not.
        calibrate: measure the device's ceilings even where they are known.
        at: values for letters.

    Raises:
        ArchitectureError: an input, dtype or optimizer that cannot be.
        MeasurementError: no such device, or not enough memory on it.
    """
    counted = report(network, input, batch=batch, dtype=dtype, at=at)
    network, shape, dtype = counted.network, counted.input, counted.dtype
    torch_dtype(dtype)
    if repeats < 1:
        raise ArchitectureError(f"at least 1 of the repeats is timed, not {repeats}")
    if chosen(device).type == "meta":
        raise MeasurementError("nothing runs on the meta device; --device cpu or cuda")
    steps = infer(network, shape)
    twin(network, shape, device="meta")  # says what torch cannot build before anything is run
    expected = predicted.memory(
        steps, batch, dtype, train=train, optimizer=optimizer, device=device
    )
    with (
        fitting(steps, batch, device, dtype, train=train, optimizer=optimizer),
        torch.random.fork_rng(range(torch.cuda.device_count())),
        _multiplying(device, dtype),
        torch.set_grad_enabled(train),
    ):
        ceilings = ceilings_of(device, dtype, calibrate=calibrate)
        run = _Run(network, shape, device, dtype, batch, optimizer, train=train)
        run.warm_up()
        times = [clock.layers(run.model, run.x) for _ in range(repeats)]
        wholes, updates = zip(*(run.step() for _ in range(repeats)), strict=True)
        measured = run.memory()
    return Profile(
        network,
        shape,
        batch,
        dtype,
        train,
        optimizer,
        named(device) + (_threads() if device == "cpu" else ""),
        device,
        ceilings,
        tuple(_rows(steps, times, ceilings, batch, dtype, device, train=train)),
        Spread.of(wholes),
        Spread.of(updates) if train else None,
        repeats,
        expected,
        measured,
        release("torch"),
    )


class _Run:
    """A twin that is stepped, with all that a step needs."""

    def __init__(
        self,
        network: Network,
        shape: Shape,
        device: str,
        dtype: str,
        batch: int,
        optimizer: str,
        *,
        train: bool,
    ) -> None:
        self.train, self.optimizer_name, self.dtype = train, optimizer, dtype
        self.model = twin(network, shape, device=device, dtype=torch_dtype(dtype)).train(train)
        size = (batch, shape.channels, *shape.sizes)
        self.x = torch.randn(size, device=device).to(torch_dtype(dtype))  # type: ignore[arg-type]
        self.optimizer = _optimizer(self.model, optimizer) if train else None
        self.again = (network, shape, dtype, batch)

    def warm_up(self) -> None:
        """A few steps that do not count; the first says what torch does not run.

        Raises:
            MeasurementError: a layer that torch refuses, for this dtype or batch.
        """
        with running(self.dtype, len(self.x)):
            self.step()
        for _ in range(WARM_UP - 1):
            self.step()

    def step(self) -> tuple[float, float]:
        """One step; the seconds that it took, and those of its optimizer."""
        moment = clock.moments(self.x)
        start = moment()
        self._pass(self.model, self.x)
        before = moment()
        if self.optimizer is not None:
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        end = moment()
        clock.synchronize(self.x)
        return end.since(start), end.since(before)

    def memory(self) -> Memory:
        """What the step holds: on a GPU as its allocator says, on a CPU as tensors come and go."""
        parameters = list(self.model.parameters())
        weights = _size(parameters)
        buffers = _size(self.model.buffers())
        saved = allocations.kept(self.model, self.x) if self.train else {}
        gradients = remembered = 0
        if self.optimizer is not None:
            self._pass(self.model, self.x)
            gradients = _size(p.grad for p in parameters if p.grad is not None)
            remembered = _size(_remembered(self.optimizer))
            self.optimizer.zero_grad(set_to_none=True)
        peak = self._peak_cuda() if self.x.is_cuda else self._peak_cpu()
        return predicted.Memory(weights, buffers, gradients, remembered, saved, peak)

    @staticmethod
    def _pass(model: Twin, x: torch.Tensor) -> None:
        y = model(x)
        if y.requires_grad:
            y.sum().backward()

    def _peak_cuda(self) -> int:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        self._pass(self.model, self.x)
        torch.cuda.synchronize()
        most: int = torch.cuda.max_memory_allocated()
        return most

    def _peak_cpu(self) -> int:
        """A step of fake tensors, which know how large they would be."""
        network, shape, dtype, batch = self.again
        with FakeTensorMode():
            model = twin(network, shape, dtype=torch_dtype(dtype)).train(self.train)
            x = torch.empty(batch, shape.channels, *shape.sizes, dtype=torch_dtype(dtype))  # type: ignore[arg-type]
            optimizer = _optimizer(model, self.optimizer_name) if self.train else None
            if optimizer is not None:  # so that it has what it remembers
                self._pass(model, x)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            held = _remembered(optimizer) if optimizer else []
            with allocations.Live([*model.parameters(), *model.buffers(), x, *held]) as live:
                self._pass(model, x)
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
    steps: Sequence[Step],
    times: Sequence[clock.Times],
    ceilings: Ceilings,
    batch: int,
    dtype: str,
    device: str,
    *,
    train: bool,
) -> Iterable[Row]:
    wanted, backs = graded(steps), backward(steps)
    kept = predicted.saved(steps, batch, dtype, device=device)
    for step, back in zip(steps, backs, strict=True):
        name = step.node.name
        forward = roofline.forward(step, batch, dtype)
        there = _pass(forward, [time.forward[name] for time in times], ceilings)
        again = None
        if train:
            flows = tuple(wanted[one] for one in step.node.inputs)
            work = roofline.backward(step, back, kept[name], flows, batch, dtype)
            again = _pass(work, [time.backward[name] for time in times], ceilings)
        yield Row(name, write_word(step.node.layer), there, again)


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
    return Ceilings(*measured_ceilings(device, dtype), launch, "measured here")


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
    units = 2**26 if device == "cpu" else 2**30
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
