"""Pixel for pixel as the reference transforms."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import load_model
from models.preprocessing import MOST_RESIZED, ResizeCrop, input_size_setting, normalisation_setting
from tests.models import weights

SIZES = [(120, 200), (200, 120), (224, 224), (9, 8), (1, 1), (500, 33), (333, 257)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("resize", "crop"), [(256, 224), (35, 32), (32, 32), (30, 32), (257, 224)])
def test_equals_torchvision(size, interpolation, resize, crop):
    from torchvision import transforms as T

    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    mode = T.InterpolationMode(interpolation)
    reference = T.Compose([T.Resize(resize, interpolation=mode), T.CenterCrop(crop)])
    ours = ResizeCrop((crop, crop), resize, interpolation)(image)
    np.testing.assert_array_equal(ours, np.array(reference(PIL.Image.fromarray(image))))


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (6000, 3)])
@pytest.mark.parametrize(("resize", "crop"), [(256, 224), (64, 224), (224, 224)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_strips_are_never_resized_whole(size, resize, crop, interpolation, monkeypatch):
    made = []
    whole = PIL.Image.Image.resize

    def watched(self, size, *more, **named):
        made.append(size)
        return whole(self, size, *more, **named)

    monkeypatch.setattr(PIL.Image.Image, "resize", watched)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert ResizeCrop((crop, crop), resize, interpolation)(image).shape == (crop, crop, 3)
    assert all(width * height <= MOST_RESIZED for width, height in made)


@pytest.mark.parametrize("size", [(2000, 9), (9, 2000), (700, 31)])
@pytest.mark.parametrize(("resize", "crop"), [(256, 224), (35, 32), (30, 32)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
def test_the_way_of_strips_gives_the_same_pixels(size, resize, crop, interpolation, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    geometry = ResizeCrop((crop, crop), resize, interpolation)
    expected = geometry(image).astype(int)
    monkeypatch.setattr("models.preprocessing.MOST_RESIZED", 0)
    short_way = geometry(image)
    assert np.abs(short_way - expected).max() <= 1


def test_strips_for_timms_other_crops():
    from models.timm_family import _geometry

    config = {"input_size": (3, 32, 48), "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center"}
    config |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    for mode in ("center", "border"):
        with pytest.raises(InputError, match="1x20000 pixels"):
            _geometry(config | {"crop_mode": mode})(np.zeros((20_000, 1, 3), np.uint8))


def as_network_input(adapter, image):
    return adapter._batch([adapter.preprocess(image)])[0].numpy()


@pytest.mark.parametrize("image", weights.pictures(), ids=["wide", "tall", "tiny"])
@pytest.mark.parametrize("name", ["test_resnet.r160_in1k", "test_efficientnet.r160_in1k", "test_vit.r160_in1k"])
def test_equals_timms_own(name, image):
    import timm
    from timm.data import create_transform, resolve_model_data_config

    from models.base import ModelSpec, Weights
    from models.timm_family import adapter

    net = timm.create_model(name)
    spec = ModelSpec(name, "classification", "timm", "", Weights("file", ""))
    ours = as_network_input(adapter(net, spec, LoadOptions(device="cpu")), image)
    theirs = create_transform(**resolve_model_data_config(net, use_test_size=True), is_training=False)
    np.testing.assert_allclose(ours, theirs(PIL.Image.fromarray(image)).numpy(), atol=2e-6)


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(32, 32), (32, 48)])
def test_equals_timms_other_crops(mode, size):
    from timm.data import create_transform

    from models.timm_family import _geometry

    config = {"input_size": (3, *size), "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": mode}
    config |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    theirs = create_transform(**config, is_training=False)
    for image in weights.pictures():
        ours = (_geometry(config)(image).transpose(2, 0, 1) / 255 - 0.5) / 0.5
        np.testing.assert_allclose(ours, theirs(PIL.Image.fromarray(image)).numpy(), atol=2e-6)


@pytest.mark.parametrize("image", weights.pictures(), ids=["wide", "tall", "tiny"])
def test_equals_torchvisions_weights(tmp_path, monkeypatch, image):
    import torchvision

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    adapter = load_model(weights.torchvision_in_cache(tmp_path), LoadOptions(device="cpu"))
    theirs = torchvision.models.MobileNet_V3_Small_Weights.DEFAULT.transforms()(PIL.Image.fromarray(image))
    np.testing.assert_allclose(as_network_input(adapter, image), theirs.numpy(), atol=2e-6)


@pytest.mark.parametrize("text", ["", "x", "0", "10x", "3x4x5", "-1", "99999"])
def test_bad_sizes(text):
    with pytest.raises(InputError, match="input_size must be"):
        input_size_setting({"input_size": text})


def test_sizes():
    assert input_size_setting({}) is None
    assert input_size_setting({"input_size": "224"}) == (224, 224)
    assert input_size_setting({"input_size": "64x96"}) == (64, 96)


def test_normalisation():
    assert normalisation_setting({"mean": "0.5", "std": "1,2,3"}, (0, 0, 0), (1, 1, 1)) == ((0.5,) * 3, (1.0, 2.0, 3.0))
    for bad in ({"std": "0"}, {"mean": "a"}, {"mean": "1,2"}, {"mean": "nan"}):
        with pytest.raises(InputError, match="must be 3 numbers"):
            normalisation_setting(bad, (0, 0, 0), (1, 1, 1))
