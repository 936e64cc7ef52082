"""Which images a click means, by how many of their pixels it is about; and in which order they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.explore.segmentation.opened import Opened
from dashboard.metrics.segmentation.slices import SIZES, size_of_class

Selection = Mapping[str, Any]
ALL: Selection = {"kind": "all"}
ORDERS = (
    "order_pixels",
    "dataset",
    "order_wrong",
    "loss_image_iou",
    "loss_image_dice",
    "sem_cross_entropy",
    "sem_focal",
    "soft_dice",
    "soft_iou",
)


@dataclass(frozen=True, eq=False)
class Selected:
    """What a selection means.

    Attributes:
        images: places of the images, in the wanted order.
        values: what they are ordered by, likewise; NaN where undefined.
    """

    images: NDArray[np.int64]
    values: NDArray[np.float64]


def checked(selection: Any, classes: int) -> Selection:
    """A selection as it came from the browser. Raises InputError if it means nothing."""
    if not isinstance(selection, Mapping) or not isinstance(selection.get("kind"), str):
        raise InputError("There is no such selection: reload the page and click again.")

    def number(name: str, low: float, high: float) -> bool:
        value = selection.get(name)
        return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high

    def label(name: str, most: int) -> bool:
        return isinstance(selection.get(name), int) and number(name, 0, most)

    fits = {
        "all": True,
        "class": label("class", classes - 1),
        "presence": label("class", classes - 1),
        "cell": label("true", classes - 1) and label("predicted", classes),
        "size": selection.get("size") in SIZES and (selection.get("class") is None or label("class", classes - 1)),
        "bin": number("low", 0, 1) and number("high", 0, 1.01),
        "brightness": number("low", 0, 256) and number("high", 0, 256),
    }
    if not fits.get(selection["kind"], False):
        raise InputError("There is no such selection: reload the page and click again.")
    return dict(selection)


def selected(
    view: Opened, selection: Selection, order: str = "order_pixels", brightness: NDArray[np.float64] | None = None
) -> Selected:
    """The images of a selection.

    Args:
        view: the run.
        selection: as ``checked`` gives it.
        order: one of ``ORDERS``; all but "dataset" put the most pixels, or the hardest, first, and images where it is
            undefined last.
        brightness: (N,) of the images, needed for slices of it.
    """
    pixels = pixels_of(view, selection, brightness)
    places = np.flatnonzero(pixels >= 0 if selection["kind"] in WHOLE else pixels > 0)
    if order == "dataset" or order not in ORDERS:
        return Selected(places, np.full(len(places), np.nan))
    values = (_wrong(view, selection) if order == "order_wrong" else view.values.get(order, pixels))[places]
    if order == "order_pixels" and selection["kind"] in WHOLE:
        values = view.wrong[places]
    values = values.astype(np.float64)
    by = np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable")
    return Selected(places[by], values[by])


WHOLE = ("all", "bin", "brightness")
"""Selections of whole images: ordered by pixels, they come by their wrong ones."""


def pixels_of(view: Opened, selection: Selection, brightness: NDArray[np.float64] | None = None) -> NDArray[np.int64]:
    """(N,) pixels of each image that the selection is about; -1 for whole images that it is not."""
    kind = selection["kind"]
    counts, images = view.counts, len(view.index)
    if kind == "class":  # true or answered: the union
        right, true, found = (view.pixels[:, selection["class"], k] for k in range(3))
        return true + found - right
    if kind == "presence":
        return view.pixels[:, selection["class"], 1]
    if kind == "cell":
        mine = (counts.true == selection["true"]) & (counts.found == selection["predicted"])
        return np.bincount(counts.image[mine], counts.pixels[mine], images).astype(np.int64)
    if kind == "size":
        within = size_of_class(counts) == SIZES.index(selection["size"])  # (N, C)
        if selection.get("class") is not None:
            within = within & (np.arange(within.shape[1]) == selection["class"])
        return np.where(within, view.pixels[:, :, 1], 0).sum(axis=1)
    if kind == "bin":
        values = view.iou
        within = _within(values, selection) | ((values == 1) & (selection["high"] == 1))  # the last holds its end too
        return np.where(within, view.wrong, -1)
    if kind == "brightness":
        if brightness is None:
            return np.full(images, -1)
        return np.where(_within(brightness, selection), view.wrong, -1)
    return view.wrong


def _within(values: NDArray[np.float64], selection: Selection) -> NDArray[np.bool_]:
    """From ``low`` to below ``high``."""
    low, high = selection["low"], selection["high"]
    with np.errstate(invalid="ignore"):
        return (values >= low) & (values < high)


def _wrong(view: Opened, selection: Selection) -> NDArray[np.int64]:
    """(N,) wrong pixels of the class that the selection is about, or all."""
    label = selection.get("class")
    if label is None:
        return view.wrong
    right, true, found = (view.pixels[:, label, k] for k in range(3))
    return true + found - 2 * right
