"""Every number of tracking against the trackeval package, on many small sequences and with the oddest of ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dashboard import masks
from dashboard.metrics.tracking import scores
from dashboard.metrics.tracking.columns import ASIDE, DISTRACTOR, SequenceTracks, Tracks
from dashboard.metrics.tracking.counts import PLAIN, Counts, evaluate, merge
from dashboard.metrics.tracking.hota import ALPHAS
from tests.metrics.tracking_cases import line, sequence, wandering

trackeval = pytest.importorskip("trackeval")
base = pytest.importorskip("trackeval.datasets._base_dataset")

METRICS = {
    "HOTA": trackeval.metrics.HOTA(),
    "CLEAR": trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
    "Identity": trackeval.metrics.Identity({"PRINT_CONFIG": False}),
}
CLEAR = {"recall": "CLR_Re", "precision": "CLR_Pr", "f1": "CLR_F1", "TP": "CLR_TP", "FP": "CLR_FP", "FN": "CLR_FN"}
CLEAR |= {
    n: n for n in ["MOTA", "MOTP", "MODA", "sMOTA", "MOTAL", "IDSW", "MT", "PT", "ML", "Frag", "MTR", "PTR", "MLR"]
}


def similarity(truth: Tracks, found: Tracks, a: Any, b: Any, size: tuple[int, int] | None) -> np.ndarray:
    if truth.masks is None or found.masks is None:
        return base._BaseDataset._calculate_box_ious(truth.xyxy[a], found.xyxy[b], box_format="x0y0x1y1")
    coded = [[{"size": list(size), "counts": s.masks[k]} for k in at] for s, at in ((truth, a), (found, b))]
    return base._BaseDataset._calculate_mask_ious(*coded, is_encoded=True)


def raw(s: SequenceTracks, class_id: int | None = None) -> dict[str, Any]:
    """A sequence as TrackEval's metrics take it, of one class or (None) of all."""
    keep = [np.flatnonzero((t.class_ids == class_id) | (class_id is None)) for t in (s.truth, s.found)]
    names = [np.unique(t.ids[k]) for t, k in zip((s.truth, s.found), keep, strict=True)]
    at = [[k[t.frame[k] == f] for f in range(s.frames)] for t, k in zip((s.truth, s.found), keep, strict=True)]
    ids = [
        [np.searchsorted(n, t.ids[rows]) for rows in per]
        for n, t, per in zip(names, (s.truth, s.found), at, strict=True)
    ]
    return {
        "num_timesteps": s.frames,
        "num_gt_ids": len(names[0]),
        "num_tracker_ids": len(names[1]),
        "num_gt_dets": len(keep[0]),
        "num_tracker_dets": len(keep[1]),
        "seq": s.name,
        "gt_ids": ids[0],
        "tracker_ids": ids[1],
        "similarity_scores": [similarity(s.truth, s.found, a, b, s.size) for a, b in zip(*at, strict=True)],
    }


def theirs(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: metric.eval_sequence(data) for name, metric in METRICS.items()}


def combined(parts: list[dict[str, dict[str, Any]]], how: str) -> dict[str, dict[str, Any]]:
    return {
        name: getattr(metric, how)({str(k): part[name] for k, part in enumerate(parts)})
        for name, metric in METRICS.items()
    }


def agree(counts: Counts, expected: dict[str, dict[str, Any]], about: Any = None) -> None:
    """Assert that all numbers are equal, undefined ones as TrackEval has them."""
    c = counts.pooled()
    ours = {name: value[0] for name, value in scores.everything(c.plain, c.alpha, c.frames).items()}
    given = {ours_: expected["CLEAR"][name] for ours_, name in CLEAR.items()} | expected["Identity"]
    hota = expected["HOTA"]
    given |= {name: np.mean(hota[name]) for name in scores.FAMILY}
    given |= {"HOTA(0)": hota["HOTA"][0], "LocA(0)": hota["LocA"][0]}
    assert set(ours) - set(given) == {"FP_per_frame"}
    for name, value in given.items():
        if np.isnan(ours[name]):
            assert value in ((0, 1) if name.startswith(("LocA", "MLR")) else (0,)), (name, about)
        else:
            assert ours[name] == pytest.approx(value, abs=1e-9), (name, about)
    each = scores.over_alpha(c.plain, c.alpha)
    for name in scores.FAMILY:
        curve = np.where(np.isnan(each[name][0]), 1.0 if name == "LocA" else 0.0, each[name][0])
        np.testing.assert_allclose(curve, hota[name], atol=1e-9, err_msg=f"{name} {about}")
    for name in ("TP", "FN", "FP"):
        boxes = {"TP": 0, "FN": c.plain[0, [0, 1]].sum(), "FP": c.plain[0, [0, 2]].sum()}[name]
        ours_ = np.abs(boxes - c.alpha[0, 0])
        np.testing.assert_array_equal(ours_, hota[f"HOTA_{name}"])
    np.testing.assert_array_equal(ALPHAS, METRICS["HOTA"].array_labels)


@pytest.mark.parametrize("whole", [False, True], ids=["", "ties"])
@pytest.mark.parametrize("start", range(0, 150, 30))
def test_random_sequences(whole, start):
    """Misses, swaps, ghosts, identities used again, frames without truth or found boxes; boxes on whole pixels."""
    for seed in range(start, start + 30):
        s = wandering(seed, frames=4 + seed % 13, objects=1 + seed % 7, whole=whole)
        agree(evaluate(s), theirs(raw(s)), seed)


@pytest.mark.parametrize("seed", range(6))
def test_crowds_on_whole_pixels(seed):
    """Wide frames, whose sums NumPy adds in another order, and many equal overlaps."""
    s = wandering(seed, frames=25, objects=14 + 5 * seed, whole=True)
    agree(evaluate(s), theirs(raw(s)))


def test_many_found_boxes_of_one_truth_and_the_reverse():
    rng = np.random.default_rng(3)
    crowd = [(f, k, *rng.integers(0, 3, 2), 6, 6) for f in range(8) for k in range(12)]
    single = [(f, 1, 1, 1, 6, 6) for f in range(8)]
    for pair in ((crowd, single), (single, crowd), (crowd, crowd)):
        s = sequence(*pair, frames=8)
        agree(evaluate(s), theirs(raw(s)))


@pytest.mark.parametrize("start", [0, 230, 460])
def test_symmetric_crowds(start):
    """Boxes on few places: whole assignments are equally good but for the last bit of sums over a frame."""
    for seed in range(start, start + 60):
        rng = np.random.default_rng(seed)
        frames, wide, most = int(rng.integers(1, 6)), int(rng.integers(2, 14)), int(rng.integers(1, 4))

        def side(count, rng=rng, frames=frames, most=most):
            at = [(f, k) for f in range(frames) for k in range(count)]
            return [(f, k, *rng.integers(0, most + 1, 2), 4, 4) for f, k in at if rng.random() < 0.9]

        s = sequence(side(wide), side(int(rng.integers(2, 14))), frames)
        agree(evaluate(s), theirs(raw(s)), seed)


@pytest.mark.parametrize(
    ("truth", "found"),
    [
        ("1111", "...."),
        ("....", "1111"),
        ("....", "...."),
        ("1111", "2222"),
        ("11..11", "223344"),
        ("1.1.1", "12345"),
        ("11111", "1.2.1"),
    ],
)
@pytest.mark.parametrize("shift", [0, 2.5, 9])
def test_single_boxes(truth, found, shift):
    s = sequence(line(truth), line(found, shift=shift), len(truth))
    agree(evaluate(s), theirs(raw(s)))


@pytest.mark.parametrize("size", [3.0, 9.0, 10.0, 30.0])
def test_iou_of_exactly_the_threshold(size):
    """Half covered: IoU 1/2, and 1/3 of two boxes shifted by half."""
    s = sequence(line("111", size=size), [(f, 1, 0, 0, size, size / 2) for f in range(3)], 3)
    agree(evaluate(s), theirs(raw(s)))
    assert evaluate(s).plain[0, 0] == 3


@pytest.mark.parametrize("threshold", [0.3, 0.75])
def test_other_thresholds(threshold):
    clear = trackeval.metrics.CLEAR({"PRINT_CONFIG": False, "THRESHOLD": threshold})
    identity = trackeval.metrics.Identity({"PRINT_CONFIG": False, "THRESHOLD": threshold})
    for seed in range(20):
        s = wandering(seed, whole=seed % 2 == 0)
        c = dict(zip(PLAIN, evaluate(s, threshold=threshold).pooled().plain[0], strict=True))
        first, second = clear.eval_sequence(raw(s)), identity.eval_sequence(raw(s))
        assert [c[k] for k in ("TP", "IDSW", "Frag", "MT")] == [first[k] for k in ("CLR_TP", "IDSW", "Frag", "MT")]
        assert c["IDTP"] == second["IDTP"]


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_classes_are_pooled_by_counts_and_sequences_added(start):
    given, expected, apart = [], [], []
    for seed in range(start, start + 20):
        s = wandering(seed, classes=3, objects=6, whole=seed % 2 == 0)
        counts = evaluate(s)
        own = [theirs(raw(s, c)) for c in counts.classes.tolist()]
        for k, part in enumerate(own):
            agree(Counts(counts.classes[k : k + 1], counts.plain[k : k + 1], counts.alpha[k : k + 1], 1), part, seed)
        apart.append(combined(own, "combine_classes_det_averaged"))
        agree(counts, apart[-1], seed)
        given.append(evaluate(s, agnostic=True))
        expected.append(theirs(raw(s)))
        agree(given[-1], expected[-1], seed)
    agree(merge(given), combined(expected, "combine_sequences"))


@pytest.mark.parametrize("start", range(0, 120, 40))
@pytest.mark.parametrize("whole", [False, True], ids=["", "ties"])
def test_distractors_take_their_partners_away(start, whole):
    """MOTChallenge's preprocessing, by its own class."""
    dataset = object.__new__(trackeval.datasets.MotChallenge2DBox)
    config = trackeval.datasets.MotChallenge2DBox.get_default_dataset_config()
    names = "pedestrian person_on_vehicle car bicycle motorbike non_mot_vehicle static_person distractor occluder"
    names = [*names.split(), "occluder_on_ground", "occluder_full", "reflection", "crowd"]
    dataset.class_name_to_class_id = {name: k for k, name in enumerate(names, 1)}
    dataset.valid_class_numbers = list(dataset.class_name_to_class_id.values())
    dataset.do_preproc, dataset.benchmark = config["DO_PREPROC"], config["BENCHMARK"]
    changed = 0
    for seed in range(start, start + 40):
        s = wandering(seed, objects=2 + seed % 6, roles=True, whole=whole)
        at = [[np.flatnonzero(t.frame == f) for f in range(s.frames)] for t in (s.truth, s.found)]
        role = s.truth.role
        kinds = np.where(role == DISTRACTOR, 8, np.where((role == ASIDE) & (s.truth.ids % 2 == 0), 3, 1))
        data = raw(s) | {
            "gt_ids": [s.truth.ids[k] for k in at[0]],
            "tracker_ids": [s.found.ids[k] for k in at[1]],
            "gt_classes": [kinds[k] for k in at[0]],
            "tracker_classes": [np.ones(len(k), int) for k in at[1]],
            "tracker_confidences": [np.ones(len(k)) for k in at[1]],
            "gt_dets": [s.truth.xyxy[k] for k in at[0]],
            "tracker_dets": [s.found.xyxy[k] for k in at[1]],
            "gt_extras": [{"zero_marked": (role[k] != ASIDE).astype(int)} for k in at[0]],
        }
        prepared = dataset.get_preprocessed_seq_data(data, "pedestrian")
        changed += prepared["num_tracker_dets"] < len(s.found)
        agree(evaluate(s), theirs(prepared), seed)
    assert changed > 5


@pytest.mark.parametrize("seed", range(10))
def test_masks(seed):
    """Where both sides have masks, it is they that overlap, not their boxes."""
    s = wandering(seed, frames=8, objects=4)
    grid = np.mgrid[:110, :110] + 0.5
    sides = []
    for side in (s.truth, s.found):
        centre, half = (side.xyxy[:, :2] + side.xyxy[:, 2:]) / 2 + 20, (side.xyxy[:, 2:] - side.xyxy[:, :2]) / 2
        x, y = ((grid[1 - k] - centre[:, k, None, None]) / half[:, k, None, None] for k in (0, 1))
        coded = masks.encode(x**2 + y**2 <= 1)
        sides.append(Tracks(side.frame, side.ids, side.class_ids, side.xyxy, masks=coded))
    masked = SequenceTracks("m", s.frames, *sides, size=(110, 110))
    agree(evaluate(masked), theirs(raw(masked)))
    assert evaluate(masked).plain[0, 8] != pytest.approx(evaluate(s).plain[0, 8], abs=1e-3)
