"""From stored pictures to what the enhancement tab shows: tables, charts, selections, panes."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.explore import enhance_panes as panes_of
from dashboard.explore import enhancement as explore
from dashboard.explore.enhancement.charts import edges_of
from dashboard.explore.enhancement.opened import Opened, opened
from dashboard.explore.enhancement.selecting import values_of
from dashboard.metrics.enhancement.measured import NAMES, measure
from dashboard.types import EnhancedImage
from tests.enhancement_store import COUNT, folder_of, runs_in


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("enhancement")


@pytest.fixture(scope="module")
def views(root: Path) -> list[Opened]:
    return [opened(run) for run in runs_in(root)[1]]


def made(fingerprint: str = "a", index: Any = (0, 1, 2), **columns: Any) -> Opened:
    """A run with made-up numbers."""
    facts = {"dataset_facts": {"fingerprint": fingerprint}}
    run: Any = SimpleNamespace(
        id="r", model="m", dataset="d", samples=len(index), metrics={}, facts=facts, timing={}, intervals={}, classes=[]
    )
    count = len(index)
    table = {name: np.full(count, np.nan) for name in NAMES} | {k: np.array(v, float) for k, v in columns.items()}
    ids = [f"p{i}" for i in index]
    return Opened(run, np.array(index), ids, np.ones(count, int), np.zeros(count, int), table)


def test_key_figures_are_the_runs_own_and_the_best_is_marked(views: list[Opened]) -> None:
    data = explore.figures_data(views)
    card = data["figures"][0]
    assert card["key"] == "psnr"
    assert card["format"] == "db"
    assert [c["value"] for c in card["cells"]] == [v.run.metrics["psnr"] for v in views]
    assert [c.get("best") for c in card["cells"]] == [False, True]  # bicubic
    low, high = card["scale"]
    assert low < min(c["low"] for c in card["cells"])
    assert high > max(c["high"] for c in card["cells"])
    losses = {c["key"]: c for c in explore.other_figures(views)["figures"]}
    assert [c.get("best") for c in losses["mse"]["cells"]] == [False, True]  # lower is better
    assert "best" not in losses["contrast"]["cells"][0]  # neither is better


def test_an_identical_picture_is_told_of(views: list[Opened]) -> None:
    """The flat one comes back as it was."""
    warning = next(w for w in explore.figures_data(views)["warnings"] if w.get("key") == "ui.warn.identical")
    assert warning["vars"] == {"n": 1, "of": COUNT, "model": "nearest"}
    assert explore.selected(views, {"kind": "identical"}, "dataset").images.tolist() == [COUNT - 1]
    cells = explore.images_data(views[0])["rows"][COUNT - 1]
    assert cells[:3] == [f"p{COUNT - 1}.png", "∞", 1.0]


def test_small_pictures_are_told_of() -> None:
    data = explore.figures_data([made(mse=[1, 1, np.nan], ssim=[0.5, np.nan, np.nan], psnr=[48, 48, np.nan])])
    assert {"key": "ui.warn.small", "explain": "ssim", "vars": {"n": 1, "of": 2}} in data["warnings"]


def test_every_convention_is_there_and_the_published_one_named(views: list[Opened]) -> None:
    data = explore.conventions_data(views)
    names = [row[0]["key"] for row in data["rows"]]
    assert names == ["ui.enh.conv.y.cut", "ui.enh.conv.rgb.cut", "ui.enh.conv.rgb", "ui.enh.conv.y"]
    assert [row[0]["note"] is not None for row in data["rows"]] == [True, False, False, False]
    assert data["rows"][0][0]["vars"] == {"n": 2}
    metrics = views[1].run.metrics
    assert data["rows"][0][3:] == [metrics["psnr_y"], metrics["ssim_y"]]
    assert data["rows"][2][3:] == [metrics["psnr_whole"], metrics["ssim_whole"]]


def test_denoising_has_no_border_to_cut(root: Path) -> None:
    view = opened(runs_in(root, ("identity",), "noise:10")[1][0])
    rows = explore.conventions_data([view])["rows"]
    assert [row[0]["key"] for row in rows] == ["ui.enh.conv.rgb", "ui.enh.conv.y"]
    assert rows[0][0]["note"] == "ui.enh.conv.published"
    assert view.run.metrics["psnr"] == view.run.metrics["psnr_whole"]
    assert view.run.dataset == "clean noise:10"


def test_orders_put_the_hardest_first() -> None:
    view = made(mae=[51, 102, 25.5], mse=[4, 1, 9], psnr=[30, 40, 20], sharpness=[1, 3, 2])
    assert explore.selected([view], explore.ALL, "enh_l1").images.tolist() == [1, 0, 2]
    assert values_of([view], "enh_l1").tolist() == [0.2, 0.4, 0.1]  # on the scale of pictures in 0..1
    assert values_of([view], "enh_l2").tolist() == [4 / 255**2, 1 / 255**2, 9 / 255**2]
    assert explore.selected([view], explore.ALL, "sharpness").images.tolist() == [1, 2, 0]
    assert explore.selected([view], explore.ALL, "dataset").images.tolist() == [0, 1, 2]
    far = np.array([0.1, np.nan, 0.3])
    assert explore.selected([view], explore.ALL, "perceptual", 0, far).images.tolist() == [2, 0, 1]


def test_where_two_models_differ_most() -> None:
    first, second = made(psnr=[30, math.inf, 20]), made(index=(0, 1), psnr=[33, math.inf])
    assert values_of([first, second], "order_gap", 0).tolist()[:2] == [3, 0]  # both infinite: they do not differ
    assert math.isnan(values_of([first, second], "order_gap", 0)[2])  # the other has not seen it
    assert values_of([first, second], "order_gap", 1).tolist() == [3, 0]
    elsewhere = made("b", psnr=[99, 99, 99])
    assert np.isnan(values_of([first, elsewhere], "order_gap", 0)).all()


@pytest.mark.parametrize(
    "selection",
    [
        *(None, {}, {"kind": "class"}, {"kind": "bin", "measure": "mse", "low": 0, "high": 1}, {"kind": "image"}),
        *({"kind": "bin", "measure": "psnr", "low": True, "high": 1}, {"kind": ["all"]}),
        *({"kind": "image", "index": "1"}, {"kind": "bin", "measure": ["psnr"], "low": 0, "high": 1}),
    ],
)
def test_odd_selections(selection: Any) -> None:
    with pytest.raises(InputError, match="reload the page"):
        explore.checked(selection)


@pytest.mark.parametrize("measure_", explore.MEASURES)
def test_bars_hold_every_image_once(views: list[Opened], measure_: str) -> None:
    figure = explore.chart(views, "spread", measure_)
    for k, (trace, view) in enumerate(zip(figure["data"], views, strict=True)):
        found: list[int] = []
        for often, (pick, run, _) in zip(trace["y"], trace["customdata"], strict=True):
            images = explore.selected(views, explore.checked(pick), "dataset", k).images.tolist()
            assert run == k
            assert len(images) == often
            found += images
        known = np.flatnonzero(np.isfinite(view.columns[measure_])).tolist()
        assert sorted(found) == known


def test_edges_are_round_and_hold_the_values() -> None:
    assert edges_of([np.array([20.3, 31.9])])[[0, -1]].tolist() == [20, 32]
    assert edges_of([np.array([5.0, np.inf])]).tolist() == [4.5, 5.5]
    assert edges_of([np.array([np.nan])]).tolist() == [0, 1]
    assert len(edges_of([np.linspace(0.8812, 0.9911, 50)])) <= 23


def test_every_image_as_a_point(views: list[Opened]) -> None:
    figure = explore.chart(views, "images", "ssim", focus=1)
    first, second = figure["data"]
    assert second["y"] == sorted(second["y"])  # the worst of the run in focus first
    assert [c[0]["index"] for c in first["customdata"]] == [c[0]["index"] for c in second["customdata"]]
    at = first["customdata"][0][0]["index"]
    assert first["y"][0] == views[0].columns["ssim"][at]


def test_model_against_model_counts_where_the_other_is_better(views: list[Opened]) -> None:
    figure = explore.chart(views, "versus", "psnr", focus=0)
    line, points = figure["data"]
    x, y = views[0].columns["psnr"], views[1].columns["psnr"]
    known = np.isfinite(x) & np.isfinite(y)
    assert points["x"] == x[known].tolist()
    assert points["name"] == f"bicubic ({int((y > x)[known].sum())}/{int(known.sum())} ↑)"
    assert line["x"] == line["y"]


def test_charts_of_other_metrics_are_drawn_as_they_are(views: list[Opened]) -> None:
    assert explore.charts(views) == list(explore.CHARTS)  # nothing else is registered


def test_the_gallery_is_the_selection(views: list[Opened]) -> None:
    data, positions = explore.gallery_data(views, explore.ALL, "enh_l2", focus=1)
    hardest = np.argsort(-views[1].columns["mse"], kind="stable")
    assert positions == hardest.tolist()
    card = data["cards"][0]
    assert card["answers"][0]["text"] == f"{views[0].columns['psnr'][hardest[0]]:.2f} dB"
    assert card["thumb"].startswith("data:image/jpeg;base64,")
    assert data["cards"][-1]["answers"][0]["text"] == "∞ dB"
    one = explore.gallery_data(views, {"kind": "image", "index": 3}, "enh_l2")[0]
    assert [c["id"] for c in one["cards"]] == ["p3.png"]
    assert one["title"] == {"key": "ui.enh.selection.image", "vars": {"image": "p3.png"}}


def decoded(uri: str) -> np.ndarray:
    """What a browser would see, RGB."""
    data = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def test_one_picture_in_panes(root: Path, views: list[Opened]) -> None:
    data = open_dataset(root / "clean", task="enhancement", options={"degrade": "bicubic:2"})
    shown = explore.compare_data(views, data, 2)
    assert [p["role"] for p in shown["panes"]] == ["input", "reference", "model", "model"]
    assert (shown["width"], shown["height"], shown["border"], shown["reference"]) == (48, 48, 2, 1)
    target: Any = data.targets[2]
    assert np.array_equal(decoded(shown["panes"][1]["image"]), target.pixels)
    assert np.array_equal(decoded(shown["panes"][0]["image"]), data[2].image)
    assert shown["panes"][0]["size"] == [24, 24]
    for pane, view in zip(shown["panes"][2:], views, strict=True):
        for name in ("psnr", "ssim", "psnr_y", "ssim_y"):
            assert pane["numbers"][name] == view.columns[name][2]
        inner = decoded(pane["maps"]["ssim"])[7:-7, 7:-7].mean() / 255  # border 2, margin 5
        assert inner == pytest.approx(view.columns["ssim"][2], abs=0.003)
    assert "psnr" in shown["panes"][3]["best"]
    assert explore.compare_data(views, None, 2)["panes"][0]["role"] == "reference"  # the dataset is gone
    identical = explore.compare_data(views, data, COUNT - 1)["panes"][2]
    assert identical["numbers"]["psnr"] == "inf"
    assert identical["regions"] == {"ssim": [], "squared": []}
    with pytest.raises(InputError, match="no such picture"):
        explore.compare_data(views, data, 99)


def test_other_data_is_not_shown_as_the_same(root: Path, views: list[Opened]) -> None:
    other = opened(runs_in(root, ("identity",), "noise:10")[1][0])
    panes = explore.compare_data([views[0], other], None, 0)["panes"]
    assert panes[-1]["error"] == "ui.det.unseen"
    card = explore.gallery_data([views[0], other], explore.ALL)[0]["cards"][0]
    assert card["answers"][1]["text"] == "–"
    assert any(w.get("key") == "ui.warn.datasets" for w in explore.figures_data([views[0], other])["warnings"])


def test_the_worst_region_is_where_the_error_is() -> None:
    clean = np.full((160, 160, 3), 100, np.uint8)
    wrong = clean.copy()
    wrong[96:112, 32:48] = 180
    pane = panes_of.model_pane("m", EnhancedImage(wrong), clean, measure(wrong, clean), border=4)
    for by in ("ssim", "squared"):
        worst = pane["regions"][by][0]
        assert (worst["x"], worst["y"]) == pytest.approx((30, 94), abs=5)
    assert pane["regions"]["squared"][0]["value"] > 4000
    assert 0 < pane["regions"]["ssim"][0]["value"] < 0.7


def test_large_pictures_are_made_smaller_for_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panes_of, "MOST_PIXELS", 600)
    assert panes_of.reduction((20, 30)) == 1
    assert panes_of.reduction((40, 60)) == 2
    clean = np.random.default_rng(0).integers(0, 256, (40, 61, 3), np.uint8)
    pane = panes_of.model_pane("m", EnhancedImage(clean[::-1].copy()), clean, measure(clean, clean), reduced=2)
    assert pane["size"] == [31, 20]
    shown = panes_of.payload("k", "t", [pane], (40, 61), reduced=2)
    assert (shown["width"], shown["height"], shown["reduced"]) == (31, 20, 2)
    assert decoded(pane["image"]).shape == decoded(pane["maps"]["ssim"]).shape == (20, 31, 3)


def test_alpha_reaches_the_page() -> None:
    alpha = np.arange(12, dtype=np.uint8).reshape(3, 4)
    pane = panes_of.plain_pane("t", "input", EnhancedImage(np.zeros((3, 4), np.uint8), 1, alpha))
    data = np.frombuffer(base64.b64decode(pane["image"].partition(",")[2]), np.uint8)
    assert np.array_equal(cv2.imdecode(data, cv2.IMREAD_UNCHANGED)[..., 3], alpha)


def test_the_table_of_images_as_a_file(views: list[Opened]) -> None:
    frame = explore.images_table(views, explore.ALL, "order_gap", focus=1)
    assert list(frame.columns[:4]) == ["image", "border", *NAMES[:2]]
    assert set(NAMES) <= set(frame.columns)
    assert frame["order_gap"].tolist()[:-1] == sorted(frame["order_gap"][:-1], reverse=True)
    assert len(frame) == COUNT


def test_without_references_the_plain_numbers_are_shown(tmp_path: Path) -> None:
    folder_of(tmp_path)
    view = opened(runs_in(tmp_path, ("unsharp",), "none")[1][0])
    assert not view.referenced
    assert [c["key"] for c in explore.figures_data([view])["figures"]] == list(explore.COLUMNS["plain"])
    assert [c.get("explain") for c in explore.images_data(view, "fidelity")["columns"][1:]] == list(
        explore.COLUMNS["plain"]
    )
    shown = explore.compare_data([view], None, 0)
    assert shown["reference"] is None
    assert shown["panes"][0]["numbers"] == {}
    assert shown["panes"][0]["plain"]["contrast"] == view.columns["contrast"][0]


def test_damaged_files_say_what_to_do(tmp_path: Path) -> None:
    store, (run,) = runs_in(tmp_path, ("nearest",))
    run.predictions_path.write_bytes(b"PAR1")
    view = opened(run)
    with pytest.raises(InputError, match="damaged or gone"):
        view.pictures(0)
    run.rows_path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="damaged or gone"):
        opened(run)
    assert store.has(run.id)
