"""Time and memory of every layer, measured beside the roofline's bound and the prediction."""

from collections.abc import Iterable, Sequence

from archcalc.errors import ArchitectureError
from archcalc.notation import write
from archcalc.render.table import EMPTY, Block, Cell, Table, left, right, text, texts
from archcalc.render.views.common import called, size_in_bytes
from archcalc.render.views.memory import PARTS
from archcalc.timings import COMPUTE, LAUNCH, MEASURED, MEMORY, Pass, Profile, Spread
from archcalc.units import in_bytes, rounded


def profiled(profile: Profile) -> list[Block]:
    """The step as a whole, every layer, and the memory."""
    return [_step(profile), _layers(profile), *_memory(profile)]


def heading(profile: Profile) -> str:
    """``vgg19, input 224x224x3, batch 8, fp32, training with sgd``."""
    case = profile.case
    what = f"training with {profile.optimizer}" if profile.train else "forward pass"
    return f"{called(case)}, batch {case.batch}, {case.dtype}, {what}"


def milliseconds(seconds: float) -> str:
    """Three significant digits: ``0.0123``, ``4.56``, ``789``."""
    value = 1e3 * seconds
    decimals = 1 if value >= 100 else 2 if value >= 10 else 3  # noqa: PLR2004 - digits
    return f"{value:,.{decimals}f}"


def _step(profile: Profile) -> Table:
    step, ceilings, bound = profile.step.median, profile.ceilings, profile.bound
    layers = _seconds(profile)
    rows = [
        ("time of a step, ms", _spread(profile.step)),
        ("examples a second", f"{profile.case.batch / step:,.1f}"),
        ("FLOPs of a step", rounded(profile.flops, 4, " ")),
        ("FLOP/s achieved", _rate(profile.flops / step)),
        ("FLOP/s at most", f"{_rate(ceilings.peak)} ({ceilings.source})"),
        ("bytes/s at most", f"{_rate(ceilings.bandwidth)} ({ceilings.source})"),
        ("an operation at least, ms", f"{1e3 * ceilings.launch:.4f} (measured here)"),
        ("bound of all layers, ms", f"{milliseconds(bound)}, {_share(bound, step)}"),
        ("layers one by one, ms", milliseconds(layers)),
    ]
    if profile.update is not None:
        rows.append(("of it the optimizer, ms", _spread(profile.update)))
    rows += [
        (f"time in {limit}-bound layers", _share(_seconds(profile, limit), layers))
        for limit in (COMPUTE, MEMORY, LAUNCH)
    ]
    columns = (*left("what"), *right("value"))
    cells = tuple(texts(*row) for row in rows)
    note = (
        f"On {profile.device}, torch {profile.release}: medians of {passes(profile)}, "
        "quartiles in brackets."
    )
    return Table(heading(profile), columns, cells, (), (note, f"Made by: {_command(profile)}"))


def _seconds(profile: Profile, *limits: str) -> float:
    """Of all passes of layers, or of those with such limits alone."""
    return sum(p.time.median for p in profile.passes() if not limits or p.limit in limits)


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
    total = _seconds(profile)
    ways = ("forward", "backward") if profile.train else ("forward",)
    wide, narrow = [*left("name", "layer")], [*left("name")]
    numbers = ("quartiles", "%", "FLOP/s", "B/s", "bound ms", "of bound")
    for way in ways:
        wide += (*right(f"{way} ms", *numbers), *left("limit"))
        narrow += (*right(f"{way} ms", "of bound"), *left("limit"))
    rows, short = [], []
    for row in profile.rows:
        cells = [_cells(getattr(row, way), total) for way in ways]
        rows.append((*texts(row.name, row.word), *(cell for shown in cells for cell in shown)))
        brief = (cell for first, *_, bound, limit in cells for cell in (first, bound, limit))
        short.append((text(row.name), *brief))
    title = "Every layer"
    notes = (
        "%: of the time of all layers. Of bound: the least time that the device allows, as a part "
        "of the time taken; above 100 % where values were still in a cache. Limit: which ceiling "
        "gives the bound.",
    )
    slim = Table(title, tuple(narrow), tuple(short), (), notes)
    return Table(title, tuple(wide), tuple(rows), (), notes, slim)


def _cells(timed: Pass | None, total: float) -> Sequence[Cell]:
    if timed is None or not timed.limit or not timed.time.median:
        return (EMPTY,) * 8
    seconds, low, high = timed.time
    return texts(
        milliseconds(seconds),
        f"{milliseconds(low)}..{milliseconds(high)}",
        f"{100 * seconds / total:.1f}",
        _rate(timed.work.flops / seconds) if timed.work.flops else "",
        _rate(timed.work.bytes / seconds),
        milliseconds(timed.bound),
        _share(timed.bound, seconds),
        timed.limit,
    )


def _memory(profile: Profile) -> list[Block]:
    ours, theirs = profile.predicted, profile.measured
    parts = [(label, getattr(ours, part), getattr(theirs, part)) for part, label in PARTS.items()]
    sides = right("predicted", "measured", "difference")
    how = (
        "by torch's allocator, so with the workspace of kernels, which is not predicted"
        if profile.kind == "cuda"
        else "with tensors that hold no values, as they come and go; what kernels use is not seen"
    )
    notes = (f"The most at one time is measured {how}.",)
    columns = (*left("memory"), *sides)
    title = "Memory, predicted and measured"
    blocks: list[Block] = [Table(title, columns, _rows(parts), (), notes)]
    if profile.train:
        kept = [(name, size, theirs.saved.get(name, 0)) for name, size in ours.saved.items()]
        footer = _beside("total", ours.activations, theirs.activations)
        why = "What two layers keep is counted at the first."
        columns = (*left("layer"), *sides)
        title = "Kept for the backward pass"
        blocks.append(Table(title, columns, _rows(kept), (footer,), (why,)))
    return blocks


def _rows(sizes: Iterable[tuple[str, int, int]]) -> tuple[tuple[Cell, ...], ...]:
    """What was predicted beside what was measured, where there is either."""
    return tuple(_beside(*side) for side in sizes if any(side[1:]))


def _beside(label: str, ours: int, theirs: int) -> tuple[Cell, ...]:
    difference = theirs - ours
    signed = ("+" if difference > 0 else "") + in_bytes(difference) if difference else "0"
    cells = size_in_bytes(ours), size_in_bytes(theirs), Cell(signed, "", difference)
    return (text(label), *cells)


def _spread(spread: Spread) -> str:
    low, high = milliseconds(spread.low), milliseconds(spread.high)
    return f"{milliseconds(spread.median)} [{low}, {high}]"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _rate(rate: float) -> str:
    return rounded(round(rate), 3, " ")
