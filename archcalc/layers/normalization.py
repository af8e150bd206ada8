"""Normalizations. They keep the shape and have no multiply-accumulates (see ``Layer.macs``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archcalc.count import ZERO, Count, count
from archcalc.errors import ArchitectureError
from archcalc.layers.base import Layer, divisor_below

if TYPE_CHECKING:
    from archcalc.shape import Shape


class _Affine(Layer):
    """A scale (counted as weight) and a shift (counted as bias) for each channel, if ``affine``."""

    affine: bool = True

    def weights(self, shape: Shape) -> Count:
        """One scale (gamma) a channel."""
        return count(shape.channels) if self.affine else ZERO

    def biases(self, shape: Shape) -> Count:
        """One shift (beta) a channel."""
        return count(shape.channels) if self.affine else ZERO


class BatchNorm(_Affine):
    """Ioffe, Szegedy, arXiv 1502.03167: statistics of a channel over batch and positions.

    Its running mean and variance are buffers, not parameters.
    """

    kind: ClassVar[str] = "bn"


class LayerNorm(_Affine):
    """Ba, Kiros, Hinton, arXiv 1607.06450, over the channels of each position (as in ConvNeXt)."""

    kind: ClassVar[str] = "ln"


class GroupNorm(Layer):
    """Wu, He, arXiv 1803.08494: statistics over groups of channels and all positions.

    Those statistics see the whole map; the receptive field reported here is that of the values
    alone, as everybody reports it.
    """

    kind: ClassVar[str] = "gn"
    groups: int
    affine: bool = True

    def output(self, shape: Shape) -> Shape:
        """The same shape, where the groups divide the channels."""
        if isinstance(shape.channels, int) and shape.channels % self.groups:
            fact = f"{self.groups} groups do not divide {shape.channels} channels"
            raise ArchitectureError(
                fact, hint=f"gn{divisor_below(shape.channels, self.groups)} would"
            )
        return shape

    def weights(self, shape: Shape) -> Count:
        """One scale a channel."""
        return count(shape.channels) if self.affine else ZERO

    def biases(self, shape: Shape) -> Count:
        """One shift a channel."""
        return self.weights(shape)


class LocalResponseNorm(Layer):
    """Krizhevsky et al., NIPS 2012, sec. 3.3: over ``size`` channels; learns nothing."""

    kind: ClassVar[str] = "lrn"
    size: int = 5
