"""Handlers of the enhancers' photos panel, without a browser."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import gradio as gr
import numpy as np
import pytest

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.tabs import enhancement_photos
from dashboard.tabs.enhancement_photos import FIRST, KEPT, KINDS, USUAL, EnhancementPhotos


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def panel(engine: Engine) -> EnhancementPhotos:
    return EnhancementPhotos(engine)


def save(path: Path, pixels: np.ndarray) -> str:
    assert cv2.imwrite(str(path), pixels)
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    y, x = np.mgrid[:61, :80]
    return save(tmp_path / "photo.png", np.dstack([x * 3, y * 4, (x + y) % 256]).astype(np.uint8))


def pick(index: Any) -> Any:
    return SimpleNamespace(index=index)


def test_a_photo_made_smaller_is_its_own_reference(panel: EnhancementPhotos, file: str) -> None:
    looked, strip, view = panel.run([file], ["nearest", "bicubic"], "bicubic", "2", None)
    assert [p["role"] for p in view["panes"]] == ["input", "reference", "model", "model"]
    assert [p["size"] for p in view["panes"]] == [[40, 30], [80, 60], [80, 60], [80, 60]]  # cut to an even height
    near = [p["numbers"]["psnr"] for p in view["panes"][2:]]
    assert strip["items"][0]["counts"] == [round(x, 1) for x in near]
    assert near[1] > near[0]
    assert view["border"] == 2
    assert "MATLAB" in view["recipe"]
    assert all(len(p["stages"]) == 3 for p in view["panes"][2:])
    assert looked.degradation.text == "bicubic:2"


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in KINDS.items() for v in values[:1]])
def test_every_kind_with_its_own_models(panel: EnhancementPhotos, file: str, kind: str, value: Any) -> None:
    view = panel.run([file], list(FIRST[kind]), kind, str(value), None)[2]
    assert not any(p.get("error") for p in view["panes"])
    assert view["reference"] == 1


def test_without_a_reference_each_model_has_its_own_size(panel: EnhancementPhotos, file: str) -> None:
    _, strip, view = panel.run([file], ["bicubic", "unsharp", "photos_sr_x4"], "none", None, None)
    assert [p["size"] for p in view["panes"]] == [[80, 61], [320, 244], [80, 61], [320, 244]]
    assert (view["width"], view["height"], view["border"]) == (320, 244, 0)
    assert view["reference"] is None
    assert all(p["numbers"] == {} for p in view["panes"])
    assert view["panes"][1]["plain"]["contrast"] > 0
    assert strip["items"][0]["counts"] == []


def test_a_model_of_another_scale_says_so(panel: EnhancementPhotos, file: str) -> None:
    view = panel.run([file], ["photos_sr_x4", "bicubic"], "bicubic", "2", None)[2]
    assert "enlarges pictures 4 times, but photo.png has inputs 2 times smaller" in view["panes"][2]["error"]
    assert view["panes"][3]["numbers"]["psnr"] > 20
    view = panel.run([file], ["nl_means", "photos_sr_x2"], "noise", "25", None)[2]
    assert "enlarges pictures 2 times" in view["panes"][3]["error"]


def test_numbers_without_a_reference_are_the_inputs_too(panel: EnhancementPhotos, file: str) -> None:
    given, made = panel.run([file], ["unsharp"], "none", None, None)[2]["panes"]
    assert made["plain"]["sharpness"] > given["plain"]["sharpness"] > 0
    assert given["numbers"] == {}


def test_transparency_is_left_out_where_a_photo_is_made_worse_and_it_is_said(
    panel: EnhancementPhotos, tmp_path: Path
) -> None:
    path = save(tmp_path / "cut.png", np.full((20, 30, 4), 100, np.uint8))
    view = panel.run([path], ["bicubic"], "bicubic", "2", None)[2]
    assert view["panes"][0]["note"] == "ui.ephotos.alpha"


def test_transparency_is_kept(panel: EnhancementPhotos, tmp_path: Path) -> None:
    rgba = np.zeros((20, 30, 4), np.uint8)
    rgba[:, :15] = (10, 200, 30, 255)
    path = save(tmp_path / "cut.png", rgba)
    view = panel.run([path], ["bicubic"], "none", None, None)[2]
    for pane in view["panes"]:
        data = np.frombuffer(base64.b64decode(pane["image"].partition(",")[2]), np.uint8)
        alpha = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)[..., 3]
        assert alpha[:, 0].tolist() == [255] * len(alpha)
        assert alpha[:, -1].tolist() == [0] * len(alpha)


@pytest.mark.parametrize(
    ("names", "kind", "value", "message"),
    [
        ([], "none", None, "one to four models"),
        (["bicubic"] * 5, "none", None, "one to four models"),
        (["bicubic"], "noise", "many", "noise takes a standard deviation"),
        (["bicubic"], "bicubic", "1.5", "bicubic takes a whole factor"),
        (["bicubic"], "rain", "1", "no degradation"),
        (["no_such_model"], "none", None, "No model is called"),
    ],
)
def test_what_cannot_be_done_is_said(
    panel: EnhancementPhotos, file: str, names: list[str], kind: str, value: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        panel.run([file], names, kind, value, None)


def test_photos_that_cannot_be_read_or_are_too_small(panel: EnhancementPhotos, file: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG no more")
    dot = save(tmp_path / "dot.png", np.zeros((1, 1, 3), np.uint8))
    looked, strip, view = panel.run([str(broken), dot, file], ["bicubic"], "bicubic", "2", None)
    assert "broken.png" in view["error"]
    assert str(tmp_path) not in view["error"]  # where the server has put it is nobody's business
    assert "broken.png" in strip["items"][0]["error"]
    assert "too small" in panel.show(looked, pick(1))[1]["error"]
    assert panel.show(looked, pick(2))[1]["panes"]
    with pytest.raises(InputError, match="no longer kept"):
        panel.show(looked, pick(3))
    with pytest.raises(InputError, match="Drop at least one photo"):
        panel.run(None, ["bicubic"], "none", None, looked)


def test_a_photo_too_large_for_the_scale(panel: EnhancementPhotos, file: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(enhancement_photos, "MAX_PIXELS", 10_000)
    view = panel.run([file], ["bicubic"], "none", None, None)[2]
    assert "photo.png would become 160 x 122 pixels" in view["error"]


def test_examples_are_looked_at_one_by_one(panel: EnhancementPhotos, monkeypatch: Any) -> None:
    looked, strip, _ = panel.examples(["nearest"], "bicubic", "2")
    assert len(strip["items"]) == len(looked.photos) == 7
    assert [bool(i.get("counts")) for i in strip["items"]] == [True, *[False] * 6]
    for k in range(1, 6):
        strip, view = panel.show(looked, pick(k))
        assert strip["on"] == k
        assert view["title"] == looked.photos[k].name
    assert len(looked.views) == KEPT
    monkeypatch.setattr(panel, "_answers", lambda *a: pytest.fail("made again"))
    assert panel.show(looked, pick(5))[1] is view


def test_models_follow_the_kind_until_others_are_chosen(panel: EnhancementPhotos) -> None:
    value, names = panel.values("noise", list(FIRST["bicubic"]))
    assert (value.value, names.value) == (str(USUAL["noise"]), list(FIRST["noise"]))
    assert panel.values("noise", ["bicubic", "nearest"])[1] == gr.skip()
    assert panel.values("none", list(FIRST["noise"]))[0].interactive is False
