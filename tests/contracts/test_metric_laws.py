"""The laws of ``dashboard.metrics.base.Metric``, for everything registered."""

from __future__ import annotations

import pickle
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from dashboard import results
from dashboard.metrics import METRICS
from dashboard.metrics.detection import bootstrap
from dashboard.metrics.detection.columns import DetectionBatch
from dashboard.metrics.enhancement.columns import EnhancementBatch
from dashboard.metrics.segmentation import bootstrap as segmentation_bootstrap
from dashboard.metrics.segmentation.columns import SegmentationBatch
from tests.class_maps import map_piece, maps
from tests.metrics import cases
from tests.metrics.cases import multi, names, single
from tests.metrics.tracking_cases import several
from tests.objects import piece, scenes
from tests.pictures import picture_piece, pictures

CLASSES = 4
ROWS = 37


def whole(name: str, ties: bool = True) -> Any:
    """A batch that suits the metric. A new task needs a line here."""
    facts = METRICS.facts(name)
    if facts["task"] == "classification":
        return (multi if facts["multilabel"] else single)(ROWS, CLASSES, seed=1, ties=ties)
    if "detection" in facts["task"] or facts["task"] == "instance-segmentation":
        return scenes(ROWS, CLASSES, masked="detection" not in facts["task"])
    if facts["task"] == "semantic-segmentation":
        return maps(ROWS, CLASSES)
    if facts["task"] == "enhancement":
        return pictures(ROWS)
    if facts["task"] == "tracking":
        return several(ROWS, CLASSES)
    pytest.fail(f"no batches are known here for task {facts['task']!r}: add a line")


def part(data: Any, rows: slice, stored: bool = False) -> Any:
    """Some samples of a batch; ``stored`` as it is read from a file, where that differs."""
    if isinstance(data, SegmentationBatch):
        return map_piece(data, rows)
    if isinstance(data, EnhancementBatch):
        return picture_piece(data, rows)
    if isinstance(data, list):  # sequences
        return data[rows]
    return piece(data, rows) if isinstance(data, DetectionBatch) else cases.part(data, rows, stored)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(bootstrap, "TIMES", 12)
    monkeypatch.setattr(segmentation_bootstrap, "TIMES", 12)


def over(name: str, *batches: Any) -> Any:
    metric = METRICS.get(name)(names(CLASSES))
    for b in batches:
        metric.update(b)
    return metric


def same(a: Any, b: Any) -> None:
    """Assert that results are equal, through every field; sums may differ in their last digits."""
    if isinstance(a, dict) or hasattr(a, "items"):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif type(a) in results.SHAPES.values():
        assert type(a) is type(b)
        for f in fields(a):
            same(getattr(a, f.name), getattr(b, f.name))
    elif isinstance(a, str) or a is None:
        assert a == b
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.fixture(params=METRICS.names())
def name(request) -> str:
    return request.param


def test_results_have_known_shapes_and_survive_storing(name, tmp_path):
    computed = over(name, whole(name)).compute()
    assert computed
    assert all(type(r) in results.SHAPES.values() for r in computed.values())
    results.save(computed, tmp_path / "r.npz")
    same(dict(computed), results.load(tmp_path / "r.npz"))


def test_scalars_say_their_unit_and_lie_in_their_interval(name):
    for r in over(name, whole(name)).compute().values():
        if isinstance(r, results.Scalars):
            assert set(r.units) == set(r.values)
            for key, (low, high) in r.intervals.items():
                assert low <= r.values[key] <= high or np.isnan([low, high]).all()


@pytest.mark.parametrize("cuts", [[], [1], [18], [5, 5, 30], list(range(1, ROWS))])
@pytest.mark.parametrize("stored", [False, True])
def test_any_split_is_one_pass(name, cuts, stored):
    data = whole(name)
    ends = [0, *cuts, ROWS]
    pieces = [part(data, slice(a, b), stored) for a, b in pairwise(ends)]
    expected = over(name, data).compute()
    same(expected, over(name, *pieces).compute())
    merged = over(name)
    for some in pieces:
        merged = merged.merge(over(name, some))
    same(expected, merged.compute())


def test_merging_in_either_order_and_grouping_agrees(name):
    data = whole(name)
    a, b, c = (over(name, part(data, s)) for s in (slice(0, 9), slice(9, 20), slice(20, ROWS)))
    expected = over(name, data).compute()
    same(expected, a.merge(b.merge(c)).compute())
    if METRICS.facts(name)["task"] == "classification":  # resampling goes by the order of images
        same(expected, c.merge(b).merge(a).compute())


def test_merge_with_empty_is_identity_and_leaves_its_inputs(name):
    data = whole(name)
    left, right = over(name, part(data, slice(0, 10))), over(name, part(data, slice(10, ROWS)))
    before = left.compute(), right.compute()
    merged = left.merge(right)
    merged.update(part(data, slice(0, 5)))
    same(before[0], left.compute())
    same(before[1], right.compute())
    same(before[0], left.merge(over(name)).compute())
    same(before[0], over(name).merge(left).compute())


def test_compute_twice_and_after_pickling_is_the_same(name):
    metric = over(name, part(whole(name), slice(0, ROWS), stored=True))
    first = metric.compute()
    same(first, metric.compute())
    same(first, pickle.loads(pickle.dumps(metric)).compute())


def test_results_are_not_the_state(name):
    data = whole(name)
    metric = over(name, part(data, slice(0, 10)))
    first = metric.compute()
    copy = pickle.loads(pickle.dumps(dict(first)))
    metric.update(part(data, slice(10, ROWS)))
    same(copy, dict(first))


def test_one_sample_is_enough_and_none_is_an_error(name):
    data = whole(name)
    assert over(name, part(data, slice(0, 1))).compute()
    with pytest.raises(ValueError, match="no samples"):
        over(name).compute()
    with pytest.raises(ValueError, match="no samples"):
        over(name, part(data, slice(0, 0))).compute()


def test_other_classes_are_refused(name):
    data = whole(name)
    with pytest.raises(ValueError, match="classes"):
        over(name).merge(METRICS.get(name)(names(CLASSES + 1)))
    if isinstance(data, EnhancementBatch):  # which has no classes
        return
    if isinstance(data, (DetectionBatch, list)):
        with pytest.raises(ValueError, match=r"classes must be in 0\.\.1"):
            METRICS.get(name)(names(2)).update(data)
        return
    with pytest.raises(ValueError, match=r"columns, one a class|classes must be 5, as the class names"):
        METRICS.get(name)(names(CLASSES + 1)).update(data)


CONTRACT = """top1 top5 balanced_accuracy precision_macro precision_micro precision_weighted recall_macro recall_micro
recall_weighted f1_macro f1_micro f1_weighted specificity_macro auroc_macro average_precision_macro log_loss brier ece
mcc cohen_kappa"""


def test_single_label_metrics_give_the_names_that_scripts_rely_on():
    given: list[str] = []
    for name in METRICS.names(task="classification", multilabel=False):
        for r in over(name, whole(name)).compute().values():
            given += r.values if isinstance(r, results.Scalars) else []
    assert len(given) == len(set(given))
    assert set(CONTRACT.split()) <= set(given)


COCO = """map map_50 map_75 map_small map_medium map_large mar_1 mar_10 mar_100 mar_small mar_medium mar_large precision
recall f1 voc_ap_11 voc_ap_area"""


@pytest.mark.parametrize(("task", "more"), [("detection", ""), ("instance-segmentation", " miou")])
def test_detection_metrics_give_the_names_that_scripts_rely_on(task, more):
    given: list[str] = []
    for name in METRICS.names(task=task, multilabel=False):
        for r in over(name, scenes(20, CLASSES, masked=bool(more))).compute().values():
            given += r.values if isinstance(r, results.Scalars) else []
    assert len(given) == len(set(given))
    assert set((COCO + more).split()) <= set(given)


PIXELS = "pixel_accuracy mean_pixel_accuracy miou frequency_weighted_iou mdice"


def test_segmentation_metrics_give_the_names_that_scripts_rely_on():
    given: list[str] = []
    for name in METRICS.names(task="semantic-segmentation", multilabel=False):
        for r in over(name, whole(name)).compute().values():
            given += r.values if isinstance(r, results.Scalars) else []
    assert len(given) == len(set(given))
    assert set(PIXELS.split()) <= set(given)


PICTURES = "psnr ssim ms_ssim mse mae psnr_y ssim_y"


def test_enhancement_metrics_give_the_names_that_scripts_rely_on():
    given: list[str] = []
    for name in METRICS.names(task="enhancement", multilabel=False):
        for r in over(name, whole(name)).compute().values():
            given += r.values if isinstance(r, results.Scalars) else []
    assert len(given) == len(set(given))
    assert set(PICTURES.split()) <= set(given)


TRACKS = "MOTA MOTP IDF1 IDP IDR HOTA DetA AssA LocA IDSW FP FN TP MT PT ML Frag"


def test_tracking_metrics_give_the_names_that_scripts_rely_on():
    given: list[str] = []
    for name in METRICS.names(task="tracking", multilabel=False):
        for r in over(name, whole(name)).compute().values():
            given += r.values if isinstance(r, results.Scalars) else []
    assert len(given) == len(set(given))
    assert set(TRACKS.split()) <= set(given)
