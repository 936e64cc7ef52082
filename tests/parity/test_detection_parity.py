"""Detection numbers against pycocotools, the oracle: equal to the last bit, crowds, ties and odd areas included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.metrics.detection.matching import match
from dashboard.metrics.detection.precision import accumulate
from tests.objects import problems, solved

NEVER = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@NEVER
@given(problems, st.booleans())
def test_equals_pycocotools(problem, masked):
    batch, oracle = solved(problem, masked)
    found = accumulate(match(batch, "segm" if masked else "bbox"), 3)
    if oracle is None:
        assert not np.nan_to_num(found.precision).any()
        return
    np.testing.assert_array_equal(np.nan_to_num(found.precision, nan=-1), oracle.eval["precision"][..., 2])
    np.testing.assert_array_equal(np.nan_to_num(found.recall, nan=-1), oracle.eval["recall"])
    numbers = np.nan_to_num(list(found.summary().values()), nan=-1)
    np.testing.assert_allclose(numbers, oracle.stats, atol=1e-12)


@pytest.mark.parametrize("width", [32.0, 31.999, 32.001])
@pytest.mark.parametrize("left", [0.0, 10.1, 1 / 3])
def test_size_limits_survive_corners(width, left):
    """10.1 + 32 - 10.1 is not 32 in floating point; the area of a 32 x 32 box must stay 1024 all the same."""
    from dashboard.metrics.detection.overlaps import boxes

    area = boxes(np.array([[left, 0.0, left + width, 32.0]]))[4, 0]
    assert area == width * 32.0
