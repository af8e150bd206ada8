"""The options of the experiments, which are the fields of their classes.

A field's type says how its text is read, its docstring what it means. The modules that define
them load torch, for which no help should wait; so their sources are read, and nothing is run.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import training

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_PRESET: Final = " The preset has its own."


class Option(NamedTuple):
    """A field of an experiment's class.

    Attributes:
        kind: its type, as it is written: ``int``, ``tuple[str, ...]``.
        default: as a text; empty where there is none, or the preset has it.
        meaning: the docstring's sentence.
    """

    kind: str
    default: str
    meaning: str


def heading(folder: str) -> str:
    """The first line of a folder of :mod:`training.experiments`."""
    return (ast.get_docstring(_source(f"training.experiments.{folder}")) or "").partition("\n")[0]


def options(folder: str, name: str) -> dict[str, Option]:
    """The fields of an experiment's class, its own before those of its bases.

    Args:
        folder: of :mod:`training.experiments`.
        name: of its experiment's class.

    Raises:
        LookupError: there is no such class, or a field that no docstring explains.
    """
    meanings: dict[str, str] = {}
    written: dict[str, tuple[str, str, ast.expr]] = {}
    for where, body in _lineage(f"training.experiments.{folder}.experiment", name):
        for field, meaning in _meanings(where, body).items():
            meanings.setdefault(field, meaning)
        for statement in body.body:
            match statement:
                case ast.AnnAssign(ast.Name(field), annotation, ast.expr() as default):
                    written.setdefault(field, (ast.unparse(annotation), where, default))
    return {
        field: Option(
            kind,
            _typed(_value(where, default)),
            meanings[field] + OF_PRESET * (ast.unparse(default) == "PRESET"),
        )
        for field, (kind, where, default) in written.items()
        if not kind.startswith("ClassVar")
    }


@cache
def _source(module: str) -> ast.Module:
    """A module's syntax."""
    path = Path(training.__file__).parent.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text("utf-8"))


def _written(module: str, name: str) -> tuple[str, ast.AST]:
    """Where a name of a module comes from: the module, and its class or value there.

    Raises:
        LookupError: from nowhere in this package.
    """
    for statement in _source(module).body:
        match statement:
            case ast.ClassDef(found) if found == name:
                return module, statement
            case ast.AnnAssign(ast.Name(found), _, ast.expr() as value) if found == name:
                return module, value
            case ast.ImportFrom(str(source), names) if name in {alias.name for alias in names}:
                return _written(source, name)
    raise LookupError(f"{module}: {name}")


def _lineage(module: str, name: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """A class and those that it inherits from, each with its module."""
    where, body = _written(module, name)
    assert isinstance(body, ast.ClassDef)
    yield where, body
    for base in body.bases:
        yield from _lineage(where, ast.unparse(base))


def _meanings(module: str, body: ast.ClassDef) -> dict[str, str]:
    """What a class's docstring says of each field."""
    _, _, said = (ast.get_docstring(body) or "").partition("\nArgs:\n")
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", said, re.MULTILINE)
    return {field: _sentence(module, " ".join(text.split())) for field, text in entries}


def _sentence(module: str, text: str) -> str:
    """An entry of a docstring without its markup: what it refers to is listed, or left out."""

    def words(reference: re.Match[str]) -> str:
        source, _, name = reference[1].rpartition(".")
        return _typed(_value(*_written(source or module, name))).replace(",", ", ")

    text = re.sub(r", see :\w+:`[^`]+`", "", f"{text[0].upper()}{text[1:].rstrip('.')}.")
    text = re.sub(r":data:`([\w.]+)`", words, text)
    return re.sub(r":\w+:`[\w.]*?(\w+)`", r"\1", text).replace("``", "")


def _value(module: str, node: ast.AST) -> Any:  # noqa: ANN401 - whatever is written
    """What an expression says: constants, names of them, and the words of a table.

    None where it says so itself, or is of another kind.
    """
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            return _value(*_written(module, name))
        case ast.Dict(items) | ast.Tuple(items):
            return tuple(word for item in items if item for word in _words(module, item))
        case ast.Call(ast.Name("tuple"), [table]):
            return _value(module, table)
    return None


def _words(module: str, item: ast.expr) -> tuple[Any, ...]:
    """What an item contributes to a list: itself, or with a star all of its own."""
    found = _value(module, item.value if isinstance(item, ast.Starred) else item)
    return tuple(found) if isinstance(item, ast.Starred) else (found,)


def _typed(value: object) -> str:
    """A value as it is typed behind its option."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
