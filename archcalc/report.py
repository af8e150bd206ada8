"""Floor 6: everything about a network as plain data: rows, totals, and what was published.

The schema of :meth:`Report.to_dict` is ``archcalc/report.schema.json``; its version is
:data:`SCHEMA`, which changes when a field changes its meaning or goes away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcalc.costs import Cost, cost
from archcalc.count import ZERO, Number
from archcalc.errors import ArchitectureError, nearest, quoted
from archcalc.infer import infer
from archcalc.layers import Convolution, Linear, TransposedConvolution
from archcalc.network import INPUT
from archcalc.notation import write_word
from archcalc.receptive import PIXEL, Seen, fields
from archcalc.shape import LARGEST, Shape, parse_shape, parse_values
from archcalc.units import ALIASES, BYTES_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from archcalc.layers import Join, Layer
    from archcalc.network import Network, Published

SCHEMA: Final = "archcalc.report/1"
TOTAL: Final = "total"
WEIGHTED: Final = (Convolution, TransposedConvolution, Linear)
NOTHING: Final = Cost(ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)


class Row(NamedTuple):
    """One layer, or the input itself, for one example.

    Attributes:
        name: unique in the network.
        word: the layer in the notation; ``input``, ``concat``, ``add`` or ``mul`` without one.
        layer: the layer; None for the input.
        inputs: the shapes that reach it.
        output: the shape that leaves it.
        cost: its counts, each with its working.
        seen: its receptive field on each axis of the input.
    """

    name: str
    word: str
    layer: Layer | Join | None
    inputs: tuple[Shape, ...]
    output: Shape
    cost: Cost
    seen: Seen

    @property
    def in_place(self) -> bool:
        """Whether the row holds no units of its own."""
        return self.layer is not None and self.layer.in_place

    def counts(self) -> dict[str, Number]:
        """Every quantity by name; ``neurons`` are the units of convolutions and linear layers."""
        counts = {name: count.value for name, count in self.cost._asdict().items()}
        neurons = counts["activations"] if isinstance(self.layer, WEIGHTED) else 0
        return {**counts, "neurons": neurons}


class Comparison(NamedTuple):
    """A published figure beside ours."""

    published: Published
    ours: Number
    reproduced: bool


@dataclass(frozen=True)
class Report:
    """What :func:`report` found. Draws itself in a terminal (rich) and in a notebook (HTML).

    Attributes:
        network: the network reported on.
        input: the shape that goes in.
        rows: the input, then every layer, in order.
        totals: sums of the columns over all rows, by name.
        batch: examples at once; multiplies memory, nothing else.
        dtype: of every value, e.g. ``fp32``; decides the bytes.
        bias: whether biases were counted.
    """

    network: Network
    input: Shape
    rows: tuple[Row, ...]
    totals: dict[str, Number]
    batch: int
    dtype: str
    bias: bool

    def memory(self, units: Number) -> Number:
        """Bytes of so many values."""
        return units * BYTES_OF[self.dtype]

    def activation_memory(self, units: Number) -> Number:
        """Bytes of so many units, over the whole batch."""
        return self.memory(units * self.batch)

    def part(self, row: str) -> dict[str, Number]:
        """The counts of a row, of a scope (``3a``: the bracket and what is in it) or ``total``."""
        if row == TOTAL:
            return self.totals
        found = [r for r in self.rows if r.name == row or r.name.startswith(f"{row}/")]
        if not found:
            names = nearest(row, [r.name for r in self.rows])
            hint = f"did you mean {names[0]}?" if names else "see the rows of the report"
            raise ArchitectureError(f"no row {quoted(row)}", hint=hint)
        return _sums(found)

    def comparisons(self) -> list[Comparison]:
        """Every published figure of the network beside ours, in the source's order.

        Only for what was published: nothing on another input, or without biases.
        """
        if self.input != self.network.input or not self.bias:
            return []
        found = []
        for published in self.network.published:
            ours = self.part(published.row)[published.quantity]
            found.append(Comparison(published, ours, reproduces(ours, published)))
        return found

    def to_dict(self, *, working: bool = False) -> dict[str, Any]:
        """The report as JSON-ready data, see ``report.schema.json``; formulas become text.

        With ``working``, every row has its calculations too: ``{"weights": "(3*3*3)*64 = 1,728"}``.
        """
        return {
            "schema": SCHEMA,
            "network": self.network.name,
            "source": str(self.network.source) if self.network.source else None,
            "input": str(self.input),
            "batch": self.batch,
            "dtype": self.dtype,
            "bias": self.bias,
            "rows": [self._row(row, working=working) for row in self.rows],
            "totals": {
                **{name: _json(value) for name, value in self.totals.items()},
                "parameter_bytes": _json(self.memory(self.totals["parameters"])),
                "activation_bytes": _json(self.activation_memory(self.totals["activations"])),
            },
            "published": [
                {
                    "row": published.row,
                    "quantity": published.quantity,
                    "published": str(published),
                    "ours": _json(ours),
                    "reproduced": reproduced,
                    "reason": published.reason if not reproduced else None,
                }
                for published, ours, reproduced in self.comparisons()
            ],
            "notes": list(self.network.notes),
        }

    def _row(self, row: Row, *, working: bool) -> dict[str, Any]:
        counts = row.counts()
        workings = row.cost._asdict().items() if working else ()
        known = row.seen.fields
        field: dict[str, Any] = {
            name: [None if f is None else _json(getattr(f, name)) for f in known]
            for name in ("size", "stride", "padding", "centre")
        }
        return {
            "name": row.name,
            "layer": row.word,
            "input": " ".join(map(str, row.inputs)) or None,
            "output": str(row.output),
            **{name: _json(value) for name, value in counts.items() if name != "neurons"},
            "activation_bytes": _json(self.activation_memory(counts["activations"])),
            "receptive_field": {**field, "misaligned": row.seen.misaligned or None},
            **(
                {"working": {name: count.equation() for name, count in workings}} if working else {}
            ),
        }

    def __rich__(self) -> object:
        from archcalc.render import drawing, views  # noqa: PLC0415 - a door to the floors above

        return drawing(views.summary(self))

    def _repr_html_(self) -> str:
        from archcalc.render import fragment, views  # noqa: PLC0415 - a door to the floors above

        return fragment(views.summary(self))


def report(
    network: Network,
    input: str | Shape | None = None,  # noqa: A002 - the command line's own word
    *,
    batch: int = 1,
    dtype: str = "fp32",
    bias: bool = True,
    at: str | Mapping[str, Number] | None = None,
) -> Report:
    """Count a network.

    Args:
        network: what to count.
        input: its input for one example, ``"224x224x3"`` or ``"HxWx3"``; the network's own if None.
        batch: examples at once, for memory.
        dtype: ``fp64``, ``fp32``, ``tf32``, ``fp16``, ``bf16``, ``fp8`` or ``int8``.
        bias: False leaves out the biases of convolutions and linear layers.
        at: values for letters, ``"H=448,W=448"`` or a dict.

    Raises:
        ArchitectureError: an input that the network cannot take, an option that cannot be.
    """
    shape = _shape(network, input)
    if at is not None:
        values = parse_values(at) if isinstance(at, str) else at
        waiting = shape.letters() | network.letters()
        for name in values:
            if name not in waiting:
                known = f"the letters are {', '.join(sorted(waiting))}"
                hint = known if waiting else "write letters first, e.g. --input HxWx3"
                raise ArchitectureError(f"{name} is no letter here", hint=hint)
        shape, network = shape.substitute(values), network.substitute(values)
    dtype = ALIASES.get(dtype.lower(), dtype.lower())
    if dtype not in BYTES_OF:
        known = ", ".join(BYTES_OF)
        raise ArchitectureError(f"{quoted(dtype)} is no dtype", hint=f"one of {known}")
    if not 1 <= batch <= LARGEST:
        raise ArchitectureError(f"a batch is between 1 and {LARGEST:,} examples, not {batch}")
    if not bias:
        network = network.without_biases()
    steps = infer(network, shape)
    seen = fields(steps, shape)
    start = Cost(ZERO, ZERO, ZERO, ZERO, ZERO, shape.units)
    rows = [Row(INPUT, INPUT, None, (), shape, start, Seen((PIXEL,) * len(shape.sizes)))]
    for step, field in zip(steps, seen, strict=True):
        layer = step.node.layer
        rows.append(
            Row(
                step.node.name,
                write_word(layer),
                layer,
                step.inputs,
                step.output,
                cost(step),
                field,
            )
        )
    return Report(network, shape, tuple(rows), _sums(rows), batch, dtype, bias)


def reproduces(ours: Number, published: Published) -> bool:
    """Whether ours is within one unit of the last digit that the source means.

    Papers round as well as truncate, so that one unit either way is all that a printed digit says.
    """
    if not isinstance(ours, int):
        return False
    whole, _, decimals = published.printed.replace(",", "").partition(".")
    scale = 10 ** len(decimals)
    printed = int(whole + decimals)
    zeros: int = len(str(printed)) - published.significant if published.significant else 0
    step: int = published.unit * 10**zeros
    distance: int = abs(ours * scale - printed * published.unit)
    return distance <= step


def _shape(network: Network, text: str | Shape | None) -> Shape:
    shape = parse_shape(text) if isinstance(text, str) else text or network.input
    if shape is None:
        raise ArchitectureError(
            "this network does not say what goes in", hint="add e.g. --input 224x224x3"
        )
    made_for = network.input
    if made_for is not None and len(made_for.sizes) != len(shape.sizes):
        words = {0: "UNITS", 1: "LENGTHxCHANNELS", 2: "HEIGHTxWIDTHxCHANNELS"}
        form = words.get(len(made_for.sizes), "DEPTHxHEIGHTxWIDTHxCHANNELS")
        raise ArchitectureError(
            f"{network.name or 'this network'} takes {form}, not {shape}", hint=f"e.g. {made_for}"
        )
    return shape


def _sums(rows: Iterable[Row]) -> dict[str, Number]:
    sums: dict[str, Number] = dict.fromkeys((*NOTHING._fields, "neurons"), 0)
    for row in rows:
        for name, value in row.counts().items():
            if value != 0:
                sums[name] = sums[name] + value
    return sums


def _json(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return str(value)
