"""Floor 11: the commands, one a file. Each parses, calls and draws; everything else lies below."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

from archcalc.console import Command

# In the order of the help. Only the one that is called is imported, and built by Typer.
NAMES: Final = (
    "show",
    "inception",
    "receptive-field",
    "networks",
    "conventions",
    "compare",
    "tables",
    "verify",
    "profile",
)
CONTEXT: Final = {"help_option_names": ["-h", "--help"]}


def command_of(args: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The command that a line names, and its words: ``vgg19`` is ``show vgg19``."""
    return (args[0], args[1:]) if args and args[0] in NAMES else ("show", args)


def application(name: str) -> typer.Typer:
    """One of the commands in :data:`NAMES` as an application of its own."""
    function = name.replace("-", "_")
    command = getattr(import_module(f"archcalc.commands.{function}"), function)
    built = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    built.command(name, cls=Command, context_settings=CONTEXT)(command)
    return built
