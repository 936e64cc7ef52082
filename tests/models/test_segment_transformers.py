"""Semantic segmenters of the transformers library: stand-ins for it here, the library itself where it is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from dashboard.errors import InputError
from models.base import LoadOptions, ModelSpec, Weights
from models.load import find_spec, list_specs, load_model
from models.transformers_segment import TransformersSegmenter
from tests.models import segmenters

NAME = "nvidia/segformer-b0-finetuned-ade-512-512"
HERE = importlib.util.find_spec("transformers") is not None
needed = pytest.mark.skipif(not HERE, reason="transformers is not installed")
SPEC = ModelSpec("tiny", "semantic-segmentation", "transformers", "a test", Weights("file", "tiny", 1))


class Processor:
    """What is used of an image processor: resize to a size and put the channels first."""

    size = {"height": 64, "width": 96}  # noqa: RUF012

    def __call__(self, images, return_tensors, input_data_format, size=None):
        import cv2

        assert (return_tensors, input_data_format) == ("np", "channels_last")
        size = size or self.size
        resized = cv2.resize(images, (size["width"], size["height"])).astype(np.float32) / 255
        return {"pixel_values": resized.transpose(2, 0, 1)[None]}

    def to_json_string(self):
        return json.dumps(self.size)


class Net(torch.nn.Module):
    """SegFormer's outputs: coarse logits."""

    def __init__(self, names=segmenters.NAMES):
        super().__init__()
        self.net = segmenters.conv_net(len(segmenters.NAMES), stride=4)
        self.config = SimpleNamespace(id2label=dict(enumerate(names)))

    def forward(self, pixel_values):
        return SimpleNamespace(logits=self.net(pixel_values))


class TinyForUniversalSegmentation(Net):
    """Mask2Former's outputs: six queries, each with a class and a mask."""

    def forward(self, pixel_values):
        features = self.net(pixel_values)
        classes = features.mean((2, 3))[:, None] * torch.arange(1, 7)[:, None] / 6
        nothing = torch.zeros(len(classes), 6, 1)
        masks = torch.cat([features, -features[:, :1]], 1)
        return SimpleNamespace(class_queries_logits=torch.cat([classes, nothing], 2), masks_queries_logits=masks)


def adapter(net=None, **settings):
    options = LoadOptions(device="cpu", settings=settings)
    return TransformersSegmenter(net or Net(), Processor(), SPEC, options)


def test_logits_go_to_the_pictures_size_in_one_step():
    made = adapter()
    assert made.spec.class_names == segmenters.NAMES
    assert made.spec.input_size == (64, 96)
    picture = segmenters.picture(120, 170)
    pixels = Processor()(picture, "np", "channels_last")["pixel_values"]
    with torch.inference_mode():
        logits = interpolate(Net()(torch.from_numpy(pixels)).logits, (120, 170), mode="bilinear")[0]
    found = made.predict([picture])[0]
    np.testing.assert_allclose(found.probabilities.rows(0, 120), logits.softmax(0), atol=1e-5)
    assert (found.class_ids == logits.argmax(0).numpy()).mean() > 0.999


def test_masks_of_queries_are_weighed_by_their_classes():
    made = adapter(TinyForUniversalSegmentation())
    picture = segmenters.picture(90, 130)
    pixels = Processor()(picture, "np", "channels_last")["pixel_values"]
    with torch.inference_mode():
        said = TinyForUniversalSegmentation()(torch.from_numpy(pixels))
        masks = interpolate(said.masks_queries_logits, (384, 384), mode="bilinear").sigmoid()
        scores = torch.einsum("bqc,bqhw->bchw", said.class_queries_logits.softmax(-1)[..., :-1], masks)
        scores = interpolate(scores, (90, 130), mode="bilinear")[0]
    found = made.predict([picture])[0]
    assert (found.class_ids == scores.argmax(0).numpy()).mean() > 0.999
    np.testing.assert_allclose(found.probabilities.rows(0, 90), scores / scores.sum(0), atol=1e-5)


@pytest.mark.parametrize("net", [Net, TinyForUniversalSegmentation])
def test_a_batch_is_its_pictures(net):
    made = adapter(net())
    pictures = [segmenters.picture(50, 70), segmenters.picture(20, 9, 1)]
    for picture, together in zip(pictures, made.predict(pictures), strict=True):
        assert together.size == picture.shape[:2]
        assert (together.class_ids == made.predict([picture])[0].class_ids).mean() > 0.999


def test_settings_and_names():
    larger = adapter(input_size="128x64")
    assert larger.spec.input_size == (128, 64)
    assert larger.preprocess(segmenters.picture(50, 70)).pixels.shape == (3, 128, 64)
    assert larger.fingerprint != adapter().fingerprint == adapter().fingerprint
    with pytest.raises(InputError, match="tiny has 5 classes but 2 class names"):
        adapter(Net(("road", "sky")))


def test_what_is_listed():
    specs = list_specs("semantic-segmentation", "transformers")
    assert f"transformers/{NAME}" in {spec.name for spec in specs}
    assert {spec.task for spec in specs} == {"semantic-segmentation"}
    assert find_spec("transformers/someone/my-segformer").task == "semantic-segmentation"
    assert find_spec("transformers/someone/some-detr").task == "detection"
    with pytest.raises(InputError, match="no setting called 'conf'"):
        load_model(f"transformers/{NAME}", LoadOptions(device="cpu", settings={"conf": "0.5"}))


def test_a_config_that_is_here_tells_the_task(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--someone--net" / "snapshots" / "0"
    folder.mkdir(parents=True)
    for architecture, task in (
        ("UperNetForSemanticSegmentation", "semantic-segmentation"),
        ("Mask2FormerForUniversalSegmentation", "semantic-segmentation"),
        ("DetrForObjectDetection", "detection"),
    ):
        (folder / "config.json").write_text(json.dumps({"architectures": [architecture]}))
        assert find_spec("transformers/someone/net").task == task
    (folder / "config.json").write_text("[nonsense")
    assert find_spec("transformers/someone/net").task == "detection"


def test_offline_or_not_installed_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("models.downloads.reachable", lambda url: False)
    words = "not on this machine and would come from https://huggingface.co" if HERE else "pip install transformers"
    with pytest.raises(InputError, match=words):
        load_model(f"transformers/{NAME}", LoadOptions(device="cpu"))


def saved(cache: Path, seed: int = 0, kind: str = "segformer") -> str:
    """A tiny network in the hub's cache; its name."""
    import transformers as t

    torch.manual_seed(seed)
    names = dict(enumerate(segmenters.NAMES))
    small = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32]}
    if kind == "segformer":
        how = {"num_attention_heads": [1, 1, 2, 2], "decoder_hidden_size": 16, "sr_ratios": [4, 2, 1, 1]}
        net = t.SegformerForSemanticSegmentation(t.SegformerConfig(**small, **how, id2label=names))
        processor = t.SegformerImageProcessor(size={"height": 64, "width": 96})
        last = net.decode_head.classifier
    elif kind == "upernet":
        backbone = t.ConvNextConfig(**small, out_features=["stage1", "stage2", "stage3", "stage4"])
        config = t.UperNetConfig(backbone_config=backbone, hidden_size=16, use_auxiliary_head=False, id2label=names)
        net = t.UperNetForSemanticSegmentation(config)
        processor = t.SegformerImageProcessor(size={"height": 64, "width": 96})
        last = net.decode_head.classifier
    else:
        backbone = t.SwinConfig(
            image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
            out_features=["stage1", "stage2", "stage3", "stage4"],
        )  # fmt: skip
        config = t.Mask2FormerConfig(
            backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=16,
            encoder_layers=1, decoder_layers=2, num_attention_heads=2, dim_feedforward=16, num_queries=8,
            id2label=names,
        )  # fmt: skip
        net = t.Mask2FormerForUniversalSegmentation(config)
        processor = t.Mask2FormerImageProcessor(size={"height": 64, "width": 96})
        last = net.class_predictor
    torch.nn.init.normal_(last.weight, 0, 2)
    folder = cache / f"models--{NAME.replace('/', '--')}" / "snapshots" / "0"
    net.save_pretrained(folder)
    processor.save_pretrained(folder)
    return f"transformers/{NAME}"


@needed
@pytest.mark.parametrize("kind", ["segformer", "upernet", "mask2former"])
def test_class_maps_are_those_of_the_library(monkeypatch, tmp_path, kind):
    import transformers

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    made = load_model(saved(tmp_path, kind=kind), LoadOptions(device="cpu", fuse=False))
    assert made.spec.task == "semantic-segmentation"
    folder = next(tmp_path.glob("*/snapshots/0"))
    universal = kind == "mask2former"
    auto = (
        transformers.AutoModelForUniversalSegmentation if universal else transformers.AutoModelForSemanticSegmentation
    )
    net, processor = auto.from_pretrained(folder), transformers.AutoImageProcessor.from_pretrained(folder)
    picture = segmenters.picture(120, 170)
    with torch.inference_mode():
        said = net.eval()(**processor(images=picture, return_tensors="pt"))
    expected = processor.post_process_semantic_segmentation(said, target_sizes=[picture.shape[:2]])[0].numpy()
    found = made.predict([picture])[0].class_ids
    assert len(np.unique(expected)) >= (1 if universal else 2)  # random queries agree
    assert (found == expected).mean() > 0.999


@needed
def test_a_damaged_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    name = saved(tmp_path)
    next(tmp_path.glob("*/snapshots/0/model.safetensors")).write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be loaded as a semantic segmenter of transformers"):
        load_model(name, LoadOptions(device="cpu"))
