"""CLEAR, identity and HOTA against TrackEval's core (pip install trackeval), in one run on the same sequences.

    python -m benchmarks.tracking_metrics [--sequences 7] [--frames 1000] [--objects 25] [--rounds 5]

Both begin with arrays: frame, identity and box of every row. TrackEval's core is what its datasets do from there (boxes
by frame, overlaps) and its three metrics, with sequences combined; files are not read, nothing is printed. Every round
is a fresh process for each, in turns; only the work is timed, not the start of Python and imports ("with imports" adds
the import of NumPy, SciPy and the package, for both). The first call counts: nothing is warmed up. Shown are medians,
the most memory that a process came to hold above what it held before the work, and the largest difference in any
number.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

Rows = np.ndarray
FAMILY = ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA")
CLEAR = {"recall": "CLR_Re", "precision": "CLR_Pr", "f1": "CLR_F1", "TP": "CLR_TP", "FP": "CLR_FP", "FN": "CLR_FN"}
CLEAR |= {n: n for n in ("MOTA", "MOTP", "MODA", "sMOTA", "MOTAL", "IDSW", "MT", "PT", "ML", "Frag")}


def walkers(seed: int, frames: int, objects: int) -> tuple[Rows, Rows]:
    """Truth and a tracker's output: (N, 6) rows frame from 0, identity, left, top, width, height.

    About ``objects`` pedestrians a frame cross a 1080p picture for 160 frames on average. The tracker misses one box in
    eight, loses some for half a second and more, begins new identities, and follows a third as many ghosts.
    """
    rng = np.random.default_rng(seed)
    truth, found = [], []
    identity = 0
    many = int(frames * objects / 160)
    for number in range(many):
        length = int(np.clip(rng.gamma(1.6, 100), 10, frames))
        start = int(rng.integers(-length // 2, frames - 5))
        at = np.arange(max(start, 0), min(start + length, frames))
        count = len(at)
        if count < 3:
            continue
        height = rng.uniform(80, 350)
        width = height * rng.uniform(0.33, 0.5)
        x = rng.uniform(0, 1800) + rng.normal(0, 2.5) * (at - at[0]) + np.cumsum(rng.normal(0, 0.6, count))
        y = rng.uniform(300, 700) + rng.normal(0, 0.5) * (at - at[0])
        box = np.stack([x, y, np.full(count, width), np.full(count, height)], axis=1)
        truth.append(np.column_stack([at, np.full(count, number), box]))
        seen = rng.random(count) > 0.12
        gap = np.zeros(count, bool)
        for _ in range(rng.poisson(count / 250)):
            begin = rng.integers(0, count)
            gap[begin : begin + rng.integers(5, 30)] = True
        back = np.append(False, gap[:-1] & ~gap[1:])
        handed = (back & (rng.random(count) < 0.6)) | (rng.random(count) < 0.002)
        held = identity + 1 + np.cumsum(handed)
        identity = int(held[-1])
        noisy = box + rng.normal(0, 0.035, box.shape) * [width, height, width, height]
        found.append(np.column_stack([at, held, noisy])[seen & ~gap])
    for _ in range(many // 3):
        length = int(rng.integers(3, 60))
        start = int(rng.integers(0, max(1, frames - length)))
        at = np.arange(start, min(frames, start + length))
        identity += 1
        height = rng.uniform(80, 300)
        box = np.array([rng.uniform(0, 1800), rng.uniform(300, 700), height * 0.4, height])
        found.append(np.column_stack([at, np.full(len(at), identity), np.tile(box, (len(at), 1))]))
    sides = []
    for parts in (truth, found):
        rows = np.concatenate(parts)
        rows[:, 2:] = np.round(rows[:, 2:], 2)
        sides.append(rows[np.lexsort((rows[:, 1], rows[:, 0]))])
    return sides[0], sides[1]


def ours(data: list[tuple[Rows, Rows]], frames: int) -> dict[str, float]:
    from dashboard.metrics.tracking import scores
    from dashboard.metrics.tracking.columns import SequenceTracks, Tracks
    from dashboard.metrics.tracking.counts import evaluate, merge

    parts = []
    for pair in data:
        sides = []
        for rows in pair:
            xyxy = rows[:, 2:].copy()
            xyxy[:, 2:] += xyxy[:, :2]
            number = rows[:, :2].astype(np.int64)
            sides.append(Tracks(number[:, 0], number[:, 1], np.zeros(len(rows), np.int64), xyxy))
        parts.append(evaluate(SequenceTracks("", frames, *sides)))
    c = merge(parts).pooled()
    return {name: float(value[0]) for name, value in scores.everything(c.plain, c.alpha, c.frames).items()}


def trackeval_core(data: list[tuple[Rows, Rows]], frames: int) -> dict[str, float]:
    import trackeval
    from trackeval.datasets._base_dataset import _BaseDataset

    metrics = {
        "HOTA": trackeval.metrics.HOTA(),
        "CLEAR": trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
        "Identity": trackeval.metrics.Identity({"PRINT_CONFIG": False}),
    }
    results: dict[str, dict[str, Any]] = {name: {} for name in metrics}
    for number, pair in enumerate(data):
        cut, ids = [], []
        for rows in pair:
            cut.append(np.searchsorted(rows[:, 0], np.arange(frames + 1)))
            ids.append(np.unique(rows[:, 1].astype(int), return_inverse=True)[1])
        at = [[slice(a[f], a[f + 1]) for f in range(frames)] for a in cut]
        boxes = [np.ascontiguousarray(rows[:, 2:6]) for rows in pair]
        overlaps = [_BaseDataset._calculate_box_ious(boxes[0][a], boxes[1][b]) for a, b in zip(*at, strict=True)]
        given = {
            "num_timesteps": frames,
            "num_gt_ids": ids[0].max() + 1,
            "num_tracker_ids": ids[1].max() + 1,
            "num_gt_dets": len(pair[0]),
            "num_tracker_dets": len(pair[1]),
            "seq": str(number),
            "gt_ids": [ids[0][a] for a in at[0]],
            "tracker_ids": [ids[1][b] for b in at[1]],
            "similarity_scores": overlaps,
        }
        for name, metric in metrics.items():
            results[name][str(number)] = metric.eval_sequence(given)
    c = {name: metric.combine_sequences(results[name]) for name, metric in metrics.items()}
    values = {name: c["CLEAR"][key] for name, key in CLEAR.items()} | dict(c["Identity"])
    values |= {name: np.mean(c["HOTA"][name]) for name in FAMILY}
    return {name: float(value) for name, value in values.items()}


def everything(data: list[tuple[Rows, Rows]], frames: int) -> dict[str, float]:
    """Ours with intervals and the story of each sequence: what an evaluation with its view costs."""
    from dashboard.metrics.tracking.columns import SequenceTracks, Tracks
    from dashboard.metrics.tracking.evidence import evidence, join
    from dashboard.metrics.tracking.story import story

    parts = []
    for pair in data:
        sides = []
        for rows in pair:
            xyxy = np.column_stack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:]])
            sides.append(Tracks(rows[:, 0].astype(int), rows[:, 1].astype(int), np.zeros(len(rows), int), xyxy))
        sequence = SequenceTracks("", frames, *sides)
        parts.append(evidence([sequence]))
        story(sequence)
    return {name: ends[0] for name, ends in join(parts).intervals.items()}


CASES = {"ours": ours, "TrackEval core": trackeval_core, "ours, intervals + story": everything}


def work(case: str, sequences: int, frames: int, objects: int) -> None:
    """In a process of its own: do it once and print what it took."""
    data = [walkers(100 + k, frames, objects) for k in range(sequences)]
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        if case == "TrackEval core":
            import trackeval  # noqa: F401
        else:
            import dashboard.metrics.tracking.counts  # noqa: F401
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ready = time.perf_counter()
        values = CASES[case](data, frames)
    end = time.perf_counter()
    held = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    boxes = [sum(len(pair[k]) for pair in data) for k in (0, 1)]
    print(json.dumps({"s": end - ready, "all": end - start, "mb": held, "values": values, "boxes": boxes}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    for name, value in {"sequences": 7, "frames": 1000, "objects": 25, "rounds": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        work(args.case, args.sequences, args.frames, args.objects)
        return
    sizes = [f"--{name}={getattr(args, name)}" for name in ("sequences", "frames", "objects")]
    seen: dict[str, list[dict[str, Any]]] = {case: [] for case in CASES}
    for _ in range(args.rounds):
        for case, rounds in seen.items():
            command = [sys.executable, "-m", "benchmarks.tracking_metrics", "--case", case, *sizes]
            rounds.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    truth, found = seen["ours"][0]["boxes"]
    print(
        f"{args.sequences} x {args.frames} frames, {truth} true and {found} found boxes, {args.rounds} rounds in turns"
    )
    middle = {
        case: {key: statistics.median(r[key] for r in rounds) for key in ("s", "all", "mb")}
        for case, rounds in seen.items()
    }
    peer = middle["TrackEval core"]
    for case, m in middle.items():
        loaded = f"with imports {1000 * m['all']:6.0f} ms {peer['all'] / m['all']:5.1f} x"
        times = f"{1000 * m['s']:8.0f} ms {peer['s'] / m['s']:6.1f} x"
        print(f"  {case:24s} {times}, {loaded}, +{m['mb']:4.0f} MB")
    mine, their = (seen[case][0]["values"] for case in ("ours", "TrackEval core"))
    worst = max(their, key=lambda name: abs(mine[name] - their[name]))
    print(f"  largest difference of {len(their)} numbers: {abs(mine[worst] - their[worst]):.1e} ({worst})")


if __name__ == "__main__":
    main()
