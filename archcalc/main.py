"""Floor 12: a command line: which command it calls, and every command's help and completion."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import typer
from typer.core import TyperGroup

from archcalc import __version__, zoo
from archcalc.commands import CONTEXT, NAMES, application, command_of
from archcalc.console import complain, execute, invoke
from archcalc.errors import nearest, quoted
from archcalc.open import begins_a_layer, is_file
from archcalc.render.deliver import to_stdout

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# How an installed package offers a module that is a :class:`Guest`, as a command of its own.
GROUP: Final = "archcalc.commands"
COMPLETION: Final = "_ARCHCALC_COMPLETE"  # typer's: set by a shell that asks for completions
OPTIONS: Final = {"-h", "--help", "--version", "--install-completion", "--show-completion"}


class Guest(Protocol):
    """A module with commands of another package; help and completions are made from its app."""

    app: typer.Typer

    def run(self, args: Sequence[str], name: str) -> int:
        """Run one command line of an application of that name; the exit status."""


class _Commands(TyperGroup):
    """Every command, each built when it is asked for; for help and completion only."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's, or typer's own
        if args and args[0] not in OPTIONS | {*self.list_commands(ctx)}:
            args = ["show", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - likewise
        return [*NAMES, *_offered()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - likewise
        if cmd_name in NAMES:
            return typer.main.get_command(application(cmd_name))
        offered = _offered()
        if cmd_name not in offered:
            return None
        try:
            command = typer.main.get_command(offered[cmd_name].load().app)
        except ImportError as error:
            stub = typer.Typer()
            stub.command(cmd_name, help=f"Cannot be loaded: {error}")(lambda: None)
            return typer.main.get_command(stub)
        command.name = cmd_name
        command.short_help = (command.help or "").partition(". ")[0]
        return command

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:  # noqa: ANN401 - likewise
        """Commands, and what may follow the command that need not be typed."""
        show = self.get_command(ctx, "show")
        context = show.make_context("show", [], parent=ctx, resilient_parsing=True)
        network = show if incomplete.startswith("-") else show.params[0]
        commands = super().shell_complete(ctx, incomplete)
        return [*commands, *network.shell_complete(context, incomplete)]


app = typer.Typer(
    name="archcalc",
    cls=_Commands,
    rich_markup_mode="markdown",
    context_settings=CONTEXT,
    help="What does this CNN cost? Exact parameters, MACs, activations, memory and receptive "
    "fields, with the working of every count. `archcalc vgg19` is `archcalc show vgg19`.",
    epilog="A NETWORK is a name (`archcalc networks`), a text file, or the notation itself: "
    '`archcalc "conv3-64 x2 pool2 fc-10" --input 32x32x3`.',
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        to_stdout(f"archcalc {__version__}\n")
        raise typer.Exit


def _offered() -> dict[str, EntryPoint]:
    """What installed packages offer, by the name of the command."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - takes 40 ms

    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in NAMES}


def run(args: Sequence[str]) -> int:
    """Run one command line; the exit status. What goes wrong is one line on standard error."""
    word = args[0] if args else ""
    if COMPLETION in os.environ:
        return invoke(app, args, "archcalc")
    if not args or word in OPTIONS:
        return execute(app, args, "archcalc")
    # A word that is nothing else may be a command of another package, or a slip of the finger.
    plain = re.fullmatch(r"[a-z][\w-]*", word) and word not in NAMES
    if plain and not (zoo.find(word) or begins_a_layer(word) or is_file(word)):
        offered = _offered()
        if word in offered:
            try:
                guest: Guest = offered[word].load()
            except ImportError as error:
                return complain(f"{word} cannot be loaded: {error}", 1)
            return guest.run(args[1:], f"archcalc {word}")
        if close := nearest(word, [*NAMES, *offered], 0.8):
            fact = f"no command and no network is called {quoted(word)}"
            return complain(f"{fact}; did you mean {close[0]}?")
    name, words = command_of(args)
    return invoke(application(name), words, f"archcalc {name}")


def main() -> None:
    """The console script."""
    try:
        status = run(sys.argv[1:])
    except KeyboardInterrupt:  # while a command was loaded
        status = 130
    sys.exit(status)
