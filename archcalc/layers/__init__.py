"""Floor 2: the closed family of layers, each a frozen record that knows its own arithmetic."""

from archcalc.layers.activation import Activation, Dropout, Flatten
from archcalc.layers.base import Join, Layer
from archcalc.layers.convolution import Convolution, TransposedConvolution
from archcalc.layers.joins import Add, Concat, Multiply
from archcalc.layers.linear import Linear
from archcalc.layers.normalization import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
)
from archcalc.layers.pooling import AdaptivePool, GlobalPool, Pool
from archcalc.layers.window import AdaptiveWindow, Span, TransposedWindow, Window

__all__ = [
    "Activation",
    "AdaptivePool",
    "AdaptiveWindow",
    "Add",
    "BatchNorm",
    "Concat",
    "Convolution",
    "Dropout",
    "Flatten",
    "GlobalPool",
    "GroupNorm",
    "Join",
    "Layer",
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "Multiply",
    "Pool",
    "Span",
    "TransposedConvolution",
    "TransposedWindow",
    "Window",
]
