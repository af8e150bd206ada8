"""Floor 5: how fast a layer can be at best on a device.

A layer takes at least as long as its arithmetic at the device's peak rate, and at least as long as
its inputs, outputs and weights take to cross the memory bus once; whichever is longer bounds it
(Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009). A third bound is the time in which an
operation that does nothing is started.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from archcalc.case import Case, Step
from archcalc.costs import Backward, cost
from archcalc.count import integer
from archcalc.layers.base import BUFFER
from archcalc.layers.passes import Kept
from archcalc.units import BYTES_OF


class Device(NamedTuple):
    """A device's two ceilings."""

    name: str  # its model
    called: tuple[str, ...]  # by torch
    peak: dict[str, float]  # FLOP/s by dtype, dense; a dtype that is missing is not known
    bandwidth: float  # bytes/s between its memory and its cores
    source: str  # where the numbers are from


Rates: TypeAlias = tuple[float, float, float, float]
A100: Final[Rates] = (9.7, 19.5, 156, 312)
V100: Final = ("Tesla V100-SXM2-16GB", "Tesla V100-SXM2-32GB")


def _nvidia(source: str, rates: Rates, bandwidth: float, *called: str, name: str = "") -> Device:
    """A row of the table.

    Rates are TFLOP/s in fp64, fp32, tf32 and fp16, 0 where there is no such dtype; the bandwidth is
    in GB/s. Torch puts NVIDIA before each name but Tesla; a model may have a name of its own.
    """
    peak = dict(zip(("fp64", "fp32", "tf32", "fp16"), rates, strict=True))
    peak |= {"bf16": peak["fp16"]} if peak["tf32"] else {}  # both came with Ampere
    peak = {dtype: rate * 1e12 for dtype, rate in peak.items() if rate}
    titles = tuple(title if "Tesla" in title else f"NVIDIA {title}" for title in called)
    name = name or called[0].removeprefix("GeForce ").removeprefix("Tesla ")
    return Device(name, titles, peak, bandwidth * 1e9, f"NVIDIA's {source}")


# Dense rates: where a data sheet prints those "with sparsity", half of them. fp64 and fp32 are
# those of the cores that are not tensor cores. Other models of a name (Ti, NVL, Laptop) differ.
DEVICES: Final = (
    _nvidia("H200 data sheet, SXM", (34, 67, 494.7, 989.4), 4800, "H200"),
    _nvidia("H100 data sheet, SXM", (34, 67, 494.7, 989.4), 3350, "H100 80GB HBM3", name="H100"),
    _nvidia("H100 data sheet, PCIe", (26, 51, 378, 756), 2000, "H100 PCIe"),
    _nvidia("A100 data sheet, SXM 80 GB", A100, 2039, "A100-SXM4-80GB"),
    _nvidia("A100 data sheet, PCIe 80 GB", A100, 1935, "A100 80GB PCIe"),
    _nvidia("A100 data sheet, 40 GB", A100, 1555, "A100-SXM4-40GB", "A100-PCIE-40GB", name="A100"),
    _nvidia("L4 data sheet", (0, 30.3, 60, 121), 300, "L4"),
    _nvidia("A10 data sheet", (0, 31.2, 62.5, 125), 600, "A10"),
    _nvidia("T4 data sheet", (0, 8.1, 0, 65), 320, "Tesla T4"),
    _nvidia("V100 data sheet, SXM2", (7.8, 15.7, 0, 125), 900, *V100, name="V100-SXM2"),
    _nvidia("Ada architecture, appendix A", (0, 82.6, 82.6, 165.2), 1008, "GeForce RTX 4090"),
    _nvidia("GA102 architecture, appendix", (0, 35.6, 35.6, 71), 936, "GeForce RTX 3090"),
)


def known(name: str) -> Device | None:
    """The device of the table that torch calls so, if there is one."""
    return next((device for device in DEVICES if name in device.called), None)


class Work(NamedTuple):
    """What a layer has to do: floating-point operations, and bytes that cross the bus at least."""

    flops: int
    bytes: int

    def bound(self, peak: float, bandwidth: float) -> tuple[float, float]:
        """Seconds for the arithmetic, and for the memory."""
        return self.flops / peak, self.bytes / bandwidth


def forward(step: Step, case: Case) -> Work:
    """A layer's forward pass: two FLOPs a MAC; inputs and parameters read, outputs written once."""
    if step.layer.view:
        return Work(0, 0)
    costs = cost(step)
    values = sum(integer(shape.units.value) for shape in step.shapes) + _units(step)
    moved = (values * case.batch + _learned(step)) * BYTES_OF[case.dtype]
    return Work(2 * case.batch * integer(costs.macs.value), moved)


def backward(
    step: Step, back: Backward, kept: tuple[Kept, ...], wanted: tuple[bool, ...], case: Case
) -> Work:
    """A layer's backward pass: two products; what the forward pass kept is read once.

    Gradients of the inputs whose gradient is wanted are written once.
    """
    learned = _learned(step)
    if step.layer.hands_on or not (any(wanted) or learned):
        return Work(0, 0)  # its inputs' gradients are the one that comes in, or parts of it
    pairs = zip(step.shapes, wanted, strict=True)
    written = sum(integer(shape.units.value) for shape, is_wanted in pairs if is_wanted)
    weights = learned * (2 if any(wanted) else 1)  # the gradient, and the weights themselves
    values = (_units(step) + written) * case.batch + weights
    moved = values * BYTES_OF[case.dtype] + sum(tensor.size for tensor in kept)
    return Work(2 * case.batch * integer(back.weights.value + back.inputs.value), moved)


def _learned(step: Step) -> int:
    """Parameters that a step reads, an earlier step's among them."""
    return sum(integer(p.size.value) for p in step.parameters if p.role != BUFFER)


def _units(step: Step) -> int:
    return sum(integer(value.shape.units.value) for value in step.outputs)
