"""Floor 5: receptive fields, exactly, on any graph and for each axis.

For windows that slide, the recurrences of Araujo, Norris, Sim, "Computing Receptive Fields of
Convolutional Neural Networks" (Distill 2019, eqs. 1-4), walked from input to output: size ``r``,
stride ``j`` and padding ``P`` start at 1, 1, 0, and through a window of kernel ``k``, stride ``s``,
dilation ``d`` and padding ``p``::

    r += d*(k - 1)*j        P += p*j        j *= s

Transposed convolutions and adaptive pools read differently from one output to the next, though in
a pattern that repeats itself; there the field is kept for each place in the pattern. Kernels and
sizes may be letters as long as windows slide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Final, NamedTuple

from archcalc.case import Case, Step
from archcalc.count import (
    Count,
    Formula,
    Number,
    count,
    difference,
    integer,
    letter,
    letters,
    product,
    total,
)
from archcalc.layers.window import AdaptiveWindow, Span, Window
from archcalc.shape import Shape

LONGEST: Final = 10_000  # outputs in a pattern; a longer one is given up


class Field(NamedTuple):
    """What the outputs along one axis see of the network's input.

    ``spans`` has the first and the last input that outputs 0, 1, ... see, as far as the pattern
    goes (``None`` where an output sees nothing); ``len(spans)`` outputs further on, the same
    pattern lies ``shift`` inputs further. Sliding windows have a pattern of one.
    """

    spans: tuple[tuple[Number, Number] | None, ...] = ((0, 0),)
    shift: Number = 1

    @property
    def size(self) -> Number:
        """``r``: inputs from the first to the last one seen; the most where outputs differ."""
        sizes = [last - first + 1 for first, last in filter(None, self.spans)]
        return sizes[0] if len(sizes) == 1 else max(map(integer, sizes), default=0)

    @property
    def stride(self) -> Number | Fraction:
        """``j``: how far the field moves an output; a fraction after upsampling."""
        if len(self.spans) == 1:
            return self.shift
        stride = Fraction(integer(self.shift), len(self.spans))
        return int(stride) if stride.denominator == 1 else stride

    @property
    def padding(self) -> Number:
        """``P``: how far the first output's field reaches out of the input."""
        return 0 - self.spans[0][0] if self.spans[0] else 0

    @property
    def centre(self) -> float | None:
        """The middle of the first output's field; the first input is 0. None for letters.

        In a pattern it is the mean over its outputs, each moved back to the first one's place.
        """
        if not any(self.spans) or self.letters():
            return None
        # Twice the middle, times the pattern's length, so as to stay whole until the end.
        length = len(self.spans)
        doubled = [
            (integer(span[0]) + integer(span[1])) * length - 2 * turn * integer(self.shift)
            for turn, span in enumerate(self.spans)
            if span is not None
        ]
        return sum(doubled) / (2 * length * len(doubled))

    def grown(self, window: Window) -> Count:
        """The size behind a sliding window, ``r + d*(k - 1)*j``, with its working."""
        dilation = [window.dilation] if window.dilation != 1 else []
        taps = difference(window.kernel, 1)
        return total((count(self.size), product(*dilation, taps, self.shift)))

    def through(self, window: Span) -> Field | None:
        """The field behind a further window; None where a letter or an endless pattern hides it."""
        if len(self.spans) == 1 and isinstance(window, Window) and self.spans[0] is not None:
            first = self.spans[0][0] - window.padding * self.shift
            last = first + self.grown(window).value - 1
            return Field(((first, last),), self.shift * window.stride)
        length = window.size if isinstance(window, AdaptiveWindow) else window.kernel
        if self.letters() or letters(length):
            return None
        # The joint pattern: so many outputs that whole patterns of inputs have gone by.
        rounds = len(self.spans) // math.gcd(len(self.spans), window.step)
        if window.period * rounds > LONGEST:
            return None
        shift = self.shift * window.step * rounds // len(self.spans)
        spans = (self._hull(window.reads(out)) for out in range(window.period * rounds))
        return Field(tuple(spans), shift)

    def union(self, other: Field) -> Field | None:
        """What two branches see together; None where they do not move alike."""
        if self.shift == 0 or self == other:  # all of the input, whatever the other adds
            return self
        if other.shift == 0:
            return other
        if self.letters() or other.letters() or self.stride != other.stride:
            return None
        length = math.lcm(len(self.spans), len(other.spans))
        if length > LONGEST:
            return None
        spans = (_hull((self.at(out), other.at(out))) for out in range(length))
        return Field(tuple(spans), self.shift * length // len(self.spans))

    def letters(self) -> bool:
        """Whether a letter stands in it, so that it cannot be compared or walked."""
        ends = (end for span in filter(None, self.spans) for end in span)
        return any(isinstance(number, Formula) for number in (self.shift, *ends))

    def at(self, out: int) -> tuple[int, int] | None:
        """The first and the last input that output ``out`` sees."""
        turn, place = divmod(out, len(self.spans))
        if (span := self.spans[place]) is None:
            return None
        moved = turn * integer(self.shift)
        return integer(span[0]) + moved, integer(span[1]) + moved

    def _hull(self, outs: Sequence[int]) -> tuple[int, int] | None:
        """The first and the last input that any of these outputs sees, which are in order."""
        # One whole pattern from either end reaches furthest out; between them nothing can.
        length = len(self.spans)
        return _hull(map(self.at, (*outs[:length], *outs[-length:])))


PIXEL: Final = Field()


class Seen(NamedTuple):
    """The receptive field of a step: one an axis of the input, None where there is no one size."""

    fields: tuple[Field | None, ...]
    misaligned: str = ""  # which branches do not line up, and how


def fields(case: Case) -> list[dict[str, Seen]]:
    """The receptive field of every step in every input that it sees, by the input's name.

    At a join it is the union of the branches' fields. Branches whose strides differ have no common
    field: it is None from there on. Branches whose centres differ do, but both are named.
    """
    result: list[dict[str, Seen]] = [{} for _ in case.steps]
    for source in case.inputs:
        seen = {source.name: Seen((PIXEL,) * len(source.shape.sizes))}
        for step, by_input in zip(case.steps, result, strict=True):
            before = {v.name: seen[v.name] for v in step.inputs if v.name in seen}
            if before:
                here = _step(step, before, source.shape)
                seen |= {value.name: here for value in step.outputs}
                by_input[source.name] = here
    return result


def _step(step: Step, before: dict[str, Seen], source: Shape) -> Seen:
    """What a step sees, given what its inputs see."""
    windows = step.layer.windows(*step.shapes)
    if len(step.inputs) == 1:
        ((_, seen),) = before.items()
        return Seen(_through(seen.fields, windows))
    branches = []
    shapes = {value.name: value.shape for value in step.inputs}
    for name, seen in before.items():
        reach = seen.fields
        if shapes[name].sizes != step.output.sizes:  # one position, stretched over all
            reach = tuple(map(_everywhere, reach, source.sizes))
            if None in reach:
                why = f"{name} gives every position the same"
                return Seen((None,) * len(source.sizes), why)
        branches.append((name, _through(reach, windows)))
    return _joined(branches)


def _everywhere(field: Field | None, length: Number) -> Field | None:
    """What all positions see that are given the one of a field: the whole axis, or no one field."""
    if field is None or field.spans[0] is None:
        return None
    first, last = field.spans[0]
    spare = last - (length - 1)
    sees_all = isinstance(first, int) and isinstance(spare, int) and first <= 0 <= spare
    return Field(((0, length - 1),), 0) if sees_all else None


class Induction(NamedTuple):
    """That N stacked FxF convolutions of stride 1 see what one of ``closed`` x ``closed`` sees."""

    start: Number  # what one layer sees, found by walking through it: F
    growth: Number  # what a second and a third layer add, found alike: F - 1
    closed: Count  # the closed form, N*F - N + 1
    step: Count  # what one layer more than N sees, walked from a field of the closed form's size
    claim: Number  # the closed form for N + 1 layers
    single: Number  # what one convolution with a kernel of the closed form's size sees


def stacking() -> Induction:
    """Carry the induction out, with letters for N and F, through :meth:`Field.through` itself.

    Raises:
        AssertionError: a step that does not hold.
    """
    layers, kernel = letter("N"), letter("F")
    window = Window(kernel)
    walked = [PIXEL]
    for _ in range(3):
        walked += filter(None, [walked[-1].through(window)])
    pixel, first, second, third = (field.size for field in walked)
    growth = second - first
    closed = total((difference(product(layers, kernel), layers), count(1)))
    general = Field(((0, closed.value - 1),))  # N layers, by assumption; their stride is still 1
    step = general.grown(window)
    claim = closed.substitute({"N": layers + 1}).value
    single = PIXEL.grown(Window(closed.value)).value
    holds = (
        third - second == growth == first - pixel
        and closed.substitute({"N": 1}).value == first
        and step.value == claim
        and single == closed.value
    )
    if not holds:
        raise AssertionError("the induction over stacked convolutions does not hold")
    return Induction(first, growth, closed, step, claim, single)


def _through(
    before: tuple[Field | None, ...], windows: tuple[Span, ...]
) -> tuple[Field | None, ...]:
    if not windows:
        return before
    after: list[Field | None] = []
    for axis, (field, window) in enumerate(zip(before, windows, strict=True)):
        alike = axis and field == before[0] and window == windows[0]  # as in square networks
        after.append(after[0] if alike else field and field.through(window))
    return tuple(after)


def _joined(branches: list[tuple[str, tuple[Field | None, ...]]]) -> Seen:
    after: list[Field | None] = []
    complaints: list[str] = []
    for axis in zip(*(fields for _, fields in branches), strict=True):
        after.append(reduce(lambda union, field: union and field and union.union(field), axis))
        if None in axis:
            continue
        known = [
            (name, f) for (name, _), f in zip(branches, axis, strict=True) if f and f.shift != 0
        ]
        strides = {name: str(field.stride) for name, field in known}
        centres = {name: f"{f.centre:g}" for name, f in known if f.centre is not None}
        for measure, values in (("stride", strides), ("centre", centres)):
            if len(set(values.values())) > 1:
                places = ", ".join(f"{value} in {name}" for name, value in values.items())
                complaints.append(f"{measure} {places}")
                break
    return Seen(tuple(after), "; ".join(dict.fromkeys(complaints)))


def _hull(spans: Iterable[tuple[int, int] | None]) -> tuple[int, int] | None:
    known = [*filter(None, spans)]
    return (min(first for first, _ in known), max(last for _, last in known)) if known else None
