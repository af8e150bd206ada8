"""Which layer an autograd node belongs to: what a layer adds to the graph is its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from archcalc.counters.base import leaves

if TYPE_CHECKING:
    from torch import nn
    from torch.autograd.graph import Node


class Marks:
    """Calls ``before(name)`` and ``after(name)`` around each autograd node in a backward pass.

    A node belongs to the first layer that claims it. So layers have to claim in the order in which
    they run, each when it is done.
    """

    def __init__(self, before: Callable[[str], None], after: Callable[[str], None]) -> None:
        self.before, self.after = before, after
        self.seen: set[Node] = set()

    def known(self, *values: Any) -> None:  # noqa: ANN401 - whatever a module is called with
        """What was there before a layer ran is not its own."""
        self.seen.update(v.grad_fn for v in values if isinstance(v, torch.Tensor) and v.grad_fn)

    def claim(self, name: str, outputs: Any) -> None:  # noqa: ANN401 - a tensor, or several
        """Mark all nodes behind outputs that nobody has claimed yet."""
        tensors = outputs if isinstance(outputs, tuple) else (outputs,)
        waiting = [y.grad_fn for y in tensors if y.grad_fn is not None]
        while waiting:
            node = waiting.pop()
            if node in self.seen:
                continue
            self.seen.add(node)
            if node.next_functions:  # an AccumulateGrad has none: it is the parameter's
                node.register_prehook(lambda _: self.before(name))
                node.register_hook(lambda *_: self.after(name))
            waiting += [behind for behind, _ in node.next_functions if behind is not None]


@contextlib.contextmanager
def watched(
    model: nn.Module, before: Callable[[str], None], after: Callable[[str], None]
) -> Iterator[None]:
    """While a forward pass runs inside, mark the autograd nodes that every leaf module makes.

    A module that makes no node (its input and itself need no gradient) is not called.
    """
    marks = Marks(before, after)
    with contextlib.ExitStack() as hooks:
        for path, leaf in leaves(model).items():
            marking = leaf.register_forward_hook(lambda _, __, y, path=path: marks.claim(path, y))
            hooks.enter_context(marking)
            seeing = leaf.register_forward_pre_hook(lambda _, args: marks.known(*args))
            hooks.enter_context(seeing)
        yield
