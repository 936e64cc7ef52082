"""What storing, tracking and counting cost: frames a second of an evaluation against decode and model alone.

    python -m benchmarks.tracking_pipeline [--seconds 60] [--rounds 3] [--model scenes_small] [--tracker bytetrack]

The film is 1080p H.264 at 25 frames a second, made of the sequences of ``demo:tracks``, enlarged and grainy, so that
there is something to track. "Alone" is the shortest way from file to boxes: PyAV decodes from the first frame to the
last, RGB and preprocessing are made ahead in threads, and batches go through the network. "Whole" is ``evaluate`` as it
is (without measuring latency): the same, and the boxes stored, a tracker over them, and the numbers. Each in fresh
processes, in turns; on a busy machine the seconds of the processor say more than those on the wall. The peak of memory
above what stood when the model was loaded is told for a quarter of the film, too: it must not grow with the length.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection_ap import Clock, Data, in_turns

SIZE, FPS, CLIP = (1080, 1920), 25, 12.0
CASES = ("quarter", "alone", "whole")


def make_film(path: Path, seconds: float) -> None:
    """Frames of ``demo:tracks``, enlarged, with grain; B-frames and key frames as x264 sets them.

    After ``CLIP`` seconds the same packets come again, later: encoding ten minutes would take longer than the rest.
    """
    import av
    import cv2

    from dashboard.datasets.opening import open_dataset

    data, rng = open_dataset("demo:tracks", task="tracking"), np.random.default_rng(0)
    grain, clip = rng.integers(0, 10, SIZE, np.uint8), path.with_name("clip.mp4")
    count, total = round(min(seconds, CLIP) * FPS), round(seconds * FPS)
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", FPS, options={"preset": "veryfast", "crf": "23"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for i in range(count):
            picture = cv2.resize(data[i % len(data)].image, SIZE[::-1], interpolation=cv2.INTER_LINEAR)
            moved: Any = np.roll(grain, (37 * i, 91 * i), (0, 1))[..., None]
            grainy: Any = cv2.add(picture, np.repeat(moved, 3, 2))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grainy)))
        container.mux(stream.encode())
    with av.open(str(path), "w") as container:
        for begin in range(0, total, count):
            with av.open(str(clip)) as source:
                of = source.streams.video[0]
                target = container.streams.video[0] if begin else container.add_stream_from_template(of)
                shift = round(begin / FPS / (of.time_base or 1))
                for packet in source.demux(of):
                    if packet.dts is not None and packet.pts is not None:
                        packet.dts, packet.pts, packet.stream = packet.dts + shift, packet.pts + shift, target
                        container.mux(packet)


def loaded(model: str, tracker: str) -> Any:
    """The model, warmed up."""
    from models.base import LoadOptions
    from models.load import load_model

    adapter = load_model(f"{model}+{tracker}", LoadOptions(device="cpu"))
    adapter.postprocess(adapter.forward([adapter.preprocess(np.zeros((*SIZE, 3), np.uint8))] * 4))
    return adapter


def alone(film: Path, adapter: Any, batch: int) -> Data:
    """Decode, preprocess, forward, postprocess."""
    import av

    from dashboard.pipeline import default_workers

    frames = boxes = 0

    def ready(frame: Any) -> Any:
        return adapter.preprocess(frame.to_ndarray(format="rgb24"))

    with Clock() as clock, av.open(str(film)) as container, ThreadPoolExecutor(default_workers()) as pool:
        container.streams.video[0].thread_type = "AUTO"
        decoded = container.decode(video=0)
        ahead: deque[Any] = deque()
        while True:
            while len(ahead) < 2 * batch + default_workers() and (frame := next(decoded, None)) is not None:
                ahead.append(pool.submit(ready, frame))
            items = [ahead.popleft().result() for _ in range(min(batch, len(ahead)))]
            if not items:
                break
            found = adapter.postprocess(adapter.forward(items))
            frames, boxes = frames + len(items), boxes + sum(len(d) for d in found)
    return {**clock.result([]), "frames": frames, "boxes": boxes}


def whole(film: Path, adapter: Any, batch: int, seconds: float) -> Data:
    """``evaluate`` on the first seconds, from opening the file to the run."""
    from dashboard.datasets.opening import open_dataset
    from dashboard.evaluation import Settings, evaluate
    from dashboard.store import Store

    with tempfile.TemporaryDirectory() as store, Clock() as clock:
        data = open_dataset(film, task="tracking", options={"seconds": str(seconds)})
        run = evaluate(adapter, data, Store(store), Settings(batch_size=batch, latency=False))
    times = {"loop": run.timing["wall_s"], "model": run.timing["model_s"], "tracker": run.timing["track_s"]}
    boxes = (run.metrics["trk_counts"] or 0) * run.samples
    return {**clock.result([]), "frames": run.samples, "boxes": boxes, "times": times}


def work(case: str, folder: Path) -> Data:
    """What a fresh process does."""
    how = json.loads((folder / "how.json").read_text(encoding="utf-8"))
    adapter = loaded(how["model"], how["tracker"])
    if case == "alone":
        return alone(folder / "film.mp4", adapter, how["batch"])
    return whole(folder / "film.mp4", adapter, how["batch"], how["seconds"] / (4 if case == "quarter" else 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--seconds", type=float, default=60)
    for name, value in (("rounds", 3), ("batch", 4)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--model", default="scenes_small")
    parser.add_argument("--tracker", default="bytetrack")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(work(args.case, args.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder, begin = Path(name), time.perf_counter()
        make_film(folder / "film.mp4", args.seconds)
        print(f"a film of {args.seconds:g} s, made in {time.perf_counter() - begin:.0f} s")
        how = {name: getattr(args, name) for name in ("model", "tracker", "batch", "seconds")}
        (folder / "how.json").write_text(json.dumps(how), encoding="utf-8")
        found = in_turns("benchmarks.tracking_pipeline", folder, CASES, args.rounds, once=("quarter",))
    for name, results in found.items():
        one = results[len(results) // 2]
        rate, cost = (statistics.median(of(r) for r in results) for of in (per_second, processor_ms))
        print(
            f"  {name:8s} {one['frames']:6d} frames, {one['boxes']:.0f} boxes: {rate:5.1f} frames/s, {cost:5.1f} ms of "
            f"the processor each; peak {max(r['megabytes'] for r in results):.0f} MB above the start"
            + "".join(f", {k} {v:.1f} s" for k, v in one.get("times", {}).items())
        )
    for what, of in {"speed": per_second, "work of the processor": processor_ms}.items():
        ratios = [of(w) / of(a) for a, w in zip(found["alone"], found["whole"], strict=True)]
        rounds = ", ".join(f"{ratio:.3f}" for ratio in ratios)
        print(f"  {what}, whole / alone: {statistics.median(ratios):.3f} (rounds: {rounds})")


def per_second(result: Data) -> float:
    """Frames a second on the wall."""
    return float(result["frames"] / result["wall"])


def processor_ms(result: Data) -> float:
    """Milliseconds of the processor, all threads together, a frame."""
    return float(1000 * result["processor"] / result["frames"])


if __name__ == "__main__":
    main()
