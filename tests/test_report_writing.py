"""A report's file: whole or not at all, and nothing of somebody else's is replaced by it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dashboard.errors import InputError
from dashboard.reporting import writing
from dashboard.reporting.report import write_report
from tests.report_runs import MAKERS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Store, runs and data of two tasks."""
    tasks = ("classification", "semantic-segmentation")
    return {task: MAKERS[task](tmp_path_factory.mktemp(task)) for task in tasks}


def test_it_is_written_whole_or_not_at_all(made, tmp_path, monkeypatch):
    store, runs, _ = made["semantic-segmentation"]
    out = tmp_path / "r.html"
    assert write_report(store, runs, out) == out
    first = out.read_bytes()
    assert first.startswith(b"<!DOCTYPE html>")
    assert os.listdir(tmp_path) == ["r.html"]

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="full"):
        write_report(store, runs, out, title="another")
    assert out.read_bytes() == first
    assert os.listdir(tmp_path) == ["r.html"]


def test_a_long_name_in_chinese_is_a_name_too(tmp_path):
    out = tmp_path / ("報" * 82 + ".html")
    assert writing.write_whole(out, b"x").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("name", "why"),
    [("", "it is a folder"), ("nowhere/r.html", "there is no folder"), ("x" * 300 + ".html", "cannot be written")],
)
def test_a_place_that_cannot_be_written_is_named(made, tmp_path, name, why):
    store, runs, _ = made["classification"]
    with pytest.raises(InputError, match=why) as error:
        write_report(store, runs[:1], tmp_path / name)
    assert str(tmp_path) in str(error.value)
    assert os.listdir(tmp_path) == []


def test_nothing_but_a_file_of_its_own_is_replaced(made, tmp_path):
    """Not a pipe or a device, and nothing of a run."""
    store, runs, _ = made["classification"]
    os.mkfifo(tmp_path / "pipe.html")
    with pytest.raises(InputError, match="a device or a pipe"):
        write_report(store, runs[:1], tmp_path / "pipe.html")
    assert (tmp_path / "pipe.html").is_fifo()
    before = (runs[0].path / "run.json").read_bytes()
    with pytest.raises(InputError, match="a run's own files"):
        write_report(store, runs[:1], runs[0].path / "run.json")
    assert (runs[0].path / "run.json").read_bytes() == before


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no place where files cannot be made")
def test_where_no_file_can_be_made(made):
    store, runs, _ = made["classification"]
    with pytest.raises(InputError, match=r"/proc/a\.html cannot be written"):
        write_report(store, runs[:1], Path("/proc/a.html"))


@pytest.mark.skipif(os.geteuid() == 0, reason="everything can be written by root")
def test_a_read_only_place_is_named(made, tmp_path):
    store, runs, _ = made["classification"]
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="permission denied"):
        write_report(store, runs[:1], tmp_path / "r.html")
