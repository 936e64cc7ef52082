"""One run, or several compared, as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dashboard.comparing.shapes import MOST_RUNS
from dashboard.errors import InputError
from dashboard.finishing import out_of_date, refresh
from dashboard.reporting.page import document
from dashboard.reporting.pages import pages_of
from dashboard.reporting.private import without_paths
from dashboard.reporting.words import Words
from dashboard.reporting.writer import PLACE, TIERS, Pictures, Writer
from dashboard.reporting.writing import check_place, write_whole
from dashboard.store import Run, Store

MOST_BYTES = 9_800_000
"""Of a report: mail and chat programs take ten megabytes."""
MOST_PICTURES = 48


def write_report(
    store: Store | None,
    runs: Sequence[Run],
    out: Path,
    *,
    baseline: int = 0,
    pictures: Pictures | None = None,
    title: str | None = None,
    language: str = "en",
    most_pictures: int = MOST_PICTURES,
    public: bool = False,
) -> Path:
    """Write a report.

    Args:
        store: where the runs are; numbers that are out of date are computed anew there. None leaves them.
        runs: one, or two to eight of one task, which are then compared.
        out: the file.
        baseline: the place of the run that the others are compared with.
        pictures: gives a run's dataset (``Engine.pictures``), or None if it has moved; without it there are no
            thumbnails of what lies in the dataset.
        title: of the page; made of task, models and data if None.
        language: one of ``LANGUAGES``.
        most_pictures: samples shown in all; fewer if they would not fit.
        public: leave out where things are on this machine.

    Returns:
        ``out``.

    Raises:
        InputError: other tasks, too many runs, damaged runs, nothing in common, or ``out`` cannot be written.
    """
    check_place(out)
    text = report_html(
        store, runs, baseline=baseline, pictures=pictures, title=title, language=language,
        most_pictures=most_pictures, public=public,
    )  # fmt: skip
    return write_whole(out, text.encode())


def checked(store: Store | None, runs: Sequence[Run], baseline: int = 0) -> list[Run]:
    """Runs that go into one report, their numbers up to date.

    Raises:
        InputError: none, more than eight, or of different tasks.
    """
    if not 1 <= len(runs) <= MOST_RUNS:
        raise InputError(f"A report is about one to {MOST_RUNS} runs, got {len(runs)}: choose fewer.")
    for run in runs[1:]:
        if run.task != runs[0].task:
            raise InputError(
                f"{runs[0].id} is of {runs[0].task} and {run.id} of {run.task}: report runs of one task together."
            )
    if not 0 <= baseline < len(runs):
        raise InputError(f"The baseline is one of the {len(runs)} runs, counted from 0, got {baseline}.")
    fresh = store is not None and runs[0].task != "profile"
    return [refresh(store, r) if store is not None and fresh and out_of_date(r) else r for r in runs]


def report_html(
    store: Store | None,
    runs: Sequence[Run],
    *,
    baseline: int = 0,
    pictures: Pictures | None = None,
    title: str | None = None,
    language: str = "en",
    most_pictures: int = MOST_PICTURES,
    public: bool = False,
) -> str:
    """The text of a report; see ``write_report``."""
    runs = checked(store, runs, baseline)
    words = Words(language)
    clean = without_paths(store, runs) if public else str
    found = None
    if len(runs) > 1 and runs[0].task != "profile":
        from dashboard.comparing.compare import compare

        found = compare(runs, baseline)
    pages = pages_of(runs)
    writer = Writer(runs, pages, found, words, clean, public)
    title = title or " · ".join(dict.fromkeys([r.model for r in pages.runs] + [runs[0].dataset]))
    for limits in TIERS:
        body, figures = writer.without_pictures(title, limits)
        text = document(clean(title), words, body, figures)
        if len(text.encode()) <= MOST_BYTES / 2:
            break
    room = MOST_BYTES - len(text.encode())
    shown = writer.pictures(pictures, most_pictures, room)
    return text.replace(PLACE, shown, 1)
