"""Pictures in windows: where they lie, how they are blended, and that no seams are left."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.errors import InputError
from models import sliding
from models.base import LoadOptions
from models.segmentation import Resize
from models.torch_segment import TorchSegmenter
from tests.models import segmenters

SEEN = 15  # pixels each way, by ``conv_net``


@pytest.mark.parametrize(
    ("length", "side", "overlap", "expected"),
    [
        (100, 128, 0.25, [(0, 100)]),
        (128, 128, 0.25, [(0, 128)]),
        (129, 128, 0.25, [(0, 128), (32, 129)]),  # begins on the grid of 32, so it is shorter
        (224, 128, 0.25, [(0, 128), (96, 224)]),
        (256, 128, 0.25, [(0, 128), (64, 192), (128, 256)]),  # spread evenly: they overlap by half
        (256, 128, 0.0, [(0, 128), (128, 256)]),
        (250, 128, 0.0, [(0, 128), (128, 250)]),
    ],
)
def test_where_windows_lie(length, side, overlap, expected):
    assert sliding.cuts(length, side, overlap) == expected


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 12), st.floats(0, 0.75), st.sampled_from([1, 2, 4, 8, 16, 32]))
def test_windows_cover_all_and_count_as_one(length, sides, overlap, scale):
    side = 32 * sides
    found = sliding.cuts(length, side, overlap)
    assert found[0][0] == 0
    assert found[-1][1] == length
    assert all(start % 32 == 0 and 0 < stop - start <= side for start, stop in found)
    for (_, stop), (start, _) in pairwise(found):
        assert stop - start >= int(overlap * side) // 32 * 32
    total = np.zeros(-(-length // scale))
    for (start, stop), share in zip(found, sliding.shares(found, scale), strict=True):
        assert (share >= 0).all()
        total[start // scale : -(-stop // scale)] += share
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_what_lies_next_to_a_windows_edge_does_not_count():
    first, second = sliding.shares([(0, 128), (64, 192)], 8)  # 8 outputs seen by both
    np.testing.assert_allclose(second[:8], [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])
    np.testing.assert_allclose(first[8:], [1, 1, 0.875, 0.625, 0.375, 0.125, 0, 0])
    assert (first[:8] == 1).all()
    assert (second[8:] == 1).all()


def adapter(net, **chosen):
    return TorchSegmenter(
        net,
        segmenters.SPEC,
        LoadOptions(device="cpu", settings={key: str(value) for key, value in chosen.items()}),
        geometry=Resize(),
    )


@pytest.mark.parametrize("size", [(256, 256), (203, 331), (64, 500), (129, 129)])
def test_a_convolutional_network_says_the_same_in_windows(size):
    """The overlap of 64 pixels is four times what the network sees: windows must leave no trace at all."""
    picture = segmenters.picture(*size)
    whole = adapter(segmenters.conv_net(), window=0)
    pieces = adapter(segmenters.conv_net(), window=128, overlap=0.5)
    items = [whole.preprocess(picture)]
    (expected,), (got,) = whole.forward(items).logits, pieces.forward(items).logits
    assert got.shape == expected.shape == (5, -(-size[0] // 8), -(-size[1] // 8))
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    ids = [one.predict([picture])[0].class_ids for one in (whole, pieces)]
    assert (ids[0] == ids[1]).mean() > 0.9999
    assert pieces.fingerprint != whole.fingerprint


def test_without_enough_overlap_there_are_seams():
    """The check above can fail."""
    picture = segmenters.picture(256, 256)
    whole, pieces = adapter(segmenters.conv_net(), window=0), adapter(segmenters.conv_net(), window=64, overlap=0)
    items = [whole.preprocess(picture)]
    difference = (whole.forward(items).logits[0] - pieces.forward(items).logits[0]).abs().amax(0)
    assert difference.max() > 0.1
    assert difference[3:5, 3:5].max() < 1e-4  # in the middle of a window all is seen


@pytest.mark.parametrize("overlap", [0.5, 0.75])
def test_one_colour_has_no_seams(overlap):
    flat = np.full((300, 420, 3), (10, 200, 90), np.uint8)
    pieces = adapter(segmenters.conv_net(), window=128, overlap=overlap)
    (logits,) = pieces.forward([pieces.preprocess(flat)]).logits
    inside = logits[:, 3:-3, 3:-3]
    assert (inside.amax((1, 2)) - inside.amin((1, 2))).max() < 1e-4


def test_windows_are_used_for_large_inputs_only(monkeypatch):
    sizes = []
    made = adapter(segmenters.conv_net(classes=2, stride=2), overlap=0.1)
    run = made._run
    monkeypatch.setattr(made, "_run", lambda pictures: [sizes.append(p.shape[:2]) for p in pictures] and run(pictures))
    assert made.notes["windows"] == "for inputs above 4 megapixels, 1024x1024 pixels, overlapping by 10%"
    made.predict([np.zeros((1990, 2000, 3), np.uint8)])
    assert sizes == [(1990, 2000)]
    sizes.clear()
    made.predict([np.zeros((2010, 2000, 3), np.uint8)])
    assert len(sizes) == 9
    assert max(max(size) for size in sizes) == 1024


def test_a_network_that_answers_at_its_own_size_is_refused():
    class Fixed(torch.nn.Module):
        def forward(self, batch):
            return torch.nn.functional.adaptive_avg_pool2d(batch, 13)

    with pytest.raises(InputError, match=r"not in proportion to its input: load it with --set window=0\."):
        adapter(Fixed(), window=64).predict([segmenters.picture(200, 200)])
    assert adapter(Fixed(), window=0).predict([segmenters.picture(200, 200)])[0].size == (200, 200)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"window": "x"}, "window must be a side in pixels"),
        ({"window": "-64"}, "window must be a side in pixels"),
        ({"window": "99999"}, "window must be a side in pixels"),
        ({"overlap": "0.9"}, r"overlap must be a number in 0\.\.0\.75"),
        ({"overlap": "a"}, r"overlap must be a number in 0\.\.0\.75"),
    ],
)
def test_settings_that_make_no_sense(chosen, message):
    with pytest.raises(InputError, match=message):
        adapter(segmenters.conv_net(), **chosen)
