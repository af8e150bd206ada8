"""Reports as blocks: which rows and columns a person asked to see. Formats only draw them."""

from archcalc.render.table import Block
from archcalc.render.views.fields import receptive_fields, stacked
from archcalc.render.views.flat import flat
from archcalc.render.views.inception import inception
from archcalc.render.views.networks import compared, networks
from archcalc.render.views.summary import summary
from archcalc.render.views.table1 import table1
from archcalc.render.views.working import workings
from archcalc.reports import Report
from archcalc.results import Result

__all__ = [
    "compared",
    "flat",
    "inception",
    "networks",
    "of",
    "receptive_fields",
    "stacked",
    "summary",
    "table1",
    "workings",
]


def of(result: Result) -> list[Block]:
    """How a result shows itself where nobody says how."""
    if isinstance(result, Report):
        return summary(result)
    from archcalc.checks import Verification  # noqa: PLC0415 - rarely shown
    from archcalc.render.views.profile import profiled  # noqa: PLC0415 - likewise
    from archcalc.render.views.verification import verification  # noqa: PLC0415 - likewise
    from archcalc.timings import Profile  # noqa: PLC0415 - likewise

    if isinstance(result, Verification):
        return verification(result)
    assert isinstance(result, Profile)
    return profiled(result)
