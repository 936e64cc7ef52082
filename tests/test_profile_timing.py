"""How a model is timed: stages apart, how often, throughput, two ways side by side, and a machine that is busy."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from dashboard import pipeline
from dashboard.datasets.opening import open_dataset
from dashboard.pipeline import latency_figures, stage_seconds
from dashboard.profiling import measuring
from dashboard.profiling.kept import unsteady
from dashboard.profiling.measuring import Watch, largest_difference, side_by_side, throughput, whole
from dashboard.profiling.shapes import Variant
from dashboard.types import Detections
from models.base import LoadOptions, OutOfMemory
from models.load import load_model
from tests.fakes import FakeAdapter

PICTURE = np.zeros((4, 4, 3), np.uint8)
CPU = LoadOptions(device="cpu")


class Slow(FakeAdapter):
    """Takes known times for its three steps, in milliseconds."""

    def __init__(self, *ms: float, room: int | None = None) -> None:
        super().__init__(room=room)
        self.ms, self.calls = ms, 0

    def preprocess(self, image):
        time.sleep(self.ms[0] / 1e3)
        self.calls += 1
        return super().preprocess(image)

    def forward(self, items):
        time.sleep(self.ms[1] / 1e3 * len(items))
        return super().forward(items)

    def postprocess(self, outputs):
        time.sleep(self.ms[2] / 1e3)
        return super().postprocess(outputs)


class Clock:
    """Stands still while nobody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """The clock of what is tested, and of ``Slow``: a busy machine changes nothing."""
    made = Clock()
    for module in (measuring, pipeline, sys.modules[__name__]):
        monkeypatch.setattr(module, "time", made)


def quiet() -> Watch:
    return Watch(None, None, 1)


# ---- clocks


def test_stages_are_timed_apart(clock):
    figures = latency_figures(stage_seconds(Slow(2, 8, 4), [PICTURE], 0.3, warm_up=1))
    assert figures["stages_ms"] == pytest.approx({"preprocess": 2, "forward": 8, "postprocess": 4})
    assert figures["latency_ms"] == pytest.approx({"p50": 14, "p90": 14, "p99": 14})


def test_real_clocks_measure_real_time():
    figures = latency_figures(stage_seconds(Slow(0, 20, 0), [PICTURE], 0, warm_up=0))
    assert figures["latency_ms"]["p50"] >= figures["stages_ms"]["forward"] >= 20


@pytest.mark.parametrize(
    ("ms", "budget", "warm_up", "most", "measured"),
    [(0, 60, 2, 7, 7), (0, 60, 0, 1, 1), (1, 0, 2, 99, 3), (1, 0, 0, 99, 3)],
    ids=["as many as asked", "one", "at least three, warm-up apart", "at least three"],
)
def test_how_many_pictures_are_measured(ms, budget, warm_up, most, measured):
    adapter, told = Slow(ms, 0, 0), []
    seconds = stage_seconds(
        adapter, [PICTURE], budget, warm_up=warm_up, most=most, watch=lambda number, s: told.append((number, s))
    )
    assert seconds.shape == (measured, 3)
    assert adapter.calls == measured + warm_up
    assert [number for number, _ in told] == list(range(1, measured + 1))
    np.testing.assert_allclose([s for _, s in told], seconds.sum(1))


def test_percentiles_are_of_the_sum_of_stages():
    seconds = np.array([[1, 1, 0], [2, 0, 1], [0, 9, 1]]) / 1e3  # 2, 3 and 10 ms
    figures = latency_figures(seconds)
    assert figures["latency_ms"] == pytest.approx({"p50": 3, "p90": 3 + 0.8 * 7, "p99": 3 + 0.98 * 7})
    assert figures["stages_ms"] == pytest.approx({"preprocess": 1, "forward": 1, "postprocess": 1})


def test_throughput_counts_pictures(clock):
    found = throughput(Slow(1, 2, 10), [PICTURE], (1, 5), quiet())
    assert found == pytest.approx({1: 1 / 0.013, 5: 5 / 0.025})  # 3 + 10 ms, and 5 x 3 + 10 ms for five


def test_throughput_ends_with_the_memory(monkeypatch):
    monkeypatch.setattr(measuring, "BATCH_S", 0)
    assert list(throughput(Slow(0, 0, 0, room=4), [PICTURE], None, quiet())) == [1, 2, 4]
    monkeypatch.setattr(measuring, "_room", lambda device: False)
    assert list(throughput(Slow(0, 0, 0), [PICTURE], None, quiet())) == [1]


def test_throughput_ends_with_the_time(clock, monkeypatch):
    monkeypatch.setattr(measuring, "BATCHES_S", 0.2)
    monkeypatch.setattr(measuring, "BATCH_S", 0)
    assert list(throughput(Slow(0, 20, 0), [PICTURE], None, quiet())) == [1, 2]  # 3 x 4 x 20 ms are too much
    assert list(throughput(Slow(0, 20, 0), [PICTURE], (1, 4), quiet())) == [1, 4]  # asked for


def test_side_by_side_is_a_ratio(clock):
    assert side_by_side(Slow(0, 12, 0), Slow(1, 4, 1), [PICTURE], quiet()) == pytest.approx(2)


def test_a_tracker_is_part_of_what_comes_after_the_network():
    adapter = load_model("scenes_nano+iou", CPU)
    scene = open_dataset("demo:scenes", None, "detection")[0].image
    timed = whole(adapter)
    first, second = timed.predict([scene]), timed.predict([scene])
    assert len(first[0].track_ids) > 0
    np.testing.assert_array_equal(first[0].track_ids, second[0].track_ids)
    plain = load_model("digits_linear", CPU)
    assert whole(plain) is plain


def test_a_tracker_gets_its_own_picture_after_a_batch_that_was_too_large():
    class Detector(FakeAdapter):
        def postprocess(self, outputs):
            nothing = np.zeros(0)
            return [Detections(np.zeros((0, 4)), nothing, nothing.astype(int)) for _ in outputs]

    detector, seen = Detector(room=2), []
    detector.tracker = SimpleNamespace(needs_images=True, update=lambda found, image: seen.append(image[0, 0, 0]))
    timed = whole(detector)
    pictures = [np.full((2, 2, 3), value, np.uint8) for value in range(4)]
    with pytest.raises(OutOfMemory):
        timed.predict(pictures[:3])
    timed.predict(pictures[2:])
    assert seen == [2, 3]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([[1.0, 2.0]], [[1.5, 2.0]], 0.5),
        ([[1.0]], [[1.0]], 0.0),
        ([[1.0, 2.0]], [[1.0]], None),  # another number of boxes
        ([[np.nan]], [[1.0]], None),
    ],
)
def test_largest_difference(first, second, expected):
    arrays = [[[np.array(a) for a in x]] for x in (first, second)]
    assert largest_difference(*arrays) == expected


def test_outputs_of_any_shape_are_compared():
    import torch

    outputs = {"a": (torch.ones(2), [np.full((1, 2), 3, np.uint8)]), "size": (4, 5), "none": None}
    assert [a.tolist() for a in measuring._arrays(outputs)] == [[1.0, 1.0], [[3.0, 3.0]]]


# ---- a busy machine


def at(name: str, p50: float, p99: float, speedup: float | None, **more) -> Variant:
    return Variant(name, latency_ms={"p50": p50, "p90": p99, "p99": p99}, speedup=speedup, **more)


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        ([at("fp32", 20, 60, 1.0), at("bf16", 10, 20, 2.0)], []),
        ([at("fp32", 20, 50, 1.0), at("bf16", 10, 20, 1.7)], []),
        ([at("fp32", 65, 70, 1.0), at("bf16", 24, 30, 0.985)], ["bf16"]),  # 2.7 times as fast by its medians
        ([at("fp32", 20, 30, 1.0), at("fused", 20, 30, 1.5), at("bf16", 20, 30, 1.0)], ["fused"]),
        ([at("fp32", 20, 61, 1.0)], ["fp32"]),
        ([at("default", 20, 30, None)], []),
        ([Variant("fp32"), Variant("bf16", why_not="no")], []),
        ([], []),
    ],
)
def test_times_taken_on_a_busy_machine_are_told(ways, said):
    assert unsteady(ways) == said
