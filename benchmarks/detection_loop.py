"""How much of the wall time is spent inside the model: Loupe's evaluation against ``yolo val`` on the same pictures.

    python -m benchmarks.detection_loop [--images 60] [--rounds 3] [--batch 16]

YOLO11n's architecture at 640 px with random, seeded weights (nothing is downloaded), its class biases raised so that
suppression and metrics have some thousand candidates a picture, as a trained one gives them. Fresh processes, in turns;
building the network is in neither. Told is the share of the whole call (ours with all metrics, intervals and storing;
theirs with setting up the validator) and of the loop alone (theirs from the first picture to the metrics).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection_ap import HEIGHT, WIDTH, Data, in_turns, make

CLASSES = 80
RAISED = 7.0  # added to the biases of two classes on the two coarser scales


def make_dataset(folder: Path, images: int, batch: int) -> None:
    """Noisy pictures with the truth of ``make``, in YOLO's format."""
    import cv2

    data, rng = make(images, CLASSES, images * 7, images * 36, seed=5), np.random.default_rng(3)
    for part in ("images", "labels"):
        (folder / part / "val").mkdir(parents=True)
    for i in range(images):
        coarse = rng.integers(0, 256, (HEIGHT // 40, WIDTH // 40, 3), dtype=np.uint8)
        noise = cv2.resize(rng.normal(0, 10, (HEIGHT // 2, WIDTH // 2, 3)), (WIDTH, HEIGHT))
        smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        picture = np.clip(smooth + noise, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / "images" / "val" / f"{i:05d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
        mine = data["gi"] == i
        box = data["gb"][mine] / [WIDTH, HEIGHT, WIDTH, HEIGHT]
        rows = [
            f"{c} {x + w / 2:.6f} {y + h / 2:.6f} {w:.6f} {h:.6f}"
            for c, (x, y, w, h) in zip(data["gc"][mine], box, strict=True)
        ]
        (folder / "labels" / "val" / f"{i:05d}.txt").write_text("\n".join(rows), encoding="utf-8")
    names = "".join(f"  {k}: class {k}\n" for k in range(CLASSES))
    text = f"path: {folder}\ntrain: images/val\nval: images/val\nnames:\n{names}"
    (folder / "data.yaml").write_text(text, encoding="utf-8")
    (folder / "batch.json").write_text(json.dumps(batch), encoding="utf-8")


def network() -> Any:
    """A YOLO object with YOLO11n's architecture and seeded weights."""
    import torch
    from ultralytics import YOLO

    torch.manual_seed(0)
    yolo = YOLO("yolo11n.yaml")
    head: Any = yolo.model.model[-1]  # type: ignore[union-attr]
    for scale in list(head.cv3)[1:]:
        scale[-1].bias.data[:2] += RAISED
    return yolo


def ours(folder: Path, batch: int) -> Data:
    """Loupe's evaluation, everything included."""
    from dashboard.datasets.opening import open_dataset
    from dashboard.evaluation import Settings, evaluate
    from dashboard.store import Store
    from models.base import LoadOptions, ModelSpec, Weights
    from models.ultralytics_detect import UltralyticsDetector

    names = tuple(f"class {k}" for k in range(CLASSES))
    spec = ModelSpec("random yolo11n", "detection", "ultralytics", "this benchmark", Weights("file", "", 0), names)
    adapter = UltralyticsDetector(network().model, spec, LoadOptions())
    with tempfile.TemporaryDirectory() as store:
        begin = time.perf_counter()
        dataset = open_dataset(folder, task="detection")
        run = evaluate(adapter, dataset, Store(Path(store)), Settings(batch_size=batch, latency=False))
        wall = time.perf_counter() - begin
    timing = run.timing
    return {
        "wall": wall,
        "share": timing["model_s"] / wall,
        "loop": timing["pipeline_efficiency"],
        "map": run.metrics["map"],
    }


def ultralytics(folder: Path, batch: int) -> Data:
    """The validator of Ultralytics; its own clock says what the network took."""
    yolo = network()
    at: list[tuple[float, Any]] = []
    for event in ("on_val_start", "on_val_end"):
        yolo.add_callback(event, lambda validator: at.append((time.perf_counter(), validator)))
    with contextlib.redirect_stdout(io.StringIO()):
        begin = time.perf_counter()
        found = yolo.val(
            data=str(folder / "data.yaml"), imgsz=640, batch=batch, workers=0, device="cpu", plots=False, verbose=False,
            project=str(folder / "runs"), exist_ok=True,
        )  # fmt: skip
        wall = time.perf_counter() - begin
    (start, _), (end, validator) = at
    model = validator.speed["inference"] / 1000 * len(validator.dataloader.dataset)
    return {"wall": wall, "share": model / wall, "loop": model / (end - start), "map": float(found.box.map)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    for name, value in (("images", 60), ("rounds", 3), ("batch", 16)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        batch = json.loads((args.folder / "batch.json").read_text(encoding="utf-8"))
        print(json.dumps((ours if args.case == "Loupe" else ultralytics)(args.folder, batch)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_dataset(Path(folder), args.images, args.batch)
        found = in_turns("benchmarks.detection_loop", Path(folder), ["Loupe", "yolo val"], args.rounds)
    print(f"{args.images} pictures, YOLO11n's architecture at 640 px, batches of {args.batch}")
    for name, results in found.items():
        wall, share, loop = (statistics.median(r[key] for r in results) for key in ("wall", "share", "loop"))
        print(
            f"  {name:10s} {wall:6.2f} s, in the model {share:.3f}, of the loop {loop:.3f}; mAP {results[0]['map']:.4f}"
        )


if __name__ == "__main__":
    main()
