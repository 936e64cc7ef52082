from __future__ import annotations

import os

import numpy as np
import pytest

from dashboard.datasets.imagefolder import ImageFolder
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from tests.datasets.pictures import write


def folder(tmp_path, *files: str):
    root = tmp_path / "pets"
    root.mkdir(exist_ok=True)
    for i, file in enumerate(files):
        if file.endswith("/"):
            (root / file).mkdir(parents=True)
        elif file.endswith((".jpg", ".png", ".JPG")):
            write(root / file, i)
        else:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text("text")
    return root


def test_ids_labels_and_order(tmp_path):
    root = folder(tmp_path, "dog/img10.jpg", "dog/img2.JPG", "cat/b.png", "cat/deep/a.jpg", "Zebra/1.jpg")
    data = open_dataset(root)
    assert data.class_names == ("Zebra", "cat", "dog")  # as torchvision sorts
    assert data.ids == ["Zebra/1.jpg", "cat/b.png", "cat/deep/a.jpg", "dog/img2.JPG", "dog/img10.jpg"]
    assert data.targets.tolist() == [0, 1, 1, 2, 2]
    assert [s.target.label for s in data] == [0, 1, 1, 2, 2]
    assert (data.name, data.task, data.class_ids, data.multilabel) == ("pets", "classification", (), False)
    assert data.warnings == ()
    assert data[-1].source == root / "dog" / "img10.jpg"


def test_order_equals_torchvision(tmp_path):
    datasets = pytest.importorskip("torchvision.datasets")
    root = folder(tmp_path, "b c/1.jpg", "B/1.png", "a/2.jpg", "é/1.jpg", "10x/1.jpg", "9x/1.jpg")
    peer = datasets.ImageFolder(str(root))
    data = open_dataset(root)
    assert list(data.class_names) == peer.classes
    assert [(str(s.source), s.target.label) for s in data] == peer.samples


def test_folders_that_are_numbers_sort_as_numbers(tmp_path):
    data = open_dataset(folder(tmp_path, *(f"{i}/x.jpg" for i in range(12))))
    assert data.class_names == tuple(map(str, range(12)))


def test_wordnet_ids(tmp_path):
    data = open_dataset(folder(tmp_path, "n01440764/1.jpg", "n02099601/1.jpg"))
    assert data.class_ids == data.class_names == ("n01440764", "n02099601")


def test_class_without_pictures_is_kept_and_said(tmp_path):
    data = open_dataset(folder(tmp_path, "cat/1.jpg", "dog/", "eel/notes.txt"))
    assert data.class_names == ("cat", "dog", "eel")
    assert "2 of 3 classes without pictures: 'dog', 'eel'." in data.warnings
    assert any("1 file" in w and ".txt 1" in w for w in data.warnings)


def test_other_files_are_counted_and_clutter_is_not(tmp_path):
    root = folder(
        tmp_path, "cat/1.jpg", "cat/a.txt", "cat/b.heic", "README.md", "cat/.hidden.jpg", ".git/x.jpg", "cat/Thumbs.db"
    )
    data = open_dataset(root)
    assert data.ids == ["cat/1.jpg"]
    assert len(data.warnings) == 1
    assert "3 files" in data.warnings[0]
    assert ".heic 1" in data.warnings[0]


def test_pictures_beside_the_class_folders(tmp_path):
    data = open_dataset(folder(tmp_path, "cat/1.jpg", "dog/1.jpg", "cover.jpg"))
    assert len(data) == 2
    assert "1 pictures outside the class folders passed over (cover.jpg for one)." in data.warnings


def test_splits_are_refused_naming_the_choices(tmp_path):
    root = folder(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg")
    with pytest.raises(InputError, match=r"holds splits \(train, val\), not classes") as info:
        open_dataset(root)
    assert str(root / "val") in str(info.value)
    assert open_dataset(root / "val").ids == ["cat/2.jpg"]


def test_classes_may_be_called_train_and_test(tmp_path):
    assert open_dataset(folder(tmp_path, "train/1.jpg", "bus/1.jpg")).class_names == ("bus", "train")


def test_a_single_folder_around_the_classes_is_looked_into(tmp_path):
    data = open_dataset(folder(tmp_path, "pets/cat/1.jpg", "pets/dog/1.jpg"))
    assert data.class_names == ("cat", "dog")
    assert "'pets'" in data.warnings[0]


def test_one_class_is_no_wrapping(tmp_path):
    assert open_dataset(folder(tmp_path, "cat/1.jpg", "cat/2.jpg")).class_names == ("cat",)


def test_pictures_deeper_than_expected_are_taken_and_said(tmp_path):
    data = open_dataset(folder(tmp_path, "cat/monday/1.jpg", "dog/monday/1.jpg"))
    assert data.class_names == ("cat", "dog")
    assert "deeper" in data.warnings[0]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "pets is empty"),
        (["1.jpg", "2.jpg"], "pets has 2 pictures but no class folders"),
        (["cat/", "dog/"], "pets has 2 folders but no pictures"),
        (["a.txt"], "pets holds no pictures"),
    ],
)
def test_nothing_to_evaluate(tmp_path, files, sentence):
    root = folder(tmp_path, *files)
    with pytest.raises(InputError, match=sentence):
        open_dataset(root)
    with pytest.raises(InputError, match=sentence):
        ImageFolder().open(root, {})


def test_a_file_is_no_folder(tmp_path):
    with pytest.raises(InputError, match=r"a\.txt is not a folder"):
        ImageFolder().open(folder(tmp_path, "a.txt") / "a.txt", {})


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_links_in_a_circle_end(tmp_path):
    root = folder(tmp_path, "cat/1.jpg", "dog/1.jpg")
    os.symlink(root, root / "cat" / "again")
    assert len(open_dataset(root)) >= 2


def test_fingerprint_notices_what_matters(tmp_path):
    root = folder(tmp_path, "cat/1.jpg", "cat/2.jpg", "dog/1.jpg")
    before = open_dataset(root).fingerprint
    assert open_dataset(root).fingerprint == before
    (root / "cat" / "notes.txt").write_text("not a picture")
    assert open_dataset(root).fingerprint == before
    os.utime(root / "cat" / "1.jpg", (0, 0))
    assert open_dataset(root).fingerprint == before  # a copy is the same data
    (root / "cat" / "2.jpg").rename(root / "dog" / "2.jpg")
    assert open_dataset(root).fingerprint != before


def test_many_files_are_indexed_and_hashed(tmp_path):
    root = tmp_path / "many"
    for c in range(10):
        (root / str(c)).mkdir(parents=True)
        for i in range(200):
            (root / str(c) / f"{i}.jpg").write_bytes(os.urandom(20_000))
    data = open_dataset(root)
    assert data.fingerprint
    assert len(data) == 2000


def test_index_out_of_range(tmp_path):
    data = open_dataset(folder(tmp_path, "cat/1.jpg"))
    with pytest.raises(IndexError):
        data[1]
    assert isinstance(data.targets, np.ndarray)
