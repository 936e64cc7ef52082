"""Trackers: what links one frame's detections to the last one's. Each is a class in a ``trackers_*`` file, and a line
in ``TRACKERS``. They know nothing of networks: they take boxes, and some of them the picture."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError, did_you_mean
from dashboard.registry import Registry
from dashboard.types import Detections, Image

Value = float | int | bool | str


@dataclass(frozen=True)
class Setting:
    """Something that a person may choose about a tracker.

    Attributes:
        name: as in ``--set name=value``.
        default: what it is unless set.
        low, high: the range of a number, both ends allowed; 0 and 1 otherwise.
        step: of a slider.
        kind: "float", "int", "bool" or "choice".
        words: one sentence about what it does.
        usual: whether it is among those that people tune first.
        choices: the words that a "choice" can be.
    """

    name: str
    default: Value
    low: float = 0.0
    high: float = 1.0
    step: float = 0.01
    kind: Literal["float", "int", "bool", "choice"] = "float"
    words: str = ""
    usual: bool = False
    choices: tuple[str, ...] = ()

    def read(self, tracker: str, settings: Mapping[str, str]) -> Value:
        """The value asked for, or the default. Raises InputError for anything that is not of its kind and range."""
        text = settings.get(self.name)
        if text is None:
            return self.default
        shown = f"for {tracker}, got {text[:40]!r}."
        if self.kind in ("bool", "choice"):
            words = ("false", "true") if self.kind == "bool" else self.choices
            found = next((word for word in words if word.lower() == text.strip().lower()), None)
            if found is None:
                raise InputError(f"{self.name} must be {', '.join(words[:-1])} or {words[-1]} {shown}")
            return found == "true" if self.kind == "bool" else found
        try:
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan
        whole = self.kind == "int"
        if not self.low <= value <= self.high or (whole and value != int(value)):
            what = "a whole number" if whole else "a number"
            raise InputError(f"{self.name} must be {what} in {self.low:g}..{self.high:g} {shown}")
        return int(value) if whole else value


class Tracker(ABC):
    """One tracker with its settings, for one sequence at a time.

    Args:
        settings: values by name; the others keep their defaults.

    Attributes:
        name: what a person types.
        title: its name as its authors write it.
        settings: what can be chosen.
        source: whose code it is, in words.
        license: SPDX identifier of that code.
        paper: where it is described.
        package: that does the work, as pip calls it; its version is part of the fingerprint.
        needs_images: whether ``update`` looks at the picture, as set now.
        values: every setting as it is now.
        rows: (N,) which detection each track of the last ``update`` was matched with.

    Raises:
        InputError: a setting that it does not have, or a value out of its range; the package it needs is not here.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()
    source: ClassVar[str] = ""
    license: ClassVar[str] = "unknown"
    paper: ClassVar[str] = ""
    package: ClassVar[str] = ""
    needs_images: bool = False

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        missing = self.available()
        if missing:
            raise InputError(missing)
        self.values = self.read(settings or {})
        self.rows: NDArray[np.int64] = np.empty(0, np.int64)
        self.reset()

    @classmethod
    def available(cls) -> str | None:
        """None, or in one sentence why it cannot be used here and what helps."""
        return None

    @classmethod
    def version(cls) -> str:
        """Of the code that tracks."""
        return ""

    @classmethod
    def read(cls, settings: Mapping[str, str]) -> dict[str, Value]:
        """Every setting, as asked for or by default.

        Raises:
            InputError: a setting that it does not have, or a value out of its range.
        """
        known = [setting.name for setting in cls.settings]
        for key in settings:
            if key not in known:
                hint = did_you_mean(key, known) or f" It understands {', '.join(known)}."
                raise InputError(cls.explain(key) or f"{cls.name} has no setting called {key[:80]!r}.{hint}")
        return {setting.name: setting.read(cls.name, settings) for setting in cls.settings}

    @classmethod
    def explain(cls, key: str) -> str:
        """In one sentence why ``key``, which it has elsewhere, cannot be set here; empty if it is none of these."""
        del key
        return ""

    def update(self, found: Detections, image: Image | None = None, size: tuple[int, int] | None = None) -> Detections:
        """The next frame.

        Args:
            found: what a detector found in it: boxes with scores.
            image: (H, W, 3) uint8 RGB; only needed where ``needs_images``.
            size: (height, width) of the frame in pixels; by default that of ``found``.

        Returns:
            The confirmed tracks that are seen in this frame, by ascending identity: ``track_ids`` from 1, boxes as the
            tracker gives them (which may lie a little off the detection, or past the edge), class, score and mask of
            the detection that each was matched with.

        Raises:
            ValueError: detections without scores, or a frame without the picture that it needs.
        """
        if found.scores is None:
            raise ValueError("found must have scores")
        if self.needs_images and image is None:
            raise ValueError(f"{self.name} must see the picture of every frame")
        size = size or found.size
        # a box without area has no shape to predict, and overlaps nothing
        solid = np.flatnonzero((found.xyxy[:, 2:] > found.xyxy[:, :2]).all(1))
        boxes, ids, rows = self._step(found.take(solid), image if self.needs_images else None, size)
        order = np.argsort(ids, kind="stable")
        self.rows = solid[rows[order]]
        tracks = replace(found, size=size).take(self.rows)
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)[order]
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
        return replace(tracks, xyxy=boxes, track_ids=ids[order], areas=None)

    def number(self, name: str) -> float:
        """A setting that is a number, as it is now."""
        return float(self.values[name])

    @abstractmethod
    def reset(self) -> None:
        """Forget everything: the next frame is the first of a sequence, and identities start from 1 again."""

    @abstractmethod
    def _step(
        self, found: Detections, image: Image | None, size: tuple[int, int] | None
    ) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]:
        """One frame: (N, 4) boxes, (N,) identities from 1, and (N,) which of ``found`` each was matched with."""


TRACKERS: Registry[type[Tracker]] = Registry("tracker")
TRACKERS.register("bytetrack", "models.trackers_ultralytics:ByteTrack")
TRACKERS.register("botsort", "models.trackers_ultralytics:BotSort")
TRACKERS.register("ocsort", "models.trackers_ultralytics:OcSort")
TRACKERS.register("deepocsort", "models.trackers_ultralytics:DeepOcSort")
TRACKERS.register("fasttrack", "models.trackers_ultralytics:FastTrack")
TRACKERS.register("tracktrack", "models.trackers_ultralytics:TrackTrack")
TRACKERS.register("sort", "models.trackers_plain:Sort")
TRACKERS.register("iou", "models.trackers_plain:IouTracker")
TRACKERS.register("roboflow-sort", "models.trackers_roboflow:RoboflowSort")
TRACKERS.register("roboflow-bytetrack", "models.trackers_roboflow:RoboflowByteTrack")
TRACKERS.register("roboflow-ocsort", "models.trackers_roboflow:RoboflowOcSort")
TRACKERS.register("roboflow-botsort", "models.trackers_roboflow:RoboflowBotSort")
TRACKERS.register("roboflow-cbiou", "models.trackers_roboflow:RoboflowCbIou")


def make_tracker(name: str, settings: Mapping[str, str] | None = None) -> Tracker:
    """The tracker called ``name``, at the start of a sequence.

    Raises:
        InputError: no such tracker (with close names), or it needs a package that is not here, or has no such setting,
            or a value is out of its range.
    """
    return TRACKERS.get(name)(settings or {})


def available_trackers() -> list[str]:
    """Names of the trackers that can be used here."""
    return [name for name, kind in TRACKERS.items() if kind.available() is None]


def split_name(text: str) -> tuple[str, str] | None:
    """``DETECTOR+TRACKER`` at its last ``+``; None if what stands behind it is no tracker's name."""
    detector, plus, tracker = text.rpartition("+")
    return (detector, tracker) if plus and detector and tracker in TRACKERS else None


def tracker_fingerprint(tracker: Tracker) -> str:
    """A short hash of everything that can change its tracks: its name, its code's version, its settings."""
    config = [tracker.name, tracker.version(), sorted(tracker.values.items())]
    return hashlib.sha256(repr(config).encode()).hexdigest()[:16]


def with_usual(settings: Iterable[Setting], usual: Iterable[str]) -> tuple[Setting, ...]:
    """``settings``, of which those named in ``usual`` come first and are marked."""
    order = list(usual)
    marked = [replace(setting, usual=setting.name in order) for setting in settings]
    return tuple(sorted(marked, key=lambda one: order.index(one.name) if one.usual else len(order)))
