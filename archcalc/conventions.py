"""Floor 5: how the well-known counters count, written down over our own layers.

A convention says what a tool reports for a layer as a sum of named terms: the multiply-accumulates
first, then everything that the tool adds or leaves out. So a tool's number is predicted, and its
difference from ours explained, without the tool (and without torch) being loaded;
:mod:`archcalc.verification` compares the prediction with what the tool itself reports.

Where a rule depends on the mode, it is that of evaluation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from archcalc.costs import cost
from archcalc.count import Count, Number, count, difference, integer, product, quotient, total
from archcalc.errors import ArchitectureError, meant, quoted
from archcalc.layers import (
    Activation,
    AdaptivePool,
    BatchNorm,
    GlobalPool,
    GroupNorm,
    Join,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    Pool,
    TransposedConvolution,
)
from archcalc.layers.base import per_axis
from archcalc.network import BIASED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archcalc.infer import Step
    from archcalc.shape import Shape

PLANE: Final = 2  # axes of an image
MACS: Final = "MACs"


class Term(NamedTuple):
    """A part of what a tool reports for a layer, with the cause by which it is known."""

    cause: str
    amount: Count


class Convention(NamedTuple):
    """A counting rule.

    Attributes:
        name: as ``--convention`` takes it.
        tool: the class or function whose rule it is; empty for archcalc's own.
        releases: those with which the rule was compared; the first is the oldest.
        unit: what the tool calls its number.
        scale: of that unit in one MAC.
        rule: everything beside the MACs, in one sentence.
        extras: the terms of a layer for a whole batch, beside its MACs.
        package: the distribution that holds the tool.
        average: whether the MACs are those of one example, whatever the batch.
        parameters: by how much the tool's number of parameters differs from ours.
    """

    name: str
    tool: str
    releases: tuple[str, ...]
    unit: str
    scale: int
    rule: str
    extras: Callable[[Step, int], Iterable[Term]]
    package: str = ""
    average: bool = False
    parameters: Callable[[Step], Iterable[Term]] = lambda _: ()

    def terms(self, step: Step, batch: int = 1) -> list[Term]:
        """What the tool reports for a step: the terms whose sum it is, the MACs first."""
        own = _times(self.scale * (1 if self.average else batch), macs(step))
        return [
            term for term in (Term(MACS, own), *self.extras(step, batch)) if term.amount.value != 0
        ]

    def ours(self, step: Step, batch: int = 1) -> Number:
        """Our own count in the tool's unit: what it would report if it counted MACs alone."""
        return macs(step).value * self.scale * (1 if self.average else batch)


def macs(step: Step) -> Count:
    """The multiply-accumulates of a step for one example."""
    return cost(step).macs


def convention(name: str) -> Convention:
    """A convention by its name.

    Raises:
        ArchitectureError: with the nearest names.
    """
    if name not in CONVENTIONS:
        hint = meant(name, list(CONVENTIONS))
        raise ArchitectureError(f"{quoted(name)} is no convention", hint=hint)
    return CONVENTIONS[name]


def _times(factor: int, amount: Count) -> Count:
    return amount if factor == 1 else product(factor, amount)


def _each(rule: Callable[[Step], Iterable[Term]]) -> Callable[[Step, int], Iterable[Term]]:
    """A rule for one example as one for a batch."""
    return lambda step, batch: [Term(cause, _times(batch, amount)) for cause, amount in rule(step)]


def _nothing(step: Step) -> Iterable[Term]:  # noqa: ARG001 - the signature of all rules
    return ()


def _bias(step: Step) -> Iterator[Term]:
    layer = step.node.layer
    if isinstance(layer, BIASED) and layer.bias:
        yield Term("+1 per bias addition", step.output.units)


def _affine(layer: Layer | Join) -> bool:
    return isinstance(layer, BatchNorm | LayerNorm | GroupNorm) and layer.affine


def _averages_adaptively(layer: Layer | Join) -> bool:
    return isinstance(layer, AdaptivePool | GlobalPool) and layer.reduction == "average"


def _positions(shape: Shape) -> Count:
    return product(*shape.sizes)


def _fvcore(step: Step) -> Iterator[Term]:
    """``fvcore/nn/flop_count.py`` and ``jit_handles.py``."""
    layer, units = step.node.layer, step.inputs[0].units
    if isinstance(layer, BatchNorm):
        each = 2 if layer.affine else 1
        yield Term(f"batch norm, {each} per unit", _times(each, units))
    if isinstance(layer, LayerNorm | GroupNorm):
        each = 5 if layer.affine else 4
        name = "layer" if isinstance(layer, LayerNorm) else "group"
        yield Term(f"{name} norm, {each} per unit", product(each, units))
    if _averages_adaptively(layer) and len(step.output.sizes) == PLANE:
        yield Term("adaptive average pooling, 1 per input unit", units)


def _torchinfo(step: Step) -> Iterator[Term]:
    """``torchinfo/layer_info.py``, ``calculate_macs``."""
    layer, shape = step.node.layer, step.inputs[0]
    if isinstance(layer, TransposedConvolution):
        swept = product(_positions(step.output), layer.weights(shape))
        yield Term("transposed convolution at the positions of its output", _less(swept, step))
    yield from _bias(step)
    if _affine(layer) and isinstance(layer, Layer):
        parameters = product(2, shape.channels)
        yield Term("normalization, its parameters once per example", parameters)


def _thop(step: Step) -> Iterator[Term]:
    """``thop/vision/basic_hooks.py`` and ``calc_func.py``."""
    layer, shape = step.node.layer, step.inputs[0]
    if isinstance(layer, TransposedConvolution):
        kernel = per_axis(layer.kernel_size, len(shape.sizes), "kernel")
        seen = product(step.output.units, product(*kernel, quotient(shape.channels, layer.groups)))
        yield Term("transposed convolution at the positions of its output", _less(seen, step))
    if isinstance(layer, BatchNorm | LayerNorm):
        each = 4 if layer.affine else 2
        name = "layer" if isinstance(layer, LayerNorm) else "batch"
        yield Term(f"{name} norm, {each} per unit", product(each, shape.units))
    if isinstance(layer, Activation) and layer.function == "softmax":
        each_position = product(*shape.sizes, difference(product(3, shape.channels), 1))
        yield Term("softmax, an exp, an addition and a division per unit", each_position)
    if isinstance(layer, Pool) and layer.reduction == "average":
        yield Term("average pooling, 1 per output unit", step.output.units)


def _thop_batch(step: Step, batch: int) -> Iterator[Term]:
    yield from _each(_thop)(step, batch)
    if _averages_adaptively(step.node.layer):
        cause = "adaptive average pooling, 1 per input and output unit"
        yield Term(cause, _shares(step, batch))


def _shares(step: Step, batch: int) -> Count:
    """Thop's own arithmetic in floats: inputs per output, and 1, times outputs, cut off.

    With letters, the sum that it means; floats may come out one below.
    """
    before, after = step.inputs[0], step.output
    if before.letters() or after.letters():
        return _times(batch, total((before.units, after.units)))
    pairs = zip(before.sizes, after.sizes, strict=True)
    window = math.prod(integer(size) / integer(target) for size, target in pairs)
    return count(int((window + 1) * (batch * integer(after.units.value))))


def _thop_parameters(step: Step) -> Iterator[Term]:
    layer = step.node.layer
    if isinstance(layer, GroupNorm) and layer.affine:
        lost = product(2, step.inputs[0].channels)
        yield Term("no rule for group norm, so none of its parameters", difference(0, lost))


# Activation functions that ptflops knows as modules, and those that it patches as functions.
HOOKED: Final = frozenset({"relu", "relu6", "leakyrelu", "elu", "gelu"})
PATCHED: Final = frozenset({"relu", "elu", "gelu", "silu", "softmax"})


def _ptflops(step: Step) -> Iterator[Term]:
    """``ptflops/pytorch_ops.py``: the hooks of modules, an average over the batch."""
    layer, units = step.node.layer, step.inputs[0].units
    yield from _bias(step)
    if isinstance(layer, BatchNorm | LayerNorm | GroupNorm):
        each = 2 if layer.affine and not isinstance(layer, LayerNorm) else 1
        yield Term(f"normalization, {each} per unit", _times(each, units))
    if isinstance(layer, Activation) and layer.function in HOOKED:
        yield Term("activation function, 1 per unit", units)
    if isinstance(layer, Pool | AdaptivePool | GlobalPool):
        yield Term("pooling, 1 per input unit", units)


def _ptflops_functions(step: Step) -> Iterator[Term]:
    """The functions that ptflops patches, which the modules that it has counted call again."""
    layer, units = step.node.layer, step.inputs[0].units
    again = ", once more as a function, for every example"
    if isinstance(layer, Activation) and layer.function in PATCHED & HOOKED:
        yield Term(f"activation function{again}", units)
    if isinstance(layer, Activation) and layer.function in PATCHED - HOOKED:
        yield Term("activation function, as a function, for every example", units)
    if isinstance(layer, Pool | AdaptivePool | GlobalPool):
        yield Term(f"pooling{again}", units)
    if isinstance(layer, LocalResponseNorm):
        yield Term("the functions inside local response normalization", _response(step, layer))


def _ptflops_batch(step: Step, batch: int) -> Iterator[Term]:
    yield from _ptflops(step)
    yield from _each(_ptflops_functions)(step, batch)


def _response(step: Step, layer: LocalResponseNorm) -> Count:
    """``x*x``, a pool over the channels with their padding, ``*alpha``, ``+k``."""
    shape = step.inputs[0]
    padded = product(*shape.sizes, shape.channels + layer.size - 1)
    return total((product(3, shape.units), padded))


def _less(counted: Count, step: Step) -> Count:
    """What a tool counts for a layer, less our MACs."""
    return difference(counted, macs(step))


CONVENTIONS: Final = {
    rule.name: rule
    for rule in (
        Convention(
            "mac",
            "",
            (),
            "MACs",
            1,
            "Nothing: one multiply and one add, archcalc's own.",
            _each(_nothing),
        ),
        Convention("flop", "", (), "FLOPs", 2, "Nothing: two for every MAC.", _each(_nothing)),
        Convention(
            "torch",
            "torch.utils.flop_counter.FlopCounterMode",
            ("2.6", "2.15"),
            "FLOPs",
            2,
            "Nothing; every operator without a formula counts zero.",
            _each(_nothing),
            package="torch",
        ),
        Convention(
            "fvcore",
            "fvcore.nn.FlopCountAnalysis",
            ("0.1.5.post20221221",),
            "flops",
            1,
            'Its "flop" is a MAC. Batch norm adds 2 per unit (1 without parameters), layer and '
            "group norm 5 (4), adaptive average pooling of images 1 per input unit.",
            _each(_fvcore),
            package="fvcore",
        ),
        Convention(
            "torchinfo",
            "torchinfo.summary",
            ("1.8.0",),
            "mult-adds",
            1,
            "Parameters times output positions: +1 per bias addition; a normalization counts its "
            "parameters once per example; a transposed convolution is taken at the positions of "
            "its output.",
            _each(_torchinfo),
            package="torchinfo",
        ),
        Convention(
            "ptflops",
            "ptflops.get_model_complexity_info",
            ("0.7.5",),
            "MACs",
            1,
            "An average over the batch. Biases, normalizations, ReLUs and pools count; modules "
            "that call a function which ptflops patches (ReLU, pools) are counted once more.",
            _ptflops_batch,
            package="ptflops",
            average=True,
        ),
        Convention(
            "thop",
            "thop.profile",
            ("0.1.1.post2209072238",),
            "MACs",
            1,
            "No biases. Batch and layer norm add 4 per unit (2 without parameters), average pools "
            "1 per output, adaptive ones 1 per input and output, softmax 3 per unit less 1; a "
            "transposed convolution is taken at the positions of its output.",
            _thop_batch,
            package="thop",
            parameters=_thop_parameters,
        ),
    )
}
