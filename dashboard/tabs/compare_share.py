"""Report and tables: the chosen runs for others, as one HTML file, a static Space, tables, predictions, or a link."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import gradio as gr

from dashboard.comparing.shapes import MOST_RUNS
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.reporting.pages import labels
from dashboard.reporting.raw import FORMATS, write_predictions
from dashboard.reporting.report import MOST_PICTURES, How, write_report
from dashboard.reporting.space import write_space
from dashboard.reporting.tables import SPREADS, SUFFIXES, class_table_of, table_of, write_table
from dashboard.reporting.words import LANGUAGES
from dashboard.store import Run
from dashboard.tabs import App, Compared
from dashboard.tabs.common import EVENT, LATEST, Choices, Slider, new_file, shown, toast
from dashboard.views.strings import t

MOST_NAME = 120
"""Bytes of a file's name before its suffix: a disk takes 255 of all of it."""
WHATS = ("metrics", "classes")
LINK = """(query) => query ? `${location.origin}${location.pathname}?run=${query}` : "" """
"""A link to the chosen runs, the baseline first, as this browser reaches the app."""


def linked(ids: Sequence[str] | None, baseline: str | None) -> str:
    """What a link asks for: the runs, the baseline first."""
    names = list(ids or [])
    first = [baseline] if baseline in names else []
    return ",".join(quote(n, safe="") for n in [*first, *(n for n in names if n not in first)])


def named(runs: Sequence[Run], suffix: str) -> str:
    """A file name after models and data."""
    parts = [
        re.sub(r"[^\w.-]+", "-", n).strip("-.") for n in dict.fromkeys([*(r.model for r in runs), runs[0].dataset])
    ]
    short = "-".join(p for p in parts if p).encode()[:MOST_NAME].decode(errors="ignore")
    return (short or "loupe") + suffix


def runs_of(engine: Engine, ids: Sequence[str] | None) -> list[Run]:
    """The runs behind ids. Raises InputError: none, too many, or one that is gone."""
    names = list(dict.fromkeys(ids or []))
    if not names:
        raise InputError("Choose a run first.")
    if len(names) > MOST_RUNS:
        raise InputError(f"A report is about one to {MOST_RUNS} runs: choose fewer.")
    try:
        return [engine.store.get(name) for name in names]
    except InputError as error:
        raise InputError(shown(error)) from error


def report_file(
    engine: Engine,
    run_ids: Sequence[str],
    baseline: str | None = None,
    *,
    title: str | None = None,
    language: str = "en",
    most_pictures: int = MOST_PICTURES,
    space: bool = False,
) -> str:
    """Write a report of some runs and give its place, from which the page lets it be downloaded.

    Args:
        engine: whose store and datasets.
        run_ids: one to eight runs of a task.
        baseline: the one that the others are compared with; the first if None.
        title: of the page; made of models and data if empty.
        language: of the page, one of ``LANGUAGES``.
        most_pictures: samples shown in all.
        space: a static Space as a zip instead.

    Raises:
        InputError: as ``write_report``.
    """
    runs = runs_of(engine, run_ids)
    place = next((k for k, r in enumerate(runs) if r.id == baseline), 0)
    how: How = {"baseline": place, "pictures": engine.pictures, "title": title, "public": engine.public}
    how |= {"language": language if language in LANGUAGES else "en", "most_pictures": most_pictures}
    write, suffix = (write_space, "-space.zip") if space else (write_report, ".html")
    return str(write(engine.store, runs, new_file(named(runs, suffix)), **how))


class Share:
    """Handlers of the panel."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def opened(self, ids: Sequence[str] | None) -> tuple[Any, Any, Any]:
        """The panel was opened, or other runs were chosen: whose predictions, in which formats, and what tables."""
        store = self.engine.store
        runs = [store.get(i) for i in ids or [] if store.has(i)]
        if not runs:
            return gr.Dropdown(choices=[], value=None), gr.Dropdown(choices=[], value=None), gr.skip()
        choices = list(zip(labels(runs), [r.id for r in runs], strict=True))
        kinds = [(f"{t_format(runs[0].task, s)}", s) for s in FORMATS[runs[0].task]]
        classes = runs[0].task not in ("enhancement", "profile")
        what = gr.Radio(choices=[(t(f"ui.share.what.{w}"), w) for w in WHATS[: 1 + classes]], value="metrics")
        return gr.Dropdown(choices=choices, value=runs[0].id), gr.Dropdown(choices=kinds, value=kinds[0][1]), what

    def report(self, ids: Sequence[str], baseline: str, title: str, language: str, most: float) -> str:
        """The HTML file."""
        how = {"title": title.strip()[:200], "language": language, "most_pictures": int(most)}
        return report_file(self.engine, ids, baseline, **how)  # type: ignore[arg-type]

    def space(self, ids: Sequence[str], baseline: str, title: str, language: str) -> str:
        """The static Space."""
        how = {"title": title.strip()[:200], "language": language}
        return report_file(self.engine, ids, baseline, space=True, **how)  # type: ignore[arg-type]

    def table(self, ids: Sequence[str], baseline: str, what: str, suffix: str, spread: str) -> str:
        """A table: differences are in it where several runs are chosen."""
        runs = runs_of(self.engine, ids)
        if suffix not in SUFFIXES or spread not in SPREADS:
            raise InputError("There is no such format: reload the page and choose again.")
        path = new_file(named(runs, f"-{'classes' if what == 'classes' else 'metrics'}{suffix}"))
        made = class_table_of if what == "classes" else table_of
        if len(runs) == 1 or runs[0].task == "profile":
            return str(write_table(made(runs), path, spread))
        from dashboard.comparing.compare import compare

        place = next((k for k, r in enumerate(runs) if r.id == baseline), 0)
        return str(write_table(made(compare(runs, place)), path, spread))

    def predictions(self, run_id: str | None, suffix: str | None) -> str:
        """Everything a run answered."""
        run = runs_of(self.engine, [run_id] if run_id else [])[0]
        if suffix not in FORMATS[run.task]:
            raise InputError("There is no such format: reload the page and choose again.")
        path = new_file(named([run], f"-predictions{suffix}"))
        data = self.engine.pictures(run) if run.task != "profile" else None
        return str(write_predictions(run, path, data))


def t_format(task: str, suffix: str) -> str:
    """What a format is called."""
    known = {
        ".json": "COCO results (.json)" if task != "profile" else "JSON (.json)",
        ".zip": {"tracking": "MOTChallenge (.zip)"}.get(task, "PNG (.zip)"),
        ".parquet": "Parquet (.parquet)",
        ".csv": "CSV (.csv)",
    }
    return known[suffix]


def create(engine: Engine, app: App, compared: Compared) -> None:
    """Build the panel inside the current ``gr.Tab``."""
    del app
    do = Share(engine)
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=1, min_width=320):
            gr.Markdown(t("ui.share.report.about"), elem_classes="lp-help")
            title = gr.Textbox("", label=t("ui.share.title"), elem_id="share-title", max_length=200, max_lines=1)
            with gr.Row():
                language = gr.Radio(
                    [("English", "en"), ("繁體中文", "zh-TW")], value="en", label=t("ui.share.language"),
                    elem_id="share-language", interactive=True, min_width=160,
                )  # fmt: skip
                most = Slider(
                    0, 200, MOST_PICTURES, step=4, label=t("ui.share.pictures"), elem_id="share-pictures", min_width=180
                )
            with gr.Row():
                report = gr.Button(t("ui.share.report"), variant="primary", elem_id="share-report")
                space = gr.Button(t("ui.share.space"), elem_id="share-space")
            query = gr.Textbox("", visible="hidden", elem_id="share-query")
            link = gr.Textbox(
                "", label=t("ui.share.link"), interactive=False, buttons=["copy"], elem_id="share-link", max_lines=6
            )
        with gr.Column(scale=1, min_width=320):
            gr.Markdown(t("ui.share.table.about"), elem_classes="lp-help")
            with gr.Row():
                what = gr.Radio(
                    [(t(f"ui.share.what.{w}"), w) for w in WHATS], value="metrics", label=t("ui.share.what"),
                    elem_id="share-what", interactive=True, min_width=160,
                )  # fmt: skip
                spread = gr.Dropdown(
                    [(t(f"ui.share.spread.{s}"), s) for s in SPREADS], value=SPREADS[0], label=t("ui.share.spread"),
                    elem_id="share-spread", interactive=True, min_width=160,
                )  # fmt: skip
            with gr.Row():
                tables = {
                    s: gr.Button(n, size="sm", elem_id=f"share-table-{s[1:]}")
                    for s, n in zip(SUFFIXES, ("CSV", "Parquet", "LaTeX", "Markdown"), strict=True)
                }
            gr.Markdown(t("ui.share.raw.about"), elem_classes="lp-help")
            with gr.Row():
                run = Choices(
                    [], label=t("ui.share.run"), elem_id="share-run", interactive=True, scale=3, min_width=180
                )
                kind = Choices(
                    [], label=t("ui.share.format"), elem_id="share-format", interactive=True, scale=2, min_width=180
                )
            raw = gr.Button(t("ui.share.raw"), size="sm", elem_id="share-raw")
    file = gr.DownloadButton(visible="hidden", elem_id="share-file")

    chosen: list[Any] = [compared.runs, compared.baseline]
    for event in (compared.tab.select, compared.runs.change):
        event(toast(do.opened), compared.runs, [run, kind, what], **LATEST)
    for event in (compared.tab.select, compared.runs.change, compared.baseline.change):
        event(linked, chosen, query, **LATEST).then(None, query, link, js=LINK, **EVENT)
    made = [
        report.click(toast(do.report), [*chosen, title, language, most], file, **WAITING),
        space.click(toast(do.space), [*chosen, title, language], file, **WAITING),
        raw.click(toast(do.predictions), [run, kind], file, **WAITING),
    ]
    for suffix, button in tables.items():
        made.append(button.click(toast(do.table), [*chosen, what, gr.State(suffix), spread], file, **WAITING))
    for saved in made:
        saved.success(None, js="() => document.querySelector('#share-file').click()", **EVENT)


WAITING: dict[str, Any] = EVENT | {"show_progress": "minimal", "concurrency_limit": 2, "concurrency_id": "share"}
"""Keyword arguments of events that write a file: two at a time, and it is seen that something is under way."""
