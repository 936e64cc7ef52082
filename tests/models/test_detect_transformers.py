"""Detectors of the transformers library: offline, from a folder that a tiny random network was saved to."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import find_spec, load_model
from tests.models import detectors

NAME = "PekingU/rtdetr_r18vd"
HERE = importlib.util.find_spec("transformers") is not None
needed = pytest.mark.skipif(not HERE, reason="transformers is not installed")


def saved(cache: Path, labels=detectors.NAMES, seed: int = 0) -> str:
    """A tiny RT-DETR in the hub's cache; its name."""
    import torch
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessor, RTDetrResNetConfig

    torch.manual_seed(seed)
    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = RTDetrConfig(
        backbone_config=backbone, encoder_in_channels=[16, 24, 32], encoder_hidden_dim=16, encoder_ffn_dim=16,
        encoder_attention_heads=2, d_model=16, num_queries=20, decoder_in_channels=[16, 16, 16], decoder_ffn_dim=16,
        decoder_layers=1, decoder_attention_heads=2, num_feature_levels=3, feat_strides=[8, 16, 32],
        id2label=dict(enumerate(labels)), anchor_image_size=None, eval_size=None,
    )  # fmt: skip
    net = RTDetrForObjectDetection(config)
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Linear) and ("class_embed" in name or "score_head" in name):
            torch.nn.init.normal_(module.weight, 0, 1)
            torch.nn.init.normal_(module.bias, -1)
    folder = cache / f"models--{NAME.replace('/', '--')}" / "snapshots" / "0"
    net.save_pretrained(folder)
    RTDetrImageProcessor(size={"height": 96, "width": 96}).save_pretrained(folder)
    return f"transformers/{NAME}"


@needed
def test_boxes_are_those_of_a_direct_call(monkeypatch, tmp_path):
    import torch
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    name = saved(tmp_path, ("a", "b", "N/A", "c"))
    ours = load_model(name, LoadOptions(device="cpu", fuse=False, settings={"conf": "0.05"}))
    assert ours.spec.class_names == ("a", "b", "c")
    assert ours.spec.input_size == (96, 96)
    folder = next(tmp_path.glob("*/snapshots/0"))
    net, processor = AutoModelForObjectDetection.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    for photo in detectors.photos():
        with torch.inference_mode():
            said = net.eval()(**processor(images=photo, return_tensors="pt"))
        theirs = processor.post_process_object_detection(said, threshold=0.05, target_sizes=[photo.shape[:2]])[0]
        real = theirs["labels"].numpy() != 2
        found = ours.predict([photo])[0]
        height, width = photo.shape[:2]
        assert len(found) == real.sum() >= 5
        expected = theirs["boxes"].numpy()[real].clip(0, [width, height, width, height])
        np.testing.assert_allclose(found.xyxy, expected, atol=0.05)
        np.testing.assert_allclose(found.scores, theirs["scores"].numpy()[real], atol=1e-4)
        np.testing.assert_array_equal(found.class_ids, np.array([0, 1, -1, 2])[theirs["labels"].numpy()[real]])


@needed
def test_batch_equals_single(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    adapter = load_model(saved(tmp_path), LoadOptions(device="cpu", settings={"max_det": "7"}))
    pictures = [*detectors.photos(), detectors.photos()[0][:9, :400]]
    for together, picture in zip(adapter.predict(pictures), pictures, strict=True):
        alone = adapter.predict([picture])[0]
        assert len(together) == len(alone) <= 7
        np.testing.assert_allclose(together.xyxy, alone.xyxy, atol=0.05)
    assert adapter.fingerprint != load_model(adapter.spec.name, LoadOptions(device="cpu")).fingerprint


def test_offline_or_not_installed_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("models.downloads.reachable", lambda url: False)
    words = "not on this machine and would come from https://huggingface.co" if HERE else "pip install transformers"
    with pytest.raises(InputError, match=words):
        load_model(f"transformers/{NAME}", LoadOptions(device="cpu"))


def test_names():
    assert find_spec(f"transformers/{NAME}").class_names[0] == "person"
    other = find_spec("transformers/someone/some-detr")
    assert other.weights.location == "https://huggingface.co/someone/some-detr"
    for wrong in ("transformers/", "transformers/a", "transformers/../x", "transformers/a/b/c", "transformers//b"):
        with pytest.raises(InputError, match="No model is called"):
            find_spec(wrong)


@needed
def test_a_damaged_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    name = saved(tmp_path)
    next(tmp_path.glob("*/snapshots/0/model.safetensors")).write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be loaded as a detector of transformers"):
        load_model(name, LoadOptions(device="cpu"))
