"""``archcalc inception``."""

from typing import Annotated, Any

import typer

from archcalc import options
from archcalc.api import report
from archcalc.console import deliver
from archcalc.options import flag, whole_number
from archcalc.render import views
from archcalc.zoo.inception import Widths, pair


def _filters(meaning: str) -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(metavar="N", help=meaning)


def inception(
    input: options.Input = None,  # noqa: A002
    at: options.At = None,
    conv1: Annotated[str, _filters("1x1 filters.")] = str(Widths().conv1),
    reduce3: Annotated[str, _filters("1x1 filters in front of the 3x3.")] = str(Widths().reduce3),
    conv3: Annotated[str, _filters("3x3 filters.")] = str(Widths().conv3),
    reduce5: Annotated[str, _filters("1x1 filters in front of the 5x5.")] = str(Widths().reduce5),
    conv5: Annotated[str, _filters("5x5 filters.")] = str(Widths().conv5),
    pool_proj: Annotated[str, _filters("1x1 filters behind the pool.")] = str(Widths().pool_proj),
    explain: Annotated[bool, flag("--explain", "Answer 5.4 (a) and (d) in words.")] = False,
    format: options.Format = None,  # noqa: A002
    output: options.Output = None,
) -> None:
    """The naive Inception module beside the one with dimension reduction."""
    texts = Widths._make((conv1, reduce3, conv3, reduce5, conv5, pool_proj))._asdict()
    widths = Widths(
        **{name: whole_number(text, f"--{name.replace('_', '-')}") for name, text in texts.items()}
    )
    naive, reduced = (report(network, input, at=at) for network in pair(widths))

    def data() -> dict[str, Any]:
        saving = naive.totals["macs"] - reduced.totals["macs"]
        return {
            "schema": "archcalc.inception/1",
            "naive": naive.to_dict(),
            "reduced": reduced.to_dict(),
            "saving": {"macs": saving if isinstance(saving, int) else str(saving)},
        }

    deliver(lambda: views.inception(naive, reduced, explain=explain), data, format, output)
