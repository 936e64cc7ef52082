"""The pictures behind a selection: small ones with their errors, and one large in panes beside its truth."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.classmaps import decode
from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.explore import class_overlays, overlays
from dashboard.explore.class_overlays import background_of
from dashboard.explore.overview import UNSEEN, Data, json_number, same_data
from dashboard.explore.segmentation.errors import drawn, error_states, only_cell
from dashboard.explore.segmentation.opened import Opened
from dashboard.explore.segmentation.selecting import WHOLE, Selection, selected
from dashboard.explore.small import Thumb, small_picture
from dashboard.metrics.segmentation.scores import iou
from dashboard.types import ignore_of

COUNTED = ("order_pixels", "order_wrong")
"""Orders whose values are pixels."""


def gallery_data(
    views: Sequence[Opened],
    pictures: Dataset | None,
    selection: Selection,
    order: str = "order_pixels",
    focus: int = 0,
    start: int = 0,
    most: int = 24,
    thumb: Thumb = small_picture,
    brightness: NDArray[np.float64] | None = None,
) -> tuple[Data, list[int]]:
    """Cards ``start`` to ``most`` of a selection, and all its dataset positions in order.

    Args:
        views: the runs shown.
        pictures: the dataset, or None if it is gone.
        selection: as ``checked`` gives it.
        order: one of ``ORDERS``.
        focus: the place of the run whose selection it is.
        start: the first card.
        most: where cards end.
        thumb: makes the small picture at a dataset position.
        brightness: (N,) of the images of that run, for slices of it.
    """
    view = views[focus]
    chosen = selected(view, selection, order, brightness)
    cards = []
    for image, value in zip(chosen.images[start:most], chosen.values[start:most], strict=True):
        index = int(view.index[image])
        card: Data = {"id": view.ids[image], "index": index, "truth": None, "answers": []}
        for v in views:
            at = v.image(index) if same_data(v.run, view.run) else None
            card["answers"].append(UNSEEN if at is None else _tally(v, at, label_of(selection)))
        if order != "dataset":
            card["loss"] = json_number(value)
        if order in COUNTED:
            card["badge"] = f"{int(value):,} px"
        picture = thumb(pictures, index) if pictures is not None else None
        card["thumb"] = None if picture is None else _small(view, picture, index, selection)
        cards.append(card)
    data = {
        "cards": cards,
        "total": len(chosen.images),
        "title": title_of(selection, view.names),
        "reset": selection["kind"] != "all",
        "start": start,
        "stamp": uuid.uuid4().hex,
    }
    return data, [int(view.index[i]) for i in chosen.images]


def _tally(view: Opened, image: int, label: int | None) -> Data:
    """How well a run met an image: the IoU of the class that the selection is about, else the mean over classes."""
    value = view.iou[image] if label is None else iou(view.pixels[image, label])
    if np.isnan(value):
        return UNSEEN
    return UNSEEN | {"text": f"{'mIoU' if label is None else 'IoU'} {value:.2f}"}


def title_of(selection: Selection, names: Sequence[str]) -> Data:
    """A selection in words: a text key and its facts."""
    labels = [*names, "ui.other"]
    facts = {k: labels[selection[k]] for k in ("class", "true", "predicted") if selection.get(k) is not None}
    facts |= {k: f"{selection[k]:.2f}" for k in ("low", "high") if k in selection}
    kind = selection["kind"]
    if kind == "brightness":
        facts = {"low": f"{selection['low']:.0f}", "high": f"{selection['high'] - 1:.0f}"}
    suffix = f".{selection['size']}" if kind == "size" else ""
    if kind == "cell" and selection["true"] == selection["predicted"]:
        suffix = ".right"
    return {"key": f"ui.seg.selection.{kind}{suffix}", "vars": facts}


def label_of(selection: Selection) -> int | None:
    """The class that a selection is about."""
    if selection["kind"] == "cell" and selection["true"] == selection["predicted"]:
        return int(selection["true"])
    label = selection.get("class")
    return None if label is None else int(label)


def _small(view: Opened, picture: NDArray[np.uint8], index: int, selection: Selection) -> str:
    """A small picture with the errors that the selection is about."""
    stored = view.maps(index)
    if stored is None:
        return ""
    truth, found = decode(stored.truth), decode(stored.found)
    step = max(1, max(truth.shape) // (2 * max(picture.shape[:2])))  # no finer than can be seen
    truth, found = truth[::step, ::step], found[::step, ::step]
    label = label_of(selection)
    states = error_states(truth, found, ignore_of(len(view.names)), label, background_of(view.names))
    if selection["kind"] == "cell":
        only_cell(states, truth, found, selection["true"], selection["predicted"])
    return drawn(picture, states, faint=label is None)


def compare_data(
    views: Sequence[Opened], pictures: Dataset | None, index: int, selection: Selection, focus: int = 0
) -> Data:
    """One picture large: its truth, and each run's class map, in panes."""
    view = views[focus]
    image = view.image(index)
    if image is None:
        raise InputError("There is no such picture: reload the page and click again.")
    name = view.ids[image]
    stored = view.maps(index)
    if stored is None:
        return overlays.no_picture(f"{index}", name, "ui.gallery.gone")
    truth = decode(stored.truth)
    ignore = ignore_of(len(view.names))
    panes = [class_overlays.map_pane("ui.cmp.truth", truth, class_names=view.names, ignore=ignore)]
    for v in views[:3]:
        answer = v.maps(index) if same_data(v.run, view.run) else None
        if answer is None:
            panes.append(overlays.failed_pane(v.run.model, "ui.det.unseen"))
            continue
        confidence: Any = decode(answer.confidence) if answer.confidence else None
        panes.append(
            class_overlays.map_pane(v.run.model, decode(answer.found), confidence=confidence, class_names=_named(v))
        )
    uri = None
    if pictures is not None:
        try:
            uri, size = _large(pictures, index)  # type: ignore[arg-type]
        except InputError as error:
            return overlays.no_picture(f"{index}", name, str(error))
        if size != stored.size:
            return overlays.no_picture(f"{index}", name, "ui.gallery.gone")
    return class_overlays.map_payload(
        f"{index}",
        name,
        None,
        panes,
        _named(view),
        size=stored.size,
        uri=uri,
        truth=truth,
        mode="classes" if selection["kind"] in ("all", "presence", "size") else "errors",
        focus_class=label_of(selection),
        cell=(selection["true"], selection["predicted"]) if selection["kind"] == "cell" else None,
    )


def _named(view: Opened) -> list[str]:
    """Class names with the one past them."""
    return [*view.names, "ui.other"]


@lru_cache(8)
def _large(pictures: Dataset, index: int) -> tuple[str, tuple[int, int]]:
    """A picture as a data URI, and its height and width. Raises InputError if it cannot be read."""
    picture = pictures[index].image
    return overlays.image_data(picture), (picture.shape[0], picture.shape[1])


def images_table(
    view: Opened, selection: Selection, order: str = "order_pixels", brightness: NDArray[np.float64] | None = None
) -> pd.DataFrame:
    """One row an image of a selection: its pixels, its IoU and Dice, and every loss."""
    chosen = selected(view, selection, order, brightness)
    places = chosen.images
    about = selected(view, selection, "order_pixels", brightness)
    pixels = pd.Series(about.values, index=about.images).reindex(places).to_numpy().astype(np.int64)
    losses = {name: values[places] for name, values in view.values.items()}
    columns = {
        "image": [view.ids[i] for i in places],
        "pixels_that_count": view.counted[places],
        "wrong_pixels": view.wrong[places],
        "selected_pixels": pixels if selection["kind"] not in WHOLE else view.wrong[places],
        "image_iou": view.iou[places],
        "image_dice": view.scores["dice"][places],
    }
    return pd.DataFrame(columns | {k: v for k, v in losses.items() if not k.startswith("loss_")})
