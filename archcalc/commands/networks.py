"""``archcalc networks``."""

from __future__ import annotations

from archcalc import options, zoo
from archcalc.api import report
from archcalc.console import deliver
from archcalc.render import views


def networks(format: options.Format = None, output: options.Output = None) -> None:  # noqa: A002
    """All networks that have a name."""
    reports = [report(name) for name in zoo.NAMES]
    deliver(
        lambda: views.networks(reports),
        lambda: {"schema": "archcalc.networks/1", "networks": [r.to_dict() for r in reports]},
        format,
        output,
    )
