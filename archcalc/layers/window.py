"""How one axis of an output reads one axis of an input.

Every layer of the family reads its input through a window that repeats itself: after ``period``
further outputs, the inputs read lie ``step`` further. That one fact carries both the size rule
and the receptive field (:mod:`archcalc.receptive`).
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

from archcalc.count import Count, Number, count, difference, divided, integer, product, total
from archcalc.errors import ArchitectureError


class Window(NamedTuple):
    """A window of ``kernel`` taps, ``dilation`` apart, moved by ``stride`` over a padded axis.

    Output ``o`` reads inputs ``stride*o - padding + dilation*t`` for ``t`` in ``0 .. kernel-1``.
    """

    kernel: Number
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    ceil_mode: bool = False

    def outputs(self, size: Number) -> Count:
        """``floor((size + 2*padding - extent)/stride) + 1``; extent: dilation*(kernel - 1) + 1.

        With ``ceil_mode`` the division rounds up, but a last window that would start in the right
        padding is dropped: it must start inside the input or the left padding. Both are torch's.

        Raises:
            ArchitectureError: the window does not fit into the padded axis.
        """
        extent = self.dilation * (self.kernel - 1) + 1
        late = self.stride + self.padding - extent
        if self.ceil_mode and isinstance(late, int) and late > 0:
            # The last window could start so late that it must be dropped; what starts in time?
            starts = Count("+", (size, self.padding), size + self.padding)
            return divided(starts, self.stride, up=True)
        padded = size + 2 * self.padding
        around = Count("+", (size, Count("*", (2, self.padding), 2 * self.padding)), padded)
        spare = Count("-", (around, extent), padded - extent)
        steps = divided(spare, self.stride, up=self.ceil_mode)
        outputs = Count("+", (steps, 1), steps.value + 1)
        if isinstance(outputs.value, int) and outputs.value < 1:
            raise ArchitectureError(
                f"a kernel of extent {extent} is larger than its padded input of {padded}"
            )
        return outputs

    @property
    def period(self) -> int:
        """1: every next output ..."""
        return 1

    @property
    def step(self) -> int:
        """... reads ``stride`` inputs further."""
        return self.stride

    def reads(self, output: int) -> range:
        """The inputs that an output reads; some may lie in the padding."""
        first = self.stride * output - self.padding
        return range(first, first + self.dilation * (integer(self.kernel) - 1) + 1, self.dilation)


class TransposedWindow(NamedTuple):
    """Transposed convolution: input ``i`` writes outputs ``stride*i - padding + dilation*t``."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    output_padding: int = 0

    def outputs(self, size: Number) -> Count:
        """Torch's ``(size - 1)*stride + dilation*(kernel - 1) + output_padding + 1 - 2*padding``.

        Raises:
            ArchitectureError: the padding cuts everything away.
        """
        outputs = difference(
            total(
                (
                    product(difference(size, 1), self.stride),
                    product(self.dilation, difference(self.kernel, 1)),
                    count(self.output_padding),
                    count(1),
                )
            ),
            product(2, self.padding),
        )
        if isinstance(outputs.value, int) and outputs.value < 1:
            raise ArchitectureError(
                f"a padding of {self.padding} leaves nothing of a transposed convolution"
            )
        return outputs

    @property
    def period(self) -> int:
        """Outputs come in groups of ``stride`` that read alike ..."""
        return self.stride

    @property
    def step(self) -> int:
        """... one input further."""
        return 1

    def reads(self, output: int) -> list[int]:
        """The inputs that an output reads: none at all where ``kernel < stride`` leaves holes."""
        at = output + self.padding
        taps = (at - self.dilation * tap for tap in range(self.kernel))
        return [position // self.stride for position in taps if position % self.stride == 0]


class AdaptiveWindow(NamedTuple):
    """Adaptive pooling from ``size`` inputs to ``target`` outputs, torch's rule.

    Its windows can be walked once ``size`` is a number.
    """

    size: Number
    target: int

    def outputs(self, _size: Number) -> Count:
        """Whatever comes in, so many go out."""
        return count(self.target)

    @property
    def period(self) -> int:
        """The pattern repeats itself after ``target/gcd`` outputs ..."""
        return self.target // math.gcd(integer(self.size), self.target)

    @property
    def step(self) -> int:
        """... and ``size/gcd`` inputs."""
        return integer(self.size) // math.gcd(integer(self.size), self.target)

    def reads(self, output: int) -> range:
        """From ``floor(o*size/target)`` up to ``ceil((o + 1)*size/target)``, the last excluded."""
        size = integer(self.size)
        return range(output * size // self.target, -(-(output + 1) * size // self.target))


Span: TypeAlias = Window | TransposedWindow | AdaptiveWindow
