"""A picture and what models see in it, as the compare view draws it: plain JSON, boxes in the picture's own pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.explore.overview import Data
from dashboard.explore.pictures import thumb_data
from dashboard.types import Detections, Image

STATES = ("plain", "truth", "tp", "fp", "fn", "ignored")
"""How an object is drawn: without judgement, truth, true positive, false positive, missed truth, neither."""
LONGEST = 1600
CONFIDENCE, FLOOR = 0.25, 0.05
MOST = 1000


def image_data(image: Image, longest: int = LONGEST) -> str:
    """A picture, (H, W, 3) or (H, W) uint8, as a JPEG data URI whose longer side is at most ``longest`` pixels."""
    return thumb_data(image, longest)


def pane(
    title: str,
    detections: Detections,
    states: Sequence[str] | None = None,
    facts: Sequence[Mapping[str, Any] | None] | None = None,
    pair: Sequence[int | None] | None = None,
    *,
    class_names: Sequence[str] | None = None,
    truth: Detections | None = None,
    note: str = "",
    stages: Sequence[float] | None = None,
    floor: float = FLOOR,
    most: int = MOST,
) -> Data:
    """One pane: the objects of a model, or of the truth.

    Objects with a score below ``floor`` are left out, and all but the ``most`` surest; ``more`` counts the latter.

    Args:
        title: the model's name, or a key of the app's texts ("ui.cmp.truth").
        detections: what is drawn, N objects.
        states: N of ``STATES``; by default "truth" for objects without scores ("ignored" for crowds and objects that
            need not be found), else "plain".
        facts: N mappings (or None) of what a click on the object shows, by metric name: {"iou": 0.83, ...}.
        pair: N positions in the truth (or None) that the objects are matched to. Objects of all panes with the same
            one light up together; a truth is its own by default.
        class_names: the model's own, if they are not those given to ``picture_payload``.
        truth: with it, truth that no "tp" above the chosen confidence is paired with is drawn as missed ("fn"). The
            view decides that anew at every confidence: in matching from the surest down, leaving out the less sure
            ones does not change the matches of the others.
        note: a few words beside the title ("8.1 ms").
        stages: milliseconds of preprocess, forward and postprocess.
        floor: lowest score that can be shown.
        most: objects at most.

    Raises:
        ValueError: states, facts or pair of another length, an unknown state.
    """
    count = len(detections)
    states = list(states) if states is not None else _states(detections)
    for name, value in (("states", states), ("facts", facts), ("pair", pair)):
        if value is not None and len(value) != count:
            raise ValueError(f"{name} must be one an object, {count}, got {len(value)}")
    for state in states:
        if state not in STATES:
            raise ValueError(f"states must be of {', '.join(STATES)}, got {state!r}")
    keep, more = _kept(detections.scores, count, floor, most)
    some = detections.take(keep)
    data: Data = {
        "title": title,
        "xyxy": _boxes(some),
        "class": some.class_ids.tolist(),
        "score": [None] * len(some) if some.scores is None else some.scores.round(4).tolist(),
        "state": [states[i] for i in keep],
        "facts": [_plain(facts[i]) if facts is not None else None for i in keep],
        "pair": [_position(pair[i]) if pair is not None else None for i in keep],
        "at": keep.tolist(),
        "floor": floor,
    }
    rle = _runs(some)
    if truth is not None:
        rle += _add_missed(data, truth)
    if any(rle):
        data["rle"] = rle
    if class_names is not None:
        data["names"] = list(class_names)
    if note:
        data["note"] = note
    if stages is not None:
        data["stages"] = [round(float(ms), 2) for ms in stages]
    if more:
        data["more"] = more
    return data


def failed_pane(title: str, error: str) -> Data:
    """A pane that says in one sentence why there is nothing in it."""
    return {"title": title, "error": error, "xyxy": [], "class": [], "score": [], "state": [], "facts": [], "pair": []}


def no_picture(key: str, title: str, error: str) -> Data:
    """The view with a sentence in the place of a picture."""
    return {"key": key, "title": title, "error": error, "panes": []}


def picture_payload(
    key: str,
    title: str,
    image: Image | None,
    panes: Sequence[Data],
    class_names: Sequence[str] = (),
    *,
    size: tuple[int, int] | None = None,
    uri: str | None = None,
    colors: Sequence[str] | None = None,
    confidence: float = CONFIDENCE,
    selected: tuple[int, int] | None = None,
    longest: int = LONGEST,
) -> Data:
    """The value of ``CompareView``: a picture and its panes.

    Classes of panes that brought their own names are merged by name.

    Args:
        key: says which picture it is; the view keeps zoom and class filter while it stays the same.
        title: the picture's name.
        image: (H, W, 3) uint8; None where only ``size`` is known (boxes are drawn on an empty ground).
        panes: one to four, made by ``pane`` or ``failed_pane``. They are not changed.
        class_names: (C,) names of the class ids of panes without names of their own.
        size: (height, width) that boxes refer to; the image's by default.
        uri: where the picture is served, or a data URI made before; made from ``image`` by default.
        colors: "#rrggbb" a class, for objects without judgement.
        confidence: where the slider stands at first, 0..1. It goes down to the panes' highest floor.
        selected: (pane, object) whose card is open at first.
        longest: longer side of the picture that is sent, in pixels.

    Raises:
        ValueError: neither an image nor a size, or not one to four panes.
    """
    if image is None and size is None:
        raise ValueError("image or size must be given")
    if not 1 <= len(panes) <= 4:
        raise ValueError(f"panes must be one to four, got {len(panes)}")
    height, width = size if size is not None else image.shape[:2]  # type: ignore[union-attr]
    if uri is None and image is not None:
        uri = image_data(image, longest)
    names = list(class_names)
    placed = [_renumbered(p, names) for p in panes]
    floor = max((p["floor"] for p in panes if any(s is not None for s in p["score"])), default=FLOOR)
    data: Data = {"key": key, "title": title, "width": int(width), "height": int(height), "image": uri}
    data |= {"panes": placed, "masks": any("rle" in p for p in placed)}
    data |= {"classes": _used(names, placed), "controls": {"confidence": confidence, "floor": floor}}
    if colors is not None:
        data["colors"] = list(colors)
    if selected is not None:
        data["selected"] = list(selected)
    return data


def _states(detections: Detections) -> list[str]:
    """Of objects that nobody has judged."""
    if detections.scores is not None:
        return ["plain"] * len(detections)
    aside = _aside(detections)
    return ["ignored" if a else "truth" for a in aside]


def _aside(truth: Detections) -> NDArray[np.bool_]:
    """(N,) truth that need not be found."""
    aside = np.zeros(len(truth), bool)
    for flags in (truth.crowd, truth.ignore):
        if flags is not None:
            aside |= flags
    return aside


def _kept(scores: NDArray[np.float64] | None, count: int, floor: float, most: int) -> tuple[NDArray[np.intp], int]:
    """Positions to draw, in order, and how many more there would be."""
    keep = np.arange(count) if scores is None else np.flatnonzero(scores >= floor)
    more = max(0, len(keep) - most)
    if more:
        best = keep[:most] if scores is None else keep[np.argsort(-scores[keep], kind="stable")[:most]]
        keep = np.sort(best)
    return keep, more


def _boxes(detections: Detections) -> list[list[float]]:
    """Coordinates to a tenth of a pixel."""
    return detections.xyxy.round(1).tolist()


def _runs(detections: Detections) -> list[str | None]:
    """Masks as text, which JSON can hold."""
    masks = detections.masks
    return [None] * len(detections) if masks is None else [m.decode("ascii") for m in masks]


def _add_missed(data: Data, truth: Detections) -> list[str | None]:
    """Append the truth that has to be found as "fn"; returns its masks."""
    wanted = np.flatnonzero(~_aside(truth))
    some = truth.take(wanted)
    data["xyxy"] += _boxes(some)
    data["class"] += some.class_ids.tolist()
    data["pair"] += wanted.tolist()
    for name, value in (("score", None), ("state", "fn"), ("facts", None), ("at", None)):
        data[name] += [value] * len(some)
    return _runs(some)


def _plain(facts: Mapping[str, Any] | None) -> Data | None:
    """Facts as JSON has them: undefined is None."""
    if facts is None:
        return None

    def plain(value: Any) -> Any:
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, float):
            return round(value, 4) if np.isfinite(value) else None
        return value if value is None or isinstance(value, (int, str)) else str(value)

    return {str(name): plain(value) for name, value in facts.items()}


def _position(value: int | None) -> int | None:
    return None if value is None or value < 0 else int(value)


def _renumbered(pane: Data, names: list[str]) -> Data:
    """A copy of a pane with class numbers of the common list, which grows by the names that it lacks."""
    own = pane.get("names")
    placed = {k: v for k, v in pane.items() if k not in ("names", "floor")}
    if own is None:
        return placed
    number = {name: i for i, name in reversed(list(enumerate(names)))}
    to: dict[int, int] = {}
    for i in sorted(set(pane["class"])):
        name = own[i] if i < len(own) else f"class {i}"
        if name not in number:
            number[name] = len(names)
            names.append(name)
        to[i] = number[name]
    placed["class"] = [to[i] for i in pane["class"]]
    return placed


def _used(names: Sequence[str], panes: Sequence[Data]) -> list[str]:
    """The list up to the last class that occurs; numbers past it are named after themselves."""
    last = max((i for p in panes for i in p["class"]), default=-1)
    return [names[i] if i < len(names) else f"class {i}" for i in range(last + 1)]
