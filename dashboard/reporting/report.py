"""One run, or several compared, as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

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

if TYPE_CHECKING:
    from typing_extensions import Unpack

MOST_BYTES = 9_800_000
"""Of a report: mail and chat programs take ten megabytes."""
MOST_PICTURES = 48


class How(TypedDict, total=False):
    """What a report is asked to be.

    Attributes:
        baseline: the place of the run that the others are compared with; the first by default.
        pictures: gives a run's dataset (``Engine.pictures``), or None if it has moved; without it there are no
            thumbnails of what lies in the dataset.
        title: of the page; made of models and data by default.
        language: one of ``LANGUAGES``; English by default.
        most_pictures: samples shown in all, ``MOST_PICTURES`` by default; fewer if they would not fit.
        public: leave out where things are on this machine.
    """

    baseline: int
    pictures: Pictures | None
    title: str | None
    language: str
    most_pictures: int
    public: bool


def write_report(store: Store | None, runs: Sequence[Run], out: Path, **how: Unpack[How]) -> Path:
    """Write a report.

    Args:
        store: where the runs are; numbers that are out of date are computed anew there. None leaves them.
        runs: one, or two to eight of one task, which are then compared.
        out: the file.
        how: see ``How``.

    Returns:
        ``out``.

    Raises:
        InputError: other tasks, too many runs, damaged runs, nothing in common, or ``out`` cannot be written.
    """
    check_place(out)
    return write_whole(out, report_html(store, runs, **how).encode())


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


def report_html(store: Store | None, runs: Sequence[Run], **how: Unpack[How]) -> str:
    """The text of a report; see ``write_report``."""
    baseline, public = how.get("baseline", 0), how.get("public", False)
    runs = checked(store, runs, baseline)
    words = Words(how.get("language", "en"))
    clean = without_paths(store, runs) if public else str
    found = None
    if len(runs) > 1 and runs[0].task != "profile":
        from dashboard.comparing.compare import compare

        found = compare(runs, baseline)
    pages = pages_of(runs)
    writer = Writer(runs, pages, found, words, clean, public)
    title = how.get("title") or " · ".join(dict.fromkeys([r.model for r in pages.runs] + [runs[0].dataset]))
    title = title.encode("utf-8", "replace").decode()  # half a character, as a shell may hand it on, is no text
    for limits in TIERS:
        body, figures = writer.without_pictures(title, limits)
        text = document(clean(title), words, body, figures)
        if len(text.encode()) <= MOST_BYTES / 2:
            break
    if PLACE not in text:  # a profile is about no pictures
        return text
    room = MOST_BYTES - len(text.encode())
    shown = writer.pictures(how.get("pictures"), how.get("most_pictures", MOST_PICTURES), room)
    return text.replace(PLACE, shown, 1)
