"""Made-up profiles in which all numbers are easy to know again."""

from __future__ import annotations

from typing import Any

from dashboard.explore.profiling.opened import Opened
from dashboard.profiling.shapes import Layer, Profile, Variant
from dashboard.store import Run

CONV = Layer(
    "layer1.0.conv1", "Conv2d", "conv", (1, 64, 56, 56), 36_864, 115_605_504, 231_211_008, 1, 1.5,
    {"kh": 3, "kw": 3, "cin": 64, "cout": 64, "groups": 1, "hout": 56, "wout": 56, "bias": 0},
)  # fmt: skip
NORM = Layer(
    "layer1.0.bn1", "BatchNorm2d", "batch_norm", (1, 64, 56, 56), 128, 0, 802_816, 1, 0.25,
    {"n": 1, "c": 64, "h": 56, "w": 56},
)  # fmt: skip
POOL = Layer("maxpool", "MaxPool2d", "pool", (1, 64, 56, 56), 0, 0, 200_704, 1, 0.1, {"hout": 56, "wout": 56, "c": 64})
FC = Layer(
    "fc", "Linear", "linear", (1, 1000), 513_000, 512_000, 1_024_000, 1, 0.15,
    {"nin": 512, "nout": 1000, "rows": 1, "bias": 1},
)  # fmt: skip
RELU = Layer("relu", "ReLU", "other", (1, 64, 112, 112), 0, 0, 0, 2, 0.05)
LAYERS = (CONV, NORM, POOL, RELU, FC)


def way(name: str, p50: float, **more: Any) -> Variant:
    """A way of running in which all numbers are easy to know again."""
    facts: dict[str, Any] = {
        "latency_ms": {"p50": p50, "p90": 1.25 * p50, "p99": 2 * p50},
        "stages_ms": {"preprocess": 1.0, "forward": p50 - 1.5, "postprocess": 0.5},
        "throughput": {1: 1000 / p50, 2: 1500 / p50, 4: 1400 / p50},
        "speedup": 20 / p50,  # as far from the first way as the medians are
        "peak_memory_mb": 400.0,
        "largest_difference": 0.0,
        "accuracy": {"top1": 0.9, "top5": 0.99},
    }
    return Variant(name, **(facts | more))


FAILED = Variant("onnxruntime", why_not="onnx is not installed: pip install onnx.")


def profile(model: str = "net", **more: Any) -> Profile:
    """A small made-up profile."""
    facts: dict[str, Any] = {
        "model": model,
        "task": "classification",
        "input_size": (224, 224),
        "device": "cpu",
        "params": 550_000,
        "trainable": 550_000,
        "buffers": 128,
        "size_bytes": 2_200_000,
        "macs": 116_117_504,
        "flops": 232_235_008,
        "layers": LAYERS,
        "variants": (
            way("fp32", 20.0),
            way("bf16", 10.0, accuracy={"top1": 0.875}, largest_difference=0.01),
            FAILED,
            way("default", 16.0),
        ),
        "cold_start": {"import_s": 2.0, "load_s": 0.5, "first_s": 0.25, "total_s": 0.75},
        "memory_mb": {"before": 300.0, "loaded": 350.0, "steady": 380.0, "peak": 420.0},
        "notes": ("Warmed up with <3> pictures.",),
    }
    return Profile(**(facts | more))


def view(model: str = "net", **more: Any) -> Opened:
    made = profile(model, **more)
    return Opened(Run(f"run-{model}", "profile", model, "224x224 on cpu", 1, {}), made)
