"""archcalc: what a CNN costs, exactly, before it is built, with the working of every count.

>>> import archcalc as ac
>>> report = ac.report("vgg19", input="224x224x3")
>>> report.totals["parameters"]
143667240

Conventions: one MAC is one multiply and one add, one FLOP is half of it; parameters are weights and
biases; activations are the units of one example; MB is 10^6 bytes; sizes read height x width x
channels.
"""

from archcalc.api import profile, report, twin, verify
from archcalc.errors import ArchitectureError
from archcalc.network import Network, Node
from archcalc.notation import parse, write
from archcalc.open import load
from archcalc.reports import Report, Row
from archcalc.shape import Shape

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
