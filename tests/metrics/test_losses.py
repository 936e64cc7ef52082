import math

import numpy as np
import pytest

from dashboard.metrics.batch import sample_rows
from dashboard.metrics.losses import LOSSES, cross_entropy, focal, hardest_first
from tests.metrics.cases import batch, multi, single


def test_cross_entropy_is_clipped_at_the_types_epsilon():
    assert cross_entropy(np.array([0.25]))[0] == pytest.approx(math.log(4))
    assert cross_entropy(np.array([0], np.float32))[0] == pytest.approx(-math.log(2.0**-23))
    assert cross_entropy(np.array([0.0]))[0] == pytest.approx(-math.log(2.0**-52))


def test_focal_by_hand():
    # (1 - 0.5)^2 ln 2
    assert focal(np.array([0.5]))[0] == pytest.approx(0.25 * math.log(2))
    p = np.array([0.1, 0.9])
    np.testing.assert_allclose(focal(p, gamma=0, alpha=0.5), cross_entropy(p) / 2)


def test_hardest_first_by_each_loss():
    # sure and right, sure and wrong, unsure and right
    columns = sample_rows(batch([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]], [0, 1, 0]))
    for name in LOSSES:
        assert hardest_first(columns, name).tolist() == [1, 2, 0], name
    with pytest.raises(ValueError, match="loss must be one of"):
        hardest_first(columns, "surprise")


@pytest.mark.parametrize("make", [single, multi])
def test_every_loss_finds_its_columns_or_says_what_it_needs(make):
    columns = sample_rows(make(20, 3))
    for name, loss in LOSSES.items():
        if set(loss.needs) <= set(columns):
            assert len(hardest_first(columns, name)) == 20


def test_undefined_comes_last_and_ties_keep_their_order():
    assert hardest_first({"margin": np.array([np.nan, 0.2, -0.1, 0.2])}, "margin").tolist() == [2, 1, 3, 0]
