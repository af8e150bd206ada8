"""Any case as a ``torch.nn.Module``: the twin that tools are pointed at.

Its leaves are torch's own modules, so that whatever a tool knows about ``nn.Conv2d`` it finds here.
What is no module in torch either (reading a map as a vector, a sum, a concatenation) happens
between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import nn

from archcalc.case import Case, Step
from archcalc.errors import ArchitectureError
from archcalc.layers.base import Layer
from archcalc.shape import Shape

# Bytes from which malloc asks the system, which gives zeros out as they are read, unwritten.
FROM_SYSTEM: Final = 2**26


class Scope(nn.Module):
    """What a name before a ``/`` holds; it only groups modules and is never called."""


class Twin(nn.Module):
    """A network as a module. Inputs and outputs are ``(batch, channels, *sizes)``.

    A layer ``3a/1x1`` is the submodule ``3a.1x1``; where a module has that attribute already, as
    ``train``, it is ``train_``. Joins have no module; layers that share parameters share theirs.
    Activation functions make new tensors, none works in place.
    """

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        self.paths: dict[str, str] = {}  # the submodule of every layer that has one, by name
        self._plan: list[tuple[Step, list[str]]] = []  # with what nothing reads afterwards
        results = {value.name for value in case.outputs}
        last = {value.name: step.name for step in case.steps for value in step.inputs}
        for step, node in zip(case.steps, case.network.nodes, strict=True):
            if node.shares in self.paths:
                self.paths[step.name] = self.paths[node.shares]
            elif (leaf := module(step.layer, step.shapes)) is not None:
                self.paths[step.name] = self._place(step.name, leaf)
            names = dict.fromkeys(value.name for value in step.inputs)
            freed = [name for name in names if last[name] == step.name and name not in results]
            self._plan.append((step, freed))

    @property
    def names(self) -> list[str]:
        """All layers and joins, in order."""
        return [step.name for step in self.case.steps]

    def forward(self, *inputs: torch.Tensor) -> Any:  # noqa: ANN401 - a tensor, or a tuple of several
        """The network's output; a tuple where it has several."""
        values, steps = self._started(inputs)
        for _ in steps:
            pass
        results = tuple(values[value.name] for value in self.case.outputs)
        return results[0] if len(results) == 1 else results

    def outputs(self, *inputs: torch.Tensor) -> Iterator[tuple[str, Any]]:
        """Every layer's and every join's name and output, in order, each dropped when it is done.

        An output is kept only as long as something has yet to read it. What a step needs is looked
        up before the first one begins, so that who takes the time of steps does not time that.
        """
        return self._started(inputs)[1]

    def _started(
        self, inputs: tuple[torch.Tensor, ...]
    ) -> tuple[dict[str, torch.Tensor], Iterator[tuple[str, Any]]]:
        """The tensors that there are, and the steps that take some out and put some in."""
        values = dict(zip((value.name for value in self.case.inputs), inputs, strict=True))
        paths = [self.paths.get(name) for name in self.names]
        leaves = [self.get_submodule(path) if path else None for path in paths]
        return values, _run(self._plan, leaves, values)

    def _place(self, name: str, leaf: nn.Module) -> str:
        """Hang a module in the tree; its path, which is the name where that is free."""
        *scopes, last = (part.replace(".", "_") for part in name.split("/"))
        place: nn.Module = self
        path = []
        for scope in scopes:
            while not isinstance(getattr(place, scope, None), Scope):
                if hasattr(place, scope):
                    scope += "_"  # noqa: PLW2901 - a layer has the name, or torch itself: train
                else:
                    place.add_module(scope, Scope())
            place = getattr(place, scope)
            path.append(scope)
        while hasattr(place, last):
            last += "_"
        place.add_module(last, leaf)
        return ".".join([*path, last])


def _run(
    plan: list[tuple[Step, list[str]]],
    leaves: list[nn.Module | None],
    values: dict[str, torch.Tensor],
) -> Iterator[tuple[str, Any]]:
    for (step, freed), leaf in zip(plan, leaves, strict=True):
        given = [values[value.name] for value in step.inputs]
        for name in freed:
            del values[name]
        y = step.layer.run(leaf, *given)
        del given
        names = (value.name for value in step.outputs)
        values |= zip(names, y if isinstance(y, tuple) else (y,), strict=True)
        yield step.name, y
        del y


def twin(
    case: Case, *, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> Twin:
    """A case as a module, initialized as torch initializes its modules.

    Args:
        case: what to build.
        device: where; ``meta`` needs no memory.
        dtype: of parameters and buffers; float32 if None.

    Raises:
        ArchitectureError: letters, a layer that torch does not have.
    """
    if waiting := sorted(case.letters()):
        fact = f"torch cannot build what has letters in it: {', '.join(waiting)}"
        raise ArchitectureError(fact, hint=f"give numbers, e.g. --at {waiting[0]}=224")
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype or torch.float32)
    try:
        with torch.device(device):
            return Twin(case)
    finally:
        torch.set_default_dtype(before)


def blank(case: Case, device: str, dtype: torch.dtype) -> Twin:
    """A twin full of zeros: enough to be counted, without the time that random weights take."""
    empty = twin(case, device="meta", dtype=dtype)
    if device == "meta":
        return empty
    empty.to_empty(device=device)
    with torch.no_grad():
        for tensor in (*empty.parameters(), *empty.buffers()):
            if tensor.nbytes < FROM_SYSTEM:
                tensor.zero_()
    return empty


def tensors(case: Case, make: Any = torch.zeros, **options: Any) -> tuple[torch.Tensor, ...]:  # noqa: ANN401 - as torch.zeros
    """A batch for every input of a case, ``(batch, channels, *sizes)``, as ``make`` makes it."""
    return tuple(
        make((case.batch, value.shape.channels, *value.shape.sizes), **options)
        for value in case.inputs
    )


def module(layer: Layer, shapes: tuple[Shape, ...]) -> nn.Module | None:
    """The module of torch for a layer that reads these shapes; None where a function does it."""
    described = layer.torch_module(*shapes)
    if described is None:
        return None
    built: nn.Module = getattr(nn, described.name)(*described.arguments, **described.options)
    return built
