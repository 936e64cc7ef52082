"""Four runs of 50,000 samples and 1,000 classes compared with 2,000 resamples, in a fresh process.

    python -m benchmarks.compare_runs [--samples 50000] [--classes 1000] [--runs 4] [--resamples 2000]

Peers, in processes of their own: ``scipy.stats.bootstrap`` (paired, percentile) of the difference in top-1 of every run
to the baseline, one number of the seventeen; and scikit-learn's macro F1 and MCC of every resample, a few of which are
timed and scaled. On a busy machine trust the processor's time: two idle cores take about half of it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TIMED = 5


def write(root: Path, runs: int, samples: int, classes: int) -> None:
    """Runs as they are stored; the better ones are right more often, and all find the same samples hard."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, classes, samples)
    hard = rng.random(samples)
    ids = [f"val/ILSVRC2012_val_{k:08d}.JPEG" for k in range(samples)]
    for k in range(runs):
        folder = root / f"run{k}"
        folder.mkdir()
        right = 0.7 * hard + 0.3 * rng.random(samples) < 0.7 + 0.01 * k
        predicted = np.where(right, label, (label + rng.integers(1, classes, samples)) % classes)
        confidence = np.clip(rng.normal(np.where(right, 0.8, 0.5), 0.15), 1 / classes, 1).astype(np.float32)
        true_score = np.where(right, confidence, (1 - confidence) * rng.random(samples)).astype(np.float32)
        columns = {
            "index": np.arange(samples),
            "id": pa.array(ids),
            "label": label,
            "predicted": predicted,
            "confidence": confidence,
            "true_score": true_score,
            "rank": np.where(right, 0, rng.integers(1, 20, samples)),
            "brier": (1 - true_score.astype(np.float64)) ** 2,
        }
        pq.write_table(pa.table(columns), folder / "rows.parquet", compression="zstd")
        (folder / "predictions.parquet").touch()
        (folder / "classes.json").write_text(json.dumps({"names": [f"class {c}" for c in range(classes)], "ids": []}))


def stored(root: Path) -> list[Any]:
    """The runs."""
    from dashboard.store import Run

    return [Run(f.name, "classification", f.name, "made up", 0, {}, path=f) for f in sorted(root.iterdir())]


def ours(root: Path, resamples: int) -> dict[str, float]:
    """The whole comparison, reading included."""
    from dashboard.comparing.compare import compare

    runs = stored(root)
    begin = time.perf_counter()
    found = compare(runs, resamples=resamples)
    spent = time.perf_counter() - begin
    again = time.perf_counter()
    compare(runs, resamples=resamples)
    turned = time.perf_counter()
    compare(runs, baseline=1, resamples=resamples)
    done = time.perf_counter()
    top = next(d for d in found.differences if d.metric == "top1")
    numbers = sum(np.isfinite(d.low) for d in found.differences) + sum(
        int(np.isfinite(c.low).sum()) for c in found.classes
    )
    return {
        "seconds": spent,
        "seconds_again": turned - again,
        "seconds_other_baseline": done - turned,
        "intervals": float(numbers),
        "top1_low": top.low,
        "top1_high": top.high,
    }


def scipy(root: Path, resamples: int) -> dict[str, float]:
    """Top-1 only."""
    from scipy.stats import bootstrap

    right = [_column(f, "label") == _column(f, "predicted") for f in sorted(root.iterdir())]
    begin = time.perf_counter()
    ends = [
        bootstrap(
            (one.astype(float), right[0].astype(float)),
            lambda a, b, axis: a.mean(axis) - b.mean(axis),
            paired=True,
            n_resamples=resamples,
            batch=50,
            method="percentile",
            rng=0,
        ).confidence_interval
        for one in right[1:]
    ]
    spent = time.perf_counter() - begin
    return {"seconds": spent, "top1_low": float(ends[0].low), "top1_high": float(ends[0].high)}


def sklearn(root: Path, resamples: int) -> dict[str, float]:
    """Macro F1 and MCC of every run in some resamples, scaled to all."""
    from sklearn.metrics import f1_score, matthews_corrcoef

    files = sorted(root.iterdir())
    label, predicted = _column(files[0], "label"), [_column(f, "predicted") for f in files]
    rng = np.random.default_rng(0)
    begin = time.perf_counter()
    for _ in range(TIMED):
        picks = rng.integers(0, len(label), len(label))
        for one in predicted:
            f1_score(label[picks], one[picks], average="macro")
            matthews_corrcoef(label[picks], one[picks])
    return {"seconds": (time.perf_counter() - begin) * resamples / TIMED}


def _column(folder: Path, name: str) -> np.ndarray:
    return pq.read_table(folder / "rows.parquet", columns=[name]).column(0).to_numpy()


WORK = {"ours": ours, "scipy": scipy, "sklearn": sklearn}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    for name, value in (("samples", 50_000), ("classes", 1000), ("runs", 4), ("resamples", 2000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        name, folder = options.work
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        busy = time.process_time()
        found = WORK[name](Path(folder), options.resamples)
        found["processor_s"] = time.process_time() - busy
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(found | {"peak_mb": after / 1024, "start_mb": before / 1024}))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), options.runs, options.samples, options.classes)
        for name in WORK:
            command = [sys.executable, "-m", "benchmarks.compare_runs", "--work", name, folder]
            command += ["--resamples", str(options.resamples)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
            print(f"{name:8}", "  ".join(f"{k} {v:.4g}" for k, v in found.items()))


if __name__ == "__main__":
    main()
