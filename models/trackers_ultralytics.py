"""The trackers that the installed Ultralytics carries, through its own classes; defaults from its own YAML files.

Listing them and their settings reads those files only: Ultralytics, and torch with it, is imported when one is made.
Appearance (ReID) is left off: it needs another network, which would have to be downloaded.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dashboard.types import Detections, Image
from models.trackers import Setting, Tracker, Value, with_usual

_REID = ("with_reid", "model", "proximity_thresh", "appearance_thresh", "alpha_fixed_emb", "reid_weight", "iou_weight")
_lock = threading.Lock()  # of the counter that older versions share between all trackers
_USUAL = ("track_high_thresh", "track_low_thresh", "new_track_thresh", "track_buffer", "match_thresh")
_GMC = ("none", "sparseOptFlow", "orb", "sift", "ecc")

# name: (low, high, step, what it does). The defaults come from Ultralytics' own files.
_KNOWN: Mapping[str, tuple[float, float, float, str]] = {
    "track_high_thresh": (0, 1, 0.01, "Detections of at least this score are matched first."),
    "track_low_thresh": (0, 1, 0.01, "Detections above this score, below the first threshold, can keep a track alive."),
    "new_track_thresh": (0, 1, 0.01, "Least score of a detection that begins a new track."),
    "track_buffer": (0, 1000, 1, "Frames for which a lost track can be found again; longer bridges occlusions."),
    "match_thresh": (0, 1, 0.01, "Largest cost, 1 - IoU if nothing else counts, at which a detection is matched."),
    "fuse_score": (0, 1, 1, "Whether the first matching prefers detections of a high score."),
    "delta_t": (1, 30, 1, "Frames over which the direction of motion is measured."),
    "inertia": (0, 1, 0.01, "How much a change of direction costs."),
    "use_byte": (0, 1, 1, "Whether detections of a low score can keep a track alive, as in ByteTrack."),
    "reset_velocity_offset_occ": (0, 60, 1, "Frames back from which a covered track takes its speed."),
    "reset_pos_offset_occ": (0, 60, 1, "Frames back from which a covered track takes its place."),
    "enlarge_bbox_occ": (1, 3, 0.05, "How many times higher the box of a covered track becomes."),
    "dampen_motion_occ": (0, 1, 0.05, "What a covered track's speed is multiplied with."),
    "active_occ_to_lost_thresh": (0, 300, 1, "Frames that a track may be covered before it counts as lost."),
    "occ_cover_thresh": (0, 1, 0.01, "Part of a track's area, covered by another track, from which on it is covered."),
    "occ_reappear_window": (0, 1000, 1, "Frames for which a lost track that was covered can be found again."),
    "init_iou_suppress": (0, 1, 0.01, "No track begins where one of this overlap is already; 1 switches it off."),
    "lost_match_thr": (0, 1, 0.01, "Largest cost in a second matching of lost tracks; 0 switches it off."),
    "conf_weight": (0, 1, 0.01, "How much a change of score costs."),
    "angle_weight": (0, 1, 0.01, "How much a change of direction costs."),
    "penalty_p": (0, 1, 0.01, "What a detection of a low score costs extra."),
    "penalty_q": (0, 1, 0.01, "What a detection costs extra that suppression had removed."),
    "reduce_step": (0, 1, 0.01, "By how much the largest cost shrinks from one round of matching to the next."),
    "tai_thr": (0, 1, 0.01, "No track begins where one, or a surer detection, overlaps by more than this."),
    "min_track_len": (1, 30, 1, "Frames before a new track is shown."),
}


@cache
def _folder() -> Path | None:
    """Where Ultralytics is installed; nothing of it is imported."""
    found = importlib.util.find_spec("ultralytics")
    return Path(found.origin).parent if found is not None and found.origin else None


@cache
def _defaults(name: str) -> Mapping[str, Value]:
    """What Ultralytics sets for the tracker called ``name``; nothing if this version does not have it."""
    import yaml

    path = (_folder() or Path("-")) / "cfg" / "trackers" / f"{name}.yaml"
    if not path.is_file():
        return {}
    found: Mapping[str, Value] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _settings(name: str) -> tuple[Setting, ...]:
    settings: list[Setting] = []
    for key, default in _defaults(name).items():
        if key in ("tracker_type", *_REID):
            continue
        if key == "gmc_method":
            words = "How the camera's own motion is found and taken away; none if it stands still (much faster)."
            settings.append(Setting(key, default, kind="choice", words=words, choices=_GMC))
        elif isinstance(default, (bool, int, float)):  # a newer version may have more than we know
            least, most = min(0, float(default)), max(1, 10 * float(default))
            low, high, step, words = _KNOWN.get(key, (least, most, 0.01, "See Ultralytics' documentation."))
            kind: Any = {bool: "bool", int: "int", float: "float"}[type(default)]
            settings.append(Setting(key, default, low, high, step, kind, words))
    return with_usual(settings, [one for one in (*_USUAL, "gmc_method") if any(s.name == one for s in settings)])


class UltralyticsTracker(Tracker):
    """What they share; a subclass says which one."""

    source = "Ultralytics"
    license = "AGPL-3.0"
    package = "ultralytics"
    kind: ClassVar[str]  # the class in ultralytics.trackers
    module: ClassVar[str]

    @classmethod
    def available(cls) -> str | None:
        """None, or which package is missing or too old."""
        if _folder() is None:
            return f"{cls.name} needs Ultralytics: pip install 'ultralytics>=8.4'."
        if not _defaults(cls.name):
            return f"{cls.name} is not in Ultralytics {cls.version()}: pip install --upgrade ultralytics."
        if importlib.util.find_spec("lap") is None:  # which Ultralytics imports and does not ask for
            return f"{cls.name} needs the package lap: pip install 'lap>=0.5.12'."
        return None

    @classmethod
    def version(cls) -> str:
        """Ultralytics'."""
        return importlib.metadata.version("ultralytics") if _folder() else ""

    @classmethod
    def explain(cls, key: str) -> str:
        """That appearance is not used, if ``key`` is about it."""
        if key not in _REID or key not in _defaults(cls.name):
            return ""
        return (
            f"{key} of {cls.name} is about appearance (ReID), which needs another network and is not used here: "
            "leave it out."
        )

    @property
    def needs_images(self) -> bool:  # type: ignore[override]
        """Whether it takes the camera's motion away, for which it must see the pictures."""
        return self.values.get("gmc_method", "none") != "none"

    def reset(self) -> None:
        """A new one of Ultralytics' objects: nothing can be left over."""
        from models.ultralytics_family import import_ultralytics

        import_ultralytics()
        from importlib import import_module

        with _lock:
            from ultralytics.trackers.basetrack import BaseTrack
            from ultralytics.utils import IterableSimpleNamespace

            kind = getattr(import_module(f"ultralytics.trackers.{self.module}"), self.kind)
            values = {**_defaults(self.name), **self.values, "with_reid": False, "device": "cpu"}
            before, BaseTrack._count = BaseTrack._count, 0
            try:
                self._tracker = kind(IterableSimpleNamespace(**values))
            finally:
                self._count, BaseTrack._count = BaseTrack._count, before

    def _step(
        self, found: Detections, image: Image | None, size: tuple[int, int] | None
    ) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]:
        from ultralytics.engine.results import Boxes
        from ultralytics.trackers.basetrack import BaseTrack

        assert found.scores is not None
        table = np.column_stack([found.xyxy, found.scores, found.class_ids]).astype(np.float32)
        boxes = Boxes(table, size or (1, 1))
        picture = None if image is None else np.ascontiguousarray(image[:, :, ::-1])  # they take BGR
        with _lock:
            before, BaseTrack._count = BaseTrack._count, self._count
            try:
                tracks = np.asarray(self._tracker.update(boxes, picture), np.float64).reshape(-1, 8)
            finally:
                self._count, BaseTrack._count = BaseTrack._count, before
        rows = tracks[:, 7].astype(np.int64)
        seen = (rows >= 0) & (rows < len(found))
        return tracks[seen, :4], tracks[seen, 4].astype(np.int64), rows[seen]


class ByteTrack(UltralyticsTracker):
    """ByteTrack (Zhang et al. 2022): sure detections first, then unsure ones keep tracks alive."""

    name, title, module, kind = "bytetrack", "ByteTrack", "byte_tracker", "BYTETracker"
    paper = "https://arxiv.org/abs/2110.06864"
    settings = _settings("bytetrack")


class BotSort(UltralyticsTracker):
    """BoT-SORT (Aharon et al. 2022): ByteTrack with the camera's motion taken away."""

    name, title, module, kind = "botsort", "BoT-SORT", "bot_sort", "BOTSORT"
    paper = "https://arxiv.org/abs/2206.14651"
    settings = _settings("botsort")


class OcSort(UltralyticsTracker):
    """OC-SORT (Cao et al. 2023): trusts observations more than the motion model, and repairs it after occlusions."""

    name, title, module, kind = "ocsort", "OC-SORT", "oc_sort", "OCSORT"
    paper = "https://arxiv.org/abs/2203.14360"
    settings = _settings("ocsort")


class DeepOcSort(UltralyticsTracker):
    """Deep OC-SORT (Maggiolino et al. 2023), without appearance: OC-SORT that can take the camera's motion away."""

    name, title, module, kind = "deepocsort", "Deep OC-SORT", "deep_oc_sort", "DeepOCSORT"
    paper = "https://arxiv.org/abs/2302.11813"
    settings = _settings("deepocsort")


class FastTrack(UltralyticsTracker):
    """FastTracker (2025): ByteTrack that knows which objects are covered by others."""

    name, title, module, kind = "fasttrack", "FastTracker", "fast_tracker", "FASTTracker"
    paper = "https://arxiv.org/abs/2508.14370"
    settings = _settings("fasttrack")


class TrackTrack(UltralyticsTracker):
    """TrackTrack (Shim et al. 2025), without appearance: each track picks its detection, several cues in one cost."""

    name, title, module, kind = "tracktrack", "TrackTrack", "track_tracker", "TRACKTRACK"
    paper = "Focusing on Tracks for Online Multi-Object Tracking (CVPR 2025)"
    settings = _settings("tracktrack")
