"""Tabs of the app. One file each, one line here; a tab is ``create(engine, app)``, called inside its ``gr.Tab``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from dashboard.engine import Engine
from dashboard.registry import Registry


@dataclass
class App:
    """What tabs share while the page is built.

    Attributes:
        tabs: the outer ``gr.Tabs``, so that a tab can bring another to the front.
        tab: the ``gr.Tab`` being built, whose ``select`` says that it was opened.
        jobs: task to the id of its evaluation under way (kept by the browser) and the clock that polls it. They stand
            outside the tabs because what is in a tab that was never opened does not exist in the browser yet.
        runs: task to the dropdown of shown runs, so that another tab can open a run there.
        inner: task to the tabs inside its tab.
        on_load: ``(function, inputs, outputs)`` to be called when the page opens.
    """

    tabs: gr.Tabs
    tab: gr.Tab | None = None
    jobs: dict[str, tuple[gr.BrowserState, gr.Timer]] = field(default_factory=dict)
    runs: dict[str, gr.Dropdown] = field(default_factory=dict)
    inner: dict[str, gr.Tabs] = field(default_factory=dict)
    on_load: list[tuple[Callable[..., Any], list[Any], list[Any]]] = field(default_factory=list)


TABS: Registry[Callable[[Engine, App], None]] = Registry("tab")
TABS.register("classification", "dashboard.tabs.classification:create", task=True)
TABS.register("detection", "dashboard.tabs.detection:create", task=True)
TABS.register("segmentation", "dashboard.tabs.segmentation:create", task=True)
TABS.register("enhancement", "dashboard.tabs.enhancement:create", task=True)
TABS.register("tracking", "dashboard.tabs.tracking:create", task=True)
TABS.register("profile", "dashboard.tabs.profile:create", task=False)
TABS.register("compare", "dashboard.tabs.compare:create", task=False)
TABS.register("runs", "dashboard.tabs.runs:create", task=False)

TAB_OF = {"instance-segmentation": "detection", "semantic-segmentation": "segmentation"}
"""Tasks that are shown in the tab of another; every other task has a tab of its own name."""


@dataclass(frozen=True)
class Compared:
    """What the panels of the compare tab are about.

    Attributes:
        task: the radio of the task.
        runs: the chosen run ids, two to eight if there is anything to compare, the baseline among them.
        baseline: the id of the run that the others are compared with (one of ``runs``).
        tab: the panel's own ``gr.Tab``, whose ``select`` says that it was opened.
        asked: which pictures are wanted: {"run": id, "group": name or None, "class": name or None}, {} for none; who
            sets it brings ``app.inner["compare"]`` to the panel "pictures".
        front: the name of the panel that is looked at.
    """

    task: gr.Radio
    runs: gr.State
    baseline: gr.State
    tab: gr.Tab
    asked: gr.State
    front: gr.State


PANELS: Registry[Callable[[Engine, App, Compared], None]] = Registry("compare panel")
"""Panels of the compare tab, in order: one file each, one line here; a panel is ``create(engine, app, compared)``."""
PANELS.register("decide", "dashboard.tabs.compare_decide:create")
PANELS.register("pictures", "dashboard.tabs.compare_pictures:create")
PANELS.register("classes", "dashboard.tabs.compare_classes:create")
PANELS.register("slices", "dashboard.tabs.compare_slices:create")
PANELS.register("costs", "dashboard.tabs.compare_costs:create")
PANELS.register("share", "dashboard.tabs.compare_share:create")
