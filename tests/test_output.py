"""What comes out is whole, well formed in every format, fits its width, and adds up."""

import csv
import errno
import io
import json
import os
import re
import stat
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

import archcalc as ac
from archcalc import zoo
from archcalc.main import run
from archcalc.render import FORMATS, render, views
from archcalc.render.table import Cell, Column, Table
from archcalc.zoo.inception import pair

posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and devices of Unix")

COMMANDS = {
    "summary": ["vgg19"],
    "long": ["resnet34"],
    "nested": ["googlenet", "--depth", "1"],
    "nested letters": ["HxWx3 a: (b: conv3-K c: (d: relu e: conv3-4)) fc-3", "--depth", "1"],
    "published": ["alexnet"],
    "letters": ["vgg19", "--input", "HxWx3"],
    "channels": ["HxWxC [conv3-K | (id * gap) | (id + conv1-C relu)]"],
    "misaligned": ["32x32x3 [conv3-8 p0 | conv3-8 p2 pool5/1 p0 | id pool3/1 p0]"],
    "training": ["8x8x3 conv3-8 bn relu gap fc-10", "--train", "--optimizer", "adam"],
    "shared": ["8x8x3 a: conv3-3 =a relu"],
    "batch": ["lenet5", "--batch", "32", "--dtype", "bf16", "--no-bias"],
    "table": ["vgg19", "--table"],
    "table of branches": ["inception-reduced", "--table"],
    "table of letters": ["vgg11", "--table", "--input", "HxWx3"],
    "working": ["alexnet", "--working"],
    "working of branches": ["inception-reduced", "--working"],
    "working of letters": ["lenet5", "--working", "--input", "HxWx1"],
    "inception": ["inception", "--explain"],
    "inception of letters": ["inception", "--input", "HxWxC", "--explain"],
    "stack": ["receptive-field", "5x5", "5x5", "5x5"],
    "stack of many": ["receptive-field", "7x7/2", "pool3/2", "3x3d2", "3x5"],
    "field": ["receptive-field", "googlenet"],
    "networks": ["networks"],
    "compare": ["compare", "alexnet", "vgg19", "googlenet"],
    "compare letters": ["compare", "vgg11", "conv3-64 fc-10", "--input", "HxWx3"],
}
if os.name == "posix":  # a file whose name has every sign that some format takes for its own
    COMMANDS["signs"] = ["a&b_%$#^~{}<i>\\'\"*`[c](d)|e,f.txt"]
    COMMANDS["letters of the world"] = ["sche\u0301ma \u7f51\u7edc.txt"]

every_command = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture
def printed(capsys, monkeypatch, tmp_path):
    """What a command prints, by default as wide as it has to be."""
    monkeypatch.chdir(tmp_path)
    for name in ("signs", "letters of the world"):
        for path in COMMANDS.get(name, []):
            (tmp_path / path).write_text("8x8x3 [a_b: conv3-4 | c-d.e: pool3/1] fc-10")

    def print_it(*args, columns=None):
        if columns is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", str(columns))
        status = run(args)
        out, err = capsys.readouterr()
        assert (status, err) == (0, "")
        return out

    return print_it


def archcalc(*args, **options):
    """Run the command as a person does; whatever it writes is caught."""
    env = {**os.environ, "TERM": "xterm-256color", **options.pop("env", {})}
    env = {name: value for name, value in env.items() if value is not None}
    command = [sys.executable, "-m", "archcalc", *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(command, check=False, timeout=60, env=env, **pipes | options)


# ------------------------------------------------------------------------------- in every format


@every_command
@pytest.mark.parametrize("form", FORMATS)
def test_output_is_plain_text(printed, form, name):
    """Every format ends with one newline and has no control characters, whatever stands in it."""
    text = printed(*COMMANDS[name], "--format", form)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert [line for line in text.split("\n") if not (line.isprintable() or not line)] == []


def cells_of(line):
    """How many cells a line of a Markdown table has; what is escaped ends none."""
    return re.sub(r"\\.", "", line).strip("|").count("|") + 1


def unescaped(text):
    """Signs that Markdown would obey, save the bold ones of a total."""
    return re.findall(r"[*_<>\[\]`]", re.sub(r"\\.", "", text).replace("**", ""))


def is_markdown_table(lines):
    """A heading, a line of dashes and rows, all with the same number of cells."""
    dashes = re.fullmatch(r"\|( (---|--:) \|)+", lines[1]) if len(lines) > 2 else None
    return (
        dashes is not None
        and all(line.startswith("| ") and line.endswith(" |") for line in lines)
        and len({cells_of(line) for line in lines}) == 1
    )


@every_command
def test_markdown_tables_are_rectangular(printed, name):
    """Every row of a Markdown table has as many cells as its heading, every sign is escaped."""
    text = printed(*COMMANDS[name], "--format", "markdown")
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert tables
    assert all(is_markdown_table(table.splitlines()) for table in tables)
    assert unescaped(text) == []


@pytest.mark.parametrize(
    ("lines", "fine"),
    [
        (["| a | b |", "| --- | --: |", "| 1 | 2 |"], True),
        (["| a | b |", "| --- | --: |", r"| 1 \| 3 | 2 |"], True),
        (["| a | b |", "| --- | --: |", "| 1 | 3 | 2 |"], False),
        (["| a | b |", "| --- | --: |", "| 1 |"], False),
        (["| a | b |", "| 1 | 2 |", "| 1 | 2 |"], False),
        (["| a | b |", "| --- | --- | --- |", "| 1 | 2 |"], False),
    ],
)
def test_the_check_of_markdown_can_fail(lines, fine):
    """A cell too many, a cell too few and missing dashes are noticed; an escaped bar is no cell."""
    assert is_markdown_table(lines) == fine


@pytest.mark.parametrize("sign", "*_<>[]`")
def test_the_check_of_signs_can_fail(sign):
    """A bare sign is noticed, an escaped one is none."""
    assert unescaped(f"a {sign} **1**") == [sign]
    assert unescaped(f"a \\{sign} **1**") == []


def sheets(text):
    """The tables of a CSV file, each a list of rows."""
    found = [[]]
    for row in csv.reader(io.StringIO(text), strict=True):
        if row:
            found[-1].append(row)
        else:
            found.append([])
    return found


def is_bare(cell):
    """Whether a cell is no number with separators, with a prefix or with a unit."""
    grouped = r"-?\d{1,3}(,\d{3})+(\.\d+)?"
    shortened = r"-?\d+(\.\d+)? ?([KMGTPE]B?|B|%)"
    return re.fullmatch(f"{grouped}|{shortened}", cell) is None


@every_command
def test_csv_is_rectangular_and_bare(printed, name):
    """Every table of a CSV has one width and distinct headings, and its numbers are bare digits."""
    tables = sheets(printed(*COMMANDS[name], "--format", "csv"))
    for rows in tables:
        assert len(rows) >= 2
        assert len({len(row) for row in rows}) == 1
        assert len(set(rows[0])) == len(rows[0])
        assert not [heading for heading in rows[0] if "working: working" in heading]
        assert [cell for row in rows for cell in row if not is_bare(cell)] == []


@pytest.mark.parametrize(
    ("cell", "fine"),
    [
        *(("1728", True), ("64.4", True), ("1,728", False), ("143,652,544", False)),
        *(("3.2M", False), ("602.1 KB", False), ("40 B", False), ("64.4 %", False)),
        *(("", True), ("224x224x3", True), ("(3*3*3)*64 = 1,728", True), ("64*H*W", True)),
    ],
)
def test_the_check_of_bare_numbers_can_fail(cell, fine):
    """Separators, prefixes and units are noticed; shapes, workings and formulas are no numbers."""
    assert is_bare(cell) == fine


def latex_faults(text):
    """What would keep LaTeX from setting the text: unbalanced or unescaped signs, uneven rows."""
    faults = []
    opened = []
    for kind, environment in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            opened.append(environment)
        elif not opened or opened.pop() != environment:
            faults.append(f"{environment} ends what it did not begin")
    faults += [f"{environment} does not end" for environment in opened]
    tables = re.findall(r"\\begin\{(?:tabular|longtable)\}\{(\w+)\}(.*?)\\end", text, re.DOTALL)
    if not tables:
        faults.append("no table")
    for layout, body in tables:
        for line in body.splitlines():
            cells = re.sub(r"\\.", "", line.removesuffix(r" \\")).count("&") + 1
            if line.endswith(r" \\") and not line.startswith(r"\caption") and cells != len(layout):
                faults.append(f"{cells} cells in {layout}: {line}")
    for line in text.splitlines():
        bare = re.sub(r"\\\\|\\[&%$#_{}]", "", line)
        if bare.count("{") != bare.count("}"):
            faults.append(f"braces: {line}")
        if bare.count("$") % 2 or re.search(r"[%#]", bare):
            faults.append(f"unescaped: {line}")
        if re.search(r"[_^~<>|]", re.sub(r"\$.*?\$", "", bare)):
            faults.append(f"outside of mathematics: {line}")
    return faults


@every_command
def test_latex_is_balanced_and_rectangular(printed, name):
    """LaTeX is balanced, its rows are even, and what means something to it is escaped."""
    assert latex_faults(printed(*COMMANDS[name], "--format", "latex")) == []


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (r"a & $\frac{1}{2}$ \\", None),
        (r"a\_b & \{5\% \& \$3\} \\", None),
        (r"a \\", "1 cells"),
        (r"a & b & c \\", "3 cells"),
        (r"a_b & c \\", "outside"),
        (r"a & 5% \\", "unescaped"),
        (r"a & $x \\", "unescaped"),
        (r"a & {b \\", "braces"),
        (r"\begin{center} a & b \\", "ends what it did not begin"),
    ],
)
def test_the_check_of_latex_can_fail(row, fault):
    """Uneven rows, bare signs, open braces and open environments are noticed."""
    text = "\\begin{table}\n\\begin{tabular}{lr}\n" + row + "\n\\end{tabular}\n\\end{table}\n"
    faults = latex_faults(text)
    assert faults == [] if fault is None else any(fault in found for found in faults)


class Page(HTMLParser):
    """Reads a page and notes what is wrong with it."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.words, self.rows = [], [], [], []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> does not end" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        """Note a tag."""
        if tag in {"script", "link", "img", "iframe", "object", "embed", "base"}:
            self.faults.append(f"<{tag}>")
        self.faults += [f"{name} of <{tag}>" for name, _ in attrs if name[:2] == "on"]
        self.faults += [f"{name} of <{tag}>" for name, _ in attrs if name in {"src", "href"}]
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append(0)
        if tag in {"td", "th"}:
            self.rows[-1] += 1
        if tag == "table":
            self.rows = []

    def handle_endtag(self, tag):
        """Note its end."""
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> ends what it did not begin")
        if tag == "table" and len(set(self.rows)) != 1:
            self.faults.append(f"rows of {sorted(set(self.rows))} cells")

    def handle_data(self, data):
        """Note the text."""
        self.words.append(data)
        if "style" in self.open and re.search(r"url\(|@import", data):
            self.faults.append("a style from elsewhere")


@every_command
def test_html_stands_alone_and_is_balanced(printed, name):
    """A page is balanced, has even rows, no script, and nothing that is fetched from elsewhere."""
    text = printed(*COMMANDS[name], "--format", "html")
    page = Page(text)
    assert page.faults == []
    assert text.startswith("<!doctype html>")
    assert '<meta charset="utf-8">' in text
    assert not re.search(r"https?:|//\w", text)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("<p>a &lt; b</p>", True),
        ("<p>a", False),
        ("<p><b>a</p></b>", False),
        ("<script>a</script>", False),
        ('<a href="x">a</a>', False),
        ('<p onclick="x">a</p>', False),
        ("<style>a{background:url(x)}</style>", False),
        ("<table><tr><td>1</td></tr><tr><td>1</td><td>2</td></tr></table>", False),
    ],
)
def test_the_check_of_html_can_fail(text, fine):
    """Open and crossed tags, scripts, links, handlers, outside styles, uneven rows are noticed."""
    assert (Page(text).faults == []) == fine


def test_html_escapes_what_stands_in_it(printed):
    """A name that looks like HTML is shown as it is."""
    name = COMMANDS.get("signs", ["a&b"])[0]
    if not Path(name).exists():
        pytest.skip("this file system has no such name")
    page = Page(printed(name, "--format", "html"))
    assert name.removesuffix(".txt") in "".join(page.words)


HOSTILE = "a&b_%$#^~{}<i>\\'\"*`[c](d)|e, f\u0301"


def test_every_cell_is_escaped():
    """Whatever stands in a title, a heading, a cell, a total or a note, every format escapes it."""
    cell = (Cell(HOSTILE),)
    table = Table(HOSTILE, (Column(HOSTILE),), (cell,), (cell,), (HOSTILE,))
    assert unescaped(render([table, HOSTILE], "markdown")) == []
    assert latex_faults(render([table, HOSTILE], "latex")) == []
    assert sheets(render([table, HOSTILE], "csv")) == [[[HOSTILE]] * 3]
    page = Page(render([table, HOSTILE], "html"))
    assert page.faults == []
    assert page.words.count(HOSTILE) == 7  # in the page's own title too


def no_constant(name):
    """JSON has no NaN and no Infinity."""
    raise AssertionError(name)


def reports_in(data):
    """The reports in the data that a command prints: one, a list, or two."""
    if data["schema"] == "archcalc.networks/1":
        return data["networks"]
    if data["schema"] == "archcalc.inception/1":
        return [data["naive"], data["reduced"]]
    return [data]


@every_command
def test_json_keeps_to_the_schema(printed, name):
    """Every report in JSON validates against the published schema."""
    schema = json.loads((Path(ac.__file__).parent / "report.schema.json").read_text())
    data = json.loads(printed(*COMMANDS[name], "--format", "json"), parse_constant=no_constant)
    for report in reports_in(data):
        Draft202012Validator(schema).validate(report)


@pytest.mark.parametrize("spoil", [{"rows": []}, {"batch": 0}, {"surplus": 1}, {"schema": "x"}])
def test_the_schema_can_fail(spoil):
    """The schema refuses no rows, an empty batch, surplus fields and another version."""
    schema = json.loads((Path(ac.__file__).parent / "report.schema.json").read_text())
    validator = Draft202012Validator(schema)
    data = ac.report("lenet5").to_dict()
    assert validator.is_valid(data)
    assert not validator.is_valid({**data, **spoil})


def test_csv_and_json_tell_the_same(printed):
    """The rows of the CSV are the rows of the JSON."""
    (table,) = sheets(printed("googlenet", "--format", "csv"))
    data = json.loads(printed("googlenet", "--format", "json"))
    names = table[0][:11]
    rows = [
        [str(row[name] or 0) if row[name] != "" else "" for name in names] for row in data["rows"]
    ]
    rows[0][names.index("input")] = ""
    assert [row[:11] for row in table[1:-1]] == rows


DEEP = "8x8x3 s: conv3-4 a: (b: conv3-4 c: (d: relu [e: conv1-4 | @s])) fc-3"


@pytest.mark.parametrize("depth", ["1", "2"])
@pytest.mark.parametrize("network", ["googlenet", "resnet34", DEEP])
def test_what_is_nested_is_summed_up_everywhere(printed, network, depth):
    """--depth gives CSV and JSON the rows that it gives text, their totals, what was published."""
    line = (network, "--depth", depth)
    (table,) = sheets(printed(*line, "--format", "csv"))
    data = json.loads(printed(*line, "--format", "json"))
    heading, *rows, totals = table
    assert [row[0] for row in rows] == [row["name"] for row in data["rows"]]
    assert all(row[0].count("/") < int(depth) for row in rows)
    shown = {row[0] for row in rows if row[1] == "..."}
    assert shown == set(re.findall(r"^(\S+) +\.\.\. ", printed(*line), re.MULTILINE))
    every = json.loads(printed(network, "--format", "json"))
    assert {**data, "rows": every["rows"]} == every
    for column in ("parameters", "macs", "activations"):
        place = heading.index(column)
        assert sum(int(row[place]) for row in rows) == int(totals[place])
        assert sum(row[column] for row in data["rows"]) == every["totals"][column]


def test_a_sum_says_what_goes_in_and_what_comes_out(printed):
    """A summed row has what enters it from outside, each source once, and its last output."""
    rows = json.loads(printed(DEEP, "--depth", "1", "--format", "json"))["rows"]
    (a,) = [row for row in rows if row["name"] == "a"]
    assert (a["layer"], a["input"], a["output"]) == ("...", "8x8x4", "8x8x8")
    assert a["receptive_field"]["size"] == [5, 5]


# ------------------------------------------------------------------------------------- it adds up


@pytest.mark.parametrize("name", zoo.NAMES)
def test_columns_add_up(printed, name):
    """In every network of the zoo, each column of counts adds up to the total printed below it."""
    (table,) = sheets(printed(name, "--format", "csv", "--batch", "3"))
    heading, *rows, totals = table
    assert totals[0] == "total"
    sums = ("weights", "biases", "parameters", "macs", "flops", "activations", "activation_bytes")
    for column in map(heading.index, sums):
        assert sum(int(row[column]) for row in rows) == int(totals[column])
    assert int(totals[heading.index("parameters")]) > 0


@pytest.mark.parametrize("name", zoo.NAMES)
def test_columns_of_table_1_add_up(printed, name):
    """In every network of the zoo, both columns of Table 1 add up to their totals."""
    (table,) = sheets(printed(name, "--table", "--format", "csv"))
    heading, *rows, totals = table
    assert totals[0] == "TOTAL"
    for start in ("Number of Activations (Memory)", "Parameters (Compute)"):
        column = heading.index(start)
        assert sum(int(row[column] or 0) for row in rows) == int(totals[column]) > 0


def test_the_text_adds_up(printed):
    """The columns of the text add up to its total line."""
    lines = printed("vgg19").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("input "))
    last = next(i for i, line in enumerate(lines) if line.startswith("total "))
    digits = [re.findall(r"(?<!\S)\d{1,3}(?:,\d{3})+(?!\S)", line) for line in lines]
    numbers = [[int(n.replace(",", "")) for n in line] for line in digits]
    # parameters, MACs, activations; the input and pools have activations alone
    columns = [[0, 0, *line][-3:] for line in numbers[first:last] if line]
    assert [sum(column) for column in zip(*columns, strict=True)] == numbers[last]
    assert numbers[last] == [143_667_240, 19_632_062_464, 16_542_184]


# The assignment's Table 1 as it is handed out: what is empty is to be filled in.
HANDED_OUT = """
Input    | 224*224*3=150K  | 0
CONV3-64 | 224*224*64=3.2M | (3*3*3)*64 = 1,728
CONV3-64 | 224*224*64=3.2M | (3*3*64)*64 = 36,864
POOL2    | 112*112*64=800K | 0
CONV3-128 | |
CONV3-128 | |
POOL2    | 56*56*128=400K  | 0
CONV3-256 | |
CONV3-256 | 56*56*256=800K | (3*3*256)*256 = 589,824
CONV3-256 | |
CONV3-256 | |
POOL2    |                 | 0
CONV3-512 | 28*28*512=400K | (3*3*256)*512 = 1,179,648
CONV3-512 | |
CONV3-512 | 28*28*512=400K |
CONV3-512 | |
POOL2    |                 | 0
CONV3-512 | |
CONV3-512 | |
CONV3-512 | |
CONV3-512 | |
POOL2    |                 | 0
FC       | 4096            |
FC       | 4096            | 4096*4096 = 16,777,216
FC       | 1000            |
TOTAL    | |
""".strip().splitlines()


def table_1(printed, form):
    """The rows of Table 1 of VGG19, as text or from Markdown."""
    text = printed("vgg19", "--table", "--format", form)
    if form == "markdown":
        lines = re.sub(r"\\(.)", r"\1", text).replace("**", "").splitlines()
        return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][2:]
    return [re.split(r" {2,}", line) for line in text.splitlines()[3:] if line]


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_table_1_is_the_assignments(printed, form):
    """What the assignment filled in comes out character for character, and no cell is empty."""
    rows = table_1(printed, form)
    handed_out = [[cell.strip() for cell in row.split("|")] for row in HANDED_OUT]
    assert len(rows) == len(handed_out) == 26
    for row, given in zip(rows, handed_out, strict=True):
        assert len(row) == 3
        assert all(row)
        assert [cell or filled for cell, filled in zip(given, row, strict=True)] == row
    assert rows[-1] == ["TOTAL", "16,542,184", "143,652,544"]


# ---------------------------------------------------------------------------------------- it fits

REPORT = {name: ac.report(name) for name in ("lenet5", "alexnet", "vgg19", "googlenet")}
LETTERS = ac.report("vgg19", "HxWx3")
PAGES = {
    "summary": lambda: views.summary(REPORT["vgg19"]),
    "published": lambda: views.summary(REPORT["alexnet"]),
    "branches": lambda: views.summary(REPORT["googlenet"]),
    "nested": lambda: views.summary(REPORT["googlenet"], 1),
    "shortcuts": lambda: views.summary(ac.report("resnet50")),
    "letters": lambda: views.summary(LETTERS),
    "batch": lambda: views.summary(ac.report("vgg19", batch=4096)),
    "table": lambda: views.table1(REPORT["vgg19"]),
    "table of letters": lambda: views.table1(LETTERS),
    "working": lambda: views.workings(REPORT["vgg19"]),
    "working of branches": lambda: views.workings(REPORT["googlenet"]),
    "inception": lambda: views.inception(*(ac.report(net) for net in pair()), explain=True),
    "inception of letters": lambda: views.inception(*(ac.report(net, "HxWxC") for net in pair())),
    "field": lambda: views.receptive_fields(REPORT["googlenet"]),
    "stack": lambda: views.stacked(ac.report(ac.parse("conv5x5-1 x3"), "HxWx1")),
    "networks": lambda: views.networks([ac.report(name) for name in zoo.NAMES]),
    "compare": lambda: views.compared(list(REPORT.values())),
    "compare many": lambda: views.compared([ac.report(name) for name in zoo.NAMES[:8]]),
    "compare letters": lambda: views.compared([LETTERS, ac.report("vgg11", "HxWx3")]),
}


def words_of(table):
    """Every word in the headings and cells of a table."""
    cells = [column.heading for column in table.columns]
    cells += [cell.text for row in (*table.rows, *table.footer) for cell in row]
    return {word for cell in cells for word in cell.split()}


def unbroken(table, text):
    """Whether every word of the table, or of its narrow layout, stands whole in the text."""
    words = set(text.split())
    layouts = [layout for layout in (table, table.narrow) if layout is not None]
    return any(words_of(layout) <= words for layout in layouts)


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("name", PAGES)
def test_pages_fit(name, width):
    """At 80 and 200 columns no line is longer, no cell is cut, no word or number is broken."""
    blocks = PAGES[name]()
    text = render(blocks, "text", width)
    assert [line for line in text.splitlines() if len(line) > width] == []
    assert "\u2026" not in text
    tables = [block for block in blocks if not isinstance(block, str)]
    assert [table.title for table in tables if not unbroken(table, text)] == []
    words = text.split()
    for paragraph in (block for block in blocks if isinstance(block, str)):
        assert " ".join(paragraph.split()) in " ".join(words)


def test_the_check_of_broken_words_can_fail():
    """A number that is folded, and one that is cut, are noticed."""
    (table,) = views.compared([REPORT["vgg19"]])
    text = render([table], "text", 80)
    assert unbroken(table, text)
    assert not unbroken(table, text.replace("143,667,240", "143,66\n7,240"))
    assert not unbroken(table, text.replace("143,667,240", "143,6\u2026"))


@every_command
def test_columns_of_the_environment_are_kept(printed, name):
    """A pipe gets lines as long as COLUMNS allows, and none of them ends in spaces."""
    lines = printed(*COMMANDS[name], columns=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("width", [80, 200])
def test_what_is_wider_than_the_page_is_folded(width):
    """A name that is longer than a line is continued on the next one, and nothing of it is cut."""
    name = "q" * 300
    report = ac.report(ac.parse(f"8x8x3 {name}: conv3-64"))
    for blocks in (views.summary(report), views.workings(report), views.receptive_fields(report)):
        text = render(blocks, "text", width)
        assert max(map(len, text.splitlines())) <= width
        assert text.count("q") >= 300
        assert "\u2026" not in text


def test_total_line_at_80_columns(printed):
    """At 80 columns VGG19's total line has each of its totals, rounded to three digits."""
    lines = printed("vgg19", columns=80).splitlines()
    total = next(line for line in lines if line.startswith("total "))
    assert [word for word in total.split() if word != "100"] == [
        *("total", "144M", "19.6G", "16.5M", "66.2", "MB")
    ]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("vgg19", ["conv1_1", "224x224x64", "1.79K", "3.21M"]),
        ("alexnet", ["conv1", "55x55x96", "34.9K", "105M"]),
        ("googlenet", ["3a/1x1", "28x28x64", "12.4K", "9.63M"]),
        ("resnet50", ["conv1", "112x112x64", "9.41K", "118M"]),
        ("networks", ["lenet5", "28x28x1"]),
    ],
)
def test_numbers_stay_side_by_side(printed, name, row):
    """80 columns are enough for tables of numbers: what belongs together stands in one line."""
    lines = printed(name, columns=80).splitlines()
    assert any(all(cell in line for cell in row) for line in lines)


def test_every_layer_stands_in_the_narrow_table(printed):
    """The table at 80 columns has as many layers as the one at 200."""
    names = [node.name for node in ac.load("vgg19").nodes if node.layer.kind != "relu"]
    named = [name for name in names if "drop" not in name]
    for columns in (80, 200):
        text = printed("vgg19", columns=columns)
        found = [re.search(rf"^{name}:? ", text, re.MULTILINE) for name in named]
        assert all(found)


@pytest.mark.parametrize("columns", ["", "0", "-5", "x", "99999999999", "9" * 5000])
def test_senseless_columns_do_no_harm(printed, columns):
    """Where COLUMNS says nothing sensible, the output is as wide as it has to be."""
    assert printed("lenet5", columns=columns) == printed("lenet5")


def test_pipes_get_no_escapes():
    """A pipe gets no colours, even where the environment forces them upon programs."""
    forced = {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "PY_COLORS": "1", "COLORTERM": "truecolor"}
    done = archcalc("vgg19", env=forced)
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    assert b"143,667,240" in done.stdout


@posix
@pytest.mark.parametrize("columns", [80, 200])
def test_terminals_get_their_width(columns):
    """A terminal gets bold headings and no line that is longer than itself."""
    import fcntl  # noqa: PLC0415 - Unix has it
    import pty  # noqa: PLC0415
    import struct  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    pieces = []

    def read():
        while piece := read_piece():
            pieces.append(piece)

    def read_piece():
        try:
            return os.read(ours, 1 << 16)
        except OSError:  # Linux's end of a terminal
            return b""

    reader = threading.Thread(target=read)
    reader.start()
    env = {"COLUMNS": None, "LINES": None, "NO_COLOR": None}
    done = archcalc("vgg19", stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    reader.join()
    os.close(ours)
    text = b"".join(pieces).decode()
    assert done.returncode == 0
    assert "\x1b[1m" in text
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()
    assert max(map(len, lines)) <= columns
    assert any("143,667,240" in line for line in lines)


# ------------------------------------------------------------------------------------ where it goes


@pytest.mark.parametrize("form", FORMATS)
def test_output_is_what_would_be_printed(printed, tmp_path, form):
    """A file gets, in UTF-8, what standard output would get, and standard output gets nothing."""
    text = printed("googlenet", "--format", form)
    assert printed("googlenet", "--format", form, "--output", "out") == ""
    assert (tmp_path / "out").read_bytes() == text.encode()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "tmp"))] == []


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(("l.csv", "csv"), ("l.json", "json"), ("l.tex", "latex"), ("l.md", "markdown")),
        *(("l.html", "html"), ("l.HTM", "html"), ("l.txt", "text"), ("l", "text"), ("l.x", "text")),
    ],
)
@pytest.mark.parametrize("command", [["lenet5"], ["networks"]])
def test_the_format_follows_the_name(printed, tmp_path, command, name, form):
    """A file gets the format that its name asks for, unless another one is said."""
    assert printed(*command, "--output", name) == ""
    assert (tmp_path / name).read_text() == printed(*command, "--format", form)
    assert printed(*command, "--output", name, "--format", "html") == ""
    assert (tmp_path / name).read_text() == printed(*command, "--format", "html")


@pytest.mark.parametrize("form", FORMATS)
def test_an_ascii_stream_gets_ascii(form):
    """Where standard output takes ASCII alone, every format goes through."""
    done = archcalc("vgg19", "--format", form, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert b"\\u" not in done.stdout


def test_an_ascii_stream_gets_names_of_the_world(tmp_path):
    """A name that ASCII has no letters for is spelt out, in standard output and in messages."""
    (tmp_path / "sch\u00e9ma.txt").write_text("8x8x3 conv3-64")
    env = {"PYTHONIOENCODING": "ascii"}
    for form in ("text", "json", "html"):
        done = archcalc("sch\u00e9ma.txt", "--format", form, env=env, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.isascii()
    done = archcalc("r\u00e9seau.txt", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert b"r\\xe9seau.txt" in done.stderr


@posix
def test_a_name_that_is_no_utf_8_goes_through(capsys, tmp_path):
    """A network file and an output whose names are no UTF-8 are read and written."""
    source, target = (os.fsdecode(bytes(tmp_path) + b"/" + name) for name in (b"\xff.txt", b"\xfe"))
    try:
        Path(source).write_text("8x8x3 conv3-64")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    for form in FORMATS:
        assert run([source, "--format", form, "--output", target]) == 0, capsys.readouterr().err
        assert b"conv3-64" in Path(target).read_bytes()


def failing(error):
    """A function that fails, or is interrupted, whatever it is given."""

    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize("function", ["fsync", "replace", "fdopen"])
@pytest.mark.parametrize(
    ("error", "status"),
    [(OSError(errno.ENOSPC, "No space left on device"), 2), (KeyboardInterrupt(), 130)],
    ids=["disk full", "Ctrl-C"],
)
def test_a_failure_leaves_the_old_file(capsys, monkeypatch, tmp_path, function, error, status):
    """Whatever goes wrong while writing, the old file is as it was and no other is left behind."""
    old = tmp_path / "out.txt"
    old.write_text("old")
    monkeypatch.setattr(os, function, failing(error))
    reached = run(["vgg19", "--output", str(old)])
    monkeypatch.undo()
    out, err = capsys.readouterr()
    assert not out
    if function == "replace" and reached == 0:
        pytest.skip("written without os.replace")
    assert reached == status
    assert status == 130 or err == f"archcalc: {old}: No space left on device\n"
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


@posix
@pytest.mark.parametrize("old", [None, "old"])
def test_a_real_limit_leaves_the_old_file(tmp_path, old):
    """Where the system refuses a file of that size, the old file stays and no other is left."""
    path = tmp_path / "out.txt"
    if old is not None:
        path.write_text(old)
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); "
        "from archcalc.main import run; sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", limited, "vgg19", "--output", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"archcalc: {path}: {os.strerror(errno.EFBIG)}\n"
    assert [file.read_text() for file in tmp_path.iterdir()] == ([old] if old else [])


@posix
@pytest.mark.parametrize(
    ("old", "umask", "new"),
    [(None, 0o022, 0o644), (None, 0o027, 0o640), (0o600, 0o022, 0o600), (0o664, 0o077, 0o664)],
)
def test_permissions_are_those_of_any_file(tmp_path, old, umask, new):
    """A new file's permissions follow the umask; an old file keeps its own."""
    path = tmp_path / "out.txt"
    if old is not None:
        path.write_text("old")
        path.chmod(old)
    before = os.umask(umask)
    try:
        assert run(["vgg19", "--output", str(path)]) == 0
    finally:
        assert os.umask(before) == umask
    assert stat.S_IMODE(path.stat().st_mode) == new
    assert "143,667,240" in path.read_text()


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_links_stay_links(tmp_path, exists):
    """What a symbolic link points to is written, and the link stays."""
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target.txt"
    if exists:
        target.write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to("folder/target.txt")
    assert run(["vgg19", "--output", str(link)]) == 0
    assert link.is_symlink()
    assert "143,667,240" in target.read_text()
    assert list((tmp_path / "folder").iterdir()) == [target]


@posix
def test_standard_output_has_a_name(tmp_path):
    """`--output /dev/stdout` goes to a pipe, to a file, and behind what a file has already."""
    expected = archcalc("lenet5", env={"COLUMNS": None}).stdout
    assert archcalc("lenet5", "--output", "/dev/stdout").stdout == expected
    path = tmp_path / "out.txt"
    for mode, before in (("wb", b""), ("ab", b"before\n")):
        path.write_bytes(before)
        with path.open(mode) as stream:
            done = archcalc("lenet5", "--output", "/dev/stdout", stdout=stream)
        assert (done.returncode, done.stderr) == (0, b"")
        assert path.read_bytes() == before + expected


@posix
def test_a_pipe_with_a_name_is_written(tmp_path):
    """A named pipe is written to and stays a pipe."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read = []

    def read_it():
        read.append(path.read_bytes())

    reader = threading.Thread(target=read_it, daemon=True)
    reader.start()
    assert run(["vgg19", "--output", str(path)]) == 0
    reader.join(30)
    assert b"143,667,240" in read[0]
    assert stat.S_ISFIFO(path.stat().st_mode)


# ------------------------------------------------------------------------ the same in other words


@pytest.mark.parametrize(
    ("args", "same"),
    [
        (["--table", "vgg19"], ["vgg19", "--table"]),
        (["--batch", "2", "vgg19", "--no-bias"], ["show", "vgg19", "--batch", "2", "--no-bias"]),
        (["--format", "csv", "--", "lenet5"], ["lenet5", "--format=csv"]),
        (["VGG-19"], ["vgg19"]),
        (["vgg_e"], ["vgg19"]),
        (["--dtype", "BFloat16", "lenet5"], ["lenet5", "--dtype", "bf16"]),
        (["vgg19", "--input", "HxWx3", "--at", "H=448,W=448"], ["vgg19", "--input", "448x448x3"]),
        (["vgg19", "--input", "NxNx3", "--at", " N=224 "], ["vgg19"]),
        (["8x8x3 conv3-K", "--at", "K=7"], ["8x8x3 conv3-7"]),
        (["8x8x3", "leakyrelu0.01"], ["8x8x3 leakyrelu.01"]),
        (["receptive-field", "5x5", "5x5"], ["receptive-field", "5x5 5x5"]),
        (["receptive-field", "5x5", "x3"], ["receptive-field", "5x5", "5x5", "5x5"]),
        (["receptive-field", "7x7/2", "pool3/2"], ["receptive-field", "7x7/2 pool3/2"]),
        (["inception", "--input", "32x32x256"], ["inception"]),
        (["-h"], ["--help"]),
        (["vgg19", "-h"], ["show", "--help"]),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("form", ["text", "csv"])
def test_the_same_in_other_words(printed, form, args, same):
    """Options stand anywhere, spellings vary, values are filled in: the output is the same."""
    options = [] if {"-h", "--help", "--"} & {*args, *same} else ["--format", form]
    assert printed(*args, *options) == printed(*same, *options) != ""


def test_a_file_is_as_good_as_its_text(printed, tmp_path):
    """A text file, with or without a suffix, comments and Windows's line ends, is its notation."""
    text = "8x8x3 conv3-64 x2 pool2 fc-10"
    (tmp_path / "network").write_text(text)
    (tmp_path / "network.txt").write_bytes(
        b"\xef\xbb\xbf8x8x3 # input\r\nconv3-64 x2\r\npool2 fc-10"
    )
    plain = printed("network").replace("network, ", "")
    assert printed("network.txt").replace("network, ", "") == plain
    assert printed(text).replace("network, ", "") == plain


def test_nothing_asked_for_shows_the_help(capsys):
    """`archcalc` alone shows the help, with status 2 and nothing on standard error."""
    assert run([]) == 2
    out, err = capsys.readouterr()
    assert "Usage" in out
    assert not err


# ----------------------------------------------------------------------------------- completion


@pytest.mark.parametrize(
    ("line", "complete"),
    [
        ("vgg1", "vgg11 vgg13 vgg16-c vgg16 vgg19"),
        ("re", "receptive-field " + " ".join(name for name in zoo.NAMES if name[:2] == "re")),
        ("train", "training"),
        ("--ta", "--table"),
        ("--install", "--install-completion"),
        ("vgg19 --no", "--no-bias"),
        ("show vgg19 --format ma", "markdown"),
        ("vgg19 --dtype b", "bf16"),
        ("lenet5 --convention th", "thop"),
        ("compare vgg19 alexnet-", "alexnet-ungrouped alexnet-torchvision"),
        ("verify lenet5 --ag", "--against"),
        ("training dying", "dying-relu"),
        ("training dying-relu --hid", "--hidden-layers"),
        ("8x8x3 conv3-8 [", ""),
        ("no(such --tab", "--table"),
    ],
)
def test_shells_complete(capsys, monkeypatch, line, complete):
    """A shell gets names of networks, commands and options, those of other packages too."""
    words = ["archcalc", *line.split()]
    monkeypatch.setenv("_ARCHCALC_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert run([]) == 0
    out, err = capsys.readouterr()
    assert out.split() == complete.split()
    assert not err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script(capsys, monkeypatch, shell):
    """Each shell gets a script that asks archcalc, to show or to install in a home."""
    monkeypatch.setenv("_ARCHCALC_COMPLETE", f"source_{shell}")
    assert run([]) == 0
    out, err = capsys.readouterr()
    assert f"_ARCHCALC_COMPLETE=complete_{shell}" in out
    assert not err


def test_completion_is_installed(capsys, monkeypatch, tmp_path):
    """`--install-completion` writes the script into the home; where it cannot, one line says so."""
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: ("bash", "/bin/bash"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert run(["--show-completion"]) == 0
    script = capsys.readouterr().out
    assert run(["--install-completion"]) == 0
    assert (tmp_path / ".bash_completions" / "archcalc.sh").read_text() == script.strip()
    assert ".bash_completions/archcalc.sh" in (tmp_path / ".bashrc").read_text()
    assert str(tmp_path) in capsys.readouterr().out
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "file")
    assert run(["--install-completion"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert re.fullmatch(r"archcalc: .*/file.*: [\w ]+\n", err)


# ------------------------------------------------------------------------------------ as a library


def test_the_library_reports():
    """`ac.load("vgg19").report(...)` has the totals, and takes a dict for letters."""
    report = ac.report("vgg19", input="224x224x3")
    assert report.totals["parameters"] == 143_667_240
    assert ac.report("vgg19", "HxWx3", at={"H": 224, "W": 224}).totals == report.totals


def test_the_library_draws_in_notebooks():
    """A report's HTML is one balanced fragment with the numbers in it."""
    text = ac.report("vgg19")._repr_html_()
    page = Page(text)
    assert page.faults == []
    assert re.fullmatch(r"<div\b.*</div>\s*", text, re.DOTALL)
    assert "143,667,240" in "".join(page.words)
    assert "<body" not in text


@pytest.mark.parametrize("width", [80, 200])
def test_the_library_draws_in_consoles(printed, width):
    """Printed in a console of any width, a report is what the command prints."""
    stream = io.StringIO()
    Console(file=stream, width=width).print(ac.report("vgg19"))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines == printed("vgg19", columns=width).splitlines()
