"""Tracking models: a detector and a tracker, ``scenes_small+bytetrack``, ``yolo11n+botsort``, ``best.onnx+ocsort``.

The detector is any that can be loaded; what it finds in a frame is what the tracker sees. Settings go to whom they
belong to: ``--set track_buffer=60 --set conf=0.1``; ``agnostic_iou`` belongs to what is between them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dashboard.errors import InputError, did_you_mean
from dashboard.types import Detections, Image, Prediction
from models import load
from models.base import LoadOptions, ModelAdapter, ModelSpec, Weights, serves
from models.detection import rate_setting
from models.trackers import TRACKERS, Tracker, Value, available_trackers, make_tracker, tracker_fingerprint
from models.tracking_boxes import AGNOSTIC, BoxesForTracking

TASK = "tracking"
LISTED = ("scenes_small", "scenes_nano")
"""Detectors listed with every tracker; all others can be written with a tracker behind them."""
AGNOSTIC_IOU = "agnostic_iou"
"""Setting: the overlap above which the less sure of two boxes of any class goes; 1 keeps all, as Ultralytics does."""
FOR_TRACKING = {"conf": "0.05", "multi_label": "false"}
"""What a detector is asked for unless set otherwise. Trackers look at scores from 0.1 on, and two boxes of one anchor
with two classes would be two objects to them."""


class Tracking:
    """Any detector with any tracker."""

    def specs(self) -> Iterable[ModelSpec]:
        """The built-in detectors with each tracker that can be used here."""
        return [
            _tracking_spec(load.find_spec(name), name, TRACKERS.get(tracker))
            for name in LISTED
            for tracker in available_trackers()
        ]

    def resolve(self, name: str) -> ModelSpec | None:
        """Any detector, by any of its names or as a file, with a tracker behind a ``+``.

        Raises:
            InputError: what stands before the last ``+`` is no detector, or what stands behind it no tracker.
        """
        detector, plus, tracker = name.rpartition("+")
        if not (plus and detector):
            return None
        path = load.as_file(detector)
        if tracker not in TRACKERS:
            if path is None and not _is_detector(detector):
                return None
            hint = did_you_mean(tracker, TRACKERS.names()) or f" There are {', '.join(TRACKERS.names())}."
            raise InputError(f"No tracker is called {tracker[:80]!r}.{hint}")
        if path is not None:
            weights = Weights("file", str(path), path.stat().st_size)
            return ModelSpec(name, TASK, TASK, "a file", weights, preprocessing="the file's own")
        spec = load.find_spec(detector)
        if not serves(spec.task, "detection"):
            raise InputError(f"{spec.name} is a model for {spec.task}: a tracker needs a detector, such as yolo11n.")
        return _tracking_spec(spec, detector, TRACKERS.get(tracker))

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the detector's weights can be loaded without a download, and the tracker used."""
        name, tracker = parts(spec.name)
        if TRACKERS.get(tracker).available() is not None:
            return False
        if spec.weights.origin == "file":
            return True
        detector = load.find_spec(name)
        return load.family(detector.family).is_here(detector)

    def check_settings(self, name: str, settings: Mapping[str, str]) -> None:
        """Quick refusal of what neither the detector nor the tracker understands, or that cannot be loaded.

        Raises:
            InputError: a setting of neither, a value out of a tracker's range, a package that is missing.
        """
        detector, tracker = parts(name)
        kind = TRACKERS.get(tracker)
        missing = kind.available()
        if missing:
            raise InputError(missing)
        of_tracker, of_detector = split_settings(name, settings)
        kind.read(of_tracker)
        rate_setting(settings, AGNOSTIC_IOU, AGNOSTIC)
        load.check_loadable(detector, None, of_detector)

    def load(self, spec: ModelSpec, options: LoadOptions) -> TrackingAdapter:
        """Load the detector, and make a tracker.

        Raises:
            InputError: what the detector's family, or the tracker, refuses.
        """
        name, tracker = parts(spec.name)
        of_tracker, of_detector = split_settings(spec.name, options.settings)
        made = make_tracker(tracker, of_tracker)
        known = load.known_settings_of(name) or ()
        usual = {key: value for key, value in FOR_TRACKING.items() if key in known}
        wanted = replace(options, task="detection", settings={**usual, **of_detector})
        overlap = rate_setting(options.settings, AGNOSTIC_IOU, AGNOSTIC)
        return TrackingAdapter(BoxesForTracking(load.load_model(name, wanted), overlap), made)


class TrackingAdapter(ModelAdapter[Any, Any]):
    """A detector and a tracker. The three steps are the detector's own, and give boxes without identities.

    ``predict`` is both, on frames that follow each other; who has the detections of many frames calls
    ``tracker.update`` with them.

    Args:
        detector: what the tracker sees; it is closed with this.
        tracker: fresh.

    Attributes:
        detector: as given. Its fingerprint is that of the detections, whatever tracker follows.
        tracker: as given.
        tracker_settings: every setting of the tracker.
    """

    def __init__(self, detector: BoxesForTracking, tracker: Tracker) -> None:
        self.detector, self.tracker = detector, tracker
        self.device = detector.device
        self.spec = _tracking_spec(detector.spec, detector.spec.name, type(tracker))
        self.fingerprint = combined_fingerprint(detector.fingerprint, tracker)

    @property
    def tracker_settings(self) -> dict[str, Value]:
        """Every setting of the tracker, as it is now."""
        return dict(self.tracker.values)

    @property
    def notes(self) -> dict[str, Any]:  # type: ignore[override]
        """The detector's, and how the tracker is set."""
        return {**self.detector.notes, "tracker": self.tracker.title, **self.tracker.values}

    @property
    def network(self) -> Any:
        """The detector's, for profiling."""
        return self.detector.network

    def preprocess(self, image: Image) -> Any:
        """The detector's."""
        return self.detector.preprocess(image)

    def forward(self, items: Sequence[Any]) -> Any:
        """The detector's."""
        return self.detector.forward(items)

    def postprocess(self, outputs: Any) -> list[Prediction]:
        """The detector's boxes, not tracked yet."""
        return self.detector.postprocess(outputs)

    def predict(self, images: Sequence[Image]) -> list[Prediction]:
        """Tracks in frames, (H, W, 3) uint8 RGB, that follow each other and those of the last call."""
        tracks: list[Prediction] = []
        for found, image in zip(super().predict(images), images, strict=True):
            assert isinstance(found, Detections)
            tracks.append(self.tracker.update(found, image if self.tracker.needs_images else None))
        return tracks

    def fusion_gain(self, batch_size: int = 8, rounds: int = 5) -> float:
        """The detector's."""
        return self.detector.fusion_gain(batch_size, rounds)

    def reset(self) -> None:
        """A new sequence begins."""
        self.detector.reset()
        self.tracker.reset()

    def close(self) -> None:
        """Drop the network."""
        self.detector.close()


def _tracking_spec(detector: ModelSpec, name: str, tracker: type[Tracker]) -> ModelSpec:
    source = f"{detector.source}; {tracker.title} of {tracker.source}"
    return replace(detector, name=f"{name}+{tracker.name}", task=TASK, family=TASK, source=source)


def combined_fingerprint(detector: str, tracker: Tracker) -> str:
    """That of an adapter, from the detector's and a tracker: what stored detections need to be tracked anew."""
    return hashlib.sha256(f"{detector} {tracker_fingerprint(tracker)}".encode()).hexdigest()[:16]


def parts(name: str) -> tuple[str, str]:
    """The detector and the tracker in ``DETECTOR+TRACKER``."""
    detector, _, tracker = name.rpartition("+")
    return detector, tracker


def split_settings(name: str, settings: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Settings of ``DETECTOR+TRACKER`` to those of the tracker and those of the detector.

    Raises:
        InputError: a key that neither understands.
    """
    detector, tracker = parts(name)
    of_tracker = [setting.name for setting in TRACKERS.get(tracker).settings]
    known = load.known_settings_of(detector)
    for key in settings:
        if known is not None and key not in (*of_tracker, *known, AGNOSTIC_IOU, *load.SETTINGS_OF_ALL):
            why = TRACKERS.get(tracker).explain(key)
            hint = did_you_mean(key, [*of_tracker, *known, AGNOSTIC_IOU])
            hint = hint or f" The tracker understands {', '.join(of_tracker)}, the detector {', '.join(known)}."
            raise InputError(why or f"{name} has no setting called {key[:80]!r}.{hint}")
    tracked = {key: value for key, value in settings.items() if key in of_tracker}
    return tracked, {key: value for key, value in settings.items() if key not in (*tracked, AGNOSTIC_IOU)}


def _is_detector(name: str) -> bool:
    try:
        return serves(load.find_spec(name).task, "detection")
    except InputError:
        return False
