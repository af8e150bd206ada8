# ruff: noqa: TID253 - one of these tests looks into a figure
"""The answers on architectures: computed while the page is made, each beside its command."""

import re
import shlex
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

import archcalc as ac
from archcalc.count import letter
from archcalc.main import run
from archcalc.render.formats import markdown_of
from training.experiments.architectures import answer as architectures
from training.experiments.architectures import figure as drawings
from training.experiments.architectures.answer import (
    COMMANDS,
    chain,
    modules,
    rivals,
    stack,
    stages,
)
from training.report import page as report
from training.report.questions import ASSIGNMENTS
from training.report.sources import Computed

TEMPLATE = Path(architectures.__file__).with_name("answer.md.jinja").read_text()
ANSWERS = {
    question.answer.removeprefix("architectures:"): question
    for problem in ASSIGNMENTS["lab3"].problems
    for question in problem.questions
    if question.answer.startswith("architectures:")
}
# What a command prints and its block shows, or its figure draws.
KEYS = {
    "alexnet-sizes": ("(227 + 2*0 - 11)/4 + 1 = 55", "256 filters of 5x5x48 (in 2 groups)"),
    "alexnet": ("(11*11*3)*96 = 34,848", "(5*5*(96/2))*256 = 307,200", "60,965,224"),
    "alexnet-where": ("60,965,224", "61.9"),
    "alexnet-groups": ("60,965,224", "62,378,344", "61,100,840"),
    "alexnet-published": ("60 million", "60,965,224", "253,440", "186,624"),
    "alexnet-layers": ("61.9", "27.5", "60,965,224"),
    "vgg19": ("224*224*64=3.2M", "(7*7*512)*4096 = 102,760,448", "16,542,184", "143,652,544"),
    "vgg19-totals": ("16,542,184", "143,652,544", "66.17 MB", "574.6 MB"),
    "vgg19-stages": ("16,542,184", "143,652,544", "66.17 MB"),
    "vgg19-where": ("102,760,448", "71.5"),
    "vgg19-published": ("144 million", "143,667,240"),
    "vgg19-layers": ("71.5", "11.7", "19.4", "16,542,184", "143,652,544"),
    "field-claim": ("N*F - N + 1",),
    "field-start": ("1*F - 1 + 1",),
    "field-step": ("F*N - N + 1 + (F - 1)*1 = F*N + F - N",),
    "field-next": ("F*N + F - N",),
    "field-single": ("F*N - N + 1",),
    "field": ("13x13", "9 + (5 - 1)*1 = 13", "3*5 - 3 + 1 = 13"),
    "field-stack": ("13x13",),
    "field-parameters": ("75*C^2", "169*C^2", "4*C*H*W"),
    "idea": ("3", "5"),
    "sizes": ("128 + 192 + 96 + 256 = 672", "128 + 192 + 96 + 64 = 480", "32x32x672", "32x32x480"),
    "sizes-conclusion": ("32x32x672", "32x32x480"),
    "inception-modules": ("32x32x672", "32x32x480"),
    "operations": ("(32*32*96)*(5*5*256) = 629,145,600", "1,115,684,864", "397,410,304"),
    "operations-totals": ("1,115,684,864", "397,410,304", "2,231,369,728", "794,820,608"),
    "problem": ("(32*32*96)*(5*5*256) = 629,145,600 MACs, 56.4 %",),
    "saving": ("1,115,684,864", "397,410,304", "629,145,600", "78,643,200"),
    "inception-macs": ("1,115,684,864", "397,410,304"),
    "next": ("4358144*C", "360448*C + 305135616", "C + 416"),
    "conclusion": ("718,274,560", "64.38 %", "2.807 times", "260,046,848", "87,031,808"),
}
# What the assignment's answers are known for.
KNOWN = {
    "alexnet": ("60,965,224", "62,378,344", "227 + 2*0 - 11", "96.2 %"),
    "vgg19": ("143,652,544", "16,542,184", "66.17 MB", "102,760,448", "71.5 %"),
    "field": ("13x13", "44.4 %"),
    "idea": ("5x5",),
    "sizes": ("32x32x672", "32x32x480"),
    "operations": ("1,115,684,864", "397,410,304", "2,231,369,728", "794,820,608"),
    "saving": ("718,274,560", "64.38 %", "2.81"),
}


@cache
def said():
    """Every block's name, and what it says."""
    found = {}
    for name, block in architectures.blocks():
        found[name] = found.get(name, "") + markdown_of(block).replace("\\", "") + "\n"
    return found


@cache
def computed():
    """What the page shows, its figures drawn once for all tests."""
    return Computed()


def drawn():
    """Every figure's name, and its PNG."""
    return computed().pictures


@cache
def answered(form):
    """Every answer of the problem on a page."""
    page = report.Page(Path("nowhere"), Path("page"), form)
    page.computed = report.Shown(page, computed())
    lab = ASSIGNMENTS["lab3"]
    return {name: page.answer(lab, question) for name, question in ANSWERS.items()}


# -------------------------------------------------------------------------------------- the sources


def test_every_block_and_figure_has_a_command():
    """What can be shown has a command, and no command is left over."""
    assert {*said(), *drawn()} == set(COMMANDS) == set(KEYS)


@pytest.mark.parametrize("command", sorted(set(COMMANDS.values())))
def test_commands_print_what_is_shown(capsys, command):
    """The command below an answer runs, and prints the numbers that the answer is about."""
    program, *words = shlex.split(command)
    assert program == "archcalc"
    assert run(words) == 0
    printed = capsys.readouterr().out
    for name in (name for name, own in COMMANDS.items() if own == command):
        assert [key for key in KEYS[name] if key not in printed] == [], name
        assert [key for key in KEYS[name] if key not in said().get(name, printed)] == [], name


# ------------------------------------------------------------------------------------- the template


def test_the_template_answers_the_seven_questions():
    """Its blocks are the answers of the problem's questions, in their order."""
    names = re.findall(r"{% block (\w+) %}", TEMPLATE)
    assert names == list(ANSWERS)
    assert names == ["alexnet", "vgg19", "field", "idea", "sizes", "operations", "saving"]


def test_everything_computed_is_shown():
    """The template shows every block and every figure, once."""
    shows = re.findall(r"computed\.(show|figure)\(([^)]*)\)", TEMPLATE)
    quoted = [re.findall(r'"([^"]+)"', names) for _, names in shows]
    named = [
        name
        for (way, _), found in zip(shows, quoted, strict=True)
        for name in (found[:1] if way == "figure" else found)
    ]
    assert sorted(named) == sorted(COMMANDS)


def results(template):
    """What looks like a result among a template's own words: 1,728 and 64.38 and 64 %."""
    words = re.sub(r"{{.*?}}|{%.*?%}|{#.*?#}", "", template, flags=re.DOTALL)
    words = re.sub(r"section \d+(\.\d+)?", "", words)
    return re.findall(r"\d[,.]\d+|\d+\s*(?:\\?%|per cent)", words)


def test_no_result_is_typed():
    """No number with a comma, a point or a per cent sign is typed; sections of papers may be."""
    assert results(TEMPLATE) == []


@pytest.mark.parametrize("typed", ["143,652,544 weights", "a factor of 2.81", "64 %", "64\\%"])
def test_a_typed_result_is_found(typed):
    """The search for typed results finds one, but not in what is computed."""
    assert results(f"As said in section 3.5, {typed}.")
    assert not results(f'As said in section 3.5, {{{{ computed.show("{typed}") }}}}.')


# -------------------------------------------------------------------------------------- the answers


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("form", ["html", "markdown"])
def test_answers_have_the_known_numbers(name, form):
    """Each answer has the numbers that the question is known for, a conclusion and its source."""
    answer = answered(form)[name].replace("\\", "")
    assert [number for number in KNOWN[name] if number not in answer] == []
    assert "**Conclusion.**" in answer
    assert "made: `archcalc " in answer
    assert "not run" not in answer


@pytest.mark.parametrize("name", ANSWERS)
def test_formulas_become_mathml(name):
    """No formula is left in the page as its source."""
    page = report.rendered(answered("html")[name])
    assert not re.search(r"\$|\\[a-zA-Z]|{{|{%", re.sub(r'src="[^"]*"', "", page))
    assert page.count("<math") == page.count("</math>")
    assert "merror" not in page


def columns(name):
    """The rows of a block's first table, without thousands commas; the last of them its total."""
    (table, *_) = [block for own, block in architectures.blocks() if own == name]
    rows = (*table.rows, table.footer[-1])
    return [[cell.text.split("= ")[-1].replace(",", "") for cell in row] for row in rows]


@pytest.mark.parametrize(("name", "added"), [("alexnet", (1, 2, 3)), ("vgg19-stages", (1, 4))])
def test_columns_add_up(name, added):
    """A column of counts adds up to its total."""
    *rows, sums = columns(name)
    for place in added:
        assert sum(int(row[place]) for row in rows) == int(sums[place]) > 0


def test_stages_are_the_layers():
    """Cut from pool to pool, a network keeps its layers, in order."""
    counted = ac.report("vgg19")
    assert [row for stage in stages(counted) for row in stage] == [
        row for row in counted.rows if not row.in_place
    ]


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("layers", [2, 3, 4])
def test_a_stack_beside_its_rival(layers, kernel):
    """N layers of FxF see as much as one of NF - N + 1, and have N*F^2*C^2 weights."""
    found = rivals(layers, kernel)
    width = layers * kernel - layers + 1
    seen = {one.rows[-1].seen.fields[0].size for one in (found.stack, found.single)}
    assert seen == {width}
    square = letter("C") * letter("C")
    assert found.stack.totals["weights"] == square * (layers * kernel**2)
    assert found.single.totals["weights"] == square * width**2
    assert found.counts("weights") == (layers * kernel**2, width**2)


def test_both_sides_of_the_induction_are_one():
    """One layer more sees what the claim says for it: the two formulas end alike."""
    ends = [
        said()[name].strip().removesuffix("```").split(" = ")[-1]
        for name in ("field-step", "field-next")
    ]
    assert ends[0].strip() == ends[1].strip() == "F*N + F - N"


def test_a_chain_hands_its_output_on():
    """A module's input is the output of the one before it; only naive ones grow without end."""
    found = chain()
    assert found[0] == modules()
    for before, after in pairwise(found):
        for one, two in zip(before, after, strict=True):
            assert two.input == one.rows[-1].output
    naive = [link.naive.input.channels for link in found]
    reduced = [link.reduced.input.channels for link in found]
    assert naive[0] < naive[1] < naive[2]
    assert reduced[0] < reduced[1] == reduced[2]


# -------------------------------------------------------------------------------------- the figures


@pytest.mark.parametrize("name", sorted(name for name in COMMANDS if name not in said()))
def test_figures_are_pictures(name):
    """A figure is a PNG as wide as a page, with more on it than its title."""
    found = Image.open(BytesIO(drawn()[name]))
    assert found.format == "PNG"
    picture = found.convert("L")
    assert 800 <= picture.width <= 1100
    inked = sum(1 for shade in picture.crop((0, 60, *picture.size)).tobytes() if shade < 250)
    assert inked > 0.02 * picture.width * picture.height


def test_the_cone_is_as_wide_as_computed():
    """Of the layers of three 5x5 filters, 13, 9, 5 and 1 cells are filled, from the input on."""
    found, figure = stack(), Figure()
    drawings._cells(figure, found)
    filled = {}
    for mark in figure.axes[0].lines:
        if mark.get_marker() == "s" and mark.get_color() != drawings.UNSEEN:
            (height,) = mark.get_ydata()
            filled[height] = filled.get(height, 0) + 1
    assert filled == {0: 13, 1: 9, 2: 5, 3: 1}


def test_branches_of_the_diagrams():
    """Each module has four branches, which end in the channels of its output."""
    for module in modules():
        branches = drawings._branches(module)
        assert len(branches) == 4
        widths = [branch[-1].output.channels for branch in branches]
        assert sum(widths) == module.rows[-1].output.channels
