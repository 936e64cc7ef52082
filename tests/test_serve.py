"""What serving the page does beside the page itself."""

from __future__ import annotations

import sys
import threading

import pytest

from dashboard import serve
from dashboard.engine import Engine


def test_tidying_goes_on_after_it_failed(monkeypatch, capsys):
    end, times = threading.Event(), []

    class Failing:
        def tidy(self) -> None:
            times.append(len(times))
            if len(times) == 3:
                end.set()
            raise OSError("no space left on device")

    monkeypatch.setattr(serve, "SWEEP_S", 0.01)
    serve.keep_tidy(Failing(), end)  # type: ignore[arg-type]
    assert times == [0, 1, 2]
    assert capsys.readouterr().err.count("OSError: no space left on device") == 3


@pytest.mark.parametrize(
    ("platform", "environment", "terminal", "opens"),
    [
        ("linux", {"DISPLAY": ":0"}, False, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, False, True),
        ("linux", {"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "a b c d"}, True, True),
        ("linux", {"SSH_CONNECTION": "a b c d"}, True, False),
        ("linux", {}, True, True),
        ("linux", {}, False, False),
        ("win32", {}, False, True),
        ("darwin", {}, False, True),
        ("darwin", {"SSH_CONNECTION": "a b c d"}, True, False),
    ],
)
def test_a_browser_opens_where_it_can_be_seen(monkeypatch, platform, environment, terminal, opens):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert serve.graphical() is opens


def test_what_is_chosen_last_is_what_the_page_shows(tmp_path):
    """Gradio drops what comes while the event before is under way: right for buttons and clocks, wrong for choices."""
    page = serve.build(Engine(tmp_path)).config
    parts = {part["id"]: part for part in page["components"]}
    # What was clicked comes with a "select", and "always_last" would send the first click again: they keep their order.
    wanted = dict.fromkeys(("input", "change", "release", "upload"), "always_last") | {"select": "multiple"}
    wanted |= dict.fromkeys(("click", "tick", "submit", "more", "reset", "expand"), "once")
    seen: set[str] = set()
    for event in (e for e in page["dependencies"] if e["backend_fn"]):
        for part, kind in event["targets"]:
            if kind not in wanted or parts[part]["type"] == "tabitem":
                continue
            name = str(parts[part]["props"].get("elem_id"))
            arrows = kind == "select" and name.endswith("-detail")  # ask for the picture after the one that is shown
            assert event["trigger_mode"] == ("once" if arrows else wanted[kind]), f"{kind} of {name}"
            seen.add(kind)
    assert seen == {*wanted}
