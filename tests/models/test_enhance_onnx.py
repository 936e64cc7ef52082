"""Enhancers as ONNX files: what is read from the file, what is found out, tiles of a fixed size, what is refused."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import load_model
from models.pictures import from_ycc, to_ycc
from tests.models import segmenters, weights
from tests.models.enhancers import onnx_file, pictures


def asked(**settings: str) -> LoadOptions:
    return LoadOptions(device="cpu", settings=settings, task="enhancement")


def by_hand(path, fed):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"input": fed})[0]


def rgb(path, picture):
    """(H, W, 3) uint8 all at once through a file that takes 0..1, channels first."""
    found = by_hand(path, picture.astype(np.float32).transpose(2, 0, 1)[None] / 255)[0].transpose(1, 2, 0)
    return np.clip(np.rint(found * 255), 0, 255).astype(np.uint8)


def near(found, expected, levels=1):
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= levels
    assert len(np.unique(expected)) > 20


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_free_size(tmp_path, scale):
    path = onnx_file(tmp_path / "a.dat", scale=scale)
    made = load_model(path, asked())
    assert made.spec.task == "enhancement"
    assert made.spec.family == "onnx"
    assert made.scale == made.notes["scale"] == scale
    shown = pictures()
    for picture, one in zip(shown.values(), made.predict(list(shown.values())), strict=True):
        near(one.pixels, rgb(path, picture[..., :3]))
        assert (one.alpha is None) == (picture.shape[2] == 3)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("size", [(32, 32), (24, 40), (64, 96)])
def test_fixed_size_is_tiled_with_exactly_that(tmp_path, scale, size):
    free, fixed = (onnx_file(tmp_path / f"{i}.onnx", scale=scale, size=s) for i, s in enumerate((("h", "w"), size)))
    made = load_model(fixed, asked())
    assert made.notes["tiles"].startswith(f"exactly {size[0]}x{size[1]} pixels")
    for picture in (pictures()["colour"], np.random.default_rng(0).integers(0, 256, (150, 70, 3), dtype=np.uint8)):
        outer = np.pad(picture, ((0, size[0]), (0, size[1]), (0, 0)), mode="reflect")  # small ones are mirrored
        expected = rgb(free, outer)[: picture.shape[0] * scale, : picture.shape[1] * scale]
        found = made.predict([picture])[0].pixels
        inside = slice(None, -4 * scale)  # at the picture's own end the whole has no mirror
        near(found[inside, inside], expected[inside, inside])
    with pytest.raises(InputError, match=r"tile=64 is not for a network that takes exactly"):
        load_model(fixed, asked(tile="64"))
    assert "share 3" in load_model(fixed, asked(overlap="3")).notes["tiles"]


def test_what_sides_are_multiples_of_is_found_out(tmp_path):
    path = onnx_file(tmp_path / "a.onnx", multiple=4)
    made = load_model(path, asked())
    assert "multiples of 4" in made.spec.preprocessing
    picture = pictures()["colour"]
    outer = np.pad(picture, ((0, 3), (0, 0), (0, 0)), mode="reflect")
    near(made.predict([picture])[0].pixels, rgb(path, outer)[:37])


def test_tiles_of_free_size(tmp_path):
    path = onnx_file(tmp_path / "a.onnx", scale=2)
    picture = np.random.default_rng(0).integers(0, 256, (90, 75, 3), dtype=np.uint8)
    near(load_model(path, asked(tile="32", overlap="4")).predict([picture])[0].pixels, rgb(path, picture))


def test_grey(tmp_path):
    shown = pictures()
    same = onnx_file(tmp_path / "a.onnx", channels=1)
    made = load_model(same, LoadOptions(device="cpu"))  # what is grey in and out can be nothing else
    colour, grey, _ = made.predict(list(shown.values()))
    near(grey.pixels, rgb(same, shown["grey"][..., :1])[..., 0])
    near(colour.pixels, np.dstack([rgb(same, shown["colour"][..., c : c + 1]) for c in range(3)]))
    larger = onnx_file(tmp_path / "b.onnx", channels=1, scale=2)
    colour, grey, _ = load_model(larger, asked()).predict(list(shown.values()))
    near(grey.pixels, rgb(larger, shown["grey"][..., :1])[..., 0])
    luma = by_hand(larger, to_ycc(shown["colour"])[None, None, ..., 0] / 255)[0, 0] * 255
    assert np.abs(to_ycc(colour.pixels)[..., 0] - np.clip(luma, 0, 255)).mean() < 3  # what colours can show of it
    assert from_ycc(to_ycc(colour.pixels)).shape == colour.pixels.shape


def test_bytes_channels_last_and_other_ranges(tmp_path):
    picture = pictures()["colour"]
    whole = onnx_file(tmp_path / "a.onnx", whole=True, last=True)
    found = load_model(whole, asked()).predict([picture])[0].pixels
    near(found, by_hand(whole, picture[None])[0], 0)
    wide = onnx_file(tmp_path / "b.onnx", white=255)
    expected = np.clip(np.rint(by_hand(wide, picture.astype(np.float32).transpose(2, 0, 1)[None])[0]), 0, 255)
    made = load_model(wide, asked(range="255"))
    near(made.predict([picture])[0].pixels, expected.transpose(1, 2, 0))
    assert made.fingerprint != load_model(wide, asked()).fingerprint
    with pytest.raises(InputError, match="range must be 1 or 255"):
        load_model(wide, asked(range="2"))
    with pytest.raises(InputError, match="got '1' for a file that takes bytes"):
        load_model(whole, asked(range="1"))


def test_fixed_batch(tmp_path):
    path = onnx_file(tmp_path / "a.onnx", batch=2, size=(37, 52))
    shown = [pictures()["colour"]] * 3
    found = load_model(path, asked()).predict(shown)
    assert len(found) == 3
    np.testing.assert_array_equal(found[0].pixels, found[2].pixels)


def test_without_a_task_only_what_is_certain(tmp_path):
    plain = LoadOptions(device="cpu")
    assert load_model(onnx_file(tmp_path / "a.onnx", scale=2, size=(32, 32)), plain).spec.task == "enhancement"
    assert load_model(onnx_file(tmp_path / "b.onnx", scale=2, size=(32, 32), last=True), plain).scale == 2
    assert load_model(onnx_file(tmp_path / "c.onnx", gives=3), plain).spec.task == "semantic-segmentation"
    assert load_model(segmenters.onnx_file(tmp_path / "d.onnx"), plain).spec.task == "semantic-segmentation"


def test_fingerprints(tmp_path):
    first, again, other = (load_model(onnx_file(tmp_path / f"{i}.onnx", i // 2), asked()) for i in range(3))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert load_model(tmp_path / "0.onnx", asked(tile="64")).fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda path: weights.onnx_file(path), r"is no enhancer: a picture, grey or RGB, of the same size .*\(1, 4\)"),
        (lambda path: segmenters.onnx_file(path), r"is no enhancer: .*of 64x64 pixels it makes \(1, \d, 8, 8\)"),
        (lambda path: onnx_file(path, gives=5), r"is no enhancer: .*\(1, 5, "),
        (lambda path: onnx_file(path, channels=5), "is no enhancer: one picture, grey or RGB, was expected to go in"),
    ],
)
def test_other_files(tmp_path, make, match):
    with pytest.raises(InputError, match=match):
        load_model(make(tmp_path / "a.onnx"), asked())


def test_settings_and_the_end(tmp_path):
    path = onnx_file(tmp_path / "a.onnx")
    with pytest.raises(InputError, match=r"no setting called 'activation'"):
        load_model(path, asked(activation="softmax"))
    made = load_model(path, asked())
    made.close()
    with pytest.raises(ValueError, match="closed"):
        made.predict([pictures()["colour"]])
