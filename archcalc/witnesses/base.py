"""What every witness gives, and the promise that the model it looks at stays as it was."""

from __future__ import annotations

import contextlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from archcalc.errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


class Reading(NamedTuple):
    """What a tool reports about a model.

    Attributes:
        tool: its name.
        release: the release that was asked.
        layers: for every quantity, the number of each submodule that has one, by its path.
        totals: for every quantity, what the tool itself says of the whole model.
    """

    tool: str
    release: str
    layers: dict[str, dict[str, int]]
    totals: dict[str, int]


@cache
def release(package: str, extra: str = "verify") -> str:
    """The installed release of a package, without what follows a ``+``.

    Raises:
        MeasurementError: it is not installed; naming what installs it.
    """
    try:
        installed = version(package)
    except PackageNotFoundError:
        known = f"archcalc[{extra}]" if extra else package
        fact = f"{package} is not installed; pip install '{known}'"
        raise MeasurementError(fact) from None
    return installed.partition("+")[0].replace("-", ".post")


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """The submodules that have none of their own, by path; the model itself if it is one."""
    return {path: leaf for path, leaf in model.named_modules() if not any(leaf.children())}


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Whatever happens inside, the model comes out as it went in.

    Mode, hooks, attributes, parameters, gradients, the values of buffers, and torch's random state
    on every device are put back, also where something raises.
    """
    kept = [(module, module.__dict__.copy(), _tables(module)) for module in model.modules()]
    wanted = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    values = [(buffer, buffer.clone()) for buffer in model.buffers()]
    for parameter, _, _ in wanted:
        parameter.grad = None  # backward passes would add to it in place
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        for module, attributes, tables in kept:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            for name, entries in tables.items():
                module.__dict__[name].clear()
                module.__dict__[name].update(entries)
        for parameter, requires_grad, grad in wanted:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
        with torch.no_grad():
            for buffer, value in values:
                if not buffer.is_meta:
                    buffer.copy_(value)


def _tables(module: nn.Module) -> dict[str, Any]:
    """Copies of the dictionaries and sets that a module is made of: hooks, buffers, children."""
    return {
        name: table.copy()
        for name, table in module.__dict__.items()
        if isinstance(table, dict | set)
    }
