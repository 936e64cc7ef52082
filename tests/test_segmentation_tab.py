"""Handlers of the segmentation tab, without a browser: what a click shows, and odd clicks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore.brightness import brightness, mean_luma
from dashboard.store import Store
from dashboard.tabs.explorer import START, gather
from dashboard.tabs.segmentation_results import OUTPUTS, Controls, SegmentationResults
from tests.fake_segmenter import FakeMaps, FakeSegmenter

LIVE = Controls()


def click(value: Any = None, index: Any = 0) -> Any:
    return SimpleNamespace(value=value, index=index)


@pytest.fixture
def do(tmp_path, monkeypatch):
    for name in ("first", "second"):
        evaluate(FakeSegmenter(name=name), FakeMaps(), Store(tmp_path), Settings(latency=False, batch_size=4))
    made = SegmentationResults(Engine(tmp_path), ("semantic-segmentation",))
    monkeypatch.setattr(made.engine, "pictures", lambda run: FakeMaps())
    monkeypatch.setattr(made, "thumb", lambda pictures, index: pictures[index].image)
    return made


def state_of(do: SegmentationResults) -> dict[str, Any]:
    return do.show(do.default(), None, LIVE)[0]


def test_everything_is_shown(do):
    shown = do.show(do.default(), None, LIVE)
    assert len(shown) == OUTPUTS
    assert shown[0]["runs"] == do.default()
    assert len(shown[0]["runs"]) == 2
    for ids in ([], ["no such run"]):
        assert len(do.show(ids, None, LIVE)) == OUTPUTS


def test_clicks(do):
    state = state_of(do)
    for result in (
        do.on_cell(state, LIVE, click({"kind": "cell", "true": 0, "predicted": 2})),
        do.on_point(state, LIVE, click({"data": [{"kind": "brightness", "low": 0, "high": 95}, 1, 1]})),
        do.on_class(state, LIVE, click(index=1)),
    ):
        assert result[1]["total"] == 10
        assert len(result[2]["panes"]) == 3
    again = do.on_class({**state, "label": 1}, LIVE, click(index=1))
    assert again[0]["label"] is None
    assert again[1]["total"] == 20
    assert do.on_picture(state, LIVE, click({"index": 7}))[1]["title"] == "007.png"
    assert do.on_region(state, LIVE, click({"class": 2}))[1]["total"] == 10
    for kind in ("brightness", "presence", "class_dice"):
        assert do.on_kind(state, Controls(kind=kind))["data"]
    assert do.on_columns(state, Controls(columns="outlines"))["rows"]


def test_the_list_as_a_file(do):
    cell = do.on_cell(state_of(do), LIVE, click({"kind": "cell", "true": 0, "predicted": 2}))[0]
    lines = Path(do.csv(cell, LIVE)).read_text("utf-8").splitlines()
    assert lines[0].startswith("image,pixels_that_count,wrong_pixels,selected_pixels,image_iou")
    assert len(lines) == 11
    assert lines[1].startswith("001.png,176,11,11,")


@pytest.mark.parametrize("value", [None, {}, {"true": "x"}, {"true": 0, "predicted": 99}])
def test_odd_clicks(do, value):
    for handler in (do.on_cell, do.on_picture, do.on_region):
        with pytest.raises(InputError, match="reload the page"):
            handler(state_of(do), LIVE, click(value))


def test_an_echo_does_nothing(do):
    ids = do.default()
    first = do.rechosen(dict(START), ids, None, LIVE)
    assert len(first) == OUTPUTS
    again = do.rechosen(first[0], ids, None, LIVE)
    assert len(again) == OUTPUTS
    assert all(part.get("__type__") == "update" for part in again)


def test_controls_reach_the_handlers_by_name():
    def clicked(state, controls, event):
        return state, controls, event

    assert gather(Controls, clicked)("event", "state", "outlines", "size", "dataset") == (
        "state",
        Controls("outlines", "size", "dataset"),
        "event",
    )


def test_brightness_is_measured_once(tmp_path, monkeypatch):
    data = FakeMaps()
    first = brightness(data, tmp_path / "new")
    assert first[5] == pytest.approx(50, abs=1)
    monkeypatch.setattr(FakeMaps, "__getitem__", lambda self, index: pytest.fail("measured again"))
    assert (brightness(data, tmp_path / "new") == first).all()


def test_mean_luma_is_bt601s():
    picture = np.zeros((300, 4, 3), np.uint8)
    picture[..., 1] = 100
    assert mean_luma(picture) == pytest.approx(58.7)
