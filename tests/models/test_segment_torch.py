"""Semantic segmenters in torch: from coarse logits to the picture's pixels, batches, outputs of every kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from dashboard.errors import InputError
from models.base import LoadOptions, OutOfMemory
from models.detection import LetterBox, Placement
from models.segmentation import Resize
from models.torch_segment import TorchSegmenter
from models.upsampling import Upsampled, bilinear
from tests.models import segmenters

NAMES = ("sky", "road", "car", "tree", "sign")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def adapter(net=None, geometry=None, options=None, names=(), **how):
    spec = replace(segmenters.SPEC, class_names=names)
    options = options or LoadOptions(device="cpu")
    return TorchSegmenter(net or segmenters.conv_net(), spec, options, geometry=geometry or Resize(), **how)


def chosen(**values):
    return LoadOptions(device="cpu", settings=values)


# one pixel to three, two to four, four to two, by hand: places of torch's align_corners=False
@pytest.mark.parametrize(
    ("length", "to", "expected"),
    [
        (1, 3, [[1], [1], [1]]),
        (2, 4, [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]),
        (4, 2, [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]),
        (3, 3, np.eye(3)),
    ],
)
def test_one_axis(length, to, expected):
    np.testing.assert_allclose(bilinear(length, to).toarray(), expected)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_upsampling_is_torchs(data):
    """Up to the input, the padding cut off, on to the picture: as torch's own two steps."""
    whole = st.integers(1, 60)
    high, wide = data.draw(whole), data.draw(whole)
    inner = data.draw(whole), data.draw(whole)
    top, left = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20))
    outer = top + inner[0] + data.draw(st.integers(0, 20)), left + inner[1] + data.draw(st.integers(0, 20))
    size = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 600))
    coarse = torch.randn(3, high, wide, generator=torch.Generator().manual_seed(0))
    step = interpolate(coarse[None], outer, mode="bilinear")[..., top : top + inner[0], left : left + inner[1]]
    expected = interpolate(step, size, mode="bilinear")[0]
    found = Upsampled(coarse, Placement(top, left, inner, outer), size)
    assert found.shape == (3, *size)
    rows = found.rows(0, size[0])
    np.testing.assert_allclose(rows, expected.softmax(0), atol=2e-5)
    direct = Upsampled(coarse, Placement(top, left, inner, outer), size, direct=True)
    one = interpolate(coarse[None], size, mode="bilinear")[0].softmax(0)
    np.testing.assert_allclose(direct.rows(0, size[0]), one, atol=2e-5)


@pytest.fixture(scope="module")
def large():
    coarse = torch.randn(7, 33, 61, generator=torch.Generator().manual_seed(1)) * 4
    return Upsampled(coarse, Placement(3, 5, (250, 470), (264, 488)), (377, 705))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 377), st.integers(0, 377))
def test_strips_are_the_whole_to_the_bit(large, one, other):
    start, stop = sorted((one, other))
    whole = large.rows(0, 377)
    np.testing.assert_array_equal(large.rows(start, stop), whole[:, start:stop])


def test_classes_are_those_of_the_highest_probability(large):
    whole = large.rows(0, 377)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole.sum(0), 1, atol=1e-5)
    ids = large.class_ids()
    assert ids.dtype == np.uint8
    picked = np.take_along_axis(whole, ids[None].astype(int), 0)[0]
    assert (picked == whole.max(0)).all()
    with pytest.raises(ValueError, match=r"rows 5\.\.378 are not within 0\.\.377"):
        large.rows(5, 378)


def test_logits_of_the_pictures_own_size_are_taken_as_they_are():
    coarse = torch.randn(3, 40, 300, generator=torch.Generator().manual_seed(2))
    found = Upsampled(coarse, Placement(0, 0, (37, 290), (40, 300)), (37, 290))
    np.testing.assert_array_equal(found.class_ids(), coarse[:, :37, :290].argmax(0))
    np.testing.assert_allclose(found.rows(3, 37), coarse[:, 3:37, :290].softmax(0), atol=1e-6)


def test_equally_likely_classes_give_the_first():
    flat = Upsampled(torch.zeros(4, 2, 2), Placement(0, 0, (8, 8), (8, 8)), (8, 8))
    assert not flat.class_ids().any()


def test_more_than_254_classes_take_two_bytes():
    coarse = torch.zeros(300, 1, 1)
    coarse[299] = 1
    found = Upsampled(coarse, Placement(0, 0, (2, 2), (2, 2)), (2, 2))
    assert found.class_ids().dtype == np.uint16
    assert (found.class_ids() == 299).all()


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("multiple", [1, 32])
def test_it_is_what_torch_says(fuse, multiple):
    """The whole way beside the same in plain torch."""
    net = segmenters.conv_net()
    picture = segmenters.picture(75, 130)
    padded = np.pad(picture, ((0, -75 % multiple), (0, -130 % multiple), (0, 0)), mode="edge")
    batch = (torch.from_numpy(padded).permute(2, 0, 1)[None] / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(
        STD
    ).view(3, 1, 1)
    with torch.inference_mode():
        logits = interpolate(net(batch), padded.shape[:2], mode="bilinear")[0, :, :75, :130]
    made = adapter(
        segmenters.conv_net(),
        Resize(None, multiple),
        LoadOptions(device="cpu", fuse=fuse),
        NAMES,
        mean=MEAN,
        std=STD,
        multiple=multiple,
    )
    found = made.predict([picture])[0]
    np.testing.assert_allclose(found.probabilities.rows(0, 75), logits.softmax(0), atol=1e-5)
    assert (found.class_ids == logits.argmax(0).numpy()).mean() > 0.9999
    assert len(np.unique(found.class_ids)) > 2
    assert made.spec.class_names == NAMES
    assert made.spec.task == "semantic-segmentation"
    assert made.notes.get("batch norms folded") == (3 if fuse else None)
    assert made.notes["windows"].startswith("for inputs above 4 megapixels")


@pytest.mark.parametrize("geometry", [Resize(), Resize(64), Resize(50, 32), LetterBox((96, 128))])
def test_a_batch_is_its_pictures(geometry):
    made = adapter(geometry=geometry)
    pictures = [segmenters.picture(*size, seed) for seed, size in enumerate([(80, 120), (120, 80), (80, 120), (9, 8)])]
    together = made.predict(pictures)
    for picture, batched in zip(pictures, together, strict=True):
        single = made.predict([picture])[0]
        assert batched.size == single.size == picture.shape[:2]
        rows = slice(0, picture.shape[0])
        np.testing.assert_allclose(
            batched.probabilities.rows(rows.start, rows.stop),
            single.probabilities.rows(rows.start, rows.stop),
            atol=1e-4,
        )
        assert (batched.class_ids == single.class_ids).mean() > 0.999


@pytest.mark.parametrize("wrap", [lambda x: {"out": x, "aux": x[:, :1]}, lambda x: (x, [x]), lambda x: [(x,)]])
def test_outputs_in_any_wrapping(wrap):
    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = segmenters.conv_net()

        def forward(self, batch):
            return wrap(self.net(batch))

    picture = segmenters.picture(64, 64)
    made = adapter(Wrapped())
    assert made.notes["batch norms folded"] == 3
    assert (made.predict([picture])[0].class_ids == adapter().predict([picture])[0].class_ids).all()


def test_one_output_is_an_object_and_the_background():
    made = adapter(segmenters.conv_net(classes=1), names=("person",))
    assert made.spec.class_names == ("background", "person")
    picture = segmenters.picture(64, 96)
    found = made.predict([picture])[0]
    with torch.inference_mode():
        batch = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
        logit = interpolate(segmenters.conv_net(classes=1)(batch), (64, 96), mode="bilinear")[0, 0]
    np.testing.assert_allclose(found.probabilities.rows(0, 64)[1], logit.sigmoid(), atol=1e-5)
    np.testing.assert_array_equal(found.class_ids, logit > 0)
    assert 0 < found.class_ids.mean() < 1


def test_outputs_that_stand_for_themselves():
    made = adapter(options=chosen(activation="sigmoid"), names=NAMES)
    assert made.spec.class_names == ("background", *NAMES)
    assert adapter(options=chosen(activation="sigmoid"), names=("none", *NAMES)).spec.class_names[0] == "none"
    picture = segmenters.picture(64, 96)
    with torch.inference_mode():
        batch = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
        logits = interpolate(segmenters.conv_net()(batch), (64, 96), mode="bilinear")[0]
    score, best = logits.sigmoid().max(0)
    np.testing.assert_array_equal(made.predict([picture])[0].class_ids, torch.where(score > 0.5, best + 1, 0))


def test_names_are_numbers_where_there_are_none():
    made = adapter()
    assert made.spec.class_names == ("0", "1", "2", "3", "4")
    assert made.notes["class names"] == "unknown, numbered"


@pytest.mark.parametrize(
    ("values", "size", "outer"),
    [
        ({}, (50, 67), (50, 67)),
        ({"input_size": "native"}, (100, 134), (100, 134)),
        ({"input_size": "40"}, (40, 53), (40, 53)),
        ({"input_size": "64x64"}, (64, 64), (64, 64)),
    ],
)
def test_input_sizes(values, size, outer):
    made = adapter(geometry=Resize(50), options=chosen(**values))
    item = made.preprocess(segmenters.picture(100, 134))
    assert item.pixels.shape[:2] == outer
    assert made._geometry.place((100, 134)).inner == size
    assert made.predict([segmenters.picture(100, 134)])[0].size == (100, 134)


def test_input_sizes_keep_to_the_networks_multiple():
    made = adapter(geometry=Resize(None, 32), multiple=32, options=chosen(input_size="50"))
    where = made._geometry.place((100, 134))
    assert (where.inner, where.outer) == ((50, 67), (64, 96))
    made = adapter(geometry=LetterBox((64, 64)), multiple=32, options=chosen(input_size="50x70"))
    assert made._geometry == LetterBox((64, 96))


def test_pillow_resizes_as_torchvision_does():
    from torchvision.transforms.functional import resize, to_pil_image

    for size in ((333, 500), (500, 333), (70, 1000), (90, 90)):
        picture = segmenters.picture(*size)
        expected = np.asarray(resize(to_pil_image(picture), [52]))
        if max(size) > 8 * min(size):
            assert max(Resize(52).apply(picture).pixels.shape) == 8 * 52  # a strip would become a very long one
        else:
            np.testing.assert_array_equal(Resize(52).apply(picture).pixels, expected)


def test_a_strip_of_a_picture():
    made = adapter(geometry=Resize(50, 32), multiple=32)
    strip = np.zeros((20_000, 1, 3), np.uint8)
    assert made.preprocess(strip).pixels.shape == (416, 32, 3)
    assert made.predict([strip])[0].size == (20_000, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"input_size": "big"}, "input_size must be native, one number of pixels or HxW"),
        ({"input_size": "0"}, "input_size must be HxW in pixels"),
        ({"mean": "a"}, "mean must be 3 numbers"),
        ({"activation": "none"}, "activation must be softmax or sigmoid"),
    ],
)
def test_settings_that_make_no_sense(values, message):
    with pytest.raises(InputError, match=message):
        adapter(options=chosen(**values))


def test_networks_that_are_no_segmenters():
    class Pooled(torch.nn.Module):
        def forward(self, batch):
            return batch.mean((2, 3))

    with pytest.raises(InputError, match=r"tiny is no semantic segmenter: .* got \(1, 3\)"):
        adapter(Pooled())
    with pytest.raises(InputError, match="tiny has 5 classes, but 2 class names were given"):
        adapter(names=NAMES[:2])
    net = segmenters.conv_net()
    net[0].weight.data[0] = np.nan
    with pytest.raises(InputError, match="not numbers"):
        adapter(net)


def test_memory_that_runs_out_is_told_apart():
    made = adapter()

    def full(batch):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    made._net.forward = full
    with pytest.raises(OutOfMemory):
        made.predict([segmenters.picture(64, 64)])


def test_all_that_changes_the_answer_is_in_the_fingerprint():
    made = [
        adapter(),
        adapter(segmenters.conv_net(seed=1)),
        adapter(geometry=Resize(50)),
        adapter(mean=MEAN),
        adapter(std=STD),
        adapter(options=chosen(activation="sigmoid")),
        adapter(options=chosen(window="64")),
        adapter(options=chosen(overlap="0.5")),
        adapter(options=LoadOptions(device="cpu", fuse=False)),
        adapter(options=LoadOptions(device="cpu", precision="bf16")),
        adapter(direct=True),
    ]
    assert len({one.fingerprint for one in made}) == len(made)
    assert adapter().fingerprint == made[0].fingerprint


def test_low_precision_is_near():
    picture = segmenters.picture(64, 96)
    low = adapter(options=LoadOptions(device="cpu", precision="bf16")).predict([picture])[0]
    np.testing.assert_allclose(
        low.probabilities.rows(0, 64), adapter().predict([picture])[0].probabilities.rows(0, 64), atol=0.15
    )


def test_closing_ends_it():
    made = adapter()
    made.close()
    with pytest.raises(ValueError, match="closed"):
        made.predict([segmenters.picture(64, 64)])
