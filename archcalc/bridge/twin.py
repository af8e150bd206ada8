"""Any network of the notation as a ``torch.nn.Module``: the twin that tools are pointed at.

Its leaves are torch's own modules, so that whatever a tool knows about ``nn.Conv2d`` it finds here.
What is no module in torch either (reading a map as a vector, a sum, a concatenation) happens
between them.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from archcalc.count import integer
from archcalc.errors import ArchitectureError
from archcalc.infer import infer
from archcalc.layers import (
    Activation,
    AdaptivePool,
    Add,
    BatchNorm,
    Concat,
    Convolution,
    Dropout,
    Flatten,
    GlobalPool,
    GroupNorm,
    Join,
    Layer,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Multiply,
    Pool,
    TransposedConvolution,
)
from archcalc.layers.base import per_axis
from archcalc.network import INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archcalc.layers import Span
    from archcalc.network import Network
    from archcalc.shape import Shape

CONVOLUTIONS: Final[tuple[type[nn.Module], ...]] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED: Final[tuple[type[nn.Module], ...]] = (
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
BATCH_NORMS: Final = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
POOLS: Final[dict[str, tuple[type[nn.Module], ...]]] = {
    "max": (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    "average": (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
}
ADAPTIVE_POOLS: Final[dict[str, tuple[type[nn.Module], ...]]] = {
    "max": (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    "average": (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
}
ACTIVATIONS: Final[dict[str, Callable[[], nn.Module]]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(dim=1),
    "logsoftmax": lambda: nn.LogSoftmax(dim=1),
}


# Bytes from which malloc asks the system, which gives zeros out as they are read, unwritten.
FROM_SYSTEM: Final = 2**26


class Scope(nn.Module):
    """What a name before a ``/`` holds; it only groups modules and is never called."""


class Twin(nn.Module):
    """A network as a module. Input and output are ``(batch, channels, *sizes)``.

    A layer ``3a/1x1`` is the submodule ``3a.1x1``; where a module has that attribute already, as
    ``train``, it is ``train_``. Joins have no module.
    Activation functions make new tensors, none works in place.

    Attributes:
        network: whose twin it is.
        input: the shape of one example that it was built for.
        paths: the submodule's name of every layer that has one, by the layer's name.
    """

    def __init__(self, network: Network, input: Shape) -> None:  # noqa: A002 - as everywhere
        super().__init__()
        self.network, self.input = network, input
        self.paths: dict[str, str] = {}
        self._plan: list[tuple[str, Layer | Join, tuple[str, ...], tuple[str, ...]]] = []
        last = {name: node.name for node in network.nodes for name in node.inputs}
        for step in infer(network, input):
            name, layer, inputs = step.node
            if isinstance(layer, Layer):
                self.paths[name] = self._place(name, module(layer, step.inputs[0]))
            freed = tuple(dict.fromkeys(one for one in inputs if last[one] == name))
            self._plan.append((name, layer, inputs, freed))

    @property
    def names(self) -> list[str]:
        """All layers and joins, in order."""
        return [name for name, *_ in self._plan]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The output of the last layer."""
        for _, y in self.outputs(x):
            x = y
        return x

    def outputs(self, x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Every layer's and every join's name and output, in order, each dropped when it is done.

        An output is kept only as long as something has yet to read it.
        """
        values = {INPUT: x}
        modules = dict(self.named_modules())
        for name, layer, inputs, freed in self._plan:
            given = [values[one] for one in inputs]
            for one in freed:
                del values[one]
            if isinstance(layer, Join):
                values[name] = join(layer, given)
            else:
                values[name] = _applied(layer, modules[self.paths[name]], given.pop())
            del given
            yield name, values[name]

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


def twin(
    network: Network,
    input: Shape | None = None,  # noqa: A002 - as everywhere
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Twin:
    """A network as a module, initialized as torch initializes its modules.

    Args:
        network: what to build.
        input: the shape of one example; the network's own if None.
        device: where; ``meta`` needs no memory.
        dtype: of parameters and buffers.

    Raises:
        ArchitectureError: an input that does not fit, letters, a layer that torch does not have.
    """
    shape = input or network.input
    if shape is None:
        raise ArchitectureError("this network does not say what goes in", hint="give an input")
    waiting = sorted(shape.letters() | network.letters())
    if waiting:
        fact = f"torch cannot build what has letters in it: {', '.join(waiting)}"
        raise ArchitectureError(fact, hint=f"give numbers, e.g. --at {waiting[0]}=224")
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return Twin(network, shape)
    finally:
        torch.set_default_dtype(before)


def blank(network: Network, shape: Shape, device: str, dtype: torch.dtype) -> Twin:
    """A twin full of zeros: enough to be counted, without the time that random weights take."""
    empty = twin(network, shape, device="meta", dtype=dtype)
    if device == "meta":
        return empty
    empty.to_empty(device=device)
    with torch.no_grad():
        for tensor in (*empty.parameters(), *empty.buffers()):
            if tensor.nbytes < FROM_SYSTEM:
                tensor.zero_()
    return empty


def module(layer: Layer, shape: Shape) -> nn.Module:
    """The module of torch for a layer that reads this shape."""
    axes, channels = len(shape.sizes), integer(shape.channels)
    match layer:
        case Convolution() | TransposedConvolution():
            kinds = TRANSPOSED if isinstance(layer, TransposedConvolution) else CONVOLUTIONS
            settings = _along(layer.windows(shape), "stride", "padding", "dilation")
            settings |= {"groups": layer.groups, "bias": layer.bias}
            if isinstance(layer, TransposedConvolution):
                extra = per_axis(layer.output_padding, axes, "output padding")
                settings["output_padding"] = extra
            kernel = per_axis(layer.kernel_size, axes, "kernel")
            return kinds[axes - 1](channels, integer(layer.out_channels), kernel, **settings)
        case Linear():
            return nn.Linear(integer(shape.units.value), integer(layer.out_features), layer.bias)
        case Pool():
            settings = _along(layer.windows(shape), "stride", "padding")
            kernel = per_axis(layer.kernel_size, axes, "kernel")
            return POOLS[layer.reduction][axes - 1](kernel, ceil_mode=layer.ceil_mode, **settings)
        case AdaptivePool():
            target = per_axis(layer.output_size, axes, "output size")
            return ADAPTIVE_POOLS[layer.reduction][axes - 1](target)
        case GlobalPool():
            return ADAPTIVE_POOLS[layer.reduction][axes - 1]((1,) * axes)
        case BatchNorm():
            return BATCH_NORMS[max(axes, 1) - 1](channels, affine=layer.affine)
        case LayerNorm():
            return nn.LayerNorm(channels, elementwise_affine=layer.affine)
        case GroupNorm():
            return nn.GroupNorm(layer.groups, channels, affine=layer.affine)
        case LocalResponseNorm():
            return nn.LocalResponseNorm(layer.size)
        case Dropout():
            return nn.Dropout(layer.probability)
        case Flatten():
            return nn.Flatten()
        case Activation(function="leakyrelu"):
            return nn.LeakyReLU(0.01 if layer.slope is None else layer.slope)
        case Activation(function="elu"):
            return nn.ELU(1.0 if layer.slope is None else layer.slope)
        case Activation():
            return ACTIVATIONS[layer.function]()
    raise ArchitectureError(f"torch has no module for {layer.kind}")


def _along(windows: tuple[Span, ...], *fields: str) -> dict[str, Any]:
    """Some fields of the windows, each as one number an axis, as torch takes them."""
    return {field: tuple(getattr(window, field) for window in windows) for field in fields}


def join(layer: Join, given: list[torch.Tensor]) -> torch.Tensor:
    """What comes out where branches meet."""
    match layer:
        case Concat():
            return torch.cat(given, 1)
        case Add():
            return reduce(operator.add, given)
        case Multiply():
            return reduce(operator.mul, given)
    raise ArchitectureError(f"torch has no function for {layer.kind}")


def _applied(layer: Layer, leaf: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A module on what it reads, seen as the module wants to see it."""
    y: torch.Tensor
    if isinstance(layer, Linear):
        y = leaf(x.flatten(1))
    elif isinstance(layer, LayerNorm):  # torch normalizes the last axes, we the channels
        y = leaf(x.movedim(1, -1)).movedim(-1, 1).contiguous()
    elif isinstance(layer, LocalResponseNorm) and x.dim() == 2:  # noqa: PLR2004 - a vector
        y = leaf(x.unsqueeze(2)).squeeze(2)
    else:
        y = leaf(x)
    return y
