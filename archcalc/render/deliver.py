"""Getting text out: to a stream as a whole, or to a file as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


class UndeliveredError(Exception):
    """The result could not be written; ``str`` says where and why, on one line."""


def to_stdout(text: str) -> None:
    """Write everything and flush.

    Raises:
        UndeliveredError: a reader that went away, a full disk.
    """
    encoding = sys.stdout.encoding or "utf-8"
    data = text.replace("\u2500", "-") if "utf" not in encoding.lower() else text
    try:
        if hasattr(sys.stdout, "buffer"):
            sys.stdout.flush()
            rest = memoryview(data.encode(encoding, "backslashreplace"))
            while rest:  # unbuffered, a pipe may take a part only
                rest = rest[sys.stdout.buffer.write(rest) :]
        else:
            sys.stdout.write(data)
        sys.stdout.flush()
    except OSError as error:
        raise undelivered(error) from None


def undelivered(error: OSError) -> UndeliveredError:
    """Give standard output up: what is left in its buffer is not tried again at the very end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    why = "the reader closed the pipe" if isinstance(error, BrokenPipeError) else error.strerror
    return UndeliveredError(f"standard output: {why}")


def to_file(content: str | bytes, path: Path) -> None:
    """Replace a file by the content; where that fails, the old file is what it was.

    Devices and pipes, which cannot be replaced, are written to.

    Raises:
        UndeliveredError: where it cannot be written.
    """
    data = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    try:
        if isinstance(content, str) and _is_stdout(path):
            to_stdout(content)
            return
        if path.is_dir():
            raise UndeliveredError(f"{path}: is a directory")
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        target = path.resolve() if path.is_symlink() else path
        replace(data, target, target.stat().st_mode & 0o777 if target.exists() else None)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UndeliveredError(f"{path}: {why}") from None


def replace(
    data: bytes | Callable[[BinaryIO], object],
    target: Path,
    mode: int | None = None,
    suffix: str = "",
) -> None:
    """Put a file in place as a whole, once it is on the disk; until then the old one stays.

    Args:
        data: what is in it, or what writes that.
        target: the file.
        mode: its permissions; None: those of a new file.
        suffix: of the draft beside it, by which one that was left behind is known.

    Raises:
        OSError: it cannot be written; no draft is left.
    """
    import tempfile  # noqa: PLC0415 - slow to load, and most results go to the terminal

    handle, draft = tempfile.mkstemp(suffix, f".{target.name}.", target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            if callable(data):
                data(stream)
            else:
                stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is None:
            os.umask(umask := os.umask(0))  # which can be read only by setting it
            mode = 0o666 & ~umask
        Path(draft).chmod(mode)
        Path(draft).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(draft).unlink()
        raise


def _is_stdout(path: Path) -> bool:
    """Whether a path (``/dev/stdout``) is what standard output writes to."""
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # no such file; a standard output that is none
        return False
