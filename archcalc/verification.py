"""Floor 9: ours, theirs, the difference and its named cause; nothing may stay unexplained."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import torch

from archcalc import conventions
from archcalc.bridge.twin import blank, twin
from archcalc.costs import backward, cost
from archcalc.count import integer
from archcalc.errors import ArchitectureError, MeasurementError, meant, quoted
from archcalc.infer import Step, infer
from archcalc.machine import chosen, fitting, running, torch_dtype
from archcalc.report import WEIGHTED, report
from archcalc.witnesses import FILES, flop_counter, gradient, torchvision, witness
from archcalc.witnesses.base import Reading, release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from archcalc.bridge.twin import Twin
    from archcalc.count import Number
    from archcalc.network import Network
    from archcalc.shape import Shape

SCHEMA: Final = "archcalc.verification/1"
AGAINST: Final = ("torch", "fvcore", "torchinfo")  # who is asked if nobody is named
WITNESSES: Final = (*FILES, "gradient", "torchvision")
Value: TypeAlias = int | str
Read: TypeAlias = "Callable[[torch.nn.Module, torch.Tensor], Reading]"


class Cause(NamedTuple):
    """Why a tool reports so much more (or less) than we do."""

    name: str
    amount: int


class Line(NamedTuple):
    """A layer: what we say, what a witness says, and the named causes of the difference.

    Attributes:
        name: of the layer, or of what the tool counts outside all layers.
        ours: our number, or text for what is no number.
        theirs: the witness's.
        causes: the parts of the difference that are known.
        rest: what no cause explains; 1 where texts differ.
    """

    name: str
    ours: Value
    theirs: Value
    causes: tuple[Cause, ...] = ()

    @property
    def difference(self) -> int:
        """Theirs less ours."""
        if isinstance(self.ours, int) and isinstance(self.theirs, int):
            return self.theirs - self.ours
        return int(self.ours != self.theirs)

    @property
    def rest(self) -> int:
        """The difference that no cause explains."""
        return self.difference - sum(cause.amount for cause in self.causes)


class Check(NamedTuple):
    """One quantity, as one witness sees it, layer by layer.

    Attributes:
        witness: who was asked.
        release: which release of it.
        device: where the model was.
        quantity: what was compared, in the tool's own unit: ``flops``, ``mult_adds``, ...
        lines: the layers for which either side has something to say.
        note: what a reader has to know.
    """

    witness: str
    release: str
    device: str
    quantity: str
    lines: tuple[Line, ...]
    note: str = ""

    @property
    def ours(self) -> int:
        """Our total."""
        return sum(line.ours for line in self.lines if isinstance(line.ours, int))

    @property
    def theirs(self) -> int:
        """The witness's total."""
        return sum(line.theirs for line in self.lines if isinstance(line.theirs, int))

    def causes(self) -> tuple[Cause, ...]:
        """The causes over all layers, each with its sum."""
        sums: dict[str, int] = {}
        for line in self.lines:
            for cause in line.causes:
                sums[cause.name] = sums.get(cause.name, 0) + cause.amount
        return tuple(Cause(name, amount) for name, amount in sums.items())

    @property
    def unexplained(self) -> tuple[Line, ...]:
        """The layers whose difference has no cause."""
        return tuple(line for line in self.lines if line.rest)


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found. Draws itself in a terminal (rich) and in a notebook (HTML).

    Attributes:
        network: the network verified.
        input: of one example.
        batch: examples at once.
        checks: one a witness and quantity.
    """

    network: Network
    input: Shape
    batch: int
    checks: tuple[Check, ...]

    @property
    def explained(self) -> bool:
        """Whether every difference has its cause."""
        return not any(check.unexplained for check in self.checks)

    def complaint(self) -> str:
        """The first layer with an unexplained difference, in one line; empty if there is none."""
        for check in self.checks:
            for line in check.unexplained:
                return (
                    f"{self.network.name or 'network'}, {line.name}: {check.quantity} of "
                    f"{check.witness} {check.release}: {line.theirs}, ours {line.ours}, "
                    f"{line.rest} unexplained"
                )
        return ""

    def to_dict(self) -> dict[str, Any]:
        """The verification as JSON-ready data."""
        return {
            "schema": SCHEMA,
            "network": self.network.name,
            "input": str(self.input),
            "batch": self.batch,
            "explained": self.explained,
            "checks": [
                {
                    "witness": check.witness,
                    "release": check.release,
                    "device": check.device,
                    "quantity": check.quantity,
                    "ours": check.ours,
                    "theirs": check.theirs,
                    "causes": {cause.name: cause.amount for cause in check.causes()},
                    "unexplained": sum(abs(line.rest) for line in check.lines),
                    "note": check.note or None,
                    "layers": [
                        {
                            "name": line.name,
                            "ours": line.ours,
                            "theirs": line.theirs,
                            "causes": {cause.name: cause.amount for cause in line.causes},
                            "unexplained": line.rest,
                        }
                        for line in check.lines
                    ],
                }
                for check in self.checks
            ],
        }

    def __rich__(self) -> object:
        from archcalc.render import drawing  # noqa: PLC0415 - only who draws needs it
        from archcalc.render.views.verification import verification  # noqa: PLC0415 - likewise

        return drawing(verification(self))

    def _repr_html_(self) -> str:
        from archcalc.render import fragment  # noqa: PLC0415 - only who draws needs it
        from archcalc.render.views.verification import verification  # noqa: PLC0415 - likewise

        return fragment(verification(self))


def verify(
    network: Network,
    input: str | Shape | None = None,  # noqa: A002 - the command line's own word
    *,
    against: Sequence[str] = AGAINST,
    batch: int = 1,
    device: str = "",
    dtype: str = "fp32",
    at: str | Mapping[str, Number] | None = None,
) -> Verification:
    """Compare what archcalc counts with what other tools report, layer by layer.

    Args:
        network: what to verify.
        input: of one example; the network's own if None.
        against: names out of :data:`WITNESSES`.
        batch: examples at once.
        device: ``cpu``, ``cuda`` or ``meta``; the least costly one for each tool if empty.
        dtype: of the model that the tools look at, ``fp32``, ``bf16``, ...
        at: values for letters.

    Raises:
        ArchitectureError: an unknown witness, an input that does not fit.
        MeasurementError: a tool that is not installed or fails, a device that is not there, a
            network that does not fit into its memory.
    """
    for name in against:
        if name not in WITNESSES:
            hint = meant(name, list(WITNESSES))
            raise ArchitectureError(f"{quoted(name)} is no witness", hint=hint)
    counted = report(network, input, batch=batch, dtype=dtype, at=at)
    network, shape = counted.network, counted.input
    steps = infer(network, shape)
    built = twin(network, shape, device="meta")
    if device:
        chosen(device)
    checks = list(_structure(steps, built, shape, batch))
    models = _Models(network, steps, shape, batch, counted.dtype)
    for name in dict.fromkeys(against):
        if name == "gradient":
            checks.append(_fields(network, shape))
        elif name == "torchvision":
            checks += _torchvision(network, steps, shape)
        else:
            checks += _counts(name, models, steps, batch, device)
    return Verification(network, shape, batch, tuple(checks))


def installed(network: Network) -> list[str]:
    """All witnesses that can be asked about a network here."""
    packages = {rule.name: rule.package for rule in conventions.CONVENTIONS.values()}
    names = [name for name in FILES if find_spec(packages[name])]
    second = find_spec("torchvision") and network.name in torchvision.MODELS
    return [*names, "gradient", *(["torchvision"] if second else [])]


def _structure(steps: Sequence[Step], built: Twin, shape: Shape, batch: int) -> Iterator[Check]:
    """Shapes and parameters of the twin itself."""
    x = torch.zeros(batch, *_tensor_shape(shape), device="meta")
    with running("fp32", batch), torch.no_grad():
        found = {name: tuple(y.shape[1:]) for name, y in built.eval().outputs(x)}
    lines = []
    for step in steps:
        theirs = found[step.node.name]
        text = "x".join(map(str, (*theirs[1:], theirs[0])))
        lines.append(Line(step.node.name, str(step.output), text))
    yield Check("twin", release("torch"), "meta", "output", tuple(lines))
    theirs_of = {
        name: sum(p.numel() for p in built.get_submodule(path).parameters())
        for name, path in built.paths.items()
    }
    yield Check("twin", release("torch"), "meta", "parameters", _parameters(steps, theirs_of))


class _Models:
    """Twins full of zeros, one a device, and what tools read of them."""

    def __init__(
        self, network: Network, steps: Sequence[Step], shape: Shape, batch: int, dtype: str
    ) -> None:
        self.network, self.steps, self.shape = network, steps, shape
        self.batch, self.dtype = batch, dtype
        self.built: dict[str, Twin] = {}

    def asked(self, read: Read, where: str) -> tuple[Twin, Reading]:
        """What a tool reads of the twin on a device."""
        values = torch_dtype(self.dtype)
        with fitting(self.steps, self.batch, where, self.dtype):
            if where not in self.built:
                self.built[where] = blank(self.network, self.shape, where, values)
            model = self.built[where]
            x = torch.zeros(self.batch, *_tensor_shape(self.shape), dtype=values, device=where)
            with running(self.dtype, self.batch):
                return model, read(model, x)


def _counts(
    name: str, models: _Models, steps: Sequence[Step], batch: int, device: str
) -> Iterator[Check]:
    """What one of the tools counts, on the device that was asked for or the least costly one."""
    tool = witness(name)
    where = device or tool.DEVICES[0]
    if where not in tool.DEVICES:
        fact = f"{name} cannot count on the {where} device"
        works = ",".join(other for other in FILES if where in witness(other).DEVICES)
        raise MeasurementError(f"{fact}; --against {works} can")
    readings = [(where, tool.read)]
    if name == "torch":  # on the CPU its backward pass takes twice the forward pass, for the same
        readings.append(("cuda" if where == "cuda" else "meta", flop_counter.read_backward))
    rule = conventions.convention(name)
    for place, read in readings:
        model, reading = models.asked(read, place)
        for quantity, by_path in reading.layers.items():
            found = {layer: by_path.get(path, 0) for layer, path in model.paths.items()}
            if quantity == "parameters":
                lines = _parameters(steps, found, rule)
            elif quantity == "activations":
                lines = _lines(steps, found, lambda step: (_neurons(step) * batch, ()))
            elif quantity == "backward_flops":
                lines = _backward(steps, found, batch)
            else:
                lines = _lines(steps, found, lambda step: _explained(rule, step, batch))
            lines += _outside(reading.totals[quantity], found)
            yield Check(name, reading.release, place, quantity, lines, _unknown(rule, reading))


def _outside(total: int, found: Mapping[str, int]) -> tuple[Line, ...]:
    """What a tool counts in total beyond what it counts in layers."""
    outside = total - sum(found.values())
    return (Line("outside all layers", 0, outside),) if outside else ()


def _unknown(rule: conventions.Convention, reading: Reading) -> str:
    """A word about a release whose rule nobody has compared yet."""
    known = rule.releases
    first, last = _order(known[0]), _order(known[-1])
    if reading.release in known or (len(known) > 1 and first <= _order(reading.release) <= last):
        return ""
    compared = " to ".join(known)
    return f"{reading.tool} {reading.release} is not among the releases compared: {compared}"


def _order(release: str) -> tuple[int, ...]:
    """The first two numbers of a release, 2.15 for 2.15.1."""
    return tuple(int(number) for number in re.findall("[0-9]+", release)[:2])


def _lines(
    steps: Sequence[Step],
    found: Mapping[str, int],
    ours: Callable[[Step], tuple[int, tuple[Cause, ...]]],
) -> tuple[Line, ...]:
    lines = []
    for step in steps:
        name = step.node.name
        number, causes = ours(step)
        line = Line(name, number, found.get(name, 0), causes)
        if line.ours or line.theirs or causes:
            lines.append(line)
    return tuple(lines)


def _explained(
    rule: conventions.Convention, step: Step, batch: int
) -> tuple[int, tuple[Cause, ...]]:
    extras = [t for t in rule.terms(step, batch) if t.cause != conventions.MACS]
    causes = tuple(Cause(term.cause, integer(term.amount.value)) for term in extras)
    return integer(rule.ours(step, batch)), causes


def _parameters(
    steps: Sequence[Step], found: Mapping[str, int], rule: conventions.Convention | None = None
) -> tuple[Line, ...]:
    def ours(step: Step) -> tuple[int, tuple[Cause, ...]]:
        terms = rule.parameters(step) if rule else ()
        causes = tuple(Cause(term.cause, integer(term.amount.value)) for term in terms)
        return integer(cost(step).parameters.value), causes

    return _lines(steps, found, ours)


def _neurons(step: Step) -> int:
    return integer(step.output.units.value) if isinstance(step.node.layer, WEIGHTED) else 0


def _backward(steps: Sequence[Step], found: Mapping[str, int], batch: int) -> tuple[Line, ...]:
    """Two FLOPs a MAC; torch forgets the groups in the gradient of grouped weights."""
    costs = {step.node.name: back for step, back in zip(steps, backward(steps), strict=True)}

    def ours(step: Step) -> tuple[int, tuple[Cause, ...]]:
        back = costs[step.node.name]
        number = 2 * batch * integer(back.weights.value + back.inputs.value)
        groups = getattr(step.node.layer, "groups", 1)
        if groups == 1 or not number:
            return number, ()
        cause = f"weight gradient as if without its groups, x{groups}"
        return number, (Cause(cause, 2 * batch * (groups - 1) * integer(back.weights.value)),)

    return _lines(steps, found, ours)


def _fields(network: Network, shape: Shape) -> Check:
    """Receptive fields against the gradient's support."""
    try:
        with torch.enable_grad():
            seen = gradient.read(network, shape)
    except RuntimeError as error:
        raise MeasurementError(f"torch refuses the averages of this network: {error}") from error
    lines = []
    for name, axes in seen.supports.items():
        for axis, supports in axes.items():
            for support in supports:
                where = f"{name}, {axis}, output {support.output}"
                lines.append(Line(where, support.predicted, support.measured))
    return Check("gradient", release("torch"), "cpu", "receptive field", tuple(lines), seen.note)


def _torchvision(network: Network, steps: Sequence[Step], shape: Shape) -> Iterator[Check]:
    reading, note = torchvision.read(network, steps, shape)
    macs = {step.node.name: 2 * integer(cost(step).macs.value) for step in steps}
    ours: dict[str, Callable[[Step], tuple[int, tuple[Cause, ...]]]] = {
        "flops": lambda step: (macs[step.node.name], ()),
        "parameters": lambda step: (integer(cost(step).parameters.value), ()),
    }
    for quantity, rule in ours.items():
        found = reading.layers[quantity]
        lines = _lines(steps, found, rule) + _outside(reading.totals[quantity], found)
        yield Check("torchvision", reading.release, "meta", quantity, lines, note)


def _tensor_shape(shape: Shape) -> tuple[int, ...]:
    return tuple(integer(number) for number in (shape.channels, *shape.sizes))
