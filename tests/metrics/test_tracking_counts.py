"""CLEAR, identity and HOTA counts against answers found by hand."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from dashboard.metrics.tracking import assignment, scores
from dashboard.metrics.tracking.columns import ASIDE, DISTRACTOR, SequenceTracks, Tracks
from dashboard.metrics.tracking.counts import Counts, evaluate, merge
from dashboard.metrics.tracking.overlap import box_overlaps
from tests.metrics.tracking_cases import line, sequence, several, wandering


def numbers(s: SequenceTracks, agnostic: bool = False) -> dict[str, float]:
    c = evaluate(s, agnostic).pooled()
    return {name: float(value[0]) for name, value in scores.everything(c.plain, c.alpha, c.frames).items()}


# truth and found, each a list of (who holds it frame by frame, left edge); what follows from them
CASES = {
    "perfect": ([("1111", 0)], [("5555", 0)], {"MOTA": 1, "IDF1": 1, "HOTA": 1, "IDSW": 0, "MT": 1, "Frag": 0}),
    "hopeless": ([("1111", 0)], [("5555", 90)], {"MOTA": -1, "IDF1": 0, "HOTA": 0, "FP": 4, "FN": 4, "ML": 1}),
    "a switch": ([("1111", 0)], [("5566", 0)], {"MOTA": 3 / 4, "IDSW": 1, "Frag": 0, "IDTP": 2, "IDF1": 0.5}),
    "a switch back": ([("1111", 0)], [("5655", 0)], {"IDSW": 2, "MOTA": 0.5, "IDTP": 3, "Frag": 0}),
    "two are swapped": (
        [("1111", 0), ("2222", 50)],
        [("5566", 0), ("6655", 50)],
        {"IDSW": 2, "MOTA": 6 / 8, "IDF1": 0.5, "TP": 8, "MT": 2},
    ),
    "a gap": ([("11111", 0)], [("55.55", 0)], {"FN": 1, "IDSW": 0, "TP": 4, "PT": 1, "MT": 0, "Frag": 0}),
    "a gap while another is found": (
        [("11111", 0), ("22222", 50)],
        [("55.55", 0), ("66666", 50)],
        {"FN": 1, "IDSW": 0, "Frag": 1, "MT": 1, "PT": 1},
    ),
    "a switch over a gap": (
        [("11111", 0), ("22222", 50)],
        [("55.77", 0), ("66666", 50)],
        {"FN": 1, "IDSW": 1, "Frag": 1, "IDTP": 7},
    ),
    "an absence is TrackEval's Frag": (
        [("11.11", 0), ("22222", 50)],
        [("55.55", 0), ("66666", 50)],
        {"Frag": 1, "FN": 0},
    ),
    "one identity for two": (
        [("11..", 0), ("..22", 50)],
        [("55..", 0), ("..55", 50)],
        {"IDSW": 0, "MOTA": 1, "IDTP": 2},
    ),
    "a second box on the same": (
        [("1111", 0)],
        [("5555", 0), ("6666", 0)],
        {"TP": 4, "FP": 4, "MOTA": 0, "precision": 0.5},
    ),
    "mostly tracked is above 80 %": ([("11111", 0)], [("5555.", 0)], {"MT": 0, "PT": 1, "recall": 0.8}),
    "partly tracked from 20 %": ([("11111", 0)], [("5....", 0)], {"PT": 1, "ML": 0}),
    "mostly lost": ([("111111", 0)], [("5.....", 0)], {"PT": 0, "ML": 1, "MLR": 1}),
    "one found too many": (
        [("11", 0)],
        [("55", 0), ("6.", 50)],
        {"FP": 1, "MODA": 0.5, "f1": 2 / 2.5, "FP_per_frame": 0.5},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_by_hand(name):
    truth, found, expected = CASES[name]
    sides = [[row for held, place in side for row in line(held, place)] for side in (truth, found)]
    got = numbers(sequence(*sides, len(truth[0][0])))
    assert {k: got[k] for k in expected} == pytest.approx(expected)


def test_a_pair_stays_though_another_box_lies_nearer():
    """IoU 0.6 with the identity that had it, 1 with the new one: the old one keeps it."""
    truth = line("11", 0, size=8)
    got = numbers(sequence(truth, [*line("55", 0, size=8, shift=2), *line(".6", 0, size=8)], 2))
    assert (got["IDSW"], got["FP"], got["MOTP"]) == (0, 1, pytest.approx(0.6))


def test_the_memory_of_pairs_is_one_frame_long():
    """After a frame in which it was missed the nearer box wins, and that is a switch."""
    truth = [*line("111", 0, size=8), *line("222", 50)]
    found = [*line("5.5", 0, size=8, shift=2), *line("..6", 0, size=8), *line("777", 50)]
    assert numbers(sequence(truth, found, 3))["IDSW"] == 1


def test_hota_by_hand():
    """Two frames by one identity, one by another, of three: IoU 1. c = 2 and 1; AssA = (2 2/3 + 1 1/3) / 3 = 5/9."""
    got = numbers(sequence(line("111"), line("556"), 3))
    assert got["DetA"] == 1
    assert got["AssA"] == pytest.approx(5 / 9)
    assert got["HOTA"] == pytest.approx((5 / 9) ** 0.5)
    assert (got["AssRe"], got["AssPr"], got["LocA"]) == (pytest.approx(5 / 9), 1, 1)


def test_hota_goes_over_thresholds():
    """IoU 0.6 passes the thresholds 0.05 ... 0.6, twelve of nineteen; above them LocA counts 1, as TrackEval has it."""
    got = numbers(sequence(line("111", size=8), line("555", size=8, shift=2), 3))
    assert got["HOTA"] == pytest.approx(12 / 19)
    assert got["LocA"] == pytest.approx((12 * 0.6 + 7) / 19)
    assert (got["HOTA(0)"], got["LocA(0)"]) == (1, pytest.approx(0.6))
    assert got["sMOTA"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("truth", "found", "undefined"),
    [
        ("..", "..", set(scores.CLEAR) | set(scores.IDENTITY) | set(scores.HOTA)),
        ("..", "55", {"MOTA", "MOTP", "MODA", "recall", "IDR", "AssA", "LocA", "DetRe", "MTR", "LocA(0)"}),
        ("11", "..", {"MOTP", "precision", "IDP", "AssA", "LocA", "DetPr", "LocA(0)"}),
    ],
)
def test_what_is_undefined(truth, found, undefined):
    got = numbers(sequence(line(truth), line(found), 2))
    counted = {*scores.COUNTED, "FP_per_frame"}
    assert {k for k, v in got.items() if np.isnan(v)} >= undefined - counted
    assert not any(np.isnan(got[k]) for k in counted)
    assert got["HOTA"] == 0 or "MOTA" in undefined


def test_classes_are_apart_unless_they_do_not_matter():
    s = sequence(line("1111", class_id=0), line("5555", class_id=1), 4)
    assert evaluate(s).classes.tolist() == [0, 1]
    assert (numbers(s)["TP"], numbers(s)["FP"], numbers(s)["FN"]) == (0, 4, 4)
    assert numbers(s, agnostic=True)["MOTA"] == 1
    assert evaluate(s, agnostic=True).classes.tolist() == [-1]


def test_an_identity_of_two_classes_is_two():
    truth = [*line("11..", class_id=0), *line("..11", class_id=1)]
    found = [*line("55..", class_id=0), *line("..66", class_id=1)]
    assert numbers(sequence(truth, found, 4))["IDSW"] == 0
    assert numbers(sequence(truth, found, 4), agnostic=True)["IDSW"] == 1


@pytest.mark.parametrize(("role", "fp"), [(DISTRACTOR, 0), (ASIDE, 2)])
def test_what_meets_a_distractor_is_not_wrong(role, fp):
    truth = [*line("11", 0), *((f, 2, 50, 0, 10, 10, 7, role) for f in range(2))]
    got = numbers(sequence(truth, [*line("55", 0), *line("66", 50)], 2, roles=True))
    assert (got["TP"], got["FP"], got["FN"]) == (2, fp, 0)


def test_truth_takes_its_box_before_a_distractor_does():
    """Both lie on one found box, the truth nearer."""
    truth = [*line("11", 0), *((f, 2, 2, 0, 10, 10, 0, DISTRACTOR) for f in range(2))]
    got = numbers(sequence(truth, line("55", 0), 2, roles=True))
    assert (got["TP"], got["FP"]) == (2, 0)


def test_boxes_without_area_match_nothing():
    truth = [(0, 1, 0, 0, 0, 10), (1, 1, 0, 0, 10, 10)]
    got = numbers(sequence(truth, [(0, 5, 0, 0, 0, 10), (1, 5, 0, 0, 10, 10)], 2))
    assert (got["TP"], got["FN"], got["FP"]) == (1, 1, 1)


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="identity 7 stands twice in frame 3"):
        Tracks(*(np.array(c) for c in ([2, 2], [7, 7], [0, 1])), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="frame must be ascending"):
        Tracks(*(np.array(c) for c in ([2, 1], [7, 7], [0, 0])), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="truth has frame 4, but s has 3 frames"):
        sequence(line("1111"), [], 3)
    with pytest.raises(ValueError, match="threshold"):
        evaluate(sequence([], [], 1), threshold=0)
    masked = Tracks(*(np.array([0]) for _ in range(3)), np.ones((1, 4)), masks=[b"1"])
    with pytest.raises(ValueError, match="size must be given for x"):
        evaluate(SequenceTracks("x", 1, masked, masked))


@pytest.mark.parametrize("seed", range(5))
def test_counts_add_up_in_any_order(seed):
    parts = [evaluate(s) for s in several(6, 3, seed)]
    whole = merge(parts)
    again = merge([merge(parts[:2]), Counts.none(), merge(parts[:1:-1])])
    assert whole.classes.tolist() == again.classes.tolist()
    np.testing.assert_allclose(whole.plain, again.plain)
    np.testing.assert_allclose(whole.alpha, again.alpha)
    assert whole.frames == again.frames == sum(p.frames for p in parts)
    copy = pickle.loads(pickle.dumps(whole))
    assert (copy.plain == whole.plain).all()
    with pytest.raises(ValueError, match=r"classes must be in 0\.\.1"):
        whole.rows(2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_laws(seed, whole):
    s = wandering(seed, frames=8, objects=5, whole=whole)
    got = numbers(s)
    truth, found = len(s.truth), len(s.found)
    assert got["TP"] + got["FN"] == got["IDTP"] + got["IDFN"] == truth
    assert got["TP"] + got["FP"] == got["IDTP"] + got["IDFP"] == found
    assert got["IDSW"] <= got["TP"]
    assert got["MT"] + got["PT"] + got["ML"] == len(np.unique(s.truth.ids))
    for name in ("IDF1", *scores.FAMILY):
        assert np.isnan(got[name]) or -1e-12 <= got[name] <= 1 + 1e-12
    # truth followed by itself is perfect; other numbers for identities, and both sides moved, change nothing
    if truth:
        own = numbers(
            SequenceTracks("s", s.frames, s.truth, Tracks(s.truth.frame, s.truth.ids, s.truth.class_ids, s.truth.xyxy))
        )
        assert own["MOTA"] == own["IDF1"] == 1
        assert own["HOTA"] == pytest.approx(1)
    found_ = Tracks(s.found.frame, 10**12 - 7 * s.found.ids, s.found.class_ids, s.found.xyxy)
    assert numbers(SequenceTracks("s", s.frames, s.truth, found_)) == pytest.approx(got, nan_ok=True)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 7), st.booleans())
def test_settled_pairs_are_in_the_best_assignment(seed, n, m, whole):
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 4, (n, m)) if whole else rng.random((n, m)) ** 4
    dense = dense * (rng.random((n, m)) < 0.6)
    row, col = np.nonzero(dense)
    weight = dense[row, col].astype(float)
    i, j = linear_sum_assignment(-dense)
    best = dense[i, j].sum()
    assert assignment.heaviest(row, col, np.round(weight).astype(int), n, m) == round(
        np.round(dense)[linear_sum_assignment(-np.round(dense))].sum()
    )
    taken, left = assignment.settle(row, col, weight, n, m)
    assert not set(row[left]) & set(row[taken])
    assert len(set(row[taken])) == len(set(col[taken])) == len(taken)
    rest = np.zeros((n, m))
    rest[row[left], col[left]] = weight[left]
    assert weight[taken].sum() + rest[linear_sum_assignment(-rest)].sum() == pytest.approx(best)


def test_large_assignments_take_another_route(monkeypatch):
    rng = np.random.default_rng(0)
    dense = rng.integers(0, 9, (40, 30)) * (rng.random((40, 30)) < 0.3)
    row, col = np.nonzero(dense)
    expected = dense[linear_sum_assignment(-dense)].sum()
    monkeypatch.setattr(assignment, "_DENSE", 10)
    assert assignment.heaviest(row, col, dense[row, col], 40, 30) == expected


def test_very_full_frames_are_looked_at_in_pieces():
    """600 boxes on each side in one frame, then a few: every overlap is found, and the memory stays small."""
    rng = np.random.default_rng(0)
    sides = [rng.uniform(0, 900, (603, 2)) for _ in range(2)]
    boxes = [np.column_stack([s, s + 20]) for s in sides]
    at = np.array([0, 600, 600, 603])
    tracemalloc.start()
    pairs = box_overlaps(boxes[0], boxes[1], at, at)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    dense = (np.abs(sides[0][:, None] - sides[1][None]) < 20).all(axis=2)
    dense[:600, 600:] = dense[600:, :600] = False
    row, col = np.nonzero(dense)
    assert (pairs.row == row).all()
    assert (pairs.col == col).all()
    assert peak < 4e6


def test_thousands_of_identities_are_no_matter():
    """3,000 true and as many found identities of two frames each; a matrix of all by all would be 288 MB."""
    rows = [(k, k + d, 100 * (k + d), 0, 10, 10) for k in range(1, 3000) for d in (0, 1)]
    tracemalloc.start()
    got = numbers(sequence(rows, rows, 3001))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert got["IDF1"] == got["MOTA"] == 1
    assert peak < 60e6
