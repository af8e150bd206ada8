"""Floor 7: the commands of the experiments; nothing heavy is loaded before one is run."""

from __future__ import annotations

import inspect
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from archcalc.cli import deliver, execute
from archcalc.errors import need, quoted
from training.errors import StoppedError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from training.record import Record

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


def _number(text: str, option: str) -> float:
    if re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text.strip(), re.IGNORECASE):
        value = float(text)
        if 0 < value < float("inf"):
            return value
    raise TrainingError(f"{option}: {quoted(text)} is not a positive number")


def _from_zero(text: str, option: str) -> float:
    if re.fullmatch(r"0+(\.0*)?", text.strip()):
        return 0.0
    try:
        return _number(text, option)
    except TrainingError:
        fact = f"{option}: {quoted(text)} is neither 0 nor a positive number"
        raise TrainingError(fact) from None


def _several(read: Reader) -> Reader:
    def words(text: str, option: str) -> tuple[Any, ...]:
        split = text.split(",") if text.strip() else ()
        return tuple(read(word.strip(), option) for word in split)

    return words


_words, _wholes, _numbers = _several(_text), _several(_whole), _several(_number)


class _Option(NamedTuple):
    """How what is typed behind an option is read, and what its help says.

    Attributes:
        read: the field's value from its text.
        metavar: what is typed, in the help.
        meaning: the help's line.
        optional: where the text is empty, the experiment's own default holds.
        argument: it stands on its own, behind no word that begins with ``--``.
    """

    read: Reader
    metavar: str
    meaning: str
    optional: bool = False
    argument: bool = False


class _Command(NamedTuple):
    """An experiment's command.

    Attributes:
        meaning: the help's line.
        given: its options, which are the experiment's fields, with their default texts.
        own: those that are not, or mean something else, in :data:`OPTIONS`.
        explain: whether there is an explanation that needs no run.
    """

    meaning: str
    given: dict[str, str | None]
    own: dict[str, _Option] = {}
    explain: bool = False


OPTIONS: Final = {
    "activation": _Option(_words, "WORDS", "Activations: relu, leaky."),
    "augment": _Option(_text, "WORDS", "Random changes of images, e.g. shift2,flip."),
    "batch": _Option(_whole, "N", "The minibatch."),
    "born": _Option(_whole, "N", "Networks a width, for the theory of birth; 0 leaves it out."),
    "data_dir": _Option(_text, "FOLDER", "Where torchvision's data sets are; or ARCHCALC_DATA."),
    "dataset": _Option(_stripped, "NAME", "mnist, fashion-mnist, cifar10, digits, or a file.npz."),
    "dropout_placement": _Option(_words, "WORDS", "dense, conv, before, last."),
    "epochs": _Option(_whole, "N", "Passes over the training set."),
    "examples": _Option(_whole, "N", "Examples that they look at."),
    "function": _Option(_words, "WORDS", "Targets: abs, xsin5x, step."),
    "hidden_layers": _Option(_wholes, "NUMBERS", 'The paper\'s "10-layer" network has 9.'),
    "init": _Option(_words, "WORDS", "Initializations: he, torch, glorot, rai."),
    "loss": _Option(_words, "WORDS", "Losses: perceptron, hinge."),
    "networks": _Option(_whole, "N", "Networks of each combination."),
    "points": _Option(_whole, "N", "Points in a training set."),
    "rate": _Option(_numbers, "NUMBERS", "Learning rates."),
    "seeds": _Option(_whole, "N", "Networks of each variant."),
    "sets": _Option(_whole, "N", "Training sets; all are learnt from at once."),
    "setting": _Option(_text, "WORD", "ball (Godoy's blog), mnist (Perunicic's), digits."),
    "simulations": _Option(_whole, "N", "Networks of each combination."),
    "test_points": _Option(_whole, "N", "Test points, the same for all sets."),
    "validation": _Option(_whole, "N", "Training images held out in the test set's place."),
    "variant": _Option(_words, "WORDS", "plain, bn, bn-input, bn-pixel, dropout, both."),
    "width": _Option(_whole, "N", "Units a hidden layer."),
}

# Of the experiments with MiniGoogLeNet: options whose empty text leaves the preset's value.
_PRESET: Final = {
    field: _Option(read, metavar, f"{meaning}{' The preset has its own.' * optional}", optional)
    for field, read, metavar, meaning, optional in (
        ("preset", _stripped, "WORD", "quick: minutes on two cores; full: the assignment.", False),
        ("examples", _whole, "N", "Training images; 0 takes all.", True),
        ("validation", _whole, "N", "Training images that are held out.", True),
        ("test_examples", _whole, "N", "Test images; 0 takes all.", True),
        ("width", _number, "SHARE", "The share of the network's channels that is built.", True),
        ("size", _whole, "PIXELS", "To which images are resized.", True),
        ("augment", _text, "WORDS", "Random changes of images, e.g. shift3,flip; none.", True),
        ("momentum", _from_zero, "N", "Of SGD.", False),
        ("seeds", _whole, "N", "Networks of each way to train.", True),
        ("precision", _stripped, "WORD", "fp32 or bf16.", True),
        ("micro_batch", _whole, "N", "The most examples that are computed at once.", False),
        ("lr_min", _number, "N", "The lowest rate.", True),
        ("lr_max", _number, "N", "The highest rate.", True),
        ("lr_finder", _text, "FOLDER", "Of a finished lr-finder.", False),
        ("epochs", _whole, "N", "Passes over the training set.", True),
        ("step", _whole, "N", "Epochs of half a cycle.", True),
        ("decay", _number, "SHARE", "What is left of a cycle's height at the end.", False),
        ("smallest", _whole, "N", "The first batch; powers of two from here.", True),
        ("largest", _whole, "N", "The last one.", True),
        ("hold", _stripped, "STEPS", "How long a batch is kept: 80it, 2ep.", True),
        ("sweep_epochs", _whole, "N", "Passes over the training set, in the sweep.", False),
        ("sweep", _whole, "N", "Epochs in which one network's rate rises.", True),
        ("candidates", _whole, "N", "Rates from 1e-9 to 10.", False),
        ("trial", _whole, "N", "Passes over the training set, of each candidate.", True),
        ("b_min", _whole, "N", "The smallest batch.", True),
        ("b_max", _whole, "N", "The largest batch.", True),
        (
            "batch_finder",
            _text,
            "FOLDER",
            "Of a finished batch-finder, which has found both.",
            False,
        ),
    )
}
_RATES: Final = {
    "lr_min": "",
    "lr_max": "",
    "lr_finder": None,
    "epochs": "",
    "step": "",
    "decay": "0.1",
}
_NETWORK: Final = {
    "dataset": "fashion-mnist",
    "examples": "",
    "validation": "",
    "test_examples": "",
    "width": "",
    "size": "",
    "augment": "",
    "batch": "64",
    "momentum": "0.9",
    "seeds": "",
    "precision": "",
    "micro_batch": "1024",
    "data_dir": None,
}

COMMANDS: Final = {
    "perceptron": _Command(
        "Perceptron criterion and hinge loss on 20 points (homework 2, problem 1).",
        {
            "sets": "1000",
            "points": "20",
            "test_points": "1000",
            "epochs": "1000",
            "loss": "perceptron,hinge",
            "rate": "1,0.1",
        },
        {"epochs": _Option(_whole, "N", "Passes over a training set.")},
    ),
    "init": _Command(
        "Vanishing and exploding values in five layers at birth (lab 3, 1.1; homework 2, 2.1).",
        {
            "setting": "ball",
            "activation": "",
            "init": "",
            "networks": "20",
            "examples": "1000",
            "data_dir": None,
        },
        {
            "activation": _Option(
                _words, "WORDS", "sigmoid, tanh, relu, id, ...; the setting's own."
            ),
            "init": _Option(_words, "WORDS", "normal.01, glorot, he, ...; the setting's own."),
        },
    ),
    "dying-relu": _Command(
        "How many deep networks are constant (lab 3, 1.2 and 1.3; homework 2, 2.2 and 2.3).",
        {
            "activation": "relu,leaky",
            "function": "abs",
            "hidden_layers": "9,10",
            "width": "2",
            "init": "he",
            "simulations": "1000",
            "points": "3000",
            "batch": "64",
            "epochs": "50",
            "born": "20000",
        },
        {"points": _Option(_whole, "N", "Points in each network's training set.")},
    ),
    "batchnorm-dropout": _Command(
        "LeNet-5 with batch normalization, dropout, both (lab 3, 2; homework 2, 3).",
        {
            "dataset": "mnist",
            "variant": "plain,bn,bn-input,bn-pixel,dropout,both",
            "dropout_placement": "dense",
            "seeds": "10",
            "epochs": "20",
            "batch": "128",
            "rate": "0.003",
            "augment": "",
            "examples": "0",
            "validation": "0",
            "test_examples": "0",
            "data_dir": None,
        },
        {
            "examples": _Option(_whole, "N", "Training images; 0 takes all."),
            "rate": _Option(_number, "N", "Adam's learning rate, at its height."),
            "test_examples": _Option(_whole, "N", "Test images; 0 takes all."),
        },
    ),
    "dataset": _Command(
        "How large a data set is, its classes, and images of some (homework 2, problem 4.1).",
        {"dataset": "fashion-mnist", "validation": "5000", "classes": "0,1,2", "data_dir": None},
        {
            "dataset": OPTIONS["dataset"]._replace(argument=True),
            "validation": _Option(_whole, "N", "Training images held out for validation."),
            "classes": _Option(_wholes, "NUMBERS", "The classes of which images are shown."),
        },
    ),
    "lr-finder": _Command(
        "Between which rates MiniGoogLeNet learns (lab 3, 3.1; homework 2, 4.2).",
        {
            "preset": "quick",
            "candidates": "10",
            "epochs": "5",
            "sweep": "",
            "lr_min": "",
            "lr_max": "",
            **_NETWORK,
        },
        {
            **_PRESET,
            "epochs": _Option(_whole, "N", "Passes over the training set, of each candidate."),
            "lr_min": _Option(
                _number, "N", "Your reading of the curve; the rule's own.", optional=True
            ),
            "lr_max": _Option(_number, "N", "Likewise.", optional=True),
        },
    ),
    "cyclical-lr": _Command(
        "The rate in cycles: triangular, triangular2, exp_range (lab 3, 3.2; homework 2, 4.3).",
        {
            "preset": "quick",
            "policy": "triangular,triangular2,exp_range,constant,one-cycle",
            **_RATES,
            **_NETWORK,
        },
        {
            **_PRESET,
            "policy": _Option(
                _words, "WORDS", "triangular, triangular2, exp_range, constant, one-cycle."
            ),
        },
    ),
    "batch-size": _Command(
        "A batch that grows, or a network a batch size (lab 3, 3.3; homework 2, 4.4).",
        {
            "preset": "quick",
            "policy": "grow",
            "smallest": "",
            "largest": "",
            "hold": "",
            "sweep_epochs": "5",
            **_RATES,
            **_NETWORK,
        },
        _PRESET | {"policy": _Option(_stripped, "WORD", "grow or sweep.")},
    ),
    "batch-finder": _Command(
        "An algorithm that finds the range of batch sizes (homework 2, problem 4.5).",
        {
            "preset": "quick",
            "smallest": "",
            "largest": "",
            "trial": "",
            **_RATES,
            **_NETWORK,
        },
        _PRESET,
    ),
    "cyclical-batch": _Command(
        "The batch in cycles, beside the rate in cycles (homework 2, problem 4.6).",
        {
            "preset": "quick",
            "policy": "growing,decaying",
            "b_min": "",
            "b_max": "",
            "batch_finder": None,
            **_RATES,
            **_NETWORK,
        },
        _PRESET | {"policy": _Option(_words, "WORDS", "growing, decaying.")},
    ),
    "optimizers": _Command(
        "Adaptive methods, each with a rate of its own, on CIFAR-10 (lab 3, problem 4).",
        {
            "preset": "quick",
            "method": "adagrad,rmsprop,rmsprop-nesterov,adadelta,adam,nadam,adamw,sgd-nesterov",
            "dropout": "without,with",
            "rate": "",
            "search_epochs": "",
            "epochs": "",
            "weight_decay": "0.0001",
            "dataset": "cifar10",
            "examples": "",
            "validation": "",
            "test_examples": "",
            "size": "",
            "width": "",
            "batch": "128",
            "seeds": "",
            "precision": "",
            "data_dir": None,
        },
        {
            **_PRESET,
            "dropout": _Option(_words, "WORDS", "without, with."),
            "epochs": _PRESET["epochs"]._replace(
                meaning="Passes over all training images, with the chosen rate; the preset's."
            ),
            "method": _Option(
                _words,
                "WORDS",
                "adagrad, rmsprop, rmsprop-nesterov, adadelta, adam, nadam, adamw, sgd-nesterov.",
            ),
            "rate": _Option(
                _numbers, "NUMBERS", "The grid, the same for all; the preset's.", optional=True
            ),
            "search_epochs": _Option(_whole, "N", "Of every rate; the preset's.", optional=True),
            "weight_decay": _Option(_from_zero, "N", "The L2 penalty; AdamW has its own."),
            "width": _Option(_whole, "N", "Units a hidden layer; the preset's.", optional=True),
        },
        explain=True,
    ),
    "rate-and-batch": _Command(
        "All of lab 3, problem 3 and homework 2, problem 4, one after the other.",
        {"preset": "quick", "lr_min": "", "lr_max": "", "b_min": "", "b_max": "", **_NETWORK},
        _PRESET,
    ),
    "all": _Command(
        "Everything that both assignments ask for, one after the other, and the report of it.",
        {"preset": "quick", "data_dir": None},
        _PRESET,
    ),
}


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _declared(field: str, metavar: str, meaning: str) -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(_flag(field), metavar=metavar, help=meaning)


def _typed(field: str, option: _Option) -> Any:  # noqa: ANN401 - typer's own
    if option.argument:
        return typer.Argument(metavar=option.metavar, help=option.meaning)
    return _declared(field, option.metavar, option.meaning)


@app.callback()
def _experiments() -> None:
    """What is common to all experiments stands in the application's help."""


def _run(
    name: str,
    given: dict[str, Any],
    *,
    seed: Annotated[str, _declared("seed", "N", "Where all random numbers come from.")] = "0",
    output: Annotated[
        str | None,
        _declared(
            "output", "FOLDER", "Folder for record, tables and figures; runs/... if not said."
        ),
    ] = None,
    device: Annotated[str, _declared("device", "DEVICE", "auto, cpu or cuda.")] = "auto",
    json: Annotated[
        bool, typer.Option("--json", help="The numbers as JSON on standard output.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished record.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Forget what is in the folder.")
    ] = False,
    checkpoint_every: Annotated[
        str, _declared("checkpoint_every", "SECONDS", "Seconds between checkpoints.")
    ] = "15",
) -> None:
    """Run an experiment and show what came of it; its keywords are options of every command."""
    need("training", "training", *NEEDED)
    if output is not None and not output.strip():
        raise TrainingError(f"--output: {quoted(output)} names no folder")
    if resume and overwrite:
        raise TrainingError("--resume keeps what --overwrite forgets", hint="choose one")
    keep = _number(checkpoint_every, "--checkpoint-every")
    from training import chain, runner  # noqa: PLC0415 - loads torch
    from training.experiments import experiment  # noqa: PLC0415 - likewise

    given["seed"] = _whole(seed, "--seed")
    place = Path(output) if output is not None else None
    how: Any = {"device": device, "resume": resume, "overwrite": overwrite, "keep": keep}
    form = "json" if json else "text"
    try:
        if name == chain.ALL:
            _everything(given, place, form, how)
            return
        if name == chain.CHAIN:
            for _, one in chain.run(given, place or runner.RUNS / name, **how):
                _deliver(one, form)
            return
        record = runner.run(experiment(name)(**given), place, **how)
    except KeyboardInterrupt:
        raise StoppedError("stopped; the same command with --resume goes on") from None
    if record is not None:
        _deliver(record, form)


def _everything(given: dict[str, Any], place: Path | None, form: str, how: Any) -> None:  # noqa: ANN401 - the runner's keywords
    """Run all parts, show what came of each, and fail where one did."""
    from training import chain, runner  # noqa: PLC0415 - loads torch

    folder = place or runner.RUNS / f"{chain.ALL}-{given['preset']}"
    found = chain.everything(given, folder, **how)
    if not found:  # another rank than the first
        return
    deliver(lambda: chain.blocks(found, folder), lambda: chain.data(found, folder), form, None)
    if failed := [one.part for one in found if one.why]:
        fact = f"{', '.join(failed)} failed; why is said above"
        raise TrainingError(fact, status=1)


def _deliver(record: Record, form: str) -> None:
    """Show what came of a run."""
    from training import runner  # noqa: PLC0415 - loads torch

    deliver(lambda: runner.blocks(record), lambda: runner.results(record), form, None)


def _explain(name: str, given: dict[str, Any], form: str) -> None:
    """Show what an experiment's question asks for that is no result."""
    need("training", "training", *NEEDED)
    from training import runner  # noqa: PLC0415 - loads torch
    from training.experiments import experiment  # noqa: PLC0415 - likewise

    blocks, data = runner.explanation(experiment(name)(**given))
    deliver(lambda: blocks, lambda: data, form, None)


def _mount(name: str) -> None:
    """Make an experiment's command: its own options, then those of :func:`_run`."""
    command = COMMANDS[name]
    known = OPTIONS | command.own
    options = {field: known[field] for field in command.given}

    def typed(**texts: Any) -> None:  # noqa: ANN401 - a text, a flag or nothing
        given: dict[str, Any] = {}
        explain = texts.pop("explain", False)
        for field, option in options.items():
            text = texts.pop(field)
            # None: not typed, and without a default text.
            if text is not None and (text or not option.optional):
                given[field] = option.read(text, _flag(field))
        if explain:
            _explain(name, given, "json" if texts["json"] else "text")
        else:
            _run(name, given, **texts)

    own = [
        inspect.Parameter(
            field,
            inspect.Parameter.KEYWORD_ONLY,
            default=command.given[field],
            annotation=Annotated[str | None, _typed(field, option)],
        )
        for field, option in options.items()
    ]
    if command.explain:
        flag = typer.Option("--explain", help="The theory: every equation and its terms; no run.")
        one = inspect.Parameter("explain", inspect.Parameter.KEYWORD_ONLY, default=False)
        own.append(one.replace(annotation=Annotated[bool, flag]))
    parameters = inspect.signature(_run, eval_str=True).parameters.values()
    common = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
    # Typer reads the options off the signature.
    vars(typed)["__signature__"] = inspect.Signature([*own, *common])
    app.command(name, help=command.meaning)(typed)


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
    from training import runner  # noqa: PLC0415 - loads torch

    runner.redraw(Path(directory))


@app.command("report")
def _report(
    directory: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Whose folders hold records.")
    ] = "tables/training",
    assignment: Annotated[
        str, _declared("assignment", "WORD", "lab3, homework2 or both.")
    ] = "both",
    form: Annotated[str, _declared("format", "WORD", "html or markdown.")] = "html",
    output: Annotated[
        str | None, _declared("output", "FILE", "The page; report.html or report.md if not said.")
    ] = None,
) -> None:
    """Answer every question of both assignments from finished records; nothing is trained."""
    need("training", "training", *NEEDED)
    from training import report  # noqa: PLC0415 - loads torch
    from training.progress import say  # noqa: PLC0415 - loads rich

    place = report.write(
        Path(directory), None if output is None else Path(output), form, assignment
    )
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
