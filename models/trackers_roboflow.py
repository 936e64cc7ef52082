"""The trackers of Roboflow's package ``trackers``, an optional extra; it is imported when one is made.

The same names as elsewhere do not mean the same code: thresholds, motion models and the fate of young tracks differ.
"""

from __future__ import annotations

import importlib.metadata
import warnings
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dashboard.types import Detections, Image
from models.trackers import Setting, Tracker

_LEAST = (2, 6)  # earlier ones have fewer trackers and other settings
_PIP = "pip install 'trackers>=2.6,<3'"
_CMC = ("none", "sparseOptFlow", "orb", "sift", "ecc")


def _buffer() -> Setting:
    words = "Frames for which a lost track can be found again; longer bridges occlusions."
    return Setting("lost_track_buffer", 30, 0, 1000, 1, "int", words, usual=True)


def _begin(default: float) -> Setting:
    words = "Least score of a detection that begins a new track."
    return Setting("track_activation_threshold", default, words=words, usual=True)


def _hits(default: int) -> Setting:
    words = "Frames in a row before a track is shown."
    return Setting("minimum_consecutive_frames", default, 1, 30, 1, "int", words, usual=True)


def _overlap(default: float, stage: str = "", words: str = "Least overlap of a track with a detection.") -> Setting:
    return Setting(f"minimum_iou_threshold{stage}", default, words=words, usual=stage in ("", "_first_assoc"))


def _sure() -> Setting:
    words = "Detections of at least this score are matched first, those above 0.1 later."
    return Setting("high_conf_det_threshold", 0.6, words=words, usual=True)


_STAGES = (
    _buffer(),
    _begin(0.7),
    _hits(2),
    _overlap(0.2, "_first_assoc", "Least overlap, times the score, of a track with a sure detection."),
    _sure(),
    _overlap(0.5, "_second_assoc", "Least overlap of a track with an unsure detection."),
    _overlap(0.3, "_unconfirmed_assoc", "Least overlap, times the score, of a track not shown yet with a detection."),
    Setting(
        "instant_first_frame_activation",
        True,
        kind="bool",
        words="Whether tracks of the first frame are shown at once.",
    ),
)


@cache
def _installed() -> tuple[int, ...]:
    """The version of the package; empty if it is not here."""
    try:
        text = importlib.metadata.version("trackers")
    except importlib.metadata.PackageNotFoundError:
        return ()
    return tuple(int(part) for part in text.split(".")[:3] if part.isdecimal())


class RoboflowTracker(Tracker):
    """What they share; a subclass says which one."""

    source = "Roboflow's trackers"
    license = "Apache-2.0"
    package = "trackers"
    kind: ClassVar[str]  # the class in ``trackers``

    @classmethod
    def available(cls) -> str | None:
        """None, or that the package is missing or too old."""
        if not _installed():
            return f"{cls.name} needs Roboflow's package trackers: {_PIP}."
        if _installed() < _LEAST:
            return f"{cls.name} needs a newer version of Roboflow's package trackers: {_PIP}."
        return None

    @classmethod
    def version(cls) -> str:
        """The package's."""
        return ".".join(map(str, _installed()))

    @property
    def needs_images(self) -> bool:  # type: ignore[override]
        """Whether it takes the camera's motion away, for which it must see the pictures."""
        return self.values.get("cmc_method", "none") != "none"

    def reset(self) -> None:
        """A new one of the package's objects: nothing can be left over."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its import, about parts that are not used here
            import trackers

        values: dict[str, Any] = dict(self.values)
        if "cmc_method" in values:
            values["enable_cmc"] = self.needs_images
            if not self.needs_images:
                del values["cmc_method"]
        self._tracker: Any = getattr(trackers, self.kind)(**values)

    def _step(
        self, found: Detections, image: Image | None, size: tuple[int, int] | None
    ) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]:
        del size
        import supervision

        assert found.scores is not None
        boxes = supervision.Detections(
            xyxy=found.xyxy.astype(np.float32),
            confidence=found.scores.astype(np.float32),
            class_id=found.class_ids,
            data={"row": np.arange(len(found))},  # they come back in another order
        )
        if image is None:
            tracks = self._tracker.update(boxes)
        else:
            tracks = self._tracker.update(boxes, np.ascontiguousarray(image[:, :, ::-1]))  # they take BGR
        ids = np.asarray(tracks.tracker_id if tracks.tracker_id is not None else [], np.int64)
        shown = np.flatnonzero(ids >= 0)
        rows = np.asarray(tracks.data.get("row", []), np.int64)
        return tracks.xyxy[shown], ids[shown] + 1, rows[shown]


class RoboflowSort(RoboflowTracker):
    """SORT, its Kalman filter on the corners."""

    name, title, kind = "roboflow-sort", "SORT", "SORTTracker"
    paper = "https://arxiv.org/abs/1602.00763"
    settings = (_buffer(), _begin(0.25), _hits(3), _overlap(0.3))


class RoboflowByteTrack(RoboflowTracker):
    """ByteTrack."""

    name, title, kind = "roboflow-bytetrack", "ByteTrack", "ByteTrackTracker"
    paper = "https://arxiv.org/abs/2110.06864"
    settings = (_buffer(), _begin(0.7), _hits(2), _overlap(0.1), _sure())


class RoboflowOcSort(RoboflowTracker):
    """OC-SORT."""

    name, title, kind = "roboflow-ocsort", "OC-SORT", "OCSORTTracker"
    paper = "https://arxiv.org/abs/2203.14360"
    settings = (
        _buffer(),
        _hits(3),
        _overlap(0.3),
        _sure(),
        Setting("direction_consistency_weight", 0.2, words="How much a change of direction costs."),
        Setting("delta_t", 3, 1, 30, 1, "int", "Frames over which the direction of motion is measured."),
    )


class RoboflowBotSort(RoboflowTracker):
    """BoT-SORT without appearance."""

    name, title, kind = "roboflow-botsort", "BoT-SORT", "BoTSORTTracker"
    paper = "https://arxiv.org/abs/2206.14651"
    settings = (
        *_STAGES,
        Setting(
            "cmc_method",
            "sparseOptFlow",
            kind="choice",
            words="How the camera's own motion is found and taken away; none if it stands still (much faster).",
            usual=True,
            choices=_CMC,
        ),
    )


class RoboflowCbIou(RoboflowTracker):
    """C-BIoU (Yang et al. 2023): boxes are enlarged before their overlap is measured."""

    name, title, kind = "roboflow-cbiou", "C-BIoU", "CBIoUTracker"
    paper = "https://arxiv.org/abs/2211.14317"
    settings = (
        *_STAGES,
        Setting("buffer_ratio_first", 0.3, words="By how much of its size a box is enlarged, on each side, at first."),
        Setting("buffer_ratio_second", 0.5, words="The same in the second matching."),
    )
