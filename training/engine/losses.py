"""Losses, one number a member: ``(members, batch, out)`` and targets to ``(members,)``.

The sum over members is what is differentiated, so no member's gradient knows of another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Loss: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """The mean of squared differences over batch and outputs; targets ``(members, batch, out)``."""
    return (prediction - target).square().mean((1, 2))


def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Of a sigmoid on ``(members, batch, 1)``; targets 0 or 1 of that shape."""
    loss = functional.binary_cross_entropy_with_logits(
        logits, target.expand_as(logits), reduction="none"
    )
    return loss.mean((1, 2))


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Of a softmax over the last axis; targets are classes ``(members or 1, batch)``."""
    target = target.expand(logits.shape[:2])
    loss = functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
    return loss.view_as(target).mean(1)


def margin(a: Tensor) -> Loss:
    """``max{0, a - y f(x)}``: the perceptron criterion for a = 0, the hinge loss for a = 1.

    Where a - y f(x) = 0 the gradient is that of the sloping side, as the perceptron's rule has it:
    it learns from a point on the line, else it could not leave the zero vector.

    Args:
        a: one margin a member, ``(members,)``. Targets are -1 or 1, ``(members, batch, 1)``.
    """

    def loss(score: Tensor, y: Tensor) -> Tensor:
        short = a.view(-1, 1, 1) - y * score
        return torch.where(short >= 0, short, 0.0).mean((1, 2))  # relu has no gradient at 0

    return loss
