"""The pictures behind a selection: small answers with their numbers, and one large in panes beside its reference."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.enhancement_parts import decode, pictures_of
from dashboard.errors import InputError
from dashboard.explore import enhance_panes as panes_of
from dashboard.explore.enhancement.opened import Opened
from dashboard.explore.enhancement.selecting import LOSSES, Selection, selected, values_of
from dashboard.explore.overview import UNSEEN, Data, json_number, same_data
from dashboard.explore.small import THUMB, jpeg_uri
from dashboard.types import EnhancedImage

MOST_MODELS = 4


def gallery_data(
    views: Sequence[Opened],
    selection: Selection,
    order: str = "enh_l2",
    focus: int = 0,
    start: int = 0,
    most: int = 24,
    perceptual: NDArray[np.float64] | None = None,
) -> tuple[Data, list[int]]:
    """Cards ``start`` to ``most`` of a selection, and all its dataset positions in order.

    Args:
        views: the runs shown.
        selection: as ``checked`` gives it.
        order: one of ``ORDERS``.
        focus: the place of the run whose selection and small pictures they are.
        start: the first card.
        most: where cards end.
        perceptual: (N,) of that run's images, needed for that order.
    """
    view = views[focus]
    chosen = selected(views, selection, order, focus, perceptual)
    cards = []
    for image, value in zip(chosen.images[start:most], chosen.values[start:most], strict=True):
        index = int(view.index[image])
        answers = []
        for v in views:
            at = v.image(index) if same_data(v.run, view.run) else None
            answers.append(UNSEEN if at is None else _tally(v, at))
        card: Data = {"id": view.ids[image], "index": index, "truth": None, "answers": answers}
        if order != "dataset":
            card["loss"] = json_number(float(value))
            card["badge"] = _badge(order, float(value))
        card["thumb"] = _thumb(view.run.predictions_path, index)
        cards.append(card)
    data = {
        "cards": cards,
        "total": len(chosen.images),
        "title": title_of(selection, view),
        "reset": selection["kind"] != "all",
        "start": start,
        "stamp": uuid.uuid4().hex,
    }
    return data, [int(view.index[i]) for i in chosen.images]


def _tally(view: Opened, image: int) -> Data:
    """How near a run came to an image: its PSNR, or without a reference nothing."""
    value = view.columns["psnr"][image]
    if np.isnan(value):
        return UNSEEN
    return UNSEEN | {"text": "∞ dB" if np.isposinf(value) else f"{value:.2f} dB"}


def _badge(order: str, value: float) -> str:
    """What an image is ordered by."""
    if np.isnan(value):
        return "–"
    return f"{value:.2f} dB" if order == "order_gap" else f"{value:.3g}"


def title_of(selection: Selection, view: Opened) -> Data:
    """A selection in words: a text key and its facts."""
    facts: Data = {}
    if selection["kind"] == "bin":
        digits = 1 if selection["measure"].startswith("psnr") else 3
        facts = {k: f"{selection[k]:.{digits}f}" for k in ("low", "high")}
        facts["measure"] = f"ui.axis.{selection['measure']}"
    if selection["kind"] == "image":
        at = view.image(selection["index"])
        facts = {"image": view.ids[at] if at is not None else "?"}
    return {"key": f"ui.enh.selection.{selection['kind']}", "vars": facts}


def _thumb(path: Path, index: int) -> str | None:
    """A run's answer, small; None if it cannot be read."""
    try:
        return _small(path, index, path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(1024)
def _small(path: Path, index: int, _written: int) -> str | None:
    """The answer of a run at a dataset position, as JPEG."""
    stored = pictures_of(path, index)
    if stored is None:
        return None
    image = decode(stored.found).rgb
    scale = min(1.0, THUMB / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small: Any = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return jpeg_uri(small)


def compare_data(views: Sequence[Opened], pictures: Dataset | None, index: int, focus: int = 0) -> Data:
    """One picture large: what the models were given, the reference, and each run's answer, in panes.

    Args:
        views: the runs shown, the first four are.
        pictures: the dataset, for what the models were given; None if it is gone.
        index: the picture's position in the dataset.
        focus: the place of the run whose data it is.

    Raises:
        InputError: no such picture, or its run is damaged.
    """
    view = views[focus]
    image = view.image(index)
    if image is None:
        raise InputError("There is no such picture: reload the page and click again.")
    name, key = view.ids[image], f"{view.run.facts.get('dataset_facts', {}).get('fingerprint')} {index}"
    stored = view.pictures(index)
    if stored is None:
        return panes_of.no_picture(key, name, "ui.gallery.gone")
    truth = decode(stored.truth, stored.scale) if stored.truth else None
    size = decode(stored.found).size
    reduced = panes_of.reduction(size)
    panes: list[Data] = []
    given = _given(pictures, index) if pictures is not None else None
    if given is not None:
        # an input of another size is drawn over the same area; it is made smaller only as far as it is as large
        panes.append(panes_of.given_pane(panes_of.INPUT, "input", given, panes_of.reduction(given.size)))
    if truth is not None:
        panes.append(panes_of.given_pane(panes_of.REFERENCE, "reference", truth, reduced))
    for v in views[:MOST_MODELS]:
        at = v.image(index) if same_data(v.run, view.run) else None
        if at is None:
            panes.append(panes_of.failed_pane(v.run.model, "ui.det.unseen"))
            continue
        panes.append(_pane(v, at, index, reduced))
    return panes_of.payload(key, name, panes, size, int(view.borders[image]), reduced)


def _given(pictures: Dataset, index: int) -> EnhancedImage | None:
    """What the models were given; None if it cannot be read any more."""
    try:
        return EnhancedImage(pictures[index].image)
    except InputError:
        return None


@lru_cache(24)
def _pane(view: Opened, image: int, index: int, reduced: int) -> Data:
    """A run's pane, kept for a while: its local SSIM takes a moment."""
    stored = view.pictures(index)
    if stored is None:
        return panes_of.failed_pane(view.run.model, "ui.det.unseen")
    numbers = {n: float(c[image]) for n, c in view.columns.items()}
    reference = decode(stored.truth).rgb if stored.truth else None
    picture = decode(stored.found, stored.scale)
    return panes_of.model_pane(view.run.model, picture, reference, numbers, int(view.borders[image]), reduced)


def images_table(
    views: Sequence[Opened],
    selection: Selection,
    order: str = "enh_l2",
    focus: int = 0,
    perceptual: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """One row an image of a selection: every number of the run in focus, and what it is ordered by."""
    view = views[focus]
    places = selected(views, selection, order, focus, perceptual).images
    columns: dict[str, Any] = {"image": [view.ids[i] for i in places], "border": view.borders[places]}
    columns |= {name: values[places] for name, values in view.columns.items()}
    if order != "dataset" and order not in view.columns and order not in LOSSES:
        columns[order] = values_of(views, order, focus, perceptual)[places]
    return pd.DataFrame(columns)
