"""What serving the page does beside the page itself."""

from __future__ import annotations

import sys
import threading

import pytest

from dashboard import serve


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
