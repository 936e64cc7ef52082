"""Files that would run code when loaded: none may, whatever they are called and however they are wrapped."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import check_loadable, load_model
from models.sniff import check_pickle, pickle_globals
from tests.models import weights

ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".onnx", ".safetensors", ".torchscript", ".dat")


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


def bare(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps({"state_dict": Bomb(marker)}))


def old_protocol(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps({"state_dict": Bomb(marker)}, protocol=0))


def torch_zip(path: Path, marker: Path) -> None:
    import torch

    torch.save({"state_dict": {"w": torch.zeros(2)}, "extra": Bomb(marker)}, path)


def torch_legacy(path: Path, marker: Path) -> None:
    import torch

    torch.save({"state_dict": Bomb(marker)}, path, _use_new_zipfile_serialization=False)


def ultralytics_like(path: Path, marker: Path) -> None:
    """A real checkpoint with one thing more."""
    import torch

    made = weights.ultralytics_pt(path.with_name("honest.pt"))
    content = torch.load(made, weights_only=False)
    torch.save({**content, "extra": Bomb(marker)}, path)


def torchscript_with_pickle(path: Path, marker: Path) -> None:
    data = io.BytesIO()
    pickle.dump(Bomb(marker), data)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", data.getvalue())
        archive.writestr("m/constants.pkl", data.getvalue())
        archive.writestr("m/code/__torch__.py", "")
        archive.writestr("m/version", "3\n")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "wrap", [bare, old_protocol, torch_zip, torch_legacy, torchscript_with_pickle], ids=lambda f: f.__name__
)
def test_nothing_runs(tmp_path, wrap, ending):
    path, marker = tmp_path / f"weights{ending}", tmp_path / "it-ran"
    wrap(path, marker)
    for settings in ({}, {"arch": "resnet18"}):
        with pytest.raises(InputError) as error:
            load_model(path, LoadOptions(device="cpu", settings=settings))
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
    try:
        check_loadable(str(path), task="classification")
    except InputError:
        pass
    assert not marker.exists()


@pytest.mark.parametrize("ending", [".pt", ".bin", ".onnx"])
def test_nothing_runs_in_an_ultralytics_checkpoint(tmp_path, ending):
    path, marker = tmp_path / f"weights{ending}", tmp_path / "it-ran"
    ultralytics_like(path, marker)
    with pytest.raises(InputError, match="refused"):
        load_model(path, LoadOptions(device="cpu"))
    assert not marker.exists()


def test_the_bomb_is_live(tmp_path):
    path, marker = tmp_path / "weights.pkl", tmp_path / "it-ran"
    bare(path, marker)
    pickle.loads(path.read_bytes())
    assert marker.exists()


@pytest.mark.parametrize("wrap", [bare, torch_zip, torch_legacy], ids=lambda f: f.__name__)
def test_the_reason_names_what_it_refers_to(tmp_path, wrap):
    path = tmp_path / "weights.pt"
    wrap(path, tmp_path / "it-ran")
    assert any(name.endswith(".mkdir") for name in pickle_globals(path))
    with pytest.raises(InputError, match=r"would run code.*mkdir"):
        load_model(path, LoadOptions(device="cpu"))


def test_torchscript_only_by_choice(tmp_path):
    import torch

    net = weights.timm_net(4)
    path = tmp_path / "scripted.pt"
    torch.jit.trace(net, torch.zeros(1, 3, 64, 64)).save(str(path))
    with pytest.raises(InputError, match="TorchScript, a program"):
        load_model(path, LoadOptions(device="cpu"))
    adapter = load_model(path, LoadOptions(device="cpu", allow_code=True, settings={"input_size": "64"}))
    assert adapter.predict(weights.pictures())[0].scores.shape == (4,)
    assert adapter.notes["code"].startswith("from the file")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_no_warnings_before_the_reason(tmp_path, protocol, recwarn):
    path = tmp_path / "weights.pt"
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "it-ran"), protocol))
    with pytest.raises(InputError, match="would run code"):
        load_model(path, LoadOptions(device="cpu"))
    assert not [w for w in recwarn if "pickle" in str(w.message)]


def steps_bare(path: Path, steps: bytes) -> None:
    path.write_bytes(steps)


def steps_stored(path: Path, steps: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("m/data.pkl", steps)
        archive.writestr("m/version", "3\n")
        archive.writestr("m/byteorder", "little")


def steps_deflated(path: Path, steps: bytes) -> None:
    steps_stored(path, steps, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize("wrap", [steps_bare, steps_stored, steps_deflated], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "steps",
    [b"\x80\x02" + b"N0" * 50_000_000 + b"N.", b"\x80\x04\x8d" + (10**8).to_bytes(8, "little") + bytes(10**8) + b"."],
    ids=["a hundred million steps", "one long text"],
)
def test_pickles_too_long_to_read_are_refused_unread(tmp_path, wrap, steps):
    path = tmp_path / "weights.pt"
    wrap(path, steps)
    with pytest.raises(InputError, match=r"weights\.pt (holds more pickled objects|unpacks to)"):
        load_model(path, LoadOptions(device="cpu", settings={"arch": "test_resnet"}))


def test_real_checkpoints_pass(tmp_path):
    import torch

    net = weights.timm_net(4)
    optimiser = torch.optim.AdamW(net.parameters())
    net(torch.zeros(1, 3, 64, 64)).sum().backward()
    optimiser.step()
    for legacy in (False, True):
        torch.save(
            {"model": net.state_dict(), "optimizer": optimiser.state_dict(), "losses": [0.5] * 100_000},
            tmp_path / "a.pt",
            _use_new_zipfile_serialization=not legacy,
        )
        check_pickle(tmp_path / "a.pt")
