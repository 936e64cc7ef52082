"""Comparing runs of classification: alignment, numbers, differences, tests, and what cannot be compared."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk

from dashboard.comparing import align, classification
from dashboard.comparing import compare as comparing
from dashboard.comparing.classification import _Answers, _batch, _resample
from dashboard.comparing.compare import compare
from dashboard.comparing.measured import Settings
from dashboard.comparing.shapes import Comparison, Difference, PairTest
from dashboard.errors import InputError
from dashboard.metrics.confusion import Confusion
from dashboard.metrics.paired import bootstrap_interval
from dashboard.metrics.paired_bootstrap import every_block
from dashboard.store import Run, Store
from tests.comparing_runs import NAMES, Chosen, Numbers, made, random_answers, run_of
from tests.fake_detector import FakeDetector, FakeObjects
from tests.fakes import FakeAdapter, FakeDataset

LABELS = (np.arange(120) * 7 + np.arange(120) // 3) % 3


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three models, 60, 75 and 75 % right."""
    answers = [random_answers(LABELS, a, k) for k, a in enumerate((0.6, 0.75, 0.75))]
    return made(tmp_path_factory.mktemp("three"), LABELS, *answers)


@pytest.fixture(scope="module")
def compared(three: list[Run]) -> Comparison:
    return compare(three)


def difference(found: Comparison, metric: str, run: int) -> Difference:
    return next(d for d in found.differences if d.metric == metric and d.run == run)


def named(found: Comparison, name: str, run: int) -> PairTest:
    return next(t for t in found.tests if t.name.startswith(name) and t.run == run)


def test_figures_are_the_runs_own_when_nothing_is_left_out(three, compared):
    assert compared.left_out == [0, 0, 0]
    assert compared.notes == []
    names = [f.name for f in compared.figures]
    assert {"top1", "balanced_accuracy", "f1_macro", "mcc", "log_loss", "brier", "ece", "auroc_macro"} <= set(names)
    assert names[0] == "top1"
    assert "top5" not in names  # of three classes
    for figure in compared.figures:
        if figure.recorded:
            continue
        for place, run in enumerate(three):
            assert figure.values[place] == pytest.approx(run.metrics[figure.name], nan_ok=True, rel=1e-12)
            expected = run.intervals.get(figure.name, (math.nan, math.nan))
            assert tuple(figure.intervals[place]) == pytest.approx(expected, nan_ok=True, rel=1e-9)


def test_resampled_numbers_are_those_of_the_drawn_samples(three, compared):
    """By scikit-learn, resample by resample: the same draws for all runs."""
    aligned = align.align(three, 0)
    found = classification.measure(three, aligned, Settings(0, 100, 7, 0.95))
    drawn = np.concatenate(every_block(len(LABELS), 100, 7, lambda _, w: w.T)).astype(int)
    answers = [random_answers(LABELS, a, k) for k, a in enumerate((0.6, 0.75, 0.75))]
    for b in (0, 1, 50, 99):
        picks = np.repeat(np.arange(len(LABELS)), drawn[b])
        for run, answer in enumerate(answers):
            truth, said = LABELS[picks], answer[picks]
            expected = {
                "top1": sk.accuracy_score(truth, said),
                "balanced_accuracy": sk.balanced_accuracy_score(truth, said),
                "f1_macro": sk.f1_score(truth, said, average="macro"),
                "precision_macro": sk.precision_score(truth, said, average="macro"),
                "f1_weighted": sk.f1_score(truth, said, average="weighted"),
                "mcc": sk.matthews_corrcoef(truth, said),
                "cohen_kappa": sk.cohen_kappa_score(truth, said),
            }
            for name, value in expected.items():
                assert found.draws[name][b, run] == pytest.approx(value, rel=1e-5), name
    # and of all samples drawn once, the mean of means is about the number itself
    for name in ("log_loss", "brier", "ece"):
        figure = compared.figure(name)
        np.testing.assert_allclose(found.draws[name].mean(axis=0), figure.values, rtol=0.25)


def test_differences_are_against_the_baseline_and_have_mcnemars_p(compared):
    for run in (1, 2):
        top = difference(compared, "top1", run)
        values = compared.figure("top1").values
        assert top.value == pytest.approx(values[run] - values[0])
        assert top.low < top.value < top.high
        test = named(compared, "mcnemar", run)
        assert top.p == test.p
        assert top.p_holm == test.p_holm >= top.p
        assert "McNemar" in top.method
        assert "120 images" in top.method
    assert not [d for d in compared.differences if d.run == 0]


def test_outcomes_and_tests_count_the_same(compared):
    for run in (1, 2):
        outcome = compared.outcome(run)
        mcnemar, sign = named(compared, "mcnemar", run).counts, named(compared, "sign", run).counts
        assert (outcome > 0).sum() == mcnemar["only_run"] == sign["wins"]
        assert (outcome < 0).sum() == mcnemar["only_baseline"] == sign["losses"]
        assert mcnemar["both"] + mcnemar["neither"] == sign["ties"]
    np.testing.assert_array_equal(compared.outcome(1, 2), -compared.outcome(2, 1))


def test_another_baseline_turns_the_difference_round(three, compared):
    turned = compare(three, baseline=1)
    a, b = difference(compared, "f1_macro", 1), difference(turned, "f1_macro", 0)
    assert (b.value, b.low, b.high, b.p) == pytest.approx((-a.value, -a.high, -a.low, a.p))


def test_classes(compared):
    recall = next(c for c in compared.classes if c.metric == "recall")
    assert list(recall.classes) == list(NAMES)
    assert recall.support.tolist() == np.bincount(LABELS).tolist()
    answers = random_answers(LABELS, 0.75, 1)
    expected = [np.mean(answers[c == LABELS] == c) for c in range(3)]
    np.testing.assert_allclose(recall.values[1], expected)
    gap = recall.values[1] - recall.values[0]
    assert ((recall.low[1] < gap) & (gap < recall.high[1])).all()
    assert np.isnan(recall.low[0]).all()


def test_a_comparison_is_kept(three, compared, monkeypatch):
    def forbidden(*_: object) -> None:
        raise AssertionError("worked out twice")

    monkeypatch.setattr(comparing, "_compare", forbidden)
    assert compare(three).differences is compared.differences
    with pytest.raises(AssertionError, match="twice"):
        compare(three, seed=1)


def forget() -> None:
    """Nothing is at hand any more."""
    comparing._kept.clear()
    comparing._latest.clear()


def alike(one: Comparison, other: Comparison) -> None:
    """The same in every number and word."""
    for name in ("differences", "tests", "notes", "left_out", "ids", "settings"):
        assert repr(getattr(one, name)) == repr(getattr(other, name)), name
    np.testing.assert_array_equal(one.index, other.index)
    for a, b in zip([*one.figures, *one.classes], [*other.figures, *other.classes], strict=True):
        assert repr(vars(a)) == repr(vars(b))


def test_another_baseline_is_made_of_the_same_resamples(three, monkeypatch):
    asked = []
    measure = classification.measure
    monkeypatch.setattr(classification, "measure", lambda *given: asked.append(1) or measure(*given))
    forget()
    found = [compare(three, k) for k in range(3)]
    assert len(asked) == 1
    for k, held in enumerate(found):
        forget()
        alike(held, compare(three, k))
    monkeypatch.setattr(comparing, "HELD_BYTES", 1)
    forget()
    alike(compare(three, 0), found[0])
    alike(compare(three, 2), found[2])
    assert len(asked) == 6  # one, three, and two that nothing is held of


def test_where_the_baseline_gives_the_order_another_one_is_measured(three, tmp_path):
    """Of samples in another order, and of classes."""
    order = np.random.default_rng(0).permutation(120)
    answers = random_answers(LABELS, 0.75, 1)
    turned = run_of(tmp_path, Numbers(order.tolist(), LABELS[order], NAMES), Chosen(answers, NAMES, "turned"))
    names = ("bird", "cat", "dog")
    renamed = run_of(tmp_path, Numbers(range(120), LABELS, NAMES), Chosen(np.array([1, 2, 0])[answers], names, "other"))
    for pair in ([three[0], turned], [three[0], renamed]):
        forget()
        first, other = compare(pair, 0), compare(pair, 1)
        forget()
        alike(other, compare(pair, 1))
        assert list(first.classes[0].classes) == list(pair[0].classes)
        assert list(other.classes[0].classes) == list(pair[1].classes)
        assert other.ids[0] == str(pq.read_table(pair[1].rows_path).column("id")[0])


def test_the_same_seed_gives_the_same(three, compared):
    forget()
    again = compare(three)
    assert [repr(d) for d in again.differences] == [repr(d) for d in compared.differences]


def test_runs_that_answer_alike_differ_in_nothing(tmp_path):
    answers = random_answers(LABELS, 0.7, 1)
    data = Numbers(range(120), LABELS, NAMES)
    runs = [run_of(tmp_path, data, Chosen(answers, NAMES, name)) for name in ("a", "b")]
    found = compare(runs)
    for d in found.differences:
        assert d.value == 0
        assert math.isnan(d.low)
        assert d.p == 1 or math.isnan(d.p)
    assert difference(found, "top1", 1).p == 1
    assert named(found, "sign", 1).counts == {"wins": 0, "losses": 0, "ties": 120}


# Alignment


def test_samples_are_aligned_by_id_whatever_their_order(three, compared, tmp_path):
    order = np.random.default_rng(0).permutation(120)
    answers = random_answers(LABELS, 0.75, 1)
    other = run_of(tmp_path, Numbers(order.tolist(), LABELS[order], NAMES), Chosen(answers, NAMES, "model1", 1))
    found = compare([three[0], other])
    assert any("another order" in note for note in found.notes)
    assert found.ids == compared.ids
    np.testing.assert_array_equal(found.scores, compared.scores[:2])
    np.testing.assert_array_equal(order[found.index[1]], found.index[0])
    a, b = difference(found, "f1_macro", 1), difference(compared, "f1_macro", 1)
    assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_only_common_samples_count_and_it_is_said(three, tmp_path):
    keep = np.arange(30, 150)
    labels = (np.arange(150) * 7 + np.arange(150) // 3) % 3
    answers = random_answers(labels, 0.8, 9)
    other = run_of(tmp_path, Numbers(keep.tolist(), labels[keep], NAMES), Chosen(answers, NAMES, "late"))
    found = compare([three[0], other])
    assert found.left_out == [30, 30]
    assert len(found.ids) == 90
    assert any("90 samples" in n and "30 of late" in n and "30 of model0" in n for n in found.notes)
    first = random_answers(LABELS, 0.6, 0)
    expected = [np.mean(first[30:] == LABELS[30:]), np.mean(answers[30:120] == labels[30:120])]
    np.testing.assert_allclose(found.figure("top1").values, expected)
    assert "auroc_macro" not in [f.name for f in found.figures]  # would need all scores
    assert found.index[:, 0].tolist() == [30, 0]


def test_what_needs_every_score_is_told_of_whole_runs_and_it_is_said(three, compared, tmp_path):
    part = run_of(tmp_path, Numbers(range(50), LABELS[:50], NAMES), Chosen(random_answers(LABELS, 0.6, 0), NAMES, "m"))
    found = compare([three[0], part])
    assert np.isfinite(found.figure("auroc_macro").values).tolist() == [False, True]
    assert [n for n in found.notes if "AUROC" in n] == [
        "AUROC and average precision need every score: they are told of runs of which no sample is left out."
    ]
    assert not [n for n in compared.notes if "AUROC" in n]


def test_an_id_that_stands_twice_is_two_samples(tmp_path):
    data = Numbers(range(40), LABELS[:40], NAMES)
    data.ids[7] = data.ids[3]
    runs = [
        run_of(tmp_path, data, Chosen(random_answers(LABELS, a, k), NAMES, f"m{k}")) for k, a in ((1, 0.6), (2, 0.9))
    ]
    other = Numbers(range(39, -1, -1), LABELS[:40][::-1], NAMES)
    other.ids[39 - 7] = other.ids[39 - 3]
    runs.append(run_of(tmp_path, other, Chosen(random_answers(LABELS, 0.7, 3), NAMES, "m3")))
    found = compare(runs[:2])
    assert len(found.ids) == 40
    assert len(set(found.ids)) == 39
    # in the third, the second of them stands first, with another label: the truth does not agree
    with pytest.raises(InputError, match=r"different truth for 'folder/00003\.png'"):
        compare(runs)


# Classes


def test_classes_in_another_order_are_matched_by_name(three, compared, tmp_path):
    names = ("bird", "cat", "dog")
    to_own = np.array([1, 2, 0])
    answers = random_answers(LABELS, 0.75, 1)
    data = Numbers(range(120), LABELS, NAMES)
    other = run_of(tmp_path, data, Chosen(to_own[answers], names, "turned", 1))
    found = compare([three[0], other])
    assert any("another order" in n for n in found.notes)
    np.testing.assert_array_equal(found.scores, compared.scores[:2])
    recall = next(c for c in found.classes if c.metric == "recall")
    expected = next(c for c in compared.classes if c.metric == "recall")
    assert list(recall.classes) == list(NAMES)
    np.testing.assert_allclose(recall.values, expected.values[:2])
    assert difference(found, "f1_macro", 1).value == pytest.approx(difference(compared, "f1_macro", 1).value)


def test_a_model_that_knows_more_classes_is_compared(three, tmp_path):
    names = ("fish", *NAMES, "whale")
    answers = random_answers(LABELS, 0.75, 1) + 1
    answers[:4] = 0, 4, 4, 0  # classes that nobody has
    other = run_of(tmp_path, Numbers(range(120), LABELS, NAMES), Chosen(answers, names, "large"))
    found = compare([three[0], other])
    assert any("5 classes" in n and "3" in n for n in found.notes)
    assert found.figure("top1").values[1] == pytest.approx(other.metrics["top1"])
    assert found.figure("f1_macro").values[1] == pytest.approx(other.metrics["f1_macro"])
    precision = next(c for c in found.classes if c.metric == "precision")
    assert list(precision.classes) == [*NAMES, "fish", "whale"]
    assert precision.values[1, 3:].tolist() == [0, 0]
    assert np.isnan(precision.values[0, 3:]).all()


# What cannot be compared


def refused(runs: list[Run], *words: str, **options: int) -> None:
    with pytest.raises(InputError) as caught:
        compare(runs, **options)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def test_runs_that_do_not_go_together(three, tmp_path):
    refused(three[:1], "Between two and 8")
    refused([three[0]] * 9, "Between two and 8")
    refused([three[0], three[0]], "twice", three[0].id)
    refused(three, "baseline", baseline=3)
    refused(three, "100 resamples", resamples=10)
    far = Numbers(range(500, 540), LABELS[:40], NAMES)
    other = run_of(tmp_path, far, Chosen(np.zeros(600, int), NAMES, "far"))
    refused([three[0], other], three[0].id, other.id, "no sample in common")
    wrong = Numbers(range(120), np.roll(LABELS, 1), NAMES)
    other = run_of(tmp_path, wrong, Chosen(LABELS, NAMES, "liar"))
    refused([three[0], other], three[0].id, other.id, "different truth", "folder/0000")
    names = ("car", "bus", "tram")
    other = run_of(tmp_path, Numbers(range(120), LABELS, names), Chosen(LABELS, names, "traffic"))
    refused([three[0], other], three[0].id, other.id, "class lists")
    several = run_of(tmp_path, FakeDataset(120, multilabel=True), FakeAdapter(multilabel=True))
    refused([three[0], several], three[0].id, several.id, "several labels")


def test_pairwise_without_common_samples_among_three(tmp_path):
    runs = []
    for k, numbers in enumerate((range(0, 80), range(0, 40), range(40, 80))):
        data = Numbers(list(numbers), LABELS[list(numbers)], NAMES)
        runs.append(run_of(tmp_path, data, Chosen(LABELS, NAMES, f"m{k}")))
    refused(runs, "no sample that all of these runs have", *(r.id for r in runs))


def test_other_tasks_and_lost_runs(three, tmp_path):
    other = run_of(tmp_path, FakeObjects(), FakeDetector())  # type: ignore[arg-type]
    refused([three[0], other], "classification", "detection", other.id)
    gone = Run(**{**vars(three[0]), "path": Path("/nowhere/run")})
    refused([three[1], gone], "deleted")
    data = Numbers(range(30), LABELS[:30], NAMES)
    damaged = run_of(tmp_path, data, Chosen(LABELS, NAMES, "damaged"))
    damaged.rows_path.write_bytes(b"no parquet")
    refused([three[0], damaged], "rows.parquet", "damaged")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("index", "x", "index: string"),
        ("index", -1, "index: -1 is below 0"),
        ("index", None, "index: empty cells"),
        ("id", 7, "id: int64"),
        ("id", None, "id: empty cells"),
        ("label", 3, "label: class 3, but classes.json has 3"),
        ("label", 1.5, "label: double"),  # all of them become fractions
        ("predicted", -1, "predicted: -1 is below 0"),
        ("predicted", 2**40, "predicted: class"),
        ("confidence", "high", "confidence: string"),
        ("brier", "x", "brier: string"),
    ],
)
def test_rows_that_somebody_has_edited_are_said_to_be_damaged(three, tmp_path, name, value, said):
    data = Numbers(range(30), LABELS[:30], NAMES)
    edited = run_of(tmp_path, data, Chosen(LABELS, NAMES, "edited"))
    table = pq.read_table(edited.rows_path)
    cells = table.column(name).to_pylist()
    cells = [value] * len(cells) if isinstance(value, str) or name == "id" else [value, *cells[1:]]
    place = table.column_names.index(name)
    pq.write_table(table.set_column(place, name, pa.array(cells)), edited.rows_path)
    refused([three[0], edited], "rows.parquet is damaged", said)


def test_a_list_of_classes_that_is_too_short_is_said(three, tmp_path):
    edited = run_of(tmp_path, Numbers(range(30), LABELS[:30], NAMES), Chosen(LABELS, NAMES, "edited"))
    file = edited.path / "classes.json"
    facts = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({k: v[:1] if isinstance(v, list) else v for k, v in facts.items()}), "utf-8")
    refused([three[0], edited], "rows.parquet is damaged", "classes.json has 1")


def test_predictions_that_were_taken_away(three, compared, tmp_path):
    """Rows are enough for classification, not for detection."""
    runs = made(tmp_path, LABELS, *(random_answers(LABELS, a, k) for k, a in enumerate((0.6, 0.75, 0.75))))
    runs[1].predictions_path.unlink()
    np.testing.assert_array_equal(compare(runs).scores, compared.scores)
    objects = FakeObjects()
    pair = [run_of(tmp_path, objects, FakeDetector()), run_of(tmp_path / "b", objects, FakeDetector())]  # type: ignore[arg-type]
    pair[1].predictions_path.unlink()
    refused(pair, pair[1].id, "taken away", "evaluate it again")


def test_a_store_is_searched_for_profiles_once(three, compared, monkeypatch):
    asked = []
    monkeypatch.setattr(Store, "runs", lambda self, task=None: asked.append(task) or [])
    compare(three)
    assert asked == ["profile"]


def test_what_runs_recorded_of_their_costs(three, tmp_path):
    store = Store(tmp_path)
    runs = made(tmp_path, LABELS[:30], LABELS[:30], np.zeros(30, int))
    runs = [replace(runs[0], timing={"latency_ms": {"p50": 2.5}, "throughput_per_s": 300}), replace(runs[1], timing={})]
    with store.draft("profile_model1") as draft:
        (draft.path / "part-000000.parquet").touch()
        metrics = {"params": 1234.0}
        draft.finish(Run("profile_model1", "profile", "model1", "224x224 on cpu", 1, metrics))
    found = compare(runs)
    recorded = {f.name: f for f in found.figures if f.recorded}
    assert recorded["latency_ms"].values.tolist() == pytest.approx([2.5, math.nan], nan_ok=True)
    assert recorded["latency_ms"].higher_is_better is False
    assert recorded["throughput_per_s"].values[0] == 300
    assert recorded["params"].values.tolist() == pytest.approx([math.nan, 1234], nan_ok=True)
    assert not [d for d in found.differences if d.metric in recorded]


def test_answers_without_scores_are_compared_by_what_is_known(tmp_path):
    data = FakeDataset(60, classes=8)
    runs = [run_of(tmp_path, data, FakeAdapter(classes=8, name=n, fingerprint=n)) for n in "ab"]
    table = pq.read_table(runs[1].rows_path)
    unknown = pa.array(np.full(60, np.nan), pa.float32())
    for column in ("confidence", "true_score"):
        table = table.set_column(table.column_names.index(column), column, unknown)
    table = table.set_column(table.column_names.index("brier"), "brier", unknown.cast(pa.float64()))
    rank = np.where(table.column("correct").to_numpy(), 0, -1)
    pq.write_table(table.set_column(table.column_names.index("rank"), "rank", pa.array(rank)), runs[1].rows_path)
    found = compare(runs)
    assert difference(found, "top1", 1).value == 0
    for metric in ("top5", "log_loss", "brier", "ece"):
        values = found.figure(metric).values
        assert np.isfinite(values[0])
        assert math.isnan(values[1])
        one = difference(found, metric, 1)
        assert all(math.isnan(v) for v in (one.value, one.low, one.p))


# Few samples


def test_few_samples_have_no_bootstrap_interval_but_an_exact_p(tmp_path):
    labels = LABELS[:8]
    runs = made(tmp_path, labels, (labels + 1) % 3, labels)
    found = compare(runs)
    top = difference(found, "top1", 1)
    assert top.value == 1
    assert math.isnan(top.low)
    assert top.p == pytest.approx(2 / 2**8)
    assert math.isnan(difference(found, "f1_macro", 1).p)
    assert difference(found, "f1_macro", 1).method == "no interval: too few images of a class"
    assert difference(found, "mce", 1).method == "no interval"


def test_several_labels(tmp_path):
    data = FakeDataset(150, multilabel=True)
    runs = [run_of(tmp_path, data, FakeAdapter(multilabel=True, name=n, fingerprint=n)) for n in ("a",)]

    class Better(FakeAdapter):
        """Answers by the truth in half of the cases."""

        def postprocess(self, outputs):
            found = super().postprocess(outputs)
            for number, answer in zip(outputs, found, strict=True):
                if number % 2:
                    answer.scores[:] = 0.1
                    answer.scores[list(data.targets[number])] = 0.9
            return found

    runs.append(run_of(tmp_path, data, Better(multilabel=True, name="b", fingerprint="b")))
    found = compare(runs)
    for figure in found.figures:
        if not figure.recorded:
            expected = [r.metrics[figure.name] for r in runs]
            assert figure.values.tolist() == pytest.approx(expected, rel=1e-9), figure.name
    gain = difference(found, "subset_accuracy", 1)
    assert gain.value > 0.3
    assert "McNemar" in gain.method
    assert difference(found, "f1_macro", 1).low > 0
    assert difference(found, "hamming_loss", 1).high < 0
    assert found.score_name == "f1_samples"
    assert (found.outcome(1)[1::2] >= 0).all()
    assert (found.outcome(1)[::2] == 0).all()
    recall = next(c for c in found.classes if c.metric == "recall")
    assert recall.support.sum() == sum(len(t) for t in data.targets)
    assert (recall.low[1] > 0).all()


def test_intervals_of_averages_over_classes_are_about_right():
    """150 pairs of models that are equally good on 200 samples: 0 lies inside of about 95 % of the intervals."""
    names, inside = ("f1_macro", "precision_macro", "balanced_accuracy", "mcc", "cohen_kappa"), []
    rng = np.random.default_rng(5)
    ids = np.arange(200).astype(str)
    for round_ in range(150):
        label, hard, found, values = rng.integers(0, 4, 200), rng.random(200), [], []
        for _ in range(2):
            right = 0.6 * hard + 0.4 * rng.random(200) < 0.6
            predicted = np.where(right, label, (label + rng.integers(1, 4, 200)) % 4)
            sure = np.full(200, 0.5, np.float32)
            columns = {"label": label, "predicted": predicted, "rank": 1 - right, "brier": np.zeros(200)}
            batch = _batch(ids, columns | {"confidence": sure, "true_score": sure}, 4)
            found.append(_Answers(batch, predicted, right))
            metric = Confusion("abcd")
            metric.update(batch)
            values.append(metric.compute()["scores"].values)  # type: ignore[union-attr]
        draws, _ = _resample(label, found, 4, Settings(0, 300, round_, 0.95))
        for name in names:
            gap = draws[name][:, 1] - draws[name][:, 0]
            (low, high), _ = bootstrap_interval(values[1][name] - values[0][name], gap, recentred=True)
            inside.append(low <= 0 <= high)
    assert 0.91 < np.mean(inside) < 0.985
