"""A store with runs of tracking for tests: two short clips, trackers' files written by hand, and a made-up detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dashboard.datasets.opening import open_dataset
from dashboard.evaluation import Settings, evaluate
from dashboard.scoring import score
from dashboard.store import Run, Store
from dashboard.types import Detections
from models.base import ModelAdapter, ModelSpec, Weights
from models.trackers import make_tracker
from models.tracking import TrackingAdapter
from models.tracking_boxes import BoxesForTracking

SIZE = (48, 64)
CLASSES = ("cat", "=dog <b>")
LENGTHS = {"A": 12, "B": 8}
SIDE = 12

Boxes = dict[str, dict[tuple[int, int], tuple[float, float, int]]]
"""(left, top, class from 1) by sequence, then by (frame from 0, identity)."""


def truth() -> Boxes:
    """A: a cat goes right, a dog left; B: a cat that stays."""
    a: dict[tuple[int, int], tuple[float, float, int]] = {}
    for f in range(LENGTHS["A"]):
        a[f, 1] = (2.0 + 2 * f, 4.0, 1)
        a[f, 2] = (46.0 - 2 * f, 30.0, 2)
    return {"A": a, "B": {(f, 3): (20.0, 20.0, 1) for f in range(LENGTHS["B"])}}


def swapped() -> Boxes:
    """In A the two exchange their identities at frame 6; in B the cat is lost for two frames, and nobody is found."""
    found: Boxes = {"A": {}, "B": {}}
    for (f, i), box in truth()["A"].items():
        found["A"][f, 10 + (i if f < 6 else 3 - i)] = box
    for (f, _), box in truth()["B"].items():
        if f not in (3, 4):
            found["B"][f, 5] = box
    found["B"][1, 6] = (45.0, 2.0, 2)
    return found


def mistaken() -> Boxes:
    """Nobody is lost or swapped, but the dog is taken for a cat."""
    found: Boxes = {"A": {}, "B": {}}
    for name, rows in truth().items():
        found[name] = {key: (x, y, 1) for key, (x, y, _) in rows.items()}
    return found


def mot(rows: dict[tuple[int, int], tuple[float, float, int]], score_: float = 1) -> str:
    """As MOTChallenge's text."""
    lines = [f"{f + 1},{i},{x},{y},{SIDE},{SIDE},{score_},{c}\n" for (f, i), (x, y, c) in sorted(rows.items())]
    return "".join(lines)


def data_in(root: Path) -> Any:
    """The clips as a dataset; each picture's first pixel says which it is."""
    folder = root / "clips"
    if not folder.is_dir():
        (folder / "names.txt").parent.mkdir(parents=True)
        (folder / "names.txt").write_text("\n".join(CLASSES), "utf-8")
        for place, (name, rows) in enumerate(truth().items()):
            (folder / name / "gt").mkdir(parents=True)
            (folder / name / "img1").mkdir()
            (folder / name / "gt" / "gt.txt").write_text(mot(rows))
            (folder / name / "seqinfo.ini").write_text(
                f"[Sequence]\nname={name}\nimDir=img1\nframeRate=10\nseqLength={LENGTHS[name]}\n"
                f"imWidth={SIZE[1]}\nimHeight={SIZE[0]}\nimExt=.png\n"
            )
            for frame in range(LENGTHS[name]):
                picture = np.full((*SIZE, 3), 90, np.uint8)
                for (f, i), (x, y, _) in rows.items():
                    if f == frame:
                        picture[int(y) : int(y) + SIDE, int(x) : int(x) + SIDE] = (30, 60 * i, 240)
                picture[0, 0] = place, frame, 0
                assert cv2.imwrite(str(folder / name / "img1" / f"{frame + 1:06d}.png"), picture[..., ::-1])
    return open_dataset(folder, task="tracking", options={"class_list": "names.txt"})


def scored(root: Path, name: str, found: Boxes) -> Run:
    """A run of tracks that were made elsewhere."""
    folder = root / name
    folder.mkdir(exist_ok=True)
    for sequence, rows in found.items():
        (folder / f"{sequence}.txt").write_text(mot(rows))
    return score(data_in(root), folder, Store(root / "store"), name=name)


class Finder(ModelAdapter[Any, Any]):
    """Finds the truth; in A, the cat is not found in frames 5 to 8."""

    device = "cpu"

    def __init__(self) -> None:
        self.spec = ModelSpec("finder", "detection", "fake", "tests", Weights("bundled", "-"), CLASSES)
        self.fingerprint, self.notes = "finder", {}

    def preprocess(self, image: np.ndarray) -> tuple[str, int]:
        return list(LENGTHS)[int(image[0, 0, 0])], int(image[0, 0, 1])

    def forward(self, items: Sequence[Any]) -> list[Any]:
        return list(items)

    def postprocess(self, outputs: list[Any]) -> list[Detections]:
        return [self._found(*item) for item in outputs]

    def _found(self, name: str, frame: int) -> Detections:
        rows = [
            (i, box)
            for (f, i), box in sorted(truth()[name].items())
            if f == frame and not (name == "A" and i == 1 and 5 <= f <= 8)
        ]
        corners = np.array([[x, y, x + SIDE, y + SIDE] for _, (x, y, _) in rows]).reshape(-1, 4)
        classes = np.array([c - 1 for _, (_, _, c) in rows], np.int64)
        return Detections(corners, classes, np.full(len(rows), 0.9), size=SIZE)


def tracked(root: Path, tracker: str = "bytetrack", settings: dict[str, str] | None = None, data: Any = None) -> Run:
    """A run of the made-up detector with a real tracker."""
    adapter = TrackingAdapter(BoxesForTracking(Finder()), make_tracker(tracker, settings))
    return evaluate(adapter, data or data_in(root), Store(root / "store"), Settings(latency=False))
