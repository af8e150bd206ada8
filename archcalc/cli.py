"""Floor 10: the commands. Each parses, calls and draws; everything else lies below."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from archcalc import __version__, zoo
from archcalc.api import report as report_on
from archcalc.errors import ArchitectureError, StatedError, meant, nearest, printable, quoted
from archcalc.load import load
from archcalc.notation import parse, stems
from archcalc.render import FORMATS, render, views
from archcalc.render.deliver import UndeliveredError, to_file, to_stdout, undelivered
from archcalc.shape import LARGEST, MAX_AXES
from archcalc.zoo.inception import Widths, pair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archcalc.network import Network
    from archcalc.render.table import Block
    from archcalc.reports import Report


class _Group(TyperGroup):
    """``archcalc vgg19`` is ``archcalc show vgg19``: a word that is no command is a network."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's, or typer's own
        own = {*self.commands, "-h", "--help", "--version"}
        if args and args[0] not in own:
            close = nearest(args[0], list(self.commands), 0.8)
            if close and not zoo.find(args[0]) and not Path(args[0]).exists():
                fact = f"no command and no network is called {quoted(args[0])}"
                raise ArchitectureError(fact, hint=f"did you mean {close[0]}?")
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="archcalc",
    cls=_Group,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What does this CNN cost? Exact parameters, MACs, activations, memory and receptive "
    "fields, with the working of every count. `archcalc vgg19` is `archcalc show vgg19`.",
    epilog="A NETWORK is a name (`archcalc networks`), a text file, or the notation itself: "
    '`archcalc "conv3-64 x2 pool2 fc-10" --input 32x32x3`.',
)

Words = Annotated[
    list[str], typer.Argument(metavar="NETWORK", help="A name, a text file, or the notation.")
]
Input = Annotated[
    str | None,
    typer.Option("--input", metavar="HxWxC", help="Input for one example: 224x224x3, or HxWx3."),
]
At = Annotated[
    str | None, typer.Option("--at", metavar="H=448,W=448", help="Values for the letters.")
]
# Whole numbers are read by us, who name what was typed.
Batch = Annotated[str, typer.Option("--batch", metavar="N", help="Examples at once, for memory.")]
_Dtype = Annotated[str, typer.Option("--dtype", help="fp64, fp32, tf32, fp16, bf16, fp8 or int8.")]
_Convention = Annotated[
    str | None,
    typer.Option("--convention", metavar="NAME", help="As another tool counts; see conventions."),
]
_NoBias = Annotated[
    bool, typer.Option("--no-bias", help="Leave out biases of convolutions and linear layers.")
]
Format = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")
]
Output = Annotated[
    str | None, typer.Option("--output", metavar="FILE", help="Write there, whole or not at all.")
]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        to_stdout(f"archcalc {__version__}\n")
        raise typer.Exit


@app.command()
def show(
    words: Words,
    table: Annotated[
        bool, typer.Option("--table", help="The assignment's Table 1, every cell filled.")
    ] = False,
    working: Annotated[
        bool, typer.Option("--working", help="Every layer's explicit calculation.")
    ] = False,
    depth: Annotated[
        str,
        typer.Option(
            "--depth", metavar="N", help="Sum up what is nested deeper than N names; 0: nothing."
        ),
    ] = "0",
    convention: _Convention = None,
    input: Input = None,  # noqa: A002
    at: At = None,
    batch: Batch = "1",
    dtype: _Dtype = "fp32",
    no_bias: _NoBias = False,
    format: Format = "text",  # noqa: A002
    output: Output = None,
) -> None:
    """The cost of a network, layer by layer (the default command)."""
    pages = {"--table": table, "--working": working, "--convention": convention is not None}
    chosen = [name for name, asked in pages.items() if asked]
    if len(chosen) > 1:
        fact = f"{' and '.join(chosen)} are different pages"
        raise ArchitectureError(fact, hint="choose one")
    levels = whole(depth, "--depth", 0)
    if levels and chosen:
        raise ArchitectureError("--depth sums up the summary only", hint="leave one of them out")
    examples = whole(batch, "--batch")
    report = report_on(one(words), input, batch=examples, dtype=dtype, bias=not no_bias, at=at)
    if convention is not None:
        _counted(report, convention, format, output)
        return

    def blocks() -> Sequence[Block]:
        if table:
            return views.table1(report)
        if working:
            return views.workings(report)
        return views.flat(report) if format == "csv" else views.summary(report, levels)

    deliver(blocks, lambda: report.to_dict(working=working), format, output)


def _counted(report: Report, name: str, form: str, output: str | None) -> None:
    """A network as another tool counts it."""
    from archcalc.counters import counter as convention  # noqa: PLC0415 - only who asks needs them
    from archcalc.render.views.counted import counted, counted_data  # noqa: PLC0415 - likewise

    rule = convention(name)
    deliver(lambda: counted(report, rule), lambda: counted_data(report, rule), form, output)


def _filters(meaning: str) -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(metavar="N", help=meaning)


@app.command()
def inception(
    input: Input = None,  # noqa: A002
    at: At = None,
    conv1: Annotated[str, _filters("1x1 filters.")] = str(Widths().conv1),
    reduce3: Annotated[str, _filters("1x1 filters in front of the 3x3.")] = str(Widths().reduce3),
    conv3: Annotated[str, _filters("3x3 filters.")] = str(Widths().conv3),
    reduce5: Annotated[str, _filters("1x1 filters in front of the 5x5.")] = str(Widths().reduce5),
    conv5: Annotated[str, _filters("5x5 filters.")] = str(Widths().conv5),
    pool_proj: Annotated[str, _filters("1x1 filters behind the pool.")] = str(Widths().pool_proj),
    explain: Annotated[
        bool, typer.Option("--explain", help="Answer 5.4 (a) and (d) in words.")
    ] = False,
    format: Format = "text",  # noqa: A002
    output: Output = None,
) -> None:
    """The naive Inception module beside the one with dimension reduction."""
    given = Widths._make((conv1, reduce3, conv3, reduce5, conv5, pool_proj))._asdict()
    widths = Widths(
        **{name: whole(text, f"--{name.replace('_', '-')}") for name, text in given.items()}
    )
    naive, reduced = (report_on(network, input, at=at) for network in pair(widths))

    def data() -> dict[str, Any]:
        saving = naive.totals["macs"] - reduced.totals["macs"]
        return {
            "schema": "archcalc.inception/1",
            "naive": naive.to_dict(),
            "reduced": reduced.to_dict(),
            "saving": {"macs": saving if isinstance(saving, int) else str(saving)},
        }

    deliver(lambda: views.inception(naive, reduced, explain=explain), data, format, output)


@app.command("receptive-field")
def receptive_field(
    windows: Annotated[
        list[str],
        typer.Argument(help="A network, or a stack of windows: 5x5 5x5/2 3x3d2 pool2."),
    ],
    input: Input = None,  # noqa: A002
    at: At = None,
    format: Format = "text",  # noqa: A002
    output: Output = None,
) -> None:
    """The receptive field of a stack of windows, or of a network layer by layer."""
    words = " ".join(windows).split()
    if not _is_stack(words):
        report = report_on(one(windows), input, at=at)
        deliver(lambda: views.receptive_fields(report), report.to_dict, format, output)
        return
    stack = parse(" ".join(words), "stack", stack=True)
    kernels = [re.match(r"[0-9]+(x[0-9]+)*", word) for word in words]
    axes = max(kernel[0].count("x") + 1 if kernel else 1 for kernel in kernels)
    report = report_on(stack, input or ("DxHxWx1" if axes == MAX_AXES else "HxWx1"), at=at)
    deliver(lambda: views.stacked(report), report.to_dict, format, output)


@app.command()
def networks(format: Format = "text", output: Output = None) -> None:  # noqa: A002
    """All networks that have a name."""
    reports = [report_on(name) for name in zoo.NAMES]
    deliver(
        lambda: views.networks(reports),
        lambda: {"schema": "archcalc.networks/1", "networks": [r.to_dict() for r in reports]},
        format,
        output,
    )


@app.command()
def conventions(format: Format = "text", output: Output = None) -> None:  # noqa: A002
    """How the well-known tools count, for `--convention` and `verify`."""
    from archcalc.render.views import counted  # noqa: PLC0415 - no other command needs it

    deliver(counted.conventions, counted.conventions_data, format, output)


@app.command()
def compare(
    networks: Annotated[list[str], typer.Argument(help="Names, files or notation.")],
    input: Input = None,  # noqa: A002
    at: At = None,
    batch: Batch = "1",
    dtype: _Dtype = "fp32",
    no_bias: _NoBias = False,
    format: Format = "text",  # noqa: A002
    output: Output = None,
) -> None:
    """Networks side by side."""
    examples = whole(batch, "--batch")
    reports = []
    for name in networks:
        try:
            network = load(name)
            reports.append(
                report_on(network, input, batch=examples, dtype=dtype, bias=not no_bias, at=at)
            )
        except ArchitectureError as error:
            raise error.at(quoted(name)) from None
    deliver(
        lambda: views.compared(reports),
        lambda: {"schema": "archcalc.networks/1", "networks": [r.to_dict() for r in reports]},
        format,
        output,
    )


# What `archcalc tables` writes: a file's stem and the command that makes it.
TABLES: Final[tuple[tuple[str, str], ...]] = (
    ("networks", "networks"),
    ("vgg19", "vgg19 --table"),
    ("vgg19-summary", "vgg19"),
    ("alexnet", "alexnet --working"),
    ("alexnet-summary", "alexnet"),
    ("googlenet", "googlenet --depth 1"),
    ("inception", "inception --input 32x32x256 --explain"),
    ("receptive-field-5x5", "receptive-field 5x5 5x5 5x5"),
    ("receptive-field-vgg19", "receptive-field vgg19"),
    ("receptive-field-alexnet", "receptive-field alexnet"),
    ("receptive-field-googlenet", "receptive-field googlenet"),
)
# What other commands write there, since they measure.
MEASURED: Final = (
    "Measured, each with the hardware that it was measured on:",
    "",
    "- [verification.md](verification.md): every network against torch, fvcore, torchinfo and the",
    "  gradient: `archcalc verify zoo --against torch,fvcore,torchinfo,gradient --format markdown`",
    "- [profile/](profile/README.md): time and memory of every layer: `archcalc profile`",
    "- [training/](training/README.md): the experiments: `archcalc training`",
    "- [report/](report/README.md): both assignments of the course, every question answered from",
    "  the records of the experiments: `archcalc training report`",
)
SUFFIXES: Final = {"txt": "text", "csv": "csv", "tex": "latex"}


@app.command()
def tables(
    directory: Annotated[Path, typer.Argument(help="Where to; it must exist.")] = Path("tables"),
) -> None:
    """Draw the project's tables anew: text, CSV and LaTeX."""
    index = ["# Tables", "", "Made by `archcalc tables`; each file by its own command:", ""]
    index += ["| file | command |", "| --- | --- |"]
    for stem, command in TABLES:
        for suffix, name in SUFFIXES.items():
            file = directory / f"{stem}.{suffix}"
            app(
                [*command.split(), "--format", name, "--output", str(file)],
                prog_name="archcalc",
                standalone_mode=False,
            )
            index.append(f"| [{file.name}]({file.name}) | `archcalc {command} --format {name}` |")
    index += ["", *MEASURED]
    to_file("\n".join(index) + "\n", directory / "README.md")


# For the list of commands only: run() hands these words to other modules, with all behind them.


@app.command()
def verify() -> None:
    """Ours beside what fvcore, torchinfo and torch count, every difference explained."""


@app.command()
def profile() -> None:
    """Time and memory of every layer, measured beside predicted."""


@app.command()
def training() -> None:
    """The optimization experiments of the course: `archcalc training --help`."""


def _is_stack(words: Sequence[str]) -> bool:
    """Whether bare windows were typed, and no network."""
    if len(words) == 1 and (zoo.find(words[0]) or Path(words[0]).exists()):
        return False
    beginnings = [re.match(r"[a-z]*", word) for word in words]
    layers = {stem[0] for stem in beginnings if stem} & {*stems()} - {"pool", "avgpool"}
    return not layers and bool(words) and re.match(r"[0-9]|(avg)?pool[0-9]", words[0]) is not None


def one(words: Sequence[str]) -> Network:
    """The network that was typed; the words of a notation may come without quotes."""
    named = [word for word in words if zoo.find(word) or word.endswith(".txt")]
    if len(words) > 1 and named:
        for word in words:
            load(word)  # says which of them is no network
        hint = f"archcalc compare {' '.join(words)} sets networks side by side"
        raise ArchitectureError(f"{len(words)} networks, but this shows one", hint=hint)
    return load(" ".join(words))


def whole(text: str, option: str, smallest: int = 1) -> int:
    """A whole number that was typed for an option."""
    if re.fullmatch(r"[0-9]{1,10}", text) and smallest <= int(text) <= LARGEST:
        return int(text)
    limits = f"a whole number from {smallest} to {LARGEST:,}"
    raise ArchitectureError(f"{quoted(text)} is not {limits}", where=option)


def deliverable(form: str, output: str | None, option: str = "--output") -> None:
    """Say what keeps a result from being given out, before it is made.

    Raises:
        ArchitectureError: no such format, an empty name.
        UndeliveredError: a folder that is not there.
    """
    if output is not None and not output.strip():
        raise ArchitectureError(f"{quoted(output)} names no file", where=option)
    if form not in FORMATS:
        known = {"tex": "latex", "md": "markdown", "htm": "html", "txt": "text"}
        hint = meant(known.get(form, form), list(FORMATS))
        raise ArchitectureError(f"{quoted(form)} is no format", where="--format", hint=hint)
    folder = Path(output or "here").parent
    if not folder.is_dir():
        why = "Not a directory" if folder.exists() else "No such file or directory"
        raise UndeliveredError(f"{output}: {why}")


def deliver(
    blocks: Callable[[], Sequence[Block]],
    data: Callable[[], dict[str, Any]],
    form: str,
    output: str | None,
) -> None:
    """Give a result out: blocks in a format, or data as JSON, to standard output or a file."""
    deliverable(form, output)
    if form == "json":
        import json  # noqa: PLC0415 - the other formats do without

        text = json.dumps(data(), indent=2) + "\n"
    elif form == "text" and output is None and sys.stdout.isatty():
        from archcalc.render.terminal import draw  # noqa: PLC0415 - only a terminal needs it

        draw(blocks(), sys.stdout)
        return
    else:
        text = render(blocks(), form, _columns() if output is None else None)
    if output is None:
        to_stdout(text)
    else:
        to_file(text, Path(output))


def _columns() -> int | None:
    """The width that a person set for pipes, if it makes sense."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if re.fullmatch(r"[1-9][0-9]{1,4}", columns) else None


def run(args: Sequence[str]) -> int:
    """Run one command line; the exit status. What goes wrong is one line on standard error."""
    if args and args[0] == "training":
        from training import cli  # noqa: PLC0415 - no other command knows of it

        return cli.run(args[1:], "archcalc training")
    if args and args[0] in {"verify", "profile"}:
        from archcalc import proof  # noqa: PLC0415 - no other command knows of it

        return execute(proof.app, args, "archcalc")
    return execute(app, args, "archcalc")


def execute(application: typer.Typer, args: Sequence[str], name: str) -> int:
    """Run one command of an application, whose help is shown where none is named."""
    if sys.stdout is None:  # started with standard output closed
        return _complain("standard output: closed")
    try:
        status = application(list(args) or ["--help"], prog_name=name, standalone_mode=False)
        sys.stdout.flush()
        return (status if isinstance(status, int) else 0) if args else 2
    except StatedError as error:
        return _complain(str(error), error.status)
    except UndeliveredError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return 130
    except SystemExit:  # what typer makes of a pipe that closes under its help
        return _complain(str(undelivered(BrokenPipeError())))
    except OSError as error:
        return _complain(str(undelivered(error)))
    except Exception as error:  # click's exceptions live in typer or in click, by version
        if not hasattr(error, "format_message"):
            raise
        return _complain(str(error.format_message()))


def _complain(message: str, status: int = 2) -> int:
    """One line on standard error, nothing in it that a terminal would obey."""
    try:
        encoding = sys.stderr.encoding or "utf-8"
        data = f"archcalc: {printable(message)}\n".encode(encoding, "backslashreplace")
        sys.stderr.write(data.decode(encoding))
        sys.stderr.flush()
    except (OSError, AttributeError):  # closed, or full: the status alone has to say it
        sys.stderr = None
    return status


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
