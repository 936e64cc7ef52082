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


def test_a_box_that_misses_its_mask_hides_no_pair():
    """pycocotools judges masks by masks alone, whatever a file says their boxes are."""
    from dataclasses import replace

    from dashboard.metrics.detection.columns import DetectionBatch

    truth = [(0, (5, 5, 20, 20), False, None)]
    made, oracle = solved([(truth, [(0, 0, 1, 0.9)])], masked=True)
    wrong = replace(made.found, xyxy=np.zeros_like(made.found.xyxy))
    found = accumulate(match(DetectionBatch(made.ids, made.sizes, wrong, made.truth), "segm"), 3).summary()
    assert found["map"] == oracle.stats[0] > 0
