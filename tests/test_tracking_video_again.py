"""A page with a person's own video that is loaded again: what was begun goes on where it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dashboard.engine import Engine
from dashboard.films import Films
from dashboard.tabs.tracking_video import Video
from dashboard.video_writing import write_video

VISITOR: Any = SimpleNamespace(session_hash="visitor", query_params={})


def test_a_page_that_is_loaded_again_finds_its_video(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "store")
    engine.films = Films(tmp_path / "films")
    write_video(tmp_path / "clip.mp4", [(k / 25, np.full((64, 64, 3), 60, np.uint8)) for k in range(4)], (64, 64))
    do = Video(engine)
    _, job_id, *_ = do.start(None, str(tmp_path / "clip.mp4"), "scenes_nano", ["iou"], [], 0, None, VISITOR)
    job = engine.jobs.get(job_id)
    assert job is not None
    engine.jobs.wait(job, 120)

    state, figures, _, player, _, _, clock, _, _, filming = do.resumed(job_id)
    assert state["answers"] == job.run_ids
    assert len(job.run_ids) == 1
    assert figures["models"][0]["name"] == "scenes_nano+iou"
    assert (player["frames"], len(player["panes"])) == (4, 1)
    assert (clock.active, filming.active) == (False, True)  # it has ended; whether its film is ready is asked once more


def test_a_browser_that_remembers_a_job_of_another_server_finds_nothing(tmp_path: Path) -> None:
    do = Video(Engine(tmp_path / "store"))
    for unknown in (None, "gone"):
        state, *_, filming = do.resumed(unknown)
        assert (state, filming.active) == ({}, False)
