import math
import operator
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import evaluated, without_latex

from archcalc.count import (
    ZERO,
    Count,
    Formula,
    ceil_div,
    count,
    difference,
    divided,
    exact,
    latex,
    letter,
    letters,
    product,
    quotient,
    substitute,
    total,
)

H, W, K = letter("H"), letter("W"), letter("K")
LETTERS = {"H": H, "W": W, "K": K}

# ------------------------------------------------------------------------------------ formulas

# One tree of operations, computed twice: with formulas for its letters, and by Python's integers.
FORMULAS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "floor": operator.floordiv,
    "ceil": ceil_div,
}
INTEGERS = FORMULAS | {
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
    for one, other in equal:
        assert one == other
        assert hash(one) == hash(other)
        assert one - other == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (2 * ((H + 2) // 2), 2 * (H // 2) + 2),
        (1 - H // 2, -((H - 2) // 2)),
        ((H + 5) // 3 * W, (H + 2) // 3 * W + W),
        (((H + 1) // 2 + 3) // 2 * W, (H - 1) // 4 * W + 2 * W),
    ],
)
def test_floors_and_constants(one, other):
    """Formulas are equal wherever a floor's constant stands, inside or in front of it."""
    assert one == other
    assert hash(one) == hash(other)


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
        st.lists(parts, min_size=1, max_size=3).map(lambda found: product(*found))
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
def test_counts_with_one_working_are_equal(one, other):
    """Counts are equal when they were put together alike, which is more than to be of one value."""
    rebuilt = Count(one.operator, tuple(one.parts), one.value)
    assert rebuilt == one
    assert Count("-" if one.operator == "*" else "*", one.parts, one.value) != one
    assert hash(rebuilt) == hash(one)
    if one == other:
        assert str(one) == str(other)
        assert one.value == other.value


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
