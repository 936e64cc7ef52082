"""The track player: a video with boxes and identities in up to four panes, over its story on an axis of time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from dashboard.disk import prune_files
from dashboard.views import STATIC, View

PARTS = (
    "compare_draw",
    "tracks_data",
    "tracks_draw",
    "tracks",
    "panzoom",
    "tracks_play",
    "tracks_time",
    "tracks_lanes",
    "tracks_list",
    "tracks_events",
)
"""The view's script, in files by what they are about; one scope."""
KEEP_S = 6 * 3600
MOST_BYTES = 4 << 30


class TracksView(View):
    """One sequence as up to four trackers followed it, in step; playing, seeking and choosing is done in the browser.

    The value is plain JSON, columns in it base64 of little-endian arrays: ``key``, ``title``, ``frames``, ``first``
    (the number shown for frame 0), ``width``, ``height``, ``fps``, ``times`` (float64 seconds of each frame, or None),
    ``video`` (a Gradio file whose k-th frame is frame k, or None), ``class_names``, ``truth`` (boxes, or None), and
    ``panes``, each with ``title``, ``found`` (boxes), ``match``, ``missed``, ``series``, ``lanes``, ``events``,
    ``stages`` and ``fps``; or ``labels`` where a classifier looked at the frames. Boxes are ``offsets`` (uint32, one
    more than frames), ``box`` (float32 xyxy), ``id`` (int32), ``class`` (uint16), ``score`` and ``role`` (uint8).
    ``seek`` is a frame to go to, ``mark`` an event to open at, ``focus`` the pane whose story is told, ``only`` a class
    to be shown without the others. ``{"error": text}`` shows that text.

    ``select`` tells of a chosen mark: ``index`` is ``[pane, event]``, ``value`` has ``key``, ``frame``, ``pane``,
    ``event``, ``kind``, and the identities ``true``, ``from`` and ``to``.
    """

    name = "tracks"

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, **kwargs)
        self.js_on_load = "\n".join((STATIC / f"{part}.js").read_text("utf-8") for part in PARTS)


def film_data(path: str | Path) -> dict[str, Any]:
    """A video file as ``TracksView`` takes it: copied to where Gradio serves files from, under a name nobody can guess.

    Gradio does not count these among its own files and never takes them away: copies that were not asked for in
    ``KEEP_S`` go, and the longest unused where they have more than ``MOST_BYTES`` together.

    Raises:
        OSError: it cannot be copied.
    """
    folder = Path(get_upload_folder()) / "films"
    cached = save_file_to_cache(path, str(folder))
    os.utime(cached)
    prune_files(folder.glob("*/*"), MOST_BYTES, Path(cached), KEEP_S)
    return {"path": cached, "meta": {"_type": "gradio.FileData"}}
