import numpy as np
import pytest

from dashboard.metrics.multilabel import MultiLabel
from tests.metrics.cases import batch, names, single


def test_by_hand():
    metric = MultiLabel(names(3))
    metric.update(
        batch(
            [[0.9, 0.8, 0.1], [0.7, 0.2, 0.3], [0.4, 0.1, 0.2]],
            np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], bool),  # the last: no labels, none decided
        )
    )
    out = metric.compute()
    values = out["scores"].values
    # Decisions: {0, 1}, {0}, {}. Class 0: 2 hits of 2 and 2. Class 1: 0 hits, 1 decision, 1 label. Class 2: nowhere.
    assert values["f1_macro"] == pytest.approx((1 + 0) / 2)
    assert values["precision_micro"] == pytest.approx(2 / 3)
    assert values["recall_micro"] == pytest.approx(2 / 3)
    assert values["hamming_loss"] == pytest.approx(2 / 9)
    assert values["subset_accuracy"] == pytest.approx(1 / 3)
    assert values["f1_samples"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    table = out["per_class"].columns
    assert np.isnan(table["f1"]).tolist() == [False, False, True]
    assert table["support"].tolist() == [2, 1, 0]
    # Class 0: both positives above the negative. Class 1: the positive lies between the two negatives.
    np.testing.assert_allclose(table["auroc"], [1, 0.5, np.nan])
    np.testing.assert_allclose(table["average_precision"], [1, 0.5, np.nan])
    assert values["map"] == pytest.approx(0.75)


def test_single_label_batches_are_refused():
    with pytest.raises(ValueError, match="multi-label"):
        MultiLabel(names(3)).update(single(4, 3))
