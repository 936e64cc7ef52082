from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.datasets.files import FileDataset
from dashboard.errors import InputError
from dashboard.predictions_import import import_predictions

IDS = ["cat/1.jpg", "cat/2.jpg", "dog/3.jpg"]
SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 0.25, 0.75]])


def truth(ids=IDS, targets=(0, 0, 1), names=("cat", "dog", "eel"), multilabel=False, class_ids=()) -> FileDataset:
    return FileDataset(
        name="t",
        source="t",
        ids=ids,
        files=ids,
        targets=list(targets) if multilabel else np.array(targets, np.int64),
        class_names=names,
        class_ids=class_ids,
        multilabel=multilabel,
    )


def frame(scores=SCORES, ids=IDS, **columns) -> pd.DataFrame:
    return pd.DataFrame({"id": ids, **columns, **{f"score_{j}": scores[:, j] for j in range(scores.shape[1])}})


def save(tmp_path: Path, data: pd.DataFrame | str, kind: str = "csv") -> Path:
    path = tmp_path / f"preds.{kind}"
    if isinstance(data, str):
        path.write_text(data)
    elif kind == "csv":
        data.to_csv(path, index=False)
    elif kind == "tsv":
        data.to_csv(path, index=False, sep="\t")
    elif kind == "parquet":
        data.to_parquet(path)
    elif kind == "npz":
        wide = data.filter(like="score_").to_numpy()
        np.savez(path, ids=data["id"].to_numpy(str), scores=wide)
    return path


def refused(path: Path, match: str, data: FileDataset | None = None, **options) -> str:
    with pytest.raises(InputError, match=match) as info:
        import_predictions(path, data or truth(), **options)
    assert str(path) in str(info.value)
    assert "\n" not in str(info.value)
    return str(info.value)


class TestScores:
    @pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "npz"])
    def test_every_kind_of_file(self, tmp_path, kind):
        found = import_predictions(save(tmp_path, frame(), kind), truth())
        np.testing.assert_array_equal(found.scores, SCORES)
        assert found.scores.dtype == np.float64
        assert found.ids == IDS
        assert found.targets.tolist() == [0, 0, 1]
        assert found.class_names == ("cat", "dog", "eel")
        assert (found.predicted, found.confidence, found.notes) == (None, None, ())

    @pytest.mark.parametrize("kind", ["parquet", "npz"])
    def test_single_precision_is_kept(self, tmp_path, kind):
        found = import_predictions(save(tmp_path, frame(SCORES.astype(np.float32)), kind), truth())
        assert found.scores.dtype == np.float32

    def test_any_order_of_rows_and_columns(self, tmp_path):
        shuffled = frame(label=["cat", "cat", "dog"]).iloc[[2, 0, 1], ::-1]
        found = import_predictions(save(tmp_path, shuffled), truth())
        np.testing.assert_array_equal(found.scores, SCORES)
        assert found.rows.tolist() == [0, 1, 2]

    def test_scores_as_one_column_of_lists(self, tmp_path):
        data = pd.DataFrame({"id": IDS, "scores": list(SCORES)})
        np.testing.assert_array_equal(import_predictions(save(tmp_path, data, "parquet"), truth()).scores, SCORES)

    def test_more_columns_than_fit_in_a_block(self, tmp_path):
        scores = np.random.default_rng(0).dirichlet(np.ones(101), 3)
        data = truth(names=[f"c{i}" for i in range(101)])
        np.testing.assert_array_equal(import_predictions(save(tmp_path, frame(scores), "parquet"), data).scores, scores)

    @pytest.mark.parametrize("labels", [["cat", "cat", "dog"], [0, 0, 1]])
    def test_label_column_by_name_or_number(self, tmp_path, labels):
        import_predictions(save(tmp_path, frame(label=labels)), truth())

    def test_classes_in_another_order(self, tmp_path):
        found = import_predictions(
            save(tmp_path, frame(label=["cat", "cat", "dog"])),
            truth(),
            (
                "eel",
                "Dog",
                "cat",
            )[:3],
        )
        assert found.targets.tolist() == [2, 2, 1]
        assert found.class_names == ("eel", "Dog", "cat")

    def test_more_classes_than_the_truth_has(self, tmp_path):
        wide = np.array([[0.1, 0.2, 0.3, 0.4]] * 3)
        data = truth(names=("cat", "eel"), targets=(0, 1, 0))
        found = import_predictions(save(tmp_path, frame(wide)), data, ("ant", "cat", "dog", "eel"))
        assert found.targets.tolist() == [1, 3, 1]
        refused(save(tmp_path, frame(wide)), "4 score columns where the truth has 2 classes: .*--classes FILE", data)

    def test_truth_in_numbers_that_are_not_all_there(self, tmp_path):
        wide = np.array([[0.1, 0.2, 0.3, 0.4]] * 3)
        found = import_predictions(save(tmp_path, frame(wide)), truth(names=("0", "3"), targets=(0, 1, 1)))
        assert found.targets.tolist() == [0, 3, 3]
        assert found.class_names == ("0", "1", "2", "3")

    def test_small_rounding_passes(self, tmp_path):
        import_predictions(save(tmp_path, frame(SCORES * 1.004)), truth())


class TestActivation:
    LOGITS = np.array([[2.0, -1.0, 0.5], [-800.0, 800.0, 0.0], [0.0, 0.0, 0.0]])

    def test_softmax(self, tmp_path):
        found = import_predictions(save(tmp_path, frame(self.LOGITS)), truth(), activation="softmax")
        np.testing.assert_allclose(found.scores.sum(axis=1), 1)
        np.testing.assert_allclose(found.scores[0], np.exp(self.LOGITS[0]) / np.exp(self.LOGITS[0]).sum())
        np.testing.assert_allclose(found.scores[1], [0, 1, 0])

    @pytest.mark.filterwarnings("error")
    def test_sigmoid(self, tmp_path):
        data = truth(targets=[(0,), (0, 1), ()], multilabel=True)
        found = import_predictions(save(tmp_path, frame(self.LOGITS)), data, activation="sigmoid")
        np.testing.assert_allclose(found.scores[0], 1 / (1 + np.exp(-self.LOGITS[0])))
        np.testing.assert_allclose(found.scores[1], [0, 1, 0.5], atol=1e-12)

    def test_unknown(self, tmp_path):
        with pytest.raises(InputError, match="activation must be one of none, softmax, sigmoid, got 'relu'"):
            import_predictions(save(tmp_path, frame()), truth(), activation="relu")


class TestPredictedOnly:
    def test_names_and_confidence(self, tmp_path):
        path = save(
            tmp_path, "id,label,predicted,score\ndog/3.jpg,dog,dog,0.5\ncat/1.jpg,cat,eel,1\ncat/2.jpg,cat,cat,.25\n"
        )
        found = import_predictions(path, truth())
        assert found.scores is None
        assert found.predicted.tolist() == [2, 0, 1]
        assert found.confidence.tolist() == [1, 0.25, 0.5]

    def test_numbers(self, tmp_path):
        path = save(tmp_path, pd.DataFrame({"id": IDS, "predicted": [2, 0, 1]}), "parquet")
        assert import_predictions(path, truth()).predicted.tolist() == [2, 0, 1]

    def test_class_names_that_are_numbers_come_first(self, tmp_path):
        path = save(tmp_path, pd.DataFrame({"id": IDS, "predicted": [5, 7, 9]}))
        found = import_predictions(path, truth(names=("5", "7", "9")))
        assert found.predicted.tolist() == [0, 1, 2]

    def test_a_class_that_no_sample_has(self, tmp_path):
        path = save(tmp_path, pd.DataFrame({"id": IDS, "predicted": ["cat", "owl", "dog"]}))
        found = import_predictions(path, truth())
        assert found.class_names == ("cat", "dog", "eel", "owl")
        assert found.predicted.tolist() == [0, 3, 1]
        assert "'owl'" in found.notes[0]

    def test_names_like_none_and_na(self, tmp_path):
        path = save(tmp_path, "id,predicted\ncat/1.jpg,NA\ncat/2.jpg,None\ndog/3.jpg,null\n")
        assert import_predictions(path, truth(names=("NA", "None", "null"))).predicted.tolist() == [0, 1, 2]

    def test_multilabel(self, tmp_path):
        path = save(tmp_path, "id,predicted\ncat/1.jpg,cat;dog\ncat/2.jpg,\ndog/3.jpg,eel|dog\n")
        found = import_predictions(path, truth(targets=[(0,), (0, 1), ()], multilabel=True))
        assert found.predicted.tolist() == [[True, True, False], [False] * 3, [False, True, True]]
        assert found.targets.tolist() == [[True, False, False], [True, True, False], [False] * 3]

    def test_unknown_names(self, tmp_path):
        path = save(tmp_path, pd.DataFrame({"id": IDS, "predicted": ["a", "b", "c"]}))
        refused(path, r"line 2: predicted 'a' is neither a class name nor a number in 0\.\.2")
        path = save(tmp_path, pd.DataFrame({"id": IDS, "predicted": ["0", "1", "3"]}))
        refused(path, r"line 2: predicted '0' is neither|line 4: predicted '3' is neither")
        path = save(tmp_path, pd.DataFrame({"id": IDS, "predicted": ["cat", "dgo", "eel"]}))
        refused(path, "line 3: predicted 'dgo' .*Did you mean 'dog'", classes=("cat", "dog", "eel"))

    def test_confidence_out_of_range(self, tmp_path):
        path = save(tmp_path, pd.DataFrame({"id": IDS, "predicted": ["cat"] * 3, "score": [0.5, 99, 1]}))
        refused(path, r"line 3: the score of 'cat/2\.jpg' is 99, not a probability")


class TestBadScores:
    def test_nan(self, tmp_path):
        scores = SCORES.copy()
        scores[1, 2] = np.nan
        refused(save(tmp_path, frame(scores)), r"line 3: score_2 of 'cat/2\.jpg' is nan")
        refused(save(tmp_path, frame(scores), "npz"), r"row 1: score_2 of 'cat/2\.jpg' is nan")
        refused(
            save(tmp_path, "id,score_0,score_1\ncat/1.jpg,0.5,\n"),
            "line 2: score_1 .* is nan",
            truth(names="ab"),
            partial=True,
        )

    def test_infinite(self, tmp_path):
        refused(save(tmp_path, frame(SCORES + np.array([np.inf, 0, 0]))), "line 2: score_0 .* is inf")

    def test_logits(self, tmp_path):
        refused(save(tmp_path, frame(SCORES * 9 - 3)), "looks like logits: pass --set activation=softmax")
        data = truth(targets=[(0,), (0, 1), ()], multilabel=True)
        refused(save(tmp_path, frame(SCORES * 9 - 3)), "looks like logits: pass --set activation=sigmoid", data)

    def test_sums(self, tmp_path):
        refused(save(tmp_path, frame(SCORES * [[1], [0.5], [1]])), r"line 3: .* sum to 0\.5, not 1: divide each row")

    def test_multilabel_scores_need_not_sum_to_one(self, tmp_path):
        data = truth(targets=[(0,), (0, 1), ()], multilabel=True)
        found = import_predictions(save(tmp_path, frame(np.ones((3, 3)))), data)
        assert found.targets.dtype == bool

    def test_not_numbers(self, tmp_path):
        text = "id,score_0,score_1\ncat/1.jpg,0.5,0.5\ncat/2.jpg,0.5,half\n"
        refused(save(tmp_path, text), "line 3: score_1 is 'half', not a number")

    def test_gaps_and_missing_columns(self, tmp_path):
        refused(
            save(tmp_path, frame().drop(columns="score_1")),
            r"column score_1 is missing \(2 score columns up to score_2\)",
        )
        refused(save(tmp_path, "name,p\n1,2\n"), "expected the columns id,label,score_0.*but the columns are name, p")
        refused(save(tmp_path, "id,label\n1,2\n"), "expected the columns")
        refused(save(tmp_path, "id,score_0,score_0\n1,2,3\n"), "has the column 'score_0' twice")

    def test_wrong_number_of_columns(self, tmp_path):
        refused(save(tmp_path, frame(SCORES)), "3 score columns, but 2 class names were given", classes=("cat", "dog"))

    def test_classes_that_do_not_meet_the_truth(self, tmp_path):
        with pytest.raises(InputError, match="1 of the dataset's 3 classes is not among"):
            import_predictions(save(tmp_path, frame()), truth(targets=(0, 2, 1)), classes=("cat", "dog", "owl"))


class TestIds:
    def test_twice(self, tmp_path):
        data = pd.concat([frame(), frame().iloc[:1]])
        refused(save(tmp_path, data), r"lines 2 and 5: the id 'cat/1\.jpg' occurs twice")

    def test_unknown(self, tmp_path):
        data = frame(ids=["cat/1.jpg", "x1", "x2"])
        message = refused(save(tmp_path, data), "line 3: 2 ids|line 3: 2 of 3 ids are not in the truth: 'x1', 'x2'")
        assert "'cat/1.jpg'" in message
        refused(save(tmp_path, frame(ids=["x", "y", "z"])), "3 of 3 ids are not in the truth", partial=True)

    def test_missing(self, tmp_path):
        refused(save(tmp_path, frame().iloc[:1]), r"no prediction for 2 of the 3 samples: 'cat/2\.jpg', 'dog/3\.jpg'")

    def test_partial(self, tmp_path):
        data = pd.concat([frame().iloc[[2, 0]], frame(ids=["x", "y", "z"]).iloc[:1]])
        found = import_predictions(save(tmp_path, data), truth(), partial=True)
        assert found.ids == ["cat/1.jpg", "dog/3.jpg"]
        assert found.rows.tolist() == [0, 2]
        np.testing.assert_array_equal(found.scores, SCORES[[0, 2]])
        assert len(found.notes) == 2

    @pytest.mark.parametrize(
        ("ids", "how"),
        [
            (["./cat/1.jpg", "cat\\2.jpg", "dog/3.jpg"], "path"),
            (["/data/val/cat/1.jpg", "/data/val/cat/2.jpg", "/data/val/dog/3.jpg"], "the end of the path"),
            (["cat/1.png", "cat/2.png", "dog/3.png"], "path without suffix"),
            (["1.jpg", "2.jpg", "3.jpg"], "file name"),
            (["1", "2", "3"], "file name without suffix"),
        ],
    )
    def test_other_spellings(self, tmp_path, ids, how):
        found = import_predictions(save(tmp_path, frame(ids=ids)), truth())
        assert found.ids == IDS
        assert found.notes == (f"preds.csv: ids matched by {how}",)

    def test_ambiguous_names_decide_nothing(self, tmp_path):
        data = truth(ids=["cat/1.jpg", "dog/1.jpg", "dog/2.jpg"])
        refused(save(tmp_path, frame(ids=["1", "x", "2"])), "2 of 3 ids are not in the truth: '1', 'x'", data)

    def test_two_spellings_of_one(self, tmp_path):
        refused(save(tmp_path, frame(ids=["1.jpg", "a/1.jpg", "3.jpg"])), "both mean 'cat/1.jpg'")

    def test_label_that_disagrees_with_the_truth(self, tmp_path):
        message = refused(save(tmp_path, frame(label=["cat", "dog", "dog"])), "line 3: the label 'dog' of 'cat/2.jpg'")
        assert "1 of 3 differ" in message
        refused(save(tmp_path, frame(label=["cat", "cat", "owl"])), "line 4: label 'owl' is neither a class name")


class TestFiles:
    def test_missing_empty_and_unknown(self, tmp_path):
        refused(tmp_path / "no.csv", "does not exist")
        refused(save(tmp_path, ""), "is empty: expected the columns")
        refused(save(tmp_path, "id,predicted\n"), "has no predictions|cannot be read as csv")
        refused(save(tmp_path, "x", "docx"), "not of a known kind: give predictions as")
        refused(tmp_path, "is a folder")

    def test_ragged(self, tmp_path):
        refused(save(tmp_path, "id,predicted\ncat/1.jpg,cat,dog\n"), "line 2: 3 cells where the header has 2")
        refused(save(tmp_path, "id,predicted\ncat/1.jpg,cat\ncat/2.jpg\n"), "line 3: 1 cells where the header has 2")

    def test_damaged(self, tmp_path):
        refused(save(tmp_path, "hello", "parquet"), "cannot be read as parquet")
        refused(save(tmp_path, "hello", "npz"), "not a npz file or is damaged|holds pickled")
        whole = save(tmp_path, frame(), "npz").read_bytes()
        (tmp_path / "preds.npz").write_bytes(whole[: len(whole) // 2])
        refused(tmp_path / "preds.npz", "is damaged")

    def test_pickles_are_never_loaded(self, tmp_path):
        path = tmp_path / "preds.npz"
        np.savez(path, ids=np.array([{"a": 1}] * 3, object), scores=SCORES)
        refused(path, "holds pickled objects, which could run code")
        path.write_bytes(pickle.dumps({"ids": IDS}))
        refused(path, "holds pickled objects|is not a npz file")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("ids.npy", pickle.dumps(IDS))
            buffer = io.BytesIO()
            np.save(buffer, SCORES)
            archive.writestr("scores.npy", buffer.getvalue())
        refused(path, "ids is not an array")

    def test_npz_shapes(self, tmp_path):
        path = tmp_path / "preds.npz"
        np.savez(path, ids=np.array(IDS), scores=SCORES[:2])
        refused(path, r"scores has the shape \(2, 3\)")
        np.savez(path, ids=np.array(IDS), scores=SCORES.ravel())
        refused(path, r"scores has the shape \(9,\)")
        np.savez(path, scores=SCORES)
        refused(path, "must hold ids and scores .*, but holds scores")
        np.savez(path, ids=np.array(IDS), scores=np.full((3, 3), "x"))
        refused(path, "not numbers")

    def test_npz_with_bytes_and_class_names(self, tmp_path):
        path = tmp_path / "preds.npz"
        np.savez(path, ids=np.array(IDS, "S"), scores=SCORES, class_names=np.array(["dog", "cat", "eel"]))
        assert import_predictions(path, truth()).targets.tolist() == [1, 1, 0]

    def test_bom_and_semicolons(self, tmp_path):
        text = frame().to_csv(index=False).replace(",", ";")
        path = tmp_path / "preds.csv"
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        np.testing.assert_array_equal(import_predictions(path, truth()).scores, SCORES)
