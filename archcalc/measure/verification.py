"""Ours, theirs, the difference and its named cause; nothing may stay unexplained."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, TypeAlias

import torch

from archcalc.case import Case, Step
from archcalc.checks import Cause, Check, Line, Verification
from archcalc.costs import backward, cost
from archcalc.count import integer
from archcalc.counters import TOOLS, counter
from archcalc.counters.base import MACS, Counter, Reading, release
from archcalc.errors import ArchitectureError, MeasurementError, meant, quoted
from archcalc.measure import gradient, torchvision
from archcalc.measure.machine import chosen, fitting, running, torch_dtype
from archcalc.measure.twin import blank, tensors, twin
from archcalc.network import Network

if TYPE_CHECKING:
    from archcalc.measure.twin import Twin

AGAINST: Final = ("torch", "fvcore", "torchinfo")  # who is asked if nobody is named
WITNESSES: Final = (*TOOLS, "gradient", "torchvision")
Explained: TypeAlias = tuple[int, tuple[Cause, ...]]  # our number, and why theirs is another
Rule: TypeAlias = Callable[["Step"], Explained]


def verify(case: Case, against: Sequence[str] = AGAINST, device: str = "") -> Verification:
    """Compare a case with what other tools report; see :func:`archcalc.api.verify`."""
    for name in against:
        if name not in WITNESSES:
            hint = meant(name, list(WITNESSES))
            raise ArchitectureError(f"{quoted(name)} is no witness", hint=hint)
    built = twin(case, device="meta")
    if device:
        chosen(device)
    checks = list(_structure(case, built))
    models = _Models(case)
    for name in dict.fromkeys(against):
        if name == "gradient":
            checks.append(_fields(case))
        elif name == "torchvision":
            checks += _torchvision(case)
        else:
            checks += _counts(counter(name), models, device)
    return Verification(case, tuple(checks))


def installed(network: Network) -> list[str]:
    """All witnesses that can be asked about a network here."""
    names = [name for name in TOOLS if find_spec(counter(name).package)]
    second = find_spec("torchvision") and network.name in torchvision.MODELS
    return [*names, "gradient", *(["torchvision"] if second else [])]


def _structure(case: Case, built: Twin) -> Iterator[Check]:
    """Shapes and parameters of the twin itself."""
    lines = []
    with running(case), torch.no_grad():
        outputs = built.eval().outputs(*tensors(case, device="meta"))
        for step, (_, made) in zip(case.steps, outputs, strict=True):
            theirs = [tuple(y.shape[1:]) for y in (made if isinstance(made, tuple) else (made,))]
            text = " ".join("x".join(map(str, (*sizes[1:], sizes[0]))) for sizes in theirs)
            ours = " ".join(str(value.shape) for value in step.outputs)
            lines.append(Line(step.name, ours, text))
    yield Check("twin", release("torch"), "meta", "output", tuple(lines))
    counts = {
        path: sum(p.numel() for p in built.get_submodule(path).parameters())
        for path in built.paths.values()
    }
    lines_of_parameters = _lines(case, built.paths, counts, _parameters)
    yield Check("twin", release("torch"), "meta", "parameters", lines_of_parameters)


class _Models:
    """Twins full of zeros, one a device, and what tools read of them."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.built: dict[str, Twin] = {}

    def asked(self, read: Callable[..., Reading], where: str) -> tuple[Twin, Reading]:
        """What a tool reads of the twin on a device."""
        values = torch_dtype(self.case.dtype)
        with fitting(self.case, where):
            if where not in self.built:
                self.built[where] = blank(self.case, where, values)
            model = self.built[where]
            inputs = tensors(self.case, dtype=values, device=where)
            with running(self.case):
                return model, read(model, *inputs)


def _counts(tool: Counter, models: _Models, device: str) -> Iterator[Check]:
    """What one of the tools counts, on the device that was asked for or the least costly one."""
    case, where = models.case, device or tool.devices[0]
    if where not in tool.devices:
        fact = f"{tool.name} cannot count on the {where} device"
        works = ",".join(other for other in TOOLS if where in counter(other).devices)
        raise MeasurementError(f"{fact}; --against {works} can")
    for number, read in enumerate(tool.readings):
        # On the CPU torch's backward pass takes twice the forward pass, and counts the same.
        place = "meta" if number and where == "cpu" and "meta" in tool.devices else where
        model, reading = models.asked(read, place)
        for quantity, counts in reading.layers.items():
            lines = _lines(case, model.paths, counts, _rule(tool, quantity, case))
            lines += _outside(reading.totals[quantity], model.paths, counts)
            note = _unknown(tool, reading)
            yield Check(tool.name, reading.release, place, quantity, lines, note)


def _rule(tool: Counter, quantity: str, case: Case) -> Rule:
    """What we say to a quantity of a tool, layer by layer."""
    if quantity == "parameters":
        return lambda step: _parameters(step, tool)
    if quantity == "activations":  # of convolutions and matrix products
        return lambda step: (
            integer(step.output.units.value) * case.batch if _macs(step) else 0,
            (),
        )
    return (
        _backward(case) if quantity == "backward_flops" else lambda step: _counted(step, tool, case)
    )


def _lines(
    case: Case, paths: Mapping[str, str], counts: Mapping[str, int], ours: Rule
) -> tuple[Line, ...]:
    """A line for every layer about which either side has something to say.

    Args:
        case: whose layers.
        paths: the module of every layer that has one; layers that share one share a line.
        counts: what the tool says of every module.
        ours: our number for a layer, and the causes of the difference.
    """
    lines: dict[str, Line] = {}
    for step in case.steps:
        number, causes = ours(step)
        path = paths.get(step.name, f"/{step.name}")  # of a join, which has no module
        if (earlier := lines.get(path)) is not None:
            assert isinstance(earlier.ours, int)
            together = earlier.ours + number
            lines[path] = earlier._replace(ours=together, causes=(*earlier.causes, *causes))
        else:
            lines[path] = Line(step.name, number, counts.get(path, 0), causes)
    return tuple(line for line in lines.values() if line.ours or line.theirs or line.causes)


def _outside(total: int, paths: Mapping[str, str], counts: Mapping[str, int]) -> tuple[Line, ...]:
    """What a tool counts in total beyond what it counts in layers."""
    outside = total - sum(counts.get(path, 0) for path in set(paths.values()))
    return (Line("outside all layers", 0, outside),) if outside else ()


def _unknown(tool: Counter, reading: Reading) -> str:
    """A word about a release whose rule nobody has compared yet."""
    known = tool.releases
    first, last = _order(known[0]), _order(known[-1])
    if reading.release in known or (len(known) > 1 and first <= _order(reading.release) <= last):
        return ""
    compared = " to ".join(known)
    return f"{reading.tool} {reading.release} is not among the releases compared: {compared}"


def _order(release: str) -> tuple[int, ...]:
    """The first two numbers of a release, 2.15 for 2.15.1."""
    return tuple(int(number) for number in re.findall("[0-9]+", release)[:2])


def _macs(step: Step) -> int:
    return integer(cost(step).macs.value)


def _counted(step: Step, tool: Counter, case: Case) -> Explained:
    extras = [term for term in tool.terms(step, case.batch) if term.cause != MACS]
    causes = tuple(Cause(term.cause, integer(term.amount.value)) for term in extras)
    return integer(tool.ours(step, case.batch)), causes


def _parameters(step: Step, tool: Counter | None = None) -> Explained:
    terms = tool.parameters(step) if tool else ()
    causes = tuple(Cause(term.cause, integer(term.amount.value)) for term in terms)
    return integer(cost(step).parameters.value), causes


def _backward(case: Case) -> Rule:
    """Two FLOPs a MAC; torch forgets the groups in the gradient of grouped weights."""
    passes = dict(zip((step.name for step in case.steps), backward(case), strict=True))

    def ours(step: Step) -> Explained:
        back = passes[step.name]
        number = 2 * case.batch * integer(back.weights.value + back.inputs.value)
        groups = getattr(step.layer, "groups", 1)
        if groups == 1 or not number:
            return number, ()
        cause = f"weight gradient as if without its groups, x{groups}"
        extra = 2 * case.batch * (groups - 1) * integer(back.weights.value)
        return number, (Cause(cause, extra),)

    return ours


def _fields(case: Case) -> Check:
    """Receptive fields against the gradient's support."""
    try:
        with torch.enable_grad():
            supports, note = gradient.read(case)
    except RuntimeError as error:
        raise MeasurementError(f"torch refuses the averages of this network: {error}") from error
    lines = tuple(
        Line(f"{where}, output {support.output}", support.predicted, support.measured)
        for where, found in supports.items()
        for support in found
    )
    return Check("gradient", release("torch"), "cpu", "receptive field", lines, note)


def _torchvision(case: Case) -> Iterator[Check]:
    reading, note = torchvision.read(case)
    rules: dict[str, Rule] = {
        "flops": lambda step: (2 * _macs(step), ()),
        "parameters": _parameters,
    }
    paths = {step.name: step.name for step in case.steps}  # it was read by our names
    for quantity, rule in rules.items():
        counts = reading.layers[quantity]
        lines = _lines(case, paths, counts, rule)
        lines += _outside(reading.totals[quantity], paths, counts)
        yield Check("torchvision", reading.release, "meta", quantity, lines, note)
