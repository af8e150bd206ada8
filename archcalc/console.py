"""Floor 10: what all commands share: they deliver a result, or complain in one line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import typer.core

from archcalc.errors import ArchitectureError, StatedError, meant, printable, quoted
from archcalc.render import FORMATS, render
from archcalc.render.deliver import UndeliveredError, to_file, to_stdout, undelivered
from archcalc.render.table import Block
from archcalc.reports import Report

# The format that a file's name asks for; of any other name it is text.
FORMAT_OF: Final = {
    ".csv": "csv",
    ".htm": "html",
    ".html": "html",
    ".json": "json",
    ".md": "markdown",
    ".tex": "latex",
}


class Command(typer.core.TyperCommand):
    """A command that takes each option once: a second value would silently replace the first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's, or typer's own
        """Refuse a value that would be lost; then parse as every command does."""
        if not ctx.resilient_parsing:  # what is half typed may be anything
            _, _, parameters = self.make_parser(ctx).parse_args(args=[*args])
            for parameter in parameters:
                if parameters.count(parameter) > 1 and not getattr(parameter, "is_flag", True):
                    fact, hint = "stands there more than once", "leave all but one out"
                    raise ArchitectureError(fact, where=parameter.opts[0], hint=hint)
        return super().parse_args(ctx, args)


def deliverable(form: str | None, output: str | None, option: str = "--output") -> str:
    """The format in which a result will go out; None takes what the output's name ends with.

    Raises:
        ArchitectureError: no such format, or an empty name, given by that option.
        UndeliveredError: a folder that is not there.
    """
    if output is not None and not output.strip():
        raise ArchitectureError(f"{quoted(output)} names no file", where=option)
    if form is None:
        form = FORMAT_OF.get(Path(output or "").suffix.lower(), "text")
    if form not in FORMATS:
        hint = meant("text" if form == "txt" else FORMAT_OF.get(f".{form}", form), list(FORMATS))
        raise ArchitectureError(f"{quoted(form)} is no format", where="--format", hint=hint)
    folder = Path(output or "here").parent
    if not folder.is_dir():
        why = "Not a directory" if folder.exists() else "No such file or directory"
        raise UndeliveredError(f"{output}: {why}")
    return form


def deliver(
    blocks: Callable[[], Sequence[Block]],
    data: Callable[[], dict[str, Any]],
    form: str | None,
    output: str | None,
) -> None:
    """Give a result out: blocks in a format, or data as JSON, to standard output or a file.

    Raises as :func:`deliverable` does, and an UndeliveredError where it cannot be written.
    """
    form = deliverable(form, output)
    if form == "json":
        import json  # noqa: PLC0415 - the other formats do without

        text = json.dumps(data(), indent=2) + "\n"
    elif form == "text" and output is None and sys.stdout.isatty():
        from archcalc.render.terminal import draw  # noqa: PLC0415 - only a terminal needs it

        draw(blocks(), sys.stdout)
        return
    else:
        columns = os.environ.get("COLUMNS", "")  # what a person set for pipes, if it makes sense
        piped = output is None and re.fullmatch(r"[1-9][0-9]{1,4}", columns)
        text = render(blocks(), form, int(columns) if piped else None)
    if output is None:
        to_stdout(text)
    else:
        to_file(text, Path(output))


def together(reports: Sequence[Report]) -> dict[str, Any]:
    """Several networks as data."""
    return {"schema": "archcalc.networks/1", "networks": [each.to_dict() for each in reports]}


def execute(application: typer.Typer, args: Sequence[str], name: str) -> int:
    """Run a command of an application, whose help is shown where none is named."""
    return invoke(application, args, name) if args else invoke(application, ["--help"], name) or 2


def invoke(application: typer.Typer, args: Sequence[str], name: str) -> int:
    """Run one command line; the exit status. What goes wrong is one line on standard error."""
    if sys.stdout is None:  # started with standard output closed
        return complain("standard output: closed")
    try:
        status = application([*args], prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except StatedError as error:
        return complain(str(error), error.status)
    except UndeliveredError as error:
        return complain(str(error))
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:
        reason = end.__context__
        if isinstance(reason, BrokenPipeError):  # typer's, of a pipe that closes under its help
            return complain(str(undelivered(reason)))
        status = end.code
    except OSError as error:
        if error.filename is not None:
            return complain(f"{error.filename}: {error.strerror}")
        return complain(str(undelivered(error)))
    except Exception as error:  # click's exceptions live in typer or in click, by version
        if not hasattr(error, "format_message"):
            raise
        return complain(str(error.format_message()))
    if isinstance(status, str):  # sys.exit takes a message too
        return complain(status, 1)
    return status if isinstance(status, int) else 0


def complain(message: str, status: int = 2) -> int:
    """One line on standard error, nothing in it that a terminal would obey; the status."""
    try:
        encoding = sys.stderr.encoding or "utf-8"
        data = f"archcalc: {printable(message)}\n".encode(encoding, "backslashreplace")
        sys.stderr.write(data.decode(encoding))
        sys.stderr.flush()
    except (OSError, AttributeError):  # closed, or full: the status alone has to say it
        sys.stderr = None
    return status
