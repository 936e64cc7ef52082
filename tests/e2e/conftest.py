"""The app in a real browser: one server for the session, one fresh page a test, and no console errors allowed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Playwright, expect, sync_playwright

from dashboard.datasets.sequences import sequences_of
from dashboard.engine import Engine
from dashboard.evaluation import Settings, evaluate
from dashboard.serve import DEFAULTS, prepare
from dashboard.video_writing import proxy

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
expect.set_options(timeout=30_000)  # a machine with other work may take its time
TRACK_FRAMES = 300  # two sequences
HARMLESS = re.compile(r"manifest\.json|favicon|Failed to decode downloaded font")


def chromium() -> str:
    """The browser to use."""
    path = os.environ.get("LOUPE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.fail("no Chromium was found: run scripts/test.sh, or set LOUPE_CHROMIUM to one")
    return path


def start_app(store: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """Start the app as a person would; returns the process and its address."""
    command = [sys.executable, "app.py", "--store", str(store), "--no-browser", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "LOUPE_CACHE": str(store / "cache")}
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    lines: list[str] = []
    end = time.monotonic() + 180
    assert process.stdout is not None
    while time.monotonic() < end:
        line = process.stdout.readline()
        lines.append(line)
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            return process, found.group()
        if not line and process.poll() is not None:
            break
    process.kill()
    pytest.fail("the app did not start:\n" + "".join(lines))


def stop_app(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def prepare_tracks(engine: Engine) -> None:
    """The first sequences of ``demo:tracks`` as the usual trackers follow them, with their videos: all take longer."""
    data, models = next((source, models) for task, source, models in DEFAULTS if task == "tracking")
    dataset = engine.dataset(data, task="tracking")
    for model in models:
        evaluate(
            engine.model(model, task="tracking"), dataset, engine.store, Settings(latency=False, limit=TRACK_FRAMES)
        )
    for place, info in enumerate(sequences_of(dataset)):
        if info.stop <= TRACK_FRAMES:
            proxy(dataset, place, engine.store.root / "films")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as the app makes it at its first start, made once; or the one named by LOUPE_PREPARED, to save time."""
    if os.environ.get("LOUPE_PREPARED"):
        return Path(os.environ["LOUPE_PREPARED"])
    folder = tmp_path_factory.mktemp("prepared")
    engine = Engine(folder)
    prepare_tracks(engine)
    prepare(engine)
    for job_id in engine.preparing.values():
        job = engine.jobs.get(job_id)
        assert job is not None
        engine.jobs.wait(job, 600)
        assert job.state == "done", job.error
    return folder


@pytest.fixture(scope="module")
def store(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's app keeps its runs: a copy, so that modules do not see each other's."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[str]:
    """The app's address; one app a module, so that modules do not see each other's runs."""
    process, address = start_app(store)
    yield address
    stop_app(process)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as instance:
        yield instance


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    instance = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
    yield instance
    instance.close()


def slow(page: Page, delay_ms: int) -> None:
    """Give the page a line over which every answer takes that long."""
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    limits = {"offline": False, "latency": delay_ms, "downloadThroughput": -1, "uploadThroughput": -1}
    line.send("Network.emulateNetworkConditions", limits)


def new_page(browser: Browser, **options: object) -> tuple[Page, list[str]]:
    """A page that notes what went wrong in it. LOUPE_SLOW_MS delays its answers: no test may count on fast ones."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **options})  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(30_000)
    if os.environ.get("LOUPE_SLOW_MS"):
        slow(page, int(os.environ["LOUPE_SLOW_MS"]))
    problems: list[str] = []

    def told(message: ConsoleMessage) -> None:
        if message.type == "error" and not HARMLESS.search(message.text):
            problems.append(message.text)

    def failed(error: Error) -> None:
        problems.append(str(error))

    page.on("pageerror", failed)
    page.on("console", told)
    close = context.close

    def leave() -> None:
        """What a page says while it is torn away, with its streams still open, is no problem of its own."""
        page.remove_listener("pageerror", failed)
        page.remove_listener("console", told)
        close()

    context.close = leave  # type: ignore[method-assign]
    return page, problems


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """The app, opened on its default result."""
    page, problems = new_page(browser)
    page.goto(server)
    page.wait_for_selector("#cls-gallery .pic")
    yield page
    page.context.close()
    assert problems == []
