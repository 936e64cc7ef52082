"""COCO instances JSON: the truth as pycocotools has it, and a sentence for everything that is wrong in a file."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from dashboard import masks
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from tests.datasets.pictures import write, zip_folder
from tests.datasets.scenes_on_disk import coco_dict, make_coco, write_pictures


def opened(path, task="detection", **options):
    return open_dataset(path, task=task, options=options)


def labels(tmp_path, data: Any, task="detection"):
    file = tmp_path / "instances.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    return open_dataset(file, task=task, labels_only=True)


def refused(tmp_path, data: Any, match: str, task="detection") -> str:
    with pytest.raises(InputError, match=match) as info:
        labels(tmp_path, data, task)
    text = str(info.value)
    assert "instances.json" in text
    assert "\n" not in text
    assert len(text) < 600
    return text


def changed(**changes: Any) -> dict[str, Any]:
    """The dict with keys of its second annotation (or ``images``/``categories``: of the second entry) replaced."""
    data = coco_dict()
    for key, value in changes.items():
        of, _, name = key.rpartition("__")
        entry = data[of or "annotations"][1]
        if value is ...:
            del entry[name]
        else:
            entry[name] = value
    return data


def test_by_hand(tmp_path):
    make_coco(tmp_path)
    data = opened(tmp_path, "instance-segmentation")
    assert data.format == "coco"
    assert data.ids == ["1.jpg", "2.jpg", "3.jpg", "10.jpg"]
    assert data.class_names == ("cat", "dog")
    assert data.image_ids.tolist() == [0, 7, 14, 21]
    assert data.category_ids.tolist() == [0, 3]
    assert data.sizes.tolist() == [[24, 32]] * 4
    first = data.targets[0]
    assert first.xyxy.tolist() == [[2, 3, 10, 12], [8, 6, 24, 18]]
    assert first.class_ids.tolist() == [0, 1]
    assert first.areas.tolist() == [72, 192]
    assert masks.areas(first.masks, first.size).tolist() == [72, 192]
    assert len(data.targets[2]) == 0
    assert data.targets[2].masks == []
    assert data[1].image.shape == (24, 32, 3)
    assert [len(t) for t in data.targets[1:3]] == [1, 0]
    assert data.used == [True, True]
    assert data.warnings == ()
    assert opened(tmp_path).targets[0].masks is None


def random_coco(seed: int) -> dict[str, Any]:
    """Polygons, crowds as uncompressed and compressed runs; images and annotations in random order."""
    rng = np.random.default_rng(seed)
    sizes = {int(i): (int(rng.integers(20, 60)), int(rng.integers(20, 60))) for i in rng.permutation(30)[:6] * 3}
    annotations = []
    for number in range(40):
        image = int(rng.choice(list(sizes)))
        height, width = sizes[image]
        given: dict[str, Any] = {"id": number, "image_id": image, "category_id": int(rng.integers(3)) * 5}
        if number % 4:
            parts = [
                rng.uniform(-3, max(sizes[image]), 2 * rng.integers(3, 8)).round(2).tolist()
                for _ in range(number % 3 + 1)
            ]
            given |= {"segmentation": parts, "iscrowd": 0}
        else:
            picture = np.asfortranarray(rng.random((height, width)) < 0.3, np.uint8)
            code = coco_mask.encode(picture)
            counts: Any = code["counts"].decode()
            if number % 8:
                flat = picture.reshape(-1, order="F")
                edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]])))
                counts = np.diff(np.concatenate([[0], edges])).tolist()
            given |= {"segmentation": {"size": [height, width], "counts": counts}, "iscrowd": 1}
        box = rng.uniform(0, 20, 4).round(3).tolist()
        annotations.append(given | {"bbox": box, "area": float(rng.uniform(1, 99))})
    images = [{"id": i, "file_name": f"{i}.jpg", "height": h, "width": w} for i, (h, w) in sizes.items()]
    categories = [{"id": i, "name": f"c{i}"} for i in (10, 0, 5)]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.mark.parametrize("seed", range(4))
def test_equals_pycocotools(tmp_path, seed, capsys):
    data = labels(tmp_path, random_coco(seed), "instance-segmentation")
    oracle = COCO(tmp_path / "instances.json")
    capsys.readouterr()
    assert data.image_ids.tolist() == sorted(oracle.getImgIds())
    assert data.category_ids.tolist() == sorted(oracle.getCatIds())
    for i, image in enumerate(data.image_ids.tolist()):
        theirs = oracle.loadAnns(oracle.getAnnIds(image))
        ours = data.targets[i]
        boxes = np.array([a["bbox"] for a in theirs]).reshape(-1, 4)
        np.testing.assert_array_equal(ours.xyxy[:, :2], boxes[:, :2])
        np.testing.assert_array_equal(ours.xyxy[:, 2:], boxes[:, :2] + boxes[:, 2:])
        assert ours.class_ids.tolist() == [a["category_id"] // 5 for a in theirs]
        assert ours.areas.tolist() == [a["area"] for a in theirs]
        assert ours.crowd.tolist() == [bool(a["iscrowd"]) for a in theirs]
        wanted = [oracle.annToMask(a).astype(bool) for a in theirs]
        np.testing.assert_array_equal(masks.decode(ours.masks, ours.size), np.array(wanted).reshape(-1, *ours.size))


def test_images_too_large_for_masks(tmp_path):
    data = changed(images__height=100_000, images__width=100_000)
    assert len(labels(tmp_path, data)) == 4
    refused(tmp_path, data, "entry 3 .*100,000 x 100,000 pixels", "instance-segmentation")


def test_what_may_be_missing(tmp_path):
    data = coco_dict()
    for annotation in data["annotations"]:
        del annotation["iscrowd"], annotation["area"], annotation["id"]
        del annotation["bbox"]
    found = labels(tmp_path, data)
    full = labels(tmp_path, coco_dict())
    for ours, theirs in zip(found.targets, full.targets, strict=True):
        np.testing.assert_array_equal(ours.xyxy, theirs.xyxy)
        np.testing.assert_array_equal(ours.areas, theirs.areas)
        assert not ours.crowd.any()


def test_boxes_without_outlines(tmp_path):
    data = coco_dict()
    for annotation in data["annotations"]:
        del annotation["segmentation"], annotation["area"]
    assert labels(tmp_path, data).targets[0].areas.tolist() == [72, 192]
    refused(tmp_path, data, r"annotations entry 1 \(id 0\) has no segmentation", "instance-segmentation")


def test_unused_categories_are_classes(tmp_path):
    data = coco_dict()
    data["categories"].append({"id": 99, "name": "bird"})
    found = labels(tmp_path, data)
    assert found.class_names == ("cat", "dog", "bird")
    assert found.used == [True, True, False]


def test_annotation_ids_twice_warn(tmp_path):
    assert "1 annotation ids occur more than once (0)" in labels(tmp_path, changed(id=0)).warnings[0]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"image_id": 5}, r"annotations entry 2 \(id 1\): image_id 5 is not among the 4 images"),
        ({"category_id": 1}, "entry 2 .* category_id 1 is not among the 2 categories"),
        ({"category_id": "dog"}, "entry 2 .*'dog', not a whole number"),
        ({"image_id": ...}, "entry 2 .* has no 'image_id'"),
        ({"bbox": [1, 2, -3, 4]}, "entry 2 .*-3"),
        ({"bbox": [1, 2, 3]}, "entry 2 .*four finite numbers"),
        ({"bbox": [1, 2, 3, "4"]}, "entry 2 .*four finite numbers"),
        ({"bbox": [1, 2, 3, None]}, "entry 2 .*four finite numbers"),
        ({"bbox": [1, 2, math.nan, 4]}, "entry 2 .*nan"),
        ({"bbox": [1, math.inf, 3, 4]}, "entry 2 .*inf"),
        ({"bbox": "1 2 3 4"}, "entry 2 .*four finite numbers"),
        ({"area": -1}, "entry 2 .*'area'"),
        ({"area": math.nan}, "entry 2 .*'area'"),
        ({"iscrowd": 2}, "entry 2 .*'iscrowd' is 2"),
        ({"images__id": 0}, r"images entry 2 \(id 0\): id 0 is also that of entry 1"),
        ({"images__id": 1.5}, "images entry 2 .*whole number"),
        ({"images__file_name": "1.jpg"}, "images entry 2 .*file_name '1.jpg' is also that of entry 1"),
        ({"images__file_name": 7}, "images entry 2 .*not a file's name"),
        ({"images__height": -4}, "images entry 2 .*'height' is -4"),
        ({"images__width": "32"}, "images entry 2 .*'width'"),
        ({"categories__id": 0}, "categories entry 2 .*also that of entry 1"),
        ({"categories__name": ""}, "categories entry 2 .*not a class name"),
    ],
)
def test_bad_entries(tmp_path, changes, match):
    refused(tmp_path, changed(**changes), match)


@pytest.mark.parametrize(
    ("segmentation", "match"),
    [
        ([[1, 2, 3, 4]], "polygon 1 has 2 points"),
        ([[1, 2, 3, 4, 5, 6], [1, 2, 3]], "polygon 2 has 3 numbers"),
        ([[1, 2, 3, 4, 5, "6"]], "'6', not numbers"),
        ([[1, 2, 3, 4, 5, math.nan]], "coordinate nan"),
        ([[1, 2, 3, 4, 5, 1e30]], "coordinate 1e"),
        ([], "no segmentation"),
        ("1 2 3", "no segmentation"),
        ([{}], "holds {}, not numbers"),
        ({"size": [24, 31], "counts": [24 * 31]}, "another size, 24 x 31, than its image, 24 x 32"),
        ({"size": [24, 32], "counts": [24 * 31]}, "another size"),
        ({"size": [24, 32], "counts": [-1, 769]}, "whole numbers"),
        ({"size": [24, 32], "counts": "oooooooooooooooo"}, "damaged"),
        ({"size": [24, 32], "counts": "0é"}, "damaged"),
        ({"size": [24, 32], "counts": ""}, "damaged"),
        ({"size": [24, 32], "counts": "PPP0"}, "damaged|another size"),
        ({"size": [24, 32]}, "not run lengths"),
        ({"counts": "0"}, "size is None"),
    ],
)
def test_bad_outlines(tmp_path, segmentation, match):
    text = refused(tmp_path, changed(segmentation=segmentation), match, "instance-segmentation")
    assert "annotations entry 2 (id 1)" in text


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "empty"),
        ("{", "truncated"),
        (json.dumps(coco_dict())[:-300], "truncated"),
        ("[1, 2]", "give it as predictions"),
        ("{}", "no list 'images' or 'annotations' or 'categories'"),
        ("7", "no list"),
        ('{"images": [], "annotations": [], "categories": []}', "'images' is empty"),
        (
            '{"images": [1], "annotations": [], "categories": [{"id": 1, "name": "a"}]}',
            "images entry 1 is not an object",
        ),
        ("[" * 5000, "not valid JSON"),
        ('{"images": nope}', "line 1, column 12: not valid JSON"),
    ],
)
def test_no_coco_json(tmp_path, text, match):
    refused(tmp_path, text, match)


class TestFinding:
    @pytest.mark.parametrize(
        "folder", [".", "images", "val2017", "images/val2017", "pictures", "../val2017", "../images"]
    )
    def test_pictures(self, tmp_path, folder):
        here = tmp_path / "set" / "annotations"
        here.mkdir(parents=True)
        (here / "instances_val2017.json").write_text(json.dumps(coco_dict()))
        write_pictures(here / folder)
        for path in (here / "instances_val2017.json", here, tmp_path / "set"):
            assert opened(path)[0].image.shape == (24, 32, 3)

    def test_names_with_folders(self, tmp_path):
        data = coco_dict()
        for image in data["images"]:
            image["file_name"] = f"/somewhere/else/{image['file_name']}"
        make_coco(tmp_path, lambda d: d.update(data))
        assert opened(tmp_path)[1].image.shape == (24, 32, 3)

    def test_missing_pictures(self, tmp_path):
        make_coco(tmp_path)
        (tmp_path / "images" / "2.jpg").unlink()
        with pytest.raises(InputError, match=r"instances\.json: 1 of 4 pictures are missing: '2\.jpg'"):
            opened(tmp_path)
        assert "1 of 4 pictures are not here" in open_dataset(tmp_path, task="detection", labels_only=True).warnings[0]

    def test_images_option(self, tmp_path):
        make_coco(tmp_path / "set")
        (tmp_path / "set" / "images").rename(tmp_path / "far")
        with pytest.raises(InputError, match="4 of 4 pictures are missing"):
            opened(tmp_path / "set")
        assert len(opened(tmp_path / "set", images=str(tmp_path / "far"))) == 4
        with pytest.raises(InputError, match="lies outside"):
            opened(tmp_path / "set", images=str(tmp_path / "far"), confine="true")

    def test_several_files(self, tmp_path):
        file = make_coco(tmp_path)
        (file.parent / "captions.json").write_text(file.read_text())
        assert len(opened(tmp_path)) == 4  # the only instances*.json
        (file.parent / "instances_b.json").write_text(file.read_text())
        with pytest.raises(InputError, match=r"several annotation files, .*captions\.json, .*instances\.json"):
            opened(tmp_path)
        assert len(opened(tmp_path, annotations="instances_b.json")) == 4
        assert len(opened(tmp_path, annotations="annotations/instances_b.json")) == 4
        with pytest.raises(InputError, match=r"no file 'instances_c\.json'.* Did you mean"):
            opened(tmp_path, annotations="instances_c.json")

    @pytest.mark.parametrize("name", ["../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "C:/x.jpg", "..\\x.jpg"])
    def test_a_zip_is_confined(self, tmp_path, name):
        make_coco(tmp_path / "set", lambda d: d["images"][0].update(file_name=name))
        write(tmp_path / "x.jpg")
        archive = zip_folder(tmp_path / "set", tmp_path / "a.zip")
        with pytest.raises(InputError, match=r"a\.zip.* lies outside"):
            open_dataset(archive, task="detection", cache_dir=tmp_path / "cache")

    def test_sizes_from_the_pictures(self, tmp_path):
        def without(data):
            for image in data["images"]:
                del image["height"]
            for annotation in data["annotations"]:
                del annotation["bbox"]

        make_coco(tmp_path, without)
        assert opened(tmp_path, "instance-segmentation").sizes.tolist() == [[24, 32]] * 4
        (tmp_path / "images" / "1.jpg").unlink()
        with pytest.raises(InputError, match=r"'1\.jpg' has no height and width, which masks need"):
            open_dataset(tmp_path, task="instance-segmentation", labels_only=True)
        found = open_dataset(tmp_path, task="detection", labels_only=True).targets[0]
        assert found.size is None
        assert found.xyxy.tolist() == [[2, 3, 10, 12], [8, 6, 24, 18]]
