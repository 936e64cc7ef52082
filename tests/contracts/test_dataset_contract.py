"""What every dataset must do, run over all that is registered: a new format adds one maker here and is tested."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.datasets import DATASETS, DEMOS
from dashboard.datasets.base import Dataset
from dashboard.datasets.opening import list_datasets, open_dataset
from dashboard.types import Classification, Detections, EnhancedImage, Sample, Segmentation, class_dtype, ignore_of
from tests.datasets import masks_on_disk, scenes_on_disk
from tests.datasets.pictures import encode, gradient, write, zip_folder


def make_imagefolder(root: Path) -> None:
    for name, i in itertools.product(("cat", "dog"), range(3)):
        write(root / name / f"{i}.jpg", i)


def relabel_imagefolder(root: Path) -> None:
    (root / "cat" / "2.jpg").rename(root / "dog" / "9.jpg")


def make_csv(root: Path) -> None:
    for i in range(4):
        write(root / "pictures" / f"{i}.jpg", i)
    (root / "labels.csv").write_text("path,label\n" + "".join(f"pictures/{i}.jpg,{'ab'[i % 2]}\n" for i in range(4)))


def relabel_csv(root: Path) -> None:
    file = root / "labels.csv"
    file.write_text(file.read_text().replace("2.jpg,a", "2.jpg,b"))


def relabel_coco(root: Path) -> None:
    file = root / "annotations" / "instances.json"
    file.write_text(file.read_text().replace('"category_id": 3', '"category_id": 0', 1))


def relabel_yolo(root: Path) -> None:
    file = root / "labels" / "val" / "2.txt"
    file.write_text(file.read_text().replace("1 ", "0 ", 1))


def relabel_voc(root: Path) -> None:
    file = root / "Annotations" / "2.xml"
    file.write_text(file.read_text().replace("dog", "cat", 1))


def relabel_masks(root: Path) -> None:
    masks_on_disk.put(root, 1, masks_on_disk.labels_of(3))


def make_paired(root: Path) -> None:
    for i, side in itertools.product(range(3), ("input", "target")):
        write(root / side / f"{i}.png", i + 5 * (side == "target"))


def relabel_paired(root: Path) -> None:
    write(root / "target" / "2.png", 9)


def make_images(root: Path) -> None:
    for i in range(3):
        write(root / f"{i}.png", i)


def relabel_images(root: Path) -> None:
    write(root / "2.png", 9)


def make_video(root: Path) -> None:
    for name, i in itertools.product(("run", "walk"), range(3)):
        write(root / name / f"{i}.jpg", i)


def relabel_video(root: Path) -> None:
    (root / "walk").rename(root / "stroll")  # there is no truth: another name of a sequence


def make_mot(root: Path) -> None:
    for name, frames in (("MOT17-02", 3), ("MOT17-04", 2)):
        folder = root / "train" / name
        for i in range(frames):
            write(folder / "img1" / f"{i + 1:06d}.jpg", i)
        (folder / "seqinfo.ini").write_text(f"[Sequence]\nname={name}\nframeRate=30\nseqLength={frames}\n")
        (folder / "gt").mkdir()
        (folder / "gt" / "gt.txt").write_text(
            "1,1,2,3,10,20,1,1,1\n1,2,5,5,10,20,1,7,0.5\n1,3,9,5,10,20,0,1,0\n2,1,3,3,10,20,1,1,1\n"
        )


def relabel_mot(root: Path) -> None:
    file = root / "train" / "MOT17-04" / "gt" / "gt.txt"
    file.write_text(file.read_text().replace("2,1,3", "2,4,3"))


# For each format: a maker of a small dataset in a folder, and a change of one label.
FORMATS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "imagefolder": (make_imagefolder, relabel_imagefolder),
    "csv": (make_csv, relabel_csv),
    "coco": (scenes_on_disk.make_coco, relabel_coco),
    "yolo": (scenes_on_disk.make_yolo, relabel_yolo),
    "voc": (scenes_on_disk.make_voc, relabel_voc),
    "masks": (masks_on_disk.make_masks, relabel_masks),
    "paired": (make_paired, relabel_paired),
    "images": (make_images, relabel_images),
    "mot": (make_mot, relabel_mot),
    "video": (make_video, relabel_video),
}
OPTIONS = {"images": {"degrade": "noise:25"}}  # of formats that cannot be opened without


def tasks_of(name: str) -> tuple[str, ...]:
    demo = name.removeprefix("demo:")
    task = DEMOS.facts(demo)["task"] if demo != name else DATASETS.facts(name)["task"]
    return task if isinstance(task, tuple) else (task,)


FORMAT_TASKS = [(name, task) for name in DATASETS.names() for task in tasks_of(name)]
DEMO_TASKS = [(f"demo:{name}", task) for name in DEMOS.names() for task in tasks_of(f"demo:{name}")]


def folder_of(name: str, tmp_path: Path) -> Path:
    assert name in FORMATS, f"add a maker for the format {name!r} to FORMATS in this file"
    root = tmp_path / "data"
    if not root.exists():
        root.mkdir()
        FORMATS[name][0](root)
    return root


def opened(name: str, task: str, tmp_path: Path) -> Dataset:
    source = name if name.startswith("demo:") else folder_of(name, tmp_path)
    return open_dataset(source, task=task, options=OPTIONS.get(name))


@pytest.mark.parametrize(("name", "task"), FORMAT_TASKS + DEMO_TASKS)
def test_every_dataset(name, task, tmp_path):
    data, again = opened(name, task, tmp_path), opened(name, task, tmp_path)
    assert isinstance(data, Dataset)
    assert data.task == task
    assert data.name
    assert data.source
    assert len(data) > 0
    assert len(data.class_ids) in (0, len(data.class_names))
    samples = list(data)
    ids = [sample.id for sample in samples]
    assert len(samples) == len(data)
    assert len(set(ids)) == len(ids)
    assert ids == [sample.id for sample in again] == list(data.ids)
    assert data.fingerprint == again.fingerprint == data.fingerprint
    assert len(data.targets) == len(data)
    for i, sample in enumerate(samples[:20]):
        assert data[i].id == sample.id
        assert sample.image.dtype == np.uint8
        assert sample.image.ndim == 3
        assert sample.image.shape[2] == 3
        if data.task == "classification":
            assert isinstance(sample.target, Classification)
            assert sample.target.scores.shape == (len(data.class_names),)
            assert sample.target.multilabel == data.multilabel
            truth = data.targets[i]
            assert sample.target.labels == (tuple(truth) if data.multilabel else (truth,))
        if data.task in ("detection", "instance-segmentation"):
            check_detections(data, i, sample.target, sample.image.shape[:2])
        if data.task == "semantic-segmentation":
            check_map(data, i, sample.target, sample.image.shape[:2])
        if data.task == "enhancement":
            check_reference(data, i, sample.target, sample.image.shape[:2])
        if data.task == "tracking":
            check_frame(data, i, sample)
    assert data[-1].id == ids[-1]
    with pytest.raises(IndexError):
        data[len(data)]
    assert name in {row["name"] for row in list_datasets(task)}


def check_detections(data: Dataset, i: int, target: object, size: tuple[int, ...]) -> None:
    truth = data.targets[i]
    assert isinstance(target, Detections)
    assert isinstance(truth, Detections)
    np.testing.assert_array_equal(target.xyxy, truth.xyxy)
    np.testing.assert_array_equal(target.class_ids, truth.class_ids)
    assert target.scores is None
    assert target.size == size
    assert (target.masks is not None) == (data.task == "instance-segmentation")
    assert not len(target) or target.class_ids.max() < len(data.class_names)


def check_map(data: Dataset, i: int, target: object, size: tuple[int, ...]) -> None:
    truth = data.targets[i]
    assert isinstance(target, Segmentation)
    assert isinstance(truth, Segmentation)
    np.testing.assert_array_equal(target.class_ids, truth.class_ids)
    assert target.size == size
    assert target.probabilities is None
    assert target.ignore_index in (None, ignore_of(len(data.class_names)))
    assert target.class_ids.dtype == class_dtype(len(data.class_names))
    assert set(np.unique(target.class_ids)) - {target.ignore_index} <= set(range(len(data.class_names)))


def check_reference(data: Any, i: int, target: object, size: tuple[int, ...]) -> None:
    truth = data.targets[i]
    assert isinstance(target, EnhancedImage)
    np.testing.assert_array_equal(target.pixels, truth.pixels)
    assert target.pixels.ndim == 3
    assert target.scale == data.scale
    assert target.size == (size[0] * data.scale, size[1] * data.scale)
    np.testing.assert_array_equal(data[i].image, data[i].image)
    assert data.class_names == ()
    assert isinstance(data.recipe, str)


def check_frame(data: Any, i: int, sample: Sample) -> None:
    starts = [one.start for one in data.sequences]
    assert starts == [0, *(one.stop for one in data.sequences[:-1])]
    assert data.sequences[-1].stop == len(data)
    one = next(one for one in data.sequences if one.start <= i < one.stop)
    assert (sample.sequence, sample.frame) == (one.name, i - one.start + 1)
    assert sample.id == f"{one.name}/{sample.frame:06d}"
    assert one.size in (None, sample.image.shape[:2])
    assert len(one.seconds()) == len(one)
    truth = data.targets[i]
    assert data.has_truth == (truth is not None)
    if truth is None:
        return
    assert isinstance(sample.target, Detections)
    for name in ("xyxy", "class_ids", "track_ids"):
        np.testing.assert_array_equal(getattr(sample.target, name), getattr(truth, name))
    assert truth.scores is None
    assert len(set(truth.track_ids)) == len(truth)
    assert not len(truth) or truth.class_ids.max() < len(data.class_names)
    tracks = data.truth_tracks(data.sequences.index(one))
    here = tracks.frame == i - one.start
    np.testing.assert_array_equal(tracks.xyxy[here], truth.xyxy)
    np.testing.assert_array_equal(tracks.ids[here], truth.track_ids)


@pytest.mark.parametrize(("name", "task"), FORMAT_TASKS)
class TestFormats:
    def test_zip_equals_folder(self, name, task, tmp_path):
        plain = opened(name, task, tmp_path)
        archive = zip_folder(folder_of(name, tmp_path), tmp_path / "data.zip", inside="data")
        packed = open_dataset(archive, task=task, options=OPTIONS.get(name), cache_dir=tmp_path / "cache")
        assert [s.id for s in packed] == [s.id for s in plain]
        assert packed.fingerprint == plain.fingerprint
        assert packed.class_names == plain.class_names
        for ours, theirs in zip(packed, plain, strict=True):
            np.testing.assert_array_equal(ours.image, theirs.image)

    def test_moving_it_changes_nothing(self, name, task, tmp_path):
        before = opened(name, task, tmp_path).fingerprint
        shutil.move(folder_of(name, tmp_path), tmp_path / "elsewhere")
        assert open_dataset(tmp_path / "elsewhere", task=task, options=OPTIONS.get(name)).fingerprint == before

    def test_a_changed_file_changes_the_fingerprint(self, name, task, tmp_path):
        data = opened(name, task, tmp_path)
        before = data.fingerprint
        source = data[1].source
        assert source is not None
        source.write_bytes(encode(gradient(seed=77)))
        assert opened(name, task, tmp_path).fingerprint != before

    def test_a_changed_label_changes_the_fingerprint(self, name, task, tmp_path):
        before = opened(name, task, tmp_path).fingerprint
        FORMATS[name][1](folder_of(name, tmp_path))
        assert opened(name, task, tmp_path).fingerprint != before

    def test_the_format_recognises_only_its_own(self, name, task, tmp_path):
        handler = DATASETS.get(name)
        handler = handler() if isinstance(handler, type) else handler
        assert handler.detect(folder_of(name, tmp_path))
        empty = tmp_path / "empty"
        empty.mkdir()
        assert not handler.detect(empty)
        assert not handler.detect(tmp_path / "missing")
        for other in DATASETS.names(task=task):
            if other != name:
                (tmp_path / other).mkdir()
                assert not handler.detect(folder_of(other, tmp_path / other)), f"{name} takes {other} for its own"
