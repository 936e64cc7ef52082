"""The distance in VGG19's features, with random weights where torch would keep the real ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchvision

from dashboard.errors import InputError
from models import perceptual
from models.perceptual import Perceptual, why_not


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Torch's folder, with VGG19 of random numbers (without its classifier, at half precision, to be small)."""
    folder = tmp_path_factory.mktemp("torch")
    torch.manual_seed(0)
    net = torchvision.models.vgg19(weights=None).features
    for layer in net:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.bias, 0, 0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(folder))
        path = perceptual.weights_file()
        path.parent.mkdir(parents=True)
        torch.save({f"features.{k}": v.half() for k, v in net.state_dict().items()}, path)
        yield folder


@pytest.fixture(scope="module")
def network(home):
    return Perceptual("cpu")


def pair(height: int, width: int):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2)]


def by_torchvision(first, second) -> float:
    """All at once, through the layers before the last activation."""
    net = torchvision.models.vgg19(weights=None).features.eval()
    tensors = torch.load(perceptual.weights_file(), weights_only=True)
    net.load_state_dict({k.removeprefix("features."): v.float() for k, v in tensors.items()})
    shown = torch.from_numpy(np.stack([first, second])).permute(0, 3, 1, 2).float() / 255
    shown = torchvision.transforms.functional.normalize(shown, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.inference_mode():
        a, b = net[:35](shown)
    assert isinstance(net[34], torch.nn.Conv2d)
    assert isinstance(net[36], torch.nn.MaxPool2d)
    return float(torch.nn.functional.mse_loss(a, b))


@pytest.mark.parametrize("size", [(16, 16), (37, 70), (64, 48)])
def test_as_torchvision(home, network, size):
    first, second = pair(*size)
    assert network.distance(first, second) == pytest.approx(by_torchvision(first, second), rel=1e-4)
    assert network.distance(first, first) == 0
    assert network.distance(first, second) == pytest.approx(network.distance(second, first), rel=1e-6)


def test_piece_by_piece(home, network, monkeypatch):
    first, second = pair(24, 360)
    monkeypatch.setattr(perceptual, "_TILE", 96)
    assert network.distance(first, second) == pytest.approx(by_torchvision(first, second), rel=1e-4)


def test_grey_is_three_equal_channels(network):
    first, second = (one[..., 0] for one in pair(40, 40))
    as_colour = [np.repeat(one[..., None], 3, axis=2) for one in (first, second)]
    assert network.distance(first, second) == network.distance(*as_colour) == network.distance(first, as_colour[1])


def test_a_farther_picture_is_farther(network):
    first, second = (one.astype(float) for one in pair(64, 64))
    near, far = ((first + share * (second - first)).astype(np.uint8) for share in (0.1, 0.6))
    clean = first.astype(np.uint8)
    assert 0 < network.distance(clean, near) < network.distance(clean, far)


def test_pictures_that_do_not_fit(network):
    first, second = pair(40, 40)
    assert math.isnan(network.distance(first[:15], second[:15]))
    with pytest.raises(ValueError, match="must be of one size"):
        network.distance(first, second[:39])
    with pytest.raises(ValueError, match=r"must be .*uint8"):
        network.distance(first / 255, second)


def test_without_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    reason = why_not()
    assert reason is not None
    assert str(tmp_path) in reason
    assert reason.endswith("there.")
    with pytest.raises(InputError, match="needs VGG19's weights, which are not at"):
        Perceptual()
    assert not list(tmp_path.rglob("*"))  # nothing was fetched


def test_a_damaged_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = perceptual.weights_file()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not weights")
    assert why_not() is None
    with pytest.raises(InputError, match="cannot be loaded as VGG19"):
        Perceptual("cpu")
