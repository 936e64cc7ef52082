"""Build the app and open it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import plotly
from gradio.context import LocalContext
from starlette.middleware import Middleware

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.jobs import Work
from dashboard.public_gate import NAME, UploadLimit, VisitorCookie, visitor_of
from dashboard.tabs import TAB_OF, TABS, App
from dashboard.tabs.common import EVENT, say_gone
from dashboard.tabs.endpoints import create_endpoints
from dashboard.tabs.results import Results
from dashboard.views import STATIC, BrandView
from dashboard.views.strings import I18N, t
from dashboard.visitors import SWEEP_S, UPLOADS_S, Visitor, VisitorStore
from models.base import LoadOptions

PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
DEFAULTS = (
    ("classification", "demo:digits", ("digits_linear", "digits_cnn")),
    ("instance-segmentation", "demo:scenes", ("scenes_nano", "scenes_small")),
    ("semantic-segmentation", "demo:scenes", ("scenes_sem_nano", "scenes_sem_small")),
    ("enhancement", "demo:photos", ("nearest", "bicubic", "lanczos", "photos_sr_x2")),
    ("tracking", "demo:tracks", ("scenes_small+bytetrack", "scenes_small+botsort")),
)
"""What is evaluated when there is nothing to look at: task, built-in data, built-in models."""
FONTS = ["Inter", "system-ui", "Noto Sans TC", "Noto Sans CJK TC", "sans-serif"]


LOOK = """() => { const look = localStorage.getItem('loupe-look');
  if (look) document.body.classList.toggle('dark', look === 'dark'); }"""
"""What the reader chose last time."""
TOGGLE = """() => { const dark = document.body.classList.toggle('dark');
  localStorage.setItem('loupe-look', dark ? 'dark' : 'light'); }"""


def theme() -> gr.themes.Base:
    """Calm, dense, in system fonts (nothing is fetched)."""
    base = gr.themes.Base(
        primary_hue="blue", neutral_hue="zinc", radius_size="md", spacing_size="sm", text_size="sm", font=FONTS,
        font_mono=["ui-monospace", "monospace"],
    )  # fmt: skip
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_600",
        button_primary_text_color="white",
    )


def head() -> str:
    """Scripts the views share."""
    own = (STATIC / "loupe.js").read_text("utf-8")
    return f"<script>{own} window.loupe.plotly = '/gradio_api/file={PLOTLY}';</script>"


def build(engine: Engine) -> gr.Blocks:
    """The whole page."""
    gr.set_static_paths([PLOTLY])
    with gr.Blocks(title="Loupe", fill_width=True, analytics_enabled=False, delete_cache=(3600, UPLOADS_S)) as page:
        create_endpoints(engine)  # before the tabs, whose private events would take their names
        with gr.Row(elem_classes="lp-top"):
            BrandView({}, elem_id="brand")
            look = gr.Button(t("ui.theme"), size="sm", elem_id="theme", scale=0, min_width=110)
        jobs = {
            task: (gr.BrowserState(None, storage_key=f"loupe-job-{task}", secret="loupe"), gr.Timer(0.5, active=False))
            for task in (*TABS.names(task=True), "video", "profile")
        }
        with gr.Tabs(elem_id="tabs") as tabs:
            app = App(tabs, jobs=jobs)
            for name, create in TABS.items():
                with gr.Tab(t(f"ui.tab.{name}"), id=name, elem_id=f"tab-{name}") as app.tab:
                    create(engine, app)
        look.click(None, js=TOGGLE, **EVENT)
        page.load(None, js=LOOK, **EVENT)
        for function, inputs, outputs in app.on_load:
            page.load(function, inputs, outputs, queue=False, **EVENT)

        def tell(request: gr.Request) -> None:
            say_gone(engine, request)

        page.load(tell, None, None, **EVENT)  # in the queue: what is not cannot say anything
    return page


def prepare(engine: Engine) -> None:
    """Make sure that there is a finished result to look at: the built-in models on the built-in data, in seconds.

    The first task is done before the page opens; the others while it is looked at, each in a job of its own.
    """
    for k, (task, data, names) in enumerate(DEFAULTS):
        if engine.store.runs(task):
            continue
        works = [(f"{name} · {data}", _evaluating(engine, name, data, task)) for name in names]
        job = engine.jobs.start(works)
        if k == 0:
            engine.jobs.wait(job, 600)
        else:
            engine.preparing[TAB_OF.get(task, task)] = job.id
    first = Results(engine, "classification")  # what the first visitor will see: libraries are loaded before he comes
    first.show(first.default(), None, "cross_entropy", 2.0, False)


def _evaluating(engine: Engine, name: str, data: str, task: str) -> Work:
    """One built-in model on built-in data, as a step of a job."""

    def work(say: Any, cancel: Any) -> str:
        adapter, dataset = engine.model(name, task=task), engine.dataset(data, task=task)
        return evaluate(adapter, dataset, engine.store, Settings(), say, cancel).id

    return work


def current_visitor() -> Visitor | None:
    """Who has caused what is running here; None for what the server does by itself."""
    request = LocalContext.request.get(None)
    if request is None:
        return None
    cookie = visitor_of(f"{NAME}={request.cookies.get(NAME, '')}")
    linked = str(request.query_params.get("run") or "").split(",")
    return Visitor((cookie, request.session_hash or ""), tuple(linked))


def open_to_strangers(engine: Engine) -> None:
    """Tell visitors apart, and take away what they leave, from now on."""
    assert isinstance(engine.store, VisitorStore)
    engine.store.who = current_visitor

    threading.Thread(target=keep_tidy, args=(engine, threading.Event()), daemon=True, name="tidy").start()


def keep_tidy(engine: Engine, end: threading.Event) -> None:
    """Tidy up every ``SWEEP_S`` seconds until ``end`` is set; a time that fails is told, and the next one comes."""
    while True:
        try:
            engine.tidy()
        except Exception:  # a full disk, say: what visitors left must still go when there is room again
            traceback.print_exc()
        if end.wait(SWEEP_S):
            return


def launch(engine: Engine, wait: bool = True, **options: Any) -> tuple[gr.Blocks, str]:
    """Put the page on the network.

    Args:
        engine: what it works with; a public one makes it a page for strangers.
        wait: until it is stopped.
        options: more of ``gr.Blocks.launch``.

    Returns:
        The page and its address.
    """
    if engine.public:
        open_to_strangers(engine)
    page = build(engine)
    gate = [Middleware(VisitorCookie), Middleware(UploadLimit, folder=page.GRADIO_CACHE)]
    limits = {"max_size": 64, "api_open": False} if engine.public else {}  # nobody goes past the queue
    _, address, _ = page.queue(default_concurrency_limit=4, **limits).launch(
        theme=theme(),
        css=(STATIC / "loupe.css").read_text("utf-8"),
        head=head(),
        i18n=I18N,
        ssr_mode=False,
        run_history=False,
        footer_links=["api", "settings"],
        max_file_size="2gb" if not engine.public else "200mb",
        show_error=not engine.public,  # what is unexpected may name files; errors of ours are shown in any case
        app_kwargs={"middleware": gate} if engine.public else None,
        mcp_server=importlib.util.find_spec("mcp") is not None,
        prevent_thread_lock=not wait,
        _frontend=False,  # Gradio asks itself for the page and gives up after three seconds, which a busy laptop needs
        **options,
    )
    return page, address


def graphical() -> bool:
    """Whether a browser can be shown: a terminal is not needed (an icon was clicked), a screen is."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return True
    remote = "SSH_CONNECTION" in os.environ  # a text browser there would take the terminal
    return not remote and (sys.platform in ("win32", "darwin") or sys.stdout.isatty())


def serve(arguments: argparse.Namespace) -> None:
    """Launch and wait until it is stopped.

    Raises:
        InputError: a store that is none, or a window is wanted and cannot be had.
    """
    on_space = bool(os.environ.get("SPACE_ID"))
    window = getattr(arguments, "window", False)
    if window and importlib.util.find_spec("webview") is None:
        raise InputError("--window needs the package pywebview: pip install pywebview, or leave --window out.")
    engine = Engine(
        arguments.store,
        LoadOptions(device=arguments.device, allow_code=arguments.allow_code),
        public=arguments.public or on_space,
    )
    prepare(engine)
    _, address = launch(
        engine,
        wait=not window,
        server_name=arguments.host or ("0.0.0.0" if on_space else "127.0.0.1"),
        server_port=arguments.port,
        inbrowser=not (arguments.no_browser or on_space or window) and graphical(),
    )
    if window:
        import webview

        webview.create_window("Loupe", address, width=1440, height=900)
        webview.start()
