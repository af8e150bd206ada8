"""Ours, theirs, the difference and its named cause; nothing may stay unexplained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Final

import torch

from archcalc.case import Case, Step
from archcalc.checks import Cause, Check, Line, Verification
from archcalc.costs import Backward, backward, cost
from archcalc.count import count, integer
from archcalc.counters import TOOLS, counter
from archcalc.counters.base import MACS, Counter, Reading, Term, macs, release, size
from archcalc.errors import ArchitectureError, MeasurementError, meant, quoted
from archcalc.measure import gradient, torchvision
from archcalc.measure.machine import chosen, fitting, running, torch_dtype
from archcalc.measure.twin import Twin, blank, tensors, twin
from archcalc.network import Network

AGAINST: Final = ("torch", "fvcore", "torchinfo")  # who is asked if nobody is named
WITNESSES: Final = (*TOOLS, "gradient", "torchvision")


def verify(case: Case, against: Sequence[str] = AGAINST, device: str = "") -> Verification:
    """Compare a case with what other tools report; see :func:`archcalc.api.verify`."""
    for name in against:
        if name not in WITNESSES:
            hint = meant(name, list(WITNESSES))
            raise ArchitectureError(f"{quoted(name)} is no witness", hint=hint)
    built = twin(case, device="meta")
    if device:
        chosen(device)
    checks = [_shapes(case, built), *_parameters(case, built)]
    models: dict[str, Twin] = {}
    for name in dict.fromkeys(against):
        if name == "gradient":
            checks.append(_fields(case))
        elif name == "torchvision":
            reading, note = torchvision.read(case)
            names = {step.name: step.name for step in case.steps}  # it was read by our names
            single = replace(case, batch=1)
            checks += _compared(single, counter("torch"), reading, names, "meta", note)
        else:
            checks += _counts(case, counter(name), models, device)
    return Verification(case, tuple(checks))


def installed(network: Network) -> list[str]:
    """All witnesses that can be asked about a network here."""
    names = [name for name in TOOLS if find_spec(counter(name).package)]
    second = find_spec("torchvision") and network.name in torchvision.MODELS
    return [*names, "gradient", *(["torchvision"] if second else [])]


def _shapes(case: Case, built: Twin) -> Check:
    """The shapes of every layer's outputs in the twin."""
    lines = []
    with running(case), torch.no_grad():
        outputs = built.eval().outputs(*tensors(case, device="meta"))
        for step, (_, made) in zip(case.steps, outputs, strict=True):
            theirs = [tuple(y.shape[1:]) for y in (made if isinstance(made, tuple) else (made,))]
            text = " ".join("x".join(map(str, (*sizes[1:], sizes[0]))) for sizes in theirs)
            ours = " ".join(str(value.shape) for value in step.outputs)
            lines.append(Line(step.name, ours, text))
    return Check("twin", release("torch"), "meta", "output", tuple(lines))


def _parameters(case: Case, built: Twin) -> Iterator[Check]:
    """The parameters of every layer in the twin."""
    sizes = {path: size(built.get_submodule(path)) for path in built.paths.values()}
    totals = {"parameters": size(built)}
    reading = Reading("twin", release("torch"), {"parameters": sizes}, totals)
    return _compared(case, counter("mac"), reading, built.paths, "meta")


def _counts(case: Case, tool: Counter, models: dict[str, Twin], device: str) -> Iterator[Check]:
    """What one of the tools counts, on the device that was asked for or the least costly one.

    The twins that it looks at are full of zeros, one a device, kept in ``models``.
    """
    where = device or tool.devices[0]
    if where not in tool.devices:
        fact = f"{tool.name} cannot count on the {where} device"
        works = ",".join(other for other in TOOLS if where in counter(other).devices)
        raise MeasurementError(f"{fact}; --against {works} can")
    dtype = torch_dtype(case.dtype)
    for number, read in enumerate(tool.readings):
        # On the CPU torch's backward pass takes twice the forward pass, and counts the same.
        place = "meta" if number and where == "cpu" and "meta" in tool.devices else where
        with fitting(case, place):
            if place not in models:
                models[place] = blank(case, place, dtype)
            inputs = tensors(case, dtype=dtype, device=place)
            with running(case):
                reading = read(models[place], *inputs)
        note = _unknown(tool, reading)
        yield from _compared(case, tool, reading, models[place].paths, place, note)


def _compared(
    case: Case,
    tool: Counter,
    reading: Reading,
    paths: Mapping[str, str],
    device: str,
    note: str = "",
) -> Iterator[Check]:
    """A check for every quantity of a reading, with the layers about which a side says something.

    The tool's rules explain it. Layers that share a module, by its path, share a line.
    """
    sharing: dict[str, list[tuple[Step, Backward]]] = {}
    for step, back in zip(case.steps, backward(case), strict=True):
        path = paths.get(step.name, f"/{step.name}")  # of a join, which has no module
        sharing.setdefault(path, []).append((step, back))
    for quantity, counts in reading.layers.items():
        lines = []
        for path, steps in sharing.items():
            explained = [_explained(*step, quantity, tool, case.batch) for step in steps]
            ours = sum(number for number, _ in explained)
            terms = [term for _, terms in explained for term in terms]
            causes = tuple(Cause(term.cause, integer(term.amount.value)) for term in terms)
            lines.append(Line(steps[0][0].name, ours, counts.get(path, 0), causes))
        outside = reading.totals[quantity] - sum(counts.get(path, 0) for path in sharing)
        lines.append(Line("outside all layers", 0, outside))
        shown = tuple(line for line in lines if line.ours or line.theirs or line.causes)
        yield Check(reading.tool, reading.release, device, quantity, shown, note)


def _explained(
    step: Step, back: Backward, quantity: str, tool: Counter, batch: int
) -> tuple[int, Iterable[Term]]:
    """Our number for a step, and the terms by which a tool's is another."""
    if quantity == "parameters":
        return integer(cost(step).parameters.value), tool.parameters(step)
    if quantity == "activations":  # of convolutions and matrix products
        return integer(step.output.units.value) * batch if macs(step).value else 0, ()
    if quantity != "backward_flops":
        extras = [term for term in tool.terms(step, batch) if term.cause != MACS]
        return integer(tool.ours(step, batch)), extras
    weights, inputs = (2 * batch * integer(product.value) for product in back)
    groups = getattr(step.layer, "groups", 1)
    if groups == 1 or not weights:
        return weights + inputs, ()
    cause = f"weight gradient as if without its groups, x{groups}"  # torch forgets them
    return weights + inputs, [Term(cause, count((groups - 1) * weights))]


def _unknown(tool: Counter, reading: Reading) -> str:
    """A word about a release whose rule nobody has compared yet."""
    known = tool.releases
    oldest, installed, newest = map(_order, (known[0], reading.release, known[-1]))
    if reading.release in known or (len(known) > 1 and oldest <= installed <= newest):
        return ""
    compared = " to ".join(known)
    return f"{reading.tool} {reading.release} is not among the releases compared: {compared}"


def _order(release: str) -> tuple[int, ...]:
    """The first two numbers of a release, 2.15 for 2.15.1."""
    return tuple(int(number) for number in re.findall("[0-9]+", release)[:2])


def _fields(case: Case) -> Check:
    """Receptive fields against the gradient's support."""
    try:
        with torch.enable_grad():
            supports, note = gradient.read(case)
    except RuntimeError as error:
        raise MeasurementError(f"torch refuses the averages of this network: {error}") from error
    lines = tuple(
        Line(f"{where}, output {support.output}", support.predicted, support.measured)
        for where, neighbours in supports.items()
        for support in neighbours
    )
    return Check("gradient", release("torch"), "cpu", "receptive field", lines, note)
