"""Blocks as Markdown, LaTeX, CSV and HTML, with the standard library alone."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from archcalc.render.table import Block, Cell, Formula, Table


def markdown(blocks: Sequence[Block]) -> str:
    """GitHub's Markdown: a heading, a pipe table and the notes for each table."""
    return "\n".join(markdown_of(block) for block in blocks)


def markdown_of(block: Block, title: str = "### {}") -> str:
    """One of them, a table's title in a form of its own."""
    if isinstance(block, str):
        return escaped(block) + "\n"
    if isinstance(block, Formula):
        texts = "\n".join(line for line, _ in block.lines)
        return f"```math\n{block.latex()}\n```\n\n```text\n{texts}\n```\n"

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    lines = [title.format(escaped(block.title)), ""]
    lines.append(line([escaped(column.heading) for column in block.columns]))
    lines.append(line(["--:" if column.right else "---" for column in block.columns]))
    lines += [line([escaped(cell.text) for cell in row]) for row in block.rows]
    lines += [
        line([f"**{escaped(cell.text)}**" if cell.text else "" for cell in row])
        for row in block.footer
    ]
    lines += [f"\n{escaped(note)}" for note in block.notes]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text in which Markdown finds no marks."""
    # A pipe ends a cell, a star starts emphasis, a bracket a link.
    return re.sub(r"([\\|*_<>\[\]`])", r"\\\1", text)


def latex(blocks: Sequence[Block]) -> str:
    r"""LaTeX ``table`` environments with booktabs rules; needs ``\usepackage{booktabs}``.

    Long tables are ``longtable``s, and need that package too.
    """
    return "\n".join(_latex(block) for block in blocks)


_PAGE: Final = 45  # rows that fit on one page


def _latex(block: Block) -> str:
    if isinstance(block, str):
        return _tex(block) + "\n"
    if isinstance(block, Formula):
        return f"\\[\n{block.latex()}\n\\]\n"

    def line(cells: Sequence[Cell]) -> str:
        return " & ".join(cell.latex or _tex(cell.text) for cell in cells) + r" \\"

    layout = "".join("r" if column.right else "l" for column in block.columns)
    head = " & ".join(_tex(column.heading) for column in block.columns) + r" \\"
    body = [line(row) for row in block.rows]
    foot = [r"\midrule", *(line(row) for row in block.footer)] if block.footer else []
    caption = rf"\caption{{{_tex(block.title)}}}"
    if len(block.rows) > _PAGE:
        lines = [rf"\begin{{longtable}}{{{layout}}}", caption + r" \\", r"\toprule", head]
        lines += [r"\midrule", r"\endhead", *body, *foot, r"\bottomrule", r"\end{longtable}"]
        lines += [f"\n{_tex(note)}" for note in block.notes]
    else:
        lines = [r"\begin{table}", r"\centering", caption, rf"\begin{{tabular}}{{{layout}}}"]
        lines += [r"\toprule", head, r"\midrule", *body, *foot, r"\bottomrule", r"\end{tabular}"]
        lines += [rf"\par\smallskip{{\footnotesize {_tex(note)}}}" for note in block.notes]
        lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


_TEX: Final = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "|": r"\textbar{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
)


def _tex(text: str) -> str:
    return text.translate(_TEX)


def comma_separated(blocks: Sequence[Block]) -> str:
    """CSV with bare numbers, an empty line between tables.

    Where a column shows how its numbers come about, the working has a column of its own beside it.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for place, table in enumerate(block for block in blocks if isinstance(block, Table)):
        if place:
            writer.writerow([])
        rows = (*table.rows, *table.footer)
        has_working = [any("=" in row[i].text for row in rows) for i in range(len(table.columns))]
        headings: list[str] = []
        for (heading, _), both in zip(table.columns, has_working, strict=True):
            is_working = heading.startswith("working")
            names = ["value", heading] if is_working else [heading, f"{heading}: working"]
            headings += names if both else [heading]
        writer.writerow(headings)
        for row in rows:
            line: list[object] = []
            for cell, both in zip(row, has_working, strict=True):
                is_bare = cell.value is not None and "=" not in cell.text
                if both:
                    line += ["" if cell.value is None else cell.value, "" if is_bare else cell.text]
                else:
                    line.append(cell.text if cell.value is None else cell.value)
            writer.writerow(line)
    return stream.getvalue()


STYLE: Final = """
.archcalc{font:15px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff}
.archcalc .wide{overflow-x:auto}
.archcalc table{border-collapse:collapse;margin:.4em 0 .8em;font-variant-numeric:tabular-nums}
.archcalc caption{caption-side:top;text-align:left;font-weight:600;padding:.3em 0}
.archcalc th,.archcalc td{padding:.18em .8em .18em 0;text-align:left;vertical-align:top}
.archcalc th{border-bottom:1.5px solid #444;white-space:nowrap}
.archcalc td{white-space:nowrap}
.archcalc .n{text-align:right}
.archcalc .long{white-space:normal;min-width:20em}
.archcalc tbody tr:nth-child(even){background:#f5f6f8}
.archcalc tfoot td{border-top:1.5px solid #444;font-weight:600}
.archcalc p{max-width:46em;margin:.4em 0}
.archcalc .note{font-size:.88em;color:#555}
@media (prefers-color-scheme:dark){.archcalc{color:#e6e6e6;background:#1b1d21}
.archcalc tbody tr:nth-child(even){background:#24272c}.archcalc th,.archcalc tfoot td{border-color:#999}
.archcalc .note{color:#aaa}}
"""


_LONG: Final = 48  # characters of a cell that may be wrapped


def html_fragment(blocks: Sequence[Block]) -> str:
    """HTML for a notebook or to be put into a page: one ``div`` with its own style."""
    inside = "".join(map(html_of, blocks))
    return f'<div class="archcalc"><style>{STYLE}</style>{inside}</div>'


def html(blocks: Sequence[Block]) -> str:
    """A page that stands alone, without scripts and without anything from elsewhere."""
    title = next((block.title for block in blocks if isinstance(block, Table)), "archcalc")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title>"
        "<style>body{margin:1.2em}@media (prefers-color-scheme:dark){body{background:#1b1d21}}</style>"
        f"</head><body>{html_fragment(blocks)}</body></html>\n"
    )


def html_of(block: Block) -> str:
    """One block, without the style."""
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    if isinstance(block, Formula):
        return "".join(f"<pre>{escape(line)}</pre>" for line, _ in block.lines)

    def row(tag: str, texts: Iterable[str]) -> str:
        inside = ""
        for text, column in zip(texts, block.columns, strict=True):
            is_long = tag == "td" and len(text) > _LONG
            kind = " class=n" if column.right else " class=long" if is_long else ""
            inside += f"<{tag}{kind}>{escape(text)}</{tag}>"
        return f"<tr>{inside}</tr>"

    head = row("th", (column.heading for column in block.columns))
    body, foot = (
        "".join(row("td", (cell.text for cell in cells)) for cells in rows)
        for rows in (block.rows, block.footer)
    )
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in block.notes)
    return (
        f'<div class="wide"><table><caption>{escape(block.title)}</caption>'
        f"<thead>{head}</thead><tbody>{body}</tbody>"
        f"{f'<tfoot>{foot}</tfoot>' if foot else ''}</table></div>{notes}"
    )
