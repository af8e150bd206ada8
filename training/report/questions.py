"""What the two assignments ask, in our words, and where each answer is written."""

from __future__ import annotations

from typing import Final, NamedTuple


class Question(NamedTuple):
    """A numbered question.

    Attributes:
        number: as the assignment counts: the problem, a point, the part.
        asked: what it asks for, in a line.
        answer: a folder of the experiments and a block of its template, ``init:layers``.
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


def _problem(number: str, title: str, template: str, table: str) -> Problem:
    """A problem from a line a question: its part, its block, and what it asks for.

    Blocks are in the problem's template, if they do not name another.
    """
    lines = (line.split(maxsplit=2) for line in table.strip().splitlines())
    questions = (
        Question(f"{number}.{part}", asked, block if ":" in block else f"{template}:{block}")
        for part, block, asked in lines
    )
    return Problem(number, title, tuple(questions))


def _initialization(number: str) -> Problem:
    table = """
        1 init:layers Why gradients vanish with tanh and sigmoid; Glorot's initialization, and He's
        2 relu What fraction of 1,000 deep, narrow ReLU networks collapses
        3 leaky What fraction of them collapses with leaky ReLU
    """
    return _problem(number, "Weight initialization, dead neurons, leaky ReLU", "dying_relu", table)


def _regularization(number: str) -> Problem:
    table = """
        1 terms What co-adaptation and internal covariate shift are
        2 hidden Batch norm in hidden layers: what it has learnt in each
        3 input Batch norm of the input too: its parameters, accuracy and loss
        4 dropout Dropout in place of batch norm
        5 both Both together
    """
    title = "Batch normalization, dropout, LeNet-5 on MNIST"
    return _problem(number, title, "batchnorm_dropout", table)


_RATES: Final = "Learning rate and batch size, MiniGoogLeNet on Fashion-MNIST"
_RANGE: Final = "lr_finder:range Ten rates from 1e-9 to 10: the training loss, lr-min and lr-max"
_CURVES: Final = "cyclical_lr:curves A cyclical rate with exponential decay: loss and accuracy"

LAB3: Final = Assignment(
    "lab3",
    "Lab 3",
    (
        _initialization("1"),
        _regularization("2"),
        _problem(
            "3",
            _RATES,
            "batch_size",
            f"""
            1 {_RANGE}
            2 {_CURVES}
            3 grow A batch that grows at lr-max: does it generalize like a rate that falls?
            """,
        ),
        _problem(
            "4",
            "Adaptive learning rate methods, CIFAR-10",
            "optimizers",
            """
            1 equations The update equations of five methods, and how AdaDelta and Adam differ
            2 plain Training with L2 regularization: which has the lowest training loss
            3 dropout Training with dropout: training loss, the best method, and time
            4 accuracy Test accuracy without and with dropout
            """,
        ),
        _problem(
            "5",
            "Architectures of convolutional networks",
            "architectures",
            """
            1 alexnet AlexNet's parameters, layer by layer
            2 vgg19 Activations and parameters of VGG19: Table 1, filled in
            3 field Why N stacked FxF convolutions see as much as one, and what three of 5x5 see
            4a idea The idea of an Inception module
            4b sizes The sizes of its output, naive and reduced
            4c operations Its convolutional operations, naive and reduced
            4d saving What is wrong with the naive one, and how much reduction saves
            """,
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
            """
            1 perceptron The perceptron criterion on 20 points, tested on 1,000
            2 hinge The hinge loss on the same points
            3 better Which of them is more accurate, and why
            4 steadier Which depends less on the 20 points that are drawn
            """,
        ),
        _initialization("2"),
        _regularization("3"),
        _problem(
            "4",
            _RATES,
            "batch_finder",
            f"""
            1 dataset:summary Fashion-MNIST: its sizes and classes, and images of three classes
            2 {_RANGE}
            3 {_CURVES}
            4 sweep The training loss over the batch size at lr-min: is it like that over rates?
            5 algorithm b-min and b-max, and an algorithm that finds them, as a block diagram
            6 cyclical_batch:policy A cyclical batch size: growing or decaying, and training with it
            7 cyclical_batch:best Which cyclical policy has the best accuracy, rate or batch
            """,
        ),
    ),
)

ASSIGNMENTS: Final = {one.name: one for one in (LAB3, HOMEWORK2)}
BOTH: Final = "both"
