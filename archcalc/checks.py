"""Floor 6: what a verification found, as plain data: ours, theirs, the difference, its causes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from archcalc.case import Case
from archcalc.results import Result

SCHEMA: Final = "archcalc.verification/1"
Amount: TypeAlias = int | str


class Cause(NamedTuple):
    """Why a tool reports so much more (or less) than we do."""

    name: str
    amount: int


class Line(NamedTuple):
    """A layer: what we say, what a witness says, and the named causes of the difference."""

    name: str  # of the layer, or of what the tool counts outside all layers
    ours: Amount  # text for what is no number
    theirs: Amount
    causes: tuple[Cause, ...] = ()

    @property
    def difference(self) -> int:
        """Theirs less ours."""
        if isinstance(self.ours, int) and isinstance(self.theirs, int):
            return self.theirs - self.ours
        return int(self.ours != self.theirs)

    @property
    def rest(self) -> int:
        """The difference that no cause explains; 1 where texts differ."""
        return self.difference - sum(cause.amount for cause in self.causes)


class Check(NamedTuple):
    """One quantity, as one witness sees it, layer by layer."""

    witness: str  # who was asked
    release: str
    device: str  # where the model was
    quantity: str  # in the tool's own unit: ``flops``, ``mult_adds``, ...
    lines: tuple[Line, ...]  # the layers for which either side has something to say
    note: str = ""  # what a reader has to know

    @property
    def ours(self) -> int:
        """Our total."""
        return sum(line.ours for line in self.lines if isinstance(line.ours, int))

    @property
    def theirs(self) -> int:
        """The witness's total."""
        return sum(line.theirs for line in self.lines if isinstance(line.theirs, int))

    def causes(self) -> tuple[Cause, ...]:
        """The causes over all layers, each with its sum."""
        sums: dict[str, int] = {}
        for line in self.lines:
            for cause in line.causes:
                sums[cause.name] = sums.get(cause.name, 0) + cause.amount
        return tuple(Cause(name, amount) for name, amount in sums.items())

    @property
    def unexplained(self) -> tuple[Line, ...]:
        """The layers whose difference has no cause."""
        return tuple(line for line in self.lines if line.rest)


@dataclass(frozen=True)
class Verification(Result):
    """What :func:`archcalc.verify` found, a check for every witness and quantity."""

    case: Case
    checks: tuple[Check, ...]

    @property
    def explained(self) -> bool:
        """Whether every difference has its cause."""
        return not any(check.unexplained for check in self.checks)

    def complaint(self) -> str:
        """The first layer with an unexplained difference, in one line; empty if there is none."""
        for check in self.checks:
            for line in check.unexplained:
                return (
                    f"{self.case.network.name or 'network'}, {line.name}: {check.quantity} of "
                    f"{check.witness} {check.release}: {line.theirs}, ours {line.ours}, "
                    f"{line.rest} unexplained"
                )
        return ""

    def to_dict(self) -> dict[str, Any]:
        """The verification as JSON-ready data."""
        return {
            "schema": SCHEMA,
            "network": self.case.network.name,
            "input": self.case.sizes,
            "batch": self.case.batch,
            "explained": self.explained,
            "checks": [
                {
                    "witness": check.witness,
                    "release": check.release,
                    "device": check.device,
                    "quantity": check.quantity,
                    "ours": check.ours,
                    "theirs": check.theirs,
                    "causes": dict(check.causes()),
                    "unexplained": sum(abs(line.rest) for line in check.lines),
                    "note": check.note or None,
                    "layers": [
                        {
                            "name": line.name,
                            "ours": line.ours,
                            "theirs": line.theirs,
                            "causes": dict(line.causes),
                            "unexplained": line.rest,
                        }
                        for line in check.lines
                    ],
                }
                for check in self.checks
            ],
        }
