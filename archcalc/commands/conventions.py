"""``archcalc conventions``."""

from archcalc import options
from archcalc.console import deliver
from archcalc.render.views import counted


def conventions(format: options.Format = None, output: options.Output = None) -> None:  # noqa: A002
    """How the well-known tools count, for `--convention` and `verify`."""
    deliver(counted.conventions, counted.conventions_data, format, output)
