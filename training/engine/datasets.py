"""Images and classes: MNIST, Fashion-MNIST, CIFAR-10, digits, and files of one's own.

What has a name comes from torchvision, which downloads it once into a folder: ``--data-dir``, the
environment's ``ARCHCALC_DATA``, or the user's cache folder. A download goes into a draft folder,
is checked, and gets its name only then, so that what has the name is whole. ``digits`` comes with
scikit-learn and needs no download.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from archcalc.errors import meant, need, quoted
from training.engine import streams
from training.engine.progress import say
from training.errors import TrainingError

PATIENCE: Final = 30.0  # seconds that a server may be silent
DRAFT: Final = ".archcalc-draft-"
OFFLINE: Final = "--dataset digits needs no download"


class Images(NamedTuple):
    """Images ``(examples, channels, height, width)``, 0 to 1, and their classes ``(examples,)``."""

    x: Tensor
    y: Tensor

    @property
    def classes(self) -> int:
        """One more than the largest class."""
        return int(self.y.max()) + 1

    def split(self, held: int, seed: int) -> tuple[Images, Images]:
        """All but some images, and those that are held out for validation.

        Args:
            held: how many.
            seed: from which the choice comes.
        """
        order = streams.permutation(streams.fold(streams.root(seed), "validation"), len(self.x))
        ends = order.to(self.x.device).tensor_split([len(order) - held])
        rest, own = (places.sort().values for places in ends)
        return Images(self.x[rest], self.y[rest]), Images(self.x[own], self.y[own])

    def resized(self, height: int, width: int) -> Images:
        """The same images in another size, bilinearly."""
        if self.x.shape[2:] == (height, width):
            return self
        x = functional.interpolate(self.x, (height, width), mode="bilinear", antialias=True)
        return Images(x, self.y)

    def to(self, device: torch.device | str) -> Images:
        """On a device."""
        return Images(self.x.to(device), self.y.to(device))


class Normalization(NamedTuple):
    """Mean and standard deviation of each channel of a training set, ``(channels,)``."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, images: Images) -> Normalization:
        """Computed, over all pixels of all images, in 64 bits."""
        # not from the sum of squares: of a channel that is one colour, rounding leaves no clean 0
        found = [torch.std_mean(one.double(), correction=0) for one in images.x.unbind(1)]
        std, mean = map(torch.stack, zip(*found, strict=True))
        return cls(mean.float(), torch.where(std > 0, std, 1.0).float())

    def __call__(self, images: Images) -> Images:
        """Images with this mean subtracted, divided by this standard deviation."""
        mean, std = (one.view(-1, 1, 1).to(images.x.device) for one in self)
        return Images((images.x - mean) / std, images.y)


@dataclass(frozen=True)
class TorchvisionSet:
    """A set that torchvision knows.

    Args:
        title: as people write it.
        module: the class in ``torchvision.datasets``.
        top: the folder that it makes.
        size: height, width and channels of an image.
        raw: where in ``top`` the files are that have ``digests``.
        digests: SHA-256 of these files, of which torchvision checks but the archives.
        counts: images to learn from, and for the test.
    """

    title: str
    module: str
    top: str
    size: tuple[int, int, int]
    raw: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    counts: tuple[int, int] = (60_000, 10_000)


FILES: Final = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _of_28x28(title: str, *digests: str) -> TorchvisionSet:
    """A set in the form of MNIST's four files."""
    top = title.replace("-", "")
    return TorchvisionSet(
        title, top, top, (28, 28, 1), "raw", dict(zip(FILES, digests, strict=True))
    )


SOURCES: Final = {
    "mnist": _of_28x28(
        "MNIST",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion-mnist": _of_28x28(
        "Fashion-MNIST",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    # torchvision itself checks each of these files whenever it reads them
    "cifar10": TorchvisionSet(
        "CIFAR-10", "CIFAR10", "cifar-10-batches-py", (32, 32, 3), counts=(50_000, 10_000)
    ),
}
DIGITS: Final = "digits"
NAMES: Final = (*SOURCES, DIGITS)
DIGITS_TRAIN: Final = 1437  # of scikit-learn's 1,797, four fifths; which ones never changes
ARRAYS: Final = ("x_train", "y_train", "x_test", "y_test")
# what comes of a file that is not what it should be, or of a server that sends one
BROKEN: Final = (OSError, RuntimeError, ValueError, AssertionError, EOFError, zlib.error)


def named(option: str, name: str) -> str:
    """A data set's name, or the path of an ``.npz`` file, as it is.

    Raises:
        TrainingError: neither of the two.
    """
    if name not in NAMES and not name.endswith(".npz"):
        known = f"{', '.join(NAMES)}, or a file.npz with {', '.join(ARRAYS)}"
        fact = f"{option}: {quoted(name)} is no data set"
        raise TrainingError(fact, hint=meant(name, list(NAMES), known))
    return name


def load(name: str, folder: str | None = None, *, train: bool = True) -> Images:
    """The images of a set, on the CPU; read from the disk once in a process.

    So training and test set are of the same file, even if it is written anew between the two.

    Args:
        name: one of :data:`NAMES`, or the path of an ``.npz`` file.
        folder: of torchvision's sets, or of ``NAME.npz`` in their place; None takes the
            environment's ``ARCHCALC_DATA``, and without it the user's cache folder.
        train: the training set, or the test set.

    Raises:
        TrainingError: it is not there and cannot be downloaded, or is not whole.
    """
    named("--dataset", name)
    if name in SOURCES:
        packed = place(folder) / f"{name}.npz"
        if not _there(SOURCES[name], packed.parent) and os.path.exists(packed):  # noqa: PTH110 - as there
            return _packed(SOURCES[name], packed, train=train)
        return _of_torchvision(name, str(packed.parent), train=train)
    if name == DIGITS:
        return _digits(train=train)
    return _npz(str(Path(name).absolute()))[0 if train else 1]


def there(name: str, folder: str | None = None) -> bool:
    """Whether a set of torchvision's is in the folder, so that :func:`load` downloads nothing."""
    where = place(folder)
    return _there(SOURCES[name], where) or os.path.exists(where / f"{name}.npz")  # noqa: PTH110 - as there


def title(name: str) -> str:
    """As people write it: ``Fashion-MNIST``; of a file, its name without folders."""
    if name == DIGITS:
        return "scikit-learn's digits"
    return SOURCES[name].title if name in SOURCES else Path(name).name


def place(folder: str | None) -> Path:
    """The folder of torchvision's sets."""
    chosen = folder or os.environ.get("ARCHCALC_DATA")
    if chosen:
        if "\0" in chosen:
            raise TrainingError(f"--data-dir: {quoted(chosen)} is no folder's name")
        # torchvision expands ~ itself, so it has to be done before anything is done there
        return Path(os.path.expanduser(chosen)).absolute()  # noqa: PTH111 - Path's own can raise
    need("a cache folder", "training", "platformdirs")
    import platformdirs  # noqa: PLC0415 - only who names no folder needs it

    return platformdirs.user_cache_path("archcalc")


def _packed(source: TorchvisionSet, path: Path, *, train: bool) -> Images:
    """A set that torchvision knows, of one file."""
    sets = _npz(str(path))
    height, width, channels = source.size
    for count, images in zip(source.counts, sets, strict=True):
        if images.x.shape != (count, channels, height, width):
            found = "x".join(map(str, images.x.shape))
            said = f"{count}x{channels}x{height}x{width}"
            raise TrainingError(f"{path} is not {source.title}: its images are {found}, not {said}")
    return sets[0 if train else 1]


@lru_cache(maxsize=4)
def _of_torchvision(name: str, folder: str, *, train: bool) -> Images:
    """Images as torchvision reads them, downloaded first if they are not there."""
    source = SOURCES[name]
    need(source.title, "training", "torchvision")
    if not _there(source, Path(folder)):
        _download(source, Path(folder))
    try:
        for file in FILES[:2] if train else FILES[2:]:
            _check(source, Path(folder), file)
        found = _class(source)(folder, train=train)
        pixels = torch.as_tensor(found.data)
        y = torch.as_tensor(found.targets)
    except BROKEN as error:
        missing = error.filename if isinstance(error, FileNotFoundError) else None
        fact = f"there is no {Path(missing).name}" if missing else "a file is damaged"
        hint = f"remove {Path(folder) / source.top}, and the next run downloads it anew; {OFFLINE}"
        raise TrainingError(f"{source.title} in {folder}: {fact}", hint=hint) from None
    height, width, channels = source.size
    x = pixels.view(-1, height, width, channels).permute(0, 3, 1, 2).float() / 255
    return Images(x.contiguous(), y.long())


def _there(source: TorchvisionSet, folder: Path) -> bool:
    """Whether anything has the name of the set; what it is, reading it will tell."""
    return os.path.exists(folder / source.top)  # noqa: PTH110 - Path's own can raise


def _class(source: TorchvisionSet) -> Any:  # noqa: ANN401 - torchvision has no types
    import torchvision  # noqa: PLC0415 - slow to load, and only some images need it

    known = getattr(torchvision.datasets, source.module)
    # what old versions left in MNIST/processed would be read, unchecked, in place of the files
    return type(source.module, (known,), {"_check_legacy_exist": lambda _: False})


def _check(source: TorchvisionSet, folder: Path, file: str) -> None:
    """Compare a file with its digest, where there is one."""
    if file in source.digests:
        data = (folder / source.top / source.raw / file).read_bytes()
        if hashlib.sha256(data).hexdigest() != source.digests[file]:
            raise ValueError(file)


def _download(source: TorchvisionSet, folder: Path) -> None:
    """Bring a set into a folder, whole or not at all."""
    say(f"{source.title} is downloaded to {folder}")
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=DRAFT, dir=folder) as draft:
            with redirect_stdout(sys.stderr):  # torchvision prints
                _class(source)(draft, download=True)
            for file in source.digests:
                _check(source, Path(draft), file)
            (Path(draft) / source.top).rename(folder / source.top)
    except (*BROKEN, HTTPException) as error:
        if _there(source, folder):
            return  # another process was faster
        why = _reason(error)
        hint = f"name a folder that holds {source.top} with --data-dir or ARCHCALC_DATA; {OFFLINE}"
        fact = f"{source.title} could not be downloaded to {folder}: {why}"
        raise TrainingError(fact, hint=hint, status=1) from None
    finally:
        socket.setdefaulttimeout(before)


def _reason(error: Exception) -> str:
    """Why a download failed, in a few words."""
    text = str(error).strip()
    broken = isinstance(error, ValueError | AssertionError | EOFError | zlib.error)
    if broken or "corrupted" in text:
        return "what came is not what its checksum promises"
    if isinstance(error, OSError) and error.strerror and error.errno is not None:
        return error.strerror
    return text.splitlines()[-1].strip("<>") if text else type(error).__name__


@lru_cache(maxsize=1)
def _digits_all() -> Images:
    """The 1,797 images of 8x8, in an order that never changes."""
    need("digits", "training", "sklearn")
    from sklearn.datasets import load_digits  # noqa: PLC0415 - slow to load

    found = load_digits()
    order = streams.permutation(streams.fold(streams.root(0), "digits"), len(found.target))
    x = torch.from_numpy(found.images).float().unsqueeze(1) / 16
    return Images(x[order], torch.from_numpy(found.target).long()[order])


def _digits(*, train: bool) -> Images:
    """Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998."""
    x, y = _digits_all()
    part = slice(DIGITS_TRAIN) if train else slice(DIGITS_TRAIN, None)
    return Images(x[part], y[part])


@lru_cache(maxsize=1)
def _npz(path: str) -> tuple[Images, Images]:
    """Training and test set of a file."""
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in ARRAYS}
    except KeyError as error:
        hint = f"it needs {', '.join(ARRAYS)}"
        raise TrainingError(f"{path}: {' '.join(error.args)}", hint=hint) from None
    except (*BROKEN, BadZipFile, TypeError) as error:  # a lone array is no context: TypeError
        fact = getattr(error, "strerror", None) or "is damaged or no .npz archive"
        hint = f"numpy.savez writes such a file of {', '.join(ARRAYS)}, none of them of objects"
        raise TrainingError(f"{path}: {fact}", hint=hint) from None
    train, test = (_images(path, arrays, f"x_{part}", f"y_{part}") for part in ("train", "test"))
    if train.x.shape[1:] != test.x.shape[1:]:
        raise TrainingError(f"{path}: images of x_train and x_test differ in size")
    if test.classes > train.classes:
        raise TrainingError(f"{path}: y_test has class {test.classes - 1}, which y_train has not")
    return train, test


def _images(path: str, arrays: Mapping[str, Any], of_x: str, of_y: str) -> Images:
    """Two arrays of a file as images and classes."""
    x, y = arrays[of_x], arrays[of_y]
    if x.ndim == 3:  # noqa: PLR2004 - examples, height, width
        x = x[..., np.newaxis]
    grey, colour = 1, 3
    if x.ndim != 4 or x.shape[3] not in {grey, colour} or not x.size:  # noqa: PLR2004
        hint = "it needs (examples, height, width) or (examples, height, width, 1 or 3)"
        raise TrainingError(f"{path}: {of_x} has the shape {x.shape}", hint=hint)
    y = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y  # noqa: PLR2004 - as Keras keeps it
    if y.shape != x.shape[:1] or not np.issubdtype(y.dtype, np.integer):
        fact = f"{path}: {of_y} is not one whole number for each of the {len(x):,} images of {of_x}"
        raise TrainingError(fact)
    if y.min() < 0:
        raise TrainingError(f"{path}: {of_y} has a class below 0", hint="classes are 0, 1, 2, ...")
    real = np.issubdtype(x.dtype, np.floating)
    if x.dtype == np.uint8:
        pixels = torch.from_numpy(x).float() / 255
    elif real and np.abs(x).max() <= np.finfo(np.float32).max:  # which no NaN is
        pixels = torch.from_numpy(x.astype(np.float32))
    else:
        what = "has pixels that are no finite 32-bit numbers" if real else f"is of {x.dtype}"
        hint = "it needs bytes from 0 to 255, or finite floats"
        raise TrainingError(f"{path}: {of_x} {what}", hint=hint)
    return Images(pixels.permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y.astype(np.int64)))
