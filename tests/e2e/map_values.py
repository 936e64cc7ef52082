"""Class maps for the page with the compare view: small enough to count their pixels by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from dashboard.explore.class_overlays import map_pane, map_payload
from dashboard.explore.overlays import failed_pane

HEIGHT, WIDTH = 300, 400
NAMES = ["background", "road", "sky <b>"]
IGNORE = 255


def truth() -> np.ndarray:
    """Road 30000 pixels, sky 20000, 10000 that do not count, background 60000."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[150:, :200] = 1
    ids[:100, 200:] = 2
    ids[100:150, 200:] = IGNORE
    return ids


def answer() -> np.ndarray:
    """Road 20 columns too far right (3000 missed, 3000 false); 5000 pixels of sky are taken for road."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[150:, 20:220] = 1
    ids[:100, 200:] = 2
    ids[:50, 200:300] = 1
    return ids


def sure() -> np.ndarray:
    """0 at the left, 1 at the right."""
    return np.repeat(np.linspace(0, 255, WIDTH // 2).astype(np.uint8)[None], HEIGHT // 2, 0)


def judged(key: str = "maps", **options: Any) -> dict[str, Any]:
    """The truth, a model that is a little off, and one that sees nothing but 100 pixels of something else."""
    nothing = np.zeros((HEIGHT, WIDTH), np.uint8)
    nothing[:10, :10] = 3
    panes = [
        map_pane("ui.cmp.truth", truth(), ignore=IGNORE),
        map_pane("first", answer(), confidence=sure(), note="8.1 ms", stages=[1, 6.1, 1]),
        map_pane("second <b>", nothing),
    ]
    return map_payload(key, f"{key}.png", _picture(), panes, [*NAMES, "ui.other"], **options)


def _picture() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.dstack([x * 255 // WIDTH, y * 255 // HEIGHT, (x // 20 + y // 20) % 2 * 90]).astype(np.uint8)


def map_values() -> dict[str, dict[str, Any]]:
    """What the page can show, by name."""
    wide = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) // 400).astype(np.uint16)
    own = map_pane("b", truth(), class_names=["sky <b>", "road", "tree"], ignore=IGNORE)
    one = judged("broken-map")
    one["panes"][1]["map"] = "data:image/png;base64,AAAA"
    return {
        "maps": judged(),
        "maps-other": judged("other-maps"),
        "maps-road": judged(mode="errors", focus_class=1),
        "maps-cell": judged(mode="errors", cell=(2, 1)),
        "maps-plain": map_payload(
            "plain-maps", "p", _picture(), [map_pane("a", answer()), own, failed_pane("c", "c does not fit.")], NAMES
        ),
        "maps-wide": map_payload("wide", "w", None, [map_pane("w", wide)], size=(HEIGHT, WIDTH)),
        "maps-broken": one,
    }
