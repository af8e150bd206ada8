import math
import operator
import sys
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import evaluated, without_latex

from archcalc import ArchitectureError
from archcalc.count import (
    ZERO,
    Count,
    Formula,
    add_up,
    ceil_div,
    count,
    difference,
    divided,
    evenly,
    exact,
    latex,
    letter,
    letters,
    product,
    quotient,
    substitute,
    total,
)

H, W, K, C = letter("H"), letter("W"), letter("K"), letter("C")
LETTERS = {"H": H, "W": W, "K": K}

# ------------------------------------------------------------------------------------ formulas

# One tree of operations, computed twice: with formulas for its letters, and by Python's integers.
FORMULAS = {
    "/": evenly,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "floor": operator.floordiv,
    "ceil": ceil_div,
}


def without_rest(number, divisor):
    """What evenly gives, from Python's own division."""
    if number % divisor:
        raise ArchitectureError(f"{number}/{divisor} leaves a rest")
    return number // divisor


INTEGERS = FORMULAS | {
    "/": without_rest,
    "floor": lambda number, divisor: math.floor(Fraction(number, divisor)),
    "ceil": lambda number, divisor: math.ceil(Fraction(number, divisor)),
}


def computed(tree, leaves, operators):
    """The tree with these values for its letters and these operators."""
    if isinstance(tree, int):
        return tree
    if isinstance(tree, str):
        return leaves[tree]
    sign, *parts = tree
    return operators[sign](*(computed(part, leaves, operators) for part in parts))


trees = st.recursive(
    st.integers(-9, 9) | st.sampled_from(sorted(LETTERS)),
    lambda inner: (
        st.tuples(st.sampled_from(["+", "-", "*"]), inner, inner)
        | st.tuples(st.sampled_from(["floor", "ceil"]), inner, st.integers(1, 7))
    ),
    max_leaves=7,
)
numbers = trees.map(lambda tree: computed(tree, LETTERS, FORMULAS))
values = st.fixed_dictionaries({name: st.integers(1, 60) for name in LETTERS})


@given(trees, values)
def test_formulas_agree_with_integers(tree, at):
    """A formula with values for its letters is what integer arithmetic gives from those values."""
    formula = computed(tree, LETTERS, FORMULAS)
    assert substitute(formula, at) == computed(tree, at, INTEGERS)


@given(trees, values)
def test_letters_go_in_any_order(tree, at):
    """Letters replaced one after the other give what all of them replaced at once give."""
    formula = computed(tree, LETTERS, FORMULAS)
    first, rest = {"H": at["H"]}, {"W": at["W"], "K": at["K"]}
    there = substitute(substitute(formula, first), rest)
    back = substitute(substitute(formula, rest), first)
    assert there == back == substitute(formula, at)


@given(numbers, numbers, values)
def test_letters_stand_for_formulas_too(number, other, at):
    """A formula put in the place of a letter acts as its value would."""
    inner = substitute(number, {"H": other})
    assert substitute(inner, at) == substitute(number, at | {"H": substitute(other, at)})


@given(numbers)
def test_letters_are_named(number):
    """A number is an int exactly when it waits for no letter, and what it waits for, it shows."""
    waiting = letters(number)
    assert isinstance(number, int) == (not waiting)
    assert all(name in str(number) for name in waiting)
    assert isinstance(substitute(number, dict.fromkeys(waiting, 1)), int)
    assert letters(substitute(number, {"H": 1})) <= waiting - {"H"}


@given(numbers, numbers, numbers)
def test_ring(a, b, c):
    """Formulas add and multiply as in a commutative ring; equal ones have one hash, and cancel."""
    equal = (
        (a + b, b + a),
        ((a + b) + c, a + (b + c)),
        (a * b, b * a),
        ((a * b) * c, a * (b * c)),
        (a * (b + c), a * b + a * c),
        (a - b, -(b - a)),
        (a + 0, a),
        (a * 1, a),
        (a - a, 0),
        (a * 0, 0),
    )
    for left, right in equal:
        assert left == right
        assert hash(left) == hash(right)
        assert left - right == 0


@given(st.lists(numbers, max_size=6))
def test_sums(summands):
    """Numbers added up at once are what they are when added one after the other."""
    assert add_up(summands) == sum(summands)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (2 * ((H + 2) // 2), 2 * (H // 2) + 2),
        (1 - H // 2, -((H - 2) // 2)),
        ((H + 5) // 3 * W, (H + 2) // 3 * W + W),
        (((H + 1) // 2 + 3) // 2 * W, (H - 1) // 4 * W + 2 * W),
    ],
)
def test_floors_and_constants(left, right):
    """Formulas are equal wherever a floor's constant stands, inside or in front of it."""
    assert left == right
    assert hash(left) == hash(right)
    assert left - right == 0


@given(numbers, numbers)
def test_different_formulas_differ(a, b):
    """Two formulas that differ in value somewhere do not compare equal."""
    at = {"H": 17, "W": 5, "K": 11}
    assume(substitute(a, at) != substitute(b, at))
    assert a != b


@given(numbers, st.integers(1, 9), st.integers(-9, 9))
def test_floors_let_multiples_out(a, divisor, rest):
    """What divides evenly leaves a floor: ``floor((d*a + r)/d) = a + floor(r/d)``."""
    assert (a * divisor) // divisor == a
    assert (a * divisor + rest) // divisor == a + rest // divisor
    assert (a * divisor) // (divisor * 5) == a // 5


@given(st.integers(-9, 9), st.integers(1, 9), st.integers(1, 9))
def test_nested_floors_merge(shift, first, second):
    """Floors of floors are one floor: ``floor(floor((H + a)/m)/n) = floor((H + a)/(m*n))``."""
    assert (H + shift) // first // second == (H + shift) // (first * second)


@pytest.mark.parametrize("divisor", [0, -2])
def test_floors_divide_by_positive_integers(divisor):
    """A formula divided by what is no positive integer is refused."""
    with pytest.raises(ValueError, match="positive integers"):
        H // divisor


# Sums and products of what is positive, in which nothing cancels.
exact_trees = st.recursive(
    st.integers(1, 9) | st.sampled_from(sorted(LETTERS)),
    lambda inner: (
        st.tuples(st.sampled_from(["+", "*"]), inner, inner)
        | st.tuples(st.sampled_from(["/", "/", "ceil"]), inner, st.integers(1, 4))
    ),
    max_leaves=7,
)


@given(exact_trees, values)
@example(("ceil", ("/", "H", 2), 3), {"H": 8, "W": 1, "K": 1})
@example(("ceil", ("*", 2, ("/", "H", 2)), 1), {"H": 3, "W": 1, "K": 1})
@example(("+", ("/", ("/", "H", 2), 3), 1), {"H": 4, "W": 1, "K": 1})
def test_divisions_without_rest(tree, at):
    """A formula with divisions gives the integers' value, or an error where one leaves a rest."""
    try:
        expected = computed(tree, at, INTEGERS)
    except ArchitectureError:
        with pytest.raises(ArchitectureError, match="leaves a rest"):
            substitute(computed(tree, LETTERS, FORMULAS), at)
        return
    formula = computed(tree, LETTERS, FORMULAS)
    assert substitute(formula, at) == expected
    assert isinstance(substitute(formula, at), int)
    assert evaluated(str(formula), at) == expected
    assert evaluated(without_latex(latex(formula)), at) == expected
    first, rest = {"H": at["H"]}, {"W": at["W"], "K": at["K"]}
    assert substitute(substitute(formula, first), rest) == expected
    assert substitute(substitute(formula, rest), first) == expected


SIX_FILTERS = product(product(3, 3, quotient(C, 2)), 6)  # 3x3, in two groups
K_FILTERS = product(product(3, 3, quotient(C, 2)), K)


@pytest.mark.parametrize(
    ("number", "values", "pieces"),
    [
        (quotient(C, 2), {"C": 5}, ["C=5: C/2 leaves a rest", "C has to be a multiple of 2"]),
        (SIX_FILTERS, {"C": 5}, ["C=5: C/2 leaves a rest"]),
        (SIX_FILTERS.value, {"C": 5}, ["C=5: C/2 leaves a rest"]),
        (SIX_FILTERS.value * H + K, {"C": 7, "H": 2, "K": 1}, ["C=7: C/2 leaves a rest"]),
        (K_FILTERS.value, {"C": 3, "K": 4}, ["C=3: C/2 leaves a rest"]),
        (K_FILTERS.value, {"C": 2 * K + 1}, ["C=2*K + 1: C/2 leaves a rest"]),
        (quotient(C + 8, 6), {"C": 5}, ["C=5: (C + 8)/6", "C + 8 has to be a multiple of 6"]),
        (evenly(C * K, 4), {"C": 2, "K": 3}, ["C=2, K=3: (C*K)/4 leaves a rest"]),
        (evenly(H // 3, 2), {"H": 9}, ["H=9: floor(H/3)/2 leaves a rest"]),
        (evenly(C, 4) * H // 5, {"C": 6}, ["C=6: C/4 leaves a rest"]),
        (add_up((evenly(C, 2), evenly(C + K, 2))), {"K": 1, "C": 2}, ["(C + K)/2 leaves a rest"]),
    ],
)
def test_rests_are_refused(number, values, pieces):
    """A value that leaves a rest is refused wherever it is put in: its letter, the division."""
    with pytest.raises(ArchitectureError) as raised:
        number.substitute(values)
    assert all(piece in str(raised.value) for piece in pieces)


def test_rests_are_refused_late_and_early():
    """A division waits for its letters, is forgotten once none can leave a rest, and is checked."""
    halved = quotient(C, 2)
    for inner in (2 * K, 4 * (H // 3), 6):
        assert not letters(halved.substitute({"C": inner}).value) - {"H", "K"}
    assert not halved.substitute({"C": 2 * H + 4 * K}).value.divisions
    assert halved.substitute({"C": 2 * K}).substitute({"K": 3}).value == 3
    waiting = SIX_FILTERS.substitute({"C": K})
    assert waiting.equation() == "(3*3*(K/2))*6 = 27*K"
    assert waiting.substitute({"K": 4}).equation() == "(3*3*(4/2))*6 = 108"
    with pytest.raises(ArchitectureError, match="K=5: K/2 leaves a rest"):
        waiting.substitute({"K": 5})
    for number in (5, 2 * C + 1):
        with pytest.raises(ArchitectureError, match="leaves a rest"):
            quotient(number, 2)
    assert evenly(C, 2) - evenly(C, 2) == 0


@given(numbers, values)
def test_formula_texts_evaluate(number, at):
    """The text of a formula, and its LaTeX, read by Python, are the formula's value."""
    assert evaluated(str(number), at) == substitute(number, at)
    assert evaluated(without_latex(latex(number)), at) == substitute(number, at)


FORMULA_TEXTS = [
    (64 * H * W, "64*H*W", r"64 \cdot H \cdot W"),
    (W * 3 * K * 3, "9*K*W", r"9 \cdot K \cdot W"),
    (H * H + 2 * H - 1, "H^2 + 2*H - 1", r"H^{2} + 2 \cdot H - 1"),
    (1 - H, "-H + 1", "-H + 1"),
    ((H + 1) // 2, "floor((H + 1)/2)", r"\left\lfloor (H + 1)/2 \right\rfloor"),
    ((H - 2) // 2 + 1, "floor(H/2)", r"\left\lfloor H/2 \right\rfloor"),
    (H // 2 // 2, "floor(H/4)", r"\left\lfloor H/4 \right\rfloor"),
    (4 * (H // 2) * 16, "64*floor(H/2)", r"64 \cdot \left\lfloor H/2 \right\rfloor"),
    ((H - 7) // 4 + 1, "floor((H - 3)/4)", r"\left\lfloor (H - 3)/4 \right\rfloor"),
    ((6 * H + 4) // 4, "H + floor((H + 2)/2)", r"H + \left\lfloor (H + 2)/2 \right\rfloor"),
    (ceil_div(H, 2), "floor((H + 1)/2)", r"\left\lfloor (H + 1)/2 \right\rfloor"),
    (9 * K * evenly(C, 2), "9*C*K/2", r"9 \cdot C \cdot K/2"),
    (evenly(C, 2) * 54, "27*C", r"27 \cdot C"),
    (evenly(C + 3, 2) - C, "-C/2 + 3/2", "-C/2 + 3/2"),
    (evenly(C, 2) // 3, "floor(C/6)", r"\left\lfloor C/6 \right\rfloor"),
]


@pytest.mark.parametrize(("formula", "text", "in_latex"), FORMULA_TEXTS)
def test_formula_texts(formula, text, in_latex):
    """A formula reads as people write it, highest degree first, then alphabetically."""
    assert str(formula) == text
    assert repr(formula) == f"Formula({text!r})"
    assert latex(formula) == in_latex


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (19_632_062_464, "19,632,062,464"), (64 * H, "64*H")],
)
def test_exact(number, text):
    """A number is printed to the unit, its thousands apart, and a formula as it stands."""
    assert exact(number) == text


@given(st.integers(-(10**6), 10**6), st.integers(1, 1000))
def test_ceil_div(number, divisor):
    """Integers divide rounded up, exactly."""
    assert ceil_div(number, divisor) == math.ceil(Fraction(number, divisor))


# -------------------------------------------------------------------------------------- counts

small = st.integers(0, 20) | st.sampled_from([H, W, H + 1, 3 * H * W, H - 2 * K, -K, H // 2])


def workings_of(inner):
    """Workings one operation deeper than ``inner``."""
    parts = small | inner
    counts = parts.map(lambda part: part if isinstance(part, Count) else count(part))
    return (
        st.lists(parts, min_size=1, max_size=3).map(lambda factors: product(*factors))
        | st.lists(counts, max_size=3).map(total)
        | st.builds(difference, parts, parts)
        | st.builds(divided, parts, st.integers(1, 7), up=st.booleans())
        | st.builds(lambda n, d: product(quotient(n * d, d), d), small, st.integers(1, 7))
    )


workings = st.recursive(small.map(count), workings_of, max_leaves=6)


@given(workings, values)
@example(difference(5, count(H + 1)), {"H": 1, "W": 1, "K": 1})
@example(difference(5, product(total([count(2), count(3)]))), {"H": 1, "W": 1, "K": 1})
@example(divided(count(H + 1), 2), {"H": 2, "W": 1, "K": 1})
def test_workings_evaluate(working, at):
    """A working, read by Python with floor and ceil, evaluates to its number."""
    assert evaluated(str(working), at) == substitute(working.value, at)


@given(workings, values)
def test_latex_evaluates(working, at):
    """The LaTeX of a working says the same as its text, and ends in the same result."""
    left, equals, right = working.latex().rpartition(" = ")
    assert bool(equals) == working.explains()
    assert evaluated(without_latex(right), at) == substitute(working.value, at)
    if equals:
        assert evaluated(without_latex(left), at) == substitute(working.value, at)


@given(workings, values)
def test_equations_hold(working, at):
    """Both sides of an equation have the same value, and a bare number is its own equation."""
    left, equals, right = working.equation().rpartition(" = ")
    assert right == exact(working.value)
    assert bool(equals) == working.explains()
    if equals:
        assert left == str(working) != str(working.value)
        assert evaluated(left, at) == substitute(working.value, at)


@given(workings, values)
def test_workings_substitute(working, at):
    """A working whose letters are replaced is a working of the replaced value."""
    there = working.substitute(at)
    assert there.value == substitute(working.value, at)
    assert evaluated(str(there), {}) == there.value
    assert there.operator == working.operator


@given(workings, workings)
def test_counts_with_one_working_are_equal(working, other):
    """Counts are equal when they were put together alike, which is more than to be of one value."""
    rebuilt = Count(working.operator, tuple(working.parts), working.value)
    assert rebuilt == working
    assert Count("-" if working.operator == "*" else "*", working.parts, working.value) != working
    assert hash(rebuilt) == hash(working)
    if working == other:
        assert str(working) == str(other)
        assert working.value == other.value


EQUATIONS = [
    (
        product(product(3, 3, 64), 64),
        "(3*3*64)*64 = 36,864",
        r"(3 \cdot 3 \cdot 64) \cdot 64 = 36{,}864",
    ),
    (product(224, 224, 64), "224*224*64 = 3,211,264", r"224 \cdot 224 \cdot 64 = 3{,}211{,}264"),
    (
        product(product(5, 5, quotient(96, 2)), 256),
        "(5*5*(96/2))*256 = 307,200",
        r"(5 \cdot 5 \cdot (96 / 2)) \cdot 256 = 307{,}200",
    ),
    (SIX_FILTERS, "(3*3*(C/2))*6 = 27*C", r"(3 \cdot 3 \cdot (C / 2)) \cdot 6 = 27 \cdot C"),
    (
        K_FILTERS,
        "(3*3*(C/2))*K = 9*C*K/2",
        r"(3 \cdot 3 \cdot (C / 2)) \cdot K = 9 \cdot C \cdot K/2",
    ),
    (total([product(2, 3), count(4)]), "2*3 + 4 = 10", r"2 \cdot 3 + 4 = 10"),
    (total([ZERO, count(7), ZERO]), "7", "7"),
    (total([]), "0", "0"),
    (difference(9, total([count(2), count(3)])), "9 - (2 + 3) = 4", "9 - (2 + 3) = 4"),
    (divided(7, 2), "floor(7/2) = 3", r"\left\lfloor 7 / 2 \right\rfloor = 3"),
    (divided(7, 2, up=True), "ceil(7/2) = 4", r"\left\lceil 7 / 2 \right\rceil = 4"),
    (divided(8, 2), "8/2 = 4", "8 / 2 = 4"),
    (
        divided(difference(product(2, H), 3), 4),
        "floor((2*H - 3)/4) = floor((H - 2)/2)",
        r"\left\lfloor (2 \cdot H - 3) / 4 \right\rfloor = \left\lfloor (H - 2)/2 \right\rfloor",
    ),
    (divided(difference(H, 3), 2), "floor((H - 3)/2)", r"\left\lfloor (H - 3)/2 \right\rfloor"),
    (count(4096), "4,096", "4{,}096"),
    (product(3, 3, H + 1), "3*3*(H + 1) = 9*H + 9", r"3 \cdot 3 \cdot (H + 1) = 9 \cdot H + 9"),
    (product(H, W), "H*W", r"H \cdot W"),
]


@pytest.mark.parametrize(("working", "equation", "in_latex"), EQUATIONS)
def test_equation_texts(working, equation, in_latex):
    """A working keeps the grouping that was written, and its result has its thousands apart."""
    assert working.equation() == equation
    assert repr(working) == f"Count({equation!r})"
    assert working.latex() == in_latex


def test_polynomials_are_canonical():
    """Formulas that are equal as polynomials are equal, however they were put together."""
    assert isinstance((H + 1) - H, int)
    assert (H + W) * (H - W) == H * H - W * W
    assert {(H + 1) * (H + 1): "found"}[H * H + 2 * H + 1] == "found"
    assert (H + 1) // 2 != H // 2
    assert H != "H"
    assert isinstance(H * W, Formula)


# ---------------------------------------------------------------------------------------- time


def layers_in_letters(layers):
    """Multiply-accumulates of so many 3x3 convolutions without padding, every third one strided."""
    height, width = H, W
    for place in range(layers):
        stride = 2 if place % 3 == 0 and place < 60 else 1
        height, width = ((size - 3) // stride + 1 for size in (height, width))
        yield product(product(height, width, K), product(3, 3, quotient(C, 2)))


def calls(work):
    """How many functions a piece of work calls, Python's own in C among them."""
    made = 0

    def see(_frame, event, _called):
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return made


WORK = {
    "sum": total,
    "text": lambda counts: str(total(counts).value),
    "LaTeX": lambda counts: total(counts).latex(),
    "values": lambda counts: total(counts).substitute({"H": 10**30, "W": 10**30, "C": 4}),
    "comparison": lambda counts: total(counts).value == add_up(part.value for part in counts),
}


@pytest.mark.parametrize("name", WORK)
def test_work_on_letters_is_linear(name):
    """Twice as many layers in letters are twice as much work, to sum, print, fill in, compare."""
    few, many = (calls(lambda n=n: WORK[name](list(layers_in_letters(n)))) for n in (100, 200))
    assert many < 2.2 * few


def test_nested_floors_are_linear():
    """A floor that stands in another is not opened anew for every layer around it."""

    def nested(layers):
        height = H
        for _ in range(layers):
            height = (2 * height - 1) // 3
        return hash(height * W)

    few, many = (calls(lambda n=n: nested(n)) for n in (20, 40))
    assert many < 2.2 * few
