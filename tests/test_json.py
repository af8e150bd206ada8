"""JSON is an interface: golden files guard it, a schema describes it."""

import json
from pathlib import Path

import jsonschema
import pytest
from archcalc.report import SCHEMA

import archcalc
import archcalc as ac
from archcalc import zoo
from archcalc.main import run

GOLDEN = Path(__file__).parent / "golden"
SCHEMA_FILE = Path(archcalc.__file__).with_name("report.schema.json")
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
    data = ac.report(archcalc.load("vgg19")).to_dict()
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
    jsonschema.validate(ac.report(archcalc.load(name)).to_dict(working=working), DESCRIBED)


def test_formulas_fit_the_schema():
    """Formulas, unknown fields and misaligned branches validate too."""
    for text in ("HxWx3 conv3-K fc-10", "HxWxC adaptiveavgpool6 fc-2", "8x8x2 [conv3-2/2 | pool2]"):
        jsonschema.validate(ac.report(archcalc.parse(text)).to_dict(), DESCRIBED)


def test_the_schema_can_fail():
    """A count that is negative, missing or unknown does not validate."""
    good = ac.report(archcalc.load("lenet5")).to_dict()
    for spoil in (
        lambda row: row.update(macs=-1),
        lambda row: row.pop("weights"),
        lambda row: row.update(mac=1),
    ):
        bad = json.loads(json.dumps(good))
        spoil(bad["rows"][1])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, DESCRIBED)
