"""Decoding ahead of the model: one bad picture is left out with its reason, and big ones wait for each other."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from dashboard.datasets import images
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.pipeline import decoded, measure_latency
from dashboard.store import Store
from tests.datasets.pictures import encode, gradient
from tests.fakes import FakeAdapter, FakeDataset

ERRORS = [MemoryError(), ValueError("image is 1 pixel wide"), cv2.error("!ssize.empty()"), InputError("bad picture")]


class Choosy(FakeAdapter):
    """Fails to preprocess some pictures."""

    def __init__(self, error: Exception, numbers) -> None:
        super().__init__()
        self.error, self.numbers = error, numbers

    def preprocess(self, image: np.ndarray) -> int:
        number = super().preprocess(image)
        if number in self.numbers:
            raise self.error
        return number


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_a_picture_that_cannot_be_preprocessed_is_left_out(error):
    skipped = []
    batches = list(
        decoded(Choosy(error, {3}), FakeDataset(10), range(10), lambda: 4, 2, lambda *what: skipped.append(what))
    )
    assert [i for b in batches for i in b.indices] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    ((index, identity, reason),) = skipped
    assert (index, identity) == (3, "folder/00003.png")
    assert reason
    assert "\n" not in reason


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_the_first_picture_too(error, tmp_path):
    """It is the one that warms the model up and whose latency is measured."""
    adapter = Choosy(error, {0})
    run = evaluate(adapter, FakeDataset(10), Store(tmp_path), Settings())
    assert run.samples == 9
    assert [s["id"] for s in run.facts["skipped"]] == ["folder/00000.png"]
    assert measure_latency(adapter, FakeDataset(10), 0.01)["latency_ms"]["p50"] > 0
    nothing = measure_latency(Choosy(error, set(range(10))), FakeDataset(10), 0.01)
    assert nothing["latency_ms"]["p50"] is None


def test_other_errors_are_not_hidden():
    with pytest.raises(KeyError):
        list(decoded(Choosy(KeyError("x"), {3}), FakeDataset(10), range(10), lambda: 4, 2, lambda *_: None))


@pytest.mark.parametrize(("pixels", "together"), [(10, 1), (10**9, 4)])
def test_big_pictures_take_turns_until_they_are_preprocessed(monkeypatch, pixels, together):
    monkeypatch.setattr(images, "BIG_PIXELS", pixels)
    data, lock, now, most = encode(gradient(), "PNG"), threading.Lock(), 0, 0

    def work(_):
        nonlocal now, most
        with images.big_ones_alone():
            images.read_image_bytes(data)
            images.read_image_bytes(data)  # a second one by the same thread does not wait for itself
            with lock:
                now, most = now + 1, max(most, now + 1)
            time.sleep(0.05)
            with lock:
                now -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert most == together
    with pytest.raises(InputError), images.big_ones_alone():
        images.read_image_bytes(data[: len(data) // 2])
    with ThreadPoolExecutor(1) as pool:  # the turn was given back
        assert pool.submit(images.read_image_bytes, data).result(10).shape == (24, 32, 3)
