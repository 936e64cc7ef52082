"""Folding, precision, threads, memory: what the one torch adapter does around a network."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.errors import InputError
from models.base import LoadOptions, ModelSpec, OutOfMemory, Weights
from models.load import load_model
from models.preprocessing import ResizeCrop
from models.torch_adapter import TorchClassifier
from tests.models import weights

SPEC = ModelSpec("net", "classification", "test", "", Weights("file", ""), input_size=(32, 32))


def adapt(net, **options) -> TorchClassifier:
    geometry = ResizeCrop((32, 32), 32, "bilinear")
    return TorchClassifier(net, SPEC, LoadOptions(device="cpu", **options), geometry=geometry, mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip # noqa: E501


@pytest.mark.parametrize(
    "name",
    ["test_resnet", "test_efficientnet", "test_byobnet", "test_nfnet", "test_vit", "test_convnext", "densenet121"],
)
def test_folding_says_the_same(name):
    import timm
    import torch

    torch.manual_seed(0)
    net = weights.shaken(timm.create_model(name, num_classes=5, **({"img_size": 64} if "vit" in name else {})))
    norms = sum(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())
    batch = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        before = net(batch)
    spec = ModelSpec("net", "classification", "test", "", Weights("file", ""), input_size=(64, 64))
    geometry = ResizeCrop((64, 64), 64)
    adapter = TorchClassifier(net, spec, LoadOptions(device="cpu"), geometry=geometry, mean=(0,) * 3, std=(1,) * 3)
    with torch.inference_mode():
        after = adapter.network(batch)
    np.testing.assert_allclose(before, after, atol=1e-4 * max(1, float(before.abs().max())))
    folded = adapter.notes["batch norms folded"]
    assert folded == norms if name in ("test_resnet", "test_efficientnet") else 0 <= folded <= norms


def test_a_convolution_that_is_used_twice_or_elsewhere_is_not_folded():
    import torch
    from torch import nn

    class Sneaky(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x):
            y = self.conv(x)
            return (self.norm(y) + y).mean((2, 3))  # hooks cannot see the second use; the check does

    torch.manual_seed(0)
    net = weights.shaken(Sneaky())
    batch = torch.rand(2, 3, 32, 32)
    before = net(batch).detach()
    adapter = adapt(net)
    assert adapter.notes["batch norms folded"] == 0
    np.testing.assert_allclose(before, adapter.network(batch).detach(), atol=1e-6)


def test_fusion_gain_is_measured():
    adapter = load_model("digits_cnn", LoadOptions(device="cpu"))
    gain = adapter.fusion_gain(batch_size=4, rounds=2)
    assert gain > 0
    assert adapter.notes["fusion gain"] == pytest.approx(gain, abs=1e-3)
    assert load_model("digits_linear", LoadOptions(device="cpu")).fusion_gain() == 1.0
    plain = load_model("digits_cnn", LoadOptions(device="cpu", fuse=False))
    assert "batch norms folded" not in plain.notes


def test_unfused_equals_fused():
    pictures = weights.pictures()
    fused, plain = (load_model("digits_cnn", LoadOptions(device="cpu", fuse=f)) for f in (True, False))
    for a, b in zip(fused.predict(pictures), plain.predict(pictures), strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)


def test_bf16_is_close_and_its_softmax_is_exact():
    adapter = adapt(weights.timm_net(4), precision="bf16")
    for a, b in zip(
        adapter.predict(weights.pictures()), adapt(weights.timm_net(4)).predict(weights.pictures()), strict=True
    ):
        assert a.scores.dtype == np.float32
        assert abs(float(a.scores.sum()) - 1) < 1e-5
        np.testing.assert_allclose(a.scores, b.scores, atol=0.05)


def test_threads_are_set_and_set_again():
    import torch

    adapter = adapt(weights.timm_net(4), threads=2)
    torch.set_num_threads(1)
    adapter.predict(weights.pictures())
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    "message", ["CUDA out of memory. Tried to allocate", "DefaultCPUAllocator: can't allocate memory"]
)
def test_out_of_memory_can_be_told_apart(monkeypatch, message):
    adapter = adapt(weights.timm_net(4))
    items = [adapter.preprocess(p) for p in weights.pictures()]

    def fail(*_):
        raise RuntimeError(message)

    monkeypatch.setattr(adapter, "_run", fail)
    with pytest.raises(OutOfMemory):
        adapter.forward(items)


def test_other_errors_stay_what_they_are(monkeypatch):
    adapter = adapt(weights.timm_net(4))
    monkeypatch.setattr(adapter, "_run", lambda *_: (_ for _ in ()).throw(RuntimeError("shapes")))
    with pytest.raises(RuntimeError, match="shapes"):
        adapter.forward([adapter.preprocess(weights.pictures()[0])])


def test_nan_weights_are_a_sentence():
    import torch

    net = weights.timm_net(4)
    with torch.no_grad():
        net.fc.bias[0] = float("nan")
    with pytest.raises(InputError, match="not numbers"):
        adapt(net, fuse=False).predict(weights.pictures())


def test_no_classifier_is_a_sentence():
    from torch import nn

    with pytest.raises(InputError, match="not a classifier"):
        adapt(nn.Conv2d(3, 4, 3))


def test_unnamed_classes_are_numbered():
    assert adapt(weights.timm_net(4)).spec.class_names == ("0", "1", "2", "3")
