"""The app's words and explanations in one language, for a page that is written once.

The words stand as tables in ``dashboard/views/strings*.py``. They are read there as literals: importing them would load
Gradio, and a report has to be written by the command line, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dashboard import explain

LANGUAGES = explain.LOCALES
_TABLES = Path(__file__).parents[1] / "views"
_NAMES = {
    "instance-segmentation": "detection",
}
"""Tasks whose metrics are explained as another's."""
_EXPLAINED: Mapping[str, Mapping[str, str]] = {
    "detection": {n: f"det_{n}" for n in ("precision", "recall", "f1")},
    "semantic-segmentation": {
        **{n: f"sem_{n}" for n in ("miou", "mdice", "boundary_iou", "cross_entropy", "focal")},
        **{n: f"sem_{n}" for n in ("iou", "dice", "accuracy", "precision", "boundary_precision", "boundary_recall")},
    },
    "tracking": {
        **{n: f"trk_{n}" for n in ("precision", "recall", "f1", "support")},
        "HOTA(0)": "HOTA_0",
        "LocA(0)": "LocA_0",
    },
}
_ANY = {
    "latency_ms": "latency",
    "throughput_per_s": "throughput",
    "cold_start_s": "prf_cold_start",
    "peak_memory_mb": "peak_memory",
}


@cache
def _words() -> dict[str, tuple[str, str]]:
    """Every ``"key": ("English", "Chinese")`` of the tables."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(_TABLES.glob("strings*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Tuple) and len(value.elts) == 2:
                        found[str(key.value)] = ast.literal_eval(value)
    return found


class Words:
    """Words in one language.

    Attributes:
        language: one of ``LANGUAGES``.
    """

    def __init__(self, language: str = "en") -> None:
        """Raises ValueError for a language that there is not."""
        if language not in LANGUAGES:
            raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r}")
        self.language = language
        self._place = LANGUAGES.index(language)

    def has(self, key: str) -> bool:
        """Whether a key has words."""
        return key in _words()

    def __call__(self, key: str, **facts: Any) -> str:
        """The words behind a key, ``{name}`` filled in; what is no key is returned as it is."""
        words = _words().get(key)
        if words is None:
            return key
        return re.sub(r"\{(\w+)\}", lambda m: str(facts.get(m[1], m[0])), words[self._place])

    def entry(self, name: str) -> dict[str, str] | None:
        """The explanation of a metric, chart or control; None if there is none."""
        return explain.entry(name, self.language)

    def name(self, name: str, short: bool = False) -> str:
        """How an explained thing is called; its own name if it is not explained."""
        if short and self.has(f"ui.short.{name}"):
            return self(f"ui.short.{name}")
        found = self.entry(name)
        return found["name"] if found else name


def metric_name(words: Words, task: str, metric: str) -> str:
    """How a metric is called where there is little room."""
    own = f"ui.report.name.{metric}"
    return words(own) if words.has(own) else words.name(explained(task, metric), short=True)


def explained(task: str, metric: str) -> str:
    """Under which entry a metric of a task is explained; its own name if it has none."""
    task = _NAMES.get(task, task)
    name = _EXPLAINED.get(task, {}).get(metric, metric)
    if task == "detection" and metric.startswith(("map", "mar_")):
        name = f"det_{metric}"
    return _ANY.get(name, name)
