"""CONTRIBUTING's worked examples, taken from the page and run: a metric, a model, a tracker, each a file and a line."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dashboard.metrics import METRICS
from dashboard.metrics.batch import ClassificationBatch
from dashboard.registry import Registry
from dashboard.store import Store
from dashboard.types import Detections
from models.base import LoadOptions

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
METRIC, METRIC_LINE, MODEL, MODEL_LINE, TRACKER, TRACKER_LINE = BLOCKS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Modules written here can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_metric_obeys_and_is_right(folder: Path) -> None:
    (folder / "contributed_gmean.py").write_text(METRIC, "utf-8")
    kind = importlib.import_module("contributed_gmean").GMean
    # recalls 1/2 and 2/2: the geometric mean is sqrt(0.5)
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]], np.float32)
    batch = ClassificationBatch(list("abcd"), scores, np.array([0, 0, 1, 1]))
    metric, empty = kind(["x", "y"]), kind(["x", "y"])
    metric.update(batch)
    assert metric.merge(empty).compute()["scores"].values["g_mean"] == pytest.approx(0.5**0.5)
    with pytest.raises(ValueError, match="no samples"):
        empty.compute()


def test_the_metric_line_registers_it() -> None:
    registry: Registry[type] = Registry("metric")
    exec(METRIC_LINE, {"METRICS": registry})
    assert registry.facts("gmean") == METRICS.facts("confusion")


def test_the_tracker_follows(folder: Path) -> None:
    (folder / "contributed_nearest.py").write_text(TRACKER, "utf-8")
    tracker = importlib.import_module("contributed_nearest").Nearest({"reach": "5"})

    def frame(*lefts: float) -> dict[float, int]:
        boxes = [[x, 0.0, x + 10, 10.0] for x in lefts]
        found = tracker.update(Detections(boxes, np.zeros(len(lefts)), np.ones(len(lefts))), size=(50, 200))
        return dict(zip(found.xyxy[:, 0].tolist(), found.track_ids.tolist(), strict=True))

    assert frame(0, 100) == {0: 1, 100: 2}
    assert frame(104, 3) == {3: 1, 104: 2}  # both moved less than 5 px
    assert frame(20, 104) == {20: 3, 104: 2}  # the first jumped: somebody new
    tracker.reset()
    assert frame(20) == {20: 1}


def test_the_tracker_line_registers_it() -> None:
    registry: Registry[type] = Registry("tracker")
    exec(TRACKER_LINE, {"TRACKERS": registry})
    assert registry.names() == ["nearest-centre"]


def test_the_model_evaluates_from_the_command_line(tmp_path: Path) -> None:
    """A copy of the project with the file and the line added; nothing else is touched."""
    (tmp_path / "contributed_uniform.py").write_text(MODEL, "utf-8")
    line = MODEL_LINE.replace("models.uniform", "contributed_uniform")
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        f"from models import MODELS\n{line}\n"
        "from dashboard.cli import main\n"
        f"sys.exit(main(['evaluate', '--task', 'classification', '--model', 'uniform', '--dataset', 'demo:digits',"
        f" '--store', {str(tmp_path / 'store')!r}, '--quiet']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = Store(tmp_path / "store").runs()
    assert run.metrics["auroc_macro"] == pytest.approx(0.5)  # all ties
    assert run.metrics["top1"] == pytest.approx(59 / 597)  # ties go to class 0, of which there are 59


def test_the_model_family_keeps_its_protocol(folder: Path) -> None:
    (folder / "contributed_family.py").write_text(MODEL, "utf-8")
    family = importlib.import_module("contributed_family").Uniform()
    (spec,) = family.specs()
    adapter = family.load(spec, LoadOptions(device="cpu"))
    predictions = adapter.predict([np.zeros((5, 7, 3), np.uint8)] * 2)
    assert [p.scores.sum() for p in predictions] == pytest.approx([1, 1])
