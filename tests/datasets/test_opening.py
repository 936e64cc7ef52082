from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from dashboard.datasets.digits import Digits, train_split
from dashboard.datasets.opening import list_datasets, open_dataset
from dashboard.errors import InputError
from tests.datasets.pictures import write, zip_folder


@pytest.fixture
def pets(tmp_path):
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg"):
        write(tmp_path / "pets" / name)
    return tmp_path / "pets"


def test_listing():
    rows = list_datasets()
    assert {"imagefolder", "csv", "demo:digits"} <= {row["name"] for row in rows}
    assert all(row["kind"] in ("format", "built-in") and row["task"] and row["description"] for row in rows)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("demo:digit", "no built-in dataset 'demo:digit'. Did you mean 'digits'"),
        ("demo:", "There are: demo:digits"),
        ("/no/such/folder", "/no/such/folder does not exist"),
        ("  ", "No dataset is given"),
        ("x" * 5000, "cannot be opened"),
        ("~nobody-of-that-name/x", "does not exist"),
    ],
)
def test_wrong_names(source, sentence):
    with pytest.raises(InputError, match=sentence):
        open_dataset(source)


def test_path_pasted_with_quotes(pets):
    assert len(open_dataset(f' "{pets}" ')) == 3


def test_labels_only(pets, tmp_path):
    (tmp_path / "truth.csv").write_text("id,label\nnowhere.jpg,cat\n")
    assert open_dataset(tmp_path / "truth.csv", labels_only=True).ids == ["nowhere.jpg"]
    with pytest.raises(InputError, match="1 of 1 pictures are missing"):
        open_dataset(tmp_path / "truth.csv")
    assert len(open_dataset(pets, labels_only=True)) == 3


def test_format_and_options_are_remembered(pets, tmp_path):
    assert open_dataset(pets).format == "imagefolder"
    (tmp_path / "t.csv").write_text("path,label\npets/cat/1.jpg,cat\n")
    data = open_dataset(tmp_path / "t.csv", options={"multilabel": "true"})
    assert (data.format, data.options) == ("csv", {"multilabel": "true"})
    assert open_dataset("demo:digits").format is None


def test_close_path(pets):
    with pytest.raises(InputError, match="Did you mean 'pets'"):
        open_dataset(str(pets)[:-1])


def test_formats(pets):
    assert len(open_dataset(pets, format="imagefolder")) == 3
    with pytest.raises(InputError, match=r"No dataset format is called 'imagefoldr'. Did you mean 'imagefolder'"):
        open_dataset(pets, format="imagefoldr")
    with pytest.raises(InputError, match="must hold one CSV"):
        open_dataset(pets, format="csv")


def test_single_picture_and_unknown_kinds(pets):
    with pytest.raises(InputError, match=r"1\.jpg is a single picture, not a dataset"):
        open_dataset(pets / "cat" / "1.jpg")
    (pets / "notes.md").write_text("hello")
    with pytest.raises(InputError, match=r"notes\.md is no dataset .*imagefolder: .*csv: "):
        open_dataset(pets / "notes.md")


@pytest.mark.parametrize("inside", ["", "pets", "download/pets"])
def test_zip_equals_folder(pets, tmp_path, inside):
    packed = open_dataset(zip_folder(pets, tmp_path / "a.zip", inside), cache_dir=tmp_path / "cache")
    plain = open_dataset(pets)
    assert packed.ids == plain.ids
    assert packed.class_names == plain.class_names
    assert packed.fingerprint == plain.fingerprint
    assert (packed.name, packed.source) == ("a", str(tmp_path / "a.zip"))
    assert not any(str(tmp_path / "cache") in w for w in packed.warnings)


def test_zip_of_a_single_class(tmp_path):
    write(tmp_path / "set" / "cat" / "1.jpg")
    data = open_dataset(zip_folder(tmp_path / "set", tmp_path / "a.zip"), cache_dir=tmp_path / "cache")
    assert data.ids == ["cat/1.jpg"]


def test_zip_says_what_it_passed_over_each_time(pets, tmp_path):
    (pets / "cat" / "run.sh").write_text("#!")
    archive = zip_folder(pets, tmp_path / "a.zip")
    for _ in range(2):
        assert open_dataset(archive, cache_dir=tmp_path / "cache").warnings == ("1 files not unpacked (.sh 1).",)


def test_zip_without_a_dataset(tmp_path):
    write(tmp_path / "flat" / "1.jpg")
    archive = zip_folder(tmp_path / "flat", tmp_path / "a.zip")
    with pytest.raises(InputError, match=r"a\.zip has 1 pictures but no class folders") as info:
        open_dataset(archive, cache_dir=tmp_path / "cache")
    assert str(tmp_path / "cache") not in str(info.value)


def test_text_named_zip(tmp_path):
    (tmp_path / "a.zip").write_text("hello")
    with pytest.raises(InputError, match=r"a\.zip is not a zip archive"):
        open_dataset(tmp_path / "a.zip", cache_dir=tmp_path / "cache")


class TestDigits:
    def test_equals_scikit_learn(self):
        from sklearn.datasets import load_digits

        bunch = load_digits()
        data = open_dataset("demo:digits")
        assert len(data) == 597
        assert data.ids[0] == "digit-1200"
        assert data.ids[-1] == "digit-1796"
        assert data.targets.tolist() == bunch.target[1200:].tolist()
        assert data[3].image.shape == (8, 8, 3)
        assert data[3].image.dtype == np.uint8
        np.testing.assert_allclose(data[3].image[..., 1], bunch.images[1203] * 255 / 16, atol=0.5)

    def test_training_pictures_are_not_in_it(self):
        images, labels = train_split()
        assert images.shape == (1200, 8, 8, 3)
        assert images.dtype == np.uint8
        assert np.bincount(labels).min() > 100
        held_out = {s.image.tobytes() for s in Digits()}
        assert not held_out & {image.tobytes() for image in images}

    def test_fingerprint_is_the_same_everywhere(self):
        assert Digits().fingerprint == "82509f0e10909732c4c1"


def test_datasets_import_no_torch_and_no_gradio():
    code = (
        "import sys, dashboard.datasets.opening as o, dashboard.labels, dashboard.predictions_import\n"
        "o.list_datasets(); o.open_dataset('demo:digits')[0].image\n"
        "print([m for m in ('torch', 'gradio', 'plotly', 'ultralytics') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
