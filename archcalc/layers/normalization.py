"""Normalizations. They keep the shape and have no multiply-accumulates (see ``Layer.macs``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from archcalc.count import count, integer
from archcalc.errors import ArchitectureError
from archcalc.layers.base import BIAS, BUFFER, WEIGHT, Layer, Parameter, TorchModule, divisor_below
from archcalc.layers.passes import Needs, Operation
from archcalc.layers.pieces import Stem, Switch, Whole
from archcalc.shape import Shape

VECTOR: Final = 2  # axes of a tensor that is a batch of vectors


class _Affine(Layer):
    """A scale (counted as weight) and a shift (counted as bias) for each channel, if ``affine``."""

    affine: bool

    def parameters(self, *shapes: Shape) -> tuple[Parameter, ...]:
        """A scale (gamma) and a shift (beta) a channel."""
        if not self.affine:
            return ()
        each = count(shapes[0].channels)
        return Parameter("weight", WEIGHT, each), Parameter("bias", BIAS, each)


@dataclass(frozen=True)
class BatchNorm(_Affine):
    """Ioffe, Szegedy, arXiv 1502.03167: statistics of a channel over batch and positions.

    Its running mean and variance are buffers, not parameters.
    """

    kind: ClassVar[str] = "bn"
    stems: ClassVar = {"bn": Stem("bn")}
    affine: bool = Switch("noaffine", written_if=False).field()

    def parameters(self, *shapes: Shape) -> tuple[Parameter, ...]:
        """Scale and shift; buffers: running mean and variance, and the batches that went in."""
        each = count(shapes[0].channels)
        return (
            *super().parameters(*shapes),
            Parameter("running_mean", BUFFER, each),
            Parameter("running_var", BUFFER, each),
            Parameter("num_batches_tracked", BUFFER, count(1), "int64"),
        )

    def needs(self, operation: Operation) -> Needs:
        """Its input, and a mean and an inverse deviation a channel, which it has in training.

        ``native_batch_norm_backward`` makes the input's gradient though nobody may want it.
        """
        channels = integer(operation.output.channels)
        statistics = 2 * channels * operation.statistic if operation.train else 0
        kept = (operation.input(), operation.further("statistics", statistics))
        return Needs(kept, backward=0 if operation.wanted[0] else operation.made)

    def torch_module(self, *shapes: Shape) -> TorchModule:
        name = f"BatchNorm{max(len(shapes[0].sizes), 1)}d"
        return TorchModule(name, (shapes[0].channels,), {"affine": self.affine})


@dataclass(frozen=True)
class LayerNorm(_Affine):
    """Ba, Kiros, Hinton, arXiv 1607.06450, over the channels of each position (as in ConvNeXt)."""

    kind: ClassVar[str] = "ln"
    stems: ClassVar = {"ln": Stem("ln")}
    affine: bool = Switch("noaffine", written_if=False).field()

    def needs(self, operation: Operation) -> Needs:
        """Its input, and a mean and an inverse deviation a position.

        Torch normalizes the last axes: the channels are moved there and back, and what comes out
        is copied, which lies in another order if there are several positions and channels.
        """
        shape = operation.output
        channels = integer(shape.channels)
        positions = integer(shape.units.value) // channels
        statistics = 2 * positions * operation.batch * operation.statistic
        copied = operation.made if min(positions, channels) > 1 else 0
        return Needs((operation.input(), operation.further("statistics", statistics)), copied)

    def torch_module(self, *shapes: Shape) -> TorchModule:
        return TorchModule("LayerNorm", (shapes[0].channels,), {"elementwise_affine": self.affine})

    def run(self, module: Any, *tensors: Any) -> Any:
        """Torch normalizes the last axes, we the channels."""
        return module(tensors[0].movedim(1, -1)).movedim(-1, 1).contiguous()


@dataclass(frozen=True)
class GroupNorm(_Affine):
    """Wu, He, arXiv 1803.08494: statistics over groups of channels and all positions.

    Those statistics see the whole map; the receptive field reported here is that of the values
    alone, as everybody reports it.
    """

    kind: ClassVar[str] = "gn"
    stems: ClassVar = {"gn": Stem("gn32")}
    groups: int = Whole("number of groups").field()
    affine: bool = Switch("noaffine", written_if=False).field()

    def output(self, *shapes: Shape) -> Shape:
        """The same shape, where the groups divide the channels."""
        channels = shapes[0].channels
        if isinstance(channels, int) and channels % self.groups:
            fact = f"{self.groups} groups do not divide {channels} channels"
            raise ArchitectureError(fact, hint=f"gn{divisor_below(channels, self.groups)} would")
        return shapes[0]

    def needs(self, operation: Operation) -> Needs:
        """Its input, and a mean and an inverse deviation for each group of each example."""
        statistics = 2 * self.groups * operation.batch * operation.statistic
        return Needs((operation.input(), operation.further("statistics", statistics)))

    def torch_module(self, *shapes: Shape) -> TorchModule:
        arguments = (self.groups, shapes[0].channels)
        return TorchModule("GroupNorm", arguments, {"affine": self.affine})


@dataclass(frozen=True)
class LocalResponseNorm(Layer):
    """Krizhevsky et al., NIPS 2012, sec. 3.3: over ``size`` channels; learns nothing."""

    kind: ClassVar[str] = "lrn"
    stems: ClassVar = {"lrn": Stem("lrn")}
    size: int = Whole("size").field(5)

    def needs(self, operation: Operation) -> Needs:
        """In ``torch.nn.functional`` it is input / (k + alpha * mean of padded squares) ** beta.

        Forward, the padded squares and their mean, or mean, multiple and sum, are there at once;
        the quotient is one of them. Backward, the division makes -gradient * input / divisor /
        divisor, which is four maps where one stays; and the padded squares have a gradient as large
        as they.
        """
        made, channels = operation.made, integer(operation.output.channels)
        padded = made // channels * (channels + self.size - 1)
        if not operation.graded:
            return Needs(forward=max(padded, 2 * made))
        kept = (
            operation.input(),
            operation.further("padded squares", padded),
            operation.further("sums", made),
            operation.further("divisors", made),
        )
        return Needs(kept, backward=max(3 * made, padded - made))

    def torch_module(self, *shapes: Shape) -> TorchModule:
        return TorchModule("LocalResponseNorm", (self.size,))

    def run(self, module: Any, *tensors: Any) -> Any:
        """A vector is a map of one position: torch takes no vectors."""
        x = tensors[0]
        return module(x.unsqueeze(2)).squeeze(2) if x.dim() == VECTOR else module(x)
