# ruff: noqa: TID253 - these tests are of what needs torch
"""What is printed of an optimizer is what is computed, compiled or not, in company or alone."""

import logging
import math
import operator
import re
import signal
from fractions import Fraction
from functools import cache, partial
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser
from torch import nn

from training.engine import cohort, equations, fused, losses, streams
from training.engine.cohort import Cohort, Member
from training.engine.data import Data
from training.engine.equations import Letter, Number
from training.engine.loop import Loop, Task
from training.engine.models import Mlp
from training.engine.ranks import Ranks
from training.engine.record import Record
from training.engine.steps import iterations
from training.engine.updates import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Mixed,
    NAdam,
    RMSprop,
    RMSpropNesterov,
    Rule,
    symbols,
    together,
    traced,
)
from training.errors import StoppedError

laws = settings(max_examples=60, deadline=None, derandomize=True)
close = partial(torch.testing.assert_close, rtol=1e-11, atol=1e-13)
near = partial(torch.testing.assert_close, rtol=5e-5, atol=5e-6)  # of 32 bits, over some updates
same = partial(torch.testing.assert_close, rtol=0, atol=0, equal_nan=True)

OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adadelta": torch.optim.Adadelta,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
}
LOOKS_AHEAD = [RMSpropNesterov(), RMSpropNesterov(rho=0.8, alpha=0.6, eps=1e-3, weight_decay=0.1)]
OF_TORCH = [
    SGD(),
    SGD(weight_decay=0.1),
    SGD(momentum=0.9, weight_decay=0.1),
    SGD(momentum=0.8, nesterov=True, weight_decay=0.1),
    Adagrad(),
    Adagrad(eps=1e-3, weight_decay=0.1),
    RMSprop(),
    RMSprop(alpha=0.9, eps=1e-3, weight_decay=0.1),
    Adadelta(),
    Adadelta(rho=0.95, eps=1e-3, weight_decay=0.1),
    Adam(),
    Adam(beta1=0.8, beta2=0.9, eps=1e-3, weight_decay=0.1),
    AdamW(),
    AdamW(beta1=0.8, beta2=0.9, eps=1e-3, weight_decay=0.0),
    NAdam(),
    NAdam(beta1=0.8, beta2=0.9, eps=1e-3, momentum_decay=0.1, weight_decay=0.1),
]
ZERO = [
    Adam(beta1=0.0),
    Adadelta(rho=0.5, eps=0.0),
    RMSprop(eps=0.0),
    NAdam(momentum_decay=0.0),
]
EVERY = [*OF_TORCH, *LOOKS_AHEAD]
# One of each program of the compiled code; the others differ in numbers alone.
PROGRAMS = [
    SGD(),
    SGD(momentum=0.9, weight_decay=0.1),
    SGD(momentum=0.8, nesterov=True),
    Adagrad(),
    RMSprop(),
    RMSprop(alpha=0.8, eps=1e-3, weight_decay=0.1),
    Adadelta(eps=1e-3, weight_decay=0.1),
    Adam(beta1=0.8, eps=1e-3, weight_decay=0.1),
    AdamW(eps=1e-3, weight_decay=0.5),
    NAdam(beta1=0.8, eps=1e-3, momentum_decay=0.1),
    RMSpropNesterov(rho=0.8, alpha=0.6, eps=1e-3, weight_decay=0.1),
]


def label(rule):
    """The rule's name and what is not its default."""
    usual = type(rule)().settings()
    told = [f"{k}={v}" for k, v in rule.settings().items() if usual[k] != v]
    return " ".join([rule.name, *told])


every = pytest.mark.parametrize("rule", [*EVERY, *ZERO], ids=label)
programs = pytest.mark.parametrize("rule", PROGRAMS, ids=label)


@pytest.fixture
def large(monkeypatch):
    """Members of eight numbers are large."""
    monkeypatch.setattr(fused, "LARGE", 8)


def test_every_rule_is_tested():
    """No rule is left out of these tests, and no setting of one is compared with nothing."""
    every = {*Rule.__subclasses__(), *Adam.__subclasses__()} - {Mixed}
    kinds = {kind for kind in every if kind.__module__ == Rule.__module__}
    assert set(map(type, EVERY)) == set(map(type, PROGRAMS)) == kinds
    assert {rule.name for rule in OF_TORCH} == set(OPTIMIZERS)


# ------------------------------------------------------------------------------ what is printed

UPDATES = 100
BEGIN = np.random.default_rng(3).standard_normal(7)
NOISE = np.random.default_rng(4).standard_normal((UPDATES + 1, 7)) * 10.0 ** np.arange(-4, 3)


def slope(point, t):
    """A gradient that depends on where it is taken, of many sizes; the first number has none."""
    found = NOISE[t] + 0.3 * (point - 1)
    return found * np.where(np.arange(7) == 0, 0, 1)


def told(rule):
    """The hyperparameters by the names of their fields."""
    return {name: value for name, value in rule.settings().items() if name != "name"}


def path_of_text(rule, rate):
    """Parameters after each update: the printed lines, run as they are."""
    lines = [equation.text() for equation in traced(rule).equations]
    histories = {name: {0: np.zeros(7)} for name in re.findall(r"(\w+)\[", "".join(lines))}
    histories |= {"theta": {0: BEGIN}, "product": {0: 1.0}}
    names = {**told(rule), **histories, "rate": rate, "sqrt": np.sqrt}
    for t in range(1, UPDATES + 1):
        names |= {"t": t, "grad": lambda point, t=t: slope(point, t)}
        for line in lines:
            exec(line, names)  # noqa: S102 - that is the law
    return np.array([histories["theta"][t] for t in range(1, UPDATES + 1)])


def path_of_rule(rule, rate):
    """Parameters after each update: the rule, on tensors."""
    theta = torch.from_numpy(BEGIN)[None]
    state, path = rule.begin(theta), []
    for t in range(1, UPDATES + 1):
        g = torch.from_numpy(slope(rule.point(theta, state).numpy(), t))
        theta, state = rule.update(theta, g, state, rate, t)
        path.append(theta[0].numpy())
    return np.array(path)


def path_of_torch(rule, rate):
    """Parameters after each update: the optimizer of that name in ``torch.optim``."""
    found = told(rule)
    if "beta1" in found:
        found["betas"] = (found.pop("beta1"), found.pop("beta2"))
    parameter = nn.Parameter(torch.from_numpy(BEGIN).clone())
    optimizer, path = OPTIMIZERS[rule.name]([parameter], lr=rate, **found), []
    for t in range(1, UPDATES + 1):
        parameter.grad = torch.from_numpy(slope(parameter.detach().numpy(), t))
        optimizer.step()
        path.append(parameter.detach().numpy().copy())
    return np.array(path)


def path_of_book(rule, rate):
    """Algorithm 8.6, line for line; the book has neither an eps, here beside the root, nor L2."""
    theta, v, r, path = BEGIN, np.zeros(7), np.zeros(7), []
    for t in range(1, UPDATES + 1):
        interim = theta + rule.alpha * v
        g = slope(interim, t) + rule.weight_decay * interim
        r = rule.rho * r + (1 - rule.rho) * g * g
        v = rule.alpha * v - rate / (np.sqrt(r) + rule.eps) * g
        theta = theta + v
        path.append(theta)
    return np.array(path)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("rule", EVERY, ids=label)
def test_what_is_printed_is_what_is_computed(rule):
    """A rule's printed lines, run as Python, and the rule on tensors go the published way."""
    published = path_of_book if rule in LOOKS_AHEAD else path_of_torch
    rate = 0.02
    expected = published(rule, rate)
    np.testing.assert_allclose(path_of_text(rule, rate), expected, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(path_of_rule(rule, rate), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("rule", ZERO, ids=label)
def test_what_is_printed_of_zeros_is_what_is_computed(rule):
    """Lines of a rule some of whose hyperparameters are 0 still go the way of the rule."""
    with np.errstate(all="ignore"):
        text, tensors = path_of_text(rule, 0.01), path_of_rule(rule, 0.01)
    np.testing.assert_allclose(text, tensors, rtol=1e-9, atol=1e-11)


@every
def test_lines_stand_in_order(rule):
    """The gradient comes first, the parameters last, no letter twice, none before its line."""
    lefts, known = [], {"theta[t-1]", *(f"{name}[t-1]" for name in rule.begin(torch.zeros(1, 2)))}
    for equation in traced(rule).equations:
        left, _, right = equation.text().partition(" = ")
        assert set(re.findall(r"\w+\[.*?\]", right)) <= known
        lefts.append(left)
        known.add(left)
    assert (lefts[0], lefts[-1]) == ("g[t]", "theta[t]")
    assert len(set(lefts)) == len(lefts)


def test_lines_that_people_know():
    """The lines of Adam, AdaDelta and RMSProp with Nesterov momentum are the published ones."""
    assert [equation.text() for equation in traced(Adam(weight_decay=0.1)).equations] == [
        "g[t] = grad(theta[t-1]) + weight_decay*theta[t-1]",
        "mean[t] = beta1*mean[t-1] + (1 - beta1)*g[t]",
        "square[t] = beta2*square[t-1] + (1 - beta2)*g[t]**2",
        "mean_hat[t] = mean[t]/(1 - beta1**t)",
        "square_hat[t] = square[t]/(1 - beta2**t)",
        "theta[t] = theta[t-1] - rate*mean_hat[t]/(sqrt(square_hat[t]) + eps)",
    ]
    assert [equation.text() for equation in traced(Adadelta()).equations] == [
        "g[t] = grad(theta[t-1])",
        "square[t] = rho*square[t-1] + (1 - rho)*g[t]**2",
        "step[t] = sqrt(delta[t-1] + eps)/sqrt(square[t] + eps)*g[t]",
        "delta[t] = rho*delta[t-1] + (1 - rho)*step[t]**2",
        "theta[t] = theta[t-1] - rate*step[t]",
    ]
    assert [equation.latex() for equation in traced(RMSpropNesterov()).equations] == [
        r"g_{t} = \nabla L(\theta_{t-1} + \alpha v_{t-1})",
        r"r_{t} = \rho r_{t-1} + \left(1 - \rho\right) g_{t}^{2}",
        r"v_{t} = \alpha v_{t-1} - \frac{\eta g_{t}}{\sqrt{r_{t}} + \epsilon}",
        r"\theta_{t} = \theta_{t-1} + v_{t}",
    ]


# ---------------------------------------------------------------------- text and LaTeX, exactly

PRIME = 2**61 - 1


class Exact:
    """A number modulo a prime: formulas that differ do so in nearly all of such numbers.

    Roots, powers and gradients, which there are not, are functions that nothing else is.
    """

    def __init__(self, value):
        fraction = Fraction(value)
        self.value = fraction.numerator * pow(fraction.denominator, -1, PRIME) % PRIME

    def __add__(self, other):
        return Exact(self.value + other.value)

    def __sub__(self, other):
        return Exact(self.value - other.value)

    def __mul__(self, other):
        return Exact(self.value * other.value)

    def __truediv__(self, other):
        if not other.value:
            raise ZeroDivisionError
        return Exact(self.value * pow(other.value, -1, PRIME))

    def __pow__(self, other):
        return Exact(self.value**2 * 3 + 5 * other.value + 7 * self.value * other.value**2 + 11)

    def sqrt(self):
        """It is no root, but a function that no other letter is."""
        return Exact(self.value**3 + 13 * self.value + 17)

    def grad(self):
        """Likewise."""
        return Exact(self.value**3 * 19 + 23)


FUNCTIONS = {"sqrt": Exact.sqrt, "grad": Exact.grad}
WORD = re.compile(r"(\w+\[[^\]]*\])|([A-Za-z_]\w*)|(\d[\d.]*(?:e[-+]?\d+)?)")


def of_text(text, letters, number=Exact, functions=FUNCTIONS):
    """What Python makes of a text, each of its words a letter or a number of its own."""

    def word(match):
        index, name, digits = match.groups()
        if name in functions:
            return name
        return f"number({digits!r})" if digits else f"letters[{(index or name)!r}]"

    names = {"letters": letters, "number": number, **functions}
    return eval(WORD.sub(word, text), names)  # noqa: S307 - that is the law


TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<command>\\[a-zA-Z]+)|(?P<other>[A-Za-z+\-(){}^_=]))"
)
ENDS = {None, "+", "-", "}", ")", r"\right"}


class Latex:
    """Reads what little LaTeX equations have: a formula's value, or an error."""

    def __init__(self, text, letters):
        self.letters, self.tokens, at = letters, [], 0
        while at < len(text):
            match = TOKEN.match(text, at)
            assert match, text[at:]
            self.tokens.append(match[0].strip())
            at = match.end()

    @property
    def next(self):
        """The token at hand."""
        return self.tokens[0] if self.tokens else None

    def take(self, *expected):
        """The next tokens, which have to be these."""
        for one in expected or [self.next]:
            token = self.tokens.pop(0)
            assert token == one, (token, one)
        return token

    def whole(self):
        """All of it."""
        found = self.sum()
        assert not self.tokens, self.tokens
        return found

    def sum(self):
        """Products with signs between."""
        found = self.product()
        while self.next in {"+", "-"}:
            work = operator.add if self.take() == "+" else operator.sub
            found = work(found, self.product())
        return found

    def product(self):
        """Powers side by side."""
        found = self.power()
        while self.next not in ENDS:
            if self.next == r"\cdot":
                self.take()
            else:
                assert not self.next[0].isdigit(), "two numbers side by side read as one"
            found = found * self.power()
        return found

    def power(self):
        """An atom, raised or not."""
        first = self.next
        base = self.atom()
        if self.next != "^":
            return base
        assert first != r"\frac", "the exponent of a fraction stands beside what is below its line"
        self.take("^")
        found = base ** self.braced()
        assert self.next != "^", "TeX refuses a second exponent"
        return found

    def braced(self):
        """What stands in braces."""
        self.take("{")
        found = self.sum()
        self.take("}")
        return found

    def atom(self):
        """What nothing tears apart."""
        if self.next[0].isdigit():
            return Exact(self.take())
        if self.next == r"\frac":
            self.take()
            above = self.braced()
            return above / self.braced()
        if self.next == r"\sqrt":
            self.take()
            return self.braced().sqrt()
        if self.next == r"\left":
            self.take(r"\left", "(")
            found = self.sum()
            self.take(r"\right", ")")
            return found
        if self.next == r"\nabla":
            self.take(r"\nabla", "L", "(")
            found = self.sum()
            self.take(")")
            return found.grad()
        return self.letters[self.letter()]

    def letter(self):
        """A letter with its accent and its index, as it is written."""
        name = self.take()
        assert name[-1].isalpha(), name
        if name == r"\hat":
            name += self.group()
        if self.next == "_":
            name += self.take()
            name += self.group() if self.next == "{" else self.take()
        return name

    def group(self):
        """Braces and what is in them, as they are written."""
        found = self.take("{")
        while self.next != "}":
            found += self.take()
        return found + self.take()


def printed(rule):
    """Every letter of a rule's lines as text, and as LaTeX by what the rule's symbols say."""
    found, texts = symbols(rule), [equation.text() for equation in traced(rule).equations]
    letters = {match[0] for text in texts for match in WORD.finditer(text) if not match[3]}
    pairs = {}
    for letter in letters - FUNCTIONS.keys():
        name, _, time = letter.partition("[")
        own = found.get(letter) or found[f"{name}[t]" if time else name]
        dated = not time or "_" in own.latex
        pairs[letter] = own.latex if dated else f"{own.latex}_{{{time[:-1]}}}"
    return pairs


@every
def test_latex_is_the_text(rule):
    """Every line means in LaTeX what it means as text, for numbers drawn at random."""
    draw, pairs = np.random.default_rng(7), printed(rule)
    values = {letter: Exact(int(draw.integers(PRIME))) for letter in pairs}
    in_latex = {latex: values[letter] for letter, latex in pairs.items()}
    for equation in traced(rule).equations:
        text, latex = equation.text().split(" = "), equation.latex().split(" = ")
        assert (len(text), len(latex)) == (2, 2)
        for one, other in zip(text, latex, strict=True):
            assert of_text(one, values).value == Latex(other, in_latex).whole().value, equation


@cache
def set_by_an_engine(latex):
    """Fails where a formula is none."""
    MathTextParser("path").parse(f"${latex}$")


@every
def test_latex_is_well_formed(rule):
    """Braces close, brackets grow in pairs, and an engine that sets formulas can read the line."""
    for latex in (equation.latex() for equation in traced(rule).equations):
        assert latex.count("{") == latex.count("}")
        assert latex.count(r"\left(") == latex.count(r"\left") == latex.count(r"\right)")
        set_by_an_engine(latex)


@every
def test_two_letters_look_different(rule):
    """No two letters of a rule's lines are written the same in LaTeX."""
    pairs = printed(rule)
    assert len(set(pairs.values())) == len(pairs)


@every
def test_every_letter_is_explained(rule):
    """Hyperparameters, what is remembered, and every letter of a line have sign and meaning."""
    found = symbols(rule)
    asked = [name for name, value in told(rule).items() if value and not isinstance(value, bool)]
    asked += [f"{name}[t]" for name in rule.begin(torch.zeros(1, 2))]
    asked += [
        letter if letter in found else re.sub(r"\[.*", "[t]", letter) for letter in printed(rule)
    ]
    assert {"theta[t]", "g[t]", "rate"} <= set(asked)
    for name in asked:
        assert found[name].latex, name
        assert len(found[name].meaning) > 3, name


@pytest.mark.parametrize("rule", EVERY, ids=label)
def test_no_letter_is_printed_for_nothing(rule):
    """Hyperparameters of 0 or false are no letters of any line, and all others are."""
    names = {re.sub(r"\[.*", "", letter) for letter in printed(rule)}
    for name, value in told(rule).items():
        assert (name in names) == (bool(value) and not isinstance(value, bool)), name


# ------------------------------------------------------------------------------------- brackets

WORKS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
SIGNS = {"a": "a", "b[t-1]": "b_{t-1}", "beta1": r"\beta_1", "c_hat[t]": r"\hat{c}_{t}"}
LETTERS = {text: Letter(text, latex) for text, latex in SIGNS.items()}
LEAVES = st.sampled_from([*LETTERS, 0, 1, 2, 0.5, 0.96, 12.25])
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.tuples(st.sampled_from(list(WORKS)), inner, inner) | st.tuples(st.just("sqrt"), inner)
    ),
    max_leaves=12,
)


def term(tree, made):
    """The tree as a term, by Python's own operators; notes what it makes of every part."""
    if not isinstance(tree, tuple):
        return LETTERS.get(tree, tree)
    parts = [term(part, made) for part in tree[1:]]
    if not any(isinstance(part, equations.Term) for part in parts):
        parts[0] = Number(parts[0])
    found = parts[0].sqrt() if tree[0] == "sqrt" else WORKS[tree[0]](*parts)
    made.append((tree, found))
    return found


def value(tree, letters, number, functions, named=None):
    """The tree worked out, without what is under test; one part may have a name."""
    if tree is named:
        return letters["name[t]"]
    if not isinstance(tree, tuple):
        return letters[tree] if isinstance(tree, str) else number(str(tree))
    parts = [value(part, letters, number, functions, named) for part in tree[1:]]
    return functions["sqrt"](*parts) if tree[0] == "sqrt" else WORKS[tree[0]](*parts)


def outcome(work):
    """What work gives, or how it fails."""
    try:
        found = work()
    except ArithmeticError as error:
        return type(error).__name__
    return repr(getattr(found, "value", found))


def straight(tree):
    """Whether Python, which adds from the left, adds in the tree's own order."""
    if not isinstance(tree, tuple):
        return True
    turned = tree[0] == "+" and isinstance(tree[2], tuple) and tree[2][0] in {"+", "-"}
    return not turned and all(map(straight, tree[1:]))


def means_the_same(tree, place=None):
    """Whether a formula, one of its parts named, means the same as text and as LaTeX."""
    made = []
    whole = term(tree, made)
    part, inside = (None, None) if place is None else made[place % len(made)]
    names = {inside: Letter("name[t]", "n_{t}")} if inside else {}
    draw = np.random.default_rng(11)
    letters = {text: Exact(int(draw.integers(PRIME))) for text in [*LETTERS, "name[t]"]}
    in_latex = {latex: letters[text] for text, latex in [*SIGNS.items(), ("name[t]", "n_{t}")]}
    expected = outcome(lambda: value(tree, letters, Exact, FUNCTIONS, part))
    text, latex = equations.text(whole, names), equations.latex(whole, names)
    assert outcome(lambda: of_text(text, letters)) == expected, text
    assert outcome(lambda: Latex(latex, in_latex).whole()) == expected, latex


def worked_out_in_order(tree):
    """Whether Python makes of a formula's text, to the last bit, what it makes of the formula."""
    letters = {"a": 0.3 + 0j, "b[t-1]": 1.7 + 0j, "beta1": 0.9 + 0j, "c_hat[t]": -2.3 + 0j}
    root = {"sqrt": lambda number: number**0.5}
    text = equations.text(term(tree, []), {})
    expected = outcome(lambda: value(tree, letters, complex, root))
    assert outcome(lambda: of_text(text, letters, complex, root)) == expected, text


FORMULAS = TREES.filter(lambda tree: isinstance(tree, tuple))


def test_brackets_between_any_two_operators():
    """Whatever operators stand left and right inside another one, brackets are where they must."""
    left = ["a", 2, *((work, "a", "b[t-1]") for work in WORKS), ("sqrt", "a")]
    right = ["beta1", 0.5, *((work, "beta1", "c_hat[t]") for work in WORKS), ("sqrt", "beta1")]
    trees = [(work, *parts) for work in WORKS for parts in product(left, right)]
    for tree in [*trees, *(("sqrt", part) for part in left)]:
        for place in (None, 0, 1):
            means_the_same(tree, place)
        if straight(tree):
            worked_out_in_order(tree)


@given(FORMULAS, st.none() | st.integers(0, 20))
@laws
def test_brackets_stand_where_they_are_needed(tree, place):
    """Any formula, one of its parts named or not, means the same as text and as LaTeX."""
    means_the_same(tree, place)


@given(FORMULAS.filter(straight))
@laws
def test_text_is_worked_out_in_the_same_order(tree):
    """Python makes of a formula's text, to the last bit, what it makes of the formula."""
    worked_out_in_order(tree)


# ------------------------------------------------------------------------------ compiled updates


def normal(*shape, seed=0):
    """Standard normal numbers in 32 bits."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + 1))


def rates_of(members):
    """A rate a member."""
    return torch.tensor([[0.003], [0.05], [0.01], [0.02], [0.004]])[:members]


def double_of(tensors):
    """The same numbers in 64 bits."""
    return {name: tensor.double() for name, tensor in tensors.items()}


def both(rule, numbers=37, members=3, updates=20, work=fused.update):
    """Parameters and state after some updates, compiled, and by the rule in 64 bits."""
    theta, rates = normal(members, numbers), rates_of(members)
    state = rule.begin(theta)
    one, other = (theta, state), (theta.double(), double_of(state))
    for t in range(1, updates + 1):
        g = normal(members, numbers, seed=t) * 10.0 ** (torch.arange(numbers) % 5 - 3)
        one = work(rule, one[0], g, one[1], rates, t)
        other = rule.update(other[0], g.double(), other[1], rates.double(), t)
    return one, other


@pytest.mark.usefixtures("large")
@programs
def test_compiled_updates_are_the_rules(rule):
    """Twenty updates of large members, each with its rate, are those of the rule in 64 bits."""
    (theta, state), (expected, then) = both(rule)
    near(theta.double(), expected)
    assert state.keys() == then.keys()
    for name, slot in state.items():
        near(slot.double(), then[name])


@pytest.mark.usefixtures("large")
@programs
def test_compiled_updates_are_made_in_place(rule):
    """Parameters and state stay where they lie in memory and change there; the gradient stays."""
    theta, g = normal(3, 37), normal(3, 37, seed=1)
    state = rule.begin(theta)
    before, kept, where = theta.clone(), g.clone(), [theta, *state.values()]
    after, then = fused.update(rule, theta, g, state, rates_of(3), 1)
    assert [t.data_ptr() for t in [after, *then.values()]] == [t.data_ptr() for t in where]
    assert then.keys() == state.keys()
    assert not (after == before).any()
    same(g, kept)


@pytest.mark.usefixtures("large")
def test_compiled_updates_of_one_rate():
    """A rate that is a number is every member's."""
    one, other = SGD(momentum=0.9, weight_decay=0.1), NAdam(beta1=0.8)
    for rule in (one, other, Mixed(rules=(one, other, other))):
        theta = normal(3, 37)
        ours = fused.update(rule, theta.clone(), theta / 2, rule.begin(theta), 0.02, 1)
        near(ours.parameters, rule.update(theta, theta / 2, rule.begin(theta), 0.02, 1).parameters)


@pytest.mark.usefixtures("large")
def test_what_a_member_has_one_of_is_its_own():
    """A state that is one number a member, NAdam's product, is read and kept member by member."""
    rule, theta, g = NAdam(beta1=0.8), normal(3, 37), normal(3, 37, seed=1)
    state = {**rule.begin(theta), "product": torch.tensor([[0.9], [0.3], [0.6]])}
    expected = rule.update(theta, g, state, 0.02, 4)
    found = fused.update(rule, theta.clone(), g, {**state}, 0.02, 4)
    near(found.parameters, expected.parameters)
    near(found.state["product"], expected.state["product"])


@pytest.mark.usefixtures("large")
@programs
def test_compiled_members_do_not_meet(rule):
    """A large member alone, and in rows cut out of others', has the bits that it has in company."""
    theta, state = both(rule)[0]
    for member in range(3):
        numbers = normal(5, 37, seed=77)
        numbers[2:3] = normal(3, 37)[member : member + 1]
        held = {name: slot.clone() for name, slot in rule.begin(numbers).items()}
        begun = numbers.clone(), {name: slot.clone() for name, slot in held.items()}
        mine = {name: slot[2:3] for name, slot in held.items()}
        for t in range(1, 21):
            g = normal(3, 37, seed=t) * 10.0 ** (torch.arange(37) % 5 - 3)
            own = rates_of(3)[member : member + 1]
            fused.update(rule, numbers[2:3], g[member : member + 1], mine, own, t)
        same(numbers[2:3], theta[member : member + 1])
        for name in held:
            same(held[name][2:3], state[name][member : member + 1])
            same(held[name][[0, 1, 3, 4]], begun[1][name][[0, 1, 3, 4]])
        same(numbers[[0, 1, 3, 4]], begun[0][[0, 1, 3, 4]])


@pytest.mark.usefixtures("large")
@programs
def test_compiled_updates_on_threads(rule, monkeypatch, threads):
    """On two threads, each with a piece of a member, the numbers are those of one thread."""
    (alone, _), _ = both(rule, numbers=101, updates=3)
    monkeypatch.setattr(fused, "PIECE", 16)
    threads(2)
    (theta, _), (expected, _) = both(rule, numbers=101, updates=3)
    near(theta.double(), expected)
    torch.testing.assert_close(theta, alone, rtol=1e-6, atol=1e-7)


@pytest.mark.usefixtures("large")
def test_threads_share_what_is_large(monkeypatch, threads):
    """Two threads have two pieces each of a member, all of it and nothing twice; of few, one."""
    ranges = []
    monkeypatch.setattr(fused, "_looped", lambda *_: lambda *given: ranges.append(given[-2:]))
    threads(2)
    for piece, expected in ((16, [(0, 25), (25, 50), (50, 75), (75, 101)]), (2**16, [(0, 101)])):
        monkeypatch.setattr(fused, "PIECE", piece)
        fused.update(SGD(), normal(1, 101), normal(1, 101), {}, 0.1, 1)
        assert sorted(ranges) == expected
        ranges.clear()


@pytest.mark.usefixtures("large")
def test_a_division_by_zero_is_as_in_the_rule():
    """Without an eps a number that has had no gradient becomes NaN, as 0/0 does, and no other."""
    theta, g = normal(2, 37), normal(2, 37, seed=1)
    g[1, 5] = 0
    rule = RMSprop(eps=0.0)
    expected = rule.update(theta, g, rule.begin(theta), 0.1, 1).parameters
    found = fused.update(rule, theta.clone(), g, rule.begin(theta), 0.1, 1).parameters
    assert found.isnan().nonzero().tolist() == [[1, 5]]
    torch.testing.assert_close(found, expected, rtol=5e-5, atol=5e-6, equal_nan=True)


@pytest.mark.usefixtures("large")
@programs
def test_what_is_not_finite_spreads_as_in_the_rule(rule):
    """A gradient that is NaN or infinite spoils the numbers that the rule spoils, and no other."""
    spoilt = torch.tensor([float("nan"), float("inf"), -float("inf")])
    theta = normal(3, 37)
    runs = []
    for work, bad in ((fused.update, True), (type(rule).update, True), (fused.update, False)):
        now = theta.clone(), rule.begin(theta)
        for t in range(1, 4):
            g = normal(3, 37, seed=t)
            if bad and t == 2:
                g[1, [5, 8, 36]] = spoilt
            now = work(rule, now[0], g, now[1], rates_of(3), t)
        runs.append(now[0])
    ours, eager, clean = runs
    hit = torch.zeros(3, 37, dtype=torch.bool)
    hit[1, [5, 8, 36]] = True
    assert torch.equal(ours.isnan(), eager.isnan())
    assert torch.equal(ours.isinf(), eager.isinf())
    same(ours[ours.isinf()], eager[ours.isinf()])
    assert not (ours.isfinite() & hit).any()
    same(ours[~hit], clean[~hit])


@pytest.mark.usefixtures("large")
@programs
def test_no_gradient_no_step(rule):
    """Without gradient and decay nothing moves; a decay alone moves all but 0 towards 0."""
    theta = normal(2, 37)
    theta[0, 3] = 0
    found = fused.update(rule, theta.clone(), 0 * theta, rule.begin(theta), rates_of(2), 1)
    if rule.weight_decay:
        assert ((found.parameters - theta) * theta < 0).sum() == 2 * 37 - 1
        assert found.parameters[0, 3] == 0
    else:
        same(found.parameters, theta)


@pytest.mark.usefixtures("large")
def test_what_is_not_compiled(monkeypatch):
    """Small members, other types, numbers out of order, and no numba: the rule's own tensors."""
    rule = Adam(weight_decay=0.1)
    for theta in (normal(2, 7), normal(2, 37).double(), normal(37, 2).T):
        expected = rule.update(theta, theta, rule.begin(theta), 0.1, 1)
        before = theta.clone()
        found = fused.update(rule, theta, theta, rule.begin(theta), 0.1, 1)
        same(found.parameters, expected.parameters)
        same(theta, before)
    monkeypatch.setattr(fused, "_has", lambda package: package != "numba")
    theta = normal(2, 37)
    found = fused.update(rule, theta, theta, rule.begin(theta), 0.1, 1)
    same(found.parameters, rule.update(theta, theta, rule.begin(theta), 0.1, 1).parameters)
    assert found.parameters.data_ptr() != theta.data_ptr()


def test_from_what_size_on_is_compiled(monkeypatch):
    """Of a member with 2^17 numbers the compiled code is asked, of one with one fewer it is not."""
    asked = []
    monkeypatch.setattr(fused, "change", lambda _, __, g, *___: asked.append(g.shape))
    for numbers in (2**17 - 1, 2**17):
        theta = torch.zeros(1, numbers)
        fused.update(SGD(), theta, theta, {}, 0.1, 1)
    assert asked == [(1, 2**17)]


def on_tensors(rule, theta, g, state, rates, t, backend="eager"):
    """An update by the code that a GPU is given, on the CPU; what is shared, worked out here."""
    code = fused.program(rule)
    rows, kept = [], []
    for member, rate in enumerate(rates[:, 0].tolist()):
        known = {**told(rule), "rate": rate, "t": t}
        known |= {f"{name}[t-1]": state[name][member, 0].item() for name in code.kept}
        texts = [equations.text(one, {}) for one in (*code.shared, *code.kept.values())]
        found = [float(of_text(text, known, float, {})) for text in texts]
        rows.append(found[: len(code.shared)])
        kept.append(found[len(code.shared) :])
    for name, column in zip(code.kept, zip(*kept, strict=True), strict=True):
        state[name].copy_(torch.tensor(column)[:, None])
    run = fused._of_tensors(code.arrays, code.lines, len(code.shared), backend)
    arrays = [{"theta": theta, "g": g, **state}[name] for name in code.arrays]
    run(*arrays, *torch.tensor(rows).T.unsqueeze(2))
    return theta, state


@programs
def test_the_code_for_a_gpu_is_the_rule(rule, monkeypatch):
    """Twenty updates by the lines that a GPU is given are those of the rule, on tensors."""
    fused._of_tensors.cache_clear()
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    (theta, state), (expected, then) = both(rule, work=on_tensors)
    near(theta.double(), expected)
    for name, slot in state.items():
        near(slot.double(), then[name])
    fused._of_tensors.cache_clear()


def test_torch_compiles_the_code_for_a_gpu(caplog):
    """Torch can trace these lines, for one member and for several, and nothing is warned of."""
    rule = NAdam(beta1=0.8)
    fused._of_tensors.cache_clear()
    for members in (1, 3):
        (theta, _), (expected, _) = both(rule, members=members, updates=3, work=on_tensors)
        near(theta.double(), expected)
    assert not [one for one in caplog.records if one.name.startswith("training")]


def test_where_torch_cannot_compile(monkeypatch, caplog):
    """The plain lines run where compilation fails, said once; what they raise is not hidden."""
    calls = []

    def failing(function, **given):
        def fails(*_):
            calls.append((function, given))
            raise RuntimeError("no compiler")

        return fails

    monkeypatch.setattr(torch, "compile", failing)
    fused._of_tensors.cache_clear()
    rule = Adagrad(weight_decay=0.1)
    with caplog.at_level(logging.WARNING):
        (theta, _), (expected, _) = both(rule, work=partial(on_tensors, backend="inductor"))
    near(theta.double(), expected)
    assert [one.levelname for one in caplog.records] == ["WARNING"]
    assert "torch.compile" in caplog.text
    ((_, asked),) = calls
    assert asked["backend"] == "inductor"
    code = fused.program(rule)
    with pytest.raises(TypeError):
        fused._of_tensors(code.arrays, code.lines, len(code.shared), "inductor")(theta)
    assert len(caplog.records) == 1
    fused._of_tensors.cache_clear()


# ------------------------------------------------------------------------- members that differ

RULES_OF_FIVE = [
    Adam(weight_decay=0.1),
    Adam(weight_decay=0.1),
    SGD(momentum=0.9, nesterov=True),
    NAdam(momentum_decay=0.1),
    RMSpropNesterov(alpha=0.6, eps=1e-3, weight_decay=0.1),
]


@pytest.mark.usefixtures("large")
def test_compiled_members_that_differ():
    """Large members each with its rule, in one population, follow that rule, in place."""
    mixed = Mixed(rules=tuple(RULES_OF_FIVE))
    (theta, state), _ = both(mixed, members=5)
    for member, rule in enumerate(RULES_OF_FIVE):
        own = slice(member, member + 1)
        alone = normal(5, 37)[own].double()
        held = rule.begin(alone)
        for t in range(1, 21):
            g = normal(5, 37, seed=t) * 10.0 ** (torch.arange(37) % 5 - 3)
            alone, held = rule.update(alone, g[own].double(), held, rates_of(5)[own].double(), t)
        near(theta[own].double(), alone)
        if "product" in held:
            near(state["product"][own].double(), held["product"])
    begun = mixed.begin(normal(5, 37))
    where = {name: slot.data_ptr() for name, slot in begun.items()}
    _, then = fused.update(mixed, normal(5, 37), normal(5, 37), begun, rates_of(5), 1)
    assert {name: slot.data_ptr() for name, slot in then.items()} == where


def population(numbers, rules=RULES_OF_FIVE, rule=None):
    """Members by their numbers, each with its own rate and rule, at birth, and their batches."""
    model = Mlp.read("1x1x6 drop.2 fc-8 tanh drop.5 fc-3")
    members = [Member(n, "he", "tanh", rate=0.01 * (n + 1), rule=rules[n]) for n in numbers]
    made = Cohort.born(model, members, 3, loss=losses.cross_entropy, rule=rule or SGD())
    classes = torch.arange(10) % 3
    return made, lambda update: (normal(1, 10, 6, seed=update), classes[None])


def train(made, batches, updates):
    """Go on for some updates; the parameters' path."""
    path = []
    for _ in range(updates):
        made.advance(*batches(made.updates))
        path.append(made.parameters.clone())
    return torch.stack(path, 1)


SIZES = pytest.mark.parametrize("size", ["small", "in turn", "in turn, compiled"])


@pytest.fixture
def of_size(monkeypatch):
    """Makes members compute at once, in turn, or in turn with compiled updates."""

    def made(size):
        if size != "small":
            monkeypatch.setattr(cohort, "SMALL", 10)
        if size.endswith("compiled"):
            monkeypatch.setattr(fused, "LARGE", 8)

    return made


@SIZES
def test_a_member_with_a_rule_of_its_own_is_alone(size, of_size):
    """Members with other rules beside them go where each goes alone; in turn to the last bit."""
    of_size(size)
    made, batches = population(range(5))
    path = train(made, batches, 6)
    assert made.in_turn == (size != "small")
    for member in range(5):
        one, batches = population([member])
        assert one.rule == RULES_OF_FIVE[member]
        (near if size == "small" else same)(path[member : member + 1], train(one, batches, 6))


@SIZES
def test_members_that_differ_are_resumed(size, of_size):
    """Parameters, state and the number of updates are all that members with rules go on from."""
    of_size(size)
    made, batches = population(range(5))
    path = train(made, batches, 6)
    first, _ = population(range(5))
    same(train(first, batches, 3), path[:, :3])
    then, _ = population(range(5))
    assert then.state.keys() == first.state.keys()
    then.parameters, then.updates = first.parameters.clone(), first.updates
    then.state = {name: slot.clone() for name, slot in first.state.items()}
    same(train(then, batches, 3), path[:, 3:])


@SIZES
def test_some_of_the_members_that_differ_go_on(size, of_size):
    """Some members, in another order, go on with their rules on the path that they were on."""
    of_size(size)
    made, batches = population(range(5))
    path = train(made, batches, 6)
    first, _ = population(range(5))
    train(first, batches, 3)
    some = first.part([4, 2, 0])
    assert some.state.keys() == first.state.keys()
    assert some.rule == Mixed(rules=tuple(RULES_OF_FIVE[place] for place in (4, 2, 0)))
    (near if size == "small" else same)(train(some, batches, 3), path[[4, 2, 0], 3:])


@SIZES
def test_populations_go_the_published_way(size, of_size):
    """A population's updates, from the first, are those of ``torch.optim`` and of the book."""
    of_size(size)
    model = Mlp.read("1x1x6 fc-8 tanh fc-3")
    rules = [Adam(weight_decay=0.1), RMSpropNesterov(alpha=0.6, eps=1e-3, weight_decay=0.1)]
    members = [Member(n, "he", "tanh", rate=0.01, rule=rule) for n, rule in enumerate(rules)]
    made = Cohort.born(model, members, 3, loss=losses.cross_entropy, rule=SGD())
    x, y = normal(1, 10, 6), torch.arange(10) % 3

    def slope_at(theta):
        point = theta.detach().clone().requires_grad_()
        out = model.forward(point, x.double())
        (found,) = torch.autograd.grad(nn.functional.cross_entropy(out[0], y), point)
        return found

    adam, theta = (row[None].double() for row in made.parameters.clone())
    parameter, v, r = nn.Parameter(adam), torch.zeros_like(theta), torch.zeros_like(theta)
    optimizer = torch.optim.Adam([parameter], lr=0.01, weight_decay=0.1)
    for _ in range(6):
        made.advance(x, y[None])
        parameter.grad = slope_at(parameter)
        optimizer.step()
        interim = theta + 0.6 * v
        g = slope_at(interim) + 0.1 * interim
        r = 0.9 * r + 0.1 * g**2
        v = 0.6 * v - 0.01 / (r.sqrt() + 1e-3) * g
        theta = theta + v
        torch.testing.assert_close(
            made.parameters.double(), torch.cat([parameter.detach(), theta]), rtol=1e-3, atol=1e-4
        )


def test_slots_are_shared():
    """However many rules there are, no more is remembered than by the one that remembers most."""
    theta = normal(5, 37)
    state = Mixed(rules=tuple(RULES_OF_FIVE)).begin(theta)
    assert {name: tuple(slot.shape) for name, slot in state.items()} == {
        "0": (5, 37),
        "1": (5, 37),
        "product": (5, 1),
    }
    assert not state["0"].any()
    assert not state["1"].any()
    assert torch.equal(state["product"], torch.ones(5, 1))
    few = Mixed(rules=(SGD(), Adagrad(), SGD(momentum=0.5), RMSprop(), Adagrad()))
    assert {name: tuple(slot.shape) for name, slot in few.begin(theta).items()} == {"0": (5, 37)}
    state = few.update(theta, theta, few.begin(theta), rates_of(5), 1).state
    assert state.keys() == {"0"}
    same(state["0"][:3], torch.stack([0 * theta[0], theta[1] ** 2, theta[2]]))
    assert Mixed(rules=(SGD(), SGD(weight_decay=0.1))).begin(theta) == {}


def test_a_part_keeps_the_names_of_the_state():
    """What some members remember, cut out of the common state, is what their rules go on from."""
    mixed, theta = Mixed(rules=tuple(RULES_OF_FIVE)), normal(5, 37)
    for own in (slice(1, 4), torch.tensor([3, 0]), slice(2, 3)):
        places = torch.arange(5)[own].tolist()
        part = mixed.part(own)
        assert part == Mixed(rules=tuple(RULES_OF_FIVE[place] for place in places))
        state = {name: slot[own] + 0.5 for name, slot in mixed.begin(theta).items()}
        then = part.update(theta[own], theta[own], state, rates_of(5)[own], 2).state
        assert then.keys() == state.keys()
        assert all(then[name].shape == slot.shape for name, slot in state.items())


def test_members_that_differ_change_nothing_in_place():
    """An update of members with rules leaves parameters, gradient and state as they were."""
    mixed, theta, g = Mixed(rules=tuple(RULES_OF_FIVE)), normal(5, 37), normal(5, 37, seed=1)
    state = mixed.begin(theta)
    given_ = [theta, g, *state.values()]
    before = [tensor.clone() for tensor in given_]
    then = mixed.update(theta, g, state, rates_of(5), 1)
    for tensor, kept in zip(given_, before, strict=True):
        same(tensor, kept)
    assert not torch.equal(then.parameters, theta)
    assert all(not torch.equal(then.state[name], slot) for name, slot in state.items())


def test_rules_that_are_equal_are_one():
    """Members whose rules are equal have that rule, others a mixture, in their order."""
    assert together([Adam(), Adam()]) == Adam()
    assert together([Adam()]) == Adam()
    assert together([Adam(), Adam(eps=1e-3)]) == Mixed(rules=(Adam(), Adam(eps=1e-3)))
    assert together([Adam(), AdamW(), Adam()]) == Mixed(rules=(Adam(), AdamW(), Adam()))
    rules = [Adam(), None, SGD(), None, Adam()]
    made, _ = population(range(5), rules, Adam())
    assert made.rule == Mixed(rules=(Adam(), Adam(), SGD(), Adam(), Adam()))
    made, _ = population([1, 3], rules, Adam())
    assert made.rule == Adam()


def test_the_gradient_is_taken_where_each_rule_looks():
    """Of members with rules, those that look ahead have their point ahead, all others stay."""
    mixed, theta = Mixed(rules=tuple(RULES_OF_FIVE)), normal(5, 37)
    begun = mixed.begin(theta)
    state = {name: normal(*begun[name].shape, seed=n) for n, name in enumerate(sorted(begun), 9)}
    before = theta.clone()
    expected = theta.clone()
    expected[4] += 0.6 * state["1"][4]  # the second slot of RMSProp with Nesterov is its velocity
    near(mixed.point(theta, state), expected)
    same(mixed.point(theta, state)[:4], theta[:4])
    same(theta, before)
    two = Mixed(rules=(LOOKS_AHEAD[1], Adam(), RMSpropNesterov(alpha=0.3)))
    ahead = torch.tensor([[0.6], [0.0], [0.3]]) * state["1"][:3]
    near(two.point(theta[:3], {name: slot[:3] for name, slot in state.items()}), theta[:3] + ahead)
    few = Mixed(rules=(Adam(), SGD(momentum=0.9)))
    assert few.point(theta[:2], few.begin(theta[:2])).data_ptr() == theta.data_ptr()


# ------------------------------------------------------------------------- two forms of dropout

DROPS = "1x1x6 drop.2 fc-8 tanh fc-5 nobias tanh drop.5 fc-3"
KEPT = np.concatenate([np.full(48, 0.8), np.ones(8), np.ones(40), np.full(15, 0.5), np.ones(3)])


def dropped():
    """A model with dropout, parameters, examples and keys, in 64 bits."""
    model = Mlp.read(DROPS)
    assert model.parameters == len(KEPT)
    keys = streams.fold(streams.root(4), torch.arange(2))
    return model, normal(2, len(KEPT)).double(), normal(1, 20, 6, seed=5).double(), keys


def test_weights_behind_dropout_are_scaled():
    """Weights behind dropout are multiplied, or divided, by 1 - p, and biases and others kept."""
    model, theta, *_ = dropped()
    before = theta.clone()
    close(model.scaled(theta), theta * torch.from_numpy(KEPT))
    close(model.scaled(theta, -1), theta / torch.from_numpy(KEPT))
    same(theta, before)


def test_both_forms_of_dropout_are_one():
    """W behind inverted dropout and W/(1 - p) behind the original give the same, and at test."""
    model, theta, x, keys = dropped()
    other = theta / torch.from_numpy(KEPT)
    first = model.forward(theta, x, keys=keys)
    close(model.forward(other, x, keys=keys, inverted=False), first)
    at_test = model.forward(theta, x)
    close(model.forward(other * torch.from_numpy(KEPT), x, inverted=False), at_test)
    for found in (
        model.forward(theta, x, keys=keys, inverted=False),
        model.forward(other, x, inverted=False),
        at_test,
    ):
        assert not torch.allclose(found, first, rtol=1e-3)


def test_dropout_leaves_out_and_scales():
    """The original form adds up what is kept as it is; the inverted one, divided by 1 - p."""
    model = Mlp.read("1x1x10 drop.75 fc-1 nobias")
    keys, bits = streams.fold(streams.root(4), torch.arange(1)), 2.0 ** torch.arange(10)
    x = bits.expand(1, 400, 10)
    plain = model.forward(torch.ones(1, 10), x, keys=keys, inverted=False)
    same(model.forward(torch.ones(1, 10), x, keys=keys), 4 * plain)
    same(plain, plain.round())
    kept = sum(int(number).bit_count() for number in plain.flatten())
    assert 850 < kept < 1150  # of 4000, a quarter, within five standard deviations
    same(model.forward(torch.ones(1, 10), x), torch.full((1, 400, 1), 1023.0))


def test_a_network_of_the_original_form_follows_the_inverted():
    """From W/(1 - p), with rates divided by (1 - p)^2 there, the original form keeps to W/(1-p)."""
    model, theta, x, keys = dropped()
    kept, y = torch.from_numpy(KEPT), torch.arange(20) % 3

    def step(now, rate, update, **form):
        point = now.clone().requires_grad_()
        out = model.forward(point, x, keys=streams.fold(keys, "update", update), **form)
        loss = nn.functional.cross_entropy(out.flatten(0, 1), y.repeat(2), reduction="sum") / 20
        (slope_,) = torch.autograd.grad(loss, point)
        return now - rate * slope_

    one, other = theta, theta / kept
    for update in range(20):
        one = step(one, 0.1, update)
        other = step(other, 0.1 / kept**2, update, inverted=False)
        torch.testing.assert_close(other * kept, one, rtol=1e-9, atol=1e-11)
    assert not torch.allclose(one, theta, rtol=0.05)


# --------------------------------------------------------------------- rates that a task chooses

CPU = torch.device("cpu")
X, Y = [1.0, -0.5, 2.0, 0.25], [0.5, 1.0, -1.0, 2.0]
GRID = (0.01, 0.02, 0.05)


def squares(out, y):
    """The mean of squared differences."""
    return (out - y).square().mean((1, 2))


def chosen(arrays):
    """Rates that hang on what the first task has found; none where it has found nothing yet."""
    begins = (0.02, 0.05, 0.03)
    if "first/w" not in arrays:
        return [math.nan] * len(begins)
    found = zip(begins, arrays["first/w"], strict=True)
    return [begin + abs(float(row[-1, 0])) / 100 for begin, row in found]


def two_tasks(arrays, stop=None):
    """A line through the origin, learnt three times; Ctrl-C at an update of one of the tasks."""
    pressed = []

    def build(own, device):
        model = Mlp.read("1x1x1 fc-1 nobias")
        made = Cohort.born(model, own, 8, loss=squares, rule=SGD(), device=device)
        columns = (torch.tensor(numbers)[None, :, None] for numbers in (X, Y))
        return made, Data(*columns, 4, streams.root(8))

    def probe(task):
        def look(made):
            if stop == (task, made.updates) and not pressed:
                pressed.append(signal.raise_signal(signal.SIGINT))
            return {"w": made.parameters, "rate": made.rates}

        return look

    members = tuple(Member(number, rate=rate) for number, rate in enumerate(GRID))
    looks = tuple(map(iterations, range(6)))
    until = iterations(5)
    waiting = tuple(
        member._replace(rate=rate)
        for member, rate in zip(members[::-1], chosen(arrays), strict=True)
    )
    names = ("second/0", "second/1", "second/2")
    return (
        Task("first", members, build, until, looks, probe("first")),
        Task("second", waiting, build, until, looks, probe("second"), names=names),
        Task("third", members, build, until, looks, probe("third")),
    )


def learnt(folder, stop=None):
    """The record of all tasks, stopped once or not; what goes on has read it from the disk."""
    folder.mkdir(exist_ok=True)
    record = Record("test", {"seed": 8})
    record.save(folder)
    if stop:
        with pytest.raises(StoppedError):
            Loop(record, folder, partial(two_tasks, stop=stop), Ranks(), CPU, keep=1e9).run()
        record = Record.read(folder)
    Loop(record, folder, two_tasks, Ranks(), CPU, keep=1e9).run()
    return {name: array for name, array in record.arrays.items() if not name.endswith("/seconds")}


def test_a_task_has_the_rates_that_one_before_chose(tmp_path):
    """Members learn with the rates that an earlier task's results choose, each with its own."""
    arrays = learnt(tmp_path)
    expected = {"first": GRID, "second": chosen(arrays), "third": GRID}
    assert len(set(expected["second"])) == 3
    for task, rates in expected.items():
        for member, rate in enumerate(rates):
            w, held = (
                arrays[f"second/{member}/{what}"]
                if task == "second"
                else arrays[f"{task}/{what}"][member]
                for what in ("w", "rate")
            )
            path = w[:, 0].tolist()
            assert held[0, 0] == pytest.approx(rate)
            for now, then in pairwise(path):
                gradient = sum(2 * x * (now * x - y) for x, y in zip(X, Y, strict=True)) / 4
                assert then == pytest.approx(now - rate * gradient, rel=1e-5)


@pytest.mark.parametrize("stop", [("first", 3), ("second", 0), ("second", 3), ("third", 1)])
def test_chosen_rates_outlive_a_stop(stop, tmp_path):
    """A run that is stopped and resumed chooses the same rates, and gives the same bits."""
    whole, resumed = learnt(tmp_path / "whole"), learnt(tmp_path / "parts", stop)
    assert whole.keys() == resumed.keys()
    for name, array in whole.items():
        assert array.tobytes() == resumed[name].tobytes(), name


# ------------------------------------------------------------------------------ large networks


def test_a_large_network_does_not_know_its_company():
    """A network of a million parameters has alone the bits that it has beside another one."""
    model = Mlp.read("1x1x1100 drop.2 fc-960 relu drop.5 fc-3")
    assert model.parameters > 2**20
    x, y = normal(1, 6, 1100), torch.arange(6)[None] % 3
    rules = [SGD(momentum=0.9), AdamW()]
    members = [Member(n, rate=0.01, rule=rule) for n, rule in enumerate(rules)]

    def learn(some):
        made = Cohort.born(model, some, 3, loss=losses.cross_entropy, rule=SGD())
        assert made.in_turn
        found = [made.advance(x, y) for _ in range(2)]
        return torch.stack(found, 1), made.parameters, made.predict(x)

    company, alone = learn(members), [learn([one]) for one in members]
    for place, found in enumerate(company):
        same(found, torch.cat([one[place] for one in alone]))
    begin = model.draw(cohort.member_keys(3, members), ["he", "he"])
    assert not torch.equal(company[1], begin)


def test_what_computes_in_turn():
    """On the CPU networks of more than 2^20 parameters compute in turn, and others at once."""
    for width, turn in ((1023, False), (1024, True)):
        model = Mlp.read(f"1x1x1023 fc-{width} relu fc-1 nobias")
        members = [Member(0), Member(1)]
        made = Cohort.born(model, members, 3, loss=losses.cross_entropy, rule=SGD())
        calls = []
        made.each(lambda one, _, calls=calls: calls.append(len(one)) or one.parameters)
        assert (made.in_turn, calls) == (turn, [1, 1] if turn else [2])
