"""``archcalc compare``."""

from typing import Annotated

from archcalc import options
from archcalc.api import report
from archcalc.console import deliver, together
from archcalc.errors import ArchitectureError, quoted
from archcalc.options import whole_number
from archcalc.render import views


def compare(
    networks: Annotated[list[str], options.networks("Names, files or notation.")],
    input: options.Input = None,  # noqa: A002
    at: options.At = None,
    batch: options.Batch = "1",
    dtype: options.Dtype = "fp32",
    no_bias: options.NoBias = False,
    format: options.Format = None,  # noqa: A002
    output: options.Output = None,
) -> None:
    """Networks side by side."""
    examples, bias = whole_number(batch, "--batch"), not no_bias
    reports = []
    for name in networks:
        try:
            reports.append(report(name, input, batch=examples, dtype=dtype, bias=bias, at=at))
        except ArchitectureError as error:
            raise error.at(quoted(name)) from None
    deliver(lambda: views.compared(reports), lambda: together(reports), format, output)
