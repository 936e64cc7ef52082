"""Predictions made to break the reader: each is refused in a sentence that names the file."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dashboard.datasets.files import FileDataset
from dashboard.errors import InputError
from dashboard.predictions_import import import_predictions

IDS = ["a.png", "b.png", "c.png"]
BIG = "9" * 5000


def truth(names=("0", "1"), targets=(0, 1, 1)) -> FileDataset:
    return FileDataset(name="t", source="t", ids=IDS, files=IDS, targets=np.array(targets, np.int64), class_names=names)


def refused(path, match, **options):
    with pytest.raises(InputError, match=match) as info:
        import_predictions(path, options.pop("truth", truth()), **options)
    assert str(path) in str(info.value)
    assert "\n" not in str(info.value)
    assert len(str(info.value)) < 1000


def csv(tmp_path, text):
    (tmp_path / "p.csv").write_text(text)
    return tmp_path / "p.csv"


def test_a_predicted_number_of_thousands_of_digits(tmp_path):
    lines = "".join(f"{i},{BIG}\n" for i in IDS)
    refused(csv(tmp_path, "id,predicted\n" + lines), r"line 2: predicted '9+")


def test_a_score_column_of_thousands_of_digits(tmp_path):
    lines = "".join(f"{i},0.5,0.5\n" for i in IDS)
    refused(csv(tmp_path, f"id,score_0,score_{BIG}\n" + lines), r"column score_9+")


def test_a_truth_of_enormous_numbers(tmp_path):
    lines = "".join(f"{i},0.2,0.3,0.5\n" for i in IDS)
    path = csv(tmp_path, "id,score_0,score_1,score_2\n" + lines)
    refused(path, "3 score columns where the truth has 2 classes", truth=truth((BIG, "1")))


@pytest.mark.parametrize("kind", ["U", "S", "complex", "datetime64[s]", "V4"])
def test_npz_confidence_that_is_no_number(tmp_path, kind):
    np.savez(tmp_path / "p.npz", ids=IDS, predicted=["0", "1", "1"], confidence=np.zeros(3, kind))
    refused(tmp_path / "p.npz", "confidence .*not numbers")


@pytest.mark.parametrize("kind", ["complex64", "complex128", "U3", "timedelta64[s]"])
def test_npz_scores_that_are_no_numbers(tmp_path, kind):
    np.savez(tmp_path / "p.npz", ids=IDS, scores=np.zeros((3, 2), kind))
    refused(tmp_path / "p.npz", "scores .*not numbers")


@pytest.mark.parametrize("name", ["ids", "predicted", "labels"])
@pytest.mark.parametrize("kind", ["complex", "V4"])
def test_npz_text_that_is_none(tmp_path, name, kind):
    arrays = {"ids": np.array(IDS), "predicted": np.array(["0", "1", "1"])} | {name: np.zeros(3, kind)}
    np.savez(tmp_path / "p.npz", **arrays)
    refused(tmp_path / "p.npz", f"{name} .*type")


def test_parquet_ids_in_bytes_are_text(tmp_path):
    pq.write_table(pa.table({"id": [i.encode() for i in IDS], "predicted": [0, 1, 1]}), tmp_path / "p.parquet")
    found = import_predictions(tmp_path / "p.parquet", truth())
    assert found.ids == IDS
    assert found.notes == ()


def test_scores_for_a_class_without_samples_that_the_columns_lack(tmp_path):
    path = csv(tmp_path, "id,label,score_0,score_1\n" + "a.png,x,1,0\nb.png,y,0,1\nc.png,y,0,1\n")
    found = import_predictions(path, truth(("x", "y", "never"), (0, 1, 1)), classes=["x", "y"])
    assert found.targets.tolist() == [0, 1, 1]
