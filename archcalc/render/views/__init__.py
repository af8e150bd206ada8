"""Reports as blocks: which rows and columns a person asked to see. Formats only draw them."""

from archcalc.render.views.fields import receptive_fields, stacked
from archcalc.render.views.flat import flat
from archcalc.render.views.inception import inception
from archcalc.render.views.networks import compared, networks
from archcalc.render.views.summary import summary
from archcalc.render.views.table1 import table1
from archcalc.render.views.working import workings

__all__ = [
    "compared",
    "flat",
    "inception",
    "networks",
    "receptive_fields",
    "stacked",
    "summary",
    "table1",
    "workings",
]
