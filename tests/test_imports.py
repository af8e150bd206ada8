"""What is loaded, and who may import whom: nothing heavy, and only lower floors."""

import ast
import os
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import archcalc
import training
from archcalc import main
from archcalc.main import run

# ------------------------------------------------------------------------- what a command loads

HEAVY = ("torch", "torchvision", "numpy", "matplotlib", "fvcore", "torchinfo")

ANALYTIC = [
    ["vgg19"],
    ["vgg19", "--table"],
    ["vgg19", "--working"],
    *(["googlenet", "--format", form] for form in ("markdown", "latex", "csv", "json", "html")),
    ["8x8x3 [conv3-64 | pool3/1 (id * gap)] fc-10"],
    ["inception", "--explain"],
    ["receptive-field", "5x5", "5x5", "5x5"],
    ["receptive-field", "vgg19"],
    ["networks"],
    ["compare", "alexnet", "vgg19", "googlenet"],
    ["vgg19", "--convention", "torchinfo"],
    ["conventions"],
    ["verify", "--help"],
    ["profile", "--help"],
    ["--help"],
]

PROBE = f"""
import sys
from archcalc.main import run
sys.stdout = sys.stderr = open({os.devnull!r}, "w", encoding="utf-8")
status = run(sys.argv[1:])
sys.__stdout__.write(" ".join(["status", str(status), *sorted(sys.modules)]))
"""

LIBRARY = """
import sys
import archcalc as ac
ac.report("vgg19", "224x224x3").to_dict(working=True)
sys.stdout.write(" ".join(["status", "0", *sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def decoys(tmp_path_factory):
    """A folder in which every heavy package can be imported, whatever is installed."""
    folder = tmp_path_factory.mktemp("decoys")
    for name in HEAVY:
        (folder / f"{name}.py").write_text('"""A decoy."""\n')
    return str(folder)


@cache
def loaded(path, program, *args):
    """The modules that a program has loaded at its end, in a fresh interpreter."""
    env = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", program, *args]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
    first, status, *modules = done.stdout.split()
    assert first == "status"
    assert status == "0"
    return frozenset(modules)


def heavy(modules):
    """Those among them that no analytic command may load."""
    return {name for name in modules if name.partition(".")[0] in HEAVY}


@pytest.mark.parametrize("args", ANALYTIC, ids=" ".join)
def test_analytic_commands_load_nothing_heavy(decoys, args):
    """An analytic command loads no torch, numpy or matplotlib, even where they are at hand."""
    modules = loaded(decoys, PROBE, *args)
    assert "archcalc.reports" in modules
    assert heavy(modules) == set()


def test_the_library_loads_nothing_but_the_standard_library(decoys):
    """A report is made without any package that is not Python's own."""
    modules = loaded(decoys, LIBRARY)
    assert heavy(modules) == set()
    assert not {name for name in modules if name.partition(".")[0] in {"rich", "typer", "click"}}


def test_the_check_of_what_is_loaded_can_fail(decoys, tmp_path):
    """Where something imports heavy packages behind archcalc's back, the check notices each."""
    (tmp_path / "sitecustomize.py").write_text(f"import {', '.join(HEAVY)}\n")
    modules = loaded(os.pathsep.join([str(tmp_path), decoys]), PROBE, "vgg19")
    assert heavy(modules) == set(HEAVY)


@pytest.mark.parametrize("args", ANALYTIC[:-1], ids=" ".join)
def test_a_command_knows_no_other(decoys, args):
    """A command loads no other command, and none of another package."""
    modules = loaded(decoys, PROBE, *args)
    assert len([name for name in modules if name.startswith("archcalc.commands.")]) == 1
    assert "training" not in modules


@pytest.mark.parametrize("args", ANALYTIC[:-1], ids=" ".join)
def test_a_command_asks_for_no_other(capsys, monkeypatch, args):
    """What other packages offer is not even looked up where a command or a network is named."""
    monkeypatch.setattr(main, "_offered", None)
    assert run(args) == 0, capsys.readouterr().err


def test_other_packages_are_looked_up_for_help(decoys):
    """The help loads every command, and those of other packages."""
    modules = loaded(decoys, PROBE, "--help")
    assert {"archcalc.commands.show", "archcalc.commands.profile", "training.cli"} <= modules


@pytest.mark.parametrize("args", ANALYTIC[:8], ids=" ".join)
def test_only_text_loads_the_terminal(decoys, args):
    """The module that draws with rich is loaded for text, and for text alone."""
    modules = loaded(decoys, PROBE, *args)
    is_text = "--format" not in args
    assert ("archcalc.render.terminal" in modules) == is_text
    assert "rich" in modules or not is_text


# -------------------------------------------------------------------------------- who imports whom

PACKAGES = [Path(package.__file__).parent for package in (archcalc, training)]

# In the folder of a question: what is said and drawn stands on what is run.
WITHIN = {"grid": 32, "summary": 33, "experiment": 34, "finders": 34, "answer": 35, "figure": 36}
QUESTIONS = {
    f"training.experiments.{path.parent.name}.{path.stem}": WITHIN[path.stem]
    for path in PACKAGES[1].glob("experiments/*/[a-z]*.py")
}
# A package stands for what is in it, save archcalc and training themselves.
FLOORS = {
    "archcalc.errors": 0,
    "archcalc.count": 1,
    "archcalc.units": 2,
    "archcalc.shape": 2,
    "archcalc.layers": 3,
    "archcalc.network": 4,
    "archcalc.notation": 5,
    "archcalc.case": 5,
    "archcalc.zoo": 6,
    "archcalc.costs": 6,
    "archcalc.counters": 6,
    "archcalc.open": 7,
    "archcalc.receptive": 7,
    "archcalc.memory": 7,
    "archcalc.roofline": 7,
    "archcalc.results": 8,
    "archcalc.reports": 9,
    "archcalc.checks": 9,
    "archcalc.timings": 9,
    "archcalc.render": 10,
    "archcalc.measure": 11,
    "archcalc.api": 12,
    "archcalc": 13,
    "archcalc.console": 14,
    "archcalc.options": 14,
    "archcalc.commands": 15,
    "archcalc.main": 16,
    "archcalc.__main__": 17,
    "training": 20,
    "training.errors": 20,
    "training.engine": 20,
    "training.engine.steps": 21,
    "training.engine.streams": 21,
    "training.engine.schedules": 21,
    "training.engine.rules": 21,
    "training.engine.alignment": 21,
    "training.engine.activations": 21,
    "training.engine.losses": 21,
    "training.engine.statistics": 21,
    "training.engine.equations": 21,
    "training.engine.progress": 21,
    "training.engine.ranks": 21,
    "training.engine.record": 21,
    "training.engine.initializers": 22,
    "training.engine.updates": 22,
    "training.engine.data": 22,
    "training.engine.datasets": 22,
    "training.engine.models": 23,
    "training.engine.networks": 24,
    "training.engine.kernel": 24,
    "training.engine.fused": 25,
    "training.engine.cohort": 26,
    "training.engine.probes": 27,
    "training.engine.costs": 27,
    "training.engine.loop": 27,
    "training.experiments.fixed": 29,
    "training.experiments.base": 30,
    "training.experiments.words": 30,
    "training.experiments.style": 30,
    "training.experiments.claims": 31,
    "training.experiments.preset": 31,
    **QUESTIONS,
    "training.experiments": 37,
    "training.experiments.parts": 38,
    "training.experiments.runner": 39,
    "training.experiments.overview": 40,
    "training.report": 41,
    "training.report.questions": 41,
    "training.report.sources": 42,
    "training.report.page": 43,
    "training.options": 44,
    "training.chain": 44,
    "training.cli": 45,
    "training.__main__": 46,
}

# Which module may import what from outside of Python's own library.
GUESTS = {
    ("archcalc.console", "typer"),
    ("archcalc.options", "typer"),
    ("archcalc.commands", "typer"),
    ("archcalc.commands.inception", "typer"),
    ("archcalc.commands.tables", "typer"),
    ("archcalc.main", "typer"),
    ("archcalc.render.terminal", "rich"),
    ("archcalc.counters.fvcore", "fvcore"),
    ("archcalc.counters.torchinfo", "torchinfo"),
    ("archcalc.counters.ptflops", "ptflops"),
    ("archcalc.counters.thop", "thop"),
    ("archcalc.measure.torchvision", "torchvision"),
    ("training.cli", "typer"),
    ("training.engine.progress", "rich"),
    ("training.engine.datasets", "torchvision"),
    ("training.engine.datasets", "sklearn"),
    ("training.engine.datasets", "platformdirs"),
    ("training.engine.statistics", "scipy"),
    ("training.engine.kernel", "numba"),
    ("training.engine.fused", "numba"),
    ("archcalc.render.style", "matplotlib"),
    ("archcalc.render.style", "PIL"),
    ("training.report.page", "jinja2"),
    ("training.report.page", "latex2mathml"),
    ("training.report.page", "markdown_it"),
    ("training.report.page", "mdit_py_plugins"),
}
# Arrays are everywhere in training, save in what its commands load before one is run.
ARRAYS = {"torch", "numpy"}
ARRAYLESS = {
    *("training", "training.__main__", "training.cli", "training.options", "training.errors"),
    *("training.engine", "training.engine.progress", "training.experiments"),
}
# In archcalc, torch is where something is measured, where tools are asked, and where a layer is
# run; in the last two inside of functions alone, as ruff checks.
MEASURING = ("archcalc.counters", "archcalc.layers.joins", "archcalc.measure")


class Import(NamedTuple):
    """Who imports what, and whether for types alone, which nothing runs."""

    importer: str
    imported: str
    types: bool = False


def module_name(path):
    """``archcalc.layers.base`` for its file."""
    parts = path.relative_to(PACKAGES[0].parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path.read_text("utf-8")
    for package in PACKAGES
    for path in package.rglob("*.py")
}


def is_for_types_alone(node):
    """``if TYPE_CHECKING:``, whose body is never run."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in {
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    }


def imports_in(name, source):
    """Every import of a module, also those in functions and those for types alone."""

    def below(nodes, types):
        for node in nodes:
            if is_for_types_alone(node):
                yield from below(node.body, types=True)
                yield from below(node.orelse, types)
            elif isinstance(node, ast.Import):
                yield from (Import(name, alias.name, types) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} imports relatively"
                for alias in node.names:
                    module = f"{node.module}.{alias.name}"
                    imported = module if module in SOURCES else node.module
                    yield Import(name, imported, types)
            else:
                yield from below(ast.iter_child_nodes(node), types)

    return list(below(ast.parse(source).body, types=False))


def floor(name):
    """On which floor a module stands."""
    known = [
        n
        for n in FLOORS
        if name == n or (name.startswith(f"{n}.") and n not in {"archcalc", "training"})
    ]
    assert known, f"{name} stands on no floor: FLOORS must say which"
    return FLOORS[max(known, key=len)]


def climbs(imports):
    """Imports of a higher floor."""
    return [
        each
        for each in imports
        if each.imported in SOURCES and floor(each.imported) > floor(each.importer)
    ]


def circle(imports):
    """Modules that import one another in a ring; empty if none do."""
    graph = {}
    for each in imports:
        if each.imported in SOURCES:
            graph.setdefault(each.importer, set()).add(each.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def guests(imports):
    """Imports from outside of Python's own library and of archcalc, and who may not have them."""
    found = {(e.importer, e.imported.partition(".")[0]) for e in imports if not e.types}
    ours = {*sys.stdlib_module_names, "archcalc", "training"}
    return {
        (name, guest)
        for name, guest in found - GUESTS
        if guest not in ours
        and not (guest in ARRAYS and name.startswith("training.") and name not in ARRAYLESS)
        and not (guest == "torch" and name.startswith(MEASURING))
    }


ALL = [found for name, source in SOURCES.items() for found in imports_in(name, source)]


def test_every_module_stands_on_a_floor():
    """Every module of both packages is read, and every floor has a module."""
    assert len(SOURCES) == sum(len(list(package.rglob("*.py"))) for package in PACKAGES) > 60
    assert {floor(name) for name in SOURCES} == set(FLOORS.values())
    assert set(FLOORS) <= set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_no_higher_floor(name):
    """A module imports its own and lower floors, in functions and for types too."""
    assert climbs(imports_in(name, SOURCES[name])) == []


def test_no_circles():
    """No modules import one another in a ring, on one floor or across floors."""
    assert circle(ALL) == []


def test_guests_are_where_they_belong():
    """Outside packages are imported where they belong, and nowhere else."""
    assert guests(ALL) == set()
    assert {(found.importer, found.imported.partition(".")[0]) for found in ALL} >= GUESTS


@pytest.mark.parametrize(
    ("name", "source", "fine"),
    [
        ("archcalc.shape", "from archcalc.errors import ArchitectureError", True),
        ("archcalc.shape", "from archcalc.count import Count", True),
        ("archcalc.shape", "from archcalc.layers import Layer", False),
        ("archcalc.shape", "import archcalc.layers.base", False),
        ("archcalc.shape", "from archcalc import network", False),
        ("archcalc.shape", "import archcalc", False),
        ("archcalc.shape", "def f():\n    from archcalc.layers import Layer", False),
        ("archcalc.shape", "class A:\n    def f(self):\n        import archcalc.reports", False),
        ("archcalc.shape", "try:\n    import archcalc.main\nexcept ImportError:\n    pass", False),
        ("archcalc.shape", "if TYPE_CHECKING:\n    from archcalc.layers import Layer", False),
        ("archcalc.shape", "if not TYPE_CHECKING:\n    from archcalc.layers import Layer", False),
        ("archcalc.shape", "if TYPE_CHECKING:\n    pass\nelse:\n    import archcalc.main", False),
        ("archcalc.network", "from archcalc.layers.base import Layer", True),
        ("archcalc.network", "def f():\n    from archcalc.reports import report_on", False),
        ("archcalc.reports", "def f():\n    from archcalc.render import drawing", False),
        ("archcalc.render.views", "from archcalc import zoo", True),
        ("archcalc.render.views", "from archcalc import __version__", False),
        ("training.cli", "from archcalc.console import deliver", True),
        ("archcalc.main", "def f():\n    from training import cli", False),
        ("archcalc.console", "from archcalc.commands import NAMES", False),
        ("archcalc.reports", "def f():\n    from training import cli", False),
        ("training.engine.cohort", "from training.engine.loop import Loop", False),
        ("training.engine.record", "from training.experiments.base import rows", False),
        ("training.experiments.init.experiment", "from training.engine import loop", True),
        ("training.experiments.init.experiment", "import training.experiments.init.answer", False),
        ("training.chain", "from training.experiments.parts import PARTS", True),
        ("training.report.page", "from training.report.sources import Run", True),
        ("training.experiments.parts", "from training.report.sources import Run", False),
        ("training.report.sources", "from training.report.page import Page", False),
    ],
)
def test_the_check_of_floors_can_fail(name, source, fine):
    """A higher floor is noticed however it is imported."""
    assert (climbs(imports_in(name, source)) == []) == fine


@pytest.mark.parametrize("form", ["{}", "def f():\n    {}", "if TYPE_CHECKING:\n    {}"])
def test_the_check_of_circles_can_fail(form):
    """Two modules of one floor that import one another are noticed, wherever they do so."""
    assert circle([*ALL, *imports_in("archcalc.units", "from archcalc.shape import Shape")]) == []
    back = form.format("from archcalc.case import Case")
    assert circle([*ALL, *imports_in("archcalc.notation.words", back)]) == []
    assert circle([*ALL, *imports_in("archcalc.network", back)])


@pytest.mark.parametrize(
    ("name", "source", "fine"),
    [
        ("archcalc.render.terminal", "from rich.table import Table", True),
        ("archcalc.render.views", "from rich.table import Table", False),
        ("archcalc.render.views", "def f():\n    import rich", False),
        ("archcalc.measure.twin", "import torch", True),
        ("archcalc.measure.twin", "import numpy", False),
        ("archcalc.memory", "import torch", False),
        ("archcalc.commands.verify", "def f():\n    import torch", False),
        ("archcalc.counters.thop", "import fvcore", False),
        ("training.cli", "import typer", True),
        ("training.cli", "def f():\n    import torch", False),
        ("training.engine.loop", "import torch", True),
        ("training.engine.loop", "import rich", False),
        ("training.report.page", "from jinja2 import Environment", True),
        ("training.report.sources", "from jinja2 import Environment", False),
        ("training.experiments.words", "import latex2mathml.converter", False),
        ("training.engine.kernel", "def f():\n    import numba", True),
        ("training.engine.cohort", "import numba", False),
        ("archcalc.render.views", "import numpy", False),
        ("archcalc.options", "import typer", True),
        ("archcalc.open", "import typer", False),
        ("archcalc.count", "import math", True),
        ("archcalc.count", "import numpy", False),
    ],
)
def test_the_check_of_guests_can_fail(name, source, fine):
    """A guest in the wrong place is noticed, Python's own library is none."""
    assert (guests(imports_in(name, source)) == set()) == fine
