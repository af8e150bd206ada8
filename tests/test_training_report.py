"""The report answers every question of both assignments, from records and nothing else."""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from copy import deepcopy
from functools import cache
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from jinja2 import FileSystemLoader
from PIL import Image

import training
from archcalc.main import run
from training import chain, cli
from training.engine import statistics
from training.engine.record import FILE, Record
from training.experiments import claims, experiment, module, parts, runner
from training.experiments.cyclical_batch import answer as cyclical_batch
from training.experiments.minigooglenet import answer as minigooglenet
from training.report import page as report
from training.report.page import Page
from training.report.questions import ASSIGNMENTS
from training.report.sources import Computed, by_name

HERE = Path(__file__).parent
TABLES = HERE.parent / "tables"
COMMITTED = TABLES / "training"
THERE = [name for name in parts.EVERY if report.Run(name, COMMITTED).there]
TEXTS = HERE.parents[1] / "shared" / "assignments"
PACKAGE = Path(training.__file__).parent
TEMPLATES = {path.parent.name: path for path in sorted(PACKAGE.glob("experiments/*/*.md.jinja"))}
NAMES = [*ASSIGNMENTS, "both"]
pytestmark = pytest.mark.usefixtures("quick")

# -------------------------------------------------------------------------- what has to be answered


class Asked(NamedTuple):
    """A question, or a part of one, and what its answer cannot do without."""

    assignment: str
    number: str
    what: str
    patterns: tuple[str, ...]


# With its interval, or the values of fewer than five networks.
PART = r"(?:\d+\.\d+ % \[\d+\.\d+, \d+\.\d+\]|\d+\.\d+(?:, \d+\.\d+){0,3} %)"
GAIN = r"[+-]\d+\.\d+(?: \[[+-]\d+\.\d+, [+-]\d+\.\d+\]|(?:, [+-]\d+\.\d+){0,3})"
NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?"
LOSS = rf"{NUMBER}(?: \[{NUMBER}, {NUMBER}\]|(?:, {NUMBER}){{0,3}})"
TWO = rf"{LOSS} and {LOSS}, respectively"
AGREED = r"(?:higher|lower|equal) in (?:\d of \d pairs|all \d pairs|both pairs|the one pair)"
VERDICT = rf"(?:better|worse|no difference shown|{AGREED}(?:, too few to prove anything)?)"
FIVE = ("AdaGrad", "RMSProp", r"RMSProp \+ Nesterov", "AdaDelta", "Adam")
SECONDS = r"(?:[\d.]+ s|[\d,]+ (?:min|h) \d+ (?:s|min))"


def row(*cells):
    """The pattern of a table's row that begins with these cells."""
    return r"^\| " + r" \| ".join(cells) + r" \|"


def lab3(number, what, *patterns):
    """What lab 3 alone asks."""
    return [Asked("lab3", number, what, patterns)]


def homework2(number, what, *patterns):
    """What homework 2 alone asks."""
    return [Asked("homework2", number, what, patterns)]


def both(one, two, what, *patterns):
    """What both ask, each under a number of its own."""
    return [Asked("lab3", one, what, patterns), Asked("homework2", two, what, patterns)]


# Read off the assignments line by line.
CHECKLIST = [
    # ------------------------------------------------------------------- weights at birth
    *both(
        "1.1",
        "2.1",
        "vanishing gradients, sigmoid, several standard deviations",
        *(
            rf"^\| sigmoid \| normal{size} \| the signal \w+ and the gradient \w+ \| x {LOSS} "
            for size in (r"\.01", r"\.1", "1")
        ),
        row(
            "sigmoid", r"normal\S+", r"the signal \w+ and the gradient vanishes", *[f"x {LOSS}"] * 2
        ),
        r"slope of a sigmoid is at most",
        r"^FORMULA$",
    ),
    *both(
        "1.1",
        "2.1",
        "vanishing gradients, tanh, several standard deviations",
        *(
            rf"^\| tanh \| normal{size} \| the signal \w+ and the gradient \w+ \| x {LOSS} "
            for size in (r"\.01", r"\.1", "1")
        ),
        row("tanh", r"normal\S+", r"the signal \w+ and the gradient vanishes", *[f"x {LOSS}"] * 2),
    ),
    *both(
        "1.1",
        "2.1",
        "Xavier's initialization helps",
        rf"^tanh, glorot beside normal\.01: .* {TWO}; .* is more even\.$",
        rf"^tanh, glorot beside normal1: .* {TWO}; .* is more even\.$",
        rf"^sigmoid, glorot beside normal\.01: .* {TWO}; .* is more even\.$",
    ),
    *both(
        "1.1",
        "2.1",
        "He's is better than Xavier's for ReLU",
        rf"^relu, he beside glorot: .* {TWO}; .* is more even\.$",
        row("relu", "glorot", ".*", f"x {LOSS}", f"x {LOSS}"),
        row("relu", "he", ".*", f"x {LOSS}", f"x {LOSS}"),
    ),
    *both(
        "1.1",
        "2.1",
        "activations at each of the five layers",
        r"init-ball/ball-sigmoid\.png",
        r"init-ball/ball-tanh\.png",
        r"init-ball/ball-relu\.png",
        row("tanh", "normal1", *[NUMBER] * 5),
        row("relu", "he", *[NUMBER] * 5),
    ),
    # ------------------------------------------------------------------- dying ReLU
    *both(
        "1.2",
        "2.2",
        "the phenomenon, on a function of the paper",
        r"dying-relu/functions-9\.png",
        r"dying-relu/collapse\.png",
        r"\((?:abs|xsin5x|step), he; 3,000 points, batch 64\)",
    ),
    *both(
        "1.2",
        "2.2",
        "the fraction of 1,000 that collapsed",
        rf"^Of 1,000 ReLU networks with 9 hidden layers of width 2 .* {PART} are constant after",
        row("relu", "abs", "9", "he", PART, PART, PART, PART, NUMBER),
        r"are constant after \d+ epochs and .* at birth: [\d,]+ died in training, [\d,]+ came back",
    ),
    *both(
        "1.2",
        "2.2",
        "whether it is over 90 %",
        "(?:it is over 90 %|it is not over 90 %|on which side cannot be told)",
        row("he", "over 90 %.*", "abs", "9", PART, PART),
    ),
    *both(
        "1.3",
        "2.3",
        "the fraction with leaky ReLU",
        rf"9 hidden layers .*: {PART} of the leaky networks are constant and {PART} of the ReLU",
        r"^FORMULA$",
    ),
    *both(
        "1.3",
        "2.3",
        "whether leaky ReLU helped",
        r"Does leaky ReLU help\? (?:Yes, by both|Only by the|Not shown)",
    ),
    # ------------------------------------------------------------------- batch norm and dropout
    *both(
        "2.1",
        "3.1",
        "co-adaptation, with an example",
        "For example, one unit finds",
        "Srivastava",
        "^Co-adaptation: a unit that is of use only in the company of certain others",
    ),
    *both(
        "2.1",
        "3.1",
        "internal covariate shift, with an example",
        "For example, C3 has learnt",
        "Ioffe, Szegedy",
        "^Internal covariate shift: the distribution of what a layer reads changes",
    ),
    *both(
        "2.2",
        "3.2",
        "learned parameters for each layer",
        *(
            row(layer, letter, r"\d+", *[NUMBER] * 4)
            for layer in ("C1", "C3", "C5", "F6")
            for letter in ("gamma", "beta")
        ),
    ),
    *both(
        "2.2",
        "3.2",
        "standard normalization of the input, batch norm of hidden layers",
        "whole training set",
        "minibatch",
        r"^FORMULA$",
    ),
    *both(
        "2.3",
        "3.3",
        "violin plots, with the input",
        r"batchnorm-dropout/batch-norm\.png",
        row("input", "gamma", r"\d+", *[NUMBER] * 4),
        row("input", "beta", r"\d+", *[NUMBER] * 4),
        *(row(layer, "gamma", r"\d+", *[NUMBER] * 4) for layer in ("C1", "C3", "C5", "F6")),
    ),
    *both(
        "2.3",
        "3.3",
        "train and test accuracy and loss of the two",
        row("a", "bn", PART, NUMBER, NUMBER, rf"{NUMBER} %", NUMBER),
        row("b", "bn-input", PART, NUMBER, NUMBER, rf"{NUMBER} %", NUMBER),
        r"batchnorm-dropout/curves\.png",
    ),
    *both(
        "2.3",
        "3.3",
        "whether batch norm of the input improved it",
        r"Does batch norm of the input .* improve the network\? "
        rf"(?:Yes|No, it|It is not shown|Higher|Lower).*: test accuracy {GAIN} percentage points, "
        rf"test loss {GAIN}, training accuracy {GAIN}",
    ),
    *both(
        "2.4",
        "3.4",
        "dropout against batch norm of parts 2 and 3",
        rf"^Dropout in place of batch norm: test accuracy {GAIN} percentage points, {VERDICT};",
        rf"^Dropout in place of batch norm, that of the input too: test accuracy {GAIN} percentage "
        rf"points, {VERDICT};",
    ),
    *both("2.4", "3.4", "probabilities 0.2 and 0.5", r"0\.2 of the\s+input", r"0\.5 of hidden"),
    *both(
        "2.5",
        "3.5",
        "both against dropout alone and against batch norm alone",
        rf"^Both against batch norm alone: test accuracy {GAIN} percentage points, {VERDICT};",
        rf"^Both against dropout alone: test accuracy {GAIN} percentage points, {VERDICT};",
    ),
    # ------------------------------------------------------------------- rates and batches
    *both(
        "3.1",
        "4.2",
        "ten rates from 1e-9 to 10, five epochs, batch 64",
        r"^10 rates, 5 epochs each",
        row("1e-09", NUMBER, NUMBER, rf"{NUMBER} %"),
        row("10", NUMBER, NUMBER, rf"{NUMBER} %"),
        "batches of 64",
    ),
    *both("3.1", "4.2", "the figure", r"lr-finder/lr-finder\.png"),
    *both("3.1", "4.2", "lr-min and lr-max", rf"^lr-min = {NUMBER}, lr-max = {NUMBER}\.$"),
    *both(
        "3.2",
        "4.3",
        "exponential decay, batch 64, between lr-min and lr-max",
        r"gamma = .* = 0\.\d+:",
        rf"^Rates between {NUMBER} and {NUMBER}, \d+ epochs, half a cycle \d+ epochs?, batch 64",
        r"^FORMULA$",
    ),
    *both(
        "3.2",
        "4.3",
        "training and validation loss and accuracy",
        r"cyclical-lr/curves\.png",
        row("exp_range", PART, PART, PART, NUMBER, NUMBER),
    ),
    *lab3(
        "3.3",
        "the training loss while the batch grows from 32 in factors of 2",
        r"batch-size-grow/grow\.png",
        row("32", r"[\d,]+", r"[\d,]+", NUMBER, NUMBER),
        row("64", r"[\d,]+", r"[\d,]+", NUMBER, NUMBER),
        row("1,024", r"[\d,]+", r"[\d,]+", NUMBER, NUMBER),
        "^Rate 0.11 throughout",
    ),
    *lab3(
        "3.3",
        "effective batches",
        row("batch norm by running statistics", NUMBER, NUMBER),
        row("batch norm by the statistics of each part", NUMBER, NUMBER),
    ),
    *lab3(
        "3.3",
        "whether it generalizes like the cyclical rate",
        r"^Does growing the batch at a fixed rate generalize like a cyclical rate that decays\? .*"
        rf" {GAIN} points, {VERDICT}; in test accuracy: {GAIN}",
        row("grow", PART, PART, PART, NUMBER, NUMBER),
    ),
    # ------------------------------------------------------------------- adaptive methods
    *lab3(
        "4.1",
        "the update equations of five methods",
        *(rf"^{name} \([^\n]*\)\n+FORMULA$" for name in FIVE),
    ),
    *lab3(
        "4.1",
        "each term",
        "FORMULA: the parameters: weights and biases",
        "FORMULA: the learning rate",
        "FORMULA: the sum of all squared gradients so far",
        "FORMULA: the running mean of squared gradients",
        "FORMULA: the velocity",
        "FORMULA: the running mean of squared steps",
        "FORMULA: the running mean of gradients: the first moment",
        "FORMULA: the mean of squares, without the pull of its first value",
    ),
    *lab3(
        "4.1",
        "the hyperparameters of each policy",
        *(row(name, rf"FORMULA = {NUMBER}.*", NUMBER) for name in FIVE),
        rf"^\| Adam \| FORMULA = {NUMBER}, FORMULA = {NUMBER}, FORMULA = {NUMBER} \|",
    ),
    *lab3("4.1", "AdaDelta beside RMSProp", "^AdaDelta beside RMSProp: .* numerator"),
    *lab3("4.1", "Adam beside RMSProp", "^Adam beside RMSProp: .* momentum"),
    *lab3(
        "4.2",
        "the training loss over epochs, all five, with L2 regularization",
        r"[^-]optimizers/training-loss\.png",
        *(row(name, NUMBER, LOSS, LOSS, LOSS, PART) for name in FIVE),
        "L2 penalty",
    ),
    *lab3("4.2", "which is best", r"^Without dropout, .* ends with the lowest training loss"),
    *lab3(
        "4.3",
        "the training loss with dropout beside that without",
        *(row(name, NUMBER, LOSS, LOSS, LOSS, PART) for name in FIVE),
        *(row(name, LOSS, LOSS, GAIN, VERDICT) for name in FIVE),
    ),
    *lab3("4.3", "which is best", r"^With dropout, .* ends with the lowest training loss"),
    *lab3(
        "4.3",
        "training time with and without dropout",
        *(row(name, r"[\d.]+ \(.*\)", SECONDS, r"[\d.]+ \(.*\)", SECONDS, NUMBER) for name in FIVE),
    ),
    *lab3(
        "4.4",
        "test accuracy of all five, without and with dropout",
        *(row(name, PART, PART, GAIN, VERDICT) for name in FIVE),
        r"[^-]optimizers/scores\.png",
    ),
    *lab3(
        "4.4",
        "scaling of the weights",
        row("inverted: nothing is scaled", rf"{NUMBER} %"),
        row("original form, weights times 1 - p", rf"{NUMBER} %"),
        r"by 0\.8 behind the input, by 0\.5 behind hidden",
    ),
    # ------------------------------------------------------------------- architectures
    *lab3(
        "5.1",
        "calculations for each layer",
        *(
            rf"^\| {layer} \| {re.escape(working)} \| [\d,]+ \| [\d,]+ \|"
            for layer, working in {
                "conv1": "(11*11*3)*96 = 34,848",
                "conv2": "(5*5*(96/2))*256 = 307,200",
                "conv3": "(3*3*256)*384 = 884,736",
                "conv4": "(3*3*(384/2))*384 = 663,552",
                "conv5": "(3*3*(384/2))*256 = 442,368",
                "fc6": "(6*6*256)*4096 = 37,748,736",
                "fc7": "4096*4096 = 16,777,216",
                "fc8": "4096*1000 = 4,096,000",
            }.items()
        ),
        r"^\| conv1 \| 96 filters of 11x11x3, stride 4, padding 0 \|",
    ),
    *lab3(
        "5.1",
        "the total",
        row("total", "60,954,656", "10,568", "60,965,224"),
        r"34944 \+ 307456 \+ 885120 .* = 60,965,224",
    ),
    *lab3(
        "5.2",
        "table 1, filled in",
        r"CONV3-64 \| 224\*224\*64=3\.2M \| \(3\*3\*3\)\*64 = 1,728",
        r"CONV3-128 \| 112\*112\*128=1\.6M \| \(3\*3\*64\)\*128 = 73,728",
        r"CONV3-128 \| 112\*112\*128=1\.6M \| \(3\*3\*128\)\*128 = 147,456",
        r"CONV3-256 \| 56\*56\*256=800K \| \(3\*3\*128\)\*256 = 294,912",
        r"CONV3-512 \| 28\*28\*512=400K \| \(3\*3\*256\)\*512 = 1,179,648",
        r"CONV3-512 \| 14\*14\*512=100K \| \(3\*3\*512\)\*512 = 2,359,296",
        *(
            rf"POOL2 \| {size} \| 0"
            for size in (
                r"112\*112\*64=800K",
                r"56\*56\*128=400K",
                r"28\*28\*256=200K",
                r"14\*14\*512=100K",
                r"7\*7\*512=25K",
            )
        ),
        r"FC \| 4096 \| \(7\*7\*512\)\*4096 = 102,760,448",
        r"FC \| 1000 \| 4096\*1000 = 4,096,000",
        row("TOTAL", "16,542,184", "143,652,544"),
    ),
    *lab3(
        "5.3",
        "the proof for N layers",
        "^Proof, by induction",
        "One layer.",
        "One layer more.",
        "So it holds for every",
        r"(?:\nFORMULA\n[^#]*){5}",
    ),
    *lab3(
        "5.3",
        "three filters of 5x5",
        row("conv3", "5x5", "13", ".*", r"9 \+ \(5 - 1\)\*1 = 13"),
        r"3\*5 - 3 \+ 1 = 13",
        "Receptive field of the stack: 13x13",
    ),
    *lab3(
        "5.4a",
        "the idea",
        "An Inception module does not choose",
        row("1x1", ".*", "1x1", "32x32x128"),
        row("5x5", ".*", "5x5", "32x32x96"),
        "max pool",
    ),
    *lab3(
        "5.4b",
        "both output sizes",
        r"128 \+ 192 \+ 96 \+ 256 = 672",
        r"128 \+ 192 \+ 96 \+ 64 = 480",
        "naive module's output is 32x32x672, the other's 32x32x480",
    ),
    *lab3(
        "5.4c",
        "the operations of both",
        r"\(32\*32\*96\)\*\(5\*5\*256\) = 629,145,600",
        r"\(32\*32\*96\)\*\(5\*5\*32\) = 78,643,200",
        "1,115,684,864 of the naive module, 397,410,304 of the one with dimension reduction",
    ),
    *lab3(
        "5.4d",
        "the problem, and how reduction helps",
        r"5x5 branch alone takes .* = 629,145,600 MACs, 56\.4 %",
        r"629,145,600 MACs become 8,388,608 \+ 78,643,200 = 87,031,808",
    ),
    *lab3(
        "5.4d",
        "how much it saves",
        r"1,115,684,864 - 397,410,304 = 718,274,560 MACs, 64\.38 %",
        r"2\.807 times fewer",
    ),
    # ------------------------------------------------------------------- perceptron
    *homework2(
        "1.1",
        "the perceptron's accuracy on 1,000 test points, from 20",
        "^One training set of 20 points, [0-9,]+ epochs, 1,000 test points",
        row("perceptron, rate 1", rf"{NUMBER} %", PART),
        row("perceptron, rate 1", PART, rf"{NUMBER} %", rf"{NUMBER} %"),
        r"^FORMULA$",
    ),
    *homework2(
        "1.2",
        "the hinge loss's accuracy on the same points",
        row("hinge, rate 1", rf"{NUMBER} %", PART),
        "training and test points are the same",
    ),
    *homework2(
        "1.3",
        "which is more accurate, and why",
        rf"^Which is better\? Rate 1: .* (?:is|neither test accuracy is) better.*: {GAIN}",
        "moves the line towards\\s+the middle of the gap",
        r"^What was seen after [\d,]+ epochs: "
        "(?:so it is|it is the other way round|these training sets do not tell) with rate",
    ),
    *homework2(
        "1.4",
        "which depends less on the training points",
        r"^Which changes less\? Rate 1: (?:the|neither) .* changes less.* disagree on [\d.]+ % "
        rf".* and on [\d.]+ % .*, a difference of {GAIN}",
    ),
    # ------------------------------------------------------------------- homework 2, problem 4
    *homework2("4.1", "total size", row("all", *[r"[\d,]+"] * 3, "70,000")),
    *homework2("4.1", "training set", r"[\d,]+ of its 60,000 training images are held out"),
    *homework2(
        "4.1",
        "validation set",
        row("class", "to learn from", "for validation", "test set", "total"),
        row("all", r"[\d,]+", r"[\d,]+", "10,000", "70,000"),
        r"[\d,]+ .* are held out",
    ),
    *homework2("4.1", "number of classes", "Fashion-MNIST: 10 classes"),
    *homework2(
        "4.1",
        "images of each class",
        *(
            row(f"{place} {name}", r"[\d,]+", r"\d+", "1,000", "7,000")
            for place, name in enumerate(
                (
                    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
                    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
                )
            )
        ),
    ),
    *homework2(
        "4.1",
        "three representative images of three classes",
        r"dataset/images\.png",
        *(
            row(name, *[rf"[\d,]+ \({NUMBER}\)"] * 3, NUMBER)
            for name in ("0 T-shirt/top", "1 Trouser", "2 Pullover")
        ),
    ),
    *homework2(
        "4.4",
        "the training loss over the batch size",
        r"batch-finder/reading\.png",
        row("64", r"\d+", NUMBER, PART, NUMBER),
        row("512", r"\d+", NUMBER, PART, NUMBER),
        "^Rate 0.0036; loss:",
    ),
    *homework2(
        "4.4",
        "whether it is like the loss over rates",
        r"^Is the loss like that over rates\? .* it is .* from .*\. "
        "(?:The rate is fixed, so|That is not the side of small rates)",
    ),
    *homework2(
        "4.5",
        "b-min and b-max",
        r"b-min = [\d,]+ and b-max = [\d,]+",
    ),
    *homework2(
        "4.5",
        "the algorithm, and its block diagram",
        r"batch-finder/block-diagram\.png",
        "The algorithm: 1. .* 2. .* 3. .* 4. .* 5. .* 6. .* 7. ",
    ),
    *homework2(
        "4.6",
        "increase or decrease",
        r"a falling rate and a\s+growing batch both lower it",
    ),
    *homework2(
        "4.6",
        "training with it at lr-min",
        r"cyclical-batch/curves\.png",
        rf"^Batches between [\d,]+ and [\d,]+ at rate {NUMBER}, ",
        row("growing", PART, PART, PART, NUMBER, NUMBER),
        r"^FORMULA$",
    ),
    *homework2(
        "4.7",
        "which policy has the best accuracy",
        rf"^The highest mean of the best validation accuracies is that of \w+, {PART}; it is ",
        r"^Which cyclical policy has the better best accuracy, .*: "
        rf"{GAIN} percentage points; the batch is ",
        row("growing", PART, r"[\d,]+"),
        row("exp_range", PART, r"[\d,]+"),
        r"cyclical-batch/comparison\.png",
    ),
]

# --------------------------------------------------------------------------- reading a page


def sections(text):
    """What stands below each anchor, up to the next."""
    found = re.split(r'<a id="([^"]+)"></a>', text)
    # The rest of an anchor's line is its heading, which answers nothing.
    return {
        name: re.sub(r"^.*?(?:</h\d>|\n|$)", "", below, count=1)
        for name, below in zip(found[1::2], found[2::2], strict=True)
    }


def read(text, pictures):
    """Markdown or HTML as plain lines: cells between bars, formulas as ``FORMULA``."""
    if "</p>" in text or "<table>" in text or "<figure>" in text:
        text = re.sub(
            r'<img src="data:image/png;base64,([^"]+)" alt="[^"]*"\s*/?>',
            lambda found: f"\n{pictures[base64.b64decode(found[1])]}\n",
            text,
        )
        text = re.sub(
            r"<math\b[^>]*display=\"block\".*?</math>", "\n\nFORMULA\n\n", text, flags=re.DOTALL
        )
        text = re.sub(r"<math\b.*?</math>", "FORMULA", text, flags=re.DOTALL)
        text = re.sub(r"</t[dh]>\s*(?=<t[dh])", " | ", text)
        text = re.sub(r"<tr>\s*", "\n| ", text)
        text = re.sub(r"</t[dh]>\s*</tr>", " |\n", text)
        text = re.sub(r"</?(?:p|li|caption|figure|figcaption|div|ul)\b[^>]*>", "\n", text)
        text = unescape(re.sub(r"<[^>]+>", "", text))
    else:
        text = re.sub(r"^\$\$\n.*?^\$\$$", "FORMULA", text, flags=re.DOTALL | re.MULTILINE)
        text = re.sub(r"\$[^$\n]+\$", "FORMULA", text)
        text = text.replace("**", "").replace("`", "")
        text = re.sub(r"^\*(.*)\*$", r"\1", text, flags=re.MULTILINE)
        text = re.sub(r"\\([\\|*_<>\[\]`])", r"\1", text)
    return re.sub(r"\n{2,}", "\n\n", text)


def answered(found, anchor):
    """A section, or the one that it names as its answer."""
    text = found.get(anchor, "")
    if "and answered there" in text:
        target = re.search(r'[("]#([a-z0-9]+-[0-9.a-d]+)[)"]', text)
        return found.get(target[1], "") if target else ""
    return text


def unanswered(found, names):
    """Of some assignments, what in the checklist has no answer.

    Args:
        found: what a page has below its anchors, as plain lines.
        names: of the assignments that the page is of.
    """
    return [
        one
        for one in CHECKLIST
        if one.assignment in names
        and not all(
            re.search(pattern, answered(found, f"{one.assignment}-{one.number}"), re.MULTILINE)
            for pattern in one.patterns
        )
    ]


def asked_of(assignment):
    """The assignments of a page."""
    return list(ASSIGNMENTS) if assignment == "both" else [assignment]


# --------------------------------------------------------------------------- pages


@pytest.fixture(scope="module")
def computed():
    """What archcalc computes for a page, computed once."""
    return Computed()


@pytest.fixture(scope="module")
def quick(computed):
    """A context in which committed records are read once, and nothing is computed twice."""
    whole = cache(Record.read.__func__)

    def once(folder):
        if COMMITTED in folder.parents:
            return whole(Record, folder)
        return whole.__wrapped__(Record, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Record, "read", once)
        patch.setattr(report, "Computed", lambda: computed)
        yield patch


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Writes a page of the committed records once, and says where it is."""

    @cache
    def written(form, assignment):
        output = tmp_path_factory.mktemp(f"{form}-{assignment}") / "a page"
        output.mkdir()
        return report.write(COMMITTED, output / report.FORMS[form], form, assignment)

    return written


@pytest.fixture(scope="module")
def pictures(computed):
    """The name of every picture that a page can show, by its bytes."""
    found = {
        path.read_bytes(): f"{path.parent.name}/{path.name}" for path in COMMITTED.rglob("*.png")
    }
    return found | {data: f"{name}.png" for name, data in computed.pictures.items()}


@pytest.fixture(scope="module")
def lines(page, pictures):
    """The sections of a page as plain lines, with what leads to other sections as it was."""

    @cache
    def plain(form, assignment):
        return plain_sections(page(form, assignment).read_text(), pictures)

    return plain


def plain_sections(text, pictures):
    """The sections of a page as plain lines; those that lead to another as they are."""
    return {
        name: below if "and answered there" in below else read(below, pictures)
        for name, below in sections(text).items()
    }


every = [
    pytest.mark.parametrize("form", report.FORMS),
    pytest.mark.parametrize("assignment", NAMES),
]


def every_page(test):
    """Of both forms, for every word behind ``--assignment``."""
    for mark in every:
        test = mark(test)
    return test


# --------------------------------------------------------------------------- 1 to 3: the checklist


@every_page
def test_every_question_is_answered(lines, form, assignment):
    """Every question of both assignments, small ones too, has its answer in its own section."""
    missing = unanswered(lines(form, assignment), asked_of(assignment))
    assert [one[:3] for one in missing] == []


@pytest.mark.parametrize("form", report.FORMS)
def test_every_demand_of_the_checklist_is_looked_for(lines, form):
    """Whatever a pattern looks for, a section without it has no answer."""
    found = lines(form, "both")
    for one in CHECKLIST:
        anchor = f"{one.assignment}-{one.number}"
        text = answered(found, anchor)
        for pattern in one.patterns:
            bare = re.sub(pattern, "", text, flags=re.MULTILINE)
            assert bare != text
            assert one in unanswered({**found, anchor: bare}, [one.assignment])


@pytest.mark.parametrize("anchor", sorted({f"{one[0]}-{one[1]}" for one in CHECKLIST}))
def test_a_section_without_an_answer_is_noticed(lines, anchor):
    """A section that is empty, only a heading, or gone is told for every demand of it."""
    found = lines("markdown", "both")
    name, _, number = anchor.partition("-")
    own = [one for one in CHECKLIST if (one.assignment, one.number) == (name, number)]
    gone = {key: text for key, text in found.items() if key != anchor}
    for bare in ({**found, anchor: ""}, {**found, anchor: "**not run**: `archcalc`"}, gone):
        missing = unanswered(bare, NAMES)
        assert [one for one in missing if one in own] == own


def template(name, block, text):
    """A template's text, with another one in a block's place."""
    source = TEMPLATES[name].read_text()
    found = re.sub(
        rf"({{% block {block} %}}).*?({{% endblock %}})",
        lambda match: match[1] + text + match[2],
        source,
        flags=re.DOTALL,
    )
    assert found != source
    return found


@pytest.fixture
def templates(tmp_path, monkeypatch):
    """A folder whose templates are read in the place of the package's."""
    folder = tmp_path / "training"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(report, "PackageLoader", lambda *_: FileSystemLoader(folder))
    return folder / "experiments"


def test_an_empty_template_is_noticed(templates, pictures, tmp_path):
    """Where a template's block is empty, its question has no answer, and every other has."""
    (templates / "perceptron" / "answer.md.jinja").write_text(template("perceptron", "better", ""))
    output = report.write(COMMITTED, tmp_path / "page.md", "markdown", "homework2")
    missing = unanswered(plain_sections(output.read_text(), pictures), ["homework2"])
    assert {one.number for one in missing} == {"1.3"}


def test_a_missing_template_stops_the_page(templates, tmp_path):
    """Where a question's block is nowhere, there is no page."""
    text = (templates / "perceptron" / "answer.md.jinja").read_text()
    worse = text.replace("block better", "block worse")
    (templates / "perceptron" / "answer.md.jinja").write_text(worse)
    with pytest.raises(KeyError, match="better"):
        report.write(COMMITTED, tmp_path / "page.md", "markdown", "homework2")
    assert not (tmp_path / "page.md").exists()


def numbered(text):
    """The numbers of an assignment's questions, as it counts them, in order."""
    problem, inside, found = "", False, []
    for line in text.splitlines():
        if heading := re.match(r"\W*Problem (\d+)\b", line):
            problem, inside = heading[1], True
        elif re.search(r"References:", line):
            inside = False
        elif inside and (question := re.match(r"(\d+)\. ", line)):
            found.append(f"{problem}.{question[1]}")
        elif inside and (part := re.match(r"[\s-]*\(([a-z])\) ", line)):
            found.append(re.sub("[a-z]$", "", found[-1]) + part[1])
    return [one for one in found if f"{one}a" not in found]


def test_the_numbers_of_questions_are_read():
    """Parts replace their question, and a list of references holds no questions."""
    text = "1. no\n### Problem 1 - *A*\n1. x\n2. y\n  - (a) z\n (b) z\n#### References:\n1. r\n"
    assert numbered(f"{text}Problem 2 - B\n1. x\n") == ["1.1", "1.2a", "1.2b", "2.1"]


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_checklist_is_complete(name):
    """The checklist and the report have every numbered question of the assignment, and no other."""
    if not TEXTS.is_dir():
        pytest.skip("the assignments are not beside the repository")
    asked = numbered((TEXTS / f"{name}.txt").read_text())
    assert len(asked) > 15
    reported = [one.number for problem in ASSIGNMENTS[name].problems for one in problem.questions]
    assert reported == asked
    assert {one.number for one in CHECKLIST if one.assignment == name} == set(asked)


def test_the_checklist_and_the_report_have_the_same_questions():
    """Every question of the report is in the checklist, and the other way round."""
    reported = {
        (one.name, question.number)
        for one in ASSIGNMENTS.values()
        for problem in one.problems
        for question in problem.questions
    }
    assert {one[:2] for one in CHECKLIST} == reported


def test_a_question_of_both_is_answered_once(page):
    """In a report of both, what both ask is answered in lab 3; homework 2 alone has it in full."""
    whole, alone = (sections(page("markdown", name).read_text()) for name in ("both", "homework2"))
    links = {name for name, text in whole.items() if "and answered there" in text}
    assert len(links) == 10
    assert all(name.startswith("homework2-") for name in links)
    assert not any("and answered there" in text for text in alone.values())
    for name in links:
        there = re.search(r"\(#(lab3-[0-9.]+)\)", whole[name])[1]
        # Links to sections and the way to the pictures are not the same.
        bare = [re.sub(r"\(#?[^()\s]*\)", "", text) for text in (whole[there], alone[name])]
        assert [one.split("From: ")[0].split() for one in bare] == [
            bare[0].split("From: ")[0].split()
        ] * 2


# --------------------------------------------------------------------------- 4: what is not run


def spoken(text):
    """A page's own words, without commands and links."""
    return re.sub(r"\[[^\]]*\]\([^)]*\)", "", re.sub(r"(`+).*?\1", "", text))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A page of no records at all, in Markdown, and the folder of these records."""
    folder = tmp_path_factory.mktemp("no records") / "my records"
    folder.mkdir()
    return report.write(folder, folder.parent / "page.md", "markdown").read_text(), folder


def of_runs():
    """Questions whose answer is written from runs, and of which."""
    for one in ASSIGNMENTS.values():
        for problem in one.problems:
            for question in problem.questions:
                name, _, block = question.answer.partition(":")
                text = TEMPLATES[name].read_text()
                inside = re.search(rf"{{% block {block} %}}(.*?){{% endblock %}}", text, re.DOTALL)
                runs = re.findall(r'run\("([a-z-]+)"\)', inside[1])
                if runs:
                    yield f"{one.name}-{question.number}", runs, inside[1]


@pytest.fixture
def typed(monkeypatch):
    """What a command line gives an experiment: its name, its options, and its folder."""
    found = {}

    def take(name, given, *, output=None, **_how):
        found.update(name=name, given=given, output=output)

    monkeypatch.setattr(cli, "_run", take)

    def read(command):
        first, *args = shlex.split(command)
        assert first == "archcalc"
        assert run(args) == 0
        return found["name"], found["given"], found["output"]

    return read


def test_what_is_not_run_says_so_with_its_command(bare, typed):
    """Without records every question about data is "not run", with the command that fills it."""
    text, folder = bare
    found = sections(text)
    for anchor, runs, _ in of_runs():
        if anchor.startswith("homework2-") and "and answered there" in found[anchor]:
            continue
        commands = re.findall(r"\*\*not run\*\*: `([^`]+)`", found[anchor])
        assert commands
        assert "From: " not in found[anchor]
        for command in commands:
            name, given, output = typed(command)
            part = parts.EVERY[Path(output).name]
            assert Path(output).name in runs
            assert Path(output).parent == folder
            made = experiment(name)(**given)
            assert made == experiment(part.of)(**part.more)
    listed = found["not-run"]
    for anchor, _, _ in of_runs():
        assert f"#{anchor}" in listed or "and answered there" in found[anchor]


def test_what_is_not_run_shows_no_result(bare):
    """No number that looks like a result stands in the answer to what is not run."""
    found = sections(bare[0])
    for anchor, _, _ in of_runs():
        given = {number for numbers in TYPED.values() for number in numbers}
        assert set(results_in(spoken(found[anchor]))) <= given
    assert "run-" not in "".join(found)


def test_what_is_run_is_not_called_missing(page):
    """With all records there, nothing but full sizes is "not run", in tables as in paragraphs."""
    found = sections(page("markdown", "both").read_text())
    for anchor, _, _ in of_runs():
        assert "not run" not in found[anchor].replace("at full size **not run**", "")


def test_the_look_for_results_can_fail(lines):
    """Every section about runs has numbers that would be found."""
    found = lines("markdown", "both")
    given = {number for numbers in TYPED.values() for number in numbers}
    for anchor, _, _ in of_runs():
        assert set(results_in(answered(found, anchor))) - given


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder of records with one of ReLU networks alone: half of the committed one."""
    folder = tmp_path_factory.mktemp("small") / "dying-relu"
    shutil.copytree(COMMITTED / "dying-relu", folder)
    record = Record.read(folder)
    record.configuration |= {"activation": ["relu"], "hidden_layers": [9], "born": 0}
    own = {name: array for name, array in record.arrays.items() if name.startswith("9x2/")}
    record.arrays = {name: array[: len(array) // 2] for name, array in own.items()}
    record.save(folder)
    return folder.parent


def answer(records, anchor, form="markdown", output=Path("page")):
    """The answer to one question."""
    name, _, number = anchor.partition("-")
    one = ASSIGNMENTS[name]
    (question,) = (q for p in one.problems for q in p.questions if q.number == number)
    return Page(records, output, form).answer(one, question)


def test_what_a_record_lacks_is_not_run(small, typed):
    """A record without leaky networks answers the question about ReLU, and not the other one."""
    relu, leaky = (answer(small, f"lab3-1.{part}") for part in (2, 3))
    assert "Of 1,000 ReLU networks with 9 hidden layers" in relu
    assert "**not run**" not in relu.replace("at full size **not run**", "")
    command, *_ = re.findall(r"\*\*not run\*\*: `([^`]+)`", leaky)
    assert command.endswith(" --overwrite")
    assert typed(command)[1:] == (
        {**typed(parts.command("dying-relu"))[1]},
        str(small / "dying-relu"),
    )
    assert "of the leaky networks are constant" not in leaky
    assert "From: the run [dying-relu](#run-dying-relu)" in relu
    assert "From: " not in leaky  # which shows nothing of this record


def test_an_unfinished_record_is_none(small, tmp_path):
    """What a run has written until it is finished is not shown."""
    record = Record.read(small / "dying-relu")
    record.about["finished"] = ""
    folder = tmp_path / "dying-relu"
    folder.mkdir()
    record.save(folder)
    shutil.copy(small / "dying-relu" / "collapse.png", folder)
    text = answer(tmp_path, "lab3-1.2")
    assert "Of 1,000 ReLU networks" not in text
    assert "collapse.png" not in text
    assert f"**not run**: `archcalc training dying-relu --output {folder}`" in text


def complaint(capsys, *args):
    """The one line that a wrong command line gets, and its exit status."""
    status = run(["training", "report", *map(str, args)])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("archcalc: ")
    return status, err.strip()


def test_a_record_of_another_experiment_is_refused(tmp_path, capsys):
    """A record in the folder of another part is named in one line, and no page is written."""
    shutil.copytree(COMMITTED / "dataset", tmp_path / "perceptron")
    status, said = complaint(capsys, tmp_path, "--output", tmp_path / "page.html")
    assert status == 2
    assert f"{tmp_path / 'perceptron'} holds a record of dataset, not of perceptron" in said
    assert not (tmp_path / "page.html").exists()


def test_a_damaged_record_is_refused(tmp_path, capsys):
    """A record that is cut off is named in one line, and no page is written."""
    folder = tmp_path / "perceptron"
    folder.mkdir()
    data = (COMMITTED / "dataset" / FILE).read_bytes()
    (folder / FILE).write_bytes(data[: len(data) // 2])
    status, said = complaint(
        capsys, tmp_path, "--assignment", "homework2", "--output", tmp_path / "page.html"
    )
    assert status == 2
    assert f"{folder / FILE}: the record is damaged" in said
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("anchor", "name", "asked"),
    [
        ("homework2-4.1", "dataset", "fashion-mnist"),
        ("lab3-2.5", "batchnorm-dropout", "mnist"),
    ],
)
def test_where_other_images_stood_in_it_says_so(tmp_path, anchor, name, asked):
    """A run on digits is named as one, and what is not run is that on the assignment's images."""
    record = Record.read(COMMITTED / name)
    other = Record(record.experiment, {**record.configuration, "dataset": "digits"})
    other.about, other.arrays = record.about, record.arrays
    (tmp_path / name).mkdir()
    other.save(tmp_path / name)
    text = answer(tmp_path, anchor)
    said = re.search(
        rf"\(--dataset digits, not {asked}\b.*; at full size \*\*not run\*\*: `(.*?)`\)", text
    )
    assert said[1].startswith(f"archcalc training {name}")


# --------------------------------------------------------------------------- 5: what the data say


def named(of, name, change):
    """Blocks of a committed record whose results are changed."""
    record = Record.read(COMMITTED / of)
    found = deepcopy(runner.results(record)["results"])
    change(found)
    answer = module(record.experiment, "answer")
    return by_name(answer.blocks(runner.experiment_of(record), found))[name]


@pytest.mark.parametrize(
    ("collapsed", "sentence"),
    [
        ([0.915, 0.9001, 0.93], "it is over 90 %, as the paper says."),
        ([0.915, 0.9, 0.93], "on which side cannot be told."),
        ([0.88, 0.85, 0.9], "on which side cannot be told."),
        ([0.88, 0.85, 0.8999], "it is not over 90 %."),
        ([1.0, 0.996, 1.0], "it is over 90 %, as the paper says."),
    ],
)
def test_the_interval_says_whether_it_is_over_ninety(collapsed, sentence):
    """Over 90 % is an interval above it, not over 90 % one below it; one that meets it is open."""

    def change(results):
        for group in results["groups"]:
            group["curve"][-1]["collapsed"] = collapsed

    said = named("dying-relu", "fraction", change)
    assert len(said) == 2
    assert all(one.endswith(sentence) for one in said)


@pytest.mark.parametrize(
    ("exact", "near", "said"),
    [
        ((0.0, 0.4), (0.1, 0.4), "Yes, by both criteria."),
        ((0.0, 0.4), (0.1, 0.5), "Only by the exact criterion."),
        ((0.0, 0.5), (0.1, 0.4), "Only by the near one."),
        ((0.4, 0.5), (0.4, 0.5), "Not shown."),
        ((0.7, 0.9), (0.7, 0.9), "Not shown."),
    ],
)
def test_the_intervals_say_whether_leaky_relu_helps(exact, near, said):
    """Leaky ReLU helps by a criterion where its interval ends before ReLU's begins."""

    def change(results):
        for group in results["groups"]:
            last = group["curve"][-1]
            leaky = group["activation"] == "leaky"
            last["collapsed"] = [0.5, *(exact if leaky else (0.5, 0.6))]
            last["nearly_constant"] = [0.5, *(near if leaky else (0.5, 0.6))]

    found = named("dying-relu", "help", change)
    assert len(found) == 2
    assert all(one.endswith(f"Does leaky ReLU help? {said}") for one in found)


@pytest.mark.parametrize(
    ("he", "glorot", "told"),
    [
        (2.0, 4.0, "2 [2, 2] and 4 [4, 4], respectively; too few to say."),
        ((1.9, 2.0, 2.1), 4.0, "4 [4, 4], respectively; he is more even."),
        (4.0, (1.9, 2.0, 2.1), "respectively; glorot is more even."),
        (
            (0.24, 0.25, 0.26),
            2.0,
            "and 2 [2, 2], respectively; glorot is more even.",
        ),
        ((0.45, 0.5, 0.55), 2.0, "and 2 [2, 2], respectively; neither is more even."),
        (0.0, 2.0, "infinity and 2 [2, 2], respectively; too few to say."),
    ],
)
def test_the_more_even_initialization_is_named(he, glorot, told):
    """Of two initializations the one whose factor is nearer to 1, if the networks tell it."""

    def change(results):
        for group in results["groups"]:
            factor = {"he": he, "glorot": glorot}.get(group["init"], 1.0)
            each = factor if isinstance(factor, tuple) else (factor,) * 3
            group["ends"] = {
                "example_std": [[1.0, one] for one in (*each, *each)],
                "delta_std": [[1.0, 1.0]] * 6,
            }

    found = named("init-ball", "beside", change)
    (said,) = (one for one in found if one.startswith("relu, he beside glorot: "))
    assert said.endswith(told)
    (even,) = (one for one in named("init-ball", "even", change) if one.startswith("relu: "))
    assert ", normal.01 keeps signal and gradient most even, within a factor of 1 [1, 1]" in even


def test_of_few_networks_nothing_is_told_apart():
    """The factors of fewer than five networks are shown, and who is more even is not told."""

    def change(results):
        for group in results["groups"]:
            for measure, ends in group["ends"].items():
                group["ends"][measure] = ends[:2]

    for said in named("init-ball", "beside", change):
        assert said.endswith("lower in both pairs, too few to prove anything.")
        assert "[" not in said
    for said in named("init-ball", "even", change):
        assert said.endswith("too few to prove anything.")


@pytest.mark.parametrize(
    ("first", "last", "fate"),
    [
        (1.0, 1.0, "lasts"),
        (0.1001, 1.0, "lasts"),
        (0.0999, 1.0, "vanishes"),
        (9.99, 1.0, "lasts"),
        (10.01, 1.0, "explodes"),
        (0.0, 1.0, "is gone"),
        (1.0, 0.0, "is gone"),
    ],
)
def test_what_becomes_of_a_gradient_is_told(first, last, fate):
    """A gradient that falls below a tenth on its way back vanishes, above tenfold it explodes."""

    def change(results):
        for group in results["groups"]:
            group["ends"] = dict.fromkeys(group["ends"], [[first, last]] * 5)

    (table,) = named("init-ball", "fates", change)
    assert {cells[2].text.partition(" and ")[2] for cells in table.rows} == {f"the gradient {fate}"}


def contest(**each):
    """Results of policies with these best accuracies, a network each."""
    scores = {
        name: {"mean": list(statistics.proportion(own)), "each": own} for name, own in each.items()
    }
    pairs = [
        {
            "one": name,
            "two": "exp_range",
            "best_val_accuracy": claims.paired(own, each["exp_range"]),
        }
        for name, own in each.items()
        if name != "exp_range"
    ]
    arms = {name: {"final": {"best_val_accuracy": one}} for name, one in scores.items()}
    return {"arms": arms, "pairs": pairs}


RATES = [0.80, 0.81, 0.79, 0.82, 0.78]


@pytest.mark.parametrize(
    ("growing", "winner", "which"),
    [
        ([0.90, 0.91, 0.89, 0.92, 0.87], r"growing, .*; it is told apart from exp_range", "better"),
        ([0.70, 0.71, 0.69, 0.72, 0.67], r"exp_range, .*; it is told apart from growing", "worse"),
        (
            [0.81, 0.80, 0.79, 0.82, 0.79],
            "growing, .*; it is not told apart from exp_range",
            "not shown to be better or worse",
        ),
        (
            [0.79, 0.80, 0.79, 0.82, 0.79],
            "exp_range, .*; it is not told apart from growing",
            "not shown to be better or worse",
        ),
    ],
)
def test_the_best_policy_is_told_apart_by_the_interval(growing, winner, which):
    """The policy with the higher mean is named, and told apart where the interval excludes 0."""
    results = contest(growing=growing, exp_range=RATES)
    assert re.fullmatch(f"that of {winner}", minigooglenet.winner(results, "best_val_accuracy"))
    (said,) = cyclical_batch._which(results)
    assert f"percentage points; the batch is {which}." in said


@pytest.mark.parametrize(
    ("growing", "agreed"),
    [([0.9, 0.9], "higher in both pairs"), ([0.9, 0.8], "higher in 1 of 2 pairs")],
)
def test_of_two_seeds_the_values_are_shown(growing, agreed):
    """Two pairs have no interval and no verdict: whether they agree is said, and what it proves."""
    results = contest(growing=growing, exp_range=[0.8, 0.81])
    said = minigooglenet.winner(results, "best_val_accuracy")
    values = ", ".join(f"{100 * one:.2f}" for one in growing)
    few = "too few to prove anything"
    assert said == f"that of growing, {values} %; it is {agreed} than that of exp_range, {few}"
    (said,) = cyclical_batch._which(results)
    assert f"percentage points; the batch is {agreed}, {few}." in said
    assert "[" not in said


def test_the_best_of_three_policies_is_told_apart_from_each():
    """From some policies the best can be told apart and from others not, and both are said."""
    results = contest(
        growing=[0.82, 0.81, 0.79, 0.82, 0.79],
        decaying=[one - 0.1 for one in RATES],
        exp_range=RATES,
    )
    assert minigooglenet.winner(results, "best_val_accuracy").endswith(
        "it is told apart from decaying; not told apart from exp_range"
    )


@pytest.mark.parametrize(
    ("gain", "better", "steadier"),
    [
        ([0.1, 0.05, 0.15], "the hinge loss's test", "the perceptron criterion's classification"),
        ([-0.1, -0.2, -0.05], "the perceptron criterion's test", "the hinge loss's classification"),
        ([0.1, 0.0, 0.2], "neither test", "neither classification"),
        ([-0.1, -0.2, 0.0], "neither test", "neither classification"),
    ],
)
def test_the_better_loss_is_named(gain, better, steadier):
    """Hinge or perceptron: the one that the difference's interval favours, or neither."""

    def change(results):
        for pair in results["hinge_minus_perceptron"]:
            pair["disagreement"] = dict(zip(("value", "low", "high"), gain, strict=True))
            for point in pair["gain"]:
                point["accuracy"] = gain

    for said in named("perceptron", "better", change)[1:]:  # the first is of one draw
        assert len(re.findall(rf"epochs {better} accuracy is better", said)) == 2
    for said in named("perceptron", "steadier", change):
        assert f"{steadier} changes less" in said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([0.1, 0.01, 0.2], "better"),
        ([-0.1, -0.2, -0.01], "worse"),
        ([0.1, 0.0, 0.2], "no difference shown"),
        ([-0.1, -0.2, 0.0], "no difference shown"),
        ([0.0, -0.1, 0.1], "no difference shown"),
        ([0.1, None, None], "too few to say"),
        ([0.1, 0.1, 0.1], "too few to say"),
        ([0.1, None, None, [0.1]], "higher in the one pair, too few to prove anything"),
        ([-0.1, None, None, [-0.1, -0.1]], "lower in both pairs, too few to prove anything"),
        ([0.1, None, None, [0.2, 0.1, 0.0]], "higher in 2 of 3 pairs, too few to prove anything"),
        ([0.0, None, None, [0.0] * 4], "equal in all 4 pairs, too few to prove anything"),
        ([None, None, None, [None, 0.1]], "higher in 1 of 2 pairs, too few to prove anything"),
    ],
)
def test_a_verdict_is_that_of_the_interval(found, said):
    """Better is an interval above 0, worse one below it; of too few pairs whether they agree."""
    assert claims.verdict(found) == said


@pytest.mark.parametrize(
    ("early", "late", "seen", "before"),
    [
        (-0.1, 0.1, "so it is", "the perceptron criterion's test accuracy is"),
        (0.1, 0.1, "so it is", "the hinge loss's test accuracy is"),
        (-0.1, -0.1, "it is the other way round", "the perceptron criterion's test accuracy is"),
        (0.0, 0.0, "these training sets do not tell", "neither test accuracy is"),
    ],
)
def test_what_theory_expects_of_the_hinge_loss_is_looked_for(early, late, seen, before):
    """That the hinge loss is better at the end is said where it is, and how many are not done.

    Who is better after ten epochs is said beside it, as it may be another.
    """

    def change(results):
        for group in results["groups"]:
            group["curve"][-1]["separated"] = 0.75
        for pair in results["hinge_minus_perceptron"]:
            for point in pair["gain"]:
                gain = early if point["epochs"] <= 10 else late
                point["accuracy"] = [gain, gain - 0.05, gain + 0.05, []]

    (said,) = named("perceptron", "why", change)
    assert said == f"What was seen after 1,000 epochs: {seen} with rate 1 and rate 0.1."
    for one in named("perceptron", "better", change)[1:]:
        assert f": after 10 epochs {before} better" in one
    (table,) = named("perceptron", "final", change)
    assert {row_[4].text for row_ in table.rows} == {"75.0 %"}


@pytest.mark.parametrize(
    ("factor", "word", "sums"), [(0.5, "less", "more"), (2.0, "more", "less"), (1.0, "not", "not")]
)
def test_what_batch_norm_keeps_from_moving_is_what_is_seen(factor, word, sums):
    """Where means move less or more is read off the seeds, of what tanh reads as of the sums."""

    def change(results):
        for group in results["groups"]:
            own = factor if group["name"] == "bn" else 1.0
            for where, scale in (("read", own), ("weighted", 1.0)):
                moved = [[[scale * (1 + seed / 9)] * 4] * 3 for seed in range(6)]
                group["drift"][where]["each"] = moved

    said = next(
        one
        for one in named("batchnorm-dropout", "covariate-shift", change)
        if isinstance(one, str) and one.startswith("How far the mean")
    )
    told = {"not": "too few to say"}.get(word, word)
    assert f"in the first epoch {told} in C1, C3, C5 and F6; later {told} in C1" in said
    assert f"of their deviations an epoch, {'too few to say' if sums == 'not' else sums}." in said


@pytest.mark.parametrize(
    ("dropped", "said"),
    [(0.1, "depend on one another less"), (0.5, "depend on one another more")],
)
def test_whether_units_need_one_another_is_what_is_seen(dropped, said):
    """With dropout units depend on one another less where silencing half of them costs less."""

    def change(results):
        for group in results["groups"]:
            drop = group["name"].startswith("dropout")
            costs = [dropped + seed / 100 if drop else 0.3 for seed in range(5)]
            group["silenced_each"] = [[0.9, 0.9, 0.9, 0.9 - cost, 0.1] for cost in costs]

    (found,) = (
        one
        for one in named("batchnorm-dropout", "co-adaptation", change)
        if isinstance(one, str) and one.startswith("Half of F6")
    )
    assert found.endswith(f"with dropout units {said}.")


@pytest.mark.parametrize(
    ("difference", "said"), [(1e-7, "nothing but rounding"), (0.1, "more than rounding")]
)
def test_rounding_is_called_so_where_it_is_as_small(difference, said):
    """A batch in parts differs by rounding alone only where the difference is that small."""

    def change(results):
        results["parts"]["frozen_gradient"][0] = difference

    (table,) = named("batch-size-grow", "parts", change)
    assert said in table.notes[0]


@pytest.mark.parametrize(
    ("low", "said"), [(1e-9, "no later."), (10.0, "later."), (None, "cannot be told")]
)
def test_whether_the_sweep_falls_later_is_what_is_seen(low, said):
    """The sweep's curve falls later than that of the candidates where its range begins later."""

    def change(results):
        results["sweep"]["basin"]["low"] = low

    (found,) = named("lr-finder", "later", change)
    assert said in found


@pytest.mark.parametrize("same", [True, False])
def test_runs_of_one_question_are_reconciled(same, monkeypatch):
    """The run nearest to the assignment's size answers; who says otherwise is named, with sizes."""
    whole = runner._summary

    def swapped(record):
        found = deepcopy(whole(record))
        for setting in found.get("settings", {}).values():
            best = setting["best"]
            best["train_loss"]["name"] = best["test_accuracy"]["name"] = "adam"
            if not same and record.configuration["width"] == 1000:
                best["test_accuracy"]["name"] = "adagrad"
            for one in best.values():
                one["against"] = []
        return found

    monkeypatch.setattr(runner, "_summary", swapped)
    text = " ".join(answer(COMMITTED, "lab3-4.2").split())
    nearest = "`optimizers-full-size` is nearest to the assignment's size (1,000 units a hidden"
    assert text.index(nearest) < text.index("Adam ends with the lowest training loss")
    agrees = "The run `optimizers` (250 units a hidden layer, 3,000 training images of 16x16"
    differs = "The run `optimizers` says otherwise; its size may be why (250 units a hidden layer"
    assert (agrees in text) is same
    assert (differs in text) is not same


def test_a_run_at_the_assignments_size_goes_first(tmp_path):
    """Of the runs of one question that of the preset `assignment` answers, where it is there."""
    for name in ("optimizers", "optimizers-full-size"):
        (tmp_path / name).symlink_to(COMMITTED / name)
    (tmp_path / "optimizers-assignment").symlink_to(COMMITTED / "optimizers")
    for part in (2, 3):
        text = " ".join(answer(tmp_path, f"lab3-4.{part}").split())
        assert "`optimizers-assignment` is nearest to the assignment's size" in text
        assert text.index("The run `optimizers-assignment`:") < text.index("The run `optimizers`:")


def test_every_channel_of_small_layers_is_shown():
    """The 6 channels of C1 and the 16 of C3 have each their gamma and beta, as the record has."""
    (_, one, three) = named("batchnorm-dropout", "channels", lambda _: None)
    assert (len(one.rows), len(three.rows)) == (6, 16)
    arrays = Record.read(COMMITTED / "batchnorm-dropout").arrays
    seeds = sum(name.startswith("bn/") and name.endswith("c1/bn.beta") for name in arrays)
    for place, row_ in enumerate(one.rows):
        each = [arrays[f"bn/seed{seed}/c1/bn.beta"][place] for seed in range(seeds)]
        assert row_[2].text == ", ".join(f"{value:.3g}" for value in each)


def test_a_page_says_what_the_numbers_say(monkeypatch):
    """With other numbers in a record, the page's own conclusion is another."""
    before = answer(COMMITTED, "lab3-1.3")
    assert before.count("Does leaky ReLU help? Yes, by both criteria.") == 2
    whole = runner._summary

    def swapped(record):
        found = deepcopy(whole(record))
        for group in found.get("groups", ()):
            other = {"relu": "leaky", "leaky": "relu"}
            group["activation"] = other.get(group["activation"], group["activation"])
        return found

    monkeypatch.setattr(runner, "_summary", swapped)
    assert answer(COMMITTED, "lab3-1.3").count("Does leaky ReLU help? Not shown.") == 2


# --------------------------------------------------------------------------- 6: nothing typed

RESULT = r"\d+(?:\.\d+)? ?(?:%|per cent)|\d{1,3}(?:,\d{3})+|\d*\.\d+|\d{3,}"
# By template: what its question gives, names of initializations, and papers.
TYPED = {
    "architectures": {"192", "3.5", "512"},
    "batch_size": {"1711.00489"},
    "batch_finder": {"1812.06162"},
    "batchnorm_dropout": {"0.2", "0.5", "1502.03167", "1801.05134", "1805.11604", "2014", "7.1"},
    "cyclical_batch": {"1711.00489", "2202.08835"},
    "dying_relu": {"0.01"},
    "init": {".01", "0.01", ".1"},
    "perceptron": {"1.1"},
    "page": {"95 %"},
}


def results_in(text):
    """What looks like a result: shares, decimals, thousands."""
    return re.findall(RESULT, text)


def static(text):
    """What a template itself says."""
    return re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", [*TEMPLATES, "page"])
def test_no_result_is_typed_into_a_template(name):
    """Outside of what is computed, templates hold only numbers that the questions give."""
    path = TEMPLATES.get(name, PACKAGE / "report" / "page.md.jinja")
    assert set(results_in(static(path.read_text()))) == TYPED.get(name, set())


def test_every_template_is_of_a_question():
    """No template lies beside an answer that the page does not use, and no block."""
    used = {
        tuple(question.answer.split(":"))
        for one in ASSIGNMENTS.values()
        for problem in one.problems
        for question in problem.questions
    }
    there = {
        (name, block)
        for name, path in TEMPLATES.items()
        for block in re.findall(r"{% block (\w+) %}", path.read_text())
    }
    assert there == used


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It reaches 97.3 % in the end.", ["97.3 %"]),
        ("It reaches 97% in the end.", ["97%"]),
        ("about 90 per cent", ["90 per cent"]),
        ("a loss of 0.41, or .41", ["0.41", ".41"]),
        ("60,965,224 parameters", ["60,965,224"]),
        ("of 1000 networks", ["1000"]),
        ("{{ run.show('97.3 %') }}{# 97.3 % #}{% set a = 0.5 %}", []),
        ("ten networks in 2 halves, question 12", []),
    ],
)
def test_the_look_into_templates_can_fail(text, found):
    """Shares, decimals and large numbers are seen in what is typed, and nowhere else."""
    assert results_in(static(text)) == found


# --------------------------------------------------------------------------- 7: sources and links


def below(text):
    """The link text that a section has to a run."""
    return re.findall(r"the run \[([a-z-]+)\]\(#run-\1\)", text)


@pytest.mark.parametrize("assignment", NAMES)
def test_every_run_is_named_below_what_it_shows(page, assignment):
    """Each answer names exactly the runs that its template shows, and archcalc's commands."""
    found = sections(page("markdown", assignment).read_text())
    seen = set()
    for anchor, runs, inside in of_runs():
        if anchor not in found or "and answered there" in found[anchor]:
            continue
        there, says = {*runs} & {*THERE}, {*below(found[anchor])}
        assert says <= there if "selectattr" in inside else says == there
        shown = set(re.findall(r"/training/([a-z-]+)/[a-z0-9-]+\.png", found[anchor]))
        assert shown <= says
        assert "computed." not in inside
        seen |= says
    assert {name.removeprefix("run-") for name in found if name.startswith("run-")} == seen


@pytest.mark.parametrize("form", report.FORMS)
def test_a_figure_alone_names_its_source(form):
    """What an answer shows as a figure only is named below it as well."""
    page = Page(COMMITTED, Path("page"), form)
    page.run("dataset").figure("images", "Three images")
    page.computed.figure("field-stack", "A stack")
    assert list(page.made) == ["[dataset](#run-dataset)"]
    assert page.making == ["archcalc receptive-field 5x5 5x5 5x5"]
    page.run("perceptron").figure("no-such-figure", "Nothing")
    assert len(page.made) == 1


def test_every_part_is_shown(page):
    """Each run that the assignments need is somewhere on the page of both."""
    found = sections(page("markdown", "both").read_text())
    shown = {name.removeprefix("run-") for name in found if name.startswith("run-")}
    assert {*parts.PARTS} <= shown == {*THERE}


def test_what_is_computed_names_its_command(page):
    """An answer that archcalc computes names the commands that print it."""
    found = sections(page("markdown", "lab3").read_text())
    commands = {
        anchor: re.findall(
            r"`([^`]+)`", text.rpartition("From: archcalc, while this page was made:")[2]
        )
        for anchor, text in found.items()
        if "while this page was made" in text
    }
    assert set(commands) == {
        "lab3-4.1",
        *(f"lab3-5.{n}" for n in ("1", "2", "3", "4a", "4b", "4c", "4d")),
    }
    assert all(command.startswith("archcalc ") for own in commands.values() for command in own)
    assert all(own for own in commands.values())


@pytest.mark.parametrize("name", THERE)
def test_a_run_says_where_it_was_made(page, lines, name):
    """Command, hardware, versions, seed, commit and time of a run are those of its record."""
    record = Record.read(COMMITTED / name)
    about = record.about
    made = next(iter(record.tasks.values()), about)  # one machine made all of a run's tasks
    computed = ", ".join([made["hardware"], *([made["numerics"]] if record.tasks else [])])
    for text in (
        sections(page("markdown", "both").read_text())[f"run-{name}"].replace("`", ""),
        lines("html", "both")[f"run-{name}"],
    ):
        said = " ".join(text.split())
        versions = ", ".join(
            f"{package} {version}" for package, version in about["versions"].items()
        )
        assert about["command"] in said
        assert f"{computed}; {versions}, commit {made['commit']}; seed 0; " in said
        assert f"{record.seconds:,.0f} s; finished {about['finished']}." in said
        remark = report.Run(name, COMMITTED).remark
        assert remark in said
        assert ("not the assignment's size" in said) == bool(remark)


class Links(HTMLParser):
    """Anchors, links and sources of an HTML page, and what stands in it as text."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads, self.tags, self.said = [], [], [], Counter(), []
        self.instead = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Take down what a tag names."""
        given = dict(attrs)
        self.tags[tag] += 1
        if tag == "img":
            self.instead.append(given.get("alt", ""))
        if "id" in given:
            self.anchors.append(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif "href" in given:
            self.loads.append(given["href"])
        for name in ("src", "srcset", "data", "poster", "action", "background"):
            if name in given:
                self.loads.append(given[name])

    def handle_data(self, data):
        """Take down text."""
        self.said.append(data)


def in_html(page, form):
    """A page as HTML, which a Markdown page becomes."""
    text = page.read_text()
    return text if form == "html" else report.rendered(text)


@every_page
def test_every_link_leads_somewhere(page, form, assignment):
    """No anchor is there twice, links lead to anchors of the page and to files that are there."""
    where = page(form, assignment)
    found = Links(in_html(where, form))
    assert max(Counter(found.anchors).values()) == 1
    inner = {link[1:] for link in found.links if link.startswith("#")}
    outer = {link for link in found.links if not link.startswith("#")}
    assert inner <= set(found.anchors)
    named = {"runs", "not-run", *(f"{one.assignment}-{one.number}" for one in CHECKLIST)}
    assert inner >= {
        one for one in named if one.partition("-")[0] in {*asked_of(assignment), "runs"}
    }
    if form == "markdown":
        outer |= set(found.loads)
        assert len(found.loads) > 10
    assert all(len(said) > 10 for said in found.instead)  # for who cannot see the pictures
    assert outer
    for link in outer:
        path = where.parent / unquote(link)
        assert path.is_file()
        assert path.resolve().is_relative_to(COMMITTED) or path.parent == where.parent


def test_the_contents_lead_to_every_question(page):
    """The table of contents has a link to each question of the page, in order."""
    text = page("markdown", "both").read_text()
    contents = text.partition("## Contents")[2].partition("\n## ")[0]
    links = re.findall(r"^- \[([^\]]+)\]\(#([^)]+)\)", contents, re.MULTILINE)
    assert links == [
        (question.number, f"{one.name}-{question.number}")
        for one in ASSIGNMENTS.values()
        for problem in one.problems
        for question in problem.questions
    ]


# --------------------------------------------------------------------------- 8: foreign text

NASTY = "a `b` ``c`` <script>alert(1)</script> | *d* _e_ [f](g) $h$ &amp; \\ ![i](j) <img src=k>"


@pytest.fixture
def nasty(small, tmp_path):
    """A folder of records with one whose provenance is full of marks."""
    record = Record.read(small / "dying-relu")
    record.about["command"] = record.about["hardware"] = NASTY
    record.about["commit"] = record.about["finished"] = NASTY
    record.about["versions"] = {"python": NASTY}
    folder = tmp_path / "a `b` <c> & $d$" / "dying-relu"
    shutil.copytree(small / "dying-relu", folder)
    record.save(folder)
    return folder.parent


@pytest.mark.parametrize("form", report.FORMS)
def test_foreign_text_is_text(nasty, tmp_path, form):
    """What a record says of itself, and a folder's name, is read as it is and obeyed by nobody."""
    output = report.write(nasty, tmp_path / "page", form, "lab3")
    html = in_html(output, form)
    found = Links(html)
    assert found.tags["script"] == 0
    assert "k" not in found.loads
    assert "j" not in found.loads
    run_of = sections(html)["run-dying-relu"].partition("<h2>")[0]
    assert Counter(Links(run_of).tags) == {"p": 3, "code": 1, "a": 2}
    said = " ".join("".join(Links(run_of).said).split())
    assert said.count(" ".join(NASTY.split())) == 5
    commands = "".join(Links(sections(html)["lab3-1.3"]).said)
    assert shlex.join(["--output", str(nasty / "dying-relu")]) in commands
    for link in found.links:
        if not link.startswith("#"):
            assert (output.parent / unquote(link)).is_file()


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("a", "`a`"),
        ("a `b`", "`` a `b` ``"),
        ("``", "``` `` ```"),
        ("<a> | *b* $c$", "`<a> | *b* $c$`"),
    ],
)
def test_a_command_stands_between_enough_backticks(text, typed):
    """A command is one piece of code, whatever is in it."""
    assert report.code(text) == typed
    assert unescape(re.sub("<[^>]+>", "", report.rendered(report.code(text)))) == f"{text}\n"


# --------------------------------------------------------------------------- 9: in a browser

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), ""
)
browser = pytest.mark.skipif(not BROWSER, reason="no chromium, no google-chrome")
# A headless window is no narrower than 500 pixels, a frame can be.
FRAMES = """<!doctype html><title>waiting</title><body style="margin:0"><script>
const found = [];
addEventListener("message", event => {{
found.push(event.data);
if (found.length == {number}) document.title = `[${{found}}]`; }});</script>{frames}"""
FRAME = '<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe>'
PROBE = """<script>addEventListener("load", () => {
const pictures = [...document.images];
const wide = document.documentElement;
parent.postMessage(JSON.stringify({
width: innerWidth,
overflow: Math.max(wide.scrollWidth, document.body.scrollWidth) - wide.clientWidth,
beyond: [...document.querySelectorAll("p,li,h1,h2,h3,h4,figcaption,.wide,.math.block,pre")]
.filter(one => !one.closest(".wide") || one.matches(".wide"))
.filter(one => one.getBoundingClientRect().right > innerWidth + 1).length,
loaded: performance.getEntriesByType("resource").map(one => one.name)
.filter(name => !name.startsWith("data:")),
pictures: pictures.length,
broken: pictures.filter(one => !one.complete || one.naturalWidth < 100).length,
formulas: document.querySelectorAll("math").length,
flat: [...document.querySelectorAll("math")]
.filter(one => !(one.getBoundingClientRect().height > 5)).length,
height: wide.scrollHeight}), "*"); });</script>"""


def browse(folder, *args):
    """What the browser writes on standard output."""
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [BROWSER, *fixed, profile, "--virtual-time-budget=8000", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def measured(folder, text, *widths):
    """What the probe measures of a page in frames that are so wide, by width."""
    (folder / "page.html").write_text(text.replace("</body>", f"{PROBE}</body>"))
    frames = "".join(FRAME.format(width=width) for width in widths)
    (folder / "frames.html").write_text(FRAMES.format(number=len(widths), frames=frames))
    url = (folder / "frames.html").as_uri()
    dom = browse(folder, "--window-size=1500,1000", "--dump-dom", url)
    found = json.loads(unescape(re.search("<title>(.*?)</title>", dom)[1]))
    return {one["width"]: one for one in found}


@browser
def test_the_page_is_whole_in_a_browser(page, tmp_path):
    """On a phone and on a screen nothing is cut off, missing, or fetched from anywhere."""
    text = page("html", "both").read_text()
    every = measured(tmp_path, text, 400, 1400)
    assert every.keys() == {400, 1400}
    for found in every.values():
        assert found["overflow"] == 0
        assert found["beyond"] == 0
        assert found["loaded"] == []
        assert found["pictures"] == text.count("<img ") > 30
        assert found["broken"] == 0
        assert found["formulas"] == text.count("<math ") > 60
        assert found["flat"] == 0
        assert found["height"] > 10_000


@browser
def test_the_probe_can_fail(tmp_path):
    """What is too wide, broken, fetched or flat is measured as such."""
    found = measured(
        tmp_path,
        "<!doctype html><body>"
        '<p style="width:900px">x</p><img src="http://127.0.0.1:9/x.png">'
        '<math style="display:none"></math></body>',
        400,
    )[400]
    assert found["overflow"] > 100
    assert found["beyond"] == 1
    assert found["loaded"] == ["http://127.0.0.1:9/x.png"]
    assert (found["pictures"], found["broken"]) == (1, 1)
    assert (found["formulas"], found["flat"]) == (1, 1)


@pytest.mark.parametrize("assignment", NAMES)
def test_the_page_holds_all_that_it_shows(page, assignment):
    """An HTML page loads nothing: pictures are in it, and there is no script."""
    text = page("html", assignment).read_text()
    found = Links(text)
    assert found.loads
    assert all(one.startswith("data:image/png;base64,") for one in found.loads)
    assert found.tags["script"] == found.tags["link"] == found.tags["iframe"] == 0
    assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/1998/Math/MathML\")", text)
    assert not [link for link in found.links if "//" in link]
    assert "$$" not in text
    assert "\\" not in re.sub(r"\\blacksquare", "", "".join(found.said))


def test_lines_of_a_formula_stand_below_one_another():
    """What is aligned in LaTeX is a table in MathML, right and left of the sign in turn."""
    latex = "\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}"
    html = report.rendered(f"$$\n{latex}\n$$\n")
    assert html.count("<mtr>") == 2
    assert html.count('columnalign="right"') == html.count('columnalign="left"') == 2


def bands(picture, number=6):
    """Of bands of a picture, how much of each is not white, and how many colours it has."""
    with Image.open(picture) as found:
        whole = found.convert("RGB")
    for place in range(number):
        height = whole.height // number
        band = whole.crop((0, place * height, whole.width, (place + 1) * height))
        colours = {colour: count for count, colour in band.getcolors(1 << 24)}
        total = band.width * band.height
        yield 1 - colours.get((255, 255, 255), 0) / total, len(colours)


def is_drawn(picture):
    """Whether every band of a picture shows something."""
    return all(share > 0.005 and colours > 20 for share, colours in bands(picture))


@browser
def test_the_page_is_drawn(page, tmp_path):
    """A screenshot of the page shows something everywhere, and of a blank page nothing."""
    for name, url in {"page": page("html", "both").as_uri(), "blank": "about:blank"}.items():
        browse(tmp_path, "--window-size=1400,3000", f"--screenshot={tmp_path / name}.png", url)
    assert is_drawn(tmp_path / "page.png")
    assert not is_drawn(tmp_path / "blank.png")
    with Image.open(tmp_path / "page.png") as found:
        half = found.convert("RGB")
    half.paste((255, 255, 255), (0, half.height // 2, half.width, half.height))
    half.save(tmp_path / "half.png")
    assert not is_drawn(tmp_path / "half.png")


@browser
def test_the_page_can_be_printed(page, tmp_path):
    """Printed, the page has some sheets, each with something on it."""
    output = tmp_path / "page.pdf"
    url = page("html", "both").as_uri()
    browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={output}", url)
    data = output.read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(data) > 300_000
    if not shutil.which("pdftotext"):
        return
    text = subprocess.run(
        [shutil.which("pdftotext"), "-layout", str(output), "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    sheets = text.split("\f")[:-1]
    assert 10 < len(sheets) < 80
    assert "What is not run" in text
    if not shutil.which("pdftoppm"):
        return
    empty = [place for place, sheet in enumerate(sheets, 1) if len(sheet.split()) < 20]
    for place in empty:  # a figure may be alone on a sheet, in letters or not
        only = ["-f", str(place), "-l", str(place)]
        subprocess.run(
            [shutil.which("pdftoppm"), "-r", "40", *only, str(output), str(tmp_path / "s")],
            check=True,
        )
        (sheet,) = tmp_path.glob("s*.ppm")
        assert next(bands(sheet, 1))[0] > 0.02
        sheet.unlink()


# --------------------------------------------------------------------------- 10: what is committed


def pixels(data):
    """The size of a picture."""
    with Image.open(BytesIO(data)) as found:
        return found.size


def with_digests(text, pictures):
    """A page, in the place of each picture its name; of one drawn for the page, its size."""

    def said(found):
        data = base64.b64decode(found[1])
        name = pictures.get(data, "")
        return name if "/" in name else f"a picture of {pixels(data)}"

    return re.sub(r"data:image/png;base64,([A-Za-z0-9+/=]+)", said, text)


def rebuilt(form, name, tmp_path):
    """The committed report as it would be written today."""
    links = tmp_path / "tables"
    links.mkdir()
    (links / "training").symlink_to(COMMITTED)
    (links / "report").mkdir()
    place = links / "report" / name
    # Commands name folders as they were typed, in the repository's folder.
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        return report.write(Path("tables/training"), place.relative_to(tmp_path), form), place
    finally:
        os.chdir(before)


def test_the_committed_page_in_markdown_is_todays(tmp_path):
    """The committed report is, letter for letter, what records and program give today."""
    _, place = rebuilt("markdown", "README.md", tmp_path)
    assert (TABLES / "report" / "README.md").read_text() == place.read_text()
    drawn = {path.name: path for path in place.parent.glob("*.png")}
    committed = {path.name: path for path in (TABLES / "report").glob("*.png")}
    assert drawn.keys() == committed.keys()
    for name, path in drawn.items():  # fonts differ from machine to machine
        assert pixels(path.read_bytes()) == pixels(committed[name].read_bytes())


def test_the_committed_page_in_html_is_todays(pictures, tmp_path):
    """The same for HTML, with the size alone of what is drawn for the page."""
    _, place = rebuilt("html", "index.html", tmp_path)
    ours, theirs = (
        with_digests(path.read_text(), pictures)
        for path in (place, TABLES / "report" / "index.html")
    )
    assert ours == theirs
    assert len(re.findall('<img src="[a-z0-9-]+/[a-z0-9-]+.png"', ours)) > 20


def test_the_committed_folder_holds_nothing_else():
    """Beside the committed pages lie the pictures that they show, and nothing else."""
    text = (TABLES / "report" / "README.md").read_text()
    shown = set(re.findall(r"\]\(([a-z0-9-]+\.png)\)", text))
    assert {path.name for path in (TABLES / "report").iterdir()} == {
        "README.md",
        "index.html",
        *shown,
    }


def test_the_comparison_of_pages_can_fail(page, pictures):
    """Another picture of a record, another letter, and another size are noticed."""
    text = page("html", "homework2").read_text()
    one, other = (data for data, name in pictures.items() if name.startswith("perceptron/"))
    before, after = (base64.b64encode(data).decode() for data in (one, other))
    assert before in text
    assert with_digests(text.replace(before, after), pictures) != with_digests(text, pictures)
    drawn = next(data for data, name in pictures.items() if "/" not in name)
    small = BytesIO()
    Image.open(BytesIO(drawn)).resize((20, 10)).save(small, "png")
    pages = [
        f'<img src="data:image/png;base64,{base64.b64encode(data).decode()}">'
        for data in (drawn, small.getvalue())
    ]
    assert with_digests(pages[0], pictures) != with_digests(pages[1], pictures)


# --------------------------------------------------------------------------- 11: the command


@pytest.fixture
def nothing(tmp_path, monkeypatch):
    """A folder of no records, in a folder in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "records").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["records", "--assignment", "lab4"], "--assignment: 'lab4' is none of its words"),
        (["records", "--assignment", ""], "--assignment: '' is none of its words"),
        (["records", "--format", "pdf"], "--format: 'pdf' is none of its words"),
        (["records", "--format", "HTML"], "--format: 'HTML' is none of its words"),
        (["nowhere"], "nowhere: no such folder of records"),
        (["a-file"], "a-file: no such folder of records"),
        (["records", "--output", "records"], "--output: records is a directory"),
        (["records", "--output", ""], "--output: . is a directory"),
        (["records", "--format", "markdown", "--output", "records"], "records is a directory"),
        (["records", "--format", "markdown", "--output", "/dev/null"], "/dev/null is no file"),
        (["records", "more"], "extra argument"),
        (["records", "--outptu", "x"], "--outptu"),
    ],
)
def test_a_wrong_command_line_gets_one_line(nothing, capsys, args, said):
    """Whatever is typed wrongly is said in one line, with status 2, and nothing is written."""
    (nothing / "a-file").write_text("mine")
    status, found = complaint(capsys, *args)
    assert status == 2
    assert said in found
    assert {path.name for path in nothing.iterdir()} == {"a-file", "records"}
    assert list((nothing / "records").iterdir()) == []


@pytest.mark.parametrize("form", report.FORMS)
@pytest.mark.parametrize("output", ["nowhere/page", "a-file/page", "x" * 300, "a\0b"])
def test_what_cannot_be_written_gets_one_line(nothing, capsys, form, output):
    """Where the page cannot be written, one line says so, with status 1, and nothing is left."""
    (nothing / "a-file").write_text("mine")
    status, _ = complaint(capsys, "records", "--format", form, "--output", output)
    assert status == 1
    assert {path.name for path in nothing.iterdir()} == {"a-file", "records"}


def test_a_page_that_fails_leaves_the_old_one(nothing, capsys, monkeypatch):
    """Where writing fails in the middle, the page that was there is what it was."""
    (nothing / "report.html").write_text("before")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    status, said = complaint(capsys, "records")
    assert status == 1
    assert said == "archcalc: report.html: No space left"
    assert {path.name for path in nothing.iterdir()} == {"report.html", "records"}
    assert (nothing / "report.html").read_text() == "before"


@pytest.mark.parametrize(("form", "name"), report.FORMS.items())
def test_the_page_has_a_usual_name(nothing, capsys, form, name):
    """Without --output the page is report.html or report.md, here, and a line says so."""
    assert run(["training", "report", "records", "--format", form]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    nothing_is_run, line = err.splitlines()
    assert nothing_is_run.startswith("records: none of its folders has a finished record")
    assert line == f"{name}: the report"
    text = (nothing / name).read_text()
    assert text.startswith("<!doctype html>" if form == "html" else "# Lab 3 and Homework 2")
    shown = set(re.findall(r"\]\(([a-z0-9-]+\.png)\)", text))
    assert {path.name for path in nothing.iterdir()} == {name, "records", *shown}
    assert bool(shown) == (form == "markdown")


def test_an_assignment_can_be_chosen(page):
    """--assignment leaves out the other one, with its contents and its runs."""
    for name, other in (("lab3", "homework2"), ("homework2", "lab3")):
        text = page("markdown", name).read_text()
        assert f"#{other}-" not in text
        assert ASSIGNMENTS[other].title not in text
        assert f"# {ASSIGNMENTS[name].title}: every question answered\n" in text


def test_the_help_names_every_option(capsys, monkeypatch):
    """The help says what each option takes."""
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["training", "report", "--help"]) == 0
    text = capsys.readouterr().out
    for word in (
        "FOLDER",
        "--assignment",
        "--format",
        "--output",
        "lab3, homework2 or both",
        "html",
    ):
        assert word in text


def test_a_page_is_the_same_when_it_is_made_again(page):
    """The same records give the same bytes, pictures too, where all is computed again."""
    before = page("markdown", "lab3")
    drawn = {path.name: path.read_bytes() for path in before.parent.glob("*.png")}
    assert len(drawn) > 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "Computed", Computed)
        again = report.write(COMMITTED, before.parent / "again.md", "markdown", "lab3")
    assert again.read_bytes() == before.read_bytes()
    again.unlink()
    assert {path.name: path.read_bytes() for path in before.parent.glob("*.png")} == drawn


# --------------------------------------------------------------------------- 12: commands of parts


@pytest.mark.parametrize("name", parts.EVERY)
def test_the_command_of_a_part_makes_it(typed, name):
    """What a part's command line gives its experiment is what the part says, and no more."""
    part = parts.EVERY[name]
    of, given, output = typed(parts.command(name))
    assert (of, output) == (part.of, None)
    assert experiment(of)(**given) == experiment(part.of)(**part.more)


@pytest.mark.parametrize("name", parts.EVERY)
def test_the_command_at_full_size_can_be_typed(typed, name):
    """The command that a smaller run names for the whole is one, with the assignment's images."""
    source = report.Run(name, COMMITTED)
    of, given, _ = typed(source.full)
    assert of in {parts.EVERY[name].of, chain.CHAIN}
    if parts.EVERY[name].images and "dataset" in given:
        assert given["dataset"].strip() == parts.EVERY[name].images
    if source.there and source.remark and of != chain.CHAIN:
        assert experiment(of)(**given).assignment


@pytest.mark.parametrize(
    ("smallest", "largest", "said"),
    [
        (64, 8192, ""),
        (64, 4096, "--largest 4,096, not 8,192 or more"),
        (128, 8192, "--smallest 128, not 64 or less"),
    ],
)
def test_the_range_of_batches_is_always_said(smallest, largest, said):
    """Batches other than those asked for are told below the answer, and those asked for not."""
    made = experiment("batch-finder")(
        preset="assignment", smallest=smallest, largest=largest, lr_min=0.1
    )
    found = [made.departures().get(option, "") for option in ("smallest", "largest")]
    assert "".join(found) == said
