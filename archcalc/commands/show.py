"""``archcalc show``, and ``archcalc`` in front of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from archcalc import api
from archcalc.console import deliver, deliverable
from archcalc.errors import ArchitectureError
from archcalc.options import (
    At,
    Batch,
    Dtype,
    Format,
    Input,
    NoBias,
    Optimizer,
    Output,
    Words,
    network_of,
    option,
    whole_number,
)
from archcalc.render import views
from archcalc.render.views.memory import training_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.case import Case
    from archcalc.memory import Memory
    from archcalc.render.table import Block
    from archcalc.reports import Report


def _conventions() -> list[str]:
    from archcalc.counters import NAMES  # noqa: PLC0415 - only a shell asks

    return [*NAMES]


def show(
    words: Words,
    table: Annotated[
        bool, typer.Option("--table", help="The assignment's Table 1, every cell filled.")
    ] = False,
    working: Annotated[
        bool, typer.Option("--working", help="Every layer's explicit calculation.")
    ] = False,
    depth: Annotated[
        str, option("--depth", "Sum up what is nested deeper than N names; 0: nothing.")
    ] = "0",
    convention: Annotated[
        str | None,
        typer.Option(
            "--convention",
            metavar="NAME",
            help="As another tool counts; see conventions.",
            autocompletion=_conventions,
        ),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Also the memory of a training step, predicted.")
    ] = False,
    optimizer: Optimizer = "sgd",
    input: Input = None,  # noqa: A002
    at: At = None,
    batch: Batch = "1",
    dtype: Dtype = "fp32",
    no_bias: NoBias = False,
    format: Format = None,  # noqa: A002
    output: Output = None,
) -> None:
    """The cost of a network, layer by layer (the default command)."""
    pages = {"--table": table, "--working": working, "--convention": convention is not None}
    chosen = [name for name, asked in pages.items() if asked]
    if len(chosen) > 1:
        fact = f"{' and '.join(chosen)} are different pages"
        raise ArchitectureError(fact, hint="choose one")
    levels = whole_number(depth, "--depth", 0)
    if levels and chosen:
        raise ArchitectureError("--depth sums up the summary only", hint="leave one of them out")
    examples = whole_number(batch, "--batch")
    network = network_of(words)
    report = api.report(network, input, batch=examples, dtype=dtype, bias=not no_bias, at=at)
    if convention is not None:
        _counted(report, convention, format, output)
        return
    form = deliverable(format, output)
    held = _training(report.case, optimizer) if train else None

    def blocks() -> Sequence[Block]:
        if table:
            page = views.table1(report)
        elif working:
            page = views.workings(report)
        elif form == "csv":
            page = views.flat(report.summed(levels))
        else:
            page = views.summary(report, levels)
        return page if held is None else [*page, training_memory(report.case, held, optimizer)]

    def data() -> dict[str, Any]:
        counted = report.summed(levels).to_dict(working=working)
        return counted if held is None else {**counted, "training_memory": held._asdict()}

    deliver(blocks, data, form, output)


def _training(case: Case, optimizer: str) -> Memory:
    """The memory of a training step of a case.

    Raises:
        ArchitectureError: letters, for which there is no number of bytes yet.
    """
    from archcalc.memory import memory  # noqa: PLC0415 - only who asks needs it

    if waiting := sorted(case.letters()):
        hint = f"give numbers, e.g. --at {waiting[0]}=224"
        raise ArchitectureError("--train counts bytes, which letters have none of", hint=hint)
    return memory(case, train=True, optimizer=optimizer)


def _counted(report: Report, name: str, form: str | None, output: str | None) -> None:
    """A network as another tool counts it."""
    from archcalc.counters import counter  # noqa: PLC0415 - only who asks for one needs them
    from archcalc.render.views.counted import counted, counted_data  # noqa: PLC0415 - likewise

    rule = counter(name)
    deliver(lambda: counted(report, rule), lambda: counted_data(report, rule), form, output)
