"""JSON is an interface: golden files guard it, a schema describes it."""

import json
from pathlib import Path

import jsonschema
import pytest

import archcalc as ac
from archcalc import Network, Node, Shape, zoo
from archcalc.layers import Add, Convolution
from archcalc.main import run
from archcalc.network import Input
from archcalc.reports import SCHEMA

GOLDEN = Path(__file__).parent / "golden"
SCHEMA_FILE = Path(ac.__file__).with_name("report.schema.json")
DESCRIBED = json.loads(SCHEMA_FILE.read_text())
# What made each golden file; run with --output tests/golden/NAME.json to renew it, and look why.
MADE_BY = {
    "report": [
        "32x32x3 stem: conv3-8 bn relu block: [a: conv1-4 | conv3-4 g4 | pool3/1 p: conv1-2] "
        "drop.5 fc-10 nobias",
        "--working",
    ],
    "formulas": ["HxWx3 conv3-K/2 (id + conv3-K) gap fc-10"],
}


@pytest.mark.parametrize("name", MADE_BY)
def test_golden(capsys, name):
    """The JSON of a report is, byte for byte, the golden one."""
    assert run([*MADE_BY[name], "--format", "json"]) == 0
    assert capsys.readouterr().out == (GOLDEN / f"{name}.json").read_text()


def test_promised_fields_are_there():
    """Rows and totals have the fields that the interface promises, under those names."""
    data = ac.report("vgg19").to_dict()
    promised = {"name", "layer", "input", "output", "weights", "biases", "parameters"}
    promised |= {"macs", "flops", "activations", "receptive_field"}
    for row in data["rows"]:
        assert promised <= row.keys()
        assert {"size", "stride", "padding"} <= row["receptive_field"].keys()
    assert data["totals"]["parameters"] == 143_667_240
    assert data["totals"]["activations"] == 16_542_184
    assert data["schema"] == SCHEMA == DESCRIBED["$id"]


@pytest.mark.parametrize("name", zoo.NAMES)
@pytest.mark.parametrize("working", [False, True])
def test_reports_fit_the_schema(name, working):
    """Every network's report validates against the schema, with workings and without."""
    jsonschema.validate(ac.report(name).to_dict(working=working), DESCRIBED)


def test_formulas_fit_the_schema():
    """Formulas, unknown fields and misaligned branches validate too."""
    for text in ("HxWx3 conv3-K fc-10", "HxWxC adaptiveavgpool6 fc-2", "8x8x2 [conv3-2/2 | pool2]"):
        jsonschema.validate(ac.report(text).to_dict(), DESCRIBED)


def test_several_inputs_fit_the_schema():
    """With several inputs each row has a receptive field in every input that it sees, by name."""
    nodes = (
        *(Node("a", Convolution(3, 4), ("left",)), Node("b", Convolution(5, 4), ("right",))),
        Node("sum", Add(), ("a", "b")),
    )
    inputs = Input("left", Shape((9, 9), 2)), Input("right", Shape((9, 9), 3))
    data = ac.report(Network(nodes, inputs=inputs, outputs=("sum", "b"))).to_dict(working=True)
    jsonschema.validate(data, DESCRIBED)
    assert data["input"] == "left 9x9x2, right 9x9x3"
    rows = {row["name"]: row for row in data["rows"]}
    assert [rows["left"][name] for name in ("layer", "input", "output")] == ["input", None, "9x9x2"]
    sizes = {
        name: {source: field["size"] for source, field in row["receptive_field"].items()}
        for name, row in rows.items()
    }
    assert sizes == {
        "left": {"left": [1, 1]},
        "right": {"right": [1, 1]},
        "a": {"left": [3, 3]},
        "b": {"right": [5, 5]},
        "sum": {"left": [3, 3], "right": [5, 5]},
    }


def test_the_schema_can_fail():
    """A count or a field that is negative, missing or unknown does not validate."""
    good = ac.report("lenet5").to_dict()
    for spoil in (
        lambda row: row.update(macs=-1),
        lambda row: row.pop("weights"),
        lambda row: row.update(mac=1),
        lambda row: row["receptive_field"].pop("size"),
        lambda row: row.update(receptive_field={"left": {"size": [3, 3]}}),
        lambda row: row.update(receptive_field={}),
    ):
        bad = json.loads(json.dumps(good))
        spoil(bad["rows"][1])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, DESCRIBED)
