"""Bootstrap intervals of COCO's twelve numbers over 5,000 images, in a fresh process, first call included.

    python -m benchmarks.detection_bootstrap [--resamples 1000] [--images 5000] [--detections 180000] [--rounds 1]

The peer is what one would do otherwise: hotcoco's evaluation of each resample, its results taken as loaded already; one
is timed and scaled. On a busy machine trust the processor's time: on two idle cores the wall's is about half of it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.detection_ap import Clock, Data, batch_of, evaluators, in_turns, make, truth_dict


def ours(data: Data, resamples: int) -> Data:
    """Intervals from one matching."""
    from dashboard.metrics.detection.bootstrap import intervals
    from dashboard.metrics.detection.matching import match

    matches = match(batch_of(data))
    with Clock() as clock:
        found = intervals(matches, data["images"], data["classes"], times=resamples)
    return clock.result([]) | {"intervals": {k: found[k] for k in ("map", "map_50", "mar_100")}}


def again(data: Data, resamples: int) -> Data:
    """One evaluation from scratch, times the resamples."""
    coco, evaluation = evaluators("hotcoco")
    rows = np.column_stack([data["di"] + 1, data["db"], data["ds"], data["dc"] + 1])
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco(truth_dict(data))
        results = truth.loadRes(rows)
        with Clock() as clock:
            found = evaluation(truth, results, "bbox")
            found.evaluate()
            found.accumulate()
            found.summarize()
    result = clock.result([])
    return result | {"wall": result["wall"] * resamples, "processor": result["processor"] * resamples}


def work(name: str, folder: Path) -> Data:
    """What a fresh process does."""
    with np.load(folder / "data.npz") as stored:
        data = {k: stored[k] for k in stored}
    data |= {k: int(data[k]) for k in ("images", "classes", "resamples")}
    return (ours if name == "ours" else again)(data, data["resamples"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    defaults = {"resamples": 1000, "images": 5000, "classes": 80, "truth": 36_000, "detections": 180_000, "rounds": 1}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(work(args.case, args.folder)))
        return
    print(
        f"{args.resamples} resamples of mAP: {args.images} images, {args.detections} detections, {args.classes} classes"
    )
    names = ["ours"]
    if importlib.util.find_spec("hotcoco"):
        names.append("hotcoco, again each time")
    else:
        print("  hotcoco is not installed: left out")
    with tempfile.TemporaryDirectory() as folder:
        data = make(args.images, args.classes, args.truth, args.detections)
        np.savez(Path(folder) / "data.npz", **data, resamples=args.resamples)
        found = in_turns("benchmarks.detection_bootstrap", Path(folder), names, args.rounds)
    base = found["ours"][-1]
    for name, results in found.items():
        r = results[-1]
        print(
            f"  {name:26s} {r['wall']:8.2f} s {r['wall'] / base['wall']:6.1f} x | processor {r['processor']:8.2f} s"
            f" {r['processor'] / base['processor']:6.1f} x | peak {r['megabytes']:6.1f} MB"
        )
    for name, (low, high) in base["intervals"].items():
        print(f"  {name}: {low:.4f} to {high:.4f}")


if __name__ == "__main__":
    main()
