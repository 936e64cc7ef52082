"""Evidence, its intervals, and the registered metrics of tracking."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from dashboard.metrics import METRICS
from dashboard.metrics.tracking import scores
from dashboard.metrics.tracking.columns import SequenceTracks
from dashboard.metrics.tracking.counts import count, merge, solve
from dashboard.metrics.tracking.evidence import BLOCKS, INTERVALS, LEAST, MANY, Evidence, evidence, join
from dashboard.metrics.tracking.problem import prepare
from dashboard.results import ClassTable, Curves, Scalars
from tests.metrics.tracking_cases import line, sequence, several, wandering


def scalars(found: Evidence, classes: int = 3) -> Scalars:
    parts: list[Scalars] = []
    for name in METRICS.names(task="tracking", multilabel=False):
        metric = METRICS.get(name)([str(c) for c in range(classes)])
        metric.take(found)
        parts.append(metric.compute()["scores"])
    return Scalars(*({k: v for p in parts for k, v in getattr(p, f).items()} for f in Scalars.__dataclass_fields__))


def values(sequences: list[SequenceTracks]) -> dict[str, float]:
    c = merge([count([solve(p) for p in prepare(s).problems()], s.frames) for s in sequences]).pooled()
    return {name: float(v[0]) for name, v in scores.everything(c.plain, c.alpha, c.frames).items()}


@pytest.mark.parametrize("many", [3, 9, 12])
def test_evidence_joins_as_one_pass(many):
    sequences = several(many, 3)
    apart = join([evidence([s]) for s in sequences])
    whole = evidence(sequences)
    uneven = join([evidence(sequences[:2]), join([evidence([]), evidence(sequences[2:])])])
    assert (whole.solved is None) == (many >= MANY)
    for other in (apart, uneven, pickle.loads(pickle.dumps(whole))):
        assert other.names == whole.names
        assert (other.whole.plain == whole.whole.plain).all()
        assert scalars(other).values == pytest.approx(scalars(whole).values, nan_ok=True)
        for name in INTERVALS:
            assert other.intervals[name] == pytest.approx(whole.intervals[name], nan_ok=True)
    with pytest.raises(ValueError, match="no samples"):
        join([])


@pytest.mark.parametrize("many", [2, 12])
def test_intervals_hold_their_value_and_are_possible(many):
    sequences = [wandering(k, frames=40, objects=5) for k in range(many)]
    found = evidence(sequences)
    now = values(sequences)
    for name, (low, high) in found.intervals.items():
        assert low < now[name] < high <= 1
        assert low >= 0 or name == "MOTA"
        assert high - low < 0.5


def test_blocks_left_out_are_counted_anew():
    """The error is that of twenty evaluations from the start, each without a twentieth of the frames.

    Matches of the other frames stay as they were: identities that change hands at random, as here, is where that shows.
    """
    whole = wandering(5, frames=400, objects=6)
    found = evidence([whole])
    again = []
    for k in range(BLOCKS):
        first, last = 20 * k, 20 * k + 20
        sides = []
        for side in (whole.truth, whole.found):
            kept = side.take((side.frame < first) | (side.frame >= last))
            object.__setattr__(kept, "frame", kept.frame - 20 * (kept.frame >= last))
            sides.append(kept)
        again.append(values([SequenceTracks("s", 380, *sides)]))
    for name in INTERVALS:
        each = np.array([a[name] for a in again])
        half = 2.0930 * np.sqrt((BLOCKS - 1) / BLOCKS * ((each - each.mean()) ** 2).sum())
        low, high = found.intervals[name]
        assert high - low == pytest.approx(2 * half, rel=0.01 if name in ("MOTA", "IDF1") else 0.15)
        assert (high + low) / 2 == pytest.approx(values([whole])[name])


def test_intervals_of_independent_frames_are_those_of_the_theory():
    """A box that is found or not by the toss of a coin: MOTA is a proportion; standard error sqrt(p q / n)."""
    rng = np.random.default_rng(1)
    held = "".join("5" if x else "." for x in rng.random(2000) < 0.7)
    found = evidence([sequence(line("1" * 2000), line(held), 2000)])
    low, high = found.intervals["MOTA"]
    p = held.count("5") / 2000
    assert (high + low) / 2 == pytest.approx(p)
    assert (high - low) / 2 == pytest.approx(2.093 * np.sqrt(p * (1 - p) / 2000), rel=0.35)  # of 20 blocks: +-16 %


@pytest.mark.parametrize("frames", [LEAST - 1, LEAST])
def test_too_few_frames_have_no_interval(frames):
    ends = evidence([wandering(1, frames=frames)]).intervals
    assert np.isnan(list(ends.values())).all() == (frames < LEAST)


def test_no_spread_is_no_interval():
    s = sequence(line("1" * 50), line("5" * 50), 50)
    for found in (evidence([s]), evidence([s] * 9)):
        assert np.isnan(list(found.intervals.values())).all()
    empty = sequence([], [], 50)
    for found in (evidence([empty]), evidence([empty] * 9)):
        assert np.isnan(list(found.intervals.values())).all()


def test_tables_and_curves():
    sequences = several(10, 3)
    found = evidence(sequences)
    for name in METRICS.names(task="tracking", multilabel=False):
        metric = METRICS.get(name)(["a", "b", "c", "never"])
        metric.take(found)
        results = metric.compute()
        table, rows = results["per_class"], results["per_sequence"]
        assert isinstance(table, ClassTable)
        assert isinstance(rows, ClassTable)
        assert list(rows.classes) == [s.name for s in sequences]
        truth = np.concatenate(
            [s.truth.class_ids[s.truth.role == 0 if s.truth.role is not None else slice(None)] for s in sequences]
        )
        assert table.columns["support"].tolist() == [(truth == c).sum() for c in range(4)]
        assert rows.columns["support"].sum() == len(truth)
        assert rows.columns["frames"].tolist() == [s.frames for s in sequences]
        for k, s in enumerate(sequences):
            alone = values([s])
            for column in set(rows.columns) & set(alone):
                assert rows.columns[column][k] == pytest.approx(alone[column], nan_ok=True)
        some = results["scores"]
        assert isinstance(some, Scalars)
        for column in set(table.columns) & set(scores.COUNTED):
            assert table.columns[column].sum() == some.values[column] == rows.columns[column].sum()
        if name == "hota":
            curves = results["over_alpha"]
            assert isinstance(curves, Curves)
            assert curves.y[0].mean() == pytest.approx(some.values["HOTA"])
            assert curves.labels == ("HOTA", "DetA", "AssA", "LocA")


def test_numbers_regardless_of_class_only_where_there_are_classes():
    one, two = (scalars(evidence([wandering(k, classes=k) for _ in range(2)])) for k in (1, 2))
    assert not [k for k in one.values if k.endswith("_agnostic")]
    assert two.values["IDF1_agnostic"] > two.values["IDF1"]
    assert two.units["IDSW_agnostic"] == "count"
    assert two.higher_is_better["FP_agnostic"] is False
    assert "PT_agnostic" not in two.higher_is_better
    assert len(two.values) == 2 * len(one.values)


def test_classes_past_the_names_are_refused():
    metric = METRICS.get("clear")(["a"])
    with pytest.raises(ValueError, match=r"classes must be in 0\.\.0, got \[0, 2\]"):
        metric.update([sequence([*line("11"), *line("22", 50, class_id=2)], [], 2)])
    assert not metric.parts
