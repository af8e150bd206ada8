# ruff: noqa: TID253 - these tests are of what needs torch
import math
import statistics as plain
from hashlib import blake2b

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from training.engine import initializers, losses, schedules, statistics, steps, streams
from training.engine.activations import CURVED, Activations, slope
from training.engine.steps import Steps
from training.errors import TrainingError

laws = settings(max_examples=50, deadline=None, derandomize=True)


def doubles(*shape, seed=0):
    """Standard normal numbers that come from no code under test."""
    return torch.randn(
        *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1)
    )


def refusal(function, *args):
    """The one line with which something is refused."""
    with pytest.raises(TrainingError) as caught:
        function(*args)
    line = str(caught.value)
    assert line
    assert "\n" not in line
    return line


# ---------------------------------------------------------------------------------------- steps


@given(st.builds(Steps, st.integers(0, 10**9), st.sampled_from(["ep", "it"])))
@laws
def test_reading_and_writing_steps_are_inverse(length):
    """What is written of a length of training is read as that length."""
    assert Steps.read(str(length)) == length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("5ep", Steps(5, "ep")),
        ("2000it", Steps(2000, "it")),
        ("0ep", Steps(0, "ep")),
        (" 7it\n", Steps(7, "it")),
        ("007ep", Steps(7, "ep")),
        ("1000000000it", Steps(10**9, "it")),
    ],
)
def test_steps_are_read(text, length):
    """A length is a number up to 10**9 and ``ep`` or ``it``, spaces around it aside."""
    assert Steps.read(text) == length


@pytest.mark.parametrize(
    "text",
    [
        *("", "5", "ep", "5 ep", "-1ep", "+1ep", "5EP", "1.5ep", "1e3it", "5epit", "5epochs"),
        *("5ep\n6it", "٣ep", "1000000001it", "99999999999999999999ep"),
    ],
)
def test_wrong_steps_are_refused(text):
    """What is no length of training is quoted in one line that shows two right ones."""
    line = refusal(Steps.read, text)
    assert line.startswith(f"{text!r} is no length of training; ")
    assert "5ep" in line.split("; ")[1]
    assert "2000it" in line.split("; ")[1]


@pytest.mark.parametrize(
    ("length", "per_epoch", "updates"),
    [
        (steps.epochs(8), 47, 376),
        (steps.epochs(0), 47, 0),
        (steps.iterations(2000), 47, 2000),
        (steps.iterations(0), 47, 0),
    ],
)
def test_steps_in_updates(length, per_epoch, updates):
    """An epoch has as many updates as is said, an iteration is one."""
    assert length.iterations(per_epoch) == updates


def test_steps_of_a_unit():
    """``epochs`` and ``iterations`` make what is written with their unit."""
    assert str(steps.epochs(3)) == "3ep"
    assert str(steps.iterations(3)) == "3it"


# -------------------------------------------------------------------------------------- streams

WORD = 2**64
GAMMA = 0x9E3779B97F4A7C15
FACTORS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))


def mixed(z):
    """SplitMix64's output function in whole numbers, after Steele, Lea, Flood, figure 16."""
    for bits, factor in FACTORS:
        z = (z ^ z >> bits) * factor % WORD
    return z


def unmixed(z):
    """The inverse of :func:`mixed`."""
    for bits, factor in reversed(FACTORS):
        z = z * pow(factor, -1, WORD) % WORD
        shifted = z
        for _ in range(64 // bits):
            shifted = z ^ shifted >> bits
        z = shifted
    return z


def folded(key, *words):
    """:func:`training.engine.streams.fold` of one key in whole numbers."""
    for word in words:
        if isinstance(word, str):
            word = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")  # noqa: PLW2901
        key = mixed(((key ^ word % WORD) + GAMMA) % WORD)
    return key


def unsigned(tensor):
    """The 64 bits of each entry as a whole number."""
    return [value % WORD for value in tensor.flatten().tolist()]


def key_of(number):
    """A key with the same 64 bits."""
    return torch.tensor(number - WORD if number >= WORD // 2 else number)


def keys_of(count, *words):
    """As many keys as a population would have, for a purpose."""
    return streams.fold(streams.root(11), "member", torch.arange(count), *words)


words = st.integers(0, WORD - 1)


def test_splitmix():
    """The stream of seed 1234567 is that of the published generator."""
    assert unsigned(streams.bits(torch.tensor(1234567), 5)) == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(words, st.integers(0, 2**40), st.integers(1, 5))
@laws
def test_any_stream_is_splitmix(seed, start, count):
    """Every number of every stream is SplitMix64's of that seed, wherever the stream is entered."""
    expected = [mixed((seed + i * GAMMA) % WORD) for i in range(start + 1, start + count + 1)]
    assert unsigned(streams.bits(key_of(seed), count, start)) == expected


@pytest.mark.parametrize(
    "draw",
    [
        lambda keys: streams.bits(keys, 6),
        lambda keys: streams.bits(keys, 6, 3),
        lambda keys: streams.uniform(keys, 2, 3),
        lambda keys: streams.normal(keys, 2, 3),
        lambda keys: streams.integers(keys, 1000, 2, 3),
        lambda keys: streams.permutation(keys, 9),
        lambda keys: streams.fold(keys, "name", 5),
    ],
)
def test_a_key_draws_alone_what_it_draws_in_company(draw):
    """What a key draws depends neither on the other keys nor on its place among them."""
    keys = keys_of(12)
    together = draw(keys)
    assert torch.equal(draw(keys.view(3, 4)).flatten(0, 1), together)
    assert torch.equal(draw(keys.flip(0)), together.flip(0))
    for key, drawn in zip(keys, together, strict=True):
        assert torch.equal(draw(key), drawn)
        assert torch.equal(draw(key.view(1))[0], drawn)


@given(words, st.integers(0, 20), st.integers(1, 20))
@laws
def test_a_stream_does_not_depend_on_how_much_is_drawn(seed, start, count):
    """The first numbers of a longer draw are those of a shorter one, and an offset goes on."""
    key = key_of(seed)
    whole = streams.bits(key, start + count)
    assert torch.equal(streams.bits(key, start), whole[:start])
    assert torch.equal(streams.bits(key, count, start), whole[start:])
    assert torch.equal(streams.uniform(key, start + count)[:count], streams.uniform(key, count))
    assert torch.equal(streams.normal(key, 2, count).flatten(), streams.normal(key, 2 * count))


@given(words)
@laws
def test_uniform_is_the_top_of_the_word(seed):
    """A uniform number is its 64 bits as a binary fraction, to what a 64-bit float holds."""
    drawn = streams.uniform(key_of(seed), 4)
    assert drawn.dtype == torch.float64
    for value, word in zip(drawn.tolist(), unsigned(streams.bits(key_of(seed), 4)), strict=True):
        assert value == pytest.approx(word / WORD, abs=2**-52, rel=0)


def test_unmixed_is_the_inverse():
    """The reference of the following test undoes SplitMix64's output function."""
    for seed in (0, 1, 1234567, WORD - 1):
        assert unmixed(mixed(seed)) == seed
        assert unsigned(streams.bits(key_of((unmixed(seed) - GAMMA) % WORD), 1)) == [seed]


@pytest.mark.parametrize("word", [0, 1, WORD - 1, WORD - 2**11, WORD - 2**30, WORD - 2**38])
def test_uniform_numbers_are_inside_the_interval(word):
    """No 64 bits make a uniform number of 0 or 1, a normal one of infinity, an integer too large.

    The key is computed backwards from the bits that it shall draw first.
    """
    key = key_of((unmixed(word) - GAMMA) % WORD)
    assert unsigned(streams.bits(key, 1)) == [word]
    assert 0 < streams.uniform(key, 1).item() < 1
    assert math.isfinite(streams.normal(key, 1).item())
    assert 0 <= streams.integers(key, 7, 1).item() < 7


MANY = 200_000


def apart(value, expected, deviation, count):
    """How many standard errors a mean of so many numbers is from what it should be."""
    return abs(float(value) - expected) / (deviation / math.sqrt(count))


def test_uniform_moments():
    """Uniform numbers have mean 1/2 and variance 1/12, in each tenth as many as in any other."""
    drawn = streams.uniform(keys_of(20), MANY // 20)
    assert apart(drawn.mean(), 1 / 2, math.sqrt(1 / 12), MANY) < 4
    assert apart(drawn.var(), 1 / 12, math.sqrt(1 / 180), MANY) < 4
    for count in torch.histc(drawn, 10, 0, 1):
        assert apart(count / MANY, 0.1, math.sqrt(0.09), MANY) < 4


def test_normal_moments():
    """Normal numbers have mean 0, deviation 1, no skew and a fourth moment of 3."""
    drawn = streams.normal(keys_of(20), MANY // 20)
    assert drawn.dtype == torch.float64
    for power, (moment, deviation) in {
        1: (0, 1),
        2: (1, math.sqrt(2)),
        3: (0, math.sqrt(15)),
        4: (3, math.sqrt(96)),
    }.items():
        assert apart(drawn.pow(power).mean(), moment, deviation, MANY) < 4


def test_a_normal_number_is_a_uniform_one_inverted():
    """The normal distribution function of a normal number is the uniform one of the same key."""
    keys = keys_of(5)
    normal, uniform = streams.normal(keys, 40), streams.uniform(keys, 40)
    law = plain.NormalDist()
    for one, other in zip(normal.flatten().tolist(), uniform.flatten().tolist(), strict=True):
        assert law.cdf(one) == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize(
    "pairs",
    [
        lambda: (
            streams.normal(keys_of(2, "a"), MANY)[0],
            streams.normal(keys_of(2, "a"), MANY)[1],
        ),
        lambda: (streams.normal(keys_of(MANY), 1)[:-1, 0], streams.normal(keys_of(MANY), 1)[1:, 0]),
        lambda: (streams.normal(keys_of(1), MANY)[0, :-1], streams.normal(keys_of(1), MANY)[0, 1:]),
        lambda: (
            streams.normal(keys_of(1, "a"), MANY)[0],
            streams.normal(keys_of(1, "b"), MANY)[0],
        ),
        lambda: (
            streams.normal(streams.root(1), MANY),
            streams.normal(streams.root(2), MANY),
        ),
    ],
    ids=["two keys", "first of each key", "one after the other", "two purposes", "two seeds"],
)
def test_neighbours_do_not_know_of_each_other(pairs):
    """Numbers of neighbouring keys, purposes, seeds and places are uncorrelated."""
    one, other = pairs()
    assert apart((one * other).mean(), 0, 1, len(one)) < 4


@pytest.mark.parametrize("below", [1, 2, 7])
def test_integers(below):
    """Whole numbers below a bound come all, and all equally often."""
    drawn = streams.integers(keys_of(20), below, MANY // 40, 2)
    assert drawn.shape == (20, MANY // 40, 2)
    assert drawn.dtype == torch.int64
    assert sorted(set(drawn.flatten().tolist())) == list(range(below))
    for count in torch.bincount(drawn.flatten()):
        share = 1 / below
        assert apart(count / MANY, share, math.sqrt(share * (1 - share)) or 1e-9, MANY) < 4


def test_permutations():
    """An order has everything once and another key has another; all six of three come alike."""
    orders = streams.permutation(keys_of(30), 50)
    assert torch.equal(orders.sort(-1).values, torch.arange(50).expand(30, 50))
    assert len(set(map(tuple, orders.tolist()))) == 30
    many = streams.permutation(keys_of(30_000), 3) @ torch.tensor([9, 3, 1])
    found = torch.unique(many, return_counts=True)[1]
    assert len(found) == 6
    for count in found:
        assert apart(count / 30_000, 1 / 6, math.sqrt(5 / 36), 30_000) < 4


@given(words, st.lists(st.integers(-WORD, WORD) | st.text(max_size=5), max_size=3))
@example(0, [WORD // 2, WORD // 2 - 1, -WORD // 2])
@laws
def test_fold_is_splitmix_of_each_word(key, purpose):
    """Each word, a name by its BLAKE2 hash, is mixed into the key as SplitMix64 does."""
    assert unsigned(streams.fold(key_of(key), *purpose)) == [folded(key, *purpose)]


def test_roots_are_folded_from_nothing():
    """The key of an experiment is its seed mixed into 0, without axes."""
    assert streams.root(5).shape == ()
    assert unsigned(streams.root(5)) == [folded(0, 5)]


def test_the_order_of_words_matters():
    """The same words in another order, or joined, are another purpose."""
    key = streams.root(3)
    purposes = [("a", "b"), ("b", "a"), ("ab",), ("a", "b", "b"), (1, 2), (2, 1), (12,), ("1", "2")]
    found = {streams.fold(key, *purpose).item() for purpose in purposes}
    assert len(found) == len(purposes)


def test_a_tensor_is_a_word_of_each_key():
    """A tensor of words gives each key what its own number would, broadcast against the keys."""
    keys = keys_of(3).view(3, 1)
    numbers = torch.tensor([0, 5, -1, 2**62])
    found = streams.fold(keys, "x", numbers, "y")
    assert found.shape == (3, 4)
    for row, key in zip(found, keys[:, 0], strict=True):
        for value, number in zip(row, numbers.tolist(), strict=True):
            assert value == streams.fold(key, "x", number, "y")


def test_keys_are_left_as_they_are():
    """Nothing that is drawn or folded changes the keys in place."""
    keys = keys_of(4)
    before = keys.clone()
    for draw in (streams.uniform, streams.normal, streams.bits, streams.permutation):
        draw(keys, 3)
    streams.integers(keys, 3, 3)
    streams.fold(keys, "x", 1, keys)
    assert torch.equal(keys, before)


def test_keys_do_not_collide():
    """A hundred thousand members have as many keys."""
    assert len(torch.unique(keys_of(100_000))) == 100_000


# --------------------------------------------------------------------------------- initializers

OUT, FAN_IN = 24, 40
MEMBERS = 100
NUMBERS = MEMBERS * OUT * FAN_IN

# name, standard deviation of a weight, fourth moment over its square: 3 if normal, 9/5 if uniform
WEIGHTS = [
    ("he", math.sqrt(2 / 40), 3),
    ("glorot", math.sqrt(2 / 64), 3),
    ("glorot-uniform", math.sqrt(2 / 64), 9 / 5),
    ("torch", math.sqrt(1 / 120), 9 / 5),
    ("normal.01", 0.01, 3),
    ("normal0.5", 0.5, 3),
    ("normal2", 2, 3),
]


@pytest.mark.parametrize(("name", "deviation", "kurtosis"), WEIGHTS)
def test_weights_at_birth(name, deviation, kurtosis):
    """Weights have mean 0, their initializer's deviation, and the law that it names."""
    weight = initializers.initializer(name)(keys_of(MEMBERS), OUT, FAN_IN).weight
    assert weight.shape == (MEMBERS, OUT, FAN_IN)
    assert weight.dtype == torch.float32
    scaled = weight.double() / deviation
    spread = math.sqrt(kurtosis - 1)
    assert apart(scaled.mean(), 0, 1, NUMBERS) < 4
    assert apart(scaled.square().mean(), 1, spread, NUMBERS) < 4
    assert scaled.pow(4).mean().item() == pytest.approx(kurtosis, rel=0.05)


@pytest.mark.parametrize(("name", "bound"), [("glorot-uniform", 6 / 64), ("torch", 1 / 40)])
def test_uniform_weights_are_bounded(name, bound):
    """Uniform weights fill the interval of their initializer from end to end."""
    weight = initializers.initializer(name)(keys_of(MEMBERS), OUT, FAN_IN).weight
    assert weight.max().item() == pytest.approx(math.sqrt(bound), rel=1e-3)
    assert weight.min().item() == pytest.approx(-math.sqrt(bound), rel=1e-3)
    assert weight.abs().max().item() <= math.sqrt(bound) * (1 + 1e-6)


@pytest.mark.parametrize("name", ["he", "glorot", "glorot-uniform", "normal.01", "zero"])
def test_biases_are_zero(name):
    """Every initializer but torch's and the asymmetric one begins with biases of zero."""
    bias = initializers.initializer(name)(keys_of(MEMBERS), OUT, FAN_IN).bias
    assert torch.equal(bias, torch.zeros(MEMBERS, OUT))


def test_zero():
    """``zero`` has weights of zero."""
    assert torch.equal(
        initializers.initializer("zero")(keys_of(2), 3, 4).weight, torch.zeros(2, 3, 4)
    )


def test_torch_biases():
    """As in ``torch.nn.Linear``, biases have the bound of the weights and are drawn apart."""
    weight, bias = initializers.initializer("torch")(keys_of(4000), OUT, FAN_IN)
    bound = 1 / math.sqrt(FAN_IN)
    reference = torch.nn.Linear(FAN_IN, 10_000).bias.abs().max().item()
    assert reference == pytest.approx(bound, rel=1e-2)
    assert bias.shape == (4000, OUT)
    assert bias.dtype == torch.float32
    assert bias.max().item() == pytest.approx(bound, rel=1e-3)
    assert bias.min().item() == pytest.approx(-bound, rel=1e-3)
    scaled = bias.double() / bound
    assert apart(scaled.mean(), 0, math.sqrt(1 / 3), bias.numel()) < 4
    assert apart(scaled.square().mean(), 1 / 3, math.sqrt(4 / 45), bias.numel()) < 4
    first = weight.flatten(1)[:, :OUT].double() / bound
    assert apart((scaled * first).mean(), 0, 1 / 3, bias.numel()) < 4


@pytest.mark.parametrize("name", [*initializers.INITIALIZERS, "normal.3"])
def test_a_member_is_born_alone_as_in_company(name):
    """Weights and biases of a member do not depend on who is born with it."""
    draw, keys = initializers.initializer(name), keys_of(5)
    together = draw(keys, 4, 3)
    assert together.weight.shape == (5, 4, 3)
    assert together.bias.shape == (5, 4)
    for place in range(5):
        alone = draw(keys[place : place + 1], 4, 3)
        assert torch.equal(alone.weight[0], together.weight[place])
        assert torch.equal(alone.bias[0], together.bias[place])


@pytest.fixture(scope="module")
def asymmetric():
    """Many rows of the asymmetric initialization, and where each has its replaced number."""
    keys, fan_in = keys_of(3000), 5
    weight, bias = initializers.initializer("rai")(keys, 4, fan_in)
    row = torch.cat([weight, bias.unsqueeze(-1)], -1)
    normal = streams.normal(streams.fold(keys, "weight"), 4, fan_in + 1)
    return row.flatten(0, 1), (normal * 0.6007 / math.sqrt(fan_in)).float().flatten(0, 1)


def test_one_number_a_unit_is_asymmetric(asymmetric):
    """Of a unit's weights and bias exactly one is replaced, in each place equally often."""
    row, normal = asymmetric
    # products in another order differ by a rounding
    replaced = ~torch.isclose(row, normal, rtol=1e-6, atol=0)
    assert torch.equal(replaced.sum(-1), torch.ones(len(row), dtype=torch.int64))
    for count in replaced.sum(0):
        assert apart(count / len(row), 1 / 6, math.sqrt(5 / 36), len(row)) < 4
    assert bool(((row > 0) & (row < 1)).any(-1).all())


def test_the_asymmetric_number_is_beta_distributed(asymmetric):
    """The replaced number follows Beta(2, 1), whose mean is 2/3, and does not know its place."""
    row, normal = asymmetric
    replaced = ~torch.isclose(row, normal, rtol=1e-6, atol=0)
    value = row[replaced].double()
    for place in range(row.shape[1]):
        there = row[:, place][replaced[:, place]].double()
        assert apart(there.mean(), 2 / 3, math.sqrt(1 / 18), len(there)) < 4
    assert value.min() > 0
    assert value.max() < 1
    assert apart(value.mean(), 2 / 3, math.sqrt(1 / 18), len(value)) < 4
    for x in (0.1, 0.25, 0.5, 0.75, 0.9):
        share = (value < x).double().mean()
        assert apart(share, x**2, math.sqrt(x**2 * (1 - x**2)), len(value)) < 4


def test_the_other_asymmetric_numbers_are_normal(asymmetric):
    """All numbers but the replaced one are N(0, 0.6007^2 / fan_in)."""
    row, normal = asymmetric
    value = row[torch.isclose(row, normal, rtol=1e-6, atol=0)].double()
    scaled = value / (0.6007 / math.sqrt(5))
    assert apart(scaled.mean(), 0, 1, len(value)) < 4
    assert apart(scaled.square().mean(), 1, math.sqrt(2), len(value)) < 4
    assert scaled.pow(4).mean().item() == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("hee", "did you mean he?"),
        ("glorrot", "did you mean glorot?"),
        ("Torch", "did you mean torch?"),
        ("kaiming", "one of he, glorot, glorot-uniform, torch, rai, zero, or normal.01"),
        ("", "one of he,"),
        ("normal", "one of he,"),
        ("normal-1", "one of he,"),
        ("normal1.2.3", "one of he,"),
        ("normal.", "one of he,"),
    ],
)
def test_an_unknown_initializer_is_refused(name, hint):
    """An initializer that is not there is refused in one line, with a near one or with all."""
    line = refusal(initializers.initializer, name)
    assert line.startswith(f"no initializer is called {name!r}; {hint}")


# ----------------------------------------------------------------------------------- statistics


def test_the_quantile():
    """Z is the number within which a normal variable lies with probability 0.95."""
    assert pytest.approx(plain.NormalDist().inv_cdf(0.975), rel=1e-12) == statistics.Z


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (5, 10, 0.236593, 0.763407),
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (1, 1, 0.206549, 1.0),
        (919, 1000, 0.900443, 0.934350),
    ],
)
def test_score_intervals(successes, trials, low, high):
    """Wilson's interval has the values of tables, and ends at 0 and 1 exactly."""
    found = statistics.wilson(successes, trials)
    assert found.value == successes / trials
    assert found.low == pytest.approx(low, abs=1e-6)
    assert found.high == pytest.approx(high, abs=1e-6)
    assert (found.low == 0) == (successes == 0)
    assert (found.high == 1) == (successes == trials)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@laws
def test_score_intervals_end_where_the_score_does(counts):
    """At an end p of the interval the observed fraction is Z deviations of p away."""
    successes, trials = counts
    found = statistics.wilson(successes, trials)
    assert 0 <= found.low <= found.value <= found.high <= 1
    for end in found[1:]:
        score = (found.value - end) ** 2
        assert score == pytest.approx(statistics.Z**2 * end * (1 - end) / trials, abs=1e-12)
    assert found.low < found.high


def test_score_intervals_end_at_none_and_all():
    """Of no successes an interval begins at 0, of nothing else it ends at 1, without rounding."""
    for trials in range(1, 500):
        assert statistics.wilson(0, trials).low == 0
        assert statistics.wilson(trials, trials).high == 1


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 3), (4, 3), (1, 0), (0, -1)])
def test_no_interval_without_trials(successes, trials):
    """A fraction needs trials, and no more successes than those, and no fewer than none."""
    with pytest.raises(ValueError, match=f"{successes} successes of {trials} trials"):
        statistics.wilson(successes, trials)


proportions = st.lists(st.floats(0.01, 0.99), min_size=5, max_size=20)


@given(proportions)
@laws
def test_the_interval_of_proportions_is_students_on_the_logit(sample):
    """On the scale of the logit it is as wide as Student's over p (1 - p), and within [0, 1]."""
    found, usual = statistics.proportion(sample), statistics.student(sample)
    assert found.value == usual.value
    assert 0 <= found.low <= found.high <= 1
    slope = found.value * (1 - found.value)
    half = (usual.high - usual.value) / slope
    middle = math.log(found.value / (1 - found.value))
    for end, sign in ((found.low, -1), (found.high, 1)):
        logit = middle + sign * half
        assert end == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-9, abs=1e-12)


def test_the_interval_of_proportions_is_students_where_they_are_close():
    """Around one half, and of a small spread, both intervals are nearly the same."""
    sample = [0.5, 0.501, 0.499, 0.5005, 0.4995]
    assert statistics.proportion(sample)[:3] == pytest.approx(statistics.student(sample)[:3], 1e-5)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_at_an_end_proportions_have_no_spread(end):
    """Where all proportions are 0, or all 1, the interval has no width."""
    assert statistics.proportion([end] * 5)[:3] == (end, end, end)


@pytest.mark.parametrize("of", [statistics.student, statistics.proportion])
@pytest.mark.parametrize("count", range(1, 8))
def test_few_values_have_no_interval(of, count):
    """Of fewer than five values there is no interval, and the values are there in its place."""
    sample = tuple(0.1 + 0.1 * place for place in range(count))
    found = of(sample)
    assert found.value == pytest.approx(plain.mean(sample))
    if count < 5:
        assert found[1:] == (-math.inf, math.inf, sample)
    else:
        assert found.low < found.value < found.high
        assert found.each == ()


@pytest.mark.parametrize(
    ("name", "of"),
    [("test_accuracy", statistics.proportion), ("test_loss", statistics.student)],
)
def test_an_accuracy_is_a_proportion(name, of):
    """The mean of an accuracy has an interval made for proportions, that of a loss Student's."""
    sample = [0.9, 0.99, 0.7, 0.95, 0.8]
    assert statistics.score(name, sample) == of(sample)
    assert statistics.proportion(sample).high < 1


# ------------------------------------------------------------------------------------ schedules

HALF = math.sqrt(0.5)
SCHEDULES = [
    (schedules.constant(), "constant", [1, 1, 1, 1, 1, 1, 1]),
    (schedules.warmup(4), "warmup(4)", [0.25, 0.5, 0.75, 1, 1, 1, 1]),
    (schedules.warmup(1), "warmup(1)", [1, 1, 1, 1, 1, 1, 1]),
    (schedules.multistep([2, 5]), "multistep(2, 5; 0.1)", [1, 1, 0.1, 0.1, 0.1, 0.01, 0.01]),
    (schedules.multistep([1], 0.5), "multistep(1; 0.5)", [1, 0.5, 0.5, 0.5]),
    (
        schedules.cosine(4),
        "cosine(4)",
        [1, (1 + HALF) / 2, 0.5, (1 - HALF) / 2, 0, 0, 0],
    ),
    (
        schedules.warmup(2) * schedules.cosine(4),
        "warmup(2) * cosine(4)",
        [0.5, (1 + HALF) / 2, 0.5, (1 - HALF) / 2, 0],
    ),
    (
        schedules.warmup(2) * schedules.multistep([1]) * schedules.constant(),
        "warmup(2) * multistep(1; 0.1) * constant",
        [0.5, 0.1, 0.1],
    ),
]


@pytest.mark.parametrize(("schedule", "text", "factors"), SCHEDULES, ids=str)
def test_schedules(schedule, text, factors):
    """A schedule has the factors of its name, a product those of its parts multiplied."""
    assert str(schedule) == text
    assert [schedule(t) for t in range(len(factors))] == pytest.approx(factors, abs=1e-12)


@pytest.mark.parametrize(
    ("schedule", "reference"),
    [
        (
            schedules.multistep([3, 4, 9]),
            lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [3, 4, 9]),
        ),
        (
            schedules.cosine(12),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 12),
        ),
        (
            schedules.warmup(5),
            lambda o: torch.optim.lr_scheduler.LinearLR(o, 1 / 5, 1, 4),
        ),
    ],
    ids=["multistep", "cosine", "warmup"],
)
def test_schedules_are_those_of_torch(schedule, reference):
    """Update for update a schedule is the one of ``torch.optim.lr_scheduler``."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    other = reference(optimizer)
    for t in range(12):
        assert schedule(t) == pytest.approx(other.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        other.step()


# ---------------------------------------------------------------------------------- activations

FUNCTIONS = {
    "relu": functional.relu,
    "leakyrelu": functional.leaky_relu,
    "leakyrelu.01": lambda z: functional.leaky_relu(z, 0.01),
    "leakyrelu.3": lambda z: functional.leaky_relu(z, 0.3),
    "leakyrelu0.5": lambda z: functional.leaky_relu(z, 0.5),
    "leakyrelu2": lambda z: functional.leaky_relu(z, 2),
    "id": lambda z: z,
    "tanh": functional.tanh,
    "sigmoid": functional.sigmoid,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
}
SLOPES = {
    "relu": 0.0,
    "leakyrelu": 0.01,
    "leakyrelu.01": 0.01,
    "leakyrelu.3": 0.3,
    "leakyrelu0.5": 0.5,
    "leakyrelu2": 2.0,
    "id": 1.0,
}


def values(members):
    """Values of each member, some of them on the kink."""
    z = 3 * doubles(members, 5, 4)
    z[:, 0] = 0
    return z.float()


def derivative(function, z):
    """The derivative at every point."""
    z = z.clone().requires_grad_()
    return torch.autograd.grad(function(z).sum(), z)[0]


def test_every_activation_is_tested():
    """No curved activation is without its counterpart in ``torch.nn.functional``."""
    assert set(CURVED) == set(FUNCTIONS) - set(SLOPES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_activation_is_that_of_torch(name):
    """An activation and its derivative, on the kink too, are those of ``torch.nn.functional``."""
    z = values(3)
    for ours in (Activations([name] * 3), lambda z: torch.cat([Activations([name])(z)])):
        assert torch.equal(ours(z), FUNCTIONS[name](z))
        assert torch.equal(derivative(ours, z), derivative(FUNCTIONS[name], z))


@pytest.mark.parametrize(
    "names",
    [
        [*FUNCTIONS],
        [*reversed(FUNCTIONS)],
        [*SLOPES],
        ["relu", "leakyrelu.01", "relu", "id"],
        ["tanh", "relu", "tanh", "sigmoid", "relu"],
        ["tanh", "relu", "sigmoid", "tanh", "relu", "relu", "sigmoid"],
        ["relu", "tanh"],
        ["tanh", "gelu", "tanh"],
        ["silu", "silu"],
    ],
    ids=" ".join,
)
def test_members_of_mixed_activations_equal_each_alone(names):
    """In company of other activations a member has its own values and derivatives."""
    z = values(len(names))
    together = Activations(names)
    for shaped in (z, z[:, 1], z.unsqueeze(1)):
        found, rise = together(shaped), derivative(together, shaped)
        for place, name in enumerate(names):
            own = shaped[place]
            # where(), and vectors that end elsewhere, round the last bit otherwise
            expected = FUNCTIONS[name](own)
            torch.testing.assert_close(found[place], expected, rtol=1e-6, atol=1e-7)
            slopes = derivative(FUNCTIONS[name], own)
            torch.testing.assert_close(rise[place], slopes, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("names", [["relu", "leakyrelu.3"], ["relu", "tanh"]], ids=" ".join)
def test_what_is_no_number_stays_none(names):
    """A member whose values are no numbers any more has none behind its activation."""
    z = torch.tensor([[math.nan, 1.0], [-1.0, 1.0]])
    assert Activations(names)(z).isnan().tolist() == [[True, False], [False, False]]
    assert Activations(names[::-1])(z).isnan().tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("company", ["leakyrelu.3", "id", "tanh"])
@pytest.mark.parametrize("name", SLOPES)
def test_infinity_is_the_same_in_company(name, company):
    """Behind infinities a member has in company the values and derivatives that it has alone."""
    z = torch.tensor([[-math.inf, math.inf, 0.0]] * 2)
    pair = Activations([name, company])
    assert torch.equal(pair(z)[0], FUNCTIONS[name](z[0]))
    assert torch.equal(derivative(pair, z)[0], derivative(FUNCTIONS[name], z[0]))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_slopes(name):
    """What is straight on both sides of 0 has its slope on the left, what is curved has none."""
    assert slope(name) == SLOPES.get(name)
    slopes = Activations([name]).slopes
    assert (slopes is None) == (name in CURVED)
    if slopes is not None:
        assert torch.equal(slopes, torch.tensor([SLOPES[name]]))


def test_slopes_of_members():
    """Straight members have their slopes in order; in company of a curved one none has."""
    slopes = Activations(["leakyrelu.3", "relu", "id"]).slopes
    assert torch.equal(slopes, torch.tensor([0.3, 0.0, 1.0]))
    assert Activations(["relu", "tanh"]).slopes is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tahn", "did you mean tanh?"),
        ("rel", "did you mean relu?"),
        ("leakyrelu.", "did you mean leakyrelu?"),
        ("leakyrelu-1", "did you mean leakyrelu?"),
        ("Sigmoid", "did you mean sigmoid?"),
        ("mish", "one of relu, leakyrelu, id, tanh, sigmoid, elu, selu, gelu, silu, softplus"),
        ("", "one of relu,"),
    ],
)
def test_an_unknown_activation_is_refused(name, hint):
    """An activation that is not there is refused in one line, with a near one or with all."""
    line = refusal(slope, name)
    assert line.startswith(f"no activation is called {name!r}; {hint}")
    assert refusal(Activations, ["relu", name]) == line


# --------------------------------------------------------------------------------------- losses


def test_mse():
    """A member's squared error is torch's mean over its batch and outputs."""
    prediction, target = doubles(3, 5, 2), doubles(3, 5, 2, seed=1)
    found = losses.mse(prediction, target)
    for own, p, t in zip(found, prediction, target, strict=True):
        torch.testing.assert_close(own, functional.mse_loss(p, t))
    shared = losses.mse(prediction, target[:1])
    torch.testing.assert_close(shared[2], functional.mse_loss(prediction[2], target[0]))


def test_binary_cross_entropy():
    """A member's binary cross entropy is torch's of its sigmoids, with own or shared targets."""
    logits = 20 * doubles(3, 5, 1)
    target = (doubles(3, 5, 1, seed=1) > 0).double()
    own, shared = (losses.binary_cross_entropy(logits, t) for t in (target, target[:1]))
    reference = functional.binary_cross_entropy_with_logits
    for place in range(3):
        torch.testing.assert_close(own[place], reference(logits[place], target[place]))
        torch.testing.assert_close(shared[place], reference(logits[place], target[0]))


def test_cross_entropy():
    """A member's cross entropy is torch's over its batch, with own or shared classes."""
    logits = 5 * doubles(3, 5, 4)
    target = torch.arange(15).view(3, 5) * 7 % 4
    own, shared = (losses.cross_entropy(logits, t) for t in (target, target[:1]))
    assert own.shape == shared.shape == (3,)
    for place in range(3):
        torch.testing.assert_close(
            own[place], functional.cross_entropy(logits[place], target[place])
        )
        torch.testing.assert_close(
            shared[place], functional.cross_entropy(logits[place], target[0])
        )


@pytest.mark.parametrize(
    ("a", "score", "y", "value", "gradient"),
    [
        (0, 2.0, 1, 0, 0),
        (0, -2.0, 1, 2, -1),
        (0, 2.0, -1, 2, 1),
        (0, -2.0, -1, 0, 0),
        (0, 0.0, 1, 0, -1),
        (0, 0.0, -1, 0, 1),
        (1, 2.0, 1, 0, 0),
        (1, 1.0, 1, 0, -1),
        (1, 0.25, 1, 0.75, -1),
        (1, -2.0, 1, 3, -1),
        (1, 0.0, -1, 1, 1),
        (1, -1.0, -1, 0, 1),
    ],
)
def test_margins(a, score, y, value, gradient):
    """The criterion is max(0, a - y f), and where that is 0 for a moment it still slopes."""
    given = torch.tensor([[[score]]], requires_grad=True)
    loss = losses.margin(torch.tensor([float(a)]))(given, torch.tensor([[[float(y)]]]))
    assert loss.tolist() == [value]
    assert torch.autograd.grad(loss.sum(), given)[0].item() == gradient


def test_the_perceptron_leaves_the_zero_vector():
    """At zero weights the perceptron criterion is 0 and its gradient is minus the mean of y x."""
    x = torch.tensor([[1.0, 2.0], [3.0, -4.0]])
    y = torch.tensor([[[1.0], [-1.0]]])
    w = torch.zeros(1, 2, requires_grad=True)
    loss = losses.margin(torch.zeros(1))((x @ w.T).unsqueeze(0), y)
    assert loss.tolist() == [0]
    assert torch.autograd.grad(loss.sum(), w)[0].tolist() == [[1.0, -3.0]]


def test_margins_of_members():
    """Each member has its own margin and the mean over its own batch."""
    score, y = torch.tensor([[[0.5], [-2.0]]] * 3), torch.tensor([[[1.0], [1.0]]] * 3)
    found = losses.margin(torch.tensor([0.0, 1.0, 3.0]))(score, y)
    assert found.tolist() == [1.0, 1.75, 3.75]


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (losses.mse, doubles(3, 5, 2, seed=1)),
        (losses.binary_cross_entropy, (doubles(3, 5, 2, seed=1) > 0).double()),
        (losses.cross_entropy, torch.arange(15).view(3, 5) % 2),
        (losses.margin(torch.tensor([0.0, 1.0, 0.5])), doubles(3, 5, 2, seed=1).sign()),
    ],
    ids=["mse", "binary cross entropy", "cross entropy", "margin"],
)
def test_a_members_loss_is_its_own(loss, target):
    """A member's loss depends on its own outputs alone."""
    prediction = doubles(3, 5, 2).requires_grad_()
    for place, own in enumerate(loss(prediction, target)):
        gradient = torch.autograd.grad(own, prediction, retain_graph=True)[0]
        touched = gradient.abs().sum((1, 2)) > 0
        assert touched.tolist() == [place == other for other in range(3)]


def test_a_margin_without_bound_costs_nothing():
    """A score that is right by infinitely much has the loss 0 and the gradient 0."""
    score = torch.tensor([[[math.inf]]], requires_grad=True)
    loss = losses.margin(torch.ones(1))(score, torch.ones(1, 1, 1))
    loss.sum().backward()
    assert loss.tolist() == [0.0]
    assert score.grad.tolist() == [[[0.0]]]
