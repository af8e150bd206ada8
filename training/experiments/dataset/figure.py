"""The figure of a data set: for some classes, the mean image and those nearest to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.render.style import drawn
from training.engine import datasets
from training.experiments.dataset.experiment import Dataset
from training.experiments.style import Arrays, Drawings, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(experiment: Dataset, arrays: Arrays, results: Results) -> Drawings:
    """Names and PNGs."""
    shown, pictures = results["shown"], arrays["pictures"]
    count = results["sizes"]["train"] + results["sizes"]["validation"]
    of = f"{len(shown)} class{'es' * (len(shown) > 1)}"
    title = f"{datasets.title(experiment.dataset)}: representative images of {of}"
    footer = f"Numbers count all {count:,} training images, from 0; distances are Euclidean"

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(shown), pictures.shape[1], squeeze=False)
        for row, own, of_class in zip(panels, pictures, shown, strict=True):
            for axes, picture in zip(row, own, strict=True):
                axes.imshow(picture, cmap="gray", vmin=0, vmax=255)  # a colour map for grey alone
                axes.set(xticks=[], yticks=[])
                axes.grid(visible=False)
                axes.spines[:].set_visible(False)
            name = f"{of_class['class']}: {of_class['name']}"
            name = name if of_class["name"] else f"class {of_class['class']}"
            row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
            near = zip(of_class["places"], of_class["distances"], strict=True)
            for axes, (place, distance) in zip(row[1:], near, strict=True):
                axes.set_xlabel(f"no. {place:,}, {distance:.2f} away")
        headings = ("mean of the class", "nearest to the mean", "second", "third")
        for axes, heading in zip(panels[0], headings, strict=True):
            axes.set_title(heading)

    yield "images", drawn(8.5, 1.2 + 2 * len(shown), title, footer, draw)
