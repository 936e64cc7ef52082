"""The built-in scenes: the same each time, exactly annotated, and apart from what the demo models learn from."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from dashboard import masks
from dashboard.datasets.scene_layout import MIN_VISIBLE, Layer, Layout, arrange, digits
from dashboard.datasets.scene_painting import PHOTOS, paint, photo_files
from dashboard.datasets.scenes import SIZES, TASKS, Scenes, scene, size_of
from dashboard.types import Detections

SOME = range(40)
# RGB, of the first five pictures
MEANS = [[102.4, 102.4, 102.3], [117.3, 105.3, 78.1], [136.8, 134.5, 132.4], [45.8, 53.7, 70.8], [144.4, 147.8, 149.9]]


@pytest.fixture(scope="module")
def data() -> Scenes:
    return Scenes("instance-segmentation")


def hashed(targets: list[Detections]) -> str:
    digest = hashlib.sha256()
    for target in targets:
        digest.update(np.concatenate([target.xyxy.ravel(), target.areas, target.crowd, target.class_ids]).tobytes())
        digest.update(b"".join(target.masks))
    return digest.hexdigest()[:16]


def test_the_truth_is_the_same_everywhere(data):
    assert hashed(data.targets) == "451426801e89d81d"


def test_the_pixels_hardly_depend_on_the_library_versions(data):
    """JPEG decoding and resampling may change by a grey level, not the picture."""
    means = [data[i].image.mean(axis=(0, 1)).round(1).tolist() for i in range(5)]
    np.testing.assert_allclose(means, MEANS, atol=1.0)


def test_a_scene_depends_on_its_arguments_only():
    again = [scene("test", i, size_of(i))[0] for i in (7, 3)]
    np.testing.assert_array_equal(again[0], Scenes()[7].image)
    np.testing.assert_array_equal(again[1], Scenes()[3].image)
    others = [scene("train", 7, size_of(7)), scene("test", 8, size_of(7))]
    assert all((other != again[0]).any() for other, _ in others)


def test_both_tasks_are_the_same_objects(data):
    boxes = Scenes("detection")
    assert (boxes.task, data.task) == TASKS[:2]
    assert boxes.fingerprint == data.fingerprint
    for plain, masked in zip(boxes.targets, data.targets, strict=True):
        assert plain.masks is None
        assert len(masked.masks) == len(masked)
        for name in ("xyxy", "class_ids", "areas", "crowd"):
            np.testing.assert_array_equal(getattr(plain, name), getattr(masked, name))


def test_every_pixel_has_a_class(data):
    maps = Scenes("semantic-segmentation")
    assert maps.class_names == ("background", *data.class_names)
    assert maps.fingerprint == data.fingerprint
    for index in (0, 16, 38, 54):
        ids = maps.targets[index].class_ids
        objects = data.targets[index]
        expected = np.zeros(ids.shape, np.uint8)
        for mask, label in zip(masks.decode(objects.masks, objects.size), objects.class_ids, strict=True):
            expected[mask] = label + 1
        assert (ids == expected).all()
        assert (maps[index].image == data[index].image).all()


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="instance-segmentation, semantic-segmentation, got 'classification'"):
        Scenes("classification")


def test_boxes_and_areas_are_those_of_the_masks(data):
    for i in SOME:
        target = data.targets[i]
        assert target.size == data[i].image.shape[:2] == SIZES[i % len(SIZES)]
        np.testing.assert_array_equal(target.xyxy, masks.boxes(target.masks, target.size))
        np.testing.assert_array_equal(target.areas, masks.areas(target.masks, target.size))
        assert masks.decode(target.masks, target.size).sum(0).max(initial=0) <= 1  # a pixel is one object's


def test_layouts_agree_with_themselves():
    for i in SOME:
        layout = arrange("test", i)
        counts = np.bincount(layout.instances.ravel(), minlength=len(layout.labels) + 1)
        assert counts[1:].tolist() == layout.areas
        assert all(area >= MIN_VISIBLE * full for area, full in zip(layout.areas, layout.full, strict=True))
        semantic = layout.semantic()
        assert ((semantic > 0) == (layout.instances > 0)).all()
        for mask, label in zip(layout.masks(), layout.labels, strict=True):
            assert (semantic[mask] == label + 1).all()


@pytest.mark.parametrize("index", [0, 2, 3, 11])
def test_the_masks_are_where_the_paint_is(index):
    """Where the picture differs from its background alone, and nowhere else."""
    layout = arrange("test", index)
    assert layout.layers
    bare = Layout(layout.size, np.zeros(layout.size, np.uint8))
    change = np.abs(paint(layout, "test", index).astype(int) - paint(bare, "test", index)).max(2)
    painted = np.zeros(layout.size, bool)
    for layer in layout.layers:
        rim = 8 if layer.instance else 1  # shadows
        patch = np.zeros(layout.size, bool)
        patch[layer.window] = layer.alpha > 0
        painted |= ndimage.binary_dilation(patch, iterations=rim)
    digit = layout.instances > 0
    assert np.median(change[digit]) > 50
    assert np.median(change[~painted]) < 15  # noise, drawn anew


def test_a_crowd_is_one_region_of_many_digits(data):
    indices = [i for i, target in enumerate(data.targets) if target.crowd.any()]
    assert 20 <= len(indices) <= 60
    for i in indices:
        layout, target = arrange("test", i, size_of(i)), data.targets[i]
        assert target.crowd.tolist() == layout.crowd
        assert target.crowd.sum() == 1
        parts = [layer for layer in layout.layers if layer.instance and layout.crowd[layer.instance - 1]]
        assert len(parts) >= 5
        assert {layer.label for layer in parts} == {layout.labels[0]}
        assert data[i].image.shape[:2] == target.size


def test_digits_of_a_crowd_can_be_told_apart_for_training():
    crowded = next(i for i in range(100) if any(arrange("train", i).crowd))
    apart = arrange("train", crowded, crowds=False)
    assert not any(apart.crowd)
    assert len(apart.labels) > len(arrange("train", crowded).labels) + 4


def test_all_kinds_of_pictures_and_objects_occur(data):
    targets = data.targets
    plain = [target.take(~target.crowd) for target in targets]
    assert 10 <= sum(len(target) == 0 for target in targets) <= 40
    assert np.bincount(np.concatenate([t.class_ids for t in plain]), minlength=10).min() >= 80
    areas = np.concatenate([t.areas for t in plain])
    small, large = areas < 32**2, areas >= 96**2  # COCO's
    assert min(small.sum(), (~small & ~large).sum()) >= 200
    assert large.sum() >= 8
    assert {data[i].tags["photo"] for i in range(60)} == {name.rpartition(":")[2] for name in PHOTOS["test"]}


def test_what_is_held_out_is_never_trained_on():
    from sklearn.datasets import load_digits

    (train, train_labels, _), (test, test_labels, _) = digits("train"), digits("test")
    assert (len(train), len(test)) == (1200, 597)
    np.testing.assert_array_equal(np.concatenate([train_labels, test_labels]), load_digits().target)
    assert not {ink.tobytes() for ink in train} & {ink.tobytes() for ink in test}
    assert not set(PHOTOS["train"]) & set(PHOTOS["test"])
    contents = [{file.read_bytes() for file in photo_files(split)} for split in ("train", "test")]
    assert not contents[0] & contents[1]
    sides = {split for split, names in PHOTOS.items() for name in names if name.startswith("motorcycle")}
    assert len(sides) == 1  # one scene from two sides


def test_what_would_hide_too_much_is_not_pasted():
    layout = Layout((10, 10), np.zeros((10, 10), np.uint8))
    whole = np.ones((10, 10))
    assert layout.paste(Layer(0, 0, whole, 10, 1, 5), 100)
    assert not layout.paste(Layer(0, 0, whole[:6], 10, 2, 7), 60)  # 40 of 100 would be left
    assert layout.paste(Layer(0, 0, whole[:5], 10, 2, 7), 50)
    assert (layout.labels, layout.areas, layout.full) == ([5, 7], [50, 50], [100, 50])
    assert layout.paste(Layer(9, 0, whole[:1, :4], 1, 0, -1), 0)  # a piece in front is no object
    assert (layout.labels, layout.areas) == ([5, 7], [46, 50])
    np.testing.assert_array_equal(layout.boxes(), [[0, 5, 10, 10], [0, 0, 10, 5]])
