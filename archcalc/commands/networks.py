"""``archcalc networks``."""

from archcalc import options, zoo
from archcalc.api import report
from archcalc.console import deliver, together
from archcalc.render import views


def networks(format: options.Format = None, output: options.Output = None) -> None:  # noqa: A002
    """All networks that have a name."""
    reports = [report(name) for name in zoo.NAMES]
    deliver(lambda: views.networks(reports), lambda: together(reports), format, output)
