"""Weights for a network that the person names."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import load_model
from tests.models import weights


def options(**settings: str) -> LoadOptions:
    return LoadOptions(device="cpu", settings=settings)


def scores(adapter):
    return np.stack([p.scores for p in adapter.predict(weights.pictures())])


@pytest.fixture
def tensors():
    return weights.timm_net(4).state_dict()


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model.", "_orig_mod.module."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("legacy", [False, True])
def test_however_it_is_wrapped(tmp_path, tensors, prefix, wrapper, legacy):
    import torch

    expected = scores(load_model(weights.state_dict_file(tmp_path / "a.safetensors"), options()))
    content = {prefix + key: value for key, value in tensors.items()}
    if wrapper:
        content = {"epoch": 3, wrapper: content}
    path = tmp_path / "b.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    np.testing.assert_allclose(scores(load_model(path, options(arch="test_resnet"))), expected, atol=1e-6)


def test_names_from_a_file_the_sidecar_or_numbers(tmp_path):
    path = weights.state_dict_file(tmp_path / "a.safetensors")
    assert load_model(path, options()).spec.class_names == weights.NAMES
    given = tmp_path / "names.txt"
    given.write_text("a\nb\nc\nd\n")
    assert load_model(path, options(classes=str(given))).spec.class_names == ("a", "b", "c", "d")
    path.with_name("a.safetensors.classes.txt").unlink()
    assert load_model(path, options()).spec.class_names == ("0", "1", "2", "3")
    given.write_text("a\nb\n")
    with pytest.raises(InputError, match="4 outputs but 2 class names"):
        load_model(path, options(classes=str(given)))
    with pytest.raises(InputError, match="cannot be read as a list of class names"):
        load_model(path, options(classes=str(tmp_path / "none.txt")))


def test_a_thousand_outputs_are_taken_for_imagenet(tmp_path):
    from safetensors.torch import save_file

    save_file(weights.timm_net(1000).state_dict(), tmp_path / "a.safetensors")
    adapter = load_model(tmp_path / "a.safetensors", options(arch="timm/test_resnet"))
    assert adapter.spec.class_ids[0] == "n01440764"
    assert "assumed" in adapter.notes["class names"]


def test_torchvision_and_our_own(tmp_path):
    import torch
    import torchvision

    from models.demo.digits import HERE

    torch.manual_seed(0)
    net = weights.shaken(torchvision.models.mobilenet_v3_small(num_classes=7))
    torch.save(net.state_dict(), tmp_path / "a.pt")
    assert scores(load_model(tmp_path / "a.pt", options(arch="torchvision/mobilenet_v3_small"))).shape == (3, 7)
    ours = load_model(HERE / "digits_cnn.safetensors", options(arch="digits_cnn"))
    np.testing.assert_allclose(scores(ours), scores(load_model("digits_cnn", options())), atol=1e-6)


def test_no_architecture_named(tmp_path, tensors):
    import torch

    torch.save(tensors, tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"name it, for example --set arch=resnet18"):
        load_model(tmp_path / "a.pt", options())


@pytest.mark.parametrize(
    ("arch", "words"),
    [
        ("resnet18", r"is not a resnet18: \d+ tensors missing \(.*\d+ tensors unexpected"),
        ("test_resnot", "Did you mean 'test_resnet'"),
        ("torchvision/resnot18", "Did you mean 'resnet18'"),
    ],
)
def test_of_another_architecture(tmp_path, tensors, arch, words):
    import torch

    torch.save(tensors, tmp_path / "a.pt")
    with pytest.raises(InputError, match=words) as error:
        load_model(tmp_path / "a.pt", options(arch=arch))
    assert len(str(error.value)) < 500


def test_shapes_that_differ(tmp_path, tensors):
    import torch

    key = next(k for k, v in tensors.items() if v.ndim == 4)
    torch.save(tensors | {key: torch.zeros(1, 1, 1, 1)}, tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"1 tensor of another shape \(.*\(1, 1, 1, 1\), not"):
        load_model(tmp_path / "a.pt", options(arch="test_resnet"))


@pytest.mark.parametrize("content", [{}, {"a": 1}, [1, 2], "text", {"state_dict": {}}])
def test_no_state_dict_in_it(tmp_path, content):
    import torch

    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(InputError, match="holds no state dict"):
        load_model(tmp_path / "a.pt", options(arch="test_resnet"))


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_cut_off(tmp_path, tensors, keep, kind):
    import torch

    path = tmp_path / f"a.{kind}"
    if kind == "pt":
        torch.save(tensors, path)
    else:
        weights.state_dict_file(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match=r"cut off|damaged"):
        load_model(path, options(arch="test_resnet"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.to_sparse(), "sparse"),
        (lambda t: t.to("meta"), "without values"),
        (lambda t: t.cfloat(), "complex"),
        (lambda t: t.flatten()[:1].expand(10**6, t.numel()), "repeated"),
    ],
)
def test_odd_tensors(tmp_path, tensors, spoil, words):
    import torch

    key = next(k for k, v in tensors.items() if v.ndim == 4)
    torch.save(tensors | {key: spoil(tensors[key])}, tmp_path / "a.pt")
    with pytest.raises(InputError, match=rf"a\.pt cannot be used: its tensor {key} is .*{words}"):
        load_model(tmp_path / "a.pt", options(arch="test_resnet"))


def test_names_and_shapes_are_compared_before_a_network_is_built(tmp_path, monkeypatch):
    """One number that calls itself a network of a billion."""
    import torch
    from safetensors.torch import save_file

    from models import state_dict

    real = state_dict._Maker.real

    def only_shapes(self, classes):
        assert torch.get_default_device().type == "meta", "memory was taken"
        return real(self, classes)

    monkeypatch.setattr(state_dict._Maker, "real", only_shapes)
    save_file({"w": torch.zeros(1)}, tmp_path / "a.safetensors", {"arch": "vit_giant_patch14_clip_224"})
    with pytest.raises(InputError, match="is not a vit_giant_patch14_clip_224"):
        load_model(tmp_path / "a.safetensors", options())


def test_a_size_that_the_network_does_not_take(tmp_path):
    import timm
    import torch

    torch.save(timm.create_model("test_vit", num_classes=4).state_dict(), tmp_path / "a.pt")
    with pytest.raises(InputError, match="does not take 100x100 pictures: give its size"):
        load_model(tmp_path / "a.pt", options(arch="test_vit", input_size="100"))
