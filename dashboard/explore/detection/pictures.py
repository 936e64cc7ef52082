"""The pictures behind a selection: small ones with their boxes, and one large in panes beside its truth."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.explore import overlays
from dashboard.explore.detection.opened import Opened
from dashboard.explore.detection.selecting import Selected, Selection, selected
from dashboard.explore.overview import UNSEEN, Data, json_number, same_data
from dashboard.explore.small import MISSED, RIGHT, WRONG, Thumb, jpeg_uri, small_picture
from dashboard.metrics.detection.losses import confidence_losses, pair_losses
from dashboard.metrics.detection.matching import IOUS, bit
from dashboard.metrics.detection.operating import Outcome, Point, outcome
from dashboard.metrics.detection.precision import RECALLS
from dashboard.metrics.detection.tide import CAUSES
from dashboard.types import Image

TABLE = ["image", "state", "class", "true_class", "score", "selected", "x1", "y1", "x2", "y2"]


def gallery_data(
    views: Sequence[Opened],
    pictures: Dataset | None,
    selection: Selection,
    point: Point,
    order: str = "dataset",
    focus: int = 0,
    start: int = 0,
    most: int = 24,
    thumb: Thumb = small_picture,
) -> tuple[Data, list[int]]:
    """Cards ``start`` to ``most`` of a selection, and all its dataset positions in order."""
    view = views[focus]
    chosen = selected(view, selection, point, order)
    outcomes = [outcome(v.matches, point) for v in views]
    cards = []
    for image, value in zip(chosen.images[start:most], chosen.values[start:most], strict=True):
        index = int(view.index[image])
        card: Data = {"id": view.batch.ids[image], "index": index, "truth": None, "answers": []}
        for v, out in zip(views, outcomes, strict=True):
            at = v.image(index) if same_data(v.run, view.run) else None
            card["answers"].append(UNSEEN if at is None else _tally(v, out, at))
        if order != "dataset":
            card["loss"] = json_number(value)
        picture = thumb(pictures, index) if pictures is not None else None
        card["thumb"] = None if picture is None else _drawn(picture, view, outcomes[focus], int(image), chosen)
        cards.append(card)
    data = {
        "cards": cards,
        "total": len(chosen.images),
        "title": title_of(selection, view.names, point),
        "reset": selection["kind"] != "all",
        "start": start,
        "stamp": uuid.uuid4().hex,
    }
    return data, [int(view.index[i]) for i in chosen.images]


def out_of(view: Opened, flags: NDArray[np.bool_], image: int, truth: bool = False) -> NDArray[np.bool_]:
    """The flags of an image's objects."""
    m = view.matches
    return flags[(m.truth_image if truth else m.image) == image]


def _tally(view: Opened, out: Outcome, image: int) -> Data:
    """What a run got right and wrong in an image."""
    tp, fp = (int(out_of(view, f, image).sum()) for f in (out.tp, out.fp))
    fn = int(out_of(view, out.missed, image, truth=True).sum())
    return {"text": f"{tp} ✓ {fp} ✕ {fn} ?", "right": fp + fn == 0, "confidence": None, "bare": True}


def title_of(selection: Selection, names: Sequence[str], point: Point) -> Data:
    """A selection in words: a text key and its facts."""
    kind = selection["kind"]
    labels = [*names, "ui.background"]
    facts = {k: labels[selection[k]] for k in ("class", "true", "predicted") if selection.get(k) is not None}
    facts |= {k: f"{selection[k]:.2f}" for k in ("low", "high") if k in selection}
    facts |= {"t": f"{point.confidence:.2f}", "iou": f"{point.threshold:.2f}"}
    if kind == "recall":
        facts["recall"] = f"{RECALLS[selection['step']]:.2f}"
    if kind == "loose":
        facts["strict"] = f"{IOUS[selection['iou']]:.2f}"
    if kind == "objects":
        low, high = int(np.ceil(selection["low"])), int(np.floor(selection["high"]))
        facts["n"] = str(low) if low == high else f"{low}–{high}"
    suffix = {"cause": selection.get("cause"), "size": selection.get("size"), "bin": selection.get("of")}.get(kind)
    if kind == "loose" and not selection["iou"]:
        suffix = "none"
    if kind == "score" and selection.get("class") is None:
        suffix = "any"
    return {"key": f"ui.det.selection.{kind}" + (f".{suffix}" if suffix else ""), "vars": facts}


def _drawn(picture: Image, view: Opened, out: Outcome, image: int, chosen: Selected) -> str:
    """A small picture with its boxes as a JPEG data URI: right ones solid, wrong ones with a cross, misses dashed."""
    canvas = picture.copy()  # the small picture is kept for other runs and points
    height, width = view.batch.sizes[image]
    scale = np.array([canvas.shape[1] / max(1, width), canvas.shape[0] / max(1, height)] * 2)
    m, batch = view.matches, view.batch
    anything = bool(chosen.found.any() or chosen.truth.any())

    def draw(xyxy: NDArray[np.float64], color: tuple[int, int, int], meant: bool, style: str) -> None:
        x1, y1, x2, y2 = (round(float(v)) for v in xyxy * scale)
        thick = 2 if meant or not anything else 1
        if style == "dashed":
            for a, b in _dashes(x1, y1, x2, y2):
                cv2.line(canvas, a, b, color, thick)
        else:
            cv2.rectangle(canvas, (x1, y1), (x2, y2), color, thick)
        if style == "crossed":
            cv2.line(canvas, (x1, y1), (min(x1 + 8, x2), min(y1 + 8, y2)), color, thick)
            cv2.line(canvas, (x1, min(y1 + 8, y2)), (min(x1 + 8, x2), y1), color, thick)

    for g in np.flatnonzero((m.truth_image == image) & out.missed):
        draw(batch.truth.xyxy[g], MISSED, bool(chosen.truth[g]), "dashed")
    for d in np.flatnonzero((m.image == image) & (out.tp | out.fp)):
        right = bool(out.tp[d])
        color, style = (RIGHT, "solid") if right else (WRONG, "crossed")
        draw(batch.found.xyxy[m.row[d]], color, bool(chosen.found[d]), style)
    return jpeg_uri(canvas)


def _dashes(x1: int, y1: int, x2: int, y2: int, step: int = 5) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pieces of a rectangle's outline."""
    found = []
    for a, b in (((x1, y1), (x2, y1)), ((x2, y1), (x2, y2)), ((x1, y2), (x2, y2)), ((x1, y1), (x1, y2))):
        length = max(abs(b[0] - a[0]), abs(b[1] - a[1]))
        for s in range(0, max(length, 1), 2 * step):
            ends = [min(s + k, length) / max(length, 1) for k in (0, step)]
            p, q = (tuple(round(a[i] + (b[i] - a[i]) * e) for i in (0, 1)) for e in ends)
            found.append((p, q))
    return found  # type: ignore[return-value]


def compare_data(
    views: Sequence[Opened], pictures: Dataset | None, index: int, point: Point, selection: Selection, focus: int = 0
) -> Data:
    """One picture large: its truth, and each run's objects judged at the point's IoU, in panes."""
    view = views[focus]
    image = view.image(index)
    if image is None:
        raise InputError("There is no such picture: reload the page and click again.")
    name = view.batch.ids[image]
    truth, _ = view.truth(image)
    panes = [overlays.pane("ui.cmp.truth", truth, class_names=view.names)]
    meant = selected(view, selection, point)
    shown: tuple[int, int] | None = None
    for k, v in enumerate(views[:3]):
        at = v.image(index) if same_data(v.run, view.run) else None
        if at is None:
            panes.append(overlays.failed_pane(v.run.model, "ui.det.unseen"))
            continue
        panes.append(_judged(v, at, point))
        if k == focus and selection["kind"] not in ("all", "class", "objects"):
            rows = v.matches.row[(v.matches.image == at) & meant.found] - np.searchsorted(v.batch.found.image, at)
            places = panes[-1]["at"]
            shown = next(((len(panes) - 1, places.index(r)) for r in rows.tolist() if r in places), None)
    uri, size = None, (int(view.batch.sizes[image, 0]), int(view.batch.sizes[image, 1]))
    if pictures is not None:
        try:
            uri, size = _large(pictures, index)  # type: ignore[arg-type]
        except InputError as error:
            return overlays.no_picture(f"{index}", name, str(error))
    if not size[0]:
        return overlays.no_picture(f"{index}", name, "ui.gallery.gone")
    how: Data = {"size": size, "uri": uri, "confidence": point.confidence, "selected": shown}
    return overlays.picture_payload(f"{index}", name, None, panes, **how)


@lru_cache(4)  # a slider that moves shows the same picture again and again
def _large(pictures: Dataset, index: int) -> tuple[str, tuple[int, int]]:
    """A picture as a data URI, and its height and width. Raises InputError if it cannot be read."""
    picture = pictures[index].image
    return overlays.image_data(picture), (picture.shape[0], picture.shape[1])


def _judged(view: Opened, image: int, point: Point) -> Data:
    """A run's pane: every detection is right, wrong or neither at the point's IoU, whatever the confidence."""
    m = view.matches
    found, rows = view.found(image)
    truth, true_rows = view.truth(image)
    places = view.place[rows]
    kept = places >= 0
    kept[kept] = m.rank[places[kept]] < point.most
    found, rows, places = found.take(kept), rows[kept], places[kept]
    one = bit(point.iou)
    hit, ignored = (m.hit[places] & one) != 0, (m.ignored[places] & one) != 0
    states = np.where(hit, "tp", np.where(ignored, "ignored", "fp")).tolist()
    pair = _partners(view, places, point)
    facts = object_facts(view, places, pair, point)
    local = [int(p - true_rows[0]) if p >= 0 else None for p in pair]
    data = overlays.pane(view.run.model, found, states, facts, local, class_names=view.names, truth=truth, floor=0.01)
    offset = np.flatnonzero(kept)
    data["at"] = [None if a is None else int(offset[a]) for a in data["at"]]
    return data


def _partners(view: Opened, places: NDArray[np.int64], point: Point) -> NDArray[np.int64]:
    """The truth of each detection that is right, -1 for the others."""
    m = view.matches
    partner = np.full(len(m), -1)
    mine = ((m.pair_hit & bit(point.iou)) != 0) & np.isin(m.pair_found, places)
    partner[m.pair_found[mine]] = m.pair_truth[mine]
    return partner[places]


def object_facts(
    view: Opened, places: NDArray[np.int64], pair: NDArray[np.int64], point: Point
) -> list[dict[str, Any]]:
    """What a click on a detection shows: its IoU, its losses, and why it is wrong."""
    m, batch = view.matches, view.batch
    right = (m.hit[places] & bit(point.iou)) != 0
    nearest = np.where(pair >= 0, pair, view.near.same_truth[places])
    known = nearest >= 0
    table: dict[str, NDArray[np.float64]] = {}
    if known.any():
        a, b = batch.found.xyxy[m.row[places[known]]], batch.truth.xyxy[nearest[known]]
        overlap = None if view.kind == "bbox" else view.near.same[places[known]]
        for name, values in pair_losses(a, b, overlap).items():
            table[name] = np.full(len(places), np.nan)
            table[name][known] = values
    table |= confidence_losses(m.scores[places], right)
    facts: list[dict[str, Any]] = []
    for i, place in enumerate(places):
        own: dict[str, Any] = {"iou": view.near.same[place]}
        own |= {name: values[i] for name, values in table.items() if not np.isnan(values[i])}
        cause = view.causes.found[place]
        if cause >= 0:
            own["cause"] = f"ui.cause.{CAUSES[cause]}"
        facts.append(own)
    return facts


def objects_table(view: Opened, selection: Selection, point: Point, order: str = "dataset") -> pd.DataFrame:
    """Every object in the images of a selection: one row a detection or missed truth, with its losses."""
    chosen = selected(view, selection, point, order)
    out = outcome(view.matches, point)
    m = view.matches
    kept = np.flatnonzero((out.tp | out.fp) & np.isin(m.image, chosen.images))
    pair = _partners(view, kept, point)
    lost = np.flatnonzero(out.missed & np.isin(m.truth_image, chosen.images))
    rank = np.full(len(view.batch), len(view.batch))
    rank[chosen.images] = np.arange(len(chosen.images))
    names = np.array([*view.names, ""], dtype=object)
    facts = object_facts(view, kept, pair, point)
    rows = [
        {"image": view.batch.ids[m.image[d]], "state": "TP" if out.tp[d] else "FP", "class": names[m.classes[d]]}
        | {"true_class": names[m.truth_class[p]] if p >= 0 else "", "score": m.scores[d], "selected": chosen.found[d]}
        | dict(zip(("x1", "y1", "x2", "y2"), view.batch.found.xyxy[m.row[d]], strict=True))
        | {k: v.removeprefix("ui.cause.") if isinstance(v, str) else v for k, v in fact.items()}
        | {"rank": rank[m.image[d]]}
        for d, p, fact in zip(kept, pair, facts, strict=True)
    ]
    rows += [
        {"image": view.batch.ids[m.truth_image[g]], "state": "FN", "class": "", "true_class": names[m.truth_class[g]]}
        | dict(zip(("x1", "y1", "x2", "y2"), view.batch.truth.xyxy[g], strict=True))
        | {"selected": chosen.truth[g], "rank": rank[m.truth_image[g]]}
        for g in lost
    ]
    table = pd.DataFrame(rows, columns=None if rows else TABLE)
    return table.sort_values("rank", kind="stable").drop(columns="rank") if len(table) else table
