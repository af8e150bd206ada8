"""archcalc: what a CNN costs, exactly, before it is built, with the working of every count.

>>> import archcalc as ac
>>> report = ac.load("vgg19").report(input="224x224x3")
>>> report.totals["parameters"]
143667240

Conventions: one MAC is one multiply and one add, one FLOP is half of it; parameters are weights and
biases; activations are the units of one example; MB is 10^6 bytes; sizes read height x width x
channels.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from archcalc.errors import ArchitectureError
from archcalc.load import load
from archcalc.network import Network, Node
from archcalc.notation import parse, write
from archcalc.report import Report, Row, report
from archcalc.shape import Shape

if TYPE_CHECKING:
    from archcalc.bridge.twin import twin
    from archcalc.profiling import profile
    from archcalc.verification import verify

__version__ = "0.1.0"
__all__ = [
    "ArchitectureError",
    "Network",
    "Node",
    "Report",
    "Row",
    "Shape",
    "load",
    "parse",
    "profile",
    "report",
    "twin",
    "verify",
    "write",
]


# What loads torch is loaded when it is asked for.
_MEASURING = {
    "profile": "archcalc.profiling",
    "twin": "archcalc.bridge.twin",
    "verify": "archcalc.verification",
}


def __getattr__(name: str) -> object:
    if name not in _MEASURING:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_MEASURING[name]), name)
