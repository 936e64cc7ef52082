"""What is said of slices, and the pictures of one, small and large."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboard import explore as classification
from dashboard.comparing.shapes import Comparison
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore import comparing
from dashboard.explore.comparing import shown as words
from dashboard.explore.slicing import slices as explore
from dashboard.explore.small import jpeg_uri, small_picture
from dashboard.metrics.slices import SMALLEST
from dashboard.slicing.measuring import Making
from dashboard.slicing.sliced import Sliced
from dashboard.slicing.tags import Tags, read_tags
from dashboard.views import CompareView, DetailView, EnhanceView
from dashboard.views.strings import t

VIEW_OF = {"classification": 0, "enhancement": 2}
"""Which of the large views a task uses: details, panes (1, all others), or enhancement's."""


class Shown:
    """What shows sentences and pictures; thumbnails and tags are kept between calls."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._thumb = lru_cache(4096)(self._make_thumb)
        self._tags = lru_cache(8)(self._read_tags)

    def gallery(self, view: Sliced, place: int | None, run: int, start: int, most: int) -> Any:
        """The pictures of a slice, those with the run's lowest scores first."""
        c = view.comparison
        pictures = self.engine.pictures(c.runs[c.baseline])

        def thumb(sample: int) -> str | None:
            if pictures is None:
                return None
            position = int(c.index[c.baseline, sample])
            return self._thumb(pictures.fingerprint, pictures.source, c.task, position)

        return explore.gallery_data(view, place, run, thumb, start, most)

    def _make_thumb(self, fingerprint: str, source: str, task: str, position: int) -> str | None:
        kept = list(self.engine._datasets.values())
        dataset = next((d for d in kept if d.source == source and d.fingerprint == fingerprint), None)
        if dataset is None:
            return None
        if task == "classification":
            return classification.thumb_uri(dataset, position)
        picture = small_picture(dataset, position)
        return jpeg_uri(picture) if picture is not None else None

    def tags(self, file: str, comparison: Comparison) -> Tags:
        """A person's tags, read once. Raises InputError naming the file and line."""
        try:
            written = Path(file).stat().st_mtime_ns
        except OSError as error:
            raise InputError(
                "Your tags are gone from the server, which keeps files for a while: drop them again."
            ) from error
        return self._tags(file, tuple(comparison.ids), written)

    def _read_tags(self, file: str, ids: tuple[str, ...], _written: int) -> Tags:
        return read_tags(file, ids, self.engine.public)

    def said(self, view: Sliced, run: int, notes: Sequence[str], file: str | None) -> Any:
        """What was found, and what a reader must know."""
        found = explore.summary(view, run)
        tone = "bad" if found["key"].endswith(".found") else "good" if found["key"].endswith(".chance") else ""
        lines = [{"key": found["key"], "vars": found["vars"] | {"worst": found["slices"]}, "tone": tone}]
        score = {"score": words.said(view.comparison.task, view.comparison.score_name)}
        if view.slices:
            lines.append({"key": "ui.slice.note.score", "vars": score, "explain": explore.score_entry(view)})
        lines += [{"key": key} for key in notes]
        if view.left_out:
            lines.append({"key": "ui.slice.note.many", "vars": {"n": view.left_out}})
        if file:
            c = view.comparison
            tags = self.tags(file, c)
            facts = {"n": tags.matched, "of": len(c.ids), "rest": tags.unmatched}
            lines.append({"key": "ui.slice.note.tags", "vars": facts})
        return {"lines": lines}

    def sample(self, view: Sliced, state: dict[str, Any], run: int, value: Any) -> int:
        """Which sample a click means: that of a card, or the one ``step`` further than the large one."""
        value = value if isinstance(value, dict) else {}
        sample, step = value.get("index"), value.get("step", 0)
        if type(step) is int and step in (-1, 1) and state["slice"] is not None:
            order = explore.in_order(view, state["slice"], run)
            if state["sample"] in order:
                sample = order[(order.index(state["sample"]) + step) % len(order)]
        if type(sample) is not int or not 0 <= sample < len(view.comparison.ids):
            raise InputError("There is no such picture: reload the page and click again.")
        return sample

    def large(self, view: Sliced, run: int, sample: int) -> tuple[Any, ...]:
        """A sample in the task's own view, the other views away; films play in the panel of differences instead."""
        c = view.comparison
        use = VIEW_OF.get(c.task, 1)
        shown = None if c.task == "tracking" else self._value(c, run, sample)
        kinds = (DetailView, CompareView, EnhanceView)
        return tuple(
            kind(shown if k == use else None, visible=k == use and shown is not None) for k, kind in enumerate(kinds)
        )

    def _value(self, comparison: Comparison, run: int, sample: int) -> Any:
        other = run if run != comparison.baseline else next(k for k in range(len(comparison.runs)) if k != run)
        pictures = self.engine.pictures(comparison.runs[comparison.baseline])
        return comparing.large(comparison, other, sample, pictures)


def place_of(comparison: Comparison, run_id: str | None) -> int:
    """The place of the run in focus; the first without one."""
    ids = [r.id for r in comparison.runs]
    return ids.index(run_id) if run_id in ids else 0


def fitting(samples: int) -> int:
    """How many samples a slice has at least, to begin with: a quarter of few, as quartiles have."""
    return max(explore.LEAST, min(SMALLEST, samples // 4 // 5 * 5))


def names_of(view: Sliced) -> list[str]:
    """Attributes that a chart can be over, each once."""
    return [name for name in dict.fromkeys(a.name for a in view.attributes) if view.of(name)]


def telling(view: Sliced, first: int | None, names: Sequence[str]) -> str | None:
    """The attribute of the worst slice, or the first."""
    wanted = view.slices[first].conditions[0][0] if first is not None else ""
    return wanted if wanted in names else next(iter(names), None)


def attribute_name(name: str) -> Any:
    """An attribute's name in the reader's language, or as a person called it."""
    return t(f"ui.slice.attr.{name}") if name in explore.KNOWN else name


def progress(making: Making | None) -> Any:
    """Pictures being measured, as the view of jobs shows it."""
    if making is None:
        return None
    step = {"name": "", "stage": "looking", "done": making.done, "total": making.total, "skipped": 0, "live": {}}
    return {"state": "running", "error": "", "steps": [step]}
