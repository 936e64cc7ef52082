"""Handlers of the detectors' photos panel, without a browser: what fails stays in its place and the rest goes on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dashboard.errors import InputError
from dashboard.tabs.compare_photos import MOST_PHOTOS, example_photos
from dashboard.tabs.detection_photos import DetectionPhotos
from dashboard.types import Classification
from models.base import OutOfMemory
from tests.e2e.compare_page import Finder


class Failing(Finder):
    """A detector that fails on wide pictures, in the way its name says."""

    def forward(self, items: list[tuple[int, int]]) -> list[tuple[int, int]]:
        if items[0][1] > 100:
            raise OutOfMemory("no room") if self.spec.name == "large" else InputError("it cannot do wide pictures")
        return items


class Classifier(Finder):
    """Says it detects, and classifies."""

    def postprocess(self, outputs: list[tuple[int, int]]) -> list[Any]:
        return [Classification.from_label(0, 2) for _ in outputs]


@pytest.fixture
def panel() -> DetectionPhotos:
    kinds = {"large": Failing, "narrow": Failing, "classifier": Classifier}
    engine: Any = SimpleNamespace(public=False, model=lambda name: kinds.get(name, Finder)(name))
    return DetectionPhotos(engine)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A narrow photo, one that is none, and a wide one."""
    for name, width in (("narrow.png", 80), ("wide.png", 200)):
        cv2.imwrite(str(tmp_path / name), np.full((60, width, 3), 90, np.uint8))
    (tmp_path / "text.png").write_text("hello")
    return [str(tmp_path / name) for name in ("narrow.png", "text.png", "wide.png")]


def test_what_fails_says_so_and_the_rest_goes_on(panel: DetectionPhotos, files: list[str]) -> None:
    looked, strip, first = panel.run(files, ["good", "large", "narrow"], None)
    assert [p["title"] for p in first["panes"]] == ["good", "large", "narrow"]
    assert [i.get("counts") for i in strip["items"]] == [[2, 2, 2], None, [2, None, None]]
    assert strip["items"][1]["error"].startswith("text.png is not an image")  # its name, not where it lies
    second, third = (panel.show(looked, SimpleNamespace(index=i)) for i in (1, 2))  # type: ignore[arg-type]
    assert second["error"].startswith("text.png")
    assert second["panes"] == []
    assert "does not fit in the memory of cpu" in third["panes"][1]["error"]
    assert third["panes"][2]["error"] == "it cannot do wide pictures"
    assert len(third["panes"][0]["xyxy"]) == 3


def test_a_photo_that_has_gone_since(panel: DetectionPhotos, files: list[str]) -> None:
    looked, _, _ = panel.run(files[:1], ["good"], None)
    Path(files[0]).unlink()
    assert "narrow.png does not exist" in panel.show(looked, SimpleNamespace(index=0))["error"]  # type: ignore[arg-type]


def test_stages_add_up(panel: DetectionPhotos, files: list[str]) -> None:
    pane = panel.run(files[:1], ["good"], None)[2]["panes"][0]
    assert pane["stages"][0] >= 2  # it sleeps 2 ms there
    assert float(pane["note"].removesuffix(" ms")) == pytest.approx(sum(pane["stages"]), abs=0.1)


def test_too_many_photos(panel: DetectionPhotos, files: list[str]) -> None:
    _, strip, _ = panel.run(files[:1] * (MOST_PHOTOS + 1), ["good"], None)
    assert len(strip["items"]) == MOST_PHOTOS
    assert f"first {MOST_PHOTOS} of {MOST_PHOTOS + 1}" in strip["notes"][0]


def test_refusals(panel: DetectionPhotos, files: list[str]) -> None:
    with pytest.raises(InputError, match="at least one photo"):
        panel.run(None, ["good"], None)
    for names in ([], list("abcde")):
        with pytest.raises(InputError, match="one to four models"):
            panel.run(files, names, None)
    with pytest.raises(InputError, match="no longer kept"):
        panel.show(None, SimpleNamespace(index=0))  # type: ignore[arg-type]
    assert "does not answer with boxes" in panel.run(files[:1], ["classifier"], None)[2]["panes"][0]["error"]
    panel.engine.public = True
    with pytest.raises(InputError, match="No model is called"):
        panel.run(files, ["/etc/passwd"], None)


def test_examples_are_here_and_come_with_truth(panel: DetectionPhotos) -> None:
    photos = example_photos("instance-segmentation")
    scenes = [p for p in photos if p.truth is not None]
    assert len(scenes) == 5
    assert any(not len(p.truth) for p in scenes)  # one is empty
    assert {"astronaut.png", "coffee.png"} <= {p.name for p in photos}
    looked, _, first = panel.examples(["one", "two", "three"])
    assert [p["title"] for p in first["panes"]] == ["one", "two", "three", "ui.cmp.truth"]
    assert len(panel.run(None, list("abcd"), looked)[2]["panes"]) == 4  # the examples again; no room for the truth
