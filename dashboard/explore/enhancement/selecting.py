"""Which images a click means, and in which order they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.explore.enhancement.opened import Opened
from dashboard.explore.overview import same_data

Selection = Mapping[str, Any]
ALL: Selection = {"kind": "all"}
MEASURES = ("psnr", "ssim", "psnr_y", "ssim_y", "ms_ssim")
"""What charts can be drawn over; higher is better."""
LOSSES = {
    "enh_l1": ("mae", 1 / 255),
    "enh_l2": ("mse", 1 / 255**2),
    "charbonnier": ("charbonnier", 1.0),
    "ssim_loss": ("ssim_loss", 1.0),
    "gradient": ("gradient", 1.0),
    "texture": ("texture", 1.0),
}
"""Orders by a loss: the column and what it is multiplied by, so that all are of pictures in 0..1."""
PLAIN = ("sharpness", "noise", "contrast", "colourfulness")
PERCEPTUAL = "perceptual"
ORDERS = (*LOSSES, PERCEPTUAL, "order_gap", *PLAIN, "dataset")


@dataclass(frozen=True, eq=False)
class Selected:
    """What a selection means.

    Attributes:
        images: places of the images, in the wanted order.
        values: what they are ordered by, likewise; NaN where undefined.
    """

    images: NDArray[np.int64]
    values: NDArray[np.float64]


def checked(selection: Any) -> dict[str, Any]:
    """A selection as it came from the browser. Raises InputError if it means nothing."""
    refused = InputError("There is no such selection: reload the page and click again.")
    if not isinstance(selection, Mapping) or not isinstance(selection.get("kind"), str):
        raise refused

    def number(name: str) -> bool:
        value = selection.get(name)
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    fits = {
        "all": True,
        "bin": str(selection.get("measure")) in MEASURES and number("low") and number("high"),
        "image": isinstance(selection.get("index"), int) and number("index"),
        "identical": True,
    }
    if not fits.get(selection["kind"], False):
        raise refused
    return dict(selection)


def selected(
    views: Sequence[Opened],
    selection: Selection,
    order: str = "enh_l2",
    focus: int = 0,
    perceptual: NDArray[np.float64] | None = None,
) -> Selected:
    """The images of a selection.

    Args:
        views: the runs shown; ``order_gap`` compares the one in focus with the others on the same data.
        selection: as ``checked`` gives it.
        order: one of ``ORDERS``; all but "dataset" put the hardest first (of the numbers without a reference: the
            highest), and images where it is undefined last.
        focus: the place of the run whose selection it is.
        perceptual: (N,) of its images, needed for that order.
    """
    view = views[focus]
    places = np.flatnonzero(_within(view, selection))
    if order == "dataset" or order not in ORDERS:
        return Selected(places, np.full(len(places), np.nan))
    values = values_of(views, order, focus, perceptual)[places]
    by = np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable")
    return Selected(places[by], values[by])


def values_of(
    views: Sequence[Opened], order: str, focus: int = 0, perceptual: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """(N,) what the images of the run in focus are ordered by; NaN where undefined."""
    view = views[focus]
    if order in LOSSES:
        column, factor = LOSSES[order]
        return view.columns[column] * factor
    if order == PERCEPTUAL:
        return np.full(len(view.index), np.nan) if perceptual is None else perceptual
    if order == "order_gap":
        return _gap(views, focus)
    return view.columns[order]


def _gap(views: Sequence[Opened], focus: int) -> NDArray[np.float64]:
    """(N,) dB by which the run in focus and another differ most; NaN where no other has seen the image.

    An identical picture is infinitely good; two of them do not differ.
    """
    view = views[focus]
    found = np.full(len(view.index), np.nan)
    for k, other in enumerate(views):
        if k == focus or not same_data(other.run, view.run):
            continue
        at = [other.image(int(i)) for i in view.index]
        theirs = np.array([np.nan if a is None else other.columns["psnr"][a] for a in at])
        with np.errstate(invalid="ignore"):
            differ = np.where(theirs == view.columns["psnr"], 0.0, np.abs(theirs - view.columns["psnr"]))
        found = np.fmax(found, differ)
    return found


def _within(view: Opened, selection: Selection) -> NDArray[np.bool_]:
    """(N,) which images a selection is."""
    kind = selection["kind"]
    if kind == "image":
        return view.index == selection["index"]
    if kind == "identical":
        return np.isposinf(view.columns["psnr"])
    if kind == "bin":
        values = view.columns[selection["measure"]]
        with np.errstate(invalid="ignore"):
            inside = (values >= selection["low"]) & (values < selection["high"])
        return inside | ((values == selection["high"]) & bool(selection.get("last")))
    return np.ones(len(view.index), bool)
