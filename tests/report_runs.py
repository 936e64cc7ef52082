"""Runs of every task for reports and tables: small, made of arithmetic, with names that are no friends of HTML."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.datasets.opening import open_dataset
from dashboard.evaluation import Settings, evaluate
from dashboard.profiling.kept import write_profile
from dashboard.profiling.shapes import Layer, Profile, Variant
from dashboard.store import Run, Store
from tests import enhancement_store, tracking_store
from tests.comparing_runs import Chosen, Numbers
from tests.fake_detector import FakeDetector, FakeObjects
from tests.fake_segmenter import FakeMaps, FakeSegmenter

HOSTILE = ("=cmd|' /C calc'!A0", "</script><img src=x onerror=alert(1)>", 'b" onload="x & \u202e_*|`')
LABELS = [0, 1, 2] * 4
FIRST = [0, 1, 2, 0, 1, 2, 0, 1, 2, 1, 2, 0]  # the last three wrong
SECOND = [1, 1, 2, 0, 1, 2, 0, 1, 2, 0, 2, 0]  # the first wrong and the last two: better on 9, worse on 0
QUICK = Settings(latency=False, batch_size=4)


def classification(root: Path, count: int = 2) -> tuple[Store, list[Run], Any]:
    """Two runs whose answers differ on pictures 0 and 9, and further ones that are the first again."""
    store, data = Store(root / "store"), Numbers(range(len(LABELS)), LABELS, HOSTILE)
    answers = [FIRST, SECOND, *[FIRST] * 6][:count]
    runs = [evaluate(Chosen(a, HOSTILE, f"model{k} <b>", k), data, store, QUICK) for k, a in enumerate(answers)]
    return store, runs, data


def detection(root: Path, task: str = "detection") -> tuple[Store, list[Run], Any]:
    """One run of boxes, or of masks."""
    store, data = Store(root / "store"), FakeObjects(12, task)
    return store, [evaluate(FakeDetector(task=task), data, store, QUICK)], data


def segmentation(root: Path) -> tuple[Store, list[Run], Any]:
    """One run of class maps."""
    store, data = Store(root / "store"), FakeMaps()
    return store, [evaluate(FakeSegmenter(), data, store, QUICK)], data


def enhancement(root: Path) -> tuple[Store, list[Run], Any]:
    """Two runs of enlarging."""
    store, runs = enhancement_store.runs_in(root)
    return store, runs, open_dataset(root / "clean", task="enhancement", options={"degrade": "bicubic:2"})


def tracking(root: Path) -> tuple[Store, list[Run], Any]:
    """One run of tracks, whose second class is called ``=dog <b>``."""
    run = tracking_store.scored(root, "swapped", tracking_store.swapped())
    return Store(root / "store"), [run], tracking_store.data_in(root)


def profile(root: Path) -> tuple[Store, list[Run], Any]:
    """A profile of two layers in two ways, and a third that could not be run."""
    layers = (
        Layer("a.conv <i>", "Conv2d", "conv", (1, 8, 4, 4), 80, 1152, 2304, ms=0.2),
        Layer("a.norm", "BatchNorm2d", "batch_norm", (1, 8, 4, 4), 16, 0, 512, ms=0.1),
        Layer("head", "Linear", "linear", (1, 10), 1290, 1280, 2560, ms=0.1),
    )
    plain = Variant("fp32", "", {"p50": 1.5, "p90": 2.0, "p99": 3.0}, {"preprocess": 0.5, "forward": 1.0}, {1: 600.0})
    faster = Variant("fused", "", {"p50": 1.0, "p90": 1.5, "p99": 2.0}, {"forward": 0.5}, {1: 900.0}, 1.5)
    lacking = Variant("openvino", "openvino <is> not installed.")
    found = Profile(
        "tiny", "classification", (8, 8), "cpu", 1386, 1386, 0, 5544, 2432, 4864, layers, (plain, faster, lacking),
        {"import_s": 2.0, "load_s": 0.1, "first_s": 0.2, "total_s": 0.3}, {"peak": 100.0}, notes=("Made <up>.",),
    )  # fmt: skip
    return Store(root / "store"), [write_profile(Store(root / "store"), found)], None


MAKERS = {
    "classification": classification,
    "detection": detection,
    "instance-segmentation": lambda root: detection(root, "instance-segmentation"),
    "semantic-segmentation": segmentation,
    "enhancement": enhancement,
    "tracking": tracking,
    "profile": profile,
}


class Document(HTMLParser):
    """What a browser would make of a report."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.parts: list[str] = []
        self._inside: list[str] = []
        self.feed(text)
        self.charts = json.loads(next(s for (_, a), s in self._scripts() if a.get("id") == "loupe-charts"))

    def _scripts(self) -> list[tuple[tuple[str, dict[str, str | None]], str]]:
        return list(zip((t for t in self.tags if t[0] == "script"), self.scripts, strict=True))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)
            if tag == "script":
                self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.parts.append(data)
        elif self._inside[-1] == "script":
            self.scripts[-1] += data

    @property
    def text(self) -> str:
        """What can be read."""
        return re.sub(r"\s+", " ", " ".join(self.parts))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every element of a kind."""
        return [a for t, a in self.tags if t == tag]


def numbers(values: Any) -> np.ndarray:
    """A trace's numbers, packed or not."""
    from dashboard.reporting.drawn import array

    found = array(values)
    assert found is not None
    return found
