"""The committed tables are what the commands beside them print, and their columns add up."""

import csv
import re
from pathlib import Path

import pytest

from archcalc.cli import SUFFIXES, TABLES, run

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
    """`tables/` has each table in each format and an index, and nothing else."""
    expected = {f"{stem}.{suffix}" for stem, _ in TABLES for suffix in SUFFIXES}
    assert set(FILES) == expected | {"README.md"}


@pytest.mark.parametrize("name", FILES)
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
    parts, whole = column_sum(rows, column)
    assert parts == whole > 0


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
    found = 0
    for path in sorted(COMMITTED.glob("*.txt")):
        for match in equation.findall(path.read_text()):
            left, right = match.replace(",", "").split(" = ")
            if left.count("(") == left.count(")"):
                assert eval(left, {"__builtins__": {}}) == int(right), (path.name, left)  # noqa: S307
                found += 1
    assert found > 150
