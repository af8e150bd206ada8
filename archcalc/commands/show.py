"""``archcalc show``, and ``archcalc`` in front of a network."""

from collections.abc import Sequence
from typing import Annotated, Any

from archcalc import api, options
from archcalc.console import deliver, deliverable
from archcalc.errors import ArchitectureError
from archcalc.memory import memory
from archcalc.options import flag, network_of, option, whole_number
from archcalc.render import views
from archcalc.render.table import Block
from archcalc.render.views.memory import training_memory


def _conventions() -> Sequence[str]:
    from archcalc.counters import NAMES  # noqa: PLC0415 - only a shell asks

    return NAMES


def show(
    words: options.Words,
    table: Annotated[bool, flag("--table", "The assignment's Table 1, every cell filled.")] = False,
    working: Annotated[bool, flag("--working", "Every layer's explicit calculation.")] = False,
    depth: Annotated[
        str, option("--depth", "Sum up what is nested deeper than N names; 0: nothing.")
    ] = "0",
    convention: Annotated[
        str | None,
        option("--convention", "As another tool counts; see conventions.", "NAME", _conventions),
    ] = None,
    train: Annotated[
        bool, flag("--train", "Also the memory of a training step, predicted.")
    ] = False,
    optimizer: options.Optimizer = "sgd",
    input: options.Input = None,  # noqa: A002
    at: options.At = None,
    batch: options.Batch = "1",
    dtype: options.Dtype = "fp32",
    no_bias: options.NoBias = False,
    format: options.Format = None,  # noqa: A002
    output: options.Output = None,
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
        from archcalc.counters import counter  # noqa: PLC0415 - only who asks for one needs them
        from archcalc.render.views.counted import counted, counted_data  # noqa: PLC0415 - likewise

        rule = counter(convention)
        deliver(lambda: counted(report, rule), lambda: counted_data(report, rule), format, output)
        return
    form = deliverable(format, output)
    if train and (letters := sorted(report.case.letters())):
        hint = f"give numbers, e.g. --at {letters[0]}=224"
        raise ArchitectureError("--train counts bytes, which letters have none of", hint=hint)
    training = memory(report.case, train=True, optimizer=optimizer) if train else None

    def blocks() -> Sequence[Block]:
        if table:
            page = views.table1(report)
        elif working:
            page = views.workings(report)
        elif form == "csv":
            page = views.flat(report.summed(levels))
        else:
            page = views.summary(report, levels)
        return [*page, training_memory(report.case, training, optimizer)] if training else page

    def data() -> dict[str, Any]:
        counted = report.summed(levels).to_dict(working=working)
        return {**counted, "training_memory": training._asdict()} if training else counted

    deliver(blocks, data, form, output)
