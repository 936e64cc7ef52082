"""Ultralytics' detectors and segmenters beside Ultralytics' own predictor, on photos, with random weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dashboard import masks
from dashboard.errors import InputError
from models.base import LoadOptions
from models.ultralytics_detect import UltralyticsDetector
from tests.models import detectors

SIZE = 192
LIKE_PREDICT = {"conf": "0.05", "iou": "0.6", "max_det": "40", "multi_label": "false"}
YOLO = ("yolov8n.yaml", "yolo11n.yaml", "yolo12n.yaml", "yolo26n.yaml")
WITHOUT_NMS = ("yolo26n.yaml", "yolov10n.yaml")
SEGMENTERS = (("yolo11n-seg.yaml", True), ("yolo26n-seg.yaml", True), ("yolo26n-seg.yaml", False))


def build(yaml, precision="fp32", fuse=True, **settings):
    # one thread, as the predictor has it: then both do the same sums in the same order
    options = LoadOptions(device="cpu", precision=precision, fuse=fuse, threads=1, settings=settings)
    return UltralyticsDetector(detectors.ultralytics_net(yaml), detectors.SPEC, options, image_size=SIZE)


def theirs(yaml, photo, rect=False, nms=None):
    """What ``yolo predict`` gives: (boxes, scores, classes, masks)."""
    from ultralytics import RTDETR, YOLO

    model = (RTDETR if "rtdetr" in yaml else YOLO)(yaml)
    model.model = detectors.ultralytics_net(yaml)
    how = {"imgsz": SIZE, "conf": 0.05, "iou": 0.6, "max_det": 40, "rect": rect, "retina_masks": True, "nms": nms}
    found = model.predict(photo[:, :, ::-1].copy(), verbose=False, device="cpu", channels_last=True, **how)[0]
    height, width = photo.shape[:2]
    boxes = found.boxes.xyxy.numpy().astype(float).clip(0, [width, height, width, height])
    pictures = None if found.masks is None else found.masks.data.numpy().astype(bool)
    return boxes, found.boxes.conf.numpy(), found.boxes.cls.numpy(), pictures


def assert_same(ours, boxes, scores, classes):
    assert len(boxes) >= 10
    assert len(ours) == len(boxes)
    assert (boxes[:, 2:] - boxes[:, :2]).mean() > 30
    np.testing.assert_allclose(ours.xyxy, boxes, atol=1e-3)
    np.testing.assert_allclose(ours.scores, scores, atol=1e-6)
    np.testing.assert_array_equal(ours.class_ids, classes)


@pytest.mark.parametrize("rect", [False, True], ids=["square", "rect"])
@pytest.mark.parametrize("yaml", YOLO)
def test_boxes_are_those_of_yolo_predict(yaml, rect):
    adapter = build(yaml, rect=str(rect), **LIKE_PREDICT)
    for photo in detectors.photos():
        ours = adapter.predict([photo])[0]
        assert_same(ours, *theirs(yaml, photo, rect)[:3])
        assert ours.masks is None
        assert ours.size == photo.shape[:2]


@pytest.mark.parametrize("yaml", WITHOUT_NMS)
def test_the_head_without_suppression(yaml):
    adapter = build(yaml, nms="false", **LIKE_PREDICT)
    photo = detectors.photos()[0]
    assert_same(adapter.predict([photo])[0], *theirs(yaml, photo, nms=False)[:3])
    assert adapter.fingerprint != build(yaml, **LIKE_PREDICT).fingerprint


def test_rt_detr():
    adapter = build("rtdetr-l.yaml", **LIKE_PREDICT)
    assert adapter.spec.task == "detection"
    for photo in detectors.photos():
        assert_same(adapter.predict([photo])[0], *theirs("rtdetr-l.yaml", photo)[:3])


@pytest.mark.parametrize(("yaml", "nms"), SEGMENTERS)
def test_masks_are_those_of_retina_masks(yaml, nms):
    adapter = build(yaml, nms=str(nms), **LIKE_PREDICT)
    assert adapter.spec.task == "instance-segmentation"
    for photo in detectors.photos():
        boxes, scores, classes, pictures = theirs(yaml, photo, nms=None if nms else False)
        ours = adapter.predict([photo])[0]
        ours = ours.take(masks.areas(ours.masks, ours.size) > 0)  # the predictor drops what has an empty mask
        assert_same(ours, boxes, scores, classes)
        different = masks.decode(ours.masks, ours.size) != pictures
        assert pictures.mean() > 0.01
        assert different.mean() < 1e-5  # where the logit is 0 up to rounding


@pytest.mark.parametrize("yaml", ["yolo11n-seg.yaml", "yolo26n.yaml"])
@pytest.mark.parametrize("rect", ["false", "true"])
def test_batch_equals_single(yaml, rect):
    adapter = build(yaml, rect=rect, conf="0.2", max_det="15")
    wide = np.ascontiguousarray(np.swapaxes(detectors.photos()[0], 0, 1))
    pictures = [*detectors.photos(), wide, detectors.photos()[0][:17, :9]]
    for together, picture in zip(adapter.predict(pictures), pictures, strict=True):
        alone = adapter.predict([picture])[0]
        np.testing.assert_allclose(together.xyxy, alone.xyxy, atol=0.05)
        np.testing.assert_allclose(together.scores, alone.scores, atol=1e-3)
        np.testing.assert_array_equal(together.class_ids, alone.class_ids)
        if together.masks is not None:
            assert len(together.masks) == len(together) <= 15
            for first, second in zip(together.masks, alone.masks, strict=True):
                both = masks.decode([first, second], together.size)
                assert (both[0] != both[1]).mean() < 1e-3


def test_defaults_are_those_of_yolo_val():
    adapter = build("yolo11n.yaml")
    assert "NMS at IoU 0.7, confidence above 0.001, best 300, several classes" in adapter.notes["boxes"]
    assert adapter.spec.class_names == detectors.NAMES
    assert adapter.spec.input_size == (SIZE, SIZE)
    assert adapter.spec.preprocessing.startswith("letterbox to 192x192")
    assert adapter.notes["batch norms folded"] > 50
    found = adapter.predict(detectors.photos()[:1])[0]
    assert 100 < len(found) <= 300
    assert (np.diff(found.scores) <= 0).all()
    assert "best 100" in build("yolo11n-seg.yaml").notes["boxes"]


def test_several_classes_an_anchor_are_those_of_yolo_val():
    import torch
    from ultralytics.utils.nms import non_max_suppression

    adapter = build("yolo11n.yaml", max_det="500", conf="0.05")
    rows = adapter.forward([adapter.preprocess(detectors.photos()[0])]).rows[0]
    expected = non_max_suppression(rows[None].clone(), 0.05, 0.7, multi_label=True, max_det=500)[0]
    from models.yolo_output import suppress

    torch.testing.assert_close(suppress(rows, 5, adapter._thresholds), expected, rtol=0, atol=0)
    assert len(expected) > 300


def test_folding_leaves_boxes_where_they_are():
    plain, folded = (build("yolo11n.yaml", fuse=fuse, conf="0.3") for fuse in (False, True))
    photo = detectors.photos()[0]
    item = plain.preprocess(photo)
    first, second = (adapter.forward([item]).rows[0] for adapter in (plain, folded))
    np.testing.assert_allclose(first.numpy(), second.numpy(), atol=0.1)
    assert plain.fingerprint != folded.fingerprint


def test_fusion_gain_is_measured():
    adapter = build("yolo11n.yaml")
    before = adapter.forward([adapter.preprocess(detectors.photos()[0])]).rows[0]
    gain = adapter.fusion_gain(batch_size=2, rounds=2)
    assert 0.3 < gain < 10
    assert adapter.notes["fusion gain"] == round(gain, 3)
    after = adapter.forward([adapter.preprocess(detectors.photos()[0])]).rows[0]
    assert (before == after).all()
    assert build("yolo11n.yaml", fuse=False).fusion_gain() == 1.0


def test_bf16_is_close():
    photo = detectors.photos()[0]
    full, half = (build("yolo11n.yaml", precision=p) for p in ("fp32", "bf16"))
    first, second = (adapter.forward([adapter.preprocess(photo)]).rows[0].numpy() for adapter in (full, half))
    assert second.dtype == np.float32
    assert np.abs(first[4:] - second[4:]).mean() < 0.05
    assert full.fingerprint != half.fingerprint


@pytest.mark.parametrize(
    ("key", "value"),
    [("conf", "2"), ("iou", "x"), ("max_det", "0"), ("max_det", "9" * 5000), ("rect", "perhaps"), ("conf", "nan")],
)
def test_settings_that_make_no_sense(key, value):
    with pytest.raises(InputError, match=f"^{key} must be") as error:
        build("yolo11n.yaml", **{key: value})
    assert len(str(error.value)) < 200


def test_what_it_does_not_take():
    from models.ultralytics_family import import_ultralytics

    pose = import_ultralytics().PoseModel("yolo11n-pose.yaml", verbose=False)
    with pytest.raises(InputError, match="holds an Ultralytics PoseModel, not a detector"):
        UltralyticsDetector(pose, detectors.SPEC, LoadOptions(device="cpu"))
    named = replace(detectors.SPEC, class_names=("a", "b"))
    with pytest.raises(InputError, match="5 classes but 2 class names"):
        UltralyticsDetector(detectors.ultralytics_net("yolo11n.yaml"), named, LoadOptions(device="cpu"))


def test_a_size_becomes_a_multiple_of_the_stride():
    net = detectors.ultralytics_net("yolo11n.yaml")
    adapter = UltralyticsDetector(net, detectors.SPEC, LoadOptions(device="cpu"), image_size=(100, 161))
    assert adapter.spec.input_size == (128, 192)


def test_damaged_weights_are_named():
    import torch

    net = detectors.ultralytics_net("yolo11n.yaml")
    with torch.no_grad():
        net.model[0].conv.weight.fill_(float("nan"))
    with pytest.raises(InputError, match=r"^tiny gives outputs that are not numbers"):
        UltralyticsDetector(net, detectors.SPEC, LoadOptions(device="cpu"))
