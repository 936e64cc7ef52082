"""Finding models by name and recognising files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import check_loadable, find_spec, list_specs, load_model, model_rows
from models.sniff import sniff
from tests.models import weights

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("digits_cnn", "digits_cnn"),
        ("efficientnet_lite0", "efficientnet_lite0"),
        ("timm/resnet18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("timm/resnet18", "timm/resnet18.a1_in1k"),
        ("resnet18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("torchvision/resnet18", "torchvision/resnet18"),
        ("torchvision/resnet50.IMAGENET1K_V1", "torchvision/resnet50.IMAGENET1K_V1"),
        ("alexnet", "torchvision/alexnet"),
        ("yolo11n-cls", "yolo11n-cls"),
        ("ultralytics/yolo11n-cls", "yolo11n-cls"),
    ],
)
def test_names(typed, name):
    assert find_spec(typed).name == name


def test_a_name_of_two_families_is_asked_back():
    with pytest.raises(InputError, match=r"several models: write torchvision/resnet18 or timm/resnet18\.a1_in1k"):
        find_spec("resnet18")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("efficientnet_lit0", "efficientnet_lite0"),
        ("digit_cnn", "digits_cnn"),
        ("torchvision/resnet181", "torchvision/resnet18"),
    ],
)
def test_did_you_mean(typed, hint):
    with pytest.raises(InputError, match=f"Did you mean .*'{hint}'"):
        find_spec(typed)


def test_names_are_unique():
    names = [spec.name for spec in list_specs()]
    assert len(names) == len(set(names)) > 1000
    assert [s.name for s in list_specs(family="demo-digits")] == ["digits_linear", "digits_cnn"]
    assert list_specs(task="no-such-task") == []


def test_rows():
    rows = {row["name"]: row for row in model_rows(task="classification")}
    row = rows["efficientnet_lite0"]
    assert row["here"] is True
    assert row["license"] == "Apache-2.0"
    assert row["input_size"] == [224, 224]
    assert row["size_bytes"] > 10_000_000
    assert row["family"] == "efficientnet-lite"
    assert rows["timm/resnet18.a1_in1k"]["size_mb"] == pytest.approx(46.8, abs=0.2)


def test_listing_imports_nothing_heavy():
    code = (
        "import sys, models, models.load\n"
        "names = {'torch', 'timm', 'torchvision', 'ultralytics', 'onnxruntime', 'gradio', 'plotly'}\n"
        "def heavy(): return names & set(sys.modules)\n"
        "assert not heavy(), heavy()\n"
        "models.load.model_rows()\n"
        "models.load.find_spec('digits_cnn')\n"
        "assert not heavy(), heavy()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello, I am a text file\n", "a text file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "a picture"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "Keras"),
        (b"PK\x03\x04" + bytes(50), "cut off or damaged"),
        ((10**7).to_bytes(8, "little") + b'{"a":', "cut off or damaged"),
        (bytes(range(256)), "not recognised"),
    ],
)
def test_other_files_are_named(tmp_path, content, words):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    for attempt in (lambda: load_model(path), lambda: check_loadable(str(path))):
        with pytest.raises(InputError, match=words) as error:
            attempt()
        assert str(path) in str(error.value)


def test_kinds(tmp_path):
    import torch

    torch.save({"a": torch.zeros(1)}, tmp_path / "a")
    torch.save({"a": torch.zeros(1)}, tmp_path / "b", _use_new_zipfile_serialization=False)
    weights.onnx_file(tmp_path / "c")
    weights.state_dict_file(tmp_path / "d")
    assert [sniff(tmp_path / n).name for n in "abcd"] == ["torch", "pickle", "onnx", "safetensors"]


@pytest.mark.parametrize("name", ["missing.onnx", "./nothing", "/no/such/file"])
def test_missing_files(name):
    with pytest.raises(InputError, match="There is no file"):
        load_model(name)


@pytest.mark.parametrize("name", ["", "x" * 5000, "a\0b", "../", "."])
def test_odd_names_are_refused_in_a_sentence(name):
    with pytest.raises(InputError):
        load_model(name)


def test_another_task_is_refused():
    with pytest.raises(InputError, match="is a model for classification, not for detection"):
        check_loadable("digits_cnn", task="detection")
    check_loadable("digits_cnn", task="classification")


@pytest.mark.parametrize("name", ["timm/resnet18", "torchvision/resnet18", "yolo11n-cls"])
def test_offline_is_one_sentence_and_nothing_is_tried(name, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("models.downloads.reachable", lambda url: False)
    with pytest.raises(InputError, match=r"not on this machine and would come from https://.*efficientnet_lite0"):
        load_model(name, LoadOptions(device="cpu"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (LoadOptions(device="tpu"), "Device must be"),
        (LoadOptions(device="cuda:99"), "cannot be used"),
        (LoadOptions(device="cpu", precision="fp16"), "fp16 needs a CUDA device"),
        (LoadOptions(device="cpu", threads=0), "threads must be"),
        (LoadOptions(device="cpu", settings={"activation": "relu"}), "activation must be"),
    ],
)
def test_options_that_cannot_be_had(options, words):
    with pytest.raises(InputError, match=words):
        load_model("digits_cnn", options)


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("digits_cnn", "activatoin", "digits_cnn has no setting called 'activatoin'. Did you mean 'activation'"),
        ("digits_cnn", "bogus", "It understands activation."),
        ("efficientnet_lite0", "normalization", "Did you mean 'normalisation'"),
        ("timm/resnet18", "arch", "has no setting called 'arch'"),
    ],
)
def test_unknown_settings_are_refused_before_loading(name, key, words):
    for attempt in (
        lambda: load_model(name, LoadOptions(device="cpu", settings={key: "1"})),
        lambda: check_loadable(name, settings={key: "1"}),
    ):
        with pytest.raises(InputError) as error:
            attempt()
        assert words in str(error.value)


def test_unknown_settings_for_a_file(tmp_path):
    path = weights.onnx_file(tmp_path / "a.onnx")
    for attempt in (
        lambda: load_model(path, LoadOptions(device="cpu", settings={"inputsize": "32"})),
        lambda: check_loadable(path, settings={"inputsize": "32"}),
    ):
        with pytest.raises(InputError, match=r"a\.onnx has no setting called 'inputsize'\. Did you mean 'input_size'"):
            attempt()
    check_loadable(path, settings={"input_size": "32", "classes": "names.txt"})


def test_a_family_that_names_no_settings_takes_any(monkeypatch):
    from models.demo.digits import DemoDigits

    monkeypatch.delattr(DemoDigits, "settings")
    check_loadable("digits_cnn", settings={"anything": "1"})
