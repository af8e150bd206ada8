"""Floor 7: the commands of the experiments; nothing heavy is loaded before one is run."""

from __future__ import annotations

import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from archcalc.cli import deliver, execute
from archcalc.errors import need, quoted
from training.errors import StoppedError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

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

NEEDED: Final = ("torch", "numpy", "scipy", "matplotlib")


def _option(name: str, meaning: str, metavar: str = "N") -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(name, metavar=metavar, help=meaning)


_Seed = Annotated[str, _option("--seed", "Where all random numbers come from.")]
_Output = Annotated[
    str | None,
    _option("--output", "Folder for record, tables and figures; runs/... if not said.", "FOLDER"),
]
_Device = Annotated[str, _option("--device", "auto, cpu or cuda.", "DEVICE")]
_Json = Annotated[bool, typer.Option("--json", help="The numbers as JSON on standard output.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on with an unfinished record.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Forget what is in the folder.")]
_Data = Annotated[
    str | None,
    _option("--data-dir", "Where torchvision's data sets are; or ARCHCALC_DATA.", "FOLDER"),
]
_Keep = Annotated[str, _option("--checkpoint-every", "Seconds between checkpoints.", "SECONDS")]


@app.callback()
def _experiments() -> None:
    """What is common to all experiments stands in the application's help."""


@app.command()
def perceptron(
    sets: Annotated[str, _option("--sets", "Training sets; all are learnt from at once.")] = "1000",
    points: Annotated[str, _option("--points", "Points in a training set.")] = "20",
    test_points: Annotated[
        str, _option("--test-points", "Test points, the same for all sets.")
    ] = "1000",
    epochs: Annotated[str, _option("--epochs", "Passes over a training set.")] = "1000",
    loss: Annotated[
        str, _option("--loss", "Losses: perceptron, hinge.", "WORDS")
    ] = "perceptron,hinge",
    rate: Annotated[str, _option("--rate", "Learning rates.", "NUMBERS")] = "1,0.1",
    seed: _Seed = "0",
    output: _Output = None,
    device: _Device = "auto",
    json: _Json = False,
    resume: _Resume = False,
    overwrite: _Overwrite = False,
    checkpoint_every: _Keep = "15",
) -> None:
    """Perceptron criterion and hinge loss on 20 points (homework 2, problem 1)."""
    given = {
        "sets": _whole(sets, "--sets"),
        "points": _whole(points, "--points"),
        "test_points": _whole(test_points, "--test-points"),
        "epochs": _whole(epochs, "--epochs"),
        "loss": _words(loss),
        "rate": tuple(_number(word, "--rate") for word in _words(rate)),
    }
    _run("perceptron", given, seed, output, device, json, resume, overwrite, checkpoint_every)


@app.command()
def init(
    setting: Annotated[
        str, _option("--setting", "ball (Godoy's blog) or mnist (Perunicic's).", "WORD")
    ] = "ball",
    activation: Annotated[
        str, _option("--activation", "sigmoid, tanh, relu, id, ...; the setting's own.", "WORDS")
    ] = "",
    init: Annotated[
        str, _option("--init", "normal.01, glorot, he, ...; the setting's own.", "WORDS")
    ] = "",
    networks: Annotated[str, _option("--networks", "Networks of each combination.")] = "20",
    examples: Annotated[str, _option("--examples", "Examples that they look at.")] = "1000",
    data_dir: _Data = None,
    seed: _Seed = "0",
    output: _Output = None,
    device: _Device = "auto",
    json: _Json = False,
    resume: _Resume = False,
    overwrite: _Overwrite = False,
    checkpoint_every: _Keep = "15",
) -> None:
    """Vanishing and exploding values in five layers at birth (lab 3, problem 1.1)."""
    given = {
        "setting": setting,
        "activation": _words(activation),
        "init": _words(init),
        "networks": _whole(networks, "--networks"),
        "examples": _whole(examples, "--examples"),
        "data_dir": data_dir,
    }
    _run("init", given, seed, output, device, json, resume, overwrite, checkpoint_every)


@app.command("dying-relu")
def dying_relu(
    activation: Annotated[
        str, _option("--activation", "Activations: relu, leaky.", "WORDS")
    ] = "relu,leaky",
    function: Annotated[str, _option("--function", "Targets: abs, xsin5x, step.", "WORDS")] = "abs",
    hidden_layers: Annotated[
        str, _option("--hidden-layers", 'The paper\'s "10-layer" network has 9.', "NUMBERS")
    ] = "9,10",
    width: Annotated[str, _option("--width", "Units a hidden layer.")] = "2",
    init: Annotated[
        str, _option("--init", "Initializations: he, torch, glorot, rai.", "WORDS")
    ] = "he",
    simulations: Annotated[str, _option("--simulations", "Networks of each combination.")] = "1000",
    points: Annotated[str, _option("--points", "Points in each network's training set.")] = "3000",
    batch: Annotated[str, _option("--batch", "The minibatch.")] = "64",
    epochs: Annotated[str, _option("--epochs", "Passes over the training set.")] = "50",
    born: Annotated[
        str, _option("--born", "Networks a width, for the theory of birth; 0 leaves it out.")
    ] = "20000",
    seed: _Seed = "0",
    output: _Output = None,
    device: _Device = "auto",
    json: _Json = False,
    resume: _Resume = False,
    overwrite: _Overwrite = False,
    checkpoint_every: _Keep = "15",
) -> None:
    """How many deep, narrow networks are constant (lab 3, problems 1.2 and 1.3)."""
    given = {
        "activation": _words(activation),
        "function": _words(function),
        "hidden_layers": tuple(_whole(n, "--hidden-layers") for n in _words(hidden_layers)),
        "width": _whole(width, "--width"),
        "init": _words(init),
        "simulations": _whole(simulations, "--simulations"),
        "points": _whole(points, "--points"),
        "batch": _whole(batch, "--batch"),
        "epochs": _whole(epochs, "--epochs"),
        "born": _whole(born, "--born"),
    }
    _run("dying-relu", given, seed, output, device, json, resume, overwrite, checkpoint_every)


@app.command("batchnorm-dropout")
def batchnorm_dropout(
    dataset: Annotated[
        str,
        _option("--dataset", "mnist, fashion-mnist, cifar10, digits, or a file.npz.", "NAME"),
    ] = "mnist",
    variant: Annotated[
        str, _option("--variant", "plain, bn, bn-input, bn-pixel, dropout, both.", "WORDS")
    ] = "plain,bn,bn-input,bn-pixel,dropout,both",
    dropout_placement: Annotated[
        str, _option("--dropout-placement", "dense, conv, before, last.", "WORDS")
    ] = "dense",
    seeds: Annotated[str, _option("--seeds", "Networks of each variant.")] = "10",
    epochs: Annotated[str, _option("--epochs", "Passes over the training set.")] = "20",
    batch: Annotated[str, _option("--batch", "The minibatch.")] = "128",
    rate: Annotated[str, _option("--rate", "Adam's learning rate, at its height.")] = "0.003",
    augment: Annotated[
        str, _option("--augment", "Random changes of images, e.g. shift2,flip.", "WORDS")
    ] = "",
    validation: Annotated[
        str, _option("--validation", "Training images held out in the test set's place.")
    ] = "0",
    data_dir: _Data = None,
    seed: _Seed = "0",
    output: _Output = None,
    device: _Device = "auto",
    json: _Json = False,
    resume: _Resume = False,
    overwrite: _Overwrite = False,
    checkpoint_every: _Keep = "15",
) -> None:
    """LeNet-5 with batch normalization, dropout, both (lab 3, problem 2)."""
    given = {
        "dataset": dataset.strip(),
        "variant": _words(variant),
        "dropout_placement": _words(dropout_placement),
        "seeds": _whole(seeds, "--seeds"),
        "epochs": _whole(epochs, "--epochs"),
        "batch": _whole(batch, "--batch"),
        "rate": _number(rate, "--rate"),
        "augment": augment,
        "validation": _whole(validation, "--validation"),
        "data_dir": data_dir,
    }
    _run(
        "batchnorm-dropout", given, seed, output, device, json, resume, overwrite, checkpoint_every
    )


@app.command()
def tables(
    directory: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Whose folders hold records.")
    ] = "tables/training",
) -> None:
    """Draw pages and figures anew from finished records; nothing is trained."""
    need("training", "training", *NEEDED)
    from training import runner  # noqa: PLC0415 - loads torch

    runner.redraw(Path(directory))


def _run(
    name: str,
    given: dict[str, Any],
    seed: str,
    output: str | None,
    device: str,
    json: bool,
    resume: bool,
    overwrite: bool,
    checkpoint_every: str,
) -> None:
    """Run an experiment and show what came of it."""
    need("training", "training", *NEEDED)
    if output is not None and not output.strip():
        raise TrainingError(f"--output: {quoted(output)} names no folder")
    if resume and overwrite:
        raise TrainingError("--resume keeps what --overwrite forgets", hint="choose one")
    keep = _number(checkpoint_every, "--checkpoint-every")
    from training import runner  # noqa: PLC0415 - loads torch
    from training.experiments import experiment  # noqa: PLC0415 - likewise

    chosen = experiment(name)(seed=_whole(seed, "--seed"), **given)
    place = Path(output) if output is not None else None
    try:
        record = runner.run(
            chosen, place, device=device, resume=resume, overwrite=overwrite, keep=keep
        )
    except KeyboardInterrupt:
        raise StoppedError("stopped; the same command with --resume goes on") from None
    if record is not None:
        form = "json" if json else "text"
        deliver(lambda: runner.blocks(record), lambda: runner.results(record), form, None)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",")) if text.strip() else ()


def _whole(text: str, option: str) -> int:
    stripped = text.strip()
    if re.fullmatch(r"[0-9]{1,19}", stripped):
        return int(stripped)
    raise TrainingError(f"{option}: {quoted(text)} is not a whole number")


def _number(text: str, option: str) -> float:
    if re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text.strip(), re.IGNORECASE):
        value = float(text)
        if 0 < value < float("inf"):
            return value
    raise TrainingError(f"{option}: {quoted(text)} is not a positive number")


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
