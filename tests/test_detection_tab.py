"""Handlers of the detection tab, without a browser: what a click shows, and odd clicks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.metrics.detection import bootstrap
from dashboard.store import Store
from dashboard.tabs.detection_results import OUTPUTS, Controls, DetectionResults
from dashboard.tabs.explorer import START, gather
from tests.fake_detector import FakeDetector, FakeObjects

LIVE = Controls(0.25)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(bootstrap, "TIMES", 20)


def click(value: Any = None, index: Any = 0) -> Any:
    return SimpleNamespace(value=value, index=index)


@pytest.fixture
def do(tmp_path):
    evaluate(FakeDetector(), FakeObjects(), Store(tmp_path), Settings(latency=False, batch_size=4))
    return DetectionResults(Engine(tmp_path), ("detection", "instance-segmentation"))


def state_of(do: DetectionResults) -> dict[str, Any]:
    return do.show(do.default(), None, LIVE)[0]


def test_everything_is_shown(do):
    shown = do.show(do.default(), None, LIVE)
    assert len(shown) == OUTPUTS
    assert shown[0]["runs"] == do.default()
    assert len(do.show([], None, LIVE)) == OUTPUTS
    assert len(do.show(["no such run"], None, LIVE)) == OUTPUTS


def test_clicks(do):
    state = state_of(do)
    for result in (
        do.on_cell(state, LIVE, click({"kind": "cell", "true": 3, "predicted": 2})),
        do.on_point(state, LIVE, click({"data": [{"kind": "cause", "cause": "background"}, 0, 1]})),
        do.on_class(state, LIVE, click(index=1)),
    ):
        assert result[1]["total"] > 0
        assert result[2]["panes"]
    again = do.on_class({**state, "label": 1}, LIVE, click(index=1))
    assert again[0]["label"] is None
    assert again[1]["total"] == 30
    assert len(do.moved(state, LIVE)) == 6
    assert do.on_more(state, LIVE)[1]["start"] == 24


@pytest.mark.parametrize("value", [None, {}, {"true": "x"}, {"true": 0, "predicted": 99}])
def test_odd_clicks(do, value):
    with pytest.raises(InputError, match="reload the page"):
        do.on_cell(state_of(do), LIVE, click(value))
    with pytest.raises(InputError, match="reload the page"):
        do.on_picture(state_of(do), LIVE, click(value))


def test_others_start_at_their_best_confidence_and_an_echo_does_nothing(do):
    ids = do.default()
    first = do.rechosen(dict(START), ids, None, Controls(0.99))
    assert len(first) == OUTPUTS + 1
    assert first[0] == do.views(ids, None)[0].best < 0.99
    again = do.rechosen(first[1], ids, None, Controls(0.99))
    assert all(not isinstance(part, dict) or part.get("__type__") == "update" for part in again)


def test_controls_reach_the_handlers_by_name():
    inputs = (0.3, 0.75, 50, "bbox", "ious", "tide", "missed")
    plain = gather(Controls, lambda ids, focus, controls: (ids, focus, controls), before=2)
    assert plain("ids", "focus", *inputs) == ("ids", "focus", Controls(*inputs))
    assert Controls(*inputs).point.threshold == 0.75

    def clicked(state, controls, event):
        return state, controls, event

    assert gather(Controls, clicked)("event", "state", *inputs) == ("state", Controls(*inputs), "event")
