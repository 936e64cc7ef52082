"""Handlers of the enhancement tab, without a browser: what a click shows, and odd clicks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dashboard import perceptual
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.tabs import common, enhancement_panel
from dashboard.tabs.enhancement_results import OUTPUTS, Controls, EnhancementResults
from dashboard.tabs.explorer import START
from tests.enhancement_store import COUNT, runs_in

LIVE = Controls()


def click(value: Any = None, index: Any = 0) -> Any:
    return SimpleNamespace(value=value, index=index)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    root = tmp_path_factory.mktemp("tab")
    runs_in(root, ("nearest", "bilinear", "lanczos", "bicubic"))
    return Engine(root / "store")


@pytest.fixture
def do(engine: Engine) -> EnhancementResults:
    return EnhancementResults(engine, ("enhancement",))


def state_of(do: EnhancementResults) -> dict[str, Any]:
    return do.show(do.default(), None, LIVE)[0]


def test_four_runs_are_shown_at_once(do: EnhancementResults) -> None:
    shown = do.show(do.default(), None, LIVE)
    assert len(shown) == OUTPUTS
    assert len(shown[0]["runs"]) == 4
    assert shown[0]["focus"] == 3  # the newest
    view = shown[8]
    assert [p["role"] for p in view["panes"]] == ["input", "reference", *["model"] * 4]
    assert "MATLAB" in shown[10]
    for ids in ([], ["no such run"]):
        assert len(do.show(ids, None, LIVE)) == OUTPUTS


def test_clicks(do: EnhancementResults) -> None:
    state = state_of(do)
    assert do.on_row(state, LIVE, click(index=2))[1]["title"] == "p2.png"
    assert do.on_picture(state, LIVE, click({"index": 4}))[1]["title"] == "p4.png"
    point = do.on_point(state, LIVE, click({"data": [{"kind": "image", "index": 1}, 0, "p1.png"]}))
    assert point[0]["of"] == 0
    assert point[1]["total"] == 1
    assert point[1]["of"] == "nearest"
    assert point[2]["title"] == "p1.png"
    assert do.on_clear(point[0], LIVE)[1]["total"] == COUNT
    assert do.on_columns(state, Controls(columns="losses"))["columns"][1]["explain"] == "enh_l1"
    for kind in ("spread", "versus"):
        assert do.on_kind(state, Controls(kind=kind, measure="ssim_y"))["data"]


@pytest.mark.parametrize("order", ["enh_l1", "ssim_loss", "order_gap", "colourfulness", "dataset"])
def test_orders(do: EnhancementResults, order: str) -> None:
    state, gallery, compare = do.on_order(state_of(do), Controls(order=order))
    assert gallery["total"] == COUNT
    assert compare["title"] == f"p{state['picture']}.png"


def test_the_perceptual_order_says_why_it_cannot_be_had(do: EnhancementResults, monkeypatch: Any) -> None:
    monkeypatch.setattr(perceptual, "why_not", lambda: "VGG19's weights are not here.")
    with pytest.raises(InputError, match="not here"):
        do.on_order(state_of(do), Controls(order="perceptual"))
    monkeypatch.setattr(enhancement_panel, "why_not", lambda: "VGG19's weights are not here.")
    assert [value for _, value in enhancement_panel._orders()][-1] == "perceptual"  # last, with the reason for a name


def test_perceptual_distances_are_measured_once(do: EnhancementResults, tmp_path: Path, monkeypatch: Any) -> None:
    class Eye:
        calls = 0

        def distance(self, a: np.ndarray, b: np.ndarray) -> float:
            Eye.calls += 1
            return float(np.abs(a.astype(float) - b).mean())

    import models.perceptual

    monkeypatch.setattr(perceptual, "why_not", lambda: None)
    monkeypatch.setattr(models.perceptual, "Perceptual", Eye)
    view = do.views(do.default(), LIVE)[0]
    first = perceptual.distances(view.run, view.index, tmp_path / "kept")
    assert Eye.calls == COUNT
    # the border is seen too: by no more than a little another number than MAE
    np.testing.assert_allclose(first, view.columns["mae"], rtol=0.3)
    again = perceptual.distances(view.run, view.index, tmp_path / "kept")
    assert Eye.calls == COUNT
    assert again.tolist() == first.tolist()


def test_the_list_as_a_file(do: EnhancementResults) -> None:
    file = Path(do.csv(state_of(do), LIVE))
    assert file.parent.parent == common.new_file("x").parent.parent  # where old ones go
    lines = file.read_text("utf-8").splitlines()
    assert lines[0].startswith("image,border,psnr,ssim,ms_ssim,mse,mae,psnr_y,ssim_y")
    assert len(lines) == COUNT + 1


@pytest.mark.parametrize("value", [None, {}, {"index": "x"}])
def test_odd_clicks(do: EnhancementResults, value: Any) -> None:
    with pytest.raises(InputError, match="reload the page"):
        do.on_picture(state_of(do), LIVE, click(value))
    with pytest.raises(InputError, match="reload the page"):
        do.on_row(state_of(do), LIVE, click(index=99))
    with pytest.raises(InputError, match="reload the page"):
        do.on_point(state_of(do), LIVE, click({"data": [{"kind": "class"}, 0]}))


def test_an_echo_does_nothing(do: EnhancementResults) -> None:
    ids = do.default()
    first = do.rechosen(dict(START), ids, None, LIVE)
    assert len(first) == OUTPUTS
    again = do.rechosen(first[0], ids, None, LIVE)
    assert len(again) == OUTPUTS
    assert all(part.get("__type__") == "update" for part in again)


def test_runs_on_different_data_have_no_table_of_conventions(tmp_path: Path) -> None:
    """A number under "2 px of border left out" would not be that of the other data; each data has its recipe."""
    runs_in(tmp_path, ("bicubic",))
    runs_in(tmp_path, ("identity",), "noise:10")
    do = EnhancementResults(Engine(tmp_path / "store"), ("enhancement",))
    shown = do.show([r.id for r in do.engine.store.runs("enhancement")], None, LIVE)
    assert shown[6] is None
    assert "clean noise:10: " in shown[10]
    assert "clean bicubic:2: " in shown[10]
