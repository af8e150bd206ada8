"""What is read off curves of losses, where the answer is known by hand or by definition."""

# ruff: noqa: TID253 - a curve is an array
import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from training.engine import rules
from training.engine.rules import FASTAI, Reading, basin, rounded, smith, smoothed, stopped

laws = settings(max_examples=100, deadline=None, derandomize=True)
DIVERGED = [math.nan, math.inf, -math.inf]

# Ten rates, five epochs each, as someone outside measured them.
RATES = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10]
LOSSES = [2.33, 2.07, 0.88, 0.33, 0.159, 0.170, 0.212, 0.370, 2.38, 2.89]


def near(value):
    """The same but for rounding."""
    return pytest.approx(value, rel=1e-12)


def grid(n):
    """Rates 1, 2, 4, ..., whose ratios are exact."""
    return 2.0 ** np.arange(n)


def without(why):
    """The reading of a curve on which there is no range."""
    return Reading(None, None, None, None, open_low=False, open_high=False, why=why)


@st.composite
def curves(draw, least=2, most=40, *, diverging=True):
    """Powers of two, ascending, and small whole losses, here and there one that has diverged."""
    n = draw(st.integers(least, most))
    steps = draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))
    loss = st.integers(0, 100).map(float)
    if diverging:
        loss = st.one_of(loss, loss, loss, st.sampled_from(DIVERGED))
    losses = draw(st.lists(loss, min_size=n, max_size=n))
    return 2.0 ** np.cumsum(steps), np.array(losses)


# ---------------------------------------------------------------------------------------- basin


def test_the_range_of_a_parabola_is_known():
    """Loss 1 + 9 u^2 over u = log10 x, from start 10: 1.9 is crossed between u of .25 and .5.

    There the straight line from 1.5625 to 3.25 reaches it after a fifth of the way.
    """
    u = np.linspace(-1, 1, 9)
    reading = basin(10**u, 1 + 9 * u**2)
    assert reading.level == near(1.9)
    assert reading.low == near(10**-0.3)
    assert reading.high == near(10**0.3)
    assert reading.best == 1.0
    assert reading[4:] == (False, False, "")


def test_the_range_of_a_trapezoid_is_known():
    """Loss 8, 8, 4, 0, 0, 0, 2, 8 over powers of two: level 1 is a quarter, and half, of a step."""
    reading = basin(grid(8), [8, 8, 4, 0, 0, 0, 2, 8], share=0.125)
    assert reading == (near(2**2.75), near(2**5.5), 8.0, 1.0, False, False, "")


def test_the_range_of_a_measured_curve_is_known():
    """The least is .159 and the fall 2.171, so that .3761 is crossed after 1e-6 and after 1e-1."""
    reading = basin(RATES, LOSSES)
    assert reading.level == near(0.159 + 0.2171)
    # from .33 at 1e-5 to .88 at 1e-6, from .370 at 1e-1 to 2.38 at 1
    assert reading.low == near(10 ** (-5 - (0.3761 - 0.33) / 0.55))
    assert reading.high == near(10 ** (-1 + (0.3761 - 0.370) / 2.01))
    assert reading.best == 1e-4
    assert [rounded(reading.low), rounded(reading.high)] == [8.2e-6, 0.1]


@pytest.mark.parametrize("lost", DIVERGED)
def test_a_range_ends_at_the_last_point_before_divergence(lost):
    """No line is drawn to a loss that is not finite, on either side, and the end is not open."""
    reading = basin(grid(7), [9, 8, lost, 1, 0, 0.5, lost], start=10.0)
    assert reading == (8.0, 32.0, 16.0, 1.0, False, False, "")


@pytest.mark.parametrize("lost", DIVERGED)
def test_a_range_does_not_go_on_behind_divergence(lost):
    """Losses as low behind one that is not finite are not of the range."""
    reading = basin(grid(7), [10, 0, 0, 0, lost, 0, 0])
    assert (reading.low, reading.high, reading.open_high) == (near(2**0.9), 8.0, False)


def test_a_range_goes_round_the_least_loss_only():
    """A second valley, low but behind a ridge, is not of the range."""
    reading = basin(grid(7), [16, 1, 4, 0, 4, 1, 16], share=0.125)
    assert (reading.low, reading.high) == (near(2**2.5), near(2**3.5))


def test_a_falling_curve_is_open_above():
    """Where the loss still falls at the last point, the range ends there and says so."""
    reading = basin(grid(5), [8, 6, 4, 2, 0], share=0.125)
    assert reading == (near(2**3.5), 16.0, 16.0, 1.0, False, True, "")


def test_a_rising_curve_is_open_below():
    """Where the loss rises from the first point, the range begins there and says so."""
    reading = basin(grid(5), [0, 2, 4, 6, 8], start=8.0, share=0.125)
    assert reading == (1.0, near(2**0.5), 1.0, 1.0, True, False, "")


def test_a_low_curve_is_open_on_both_sides():
    """A curve that is low throughout bounds nothing."""
    assert basin([3, 5], [1, 2], start=99.0) == (3.0, 5.0, 3.0, near(10.8), True, True, "")


def test_a_loss_at_the_level_is_within():
    """A point exactly at the level belongs to the range, in the midst and at the ends."""
    reading = basin(grid(5), [1, 0, 1, 1, 9], start=8.0, share=0.125)
    assert reading == (1.0, 8.0, 2.0, 1.0, True, False, "")
    assert basin(grid(3), [9, 0, 1], start=8.0, share=0.125)[1::4] == (4.0, True)


def test_the_first_of_several_least_losses_counts():
    """A range goes round the first point at which the loss is least."""
    reading = basin(grid(5), [8, 0, 8, 0, 8], share=0.125)
    assert (reading.low, reading.best, reading.high) == (near(2**0.875), 2.0, near(2**1.125))


@pytest.mark.parametrize(
    ("losses", "why"),
    [
        ([1, 1, 1], "the loss hardly falls: from 1 to 1"),
        ([2.3026, 2.29, math.nan], "the loss hardly falls: from 2.3 to 2.29"),
        ([100, 95, 97], "the loss hardly falls: from 100 to 95"),
        ([-100, -105, -100], "the loss hardly falls: from -100 to -105"),
        ([1, 2, 3], "the loss hardly falls: from 1 to 1"),
        ([math.nan, math.nan, math.inf], "too few finite losses"),
        ([math.nan, 1, -math.inf], "too few finite losses"),
    ],
)
def test_there_is_not_always_a_range(losses, why):
    """A fall of a twentieth, or none, has no range, nor has one loss; the reading says why."""
    assert basin([1, 2, 3], losses) == without(why)
    assert smith([1, 2, 3], losses) is None


def test_a_fall_counts_from_a_twentieth_on():
    """A fall of more than a twentieth of the start has a range, one of a twentieth has none."""
    assert basin([1, 2], [100, 94.99]).why == ""
    assert basin([1, 2], [-100, -105.01]).why == ""
    assert basin([1, 2], [99, 95], start=100.0).low is None
    assert basin([1, 2], [95, 95], start=101.0).low == 1.0


def test_a_curve_needs_two_points():
    """A curve without points, or of one, has no range; of two it may have one."""
    assert basin([], []) == without("too few finite losses")
    assert basin([1], [1], start=9.0) == without("too few finite losses")
    assert basin([1, 2], [1, 0]).high == 2.0


@pytest.mark.parametrize(
    ("n", "start"), [(2, 1), (19, 1), (20, 1.5), (29, 1.5), (30, 2), (40, 2.5), (59, 3)]
)
def test_the_start_is_the_median_of_the_first_tenth(n, start):
    """The start of losses 1, 2, ..., the last of them 0, is the median of so many, rounded down.

    Points that have diverged are not counted.
    """
    losses = [math.nan, math.inf, *range(1, n), 0]
    level = basin(grid(n + 2), losses, share=0.5).level
    assert level == start / 2


def test_one_loss_out_of_line_is_no_start():
    """Of three losses at the beginning the middle one counts, not their mean."""
    assert basin(grid(30), [1, 90, 2, *[1] * 26, 0], share=0.5).level == 1.0
    assert basin(grid(30), [4, 90, 2, *[1] * 26, 0], share=0.5).level == 2.0


def test_a_start_of_0_is_a_start():
    """A start that is given counts whatever it is, as the logarithm of a loss may be 0."""
    assert basin(grid(3), [-4, -8, -4], start=0.0, share=0.125).level == -7.0


@pytest.mark.parametrize(
    ("x", "y", "more", "told"),
    [
        ([1, 2, 3], [1, 0], {}, "not of one length"),
        ([[1, 2]], [[1, 0]], {}, "not of one length"),
        (1.0, 1.0, {}, "not of one length"),
        ([0, 1], [1, 0], {}, "ascending"),
        ([-2, -1], [1, 0], {}, "ascending"),
        ([2, 1], [1, 0], {}, "ascending"),
        ([1, 1], [1, 0], {}, "ascending"),
        ([1, math.nan], [1, 0], {}, "ascending"),
        ([1, math.inf], [1, 0], {}, "ascending"),
        ([1, 2], [1, 0], {"share": -0.01}, "share of -0.01"),
        ([1, 2], [1, 0], {"share": 1.01}, "share of 1.01"),
        ([1, 2], [1, 0], {"share": math.nan}, "share of nan"),
        ([1, 2], [1, 0], {"start": math.nan}, "start of nan"),
        ([1, 2], [1, 0], {"start": math.inf}, "start of inf"),
    ],
)
def test_what_is_no_curve_is_refused(x, y, more, told):
    """Curves have two coordinates a point, the first positive and ascending; a share is of one."""
    with pytest.raises(ValueError, match=told):
        basin(x, y, **more)


def test_the_shares_0_and_1_are_shares():
    """At 0 nothing but the least loss is in the range, at 1 all that is below the start."""
    x, y = grid(5), [8, 4, 0, 4, 9]
    assert basin(x, y, share=0.0)[:4] == (4.0, 4.0, 4.0, 0.0)
    assert basin(x, y, share=1.0)[:6] == (1.0, near(2**3.8), 4.0, 8.0, True, False)


@given(curves(), st.integers(-30, 30), st.integers(-20, 20), st.integers(-1000, 1000))
@laws
def test_units_do_not_matter(curve, of_x, of_y, more):
    """A range scales with the rates, and scaling and shifting all losses leaves it as it is."""
    x, y = curve
    start = 101.0
    first = basin(x, y, start, share=0.125)
    scaled = basin(2.0**of_x * x, y, start, share=0.125)
    assert scaled[3:] == first[3:]
    if first.why:
        assert scaled[:3] == first[:3] == (None, None, None)
        return
    assert scaled[:3] == tuple(2.0**of_x * end for end in first[:3])
    moved = basin(x, 2.0**of_y * (y + more), 2.0**of_y * (start + more), share=0.125)
    if not moved.why:  # what is flat depends on how high the start is
        assert moved[:3] == first[:3]
        assert moved.level == 2.0**of_y * (first.level + more)
        assert moved[4:] == first[4:]


@given(curves(), st.floats(0, 1), st.floats(0, 1))
@laws
def test_a_larger_share_never_narrows_a_range(curve, one, other):
    """What is within a small share of the fall is within a larger one."""
    less, more = (basin(*curve, start=101.0, share=share) for share in sorted([one, other]))
    assume(not less.why)
    assert more.low <= less.low * (1 + 1e-12)
    assert more.high >= less.high * (1 - 1e-12)
    assert (more.open_low, more.open_high) >= (less.open_low, less.open_high)


@given(curves(), st.floats(0.01, 0.99))
@example((grid(5), np.array([0.0, 50, 0, 50, 90])), 0.5)
@laws
def test_a_range_is_where_the_drawn_curve_is_low(curve, share):
    """Within a range the line through the points stays at or below the level, beyond it does not.

    An end that is open is an end of the curve, and one that is closed is where the line crosses
    the level or the last point before a loss that is not finite.
    """
    x, y = curve
    reading = basin(x, y, start=101.0, share=share)
    assume(not reading.why)
    low, high, best, level, *_ = reading
    assert low <= best <= high
    finite = np.isfinite(y)
    assert y[list(x).index(best)] == y[finite].min()
    assert level == near(y[finite].min() + share * (101 - y[finite].min()))
    inside = (low <= x) & (x <= high)
    assert (y[inside] <= level).all()  # and none is NaN
    assert finite[inside].all()
    for end, is_open, last, step in (
        (low, reading.open_low, 0, -1),
        (high, reading.open_high, len(x) - 1, 1),
    ):
        at = np.flatnonzero(inside)[0 if step < 0 else -1]
        assert is_open == (at == last)
        if is_open or not finite[at + step]:
            assert end == x[at]
        else:
            drawn = np.interp(math.log(end), np.log(x[finite]), y[finite])
            assert drawn == pytest.approx(level, rel=1e-9, abs=1e-9)
            assert y[at + step] > level


@given(st.integers(0, 10**6), st.floats(-3, 3), st.integers(30, 200))
@laws
def test_noise_moves_a_range_by_little(seed, middle, n):
    """Noise of a twentieth of the fall, from peak to peak, is as another share, .0525 to .1475.

    The least moves by up to a fortieth, and so does the loss at the end of the range: the level
    .1 + .9 / 40 above the true least, and a loss that much too low, are a true loss of .1475.
    For a parabola that moves an end by a factor of 1.52, or 10^.18, at most, where its loss is
    back at the start after two decades.
    """
    x = np.logspace(-6, 1, n)
    y = np.minimum(1, ((np.log10(x / x[n // 2]) - middle) / 2) ** 2)
    y = (y - y.min()) / (1 - y.min())
    noise = np.random.default_rng(seed).uniform(-1, 1, n) / 40
    noisy = basin(x, y + noise, start=1.0)
    inner, outer = (basin(x, y, start=1.0, share=share) for share in (0.0525, 0.1475))
    assert outer.low * (1 - 1e-9) <= noisy.low <= inner.low * (1 + 1e-9)
    assert inner.high * (1 - 1e-9) <= noisy.high <= outer.high * (1 + 1e-9)
    if n == 200:
        true = basin(x, y, start=1.0)
        assert 1 / 1.52 <= noisy.low / true.low <= 1.52


# ------------------------------------------------------------------------------- smith, by eye


def test_smith_begins_after_a_tenth_of_the_fall():
    """From where the loss has made a tenth of its fall to where it is least."""
    assert smith(grid(6), [10, 10, 8, 0, 5, 90]) == (near(2**1.5), 8.0)
    # of the measured curve 2.1129 lies between 2.33 at 1e-8 and 2.07 at 1e-7
    low, high = smith(RATES, LOSSES)
    assert (low, high) == (near(10 ** (-7 - (2.1129 - 2.07) / 0.26)), 1e-4)


def test_smith_begins_where_the_fall_is_for_good():
    """A dip before the fall is not its beginning."""
    assert smith(grid(6), [10, 5, 10, 8, 0, 9]) == (near(2**2.5), 16.0)


def test_smith_reads_nothing_where_nothing_falls():
    """A least loss right behind divergence, or at the first point, is at the end of no fall."""
    assert smith(grid(4), [10, math.nan, 0, 9]) is None
    assert smith(grid(40), np.arange(1.0, 41)) is None
    with pytest.raises(ValueError, match="ascending"):
        smith([2, 1], [1, 0])


# --------------------------------------------------------------------------- a sweep as it goes


@given(st.lists(st.floats(0, 10), max_size=30), st.floats(0, 0.999))
@laws
def test_a_smoothed_loss_is_a_weighted_mean(losses, beta):
    """Weights fall by ``beta`` for each step back, and their sum is 1."""
    means = smoothed(losses, beta)
    assert means.shape == (len(losses),)
    for t, mean in enumerate(means, 1):
        weights = [beta ** (t - i) for i in range(1, t + 1)]
        expected = np.average(losses[:t], weights=weights)
        assert mean == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_smoothing_is_corrected_for_its_start():
    """A constant stays what it is, and the second mean of 1 and 2 by hand is 2.98 / 1.98."""
    assert smoothed([3.5] * 9) == near([3.5] * 9)
    assert smoothed([1, 2]) == near([1, (0.98 * 1 + 2) / 1.98])
    assert smoothed([1, 2, 4], beta=0.0).tolist() == [1, 2, 4]


@pytest.mark.parametrize("lost", DIVERGED)
def test_smoothing_does_not_forget_divergence(lost):
    """From the first loss that is not finite on, no mean is."""
    assert np.isfinite(smoothed([1, 2, lost, 2, -lost, 1])).tolist() == [True] * 2 + [False] * 4


@pytest.mark.parametrize(
    ("losses", "points"),
    [
        ([], 0),
        ([1], 1),
        ([9, 9, 9], 3),
        ([1, 4, 4], 3),  # not above four times the best
        ([1, 4.01, 1], 1),
        ([8, 9, 1, 4, 5, 1], 4),
        ([8, 1, 9, 8], 2),
        ([1, 0.5, 3], 2),
        ([5, 1, 3, 2, 4.5], 4),
        ([1, -1], 2),  # a new best is compared with the one before
        ([math.nan, 1], 0),
        ([math.inf, 1], 0),
        ([1, math.nan, 9], 1),
        ([1, -math.inf, 9], 1),
        ([1, 2, math.inf], 2),
    ],
)
def test_a_sweep_stops_where_the_loss_is_far_above_its_best(losses, points):
    """Points count up to the first above four times the best before it, or that is not finite."""
    assert stopped(losses) == points


def test_a_sweep_may_stop_at_another_factor():
    """The factor is the caller's."""
    assert stopped([1, 2, 2.5], factor=2.0) == 2
    assert type(stopped([1, 9])) is int


@given(st.lists(st.integers(0, 50), max_size=30))
@laws
def test_stopping_is_as_batch_by_batch(losses):
    """The curve is cut as if each loss were compared before it could become the best."""
    best, points = math.inf, 0
    for loss in losses:
        if loss > 4 * best:
            break
        best = min(best, loss)
        points += 1
    assert stopped(losses) == points


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (8.2448e-6, 2, 8.2e-6),
        (8.2448e-6, 3, 8.24e-6),
        (0.0996, 2, 0.1),
        (-1234.5, 1, -1000.0),
        (96, 1, 100.0),
        (0, 2, 0.0),
        (math.inf, 2, math.inf),
    ],
)
def test_numbers_are_rounded_to_significant_digits(value, digits, expected):
    """So many digits stay, wherever the point stands."""
    assert rounded(value, digits) == expected


def test_two_digits_are_enough():
    """Numbers are rounded to two digits unless told otherwise."""
    assert rounded(12345.0) == 12000.0


# -------------------------------------------------------------------------------- fastai's rules


def test_there_are_four_rules_of_fastai():
    """Each rule goes by the name that a figure shows."""
    assert list(FASTAI.items()) == [
        ("valley", rules.valley),
        ("slide", rules.slide),
        ("minimum / 10", rules.minimum),
        ("steepest", rules.steepest),
    ]


@pytest.mark.parametrize("rule", FASTAI.values(), ids=FASTAI)
@given(curves(least=0))
@laws
def test_the_rules_pass_over_what_has_diverged(rule, curve):
    """A rule gives what it gives without the points that are not finite, or None."""
    x, y = curve
    finite = np.isfinite(y)
    suggestion = rule(x, y)
    assert suggestion == rule(x[finite], y[finite])
    assert suggestion is None or type(suggestion) is float


@pytest.mark.parametrize("losses", [[], [math.nan] * 40, [math.inf] * 40])
def test_no_rule_reads_nothing(losses):
    """Without finite losses no rule gives anything."""
    assert [rule(grid(len(losses)), losses) for rule in FASTAI.values()] == [None] * 4


def test_the_rules_on_a_measured_curve():
    """By hand: the valley are the first five points, and ten points are too few to slide along.

    Five falling points from the first on are taken to begin one before it; a third and a sixth
    of five are 1 and 0.
    """
    assert {name: rule(RATES, LOSSES) for name, rule in FASTAI.items()} == {
        "valley": 1e-8,
        "slide": None,
        "minimum / 10": near(1e-5),
        "steepest": 1e-7,
    }


def falling(losses):
    """The length of the longest strictly falling subsequence that ends at each point, by trial."""
    lengths = []
    for end, last in enumerate(losses):
        before = [loss for loss in losses[:end] if loss > last]
        lengths.append(
            1
            + max(
                size
                for size in range(len(before) + 1)
                for some in combinations(before, size)
                if all(a > b for a, b in pairwise(some))
            )
        )
    return lengths


@given(curves(least=1, most=9, diverging=False), st.integers(1, 100))
@example((grid(9), np.arange(9.0, 0, -1)), 100)
@example((grid(8), np.array([9.0, 8, 7, 6, 5, 4, 9, 9])), 100)
@settings(laws, max_examples=60)
def test_the_valley_is_the_longest_falling_subsequence(curve, top):
    """The rate is a third and a sixth of its length after where it would begin without gaps."""
    x, y = curve
    y = y % top  # so that losses are equal now and then
    lengths = falling(y.tolist())
    end = int(np.argmax(lengths))  # the first
    sections = lengths[end] / 3
    at = (end - lengths[end]) + int(sections) + int(sections / 2)
    assert rules.valley(x, y) == (x[at] if at >= 0 else None)


@pytest.mark.parametrize(
    ("losses", "at"),
    [
        ([9, 8, 7, 6, 5, 4], 2),  # 5 - 6 + 2 + 1
        ([9, 9, 9, 8, 7, 6, 5, 4, 9], 4),  # 7 - 6 + 2 + 1
        ([9, 1, 8, 2, 7, 3, 6, 9], 2),  # 9, 8, 7, 3, before 9, 8, 7, 6: 5 - 4 + 1 + 0
        ([3, 2, 1, 0, 9, 8, 7, 6], 0),  # the first of two
        ([1, 2, 3, 2, 1, 5], 2),  # 4 - 3 + 1 + 0
        ([5, 5, 4, 4, 3, 3], 2),  # equal losses do not fall: 4 - 3 + 1 + 0
    ],
)
def test_the_valley_by_hand(losses, at):
    """Its end less its length, and a third and a sixth of its length, each rounded down."""
    assert rules.valley(grid(len(losses)), losses) == 2.0**at


@pytest.mark.parametrize("losses", [[1], [1, 2, 3], [1, 1], [2, 1], [2, 1, 3, 4]])
def test_a_valley_before_the_curve_is_none(losses):
    """Where no more than the first two points fall, the rule would look before the first."""
    assert rules.valley(grid(len(losses)), losses) is None
    assert rules.valley(grid(3), [2, 3, 1]) == 1.0  # 2 - 2 + 0 + 0


@given(curves(least=16, diverging=False), st.sampled_from([0.005, 5.0, 20.0, 1000.0]))
@example((grid(16), np.arange(16.0) ** 2), 0.005)
@example((grid(16), np.arange(16.0)), 0.005)
@example((grid(17), np.arange(17.0) ** 2), 29.0)  # both pairs differ by just that
@laws
def test_the_slide_goes_back_while_slopes_differ(curve, thresh):
    """Pairs of points 15 apart, from the last pair back, as long as their slopes differ enough."""
    x, y = curve
    n = len(y)
    slopes = [y[1] - y[0], *((y[i + 1] - y[i - 1]) / 2 for i in range(1, n - 1)), y[-1] - y[-2]]
    suggestion = x[n - 16]
    for left in range(n - 16, -1, -1):
        if abs(slopes[left + 15] - slopes[left]) <= thresh:
            break
        suggestion = x[left]
    assert rules.slide(x, y, thresh) == suggestion


def test_the_slide_by_hand():
    """Level, then rising from point 30 on: slopes 15 apart differ for left points 15 to 29.

    At point 30 the slope is half a step's, and so differs from that of point 45 too.
    """
    y = np.maximum(0, np.arange(46.0) - 30)
    assert rules.slide(grid(46), y) == 2.0**15
    assert rules.slide(grid(46), y, adjust=0.5) == 2.0**14
    # on a line no slopes differ: the last pair's left point
    assert rules.slide(grid(20), np.arange(20.0)) == 2.0**4
    # on a parabola all do, unless by no more than the threshold
    assert rules.slide(grid(20), 0.5 * np.arange(20.0) ** 2) == 1.0
    assert rules.slide(grid(15), np.arange(15.0) ** 2) is None
    assert rules.slide(grid(16), np.arange(16.0) ** 2) == 1.0


@pytest.mark.parametrize(("step", "at"), [(0.0049, 29), (0.0051, 16)])
def test_the_slide_has_a_threshold(step, at):
    """Slopes differ if by more than .005 of loss a point; half of that, at point 30, is alike."""
    y = step * np.maximum(0, np.arange(45.0) - 30)
    assert rules.slide(grid(45), y) == 2.0**at


def test_a_tenth_of_the_least():
    """The first of the least losses counts, and its rate is divided by ten."""
    assert rules.minimum([10, 20, 30], [5, 1, 1]) == 2.0
    assert rules.minimum([10], [5]) == 1.0


def test_the_steepest_step_is_over_the_logarithm():
    """A fall of 3 in a decade is steeper than one of 5 in two, or one of 4 in two."""
    assert rules.steepest([1e-6, 1e-4, 1e-3, 1e-1], [12, 7, 4, 0]) == 1e-4
    assert rules.steepest([1, 2, 4], [3, 2, 1]) == 1.0
    # where nothing falls, the step that rises least
    assert rules.steepest([1, 2, 4], [1, 5, 6]) == 2.0
    assert rules.steepest([1], [3]) is None
