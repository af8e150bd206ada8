"""The machine that something is measured on: its name, its devices, its free memory."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch

from archcalc.case import Case
from archcalc.errors import ArchitectureError, MeasurementError, StatedError, meant, quoted
from archcalc.memory import memory
from archcalc.units import in_bytes

DEVICES: Final = ("cpu", "cuda", "meta")
DTYPES: Final = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


def chosen(name: str) -> torch.device:
    """A device by name: ``cpu``, ``cuda`` or ``meta``, which holds shapes and no values.

    Raises:
        ArchitectureError: another name.
        MeasurementError: a device that torch does not find.
    """
    if name not in DEVICES:
        raise ArchitectureError(f"{quoted(name)} is no device", hint=meant(name, list(DEVICES)))
    if name == "cuda" and not torch.cuda.is_available():
        raise MeasurementError("torch finds no CUDA device here; --device cpu works")
    return torch.device(name)


def torch_dtype(name: str) -> torch.dtype:
    """Torch's dtype of a name.

    Raises:
        ArchitectureError: one in which torch does not run networks.
    """
    if name not in DTYPES:
        hint = f"one of {', '.join(DTYPES)}"
        raise ArchitectureError(f"torch runs no network in {quoted(name)}", hint=hint)
    return DTYPES[name]


def named(device: str) -> str:
    """What the device is called by its maker."""
    return torch.cuda.get_device_name() if device == "cuda" else processor()


def processor() -> str:
    """The processor's name, as far as the system tells."""
    return _told("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def free(device: str) -> int | None:
    """Bytes that can still be had on a device; None where that is not known."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    available = _told("/proc/meminfo", "MemAvailable")
    return int(available.split()[0]) * 1024 if available else None


def _told(path: str, start: str) -> str:
    """What a file of Linux says behind the colon of a line; empty where it does not."""
    with contextlib.suppress(OSError):
        for line in Path(path).read_text("utf-8").splitlines():
            if line.startswith(start):
                return " ".join(line.partition(":")[2].split())
    return ""


def _is_short(error: Exception) -> bool:
    """Whether memory was too small; of a CPU's, torch says so in an error like any other."""
    short = MemoryError | torch.OutOfMemoryError
    return isinstance(error, short) or "allocate memory" in str(error)


@contextlib.contextmanager
def running(case: Case) -> Iterator[None]:
    """Run a network inside, and say in one line what torch refuses to run.

    Raises:
        MeasurementError: a layer that does not exist for this dtype, a batch that is too small.
    """
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if isinstance(error, StatedError) or _is_short(error):
            raise
        asked = f"in {case.dtype} at batch {case.batch}"
        raise MeasurementError(f"torch does not run this {asked}: {error}") from error


@contextlib.contextmanager
def fitting(
    case: Case, device: str, *, train: bool = False, optimizer: str = "sgd"
) -> Iterator[None]:
    """Run a network inside only where its memory is there, and say it in one line where not.

    Raises:
        MeasurementError: predicted to be too large, or found so on the way.
    """
    if device == "meta":
        yield
        return
    need = memory(case, train=train, optimizer=optimizer, device=device).peak
    fact = f"this needs {in_bytes(need)} and more on the {device}"
    available = free(device)
    if available is not None and need > available:
        hint = "a smaller --batch or --input needs less"
        raise MeasurementError(f"{fact}, {in_bytes(available)} are free; {hint}")
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_short(error):
            raise
        raise MeasurementError(f"{fact}: it did not fit; a smaller --batch may") from None
