"""A picture and its class maps, as the compare view draws them: PNG. Colours and errors are the browser's work."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.classmaps import ClassIds, encode
from dashboard.explore.overlays import LONGEST, image_data
from dashboard.explore.overview import Data
from dashboard.labels import normalise
from dashboard.types import Image

MODES = ("classes", "errors")
OPACITY = 0.55
TRUTH = "ui.cmp.truth"
"""The title of the pane that holds the truth."""
NO_CLASS = 65535
"""What the browser is told of pixels that do not count, or have no class in the list."""


def background_of(names: Sequence[str]) -> int | None:
    """The class that means "nothing here": the first one, if it is called background; else None."""
    return 0 if names and normalise(names[0]) in ("background", "bg") else None


def map_pane(
    title: str,
    class_ids: ClassIds,
    *,
    confidence: NDArray[np.uint8] | None = None,
    class_names: Sequence[str] | None = None,
    ignore: int | None = None,
    note: str = "",
    stages: Sequence[float] | None = None,
    longest: int = LONGEST,
) -> Data:
    """One pane: the class map of a model, or of the truth.

    Args:
        title: the model's name, or a key of the app's texts; ``TRUTH`` for the truth, which errors are then told by.
        class_ids: (H, W) uint8 or uint16 class numbers.
        confidence: (h, w) uint8, 255 for certainty, of the same picture at any size.
        class_names: of the class numbers, if they are not those given to ``map_payload``. Numbers past them are pixels
            without a class.
        ignore: the number of pixels that do not count.
        note: a few words beside the title ("8.1 ms").
        stages: milliseconds of preprocess, forward and postprocess.
        longest: longer side of the map that is sent, in pixels; larger ones are reduced to the nearest pixels. Areas
            are those of the whole map.

    Raises:
        ValueError: class_ids is not an (H, W) map of uint8 or uint16 with pixels.
    """
    ids: Any = np.asarray(class_ids)
    uri = _uri(reduced(ids, longest))
    often = np.bincount(ids.reshape(-1))
    if ignore is not None and ignore < len(often):
        often[ignore] = 0
    data: Data = {
        "title": title,
        "map": uri,
        "size": list(ids.shape),
        "wide": ids.dtype == np.uint16,
        "areas": [[int(c), float(often[c]) / ids.size] for c in np.flatnonzero(often)],
        "ignore": ignore,
    }
    if confidence is not None:
        data["confidence"] = _uri(reduced(confidence, longest // 2))
    if class_names is not None:
        data["names"] = list(class_names)
    if note:
        data["note"] = note
    if stages is not None:
        data["stages"] = [round(float(ms), 2) for ms in stages]
    return data


def map_payload(
    key: str,
    title: str,
    image: Image | None,
    panes: Sequence[Data],
    class_names: Sequence[str] = (),
    *,
    size: tuple[int, int] | None = None,
    uri: str | None = None,
    truth: ClassIds | None = None,
    colors: Sequence[str] | None = None,
    opacity: float = OPACITY,
    mode: str = "classes",
    focus_class: int | None = None,
    cell: tuple[int, int] | None = None,
    longest: int = LONGEST,
) -> Data:
    """The value of ``CompareView``: a picture and its panes of class maps.

    Classes of panes that brought their own names are merged by name. Errors can be shown where the truth is known: from
    a pane of it, else from ``truth``. It is sent once.

    Args:
        key: says which picture it is; the view keeps zoom while it stays the same.
        title: the picture's name.
        image: (H, W, 3) uint8; None where only ``size`` is known.
        panes: one to four, made by ``map_pane`` or ``overlays.failed_pane``. They are not changed.
        class_names: (C,) names of the class numbers of truth, and of panes without names of their own.
        size: (height, width); the image's by default.
        uri: where the picture is served, or a data URI; made from ``image`` by default.
        truth: (H, W) class numbers, for errors where no pane has them. Numbers past class_names do not count.
        colors: "#rrggbb" a class.
        opacity: of the classes' colours at first, 0..1.
        mode: "classes" or "errors", as shown at first.
        focus_class: the class that errors are shown of at first; all by default.
        cell: (true, answered) class numbers: only these pixels are shown among the errors.
        longest: longer side of the picture and of truth as they are sent, in pixels.

    Raises:
        ValueError: neither an image nor a size, not one to four panes, a map of another size than the picture, or an
            unknown mode.
    """
    if image is None and size is None:
        raise ValueError("image or size must be given")
    if not 1 <= len(panes) <= 4:
        raise ValueError(f"panes must be one to four, got {len(panes)}")
    if mode not in MODES:
        raise ValueError(f"mode must be of {', '.join(MODES)}, got {mode!r}")
    height, width = size if size is not None else image.shape[:2]  # type: ignore[union-attr]
    for shape in [p["size"] for p in panes if "map" in p] + ([] if truth is None else [list(truth.shape)]):
        if shape != [height, width]:
            raise ValueError(f"a class map of {shape} is not of its picture's size, {[height, width]}")
    if uri is None and image is not None:
        uri = image_data(image, longest)
    names = list(class_names)
    if not names:  # numbers that nobody has named are named after themselves
        bare = [c for p in panes if "map" in p and "names" not in p for c, _ in p["areas"]]
        names = [f"class {i}" for i in range(max(bare, default=-1) + 1)]
    placed = [_renumbered(p, names) for p in panes]
    data: Data = {"key": key, "title": title, "width": int(width), "height": int(height), "image": uri, "maps": True}
    data |= {"panes": placed, "classes": names, "background": background_of(names), "mode": mode}
    data |= {"focus": focus_class, "cell": None if cell is None else list(cell), "controls": {"opacity": opacity}}
    if truth is not None and not any(p["title"] == TRUTH and "map" in p for p in placed):
        ids: Any = np.asarray(truth)
        data |= {"truth": _uri(reduced(ids, longest)), "wide": ids.dtype == np.uint16}
        data["lut"] = list(range(len(class_names)))
    if colors is not None:
        data["colors"] = list(colors)
    return data


def reduced(values: Any, longest: int) -> Any:
    """An (H, W) array whose longer side is at most ``longest``, of the pixels nearest to the new ones' centres."""
    scale = longest / max(values.shape)
    if scale >= 1:
        return values
    rows, columns = (
        np.minimum(((np.arange(max(1, round(n * scale))) + 0.5) * n / max(1, round(n * scale))).astype(int), n - 1)
        for n in values.shape
    )
    return values[np.ix_(rows, columns)]


def _uri(ids: Any) -> str:
    return "data:image/png;base64," + base64.b64encode(encode(ids)).decode()


def _renumbered(pane: Data, names: list[str]) -> Data:
    """A copy of a pane with ``lut``, from its own class numbers to the common list, which grows by what it lacks."""
    placed = {k: v for k, v in pane.items() if k not in ("names", "size", "ignore")}
    if "map" not in pane:
        return placed
    own, used = pane.get("names"), {c for c, _ in pane["areas"]}
    if own is None:
        own = list(names)
    number = {name: i for i, name in reversed(list(enumerate(names)))}
    lut = []
    for i, name in enumerate(own):
        same = i < len(names) and names[i] == name  # the same list: names that occur twice stay two classes
        if not same and name not in number and i in used:
            number[name] = len(names)
            names.append(name)
        lut.append(NO_CLASS if i == pane["ignore"] else i if same else number.get(name, NO_CLASS))
    placed["lut"] = lut
    areas: dict[int, float] = {}
    for c, share in pane["areas"]:
        if c < len(lut) and lut[c] != NO_CLASS:
            areas[lut[c]] = areas.get(lut[c], 0.0) + share
    placed["areas"] = [[c, round(share, 6)] for c, share in areas.items()]
    return placed
