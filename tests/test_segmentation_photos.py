"""Handlers of the segmenters' photos panel, without a browser."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dashboard.errors import InputError
from dashboard.tabs.compare_photos import example_photos
from dashboard.tabs.segmentation_photos import SegmentationPhotos
from dashboard.types import Classification, Segmentation, class_dtype
from models.base import ModelAdapter, ModelSpec, Weights
from tests.fake_segmenter import Softened

NAMES = ("background", "left", "right")


class Halves(ModelAdapter[Any, Any]):
    """Cuts a picture in two; one of two class orders."""

    device = "cpu"

    def __init__(self, name: str) -> None:
        names = NAMES if name != "other" else ("right", "left", "sky", "background")
        self.spec = ModelSpec(name, "semantic-segmentation", "fake", "tests", Weights("bundled", "-"), names)
        self.fingerprint, self.notes = name, {}

    def preprocess(self, image: np.ndarray) -> tuple[int, int]:
        return image.shape[0], image.shape[1]

    def forward(self, items: Any) -> Any:
        return list(items)

    def postprocess(self, outputs: Any) -> list[Any]:
        return [self._answer(size) for size in outputs]

    def _answer(self, size: tuple[int, int]) -> Any:
        if self.spec.name == "classifier":
            return Classification.from_label(0, 2)
        names = self.spec.class_names
        ids = np.full(size, names.index("left"), class_dtype(len(names)))
        ids[:, size[1] // 2 :] = names.index("right")
        return Segmentation(ids, probabilities=Softened(ids, len(names), 0.9) if self.spec.name == "sure" else None)


@pytest.fixture
def panel() -> SegmentationPhotos:
    asked = []

    def model(name: str, task: str) -> Halves:
        asked.append(task)
        return Halves(name)

    engine: Any = SimpleNamespace(public=False, model=model, asked=asked)
    return SegmentationPhotos(engine)


@pytest.fixture
def file(tmp_path: Path) -> str:
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((60, 80, 3), 90, np.uint8))
    return str(tmp_path / "photo.png")


def test_maps_of_several_models_share_their_classes(panel, file):
    _, strip, view = panel.run([file], ["sure", "other"], None)
    assert set(panel.engine.asked) == {"semantic-segmentation"}  # so that an instance segmenter gives class maps
    assert strip["items"][0]["counts"] == [2, 2]
    assert view["maps"] is True
    first, second = view["panes"]
    assert "confidence" in first
    assert "confidence" not in second
    names = view["classes"]
    for pane in (first, second):
        assert {names[c]: share for c, share in pane["areas"]} == {"left": 0.5, "right": 0.5}
    assert "truth" not in view


def test_what_is_no_class_map_says_so(panel, file):
    view = panel.run([file], ["classifier", "sure"], None)[2]
    assert "does not answer with class maps" in view["panes"][0]["error"]
    assert "map" in view["panes"][1]


def test_examples_come_with_truth(panel):
    photos = example_photos("semantic-segmentation")
    assert sum(p.truth is not None for p in photos) == 5
    looked, _, view = panel.examples(["sure"])
    assert [p["title"] for p in view["panes"]] == ["sure", "ui.cmp.truth"]
    names = view["classes"]
    assert {names[c] for c, _ in view["panes"][1]["areas"]} <= {"background", *"0123456789"}
    assert panel.show(looked, SimpleNamespace(index=6))["title"] == "coffee.png"
    with pytest.raises(InputError, match="no longer kept"):
        panel.show(looked, SimpleNamespace(index=99))
