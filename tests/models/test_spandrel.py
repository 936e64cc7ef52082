"""Enhancers that spandrel reads: recognised by their tensors, run as spandrel runs them, refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dashboard.errors import InputError
from models import downloads, spandrel_family
from models.base import LoadOptions
from models.load import check_loadable, list_specs, load_model
from tests.models import weights
from tests.models.enhancers import options, pictures
from tests.models.spandrel_nets import SMALL, network, saved

spandrel = pytest.importorskip("spandrel")


def by_spandrel(key, planes):
    """(C, H, W) uint8 through spandrel's own descriptor."""
    found = spandrel.ModelLoader().load_from_state_dict(network(key).state_dict())
    batch = torch.from_numpy(np.ascontiguousarray(planes)).float()[None] / 255
    return (found.eval()(batch)[0] * 255).round().byte().numpy()


@pytest.mark.parametrize("key", SMALL)
def test_by_path_as_spandrel_runs_it(key, tmp_path):
    small = SMALL[key]
    made = load_model(saved(tmp_path / "some.bin", key), options())
    assert made.spec.task == "enhancement"
    assert made.spec.family == "spandrel"
    assert made.scale == small.scale
    assert made.notes["scale"] == small.scale
    assert made.notes["architecture"].startswith(small.name)
    assert made.notes["purpose"] == small.purpose
    assert made.notes["channels"] == {1: "grey", 3: "RGB"}[small.channels]
    shown = pictures()
    colour, grey, _ = made.predict(list(shown.values()))
    picture, found = (shown["colour"], colour) if small.channels == 3 else (shown["grey"][..., :1], grey)
    expected = by_spandrel(key, picture.transpose(2, 0, 1)).transpose(1, 2, 0)
    expected = expected[..., 0] if small.channels == 1 else expected
    assert found.pixels.shape == expected.shape
    assert np.abs(found.pixels.astype(int) - expected).max() <= 1
    assert len(np.unique(expected)) > 10  # not all black


def wrapped(tensors, how):
    return {
        "params": {"params": tensors},
        "averaged": {"params": {k: v * 0 for k, v in tensors.items()}, "params_ema": tensors},
        "lightning": {"epoch": 3, "state_dict": {f"net.{k}": v for k, v in tensors.items()}},
        "parallel": {f"module.{k}": v for k, v in tensors.items()},
        "compiled": {f"_orig_mod.module.{k}": v for k, v in tensors.items()},
        "trainer": {"model": tensors, "optimizer": {"lr": 1.0}},
    }[how]


@pytest.mark.parametrize("how", ["params", "averaged", "lightning", "parallel", "compiled", "trainer"])
@pytest.mark.parametrize("legacy", [False, True])
def test_however_it_is_wrapped(tmp_path, how, legacy):
    tensors = network("compact").state_dict()
    path = tmp_path / "a.pth"
    torch.save(wrapped(tensors, how), path, _use_new_zipfile_serialization=not legacy)
    made = load_model(path, options())
    expected = load_model(saved(tmp_path / "b.safetensors", "compact"), options())
    assert made.fingerprint == expected.fingerprint
    halves = tmp_path / "c.pth"
    torch.save({k: v.half() for k, v in tensors.items()}, halves)
    found, full = (one.predict([pictures()["colour"]])[0].pixels for one in (load_model(halves, options()), expected))
    assert np.abs(found.astype(int) - full).max() <= 2


def test_tiles_of_a_real_architecture(tmp_path):
    path = saved(tmp_path / "a.safetensors", "dncnn")  # sees 9 pixels around each
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    whole = load_model(path, options(tile="0")).predict([picture])[0].pixels
    tiled = load_model(path, options(tile="48", overlap="18")).predict([picture])[0].pixels
    assert np.abs(whole.astype(int) - tiled).max() <= 1


@pytest.mark.parametrize("key", ["fdncnn", "drunet"])
def test_networks_that_are_told_the_noise(key, tmp_path):
    path = saved(tmp_path / "a.safetensors", key)
    usual, told, other = (load_model(path, options(**chosen)) for chosen in ({}, {"sigma": "15"}, {"sigma": "50"}))
    assert "15 of 255, spandrel's default" in usual.notes["noise told"]
    assert told.notes["noise told"] == "15 of 255"
    assert usual.fingerprint == told.fingerprint != other.fingerprint
    shown = [pictures()["colour"]]
    one, same, another = (made.predict(shown)[0].pixels for made in (usual, told, other))
    np.testing.assert_array_equal(one, same)
    assert (one != another).any()
    with pytest.raises(InputError, match=r"sigma must be a number in 0\.\.255"):
        load_model(path, options(sigma="-1"))


def test_settings_that_it_does_not_have(tmp_path):
    path = saved(tmp_path / "a.safetensors", "compact")
    with pytest.raises(InputError, match="is a RealESRGAN Compact, which is not told the noise: leave sigma out"):
        load_model(path, options(sigma="25"))
    with pytest.raises(InputError, match=r"no setting called 'tiel'\. Did you mean 'tile'"):
        load_model(path, options(tiel="64"))
    with pytest.raises(InputError, match="no setting called 'activation'"):
        load_model(path, options(activation="softmax"))


def test_fingerprints(tmp_path):
    first, again, other = (
        load_model(saved(tmp_path / f"{i}.safetensors", "esrgan", i // 2), options()) for i in range(3)
    )
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_networks_that_need_a_mask(tmp_path, monkeypatch):
    from spandrel.architectures.LaMa import LaMaArch

    arch = LaMaArch()
    monkeypatch.setattr(arch, "load", lambda tensors: object())
    known = spandrel_family.Recognised(arch, {"a": torch.zeros(1)})
    with pytest.raises(InputError, match="a LaMa, which fills in what a mask marks, and there are no masks here"):
        spandrel_family.adapter(known, saved(tmp_path / "a.safetensors", "compact"), options())


def test_damaged_files(tmp_path):
    tensors = network("compact").state_dict()
    short = tmp_path / "short.pth"
    torch.save(tensors | {"body.2.weight": torch.zeros(8, 9, 3, 3)}, short)
    with pytest.raises(
        InputError, match=r"short\.pth looks like a RealESRGAN Compact by the names of its tensors, but"
    ):
        load_model(short, options())
    broken = tmp_path / "nan.pth"
    torch.save({k: torch.full_like(v, float("nan")) for k, v in tensors.items()}, broken)
    with pytest.raises(InputError, match=r"nan\.pth gives outputs that are not numbers"):
        load_model(broken, options())
    small = tmp_path / "small.pth"
    torch.save({k: v[:1].clone().expand_as(v) for k, v in tensors.items()}, small)
    with pytest.raises(InputError, match="a small one repeated"):
        load_model(small, options())


def test_shapes_are_compared_before_memory_is_taken(tmp_path):
    """A few tensors that call themselves a network of a terabyte."""
    path = tmp_path / "a.pth"
    wide = torch.zeros(100_000, 3, 3, 3)
    torch.save(network("compact").state_dict() | {"body.0.weight": wide, "body.0.bias": wide[:, 0, 0, 0].clone()}, path)
    with pytest.raises(InputError, match=r"looks like a RealESRGAN Compact .* size mismatch"):
        load_model(path, options())


class Evil:
    def __reduce__(self):
        return print, ("ran",)


def test_nothing_in_a_file_is_run(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    torch.save({"params": network("compact").state_dict(), "more": Evil()}, path)
    with pytest.raises(InputError, match="is a pickle that would run code"):
        load_model(path, options())
    assert "ran" not in capsys.readouterr().out


def test_unknown_tensors_say_what_was_looked_for(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "a.safetensors"
    save_file({"strange.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(InputError, match=r"neither those of torchvision's segmenters nor of spandrel's \d+ enhancers"):
        load_model(path, options())
    asked = LoadOptions(device="cpu", task="enhancement")
    with pytest.raises(InputError, match=r"no enhancer that is known: .*spandrel's architectures .*DnCNN.*SwinIR"):
        load_model(path, asked)


def test_a_named_architecture_goes_before(tmp_path):
    path = weights.state_dict_file(tmp_path / "a.safetensors")
    assert load_model(path, options()).spec.task == "classification"
    ours = saved(tmp_path / "b.safetensors", "compact")
    with pytest.raises(InputError, match="is not a resnet18"):
        load_model(ours, options(arch="resnet18"))


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_classifiers_are_not_taken_for_enhancers(name):
    import timm

    with torch.device("meta"):
        tensors = timm.create_model(name).state_dict()
    assert spandrel_family.recognised(tensors) is None


def test_published_weights():
    specs = list(spandrel_family.Spandrel().specs())
    assert len({spec.name for spec in specs}) == len({spec.weights.location for spec in specs}) == len(specs) > 20
    for spec in specs:
        assert spec.weights.location.startswith("https://github.com/")
        assert spec.paper.startswith("https://arxiv.org/abs/")
        assert spec.license in ("MIT", "Apache-2.0", "BSD-3-Clause")
        assert spec.name.removeprefix("spandrel/").lower()[:5] in spec.weights.location.lower()
    assert set(specs) <= set(list_specs("enhancement"))
    check_loadable("RealESRGAN_x4plus", "enhancement", {"tile": "256"})
    with pytest.raises(InputError, match="is a model for enhancement, not for detection"):
        check_loadable("spandrel/dncnn_25", "detection")


def test_names_load_from_torchs_folder_and_fail_clearly_without(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(downloads, "reachable", lambda url: False)
    name = "spandrel/dncnn_25"
    with pytest.raises(InputError, match=r"weights of spandrel/dncnn_25 are not .*photos_denoise, which works offline"):
        load_model(name, options())
    assert not list(tmp_path.rglob("*.pth"))
    path = tmp_path / "hub" / "checkpoints" / "dncnn_25.pth"
    path.parent.mkdir(parents=True)
    saved(path, "dncnn")
    made = load_model("dncnn_25", options())
    assert made.spec.name == name
    assert made.spec.license == "MIT"
    assert made.predict([pictures()["grey"]])[0].pixels.ndim == 2
    torch.save({"nothing": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"dncnn_25\.pth is not spandrel/dncnn_25: delete it and retry"):
        load_model(name, options())


def test_a_download_that_breaks(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(downloads, "reachable", lambda url: True)

    def breaks(*_, **__):
        raise OSError("connection reset")

    monkeypatch.setattr(torch.hub, "download_url_to_file", breaks)
    with pytest.raises(InputError, match=r"the download failed \(OSError: connection reset\)"):
        load_model("spandrel/fbcnn_color", options())


def test_a_program_by_choice(tmp_path):
    traced = torch.jit.trace(network("compact"), torch.rand(1, 3, 24, 24))
    torch.jit.save(traced, tmp_path / "a.pt")
    with pytest.raises(InputError, match="is TorchScript, a program that would run here"):
        load_model(tmp_path / "a.pt", LoadOptions(device="cpu", task="enhancement"))
    made = load_model(tmp_path / "a.pt", LoadOptions(device="cpu", task="enhancement", allow_code=True))
    assert made.scale == 2
    expected = by_spandrel("compact", pictures()["colour"].transpose(2, 0, 1)).transpose(1, 2, 0)
    assert np.abs(made.predict([pictures()["colour"]])[0].pixels.astype(int) - expected).max() <= 1


def test_more_architectures_where_their_package_is_installed(monkeypatch, tmp_path):
    """A stand-in for the package, whose architectures have licences of their own."""
    (tmp_path / "stand_in_arches.py").write_text(
        "called = []\ndef install(ignore_duplicates):\n    called.append(ignore_duplicates)\n", "utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(spandrel_family, "EXTRA", "stand_in_arches")
    spandrel_family._registry.cache_clear()
    assert len(spandrel_family.architectures()) > 30
    assert len(spandrel_family.architectures()) > 30
    import stand_in_arches

    assert stand_in_arches.called == [True]  # once
    spandrel_family._registry.cache_clear()
