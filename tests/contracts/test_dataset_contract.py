"""What every dataset must do, run over all that is registered: a new format adds one maker here and is tested."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.datasets import DATASETS, DEMOS
from dashboard.datasets.base import Dataset
from dashboard.datasets.opening import list_datasets, open_dataset
from dashboard.types import Classification
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


# For each format: a maker of a small dataset in a folder, and a change of one label.
FORMATS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "imagefolder": (make_imagefolder, relabel_imagefolder),
    "csv": (make_csv, relabel_csv),
}
SOURCES = [*DATASETS.names(), *(f"demo:{name}" for name in DEMOS.names())]


def folder_of(name: str, tmp_path: Path) -> Path:
    assert name in FORMATS, f"add a maker for the format {name!r} to FORMATS in this file"
    root = tmp_path / "data"
    if not root.exists():
        root.mkdir()
        FORMATS[name][0](root)
    return root


def task_of(name: str) -> str:
    demo = name.removeprefix("demo:")
    return DEMOS.facts(demo)["task"] if demo != name else DATASETS.facts(name)["task"]


def opened(name: str, tmp_path: Path) -> Dataset:
    return open_dataset(name if name.startswith("demo:") else folder_of(name, tmp_path), task=task_of(name))


@pytest.mark.parametrize("name", SOURCES)
def test_every_dataset(name, tmp_path):
    data, again = opened(name, tmp_path), opened(name, tmp_path)
    assert isinstance(data, Dataset)
    assert data.task == task_of(name)
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
    assert data[-1].id == ids[-1]
    with pytest.raises(IndexError):
        data[len(data)]
    assert name in {row["name"] for row in list_datasets()}


@pytest.mark.parametrize("name", DATASETS.names())
class TestFormats:
    def test_zip_equals_folder(self, name, tmp_path):
        plain = opened(name, tmp_path)
        archive = zip_folder(folder_of(name, tmp_path), tmp_path / "data.zip", inside="data")
        packed = open_dataset(archive, task=task_of(name), cache_dir=tmp_path / "cache")
        assert [s.id for s in packed] == [s.id for s in plain]
        assert packed.fingerprint == plain.fingerprint
        assert packed.class_names == plain.class_names
        for ours, theirs in zip(packed, plain, strict=True):
            np.testing.assert_array_equal(ours.image, theirs.image)

    def test_moving_it_changes_nothing(self, name, tmp_path):
        before = opened(name, tmp_path).fingerprint
        shutil.move(folder_of(name, tmp_path), tmp_path / "elsewhere")
        assert open_dataset(tmp_path / "elsewhere", task=task_of(name)).fingerprint == before

    def test_a_changed_file_changes_the_fingerprint(self, name, tmp_path):
        data = opened(name, tmp_path)
        before = data.fingerprint
        source = data[1].source
        assert source is not None
        source.write_bytes(encode(gradient(seed=77)))
        assert opened(name, tmp_path).fingerprint != before

    def test_a_changed_label_changes_the_fingerprint(self, name, tmp_path):
        before = opened(name, tmp_path).fingerprint
        FORMATS[name][1](folder_of(name, tmp_path))
        assert opened(name, tmp_path).fingerprint != before

    def test_the_format_recognises_only_its_own(self, name, tmp_path):
        handler = DATASETS.get(name)
        handler = handler() if isinstance(handler, type) else handler
        assert handler.detect(folder_of(name, tmp_path))
        empty = tmp_path / "empty"
        empty.mkdir()
        assert not handler.detect(empty)
        assert not handler.detect(tmp_path / "missing")
        for other in DATASETS.names(task=task_of(name)):
            if other != name:
                (tmp_path / other).mkdir()
                assert not handler.detect(folder_of(other, tmp_path / other)), f"{name} takes {other} for its own"
