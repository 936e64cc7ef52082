"""One's own video in the tracking tab, and tracks made elsewhere: dropped, watched, scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from dashboard.datasets.opening import open_dataset
from dashboard.store import Store
from dashboard.video_writing import write_video

pytestmark = pytest.mark.browser
TAB = "Video and tracking"
FRAMES = 20
TRUTH = "".join(f"{f},{i},{10 + 4 * f + 60 * i},20,30,40,1,-1,-1,-1\n" for f in range(1, 11) for i in (1, 2))
FOUND = "".join(
    f"{f},{i if f < 6 else 3 - i},{10 + 4 * f + 60 * i},20,30,40,0.9,-1,-1,-1\n"
    for f in range(1, 11)
    for i in (1, 2)
    if (f, i) != (3, 2)
)
"""The two exchange identities at frame 6; one is missed once: 20 true boxes, 1 missed, 2 switches."""


def open_part(page: Page, part: str) -> Page:
    page.get_by_role("tab", name=TAB, exact=True).click()
    page.locator("#trk-tabs").get_by_role("tab", name=part).click()
    return page


@pytest.fixture
def own(page: Page) -> Page:
    """The app, ready for a video."""
    open_part(page, "Try on a video")
    page.wait_for_selector("#vid-go")
    return page


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the calm sequence as a video."""
    data = open_dataset("demo:tracks", task="tracking")
    path = tmp_path_factory.mktemp("clip") / "街 café.mp4"
    write_video(path, [(k / 25, np.asarray(data[k].image)) for k in range(FRAMES)], (240, 320), fps=25)
    return path


def test_a_dropped_video_is_followed_and_classified(own: Page, clip: Path, store: Path) -> None:
    own.locator("#vid-file input[type=file]").set_input_files(clip)
    expect(own.locator("#vid-file")).to_contain_text("café")
    own.locator("#vid-classifiers input").click()
    own.get_by_role("option", name="digits_cnn").click()
    own.keyboard.press("Escape")
    own.locator("#vid-go").click()
    panes = own.locator("#vid-player section")
    expect(panes).to_have_count(3, timeout=120_000)
    for place, name in enumerate(("scenes_small+bytetrack", "scenes_small+botsort", "digits_cnn")):
        expect(panes.nth(place).locator("header > b")).to_contain_text(name)
    view = own.locator("#vid-player .lp-tracks")
    own.wait_for_function("document.querySelector('#vid-player video')?.readyState > 1")
    own.locator("#vid-player [data-do=play]").click()
    own.wait_for_function("document.querySelector('#vid-player .lp-tracks').dataset.frame > 3")
    expect(view).to_have_attribute("data-playing", "false")  # it has come to its end
    expect(view).to_have_attribute("data-frame", str(FRAMES - 1))
    expect(own.locator("#vid-player [data-goto]")).to_have_value(str(FRAMES))
    expect(own.locator("#vid-player [data-event]")).to_have_count(0)  # nobody knows the truth
    kept = [r for r in Store(store).runs("tracking") if r.dataset == "街 café"]
    assert len(kept) == 2
    births = own.locator("#vid-figures .card[data-metric=births] .v b")
    for place, model in enumerate(("scenes_small+bytetrack", "scenes_small+botsort")):
        run = next(r for r in kept if r.model == model)
        assert (run.samples, run.metrics.get("MOTA")) == (FRAMES, None)
        assert run.metrics["births"] >= 4
        expect(births.nth(place)).to_have_text(f"{run.metrics['births']:.0f}")
    expect(own.locator("#vid-table tbody tr")).to_have_count(1)
    expect(own.locator("#vid-table tbody tr")).to_contain_text("digits_cnn")
    expect(own.locator("#vid-progress")).to_contain_text("digits_cnn")


def test_a_broken_video_is_one_sentence(own: Page, tmp_path: Path, clip: Path) -> None:
    (tmp_path / "broken clip.mp4").write_bytes(clip.read_bytes()[:800])  # in the middle of its index
    own.locator("#vid-file input[type=file]").set_input_files(tmp_path / "broken clip.mp4")
    expect(own.locator("#vid-file")).to_contain_text("broken")
    own.locator("#vid-go").click()
    toast = own.locator(".toast-body")
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text("broken clip.mp4 is a truncated or damaged MP4")
    assert "/" not in toast.inner_text()  # nowhere on this machine
    expect(own.locator("#vid-go")).to_be_enabled()
    expect(own.locator("#vid-player .calm")).to_be_visible()


def test_nothing_given_is_one_sentence(own: Page) -> None:
    own.locator("#vid-go").click()
    expect(own.locator(".toast-body")).to_contain_text("Drop a video")


def test_tracks_made_elsewhere_are_scored(page: Page, tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text(TRUTH)
    (tmp_path / "my tracker.txt").write_text(FOUND)
    open_part(page, "New evaluation")
    page.locator("#tev-file input[type=file]").set_input_files(tmp_path / "gt.txt")
    page.locator("#tev-elsewhere input[type=file]").set_input_files(tmp_path / "my tracker.txt")
    expect(page.locator("#tev-elsewhere")).to_contain_text("my tracker")
    page.locator("#tev-run").click()
    page.locator("#tev-show").click(timeout=120_000)
    expect(page.locator("#trk-figures .models")).to_contain_text("my tracker")
    for name, value in (("MOTA", f"{1 - 3 / 20:.3f}"), ("IDSW", "2")):
        expect(page.locator(f"#trk-figures .card[data-metric={name}] .v b")).to_have_text(value)
    page.locator("#trk-player [data-event][data-frame='5'][data-kind=switch][data-true='1']").click()
    view = page.locator("#trk-player .lp-tracks")
    expect(view).to_have_attribute("data-playing", "false")
    expect(view).to_have_attribute("data-frame", "5")
    assert set((view.get_attribute("data-ids") or "").split(",")) == {"1", "2"}
    expect(page.locator("#trk-player .note")).to_contain_text("no pictures")
    page.locator("#trk-tune > button").click()
    expect(page.locator("#trk-tune-go")).to_be_disabled()  # it has no detections to track on


def test_tracks_of_another_sequence_are_refused_in_place(page: Page, tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text(TRUTH)
    (tmp_path / "late.txt").write_text(FOUND + "99,1,1,1,9,9,1\n")
    open_part(page, "New evaluation")
    page.locator("#tev-file input[type=file]").set_input_files(tmp_path / "gt.txt")
    page.locator("#tev-elsewhere input[type=file]").set_input_files(tmp_path / "late.txt")
    expect(page.locator("#tev-elsewhere")).to_contain_text("late")
    page.locator("#tev-run").click()
    said = page.locator("#tev-progress")
    expect(said).to_contain_text("late.txt")
    expect(said).to_contain_text("line 20")
    assert "/tmp" not in said.inner_text()
