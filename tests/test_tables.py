"""The committed tables are what the commands beside them print, and their columns add up."""

import csv
import re
import shlex
from pathlib import Path

import pytest

import archcalc as ac
from archcalc import zoo
from archcalc.commands.tables import SUFFIXES, TABLES
from archcalc.counters import counter
from archcalc.main import run
from archcalc.render.views.counted import counted_data

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "tables"
FILES = sorted(path.name for path in COMMITTED.iterdir() if path.is_file())


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    """The tables, drawn anew."""
    directory = tmp_path_factory.mktemp("tables")
    assert run(["tables", str(directory)]) == 0
    return directory


def test_every_table_is_committed():
    """`tables/` has each table in each format, an index, the verification, and nothing else."""
    expected = {f"{stem}.{suffix}" for stem, _ in TABLES for suffix in SUFFIXES}
    assert set(FILES) == expected | {"README.md", "verification.md"}


@pytest.mark.parametrize("name", [name for name in FILES if name != "verification.md"])
def test_redrawing_changes_nothing(redrawn, name):
    """A committed table equals, byte for byte, what its command prints today."""
    assert (redrawn / name).read_text() == (COMMITTED / name).read_text()


def sheets(name):
    """The tables of a CSV file as lists of dicts; the last row of each is its total."""
    for sheet in (COMMITTED / f"{name}.csv").read_text().split("\n\n"):
        yield list(csv.DictReader(sheet.splitlines()))


def column_sum(rows, column):
    """What the rows before the total add up to, and the total."""
    return sum(int(row[column] or 0) for row in rows[:-1]), int(rows[-1][column])


@pytest.mark.parametrize("name", ["vgg19-summary", "alexnet-summary", "googlenet"])
@pytest.mark.parametrize(
    "column",
    ["weights", "biases", "parameters", "macs", "flops", "activations", "activation_bytes"],
)
def test_columns_of_a_summary_add_up(name, column):
    """The rows of a column add up to the total below them."""
    (rows,) = sheets(name)
    parts, total = column_sum(rows, column)
    assert parts == total > 0


def test_columns_of_table_1_add_up():
    """VGG19's filled cells add up to 16,542,184 activations and 143,652,544 weights."""
    (rows,) = sheets("vgg19")
    assert column_sum(rows, "Number of Activations (Memory)") == (16_542_184, 16_542_184)
    assert column_sum(rows, "Parameters (Compute)") == (143_652_544, 143_652_544)


def test_columns_of_the_inception_modules_add_up():
    """Branches add up to 1,115,684,864 and 397,410,304 MACs, and to the modules' weights."""
    naive, reduced, _ = sheets("inception")
    assert column_sum(naive, "MACs") == (1_115_684_864, 1_115_684_864)
    assert column_sum(reduced, "MACs") == (397_410_304, 397_410_304)
    assert column_sum(naive, "weights") == (1_089_536, 1_089_536)
    assert column_sum(reduced, "weights") == (388_096, 388_096)


def test_alexnets_layers_add_up_to_its_parameters():
    """The explicit sum of problem 5.1 adds the layers' own parameters up to 60,965,224."""
    text = (COMMITTED / "alexnet.txt").read_text()
    layers = [int(n.replace(",", "")) for n in re.findall(r"\n {7}parameters .*= ([\d,]+)", text)]
    (total,) = re.findall(r"\ntotal +parameters +(.+)", text)
    terms, _, result = total.partition(" = ")
    assert [int(term) for term in terms.split(" + ")] == layers
    assert sum(layers) == int(result.replace(",", "")) == 60_965_224


def test_every_working_in_the_tables_evaluates_to_its_result():
    """Whatever stands left of an equals sign is worth what stands right of it."""
    number = r"\d+(?:,\d{3})*"
    working = rf"\(*{number}(?:\)*(?: [+-] |[*/])\(*{number})+\)*"
    equation = re.compile(rf"(?<![\w(]){working} = {number}(?![\d,]\d|\.\d)")
    checked = 0
    for path in sorted(COMMITTED.glob("*.txt")):
        for match in equation.findall(path.read_text()):
            left, right = match.replace(",", "").split(" = ")
            if left.count("(") == left.count(")"):
                assert eval(left, {"__builtins__": {}}) == int(right), (path.name, left)  # noqa: S307
                checked += 1
    assert checked > 150


# ------------------------------------------------------------------------------ what was measured


def cells(text):
    """The rows of all Markdown tables, as lists of cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_verification_has_every_network_and_leaves_nothing_unexplained():
    """The page has every witness for every network, with the totals of today, and no rest."""
    rows = cells((COMMITTED / "verification.md").read_text())[2:]
    cells_of, name = {}, ""
    for row in rows:
        name = row[0] or name
        if row[2]:
            assert row[-1] == "none", row
            cells_of[name, row[2], row[3]] = row[4], row[5]
    assert {network for network, *_ in cells_of} == set(zoo.NAMES)
    for network in zoo.NAMES:
        report = ac.report(network)
        for tool, quantity in (("torch", "FLOPs"), ("fvcore", "flops"), ("torchinfo", "mult-adds")):
            rule = counter(tool)
            ours, theirs = cells_of[network, tool, quantity]
            assert ours == f"{rule.scale * report.totals['macs']:,}"
            assert theirs == f"{counted_data(report, rule)['total']:,}"
        ours, theirs = cells_of[network, "torchinfo", "parameters"]
        assert ours == theirs == f"{report.totals['parameters']:,}"
        places, alike = cells_of[network, "gradient", "receptive field"]
        assert places.split()[0] == alike.split()[0]


def test_the_profiles_are_there_or_said_not_to_have_been_run():
    """Every line of the index names the command of its page, which is there, or says "not run"."""
    folder = COMMITTED / "profile"
    rows = [row for row in cells((folder / "README.md").read_text()) if row[-1].startswith("`")]
    named = {"README.md"}
    for row in rows:
        words = shlex.split(row[-1].strip("`"))
        assert words[0] == "archcalc"
        for option, suffix in (("--output", ".md"), ("--figure", ".png")):
            if option not in words:
                continue
            file = Path(words[words.index(option) + 1])
            assert file.suffix == suffix
            run_ = (folder / file.name).exists()
            assert (f"[{file.name}]({file.name})" in row) == run_
            assert row.count("not run") == (0 if run_ else len(row) - 3)
            named |= {file.name} if run_ else set()
            if run_ and suffix == ".md":
                page = (folder / file.name).read_text()
                made = re.search(r"Made by: (archcalc profile .+)", page)
                assert set(shlex.split(made[1])) - {"--repeats", "10"} <= set(words)
                assert "torch" in page
    assert {path.name for path in folder.iterdir()} == named
    assert len(rows) == 20
