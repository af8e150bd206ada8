"""``archcalc tables``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from archcalc.commands import application, command_of
from archcalc.render.deliver import to_file

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


def tables(
    directory: Annotated[Path, typer.Argument(help="Where to; it must exist.")] = Path("tables"),
) -> None:
    """Draw the project's tables anew: text, CSV and LaTeX."""
    index = ["# Tables", "", "Made by `archcalc tables`; each file by its own command:", ""]
    index += ["| file | command |", "| --- | --- |"]
    for stem, command in TABLES:
        for suffix, name in SUFFIXES.items():
            file = directory / f"{stem}.{suffix}"
            line = [*command.split(), "--format", name, "--output", str(file)]
            called, words = command_of(line)
            application(called)(words, prog_name=f"archcalc {called}", standalone_mode=False)
            index.append(f"| [{file.name}]({file.name}) | `archcalc {command} --format {name}` |")
    index += ["", *MEASURED]
    to_file("\n".join(index) + "\n", directory / "README.md")
