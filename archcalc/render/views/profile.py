"""Time and memory of every layer, measured beside the roofline's bound and the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from archcalc.errors import ArchitectureError
from archcalc.notation import write
from archcalc.render.table import EMPTY, Block, Cell, Column, Table, text
from archcalc.render.views.common import size_in_bytes
from archcalc.render.views.memory import PARTS
from archcalc.timings import COMPUTE, LAUNCH, MEASURED, MEMORY, Pass, Profile, Spread
from archcalc.units import in_bytes, rounded

LIMITS: Final = (COMPUTE, MEMORY, LAUNCH)


def profiled(profile: Profile) -> list[Block]:
    """The step as a whole, every layer, and the memory."""
    return [_whole(profile), _layers(profile), *_memory(profile)]


def heading(profile: Profile) -> str:
    """``vgg19, input 224x224x3, batch 8, fp32, training with sgd``."""
    case, name = profile.case, profile.case.network.name or "network"
    what = f"training with {profile.optimizer}" if profile.train else "forward pass"
    return f"{name}, input {case.sizes}, batch {case.batch}, {case.dtype}, {what}"


def milliseconds(seconds: float) -> str:
    """Three significant digits: ``0.0123``, ``4.56``, ``789``."""
    value = 1e3 * seconds
    decimals = 1 if value >= 100 else 2 if value >= 10 else 3  # noqa: PLR2004 - digits
    return f"{value:,.{decimals}f}"


def _whole(profile: Profile) -> Table:
    step, every = profile.step.median, list(profile.passes())
    layers = sum(one.time.median for one in every)
    ceilings = profile.ceilings
    rows = [
        ("time of a step, ms", _spread(profile.step)),
        ("examples a second", f"{profile.case.batch / step:,.1f}"),
        ("FLOPs of a step", rounded(profile.flops, 4, " ")),
        ("FLOP/s achieved", _rate(profile.flops / step)),
        ("FLOP/s at most", f"{_rate(ceilings.peak)} ({ceilings.source})"),
        ("bytes/s at most", f"{_rate(ceilings.bandwidth)} ({ceilings.source})"),
        ("an operation at least, ms", f"{1e3 * ceilings.launch:.4f} (measured here)"),
        (
            "bound of all layers, ms",
            f"{milliseconds(profile.bound)}, {_share(profile.bound, step)}",
        ),
        ("layers one by one, ms", milliseconds(layers)),
    ]
    if profile.update is not None:
        rows.append(("of it the optimizer, ms", _spread(profile.update)))
    for limit in LIMITS:
        spent = sum(one.time.median for one in every if one.limit == limit)
        rows.append((f"time in {limit}-bound layers", _share(spent, layers)))
    columns = (Column("what"), Column("value", right=True))
    cells = tuple((text(what), text(value)) for what, value in rows)
    note = (
        f"On {profile.device}, torch {profile.release}: medians of {passes(profile)}, "
        "quartiles in brackets."
    )
    return Table(heading(profile), columns, cells, (), (note, f"Made by: {_command(profile)}"))


def passes(profile: Profile) -> str:
    """``10 passes``."""
    return f"{profile.repeats} pass{'es' * (profile.repeats > 1)}"


def _command(profile: Profile) -> str:
    """What was typed, or could have been."""
    case, network = profile.case, profile.case.network
    try:
        name = network.name or f'"{write(network)}"'
    except ArchitectureError:  # made in Python, of what no text can say
        return "archcalc.profile"
    words = ["archcalc profile", name]
    words += ["--train", "--optimizer", profile.optimizer] if profile.train else []
    if network.input != case.input:
        words += ["--input", str(case.input)]
    words += ["--device", profile.kind, "--dtype", case.dtype]
    if profile.kind == "cuda" and profile.ceilings.source == MEASURED:
        words.append("--calibrate")
    return " ".join([*words, "--batch", str(case.batch), "--repeats", str(profile.repeats)])


def _layers(profile: Profile) -> Table:
    total = sum(one.time.median for one in profile.passes())
    ways = ("forward", "backward") if profile.train else ("forward",)
    wide = [Column("name"), Column("layer")]
    narrow = [Column("name")]
    for way in ways:
        wide += [Column(f"{way} ms", right=True), Column("quartiles", right=True)]
        wide += [Column(h, right=True) for h in ("%", "FLOP/s", "B/s", "bound ms", "of bound")]
        wide.append(Column("limit"))
        narrow += [Column(f"{way} ms", right=True), Column("of bound", right=True), Column("limit")]
    rows, short = [], []
    for row in profile.rows:
        passes = [row.forward, row.backward] if profile.train else [row.forward]
        rows.append((text(row.name), text(row.word), *(c for p in passes for c in _wide(p, total))))
        short.append((text(row.name), *(cell for p in passes for cell in _narrow(p))))
    title = "Every layer"
    notes = (
        "%: of the time of all layers. Of bound: the least time that the device allows, as a part "
        "of the time taken; above 100 % where values were still in a cache. Limit: which ceiling "
        "gives the bound.",
    )
    slim = Table(title, tuple(narrow), tuple(short), (), notes)
    return Table(title, tuple(wide), tuple(rows), (), notes, slim)


def _wide(one: Pass | None, total: float) -> Sequence[Cell]:
    if one is None or not one.limit or not one.time.median:
        return (EMPTY,) * 8
    seconds = one.time.median
    return (
        text(milliseconds(seconds)),
        text(f"{milliseconds(one.time.low)}..{milliseconds(one.time.high)}"),
        text(f"{100 * seconds / total:.1f}"),
        text(_rate(one.work.flops / seconds)) if one.work.flops else EMPTY,
        text(_rate(one.work.bytes / seconds)),
        text(milliseconds(one.bound)),
        text(_share(one.bound, seconds)),
        text(one.limit),
    )


def _narrow(one: Pass | None) -> Sequence[Cell]:
    if one is None or not one.limit or not one.time.median:
        return (EMPTY,) * 3
    seconds = one.time.median
    return text(milliseconds(seconds)), text(_share(one.bound, seconds)), text(one.limit)


def _memory(profile: Profile) -> list[Block]:
    ours, theirs = profile.predicted, profile.measured
    parts = [(label, getattr(ours, part), getattr(theirs, part)) for part, label in PARTS.items()]
    columns = (
        Column("memory"),
        Column("predicted", right=True),
        Column("measured", right=True),
        Column("difference", right=True),
    )
    rows = tuple(
        (text(label), *_beside(predicted, measured))
        for label, predicted, measured in parts
        if predicted or measured
    )
    how = (
        "by torch's allocator, so with the workspace of kernels, which is not predicted"
        if profile.kind == "cuda"
        else "with tensors that hold no values, as they come and go; what kernels use is not seen"
    )
    notes = (f"The most at one time is measured {how}.",)
    blocks: list[Block] = [Table("Memory, predicted and measured", columns, rows, (), notes)]
    if profile.train:
        kept = tuple(
            (text(name), *_beside(size, theirs.saved.get(name, 0)))
            for name, size in ours.saved.items()
            if size or theirs.saved.get(name, 0)
        )
        head = (Column("layer"), *columns[1:])
        footer = (text("total"), *_beside(ours.activations, theirs.activations))
        why = "What two layers keep is counted at the first."
        blocks.append(Table("Kept for the backward pass", head, kept, (footer,), (why,)))
    return blocks


def _beside(ours: int, theirs: int) -> Sequence[Cell]:
    difference = Cell(_signed(theirs - ours), "", theirs - ours)
    return size_in_bytes(ours), size_in_bytes(theirs), difference


def _signed(size: int) -> str:
    return ("+" if size > 0 else "") + in_bytes(size) if size else "0"


def _spread(spread: Spread) -> str:
    low, high = milliseconds(spread.low), milliseconds(spread.high)
    return f"{milliseconds(spread.median)} [{low}, {high}]"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _rate(rate: float) -> str:
    return rounded(round(rate), 3, " ")
