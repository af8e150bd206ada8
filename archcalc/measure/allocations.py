"""What torch really holds: what layers keep for the backward pass, and the most at one time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from archcalc.measure.twin import Twin


def kept(model: Twin, *inputs: torch.Tensor) -> dict[str, int]:
    """Bytes that each layer is the first to keep for the backward pass, in the model's own mode.

    Memory is counted once, however many tensors lie in it; parameters and buffers, which are there
    anyway, are not counted.
    """
    seen = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}  # noqa: SLF001
    holding: list[torch.UntypedStorage] = []  # so that no address is used twice
    new = 0

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal new
        storage = tensor.untyped_storage()
        if storage._cdata not in seen:  # noqa: SLF001 - which memory it is
            seen.add(storage._cdata)  # noqa: SLF001
            holding.append(storage)
            new += storage.nbytes()
        return tensor

    sizes = {}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        for name, _ in model.outputs(*inputs):
            sizes[name], new = new, 0
    return sizes


class Live(TorchDispatchMode):
    """Follows every tensor that operators make inside, and the memory that is alive with it."""

    def __init__(self, known: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.now = self.peak = 0  # bytes alive after the last operator, and at most
        self._add(known)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Run the operator and take note of what it made."""
        made = func(*args, **(kwargs or {}))
        self._add(leaf for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor))
        return made

    def _add(self, tensors: Iterable[torch.Tensor]) -> None:
        self.alive = {key: kept for key, kept in self.alive.items() if not kept[0].expired()}
        for tensor in tensors:
            storage = tensor.untyped_storage()
            self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())  # noqa: SLF001
        self.now = sum(size for _, size in self.alive.values())
        self.peak = max(self.peak, self.now)
