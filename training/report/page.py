"""The lab report: every question of the assignments, and its answer.

An answer is a block of a Jinja template that lies in its question's folder, in Markdown. What it
shows comes from the record of a run or from archcalc, and the page says from which; what no record
holds is not run, and in its place stands the command that fills it.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from archcalc import __version__
from archcalc.render import formats
from archcalc.render.deliver import UndeliveredError, to_file
from archcalc.render.table import Block, Formula
from training.engine.progress import say
from training.errors import TrainingError
from training.experiments.base import choice
from training.report.questions import ASSIGNMENTS, BOTH, Assignment, Question
from training.report.sources import Computed, Run, Source

FORMS: Final = {"html": "report.html", "markdown": "report.md"}  # and what a page is called
WIDE: Final = '<div class="wide">'  # what may be wider than the page moves in it


def write(
    records: Path, output: Path | None = None, form: str = "html", assignment: str = BOTH
) -> Path:
    """Write the report, and say where.

    Args:
        records: the folder whose folders hold the records; what is not there is not run.
        output: the page, ``report.html`` or ``report.md`` if not said; the figures of a Markdown
            page that are in no record lie beside it.
        form: one of :data:`FORMS`.
        assignment: one of :data:`training.report.questions.ASSIGNMENTS`, or both.

    Raises:
        TrainingError: a word that is none of these, a damaged record, or a page that cannot be
            written.
    """
    choice("--format", [form], FORMS)
    choice("--assignment", [assignment], [*ASSIGNMENTS, BOTH])
    if not _is(records, Path.is_dir):
        hint = "archcalc training all makes one below runs/"
        raise TrainingError(f"{records}: no such folder of records", hint=hint)
    output = output or Path(FORMS[form])
    if _is(output, Path.is_dir):
        raise TrainingError(f"--output: {output} is a directory")
    if form == "markdown" and _is(output, lambda path: path.exists() and not path.is_file()):
        raise TrainingError(f"--output: {output} is no file, beside which figures could lie")
    asked = list(ASSIGNMENTS.values()) if assignment == BOTH else [ASSIGNMENTS[assignment]]
    page = Page(records, output, form)
    text = page.text(asked)
    try:
        to_file(text, output)  # first, as a name can be wrong
        for name, data in page.drawn.items():
            to_file(data, output.parent / name)
    except UndeliveredError as error:
        raise TrainingError(str(error), status=1) from None
    if page.runs and not any(run.there for run in page.runs.values()):
        say(f"{records}: none of its folders has a finished record of a part; nothing is run")
    return output


def _is(path: Path, kind: Callable[[Path], bool]) -> bool:
    """Whether a path is of a kind; what is no name of anything is of none."""
    try:
        return kind(path)
    except (OSError, ValueError):
        return False


class Page:
    """A page while it is written; what it is given is said of :func:`write`."""

    def __init__(self, records: Path, output: Path, form: str) -> None:
        self.records, self.output, self.form = records, output, form
        self.drawn: dict[str, bytes] = {}  # figures that have to lie beside the page
        self.runs: dict[str, Shown] = {}
        self.computed = Shown(self, Computed())
        self.answered: dict[str, str] = {}  # an answer, and the question below which it stands
        self.absent: dict[str, list[str]] = {}  # what is not run, and the questions that it is of
        self.smaller: list[str] = []  # questions that are not of the assignment's size
        self.made: dict[str, str] = {}  # runs of the present answer, and what is said of them
        self.making: list[str] = []  # commands that compute for it while the page is written
        self.here = self.question_link = ""  # the present question: its anchor, and a link to it
        self.words = Environment(  # noqa: S701 - Markdown is written, in which Shown escapes
            loader=PackageLoader("training", ""),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.words.filters.update(plain=plain, code=code)

    def text(self, asked: list[Assignment]) -> str:
        """The whole page."""
        body = self.words.get_template("report/page.md.jinja").render(
            page=self, assignments=asked, version=__version__
        )
        body = re.sub(r"\n{3,}", "\n\n", body).strip() + "\n"
        if self.form == "markdown":
            return body
        shell = self.words.get_template("report/page.html.jinja")
        title = " and ".join(one.title for one in asked)
        return shell.render(title=title, body=rendered(body), style=formats.STYLE) + "\n"

    def run(self, name: str) -> Shown:
        """A run, for the templates."""
        if name not in self.runs:
            self.runs[name] = Shown(self, Run(name, self.records))
        return self.runs[name]

    def answer(self, assignment: Assignment, question: Question) -> str:
        """A question's answer and its sources; where it has been given, where that was."""
        self.here = self.anchor(assignment, question)
        self.question_link = f"[{assignment.title}, {question.number}](#{self.here})"
        if before := self.answered.get(question.answer):
            return f"The question is that of {before}, and answered there."
        self.answered[question.answer] = self.question_link
        self.made, self.making = {}, []
        name, _, block = question.answer.partition(":")
        template = self.words.get_template(f"experiments/{name}/answer.md.jinja")
        given = {"run": self.run, "computed": self.computed, "from_": self.told, "here": self.here}
        text = "".join(template.blocks[block](template.new_context(given)))
        return f"{text}\n\n{self._sources()}\n"

    def anchor(self, assignment: Assignment, question: Question) -> str:
        """``lab3-1.1``."""
        return f"{assignment.name}-{question.number}"

    def told(self, command: str) -> str:
        """Take down that a command makes what is shown; nothing is written in its place."""
        if command not in self.making:
            self.making.append(command)
        return ""

    def _sources(self) -> str:
        """Where the present answer comes from."""
        said = [f"the run {link}{remark}" for link, remark in self.made.items()]
        if self.making:
            commands = ", ".join(map(code, self.making))
            said.append(f"archcalc, while this page was made: {commands}")
        return f"From: {'; '.join(said)}." if said else ""

    def lacks(self, command: str) -> str:
        """Take down that something is not run, and say so, with the command once an answer."""
        questions = self.absent.setdefault(command, [])
        if self.question_link in questions:
            return "**not run**, as above"
        questions.append(self.question_link)
        return f"**not run**: {code(command)}"

    def link(self, path: Path) -> str:
        """A file's address, seen from the page."""
        return quote(os.path.relpath(path, self.output.parent).replace(os.sep, "/"))


class Shown:
    """What a template sees of a source on a page."""

    def __init__(self, page: Page, source: Source) -> None:
        self.page, self.source = page, source

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what the source has
        return getattr(self.source, name)

    def show(self, *names: str) -> str:
        """Tables and paragraphs, in the page's form."""
        found = []
        for name in names:
            blocks = self.source.blocks.get(name, ())
            if blocks:
                self._cite(name)
            found += [self._block(block) for block in blocks] or [self._lacking(name)]
        return "\n\n".join(found)

    def figure(self, name: str, caption: str) -> str:
        """A figure, and what is to be seen in it.

        Args:
            name: of its file, without ``.png``.
            caption: in Markdown; no line breaks.
        """
        picture = self.source.picture(name)
        if picture is None:
            return self._lacking(name)
        self._cite(name)
        if self.page.form == "html":
            data = picture if isinstance(picture, bytes) else picture.read_bytes()
            address = f"data:image/png;base64,{base64.b64encode(data).decode()}"
            image = f'<img src="{address}" alt="{escape(caption)}">'
            said = f"<figcaption>{escape(caption)}</figcaption>"
            return f"<figure>{WIDE}{image}</div>{said}</figure>"
        if isinstance(picture, bytes):  # in no folder of records
            self.page.drawn[f"{name}.png"] = picture
            picture = self.page.output.parent / f"{name}.png"
        return f"![{caption}]({self.page.link(picture)})\n\n*{caption}*"

    def _block(self, block: Block) -> str:
        if isinstance(block, Formula):
            return f"$$\n{block.latex()}\n$$"
        if self.page.form == "html":
            return formats.html_of(block)
        return formats.markdown_of(block, title="**{}**")

    def _cite(self, name: str) -> None:
        if isinstance(self.source, Run):
            link = f"[{self.source.name}](#run-{self.source.name})"
            if link not in self.page.made:
                self.page.made[link] = self._size(self.source)
        else:
            self.page.told(self.source.command(name))

    def _size(self, run: Run) -> str:
        """What is smaller than in the assignment, and what would not be."""
        if not run.remark:
            return ""
        if self.page.question_link not in self.page.smaller:
            self.page.smaller.append(self.page.question_link)
        return f" ({plain(run.remark)}; at full size {self.page.lacks(run.full)})"

    def _lacking(self, name: str) -> str:
        return self.page.lacks(self.source.command(name))


def plain(text: str) -> str:
    """Text in which neither Markdown nor the formulas in it find marks."""
    return formats.escaped(text.replace("&", "&amp;")).replace("$", r"\$")


def code(text: str) -> str:
    """Text as it is typed, between more backticks than are in it."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def rendered(body: str) -> str:
    """Markdown as HTML, formulas as MathML."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.use(dollarmath_plugin, renderer=_math, double_inline=False)
    html = str(parser.render(body))
    return html.replace("<table>\n", f"{WIDE}<table>\n").replace("</table>\n", "</table></div>\n")


def _math(latex: str, how: Mapping[str, Any]) -> str:
    """MathML of a formula; what is aligned is a table of it."""
    # The converter knows align*, which Markdown has no place for, and not aligned.
    lines = latex.strip().replace("{aligned}", "{align*}")
    return convert(lines, display="block" if how["display_mode"] else "inline")
