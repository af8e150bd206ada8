"""Floor 5: the networks everybody asks about, one paper a file, written in the notation.

Every file has a ``load(name)`` for its networks. Published figures stand beside the text as data,
with their source; they are compared with what archcalc counts and never copied into a result.
"""

from importlib import import_module
from typing import Final

from archcalc.errors import ArchitectureError, nearest, quoted
from archcalc.network import Network

# Which file has which networks. Only the file that is asked for is imported.
FILES: Final[dict[str, tuple[str, ...]]] = {
    "lenet5": ("lenet5",),
    "alexnet": ("alexnet", "alexnet-ungrouped", "alexnet-torchvision"),
    "vgg": ("vgg11", "vgg13", "vgg16-c", "vgg16", "vgg19"),
    "googlenet": ("googlenet", "googlenet-torchvision"),
    "inception": ("inception-naive", "inception-reduced"),
    "resnet": (
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
        *("resnet50-torchvision", "resnet101-torchvision", "resnet152-torchvision"),
    ),
    "minigooglenet": ("minigooglenet",),
}
NAMES: Final = tuple(name for names in FILES.values() for name in names)
ALIASES: Final = {
    "vgga": "vgg11",
    "vggb": "vgg13",
    "vggc": "vgg16-c",
    "vggd": "vgg16",
    "vgge": "vgg19",
    "lenet": "lenet5",
    "inceptionv1": "googlenet",
}


def load(name: str) -> Network:
    """A network of the zoo, e.g. ``vgg19``; case, ``_`` and a ``-`` before digits do not matter.

    Raises:
        ArchitectureError: with the nearest names.
    """
    known = find(name)
    if known is None:
        close = nearest(name, list(NAMES))
        hint = f"did you mean {' or '.join(close)}?" if close else "archcalc networks lists them"
        raise ArchitectureError(f"no network is called {quoted(name)}", hint=hint)
    file = next(file for file, names in FILES.items() if known in names)
    network: Network = import_module(f"archcalc.zoo.{file}").load(known)
    return network


def find(name: str) -> str | None:
    """The zoo's own spelling of a name, or None if it has no such network."""

    def plain(text: str) -> str:
        return text.lower().replace("_", "").replace("-", "")

    spellings = {plain(known): known for known in NAMES} | ALIASES
    return spellings.get(plain(name))
