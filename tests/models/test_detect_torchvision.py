"""torchvision's detectors beside a direct call of the same network, with random weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dashboard import masks
from dashboard.errors import InputError
from models import coco
from models.base import LoadOptions
from models.load import find_spec, load_model
from models.torchvision_detect import TABLE, TorchvisionDetector, build, table_rows
from tests.models import detectors

NAMES = (
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "maskrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
    "fcos_resnet50_fpn",
    "ssdlite320_mobilenet_v3_large",
)
LABELS = np.arange(6) - 1  # the background is no class


def adapter(name, fuse=False, precision="fp32", **settings):
    options = LoadOptions(device="cpu", fuse=fuse, precision=precision, threads=1, settings=settings)
    spec = replace(detectors.SPEC, class_names=detectors.NAMES)
    return TorchvisionDetector(detectors.torchvision_net(name), spec, options, labels=LABELS)


@pytest.mark.parametrize("name", NAMES)
def test_boxes_are_those_of_a_direct_call(name):
    import torch

    ours = adapter(name)
    net = detectors.torchvision_net(name)
    assert ours.spec.task == ("instance-segmentation" if "mask" in name else "detection")
    for photo in detectors.photos():
        with torch.inference_mode():
            theirs = net([torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 255])[0]
        classes = LABELS[theirs["labels"].numpy()]
        real = classes >= 0  # RetinaNet and SSD may give the background's number
        found = ours.predict([photo])[0]
        assert len(found) == real.sum() >= 10
        np.testing.assert_allclose(found.xyxy, theirs["boxes"].numpy()[real], atol=1e-3)
        np.testing.assert_allclose(found.scores, theirs["scores"].numpy()[real], atol=1e-6)
        np.testing.assert_array_equal(found.class_ids, classes[real])
        if "mask" in name:
            pictures = theirs["masks"].numpy()[:, 0] > 0.5
            assert pictures.any(axis=(1, 2)).mean() > 0.5
            np.testing.assert_array_equal(masks.decode(found.masks, found.size), pictures)
        else:
            assert found.masks is None


@pytest.mark.parametrize("name", ["maskrcnn_resnet50_fpn", "ssdlite320_mobilenet_v3_large"])
def test_batch_equals_single(name):
    ours = adapter(name, fuse=True)
    wide = np.ascontiguousarray(np.swapaxes(detectors.photos()[0], 0, 1))
    pictures = [*detectors.photos(), wide, detectors.photos()[0][::-1].copy()]
    for together, picture in zip(ours.predict(pictures), pictures, strict=True):
        alone = ours.predict([picture])[0]
        assert len(together) == len(alone)
        apart = np.abs(together.xyxy[:, None] - alone.xyxy[None]).max(-1).min(-1)
        assert apart.max() < 3  # rounding, which a random network makes large, and then their order may differ
        assert np.median(apart) < 0.01
        assert together.size == picture.shape[:2]


def test_folding_keeps_the_features():
    import torch

    plain, folded = (adapter("fasterrcnn_mobilenet_v3_large_320_fpn", fuse=fuse) for fuse in (False, True))
    assert folded.notes["batch norms folded"] > 30
    picture = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        for first, second in zip(plain.network.backbone(picture).values(), folded.network.backbone(picture).values(), strict=True):  # fmt: skip # noqa: E501
            torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)
    assert plain.fingerprint != folded.fingerprint


def test_bf16_runs():
    found = adapter("maskrcnn_resnet50_fpn", precision="bf16").predict(detectors.photos()[:1])[0]
    assert len(found) > 5


def test_thresholds_are_torchvisions_until_set():
    name = "retinanet_resnet50_fpn"
    own = adapter(name)
    assert own.notes["boxes"] == "NMS at IoU 0.5, confidence above 0.05, best 300"
    stricter = adapter(name, conf="0.5", max_det="7", iou="0.3")
    assert stricter.notes["boxes"] == "NMS at IoU 0.3, confidence above 0.5, best 7"
    found = stricter.predict(detectors.photos()[:1])[0]
    assert len(found) <= 7
    assert (found.scores > 0.5).all()
    assert own.fingerprint != stricter.fingerprint
    faster = adapter("fasterrcnn_mobilenet_v3_large_320_fpn", conf="0.9")
    assert len(faster.predict(detectors.photos()[:1])[0]) == 0


def test_coco_classes_have_no_gaps():
    import torchvision

    meta = torchvision.models.detection.MaskRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"]
    assert tuple(meta[number] for number in coco.CATEGORY_IDS) == coco.NAMES
    left = {name for number, name in enumerate(meta) if number not in coco.CATEGORY_IDS}
    assert left == {"N/A", "__background__"}


def test_the_list_is_torchvisions():
    from models import tables

    rows = {row["name"]: {key: str(value) for key, value in row.items()} for row in table_rows()}
    assert len(tables.read(TABLE)) >= 11
    assert all(rows[row["name"]] == row for row in tables.read(TABLE))  # a newer torchvision may have more
    spec = find_spec("torchvision/maskrcnn_resnet50_fpn")
    assert spec.task == "instance-segmentation"
    assert spec.class_names == coco.NAMES
    assert "box AP 37.9, mask AP 34.6" in spec.source
    assert find_spec("torchvision/maskrcnn_resnet50_fpn.COCO_V1").name == spec.name


def test_a_published_file_is_loaded_as_torchvision_does(monkeypatch, tmp_path):
    """Their frozen batch norms count no batches; the normalisation has no epsilon."""
    import torch
    import torchvision
    from torchvision.ops import FrozenBatchNorm2d

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = "fasterrcnn_resnet50_fpn"
    weights = torchvision.models.get_model_weights(name).DEFAULT
    torch.manual_seed(0)
    net = detectors.torchvision_net(name, classes=91, side=None)
    path = tmp_path / "hub" / "checkpoints" / weights.url.rpartition("/")[2]
    path.parent.mkdir(parents=True)
    torch.save({k: v for k, v in net.state_dict().items() if "num_batches" not in k}, path)
    theirs = torchvision.models.get_model(name, weights=weights, min_size=128, max_size=256).eval()
    assert any(isinstance(module, FrozenBatchNorm2d) for module in theirs.modules())

    ours = load_model(f"torchvision/{name}", LoadOptions(device="cpu", settings={"conf": "0.02"}))
    assert ours.spec.class_names == coco.NAMES
    batch = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        for key, expected in theirs.backbone(batch).items():
            bound = 1e-3 * float(expected.abs().max())
            torch.testing.assert_close(ours.network.backbone(batch)[key], expected, rtol=0, atol=bound)


def test_damaged_and_foreign_files_are_named(monkeypatch, tmp_path):
    import torch

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    spec = find_spec("torchvision/ssdlite320_mobilenet_v3_large")
    path = tmp_path / "hub" / "checkpoints" / spec.weights.location.rpartition("/")[2]
    path.parent.mkdir(parents=True)
    for content in (b"nonsense", None):
        path.write_bytes(content) if content else torch.save({"w": torch.zeros(1)}, path)
        with pytest.raises(InputError, match=r"cannot be loaded as torchvision/ssdlite.*delete it and retry"):
            load_model(spec.name, LoadOptions(device="cpu"))
    with pytest.raises(InputError, match="no detector called 'fasterrcnn'"):
        build("fasterrcnn")


def test_offline_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("models.downloads.reachable", lambda url: False)
    with pytest.raises(InputError, match=r"not on this machine and would come from https://download\.pytorch"):
        load_model("torchvision/ssd300_vgg16", LoadOptions(device="cpu"))
