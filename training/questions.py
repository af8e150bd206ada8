"""Floor 0: what the two assignments ask, in our words, and where each answer is written."""

from __future__ import annotations

from typing import Final, NamedTuple


class Question(NamedTuple):
    """A numbered question.

    Attributes:
        number: as the assignment counts: the problem, a point, the part.
        asked: what it asks for, in a line.
        answer: a template of :mod:`training.answers` and a block of it, ``init:layers``.
    """

    number: str
    asked: str
    answer: str


class Problem(NamedTuple):
    """A problem of an assignment, and its questions in order."""

    number: str
    title: str
    questions: tuple[Question, ...]


class Assignment(NamedTuple):
    """An assignment.

    Attributes:
        name: for ``--assignment`` and the page's anchors.
        title: above it.
        problems: in order.
    """

    name: str
    title: str
    problems: tuple[Problem, ...]


def _problem(number: str, title: str, template: str, *asked: tuple[str, str, str]) -> Problem:
    """A problem all of whose answers but those with a ``:`` are in one template."""
    questions = (
        Question(f"{number}.{part}", words, block if ":" in block else f"{template}:{block}")
        for part, words, block in asked
    )
    return Problem(number, title, tuple(questions))


def _initialization(number: str) -> Problem:
    return _problem(
        number,
        "Weight initialization, dead neurons, leaky ReLU",
        "dying_relu",
        (
            "1",
            "Why gradients vanish with tanh and sigmoid, what Glorot's initialization does about "
            "it, and why ReLU wants He's",
            "init:layers",
        ),
        ("2", "What fraction of 1,000 deep, narrow ReLU networks collapses", "relu"),
        ("3", "What fraction of them collapses with leaky ReLU", "leaky"),
    )


def _regularization(number: str) -> Problem:
    return _problem(
        number,
        "Batch normalization, dropout, LeNet-5 on MNIST",
        "batchnorm_dropout",
        ("1", "What co-adaptation and internal covariate shift are", "terms"),
        (
            "2",
            "Standard normalization of the input, batch norm in hidden layers: what batch norm "
            "has learnt in each layer",
            "hidden",
        ),
        ("3", "Batch norm of the input too: its parameters, accuracy and loss", "input"),
        ("4", "Dropout in place of batch norm", "dropout"),
        ("5", "Both together", "both"),
    )


_RATES: Final = (
    (
        "Ten learning rates from 1e-9 to 10: the training loss over the rate, lr-min and lr-max",
        "lr_finder:range",
    ),
    ("A cyclical learning rate with exponential decay: loss and accuracy", "cyclical_lr:curves"),
)

LAB3: Final = Assignment(
    "lab3",
    "Lab 3",
    (
        _initialization("1"),
        _regularization("2"),
        _problem(
            "3",
            "Learning rate and batch size, MiniGoogLeNet on Fashion-MNIST",
            "batch_size",
            ("1", *_RATES[0]),
            ("2", *_RATES[1]),
            (
                "3",
                "A batch that grows at the rate lr-max: its training loss, and whether it "
                "generalizes like a rate that falls",
                "grow",
            ),
        ),
        _problem(
            "4",
            "Adaptive learning rate methods, CIFAR-10",
            "optimizers",
            (
                "1",
                "The update equations of five methods, their terms and hyperparameters, and how "
                "AdaDelta and Adam differ from RMSProp",
                "equations",
            ),
            ("2", "Training with L2 regularization: which has the lowest training loss", "plain"),
            ("3", "Training with dropout: training loss, the best method, and time", "dropout"),
            ("4", "Test accuracy without and with dropout", "accuracy"),
        ),
        _problem(
            "5",
            "Architectures of convolutional networks",
            "architectures",
            ("1", "AlexNet's parameters, layer by layer", "alexnet"),
            ("2", "Activations and parameters of VGG19: Table 1, filled in", "vgg19"),
            (
                "3",
                "Why N stacked FxF convolutions see as much as one of (NF - N + 1)x(NF - N + 1), "
                "and what three of 5x5 see",
                "field",
            ),
            ("4a", "The idea of an Inception module", "idea"),
            ("4b", "The sizes of its output, naive and reduced", "sizes"),
            ("4c", "Its convolutional operations, naive and reduced", "operations"),
            ("4d", "What is wrong with the naive one, and how much reduction saves", "saving"),
        ),
    ),
)

HOMEWORK2: Final = Assignment(
    "homework2",
    "Homework 2",
    (
        _problem(
            "1",
            "Perceptron",
            "perceptron",
            ("1", "The perceptron criterion on 20 points, tested on 1,000", "perceptron"),
            ("2", "The hinge loss on the same points", "hinge"),
            ("3", "Which of them is more accurate, and why", "better"),
            ("4", "Which depends less on the 20 points that are drawn", "steadier"),
        ),
        _initialization("2"),
        _regularization("3"),
        _problem(
            "4",
            "Learning rate and batch size, MiniGoogLeNet on Fashion-MNIST",
            "batch_size",
            (
                "1",
                "Fashion-MNIST: its sizes, classes, images per class, and images of three classes",
                "dataset:summary",
            ),
            ("2", *_RATES[0]),
            ("3", *_RATES[1]),
            (
                "4",
                "The training loss over the batch size at the rate lr-min, and whether it is like "
                "that over rates",
                "batch_finder:sweep",
            ),
            (
                "5",
                "b-min and b-max, and an algorithm that finds them, as a block diagram",
                "batch_finder:algorithm",
            ),
            (
                "6",
                "A cyclical batch size: growing or decaying, and training with it",
                "cyclical_batch:policy",
            ),
            (
                "7",
                "Which cyclical policy has the best accuracy, rate or batch",
                "cyclical_batch:best",
            ),
        ),
    ),
)

ASSIGNMENTS: Final = {one.name: one for one in (LAB3, HOMEWORK2)}
BOTH: Final = "both"
