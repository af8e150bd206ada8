"""``archcalc verify``; torch is loaded once it is run."""

from typing import Annotated, Any

from archcalc import api, options, zoo
from archcalc.console import deliver, deliverable
from archcalc.errors import ArchitectureError, MeasurementError, need
from archcalc.options import network_of, option, whole_number


def verify(
    words: options.Words,
    against: Annotated[
        str,
        option(
            "--against",
            "torch, fvcore, torchinfo, ptflops, thop, gradient (receptive fields), torchvision; "
            "or all that is installed.",
            "NAMES",
        ),
    ] = "torch,fvcore,torchinfo",
    device: Annotated[
        str,
        option("--device", "cpu, cuda or meta; if not said, the least costly.", "DEVICE"),
    ] = "",
    dtype: Annotated[str, option("--dtype", "Of the model that is counted.", "DTYPE")] = "fp32",
    batch: options.Batch = "1",
    input: options.Input = None,  # noqa: A002
    at: options.At = None,
    format: options.Format = None,  # noqa: A002
    output: options.Output = None,
) -> None:
    """Ours beside what other tools count, layer by layer, every difference explained.

    Exit status 1 where a difference has no known cause. NETWORK may be `zoo`: all that have a name.
    """
    need("verify", "verify", "torch")
    examples = whole_number(batch, "--batch")
    deliverable(format, output)
    from archcalc.measure.verification import installed  # noqa: PLC0415 - loads torch
    from archcalc.render.views.verification import verification, verifications  # noqa: PLC0415

    whole_zoo = words == ["zoo"]
    networks = [zoo.load(name) for name in zoo.NAMES] if whole_zoo else [network_of(words)]
    settings: dict[str, Any] = {"batch": examples, "device": device, "dtype": dtype, "at": at}
    verified = []
    for network in networks:
        there = installed(network)
        named = [name.strip() for name in against.split(",") if name.strip()]
        tools = there if against == "all" else named
        if not tools:
            raise ArchitectureError("--against names nobody", hint="e.g. --against torchinfo")
        if whole_zoo and "torchvision" not in there:
            tools = [name for name in tools if name != "torchvision"]
        try:
            verified.append(api.verify(network, input, against=tools, **settings))
        except ArchitectureError as error:
            raise (error.at(network.name) if whole_zoo else error) from None

    if whole_zoo:
        page, results = verifications(verified), [each.to_dict() for each in verified]
        data: dict[str, Any] = {"schema": "archcalc.verifications/1", "networks": results}
    else:
        page, data = verification(verified[0]), verified[0].to_dict()
    deliver(lambda: page, lambda: data, format, output)
    unexplained = [result for result in verified if not result.explained]
    if unexplained:
        raise MeasurementError(unexplained[0].complaint())
