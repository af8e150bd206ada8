"""Floor 6: everything about a network as plain data: rows, totals, and what was published.

The schema of :meth:`Report.to_dict` is ``archcalc/report.schema.json``; its version is
:data:`SCHEMA`, which changes when a field changes its meaning or goes away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final, NamedTuple

from archcalc.case import Case, Step
from archcalc.costs import Cost, cost
from archcalc.count import ZERO, Count, Number, add_up, total
from archcalc.errors import ArchitectureError, nearest, quoted
from archcalc.layers.base import Layer
from archcalc.network import Network, Published, path
from archcalc.notation import write_word
from archcalc.receptive import PIXEL, Seen, fields
from archcalc.results import Result
from archcalc.shape import Shape
from archcalc.units import BYTES_OF

SCHEMA: Final = "archcalc.report/1"
TOTAL: Final = "total"
WAYS: Final = ("size", "stride", "padding", "centre")  # what is known of a receptive field


class Row(NamedTuple):
    """One layer, or an input itself, for one example.

    Attributes:
        name: unique in the network.
        word: the layer in the notation; ``input``, ``concat``, ``add`` or ``mul`` without one;
            ``...`` of many layers.
        step: the layer at work; None for an input, and for many layers in one row.
        inputs: the shapes that reach it.
        outputs: the shapes that leave it.
        cost: its counts, each with its working.
        fields: its receptive field in every input that it sees, by the input's name.
    """

    name: str
    word: str
    step: Step | None
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    cost: Cost
    fields: Mapping[str, Seen]

    @property
    def layer(self) -> Layer | None:
        """The layer; None for an input."""
        return None if self.step is None else self.step.layer

    @property
    def output(self) -> Shape:
        """The shape of its first output."""
        return self.outputs[0]

    @property
    def in_place(self) -> bool:
        """Whether the row holds no units of its own."""
        return self.step is not None and self.step.layer.in_place

    @property
    def path(self) -> tuple[str, ...]:
        """The names of the brackets in which it stands, the outermost first, and its own."""
        return path(self.name)

    @property
    def seen(self) -> Seen:
        """Its receptive field in the first input that it sees."""
        return next(iter(self.fields.values()), Seen(()))

    def counts(self) -> dict[str, Number]:
        """Every quantity by name."""
        return {quantity.name: quantity.of(self.cost).value for quantity in QUANTITIES}


class Quantity(NamedTuple):
    """What a report says about every row and in total: the columns of all tables and data."""

    name: str  # in data and in the library
    heading: str  # of its column
    short: str  # of its column where there is little room
    of: Callable[[Cost], Count]  # the quantity of a row, with its working
    in_rows: bool = True  # whether data have it for every row, or in total alone
    published: str = ""  # what the papers call it


QUANTITIES: Final = (
    Quantity("weights", "weights", "weights", lambda cost: cost.weights),
    Quantity("biases", "biases", "biases", lambda cost: cost.biases),
    Quantity("parameters", "parameters", "param.", lambda cost: cost.parameters),
    Quantity("macs", "MACs", "MACs", lambda cost: cost.macs, published="operations"),
    Quantity("flops", "FLOPs", "FLOPs", lambda cost: cost.flops),
    Quantity("activations", "activations", "activ.", lambda cost: cost.activations),
    # The units of convolutions and linear layers, which are those with MACs.
    Quantity(
        "neurons",
        "neurons",
        "neurons",
        lambda cost: cost.activations if cost.macs.value != 0 else ZERO,
        in_rows=False,
    ),
)
QUANTITY: Final = {quantity.name: quantity for quantity in QUANTITIES}


class Comparison(NamedTuple):
    """A published figure beside ours."""

    published: Published
    ours: Number
    reproduced: bool


@dataclass(frozen=True)
class Report(Result):
    """What :func:`report_on` says of a case.

    Attributes:
        case: the network on its input.
        rows: the inputs, then every layer, in order.
        totals: sums of the columns over all rows, by name.
        compared: the report whose rows are compared with what was published, if not this one.
    """

    case: Case
    rows: tuple[Row, ...]
    totals: dict[str, Number]
    compared: Report | None = field(default=None, compare=False)

    @property
    def network(self) -> Network:
        """The network reported on."""
        return self.case.network

    @property
    def input(self) -> Shape:
        """The shape that goes in."""
        return self.case.input

    @property
    def batch(self) -> int:
        """Examples at once; multiplies memory, nothing else."""
        return self.case.batch

    @property
    def dtype(self) -> str:
        """Of every value, e.g. ``fp32``; decides the bytes."""
        return self.case.dtype

    @property
    def bias(self) -> bool:
        """Whether biases were counted."""
        return self.case.bias

    @property
    def layers(self) -> int:
        """Convolutions and linear layers: those that have MACs."""
        return sum(row.cost.macs.value != 0 for row in self.rows)

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
        rows = [r for r in self.rows if r.name == row or r.name.startswith(f"{row}/")]
        if not rows:
            names = nearest(row, [r.name for r in self.rows])
            hint = f"did you mean {names[0]}?" if names else "see the rows of the report"
            raise ArchitectureError(f"no row {quoted(row)}", hint=hint)
        return _sums(rows)

    def summed(self, depth: int) -> Report:
        """With one row for everything that is nested deeper than so many names; 0 sums nothing up.

        What was published is compared with the report itself, whose rows may be gone.
        """
        if not depth:
            return self
        rows: list[Row] = []
        for name, inside in groupby(self.rows, lambda row: "/".join(row.path[:depth])):
            parts = {row.name: row for row in inside}
            *_, last = parts.values()
            if [*parts] == [name]:
                rows.append(last)
                continue
            steps = [row.step for row in parts.values() if row.step is not None]
            entering = {value: None for step in steps for value in step.inputs}  # each once
            inputs = tuple(value.shape for value in entering if value.name not in parts)
            costs = zip(*(row.cost for row in parts.values()), strict=True)
            cost = Cost(*(total(counts) for counts in costs))
            rows.append(Row(name, "...", None, inputs, last.outputs, cost, last.fields))
        return replace(self, rows=tuple(rows), compared=self.compared or self)

    def comparisons(self) -> list[Comparison]:
        """Every published figure of the network beside ours, in the source's order.

        Only for what was published: nothing on another input, or without biases.
        """
        if self.input != self.network.input or not self.bias:
            return []
        return [
            Comparison(figure, ours, reproduces(ours, figure))
            for figure in self.network.published
            for ours in ((self.compared or self).part(figure.row)[figure.quantity],)
        ]

    def to_dict(self, *, working: bool = False) -> dict[str, Any]:
        """The report as JSON-ready data, see ``report.schema.json``; formulas become text.

        With ``working``, every row has its calculations too: ``{"weights": "(3*3*3)*64 = 1,728"}``.
        """
        return {
            "schema": SCHEMA,
            "network": self.network.name,
            "source": str(self.network.source) if self.network.source else None,
            "input": self.case.sizes,
            "batch": self.batch,
            "dtype": self.dtype,
            "bias": self.bias,
            "rows": [self._row(row, working=working) for row in self.rows],
            "totals": {
                **{name: plain(value) for name, value in self.totals.items()},
                "parameter_bytes": plain(self.memory(self.totals["parameters"])),
                "activation_bytes": plain(self.activation_memory(self.totals["activations"])),
            },
            "published": [
                {
                    "row": published.row,
                    "quantity": published.quantity,
                    "published": str(published),
                    "ours": plain(ours),
                    "reproduced": reproduced,
                    "reason": published.reason if not reproduced else None,
                }
                for published, ours, reproduced in self.comparisons()
            ],
            "notes": list(self.network.notes),
        }

    def _row(self, row: Row, *, working: bool) -> dict[str, Any]:
        shown = [quantity for quantity in QUANTITIES if quantity.in_rows]
        data: dict[str, Any] = {
            "name": row.name,
            "layer": row.word,
            "input": " ".join(map(str, row.inputs)) or None,
            "output": " ".join(map(str, row.outputs)),
            **{quantity.name: plain(quantity.of(row.cost).value) for quantity in shown},
            "activation_bytes": plain(self.activation_memory(row.cost.activations.value)),
            "receptive_field": _field(row.seen),
        }
        if len(self.case.inputs) > 1:
            data["receptive_field"] = {name: _field(seen) for name, seen in row.fields.items()}
        if working:
            data["working"] = {
                quantity.name: quantity.of(row.cost).equation() for quantity in shown
            }
        return data


def report_on(case: Case) -> Report:
    """Count a case."""
    rows = [
        Row(
            value.name,
            "input",
            None,
            (),
            (value.shape,),
            Cost(ZERO, ZERO, ZERO, ZERO, ZERO, value.shape.units),
            {value.name: Seen((PIXEL,) * len(value.shape.sizes))},
        )
        for value in case.inputs
    ]
    for step, seen, node in zip(case.steps, fields(case), case.network.nodes, strict=True):
        word = f"={node.shares}" if node.shares else write_word(step.layer)
        shapes = tuple(value.shape for value in step.outputs)
        rows.append(Row(step.name, word, step, step.shapes, shapes, cost(step), seen))
    return Report(case, tuple(rows), _sums(rows))


def reproduces(ours: Number, published: Published) -> bool:
    """Whether ours is within one unit of the last digit that the source means.

    Papers round as well as truncate, so that one unit either way is all that a printed digit says.
    """
    if not isinstance(ours, int):
        return False
    units, _, decimals = published.printed.replace(",", "").partition(".")
    scale = 10 ** len(decimals)
    printed = int(units + decimals)
    zeros: int = len(str(printed)) - published.significant if published.significant else 0
    step: int = published.unit * 10**zeros
    distance: int = abs(ours * scale - printed * published.unit)
    return distance <= step


def plain(value: object) -> object:
    """A value as JSON has it: whole floats as integers, formulas and fractions as text."""
    if value is None or isinstance(value, bool | int | float | str):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return str(value)


def _field(seen: Seen) -> dict[str, Any]:
    axes: dict[str, Any] = {
        name: [None if field is None else plain(getattr(field, name)) for field in seen.fields]
        for name in WAYS
    }
    return {**axes, "misaligned": seen.misaligned or None}


def _sums(rows: Iterable[Row]) -> dict[str, Number]:
    counts = [row.counts() for row in rows]
    return {name: add_up(count[name] for count in counts) for name in QUANTITY}
