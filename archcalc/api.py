"""Floor 9: what ``import archcalc as ac`` offers. Each takes a network, its name, or its text.

What loads torch is imported when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from archcalc.case import Case
from archcalc.open import load
from archcalc.reports import Report, report_on
from archcalc.results import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from archcalc.case import SizesOfInput, Values
    from archcalc.checks import Verification
    from archcalc.measure.twin import Twin
    from archcalc.network import Network
    from archcalc.timings import Profile

Sizes: TypeAlias = "SizesOfInput | Mapping[str, SizesOfInput] | None"


def report(
    network: Network | str,
    input: Sizes = None,  # noqa: A002 - the command line's own word
    *,
    batch: int = 1,
    dtype: str = "fp32",
    bias: bool = True,
    at: Values | None = None,
) -> Report:
    """Count a network.

    Args:
        network: what to count: a network, its name, a text file, or its notation.
        input: its input for one example, ``"224x224x3"`` or ``"HxWx3"``, of several inputs a dict
            by their names; the network's own if None.
        batch: examples at once, for memory.
        dtype: ``fp64``, ``fp32``, ``tf32``, ``fp16``, ``bf16``, ``fp8`` or ``int8``.
        bias: False leaves out the biases of convolutions and linear layers.
        at: values for letters, ``"H=448,W=448"`` or a dict.

    Raises:
        ArchitectureError: an input that the network cannot take, an option that cannot be.
    """
    return report_on(Case.of(load(network), input, batch=batch, dtype=dtype, bias=bias, at=at))


def verify(
    network: Network | str,
    input: Sizes = None,  # noqa: A002 - as above
    *,
    against: Sequence[str] | None = None,
    batch: int = 1,
    device: str = "",
    dtype: str = "fp32",
    at: Values | None = None,
) -> Verification:
    """Compare what archcalc counts with what other tools report, layer by layer.

    Args:
        network: what to verify, as for :func:`report`.
        input: of one example; the network's own if None.
        against: ``torch``, ``fvcore``, ``torchinfo``, ``ptflops``, ``thop``, ``gradient`` or
            ``torchvision``; the first three if None.
        batch: examples at once.
        device: ``cpu``, ``cuda`` or ``meta``; the least costly one for each tool if empty.
        dtype: of the model that the tools look at, ``fp32``, ``bf16``, ...
        at: values for letters.

    Raises:
        ArchitectureError: an unknown witness, an input that does not fit.
        MeasurementError: a tool that is not installed or fails, a device that is not there, a
            network that does not fit into its memory.
    """
    from archcalc.measure import verification  # noqa: PLC0415 - loads torch

    case = Case.of(load(network), input, batch=batch, dtype=dtype, at=at)
    return verification.verify(case, against or verification.AGAINST, device)


def profile(
    network: Network | str,
    input: Sizes = None,  # noqa: A002 - as above
    *,
    train: bool = False,
    device: str = "cpu",
    dtype: str = "fp32",
    batch: int = 1,
    optimizer: str = "sgd",
    repeats: int = 10,
    calibrate: bool = False,
    at: Values | None = None,
) -> Profile:
    """Run a network and measure the time and memory of every layer.

    Args:
        network: what to run, as for :func:`report`; its weights are random, as torch initializes
            them.
        input: of one example; the network's own if None.
        train: forward pass, backward pass and optimizer, else the forward pass alone.
        device: ``cpu`` or ``cuda``.
        dtype: ``fp64``, ``fp32``, ``tf32``, ``fp16`` or ``bf16``, of parameters and values alike.
            ``fp32`` switches TF32 off, which torch uses in convolutions otherwise.
        batch: examples at once.
        optimizer: ``sgd``, ``momentum`` or ``adam``.
        repeats: passes that are timed, after the first few that are not.
        calibrate: measure the device's ceilings even where they are known.
        at: values for letters.

    Raises:
        ArchitectureError: an input, dtype or optimizer that cannot be.
        MeasurementError: no such device, or not enough memory on it.
    """
    from archcalc.measure import profiling  # noqa: PLC0415 - loads torch

    case = Case.of(load(network), input, batch=batch, dtype=dtype, at=at)
    return profiling.profile(
        case, train=train, device=device, optimizer=optimizer, repeats=repeats, calibrate=calibrate
    )


def twin(
    network: Network | str,
    input: Sizes = None,  # noqa: A002 - as above
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    at: Values | None = None,
) -> Twin:
    """A network as a ``torch.nn.Module``, initialized as torch initializes its modules.

    Args:
        network: what to build, as for :func:`report`.
        input: of one example; the network's own if None.
        device: where; ``meta`` needs no memory.
        dtype: of parameters and buffers, torch's own; float32 if None.
        at: values for letters.

    Raises:
        ArchitectureError: an input that does not fit, letters, a layer that torch does not have.
    """
    from archcalc.measure import twin as built  # noqa: PLC0415 - loads torch

    return built.twin(Case.of(load(network), input, at=at), device=device, dtype=dtype)


def _drawn(result: Any) -> object:  # noqa: ANN401 - any result
    from archcalc.render import drawing, views  # noqa: PLC0415 - only who draws needs it

    return drawing(views.of(result))


def _html(result: Any) -> str:  # noqa: ANN401 - any result
    from archcalc.render import fragment, views  # noqa: PLC0415 - likewise

    return fragment(views.of(result))


Result.drawn, Result.html = staticmethod(_drawn), staticmethod(_html)
