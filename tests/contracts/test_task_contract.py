"""What every registered task has beyond its loop: comparing, lists, profiles, reports; and every panel of "Compare"."""

from __future__ import annotations

import contextlib
import importlib
import inspect

import pytest

from dashboard import explain
from dashboard.comparing.compare import TASKS as COMPARED
from dashboard.errors import InputError
from dashboard.explore.history import FIGURES
from dashboard.explore.profiling.tables import FIRST_METRIC
from dashboard.reporting.pages import pages_of
from dashboard.reporting.raw import FORMATS
from dashboard.reporting.words import Words
from dashboard.store import Run
from dashboard.tabs import PANELS, TAB_OF, TABS
from dashboard.tasks import TASKS
from dashboard.views.strings import all_texts

PANEL_ARGUMENTS = ["engine", "app", "compared"]


@pytest.mark.parametrize("task", TASKS.names())
def test_runs_of_every_task_are_compared(task):
    module = importlib.import_module(f"dashboard.comparing.{COMPARED[task]}")
    assert callable(module.measure)


@pytest.mark.parametrize("task", TASKS.names())
def test_every_task_is_told_by_explained_figures(task):
    first, explained = FIRST_METRIC[task]
    names = [(metric, by) for metric, by, _ in FIGURES[task]]
    assert names[0] == (first, explained)
    for _, by in names:
        assert all(explain.entry(by, language) for language in explain.LOCALES)


@pytest.mark.parametrize("task", TASKS.names())
def test_every_task_has_a_report_raw_predictions_and_a_tab(task, tmp_path):
    assert FORMATS[task]
    assert TAB_OF.get(task, task) in TABS.names()
    run = Run("r", task, "m", "d", 1, {}, path=tmp_path)
    with contextlib.suppress(InputError):  # it has no files; but its task is known
        pages_of([run])
    for language in explain.LOCALES:
        assert Words(language)(f"ui.task.{task}") != f"ui.task.{task}"


def test_no_task_is_left_that_is_none():
    known = {*TASKS.names(), "profile"}
    assert not {*COMPARED, *FIGURES, *FIRST_METRIC, *FORMATS} - known


@pytest.mark.parametrize("name", PANELS.names())
def test_panels(name):
    create = PANELS.get(name)
    assert list(inspect.signature(create).parameters) == PANEL_ARGUMENTS
    title = [all_texts()[language][f"ui.cmp.panel.{name}"] for language in explain.LOCALES]
    assert len(set(title)) == len(explain.LOCALES)
