"""The commands of the experiments; nothing heavy is loaded before one is run."""

from __future__ import annotations

import inspect
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from archcalc.console import deliver, execute
from archcalc.errors import need, quoted
from training.errors import StoppedError, TrainingError
from training.experiments import EXPERIMENTS
from training.options import heading, options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from training.engine.record import Record
    from training.options import Option

    # What is typed, and the option that an error names.
    Reader: TypeAlias = Callable[[str, str], Any]

app = typer.Typer(
    name="archcalc training",
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The optimization experiments of a deep-learning-systems course. A population of "
    "networks is trained as one program; the result is tables, answers and figures, and a record "
    "that says where they come from. `archcalc training` and `python -m training` are the same.",
    epilog="Several words for one option are separated by commas: `--activation relu,leaky`. "
    "Several processes share the members: `torchrun --nproc-per-node=4 -m training dying-relu`.",
)

NEEDED: Final = (
    *("torch", "numpy", "scipy", "matplotlib"),
    *("jinja2", "markdown_it", "mdit_py_plugins", "latex2mathml"),  # the report
)


def _text(text: str, _option: str) -> str:
    return text


def _stripped(text: str, _option: str) -> str:
    return text.strip()


def _whole(text: str, option: str) -> int:
    stripped = text.strip()
    if re.fullmatch(r"[0-9]{1,19}", stripped):
        return int(stripped)
    raise TrainingError(f"{option}: {quoted(text)} is not a whole number")


def _number(text: str, option: str, wanted: str = "not a positive number") -> float:
    if re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text.strip(), re.IGNORECASE):
        value = float(text)
        if 0 < value < float("inf"):
            return value
    raise TrainingError(f"{option}: {quoted(text)} is {wanted}")


def _from_zero(text: str, option: str) -> float:
    if re.fullmatch(r"0+(\.0*)?", text.strip()):
        return 0.0
    return _number(text, option, "neither 0 nor a positive number")


def _several(read: Reader) -> Reader:
    def words(text: str, option: str) -> tuple[Any, ...]:
        split = text.split(",") if text.strip() else ()
        return tuple(read(word.strip(), option) for word in split)

    return words


_words = _several(_text)
# How the text of a field is read and what the help calls it, by the field's type.
TYPES: Final[dict[str, tuple[Reader, str]]] = {
    "int": (_whole, "N"),
    "float": (_number, "N"),
    "float | None": (_number, "N"),
    "str": (_stripped, "WORD"),
    "str | None": (_text, "FOLDER"),
    "tuple[str, ...]": (_words, "WORDS"),
    "tuple[int, ...]": (_several(_whole), "NUMBERS"),
    "tuple[float, ...]": (_several(_number), "NUMBERS"),
}
FROM_ZERO: Final = {"momentum", "weight_decay"}  # the other numbers are positive
ARGUMENT: Final = ("dataset", "dataset")  # `archcalc training dataset mnist`
EXPLAINED: Final = "optimizers"  # whose question asks for more than results

_NETWORK: Final = options("minigooglenet", "MiniGoogLeNet")
_CYCLES: Final = options(*EXPERIMENTS["cyclical-batch"])
# A command's help and its own options: experiments, then those that run several of them.
COMMANDS: Final[dict[str, tuple[str, dict[str, Option]]]] = {
    **{name: (heading(of[0]), options(*of)) for name, of in EXPERIMENTS.items()},
    "rate-and-batch": (
        "All of lab 3, problem 3 and homework 2, problem 4, one after the other.",
        {field: _CYCLES[field] for field in ("lr_min", "lr_max", "b_min", "b_max")} | _NETWORK,
    ),
    "all": (
        "Everything that both assignments ask for, one after the other, and the report of it.",
        {field: _NETWORK[field] for field in ("preset", "data_dir", "seed")},
    ),
}


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _declared(field: str, meaning: str, metavar: str | None = None) -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(_flag(field), metavar=metavar, help=meaning)


@app.callback()
def _experiments() -> None:
    """What is common to all experiments stands in the application's help."""


def _run(
    name: str,
    given: dict[str, Any],
    *,
    output: Annotated[
        str | None,
        _declared("output", "Where record, tables and figures go; runs/... if not said.", "FOLDER"),
    ] = None,
    device: Annotated[str, _declared("device", "auto, cpu or cuda.", "DEVICE")] = "auto",
    json: Annotated[bool, _declared("json", "The numbers as JSON on standard output.")] = False,
    explain: Annotated[
        bool, _declared("explain", "The theory: every equation and its terms; no run.")
    ] = False,
    tasks: Annotated[bool, _declared("tasks", "List the tasks of this run; no run.")] = False,
    status: Annotated[
        bool, _declared("status", "Tasks done, running, missing, with hours left; no run.")
    ] = False,
    only: Annotated[
        str | None, _declared("only", "Tasks to run, as --tasks lists them.", "WORDS")
    ] = None,
    resume: Annotated[bool, _declared("resume", "Do what the folder's run lacks.")] = False,
    overwrite: Annotated[bool, _declared("overwrite", "Forget what is in the folder.")] = False,
    checkpoint_every: Annotated[
        str, _declared("checkpoint_every", "Seconds between checkpoints.", "SECONDS")
    ] = "15",
) -> None:
    """Run an experiment and show what came of it; its keywords are options of every command."""
    need("training", "training", *NEEDED)
    if output is not None and not output.strip():
        raise TrainingError(f"--output: {quoted(output)} names no folder")
    if resume and overwrite:
        raise TrainingError("--resume keeps what --overwrite forgets", hint="choose one")
    if tasks and status:
        raise TrainingError("--tasks and --status are two lists", hint="choose one")
    if (tasks or status) and (resume or overwrite or only is not None):
        fact = "--tasks and --status run nothing"
        raise TrainingError(fact, hint="leave out --resume, --overwrite and --only")
    if only is not None and name not in EXPERIMENTS:
        raise TrainingError("--only is of one experiment's command")
    keep = _number(checkpoint_every, "--checkpoint-every")
    from training import chain  # noqa: PLC0415 - loads torch
    from training.experiments import base, experiment, runner  # noqa: PLC0415 - likewise

    place = Path(output) if output is not None else None
    form = "json" if json else "text"
    how: Any = {"device": device, "resume": resume, "overwrite": overwrite, "keep": keep}
    if only is not None:
        how["only"] = _words(only, "--only")
        base.distinct("--only", how["only"])
    chosen = experiment(name)(**given) if name in EXPERIMENTS else None
    given = {"preset": chain.QUICK, **given}
    usual = name if name == chain.CHAIN else f"{name}-{given['preset']}"
    folder = place or runner.RUNS / usual  # of the parts
    if explain or tasks or status:
        from training.experiments import overview  # noqa: PLC0415 - likewise

        if chosen is None:
            blocks, data = chain.overview(name, given, folder, device=device, status=status)
        elif explain:
            blocks, data = runner.explanation(chosen)
        else:
            blocks, data = overview.overview(chosen, place, device=device, status=status)
        deliver(lambda: blocks, lambda: data, form, None)
        return
    try:
        if chosen is not None:
            record = runner.run(chosen, place, **how)
            if record is not None:
                _deliver(record, form)
        elif name == chain.CHAIN:
            for _, one in chain.run(given, folder, **how):
                _deliver(one, form)
        else:
            _everything(given, folder, form, how)
    except KeyboardInterrupt:
        raise StoppedError("stopped; the same command with --resume goes on") from None


def _everything(given: dict[str, Any], folder: Path, form: str, how: Any) -> None:  # noqa: ANN401 - the runner's keywords
    """Run all parts, show what came of each, and fail where one did."""
    from training import chain  # noqa: PLC0415 - loads torch

    found = chain.everything(given, folder, **how)
    if not found:  # another rank than the first
        return
    deliver(lambda: chain.blocks(found, folder), lambda: chain.data(found, folder), form, None)
    if failed := [one.part for one in found if one.why]:
        fact = f"{', '.join(failed)} failed; why is said above"
        raise TrainingError(fact, status=1)


def _deliver(record: Record, form: str) -> None:
    """Show what came of a run."""
    from training.experiments import runner  # noqa: PLC0415 - loads torch

    deliver(lambda: runner.blocks(record), lambda: runner.results(record), form, None)


def _mount(name: str) -> None:
    """Make a command: its own options, then those of :func:`_run`."""
    meaning, own = COMMANDS[name]

    def typed(**texts: Any) -> None:  # noqa: ANN401 - a text, a flag or nothing
        given: dict[str, Any] = {}
        for field, option in own.items():
            text = texts.pop(field)
            if text != option.default:  # else the experiment's own holds
                read = _from_zero if field in FROM_ZERO else TYPES[option.kind][0]
                given[field] = read(text, _flag(field))
        _run(name, given, **texts)

    common = inspect.signature(_run, eval_str=True).parameters.values()
    shared = [one for one in common if one.kind is one.KEYWORD_ONLY]
    parameters = [one for one in shared if one.name != "explain" or name == EXPLAINED]
    for field, option in reversed(own.items()):
        if (name, field) == ARGUMENT:
            declared = typer.Argument(metavar="NAME", help=option.meaning)
        else:
            declared = _declared(field, option.meaning, TYPES[option.kind][1])
        one = shared[0].replace(name=field, default=option.default)
        parameters.insert(0, one.replace(annotation=Annotated[str, declared]))
    # Typer reads the options off the signature.
    vars(typed)["__signature__"] = inspect.Signature(parameters)
    app.command(name, help=meaning)(typed)


for _command in COMMANDS:
    _mount(_command)


@app.command()
def tables(
    directory: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Whose folders hold records.")
    ] = "tables/training",
) -> None:
    """Draw pages and figures anew from finished records; nothing is trained."""
    need("training", "training", *NEEDED)
    from training.experiments import runner  # noqa: PLC0415 - loads torch

    runner.redraw(Path(directory))


@app.command("report")
def _report(
    directory: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Whose folders hold records.")
    ] = "tables/training",
    assignment: Annotated[
        str, _declared("assignment", "lab3, homework2 or both.", "WORD")
    ] = "both",
    form: Annotated[str, _declared("format", "html or markdown.", "WORD")] = "html",
    output: Annotated[
        str | None, _declared("output", "The page; report.html or report.md if not said.", "FILE")
    ] = None,
) -> None:
    """Answer every question of both assignments from finished records; nothing is trained."""
    need("training", "training", *NEEDED)
    from training.engine.progress import say  # noqa: PLC0415 - loads rich
    from training.report import page  # noqa: PLC0415 - loads torch

    place = page.write(Path(directory), None if output is None else Path(output), form, assignment)
    say(f"{place}: the report")


def run(args: Sequence[str], name: str = "python -m training") -> int:
    """Run one command line; the exit status. Under torchrun, rank 0 alone speaks."""
    if os.environ.get("RANK", "0") == "0":
        return execute(app, args, name)
    # What nobody foresaw leaves this block, and Python itself tells it.
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        return execute(app, args, name)


def main() -> None:
    """``python -m training``."""
    sys.exit(run(sys.argv[1:]))
