import math
import pkgutil
import re
from importlib import import_module

import pytest

import archcalc as ac
from archcalc import ArchitectureError, load, zoo
from archcalc.count import letter
from archcalc.network import Published
from archcalc.reports import reproduces
from archcalc.zoo import ALIASES, FILES, NAMES
from archcalc.zoo.inception import Widths, pair


def rows_of(name, **options):
    """The rows of a network's report by name."""
    return {row.name: row for row in ac.report(name, **options).rows}


# ---------------------------------------------------------------------------------- the index


def test_every_file_is_in_the_index():
    """The index names every file of the zoo and nothing else."""
    files = {module.name for module in pkgutil.iter_modules(zoo.__path__)}
    assert set(FILES) == files


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    """Every name of the index is loaded, by that name, with its source and an input that fits."""
    network = zoo.load(name)
    assert network.name == name
    assert network.source is not None
    assert ac.report(network).totals["parameters"] > 0
    assert NAMES.count(name) == 1


def test_files_have_no_other_networks():
    """The files have the networks that the index says: columns of VGG, blocks of ResNet."""
    vgg, resnet = import_module("archcalc.zoo.vgg"), import_module("archcalc.zoo.resnet")
    assert set(FILES["vgg"]) == set(vgg.TEXTS) == set(vgg.COLUMNS) == set(vgg.MILLIONS)
    assert set(FILES["resnet"]) == set(resnet.BLOCKS) | set(resnet.TORCHVISION)
    assert {network.name for network in pair()} == set(FILES["inception"])


def test_names_are_of_different_networks():
    """No two names of the index are one network."""
    texts = {str(zoo.load(name)): name for name in NAMES}
    assert sorted(texts.values()) == sorted(NAMES)


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_aliases(alias, name):
    """An alias is another name for a network of the index, and hides none."""
    assert zoo.load(alias).name == name
    assert alias not in NAMES


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("VGG19", "vgg19"),
        ("VGG-19", "vgg19"),
        ("vgg_e", "vgg19"),
        ("VGG-16", "vgg16"),
        ("vgg16c", "vgg16-c"),
        ("ResNet-50", "resnet50"),
        ("resnet50_torchvision", "resnet50-torchvision"),
        ("LeNet-5", "lenet5"),
        ("Inception-v1", "googlenet"),
        ("AlexNet", "alexnet"),
    ],
)
def test_spellings(typed, name):
    """Case, ``_`` and ``-`` do not matter in a name."""
    assert zoo.find(typed) == name
    assert load(typed) == zoo.load(name)


@pytest.mark.parametrize(("typed", "near"), [("vgg20", "vgg"), ("googelnet", "googlenet")])
def test_unknown_names(typed, near):
    """A name that is none is answered with those that are near it."""
    assert zoo.find(typed) is None
    with pytest.raises(ArchitectureError, match=f"did you mean .*{near}"):
        zoo.load(typed)


# ------------------------------------------------------------------------------------ totals

TOTALS = [
    ("vgg11", "parameters", 132_863_336),
    ("vgg13", "parameters", 133_047_848),
    ("vgg16-c", "parameters", 133_638_952),
    ("vgg16", "parameters", 138_357_544),
    ("vgg19", "weights", 143_652_544),
    ("vgg19", "biases", 14_696),
    ("vgg19", "parameters", 143_667_240),
    ("vgg19", "neurons", 14_861_288),
    ("vgg19", "activations", 16_542_184),
    ("vgg19", "macs", 19_632_062_464),
    ("vgg19", "flops", 39_264_124_928),
    ("alexnet", "weights", 60_954_656),
    ("alexnet", "parameters", 60_965_224),
    ("alexnet", "neurons", 659_272),
    ("alexnet", "macs", 724_406_816),
    ("alexnet-ungrouped", "parameters", 62_378_344),
    ("alexnet-ungrouped", "macs", 1_135_256_096),
    ("alexnet-torchvision", "parameters", 61_100_840),
    ("alexnet-torchvision", "macs", 714_188_480),
    ("googlenet", "weights", 6_990_272),
    ("googlenet", "parameters", 6_998_552),
    ("googlenet", "macs", 1_582_671_872),
    ("googlenet-torchvision", "parameters", 6_624_904),
    ("googlenet-torchvision", "macs", 1_498_376_192),
    ("inception-naive", "macs", 1_115_684_864),
    ("inception-naive", "weights", 1_089_536),
    ("inception-reduced", "macs", 397_410_304),
    ("inception-reduced", "weights", 388_096),
    ("lenet5", "parameters", 61_706),
    ("minigooglenet", "parameters", 1_652_826),
    ("resnet18", "parameters", 11_689_512),
    ("resnet34", "parameters", 21_797_672),
    ("resnet50", "parameters", 25_557_032),
    ("resnet50-torchvision", "parameters", 25_557_032),
    ("resnet101-torchvision", "parameters", 44_549_160),
    ("resnet152-torchvision", "parameters", 60_192_808),
]


@pytest.mark.parametrize(("name", "quantity", "total"), TOTALS)
def test_totals(name, quantity, total):
    """The totals of well known networks are the known ones, to the unit."""
    assert ac.report(name).totals[quantity] == total


def test_without_biases():
    """VGG19 without biases has its weights alone, as the assignment's table counts."""
    report = ac.report("vgg19", bias=False)
    assert report.totals["parameters"] == 143_652_544
    assert report.totals["macs"] == 19_632_062_464


def test_minigooglenet_on_one_channel():
    """Fashion-MNIST's one channel takes two channels' filters off MiniGoogLeNet's first layer."""
    report = ac.report("minigooglenet", "32x32x1")
    assert report.totals["parameters"] == 1_651_098 == 1_652_826 - 2 * 3 * 3 * 96


# -------------------------------------------------------------------------------- layer by layer

VGG19_WEIGHTS = {
    "conv1_1": 1_728,
    "conv1_2": 36_864,
    "conv2_1": 73_728,
    "conv2_2": 147_456,
    "conv3_1": 294_912,
    "conv3_2": 589_824,
    "conv3_3": 589_824,
    "conv3_4": 589_824,
    "conv4_1": 1_179_648,
    "conv4_2": 2_359_296,
    "conv4_3": 2_359_296,
    "conv4_4": 2_359_296,
    "conv5_1": 2_359_296,
    "conv5_2": 2_359_296,
    "conv5_3": 2_359_296,
    "conv5_4": 2_359_296,
    "fc6": 102_760_448,
    "fc7": 16_777_216,
    "fc8": 4_096_000,
}


def test_vgg19_weights():
    """VGG19's weights are the known ones, layer by layer, and no other layer has any."""
    rows = rows_of("vgg19")
    assert {n: r.cost.weights.value for n, r in rows.items() if r.cost.weights.value} == (
        VGG19_WEIGHTS
    )


@pytest.mark.parametrize(
    ("row", "column", "equation"),
    [
        ("input", "activations", "224*224*3 = 150,528"),
        ("conv1_1", "weights", "(3*3*3)*64 = 1,728"),
        ("conv1_1", "activations", "224*224*64 = 3,211,264"),
        ("conv1_1", "macs", "(224*224*64)*(3*3*3) = 86,704,128"),
        ("conv1_2", "weights", "(3*3*64)*64 = 36,864"),
        ("pool1", "activations", "112*112*64 = 802,816"),
        ("pool2", "activations", "56*56*128 = 401,408"),
        ("fc6", "weights", "(7*7*512)*4096 = 102,760,448"),
        ("fc7", "weights", "4096*4096 = 16,777,216"),
        ("fc8", "activations", "1,000"),
    ],
)
def test_vgg19_workings(row, column, equation):
    """VGG19's counts are worked out as the assignment's table writes them."""
    assert getattr(rows_of("vgg19")[row].cost, column).equation() == equation


ALEXNET = [
    ("conv1", "55x55x96", 34_944, 105_415_200),
    ("conv2", "27x27x256", 307_456, 223_948_800),
    ("conv3", "13x13x384", 885_120, 149_520_384),
    ("conv4", "13x13x384", 663_936, 112_140_288),
    ("conv5", "13x13x256", 442_624, 74_760_192),
    ("fc6", "4096", 37_752_832, 37_748_736),
    ("fc7", "4096", 16_781_312, 16_777_216),
    ("fc8", "1000", 4_097_000, 4_096_000),
]


@pytest.mark.parametrize(("name", "output", "parameters", "macs"), ALEXNET)
def test_alexnet(name, output, parameters, macs):
    """AlexNet's layers are the paper's, on two GPUs."""
    row = rows_of("alexnet")[name]
    assert str(row.output) == output
    assert row.counts()["parameters"] == parameters
    assert row.counts()["macs"] == macs


GOOGLENET = {
    "conv1": "112x112x64",
    "pool1": "56x56x64",
    "conv2/3x3": "56x56x192",
    "pool2": "28x28x192",
    "3a": "28x28x256",
    "3b": "28x28x480",
    "pool3": "14x14x480",
    "4a": "14x14x512",
    "4b": "14x14x512",
    "4c": "14x14x512",
    "4d": "14x14x528",
    "4e": "14x14x832",
    "pool4": "7x7x832",
    "5a": "7x7x832",
    "5b": "7x7x1024",
    "pool5": "1x1x1024",
    "fc": "1000",
}


def test_googlenet_outputs():
    """GoogLeNet's outputs are those of its paper's table."""
    rows = rows_of("googlenet")
    assert {name: str(rows[name].output) for name in GOOGLENET} == GOOGLENET


def test_googlenet_cells():
    """Of the paper's cells, 5 of 12 for parameters and 10 of 12 for operations are reproduced."""
    found = ac.report("googlenet").comparisons()
    weights = {c.published.row: c for c in found if c.published.quantity == "weights"}
    macs = {c.published.row: c for c in found if c.published.quantity == "macs"}
    assert len(weights) == len(macs) == 12
    assert {row for row, c in weights.items() if c.reproduced} == {"conv2", "3a", "3b", "4b", "fc"}
    assert {row for row, c in macs.items() if not c.reproduced} == {"conv1", "5a"}
    assert weights["5a"].ours == pytest.approx(1018 * 1024, abs=1024)
    assert weights["4c"].ours == pytest.approx(497.5 * 1024, abs=512)
    assert macs["5a"].ours == pytest.approx(51.1e6, abs=5e4)


INCEPTION = [
    ("inception-naive", "1x1", 33_554_432),
    ("inception-naive", "3x3", 452_984_832),
    ("inception-naive", "5x5", 629_145_600),
    ("inception-reduced", "1x1", 33_554_432),
    ("inception-reduced", "3x3_reduce", 33_554_432),
    ("inception-reduced", "3x3", 226_492_416),
    ("inception-reduced", "5x5_reduce", 8_388_608),
    ("inception-reduced", "5x5", 78_643_200),
    ("inception-reduced", "pool_proj", 16_777_216),
]


@pytest.mark.parametrize(("name", "branch", "macs"), INCEPTION)
def test_inception_branches(name, branch, macs):
    """The assignment's modules multiply as often as was counted by hand, branch by branch."""
    assert rows_of(name)[f"output/{branch}"].counts()["macs"] == macs


def test_inception_modules():
    """Dimension reduction keeps the size, cuts the channels, and saves 64.38 % of the MACs."""
    naive, reduced = (ac.report(network) for network in pair())
    assert str(naive.rows[-1].output) == "32x32x672"
    assert str(reduced.rows[-1].output) == "32x32x480"
    saved = naive.totals["macs"] - reduced.totals["macs"]
    assert saved == 718_274_560
    assert round(100 * saved / naive.totals["macs"], 2) == 64.38
    assert round(naive.totals["macs"] / reduced.totals["macs"], 3) == 2.807


def test_inception_widths():
    """The widths of the modules are options, and the naive one does not care for reductions."""
    widths = Widths(reduce3=64, reduce5=64)
    naive, reduced = pair(widths, "28x28x192")
    assert str(ac.report(naive).rows[-1].output) == "28x28x608"
    macs = {row.name: row.counts()["macs"] for row in ac.report(reduced).rows}
    assert macs["output/3x3_reduce"] == macs["output/5x5_reduce"] == 28 * 28 * 192 * 64
    assert naive.nodes == pair(Widths(), "28x28x192")[0].nodes


LENET5 = {"c1": 156, "s2": 0, "c3": 2_416, "s4": 0, "c5": 48_120, "f6": 10_164, "output": 850}


def test_lenet5():
    """LeNet-5's parameters are those of everybody's LeNet-5, layer by layer."""
    rows = rows_of("lenet5")
    assert {name: rows[name].counts()["parameters"] for name in LENET5} == LENET5
    assert str(rows["c5"].output) == "1x1x120"


# -------------------------------------------------------------------------------- published


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_reproduced_has_a_reason(name):
    """A published figure that archcalc does not reproduce comes with the reason why."""
    report = ac.report(name)
    comparisons = report.comparisons()
    assert len(comparisons) == len(report.network.published)
    for published, ours, reproduced in comparisons:
        assert ours == report.part(published.row)[published.quantity]
        assert reproduced or published.reason


@pytest.mark.parametrize(
    ("figure", "smallest", "largest"),
    [
        (Published("total", "weights", "2.7", 1000), 2_600, 2_800),
        (Published("total", "weights", "159", 1024), 158 * 1024, 160 * 1024),
        (Published("total", "weights", "253,440"), 253_439, 253_441),
        (Published("total", "weights", "650,000", significant=2), 640_000, 660_000),
    ],
)
def test_printed_digits(figure, smallest, largest):
    """A figure is reproduced within one unit of the last digit that its source means."""
    assert reproduces(smallest, figure)
    assert reproduces(largest, figure)
    assert not reproduces(smallest - 1, figure)
    assert not reproduces(largest + 1, figure)
    assert not reproduces(letter("H"), figure)


@pytest.mark.parametrize(
    ("options", "compared"), [({}, True), ({"input": "448x448x3"}, False), ({"bias": False}, False)]
)
def test_only_what_was_published_is_compared(options, compared):
    """Figures are compared on the published input, biases included, and nowhere else."""
    assert bool(ac.report("vgg19", **options).comparisons()) == compared


STATEMENT = re.compile(r"(?<![\d.,])([\d,]+(?: ?[*+] ?[\d,]+)+) = ([\d,]*\d)")


def statements(name):
    """Every ``a*b + c = n`` in a network's notes and reasons."""
    network = load(name)
    for text in (*network.notes, *(published.reason for published in network.published)):
        yield from STATEMENT.findall(text)


@pytest.mark.parametrize("name", NAMES)
def test_statements_are_true(name):
    """Every calculation in a note or a reason comes out as it says."""
    for working, result in statements(name):
        terms = working.replace(",", "").split("+")
        value = sum(math.prod(int(factor) for factor in term.split("*")) for term in terms)
        assert value == int(result.replace(",", "")), f"{working} = {result}"


def test_statements_are_found():
    """The calculations that stand in notes and reasons are read, and so is each = sign."""
    assert len(set(statements("googlenet"))) == 5
    assert ("55*48*96", "253,440") in set(statements("alexnet"))
    for name in NAMES:
        network = load(name)
        text = " ".join([*network.notes, *(p.reason for p in network.published)])
        assert text.count(" = ") - text.count("K = 1024") == len(list(statements(name)))


# ------------------------------------------------------------------------------- torchvision

THEIRS = {
    "alexnet-torchvision": "alexnet",
    "googlenet-torchvision": "googlenet",
    "vgg11": "vgg11",
    "vgg13": "vgg13",
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50-torchvision": "resnet50",
    "resnet101-torchvision": "resnet101",
    "resnet152-torchvision": "resnet152",
}


@pytest.mark.parametrize(("name", "theirs"), THEIRS.items())
def test_torchvision(name, theirs):
    """Torchvision's model of that name has as many parameters, in tensors of the same sizes."""
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision.models")
    options = {"aux_logits": False, "init_weights": False} if theirs == "googlenet" else {}
    with torch.device("meta"):
        model = getattr(models, theirs)(**options)
    weights, biases = [], []
    for key, tensor in model.named_parameters():
        (biases if key.endswith("bias") else weights).append(tensor.numel())
    costs = [row.cost for row in ac.report(name).rows]
    assert sorted(weights) == sorted(c.weights.value for c in costs if c.weights.value)
    assert sorted(biases) == sorted(c.biases.value for c in costs if c.biases.value)
