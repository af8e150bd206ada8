"""What a counter is: how a well-known tool counts, and how it is asked.

A counter's rule says what the tool reports for a layer as a sum of named terms: the
multiply-accumulates first, then everything that the tool adds or leaves out. So a tool's number is
predicted, and its difference from ours explained, without the tool (and without torch) being
loaded. Its reading asks the tool itself. Where a rule depends on the mode, it is that of
evaluation.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcalc.case import Step
from archcalc.count import Count, Number, difference, product
from archcalc.errors import MeasurementError
from archcalc.layers.base import Layer

if TYPE_CHECKING:
    from torch import nn

MACS: Final = "MACs"
PLANE: Final = 2  # axes of an image


class Term(NamedTuple):
    """A part of what a tool reports for a layer, with the cause by which it is known."""

    cause: str
    amount: Count


class Reading(NamedTuple):
    """What a tool reports about a model."""

    tool: str
    release: str
    layers: dict[str, dict[str, int]]  # for every quantity, the submodules' numbers by path
    totals: dict[str, int]  # for every quantity, what the tool itself says of the whole model


class Counter(NamedTuple):
    """A counting rule, and the tool whose rule it is; archcalc's own rules have no tool."""

    name: str  # as ``--convention`` and ``--against`` take it
    unit: str  # what the tool calls its number
    rule: str  # everything beside the MACs, in one sentence
    extras: Callable[[Step, int], Iterable[Term]] = lambda _, __: ()  # for a whole batch
    scale: int = 1  # of that unit in one MAC
    tool: str = ""  # the class or function
    package: str = ""  # the distribution that holds it
    releases: tuple[str, ...] = ()  # with which the rule was compared, the oldest first
    average: bool = False  # whether the MACs are those of one example, whatever the batch
    parameters: Callable[[Step], Iterable[Term]] = lambda _: ()  # its own less ours
    devices: tuple[str, ...] = ()  # on which it works, the least costly first
    readings: tuple[Callable[..., Reading], ...] = ()  # each leaves the model as it was

    def terms(self, step: Step, batch: int = 1) -> list[Term]:
        """What the tool reports for a step: the terms whose sum it is, the MACs first."""
        counted = times(self._examples(batch) * self.scale, macs(step))
        terms = (Term(MACS, counted), *self.extras(step, batch))
        return [term for term in terms if term.amount.value != 0]

    def ours(self, step: Step, batch: int = 1) -> Number:
        """Our own count in the tool's unit: what it would report if it counted MACs alone."""
        return macs(step).value * self.scale * self._examples(batch)

    def _examples(self, batch: int) -> int:
        return 1 if self.average else batch


# ------------------------------------------------------------------------------ pieces of rules


def macs(step: Step) -> Count:
    """The multiply-accumulates of a step for one example."""
    return step.layer.macs(*step.shapes, output=step.output)


def times(factor: int, amount: Count) -> Count:
    """A multiple; once is the amount itself."""
    return amount if factor == 1 else product(factor, amount)


def each(rule: Callable[[Step], Iterable[Term]]) -> Callable[[Step, int], Iterable[Term]]:
    """A rule for one example as one for a batch."""
    return lambda step, batch: [Term(cause, times(batch, amount)) for cause, amount in rule(step)]


def bias_additions(step: Step) -> Iterator[Term]:
    """One for every output unit that gets a bias."""
    if getattr(step.layer, "bias", False):
        yield Term("+1 per bias addition", step.output.units)


def averages_adaptively(layer: Layer) -> bool:
    """Whether torch runs its adaptive average pooling for a layer."""
    return layer.reads_everything and getattr(layer, "reduction", "") == "average"


def at_outputs(counted: Count, step: Step) -> Term:
    """What is counted for a transposed convolution that is taken for an ordinary one."""
    cause = "transposed convolution at the positions of its output"
    return Term(cause, difference(counted, macs(step)))


# ------------------------------------------------------------------------------ asking tools


@cache
def release(package: str, extra: str = "verify") -> str:
    """The installed release of a package, without what follows a ``+``.

    Raises:
        MeasurementError: it is not installed; naming what installs it.
    """
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - takes 41 ms

    try:
        installed = version(package)
    except PackageNotFoundError:
        known = f"archcalc[{extra}]" if extra else package
        raise MeasurementError(f"{package} is not installed; pip install '{known}'") from None
    return installed.partition("+")[0].replace("-", ".post")


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """The submodules that have none of their own, by path; the model itself if it is one."""
    return {path: leaf for path, leaf in model.named_modules() if not any(leaf.children())}


def backpropagate(outputs: Any) -> None:  # noqa: ANN401 - a tensor, or a tuple of several
    """Run the backward pass of a sum over all outputs, where one of them needs it."""
    tensors = outputs if isinstance(outputs, tuple) else (outputs,)
    sums = [tensor.sum() for tensor in tensors if tensor.requires_grad]
    if sums:
        sum(sums[1:], start=sums[0]).backward()


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Whatever happens inside, the model comes out as it went in.

    Mode, hooks, attributes, parameters, gradients, the values of buffers, and torch's random state
    on every device are put back, also where something raises.
    """
    import torch

    modules = [(module, module.__dict__.copy(), _tables(module)) for module in model.modules()]
    parameters = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers() if not buffer.is_meta]
    for parameter in model.parameters():
        parameter.grad = None  # backward passes would add to it in place
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        for module, attributes, tables in modules:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            for name, entries in tables.items():
                module.__dict__[name].clear()
                module.__dict__[name].update(entries)
        for parameter, requires_grad, grad in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


def _tables(module: nn.Module) -> dict[str, Any]:
    """Copies of the dictionaries and sets that a module is made of: hooks, buffers, children."""
    tables = module.__dict__.items()
    return {name: table.copy() for name, table in tables if isinstance(table, dict | set)}


@contextlib.contextmanager
def asked(tool: str, model: nn.Module, extra: str = "verify") -> Iterator[str]:
    """Ask a tool about a model inside, without its warnings; gives the tool's release.

    Raises:
        MeasurementError: the tool is not installed, or fails.
    """
    installed = release(tool, extra)
    with untouched(model), warnings.catch_warnings(action="ignore"):
        try:
            yield installed
        except Exception as error:
            raise MeasurementError(f"{tool} failed: {error}") from error


def size(model: nn.Module) -> int:
    """How many parameters a model has."""
    return sum(parameter.numel() for parameter in model.parameters())
