"""What happens in a sequence, frame by frame: who is matched with whom, who is handed over, lost and found again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard.metrics.tracking import clear
from dashboard.metrics.tracking.columns import SequenceTracks, Tracks
from dashboard.metrics.tracking.overlap import Floats, Ints
from dashboard.metrics.tracking.problem import THRESHOLD, Problem, prepare

SWITCH, FRAGMENT, LOST = 0, 1, 2
KINDS = ("switch", "fragment", "lost")
NOBODY, REMOVED = -1, -2


@dataclass(frozen=True, eq=False)
class Events:
    """Moments at which a truth changes hands, by frame, then by kind.

    Attributes:
        frame: (E,) from 0.
        kind: (E,) positions in ``KINDS``. "switch": matched by another found identity than the last time it was
            matched. "fragment": matched again after frames in which it was there and not matched. "lost": the first
            frame in which it is there and not matched after having been matched. A frame may have a switch and a
            fragment of the same truth.
        identity: (E,) true identity.
        class_id: (E,) of the truth.
        before: (E,) found identity that had it last.
        after: (E,) found identity that has it now; -1 when lost.
        truth_row: (E,) row in ``sequence.truth``.
    """

    frame: Ints
    kind: Ints
    identity: Ints
    class_id: Ints
    before: Ints
    after: Ints
    truth_row: Ints

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True, eq=False)
class Lanes:
    """Each true identity over time: stretches in which the same found identity has it, or nobody has.

    A true identity of two classes is two lanes. Frames in which it is not there are in no stretch.

    Attributes:
        identity: (L,) true identity of each lane, by class, then identity.
        class_id: (L,) of each lane.
        lane: (S,) which lane a stretch is in, ascending.
        start, stop: (S,) frames, half-open.
        holder: (S,) found identity, -1 where it is there and not matched.
    """

    identity: Ints
    class_id: Ints
    lane: Ints
    start: Ints
    stop: Ints
    holder: Ints


@dataclass(frozen=True, eq=False)
class FoundTracks:
    """Each found identity.

    Attributes:
        identity: (T,) its number, by class (one row a class it was given), then identity.
        class_id: (T,).
        birth, death: (T,) its first frame and the one after its last.
        boxes: (T,) frames in which it has a box.
        hits: (T,) frames in which it is matched.
        truths: (T,) how many true identities it has held.
    """

    identity: Ints
    class_id: Ints
    birth: Ints
    death: Ints
    boxes: Ints
    hits: Ints
    truths: Ints


@dataclass(frozen=True, eq=False)
class Story:
    """All of it.

    Attributes:
        tp, fp, fn, idsw: (F,) int64 of each frame.
        mota: (F,) MOTA of the sequence up to and with each frame; NaN until there is truth.
        truth_match: (R,) row in ``sequence.found`` that each true row is matched with, -1 if none, -2 for truth that
            does not count (distractors and what stands aside).
        found_match: (C,) row in ``sequence.truth``, -1 if none, -2 for boxes taken away with a distractor.
        iou: (R,) of each match, NaN without.
        events: with as many switches as IDSW. Fragments are not TrackEval's Frag, which also counts a truth that was
            absent in between, and passes over frames in which nothing at all was found.
        lanes: of the true identities.
        tracks: of the found identities.
    """

    tp: Ints
    fp: Ints
    fn: Ints
    idsw: Ints
    mota: Floats
    truth_match: Ints
    found_match: Ints
    iou: Floats
    events: Events
    lanes: Lanes
    tracks: FoundTracks


def story(sequence: SequenceTracks, agnostic: bool = False, threshold: float = THRESHOLD) -> Story:
    """Tell what CLEAR's matching did.

    Args:
        sequence: both sides.
        agnostic: whether boxes of different classes may match; classes then are those of the truth, and of a found
            identity's first box.
        threshold: least IoU of a match, above 0.
    """
    prepared = prepare(sequence)
    truth, found, frames = sequence.truth, sequence.found, sequence.frames
    truth_match = np.where(prepared.truth, NOBODY, REMOVED)
    found_match = np.where(prepared.found, NOBODY, REMOVED)
    iou = np.full(len(truth), np.nan)
    events, lanes, tracks = [], [], []
    for problem in prepared.problems(agnostic):
        matched = clear.match(problem, threshold)
        rows = problem.truth.rows
        mine = matched.partner >= 0
        truth_match[rows[mine]] = problem.found.rows[matched.partner[mine]]
        iou[rows] = matched.iou
        events.append(_events(problem, matched, truth))
        lanes.append(_lanes(problem, matched, truth))
        tracks.append(_tracks(problem, matched, found))
    hit = np.flatnonzero(truth_match >= 0)
    found_match[truth_match[hit]] = hit
    tp, fn = (_per_frame(truth.frame[keep], frames) for keep in (hit, truth_match == NOBODY))
    fp = _per_frame(found.frame[found_match == NOBODY], frames)
    e = Events(
        *_stacked([[x.frame, x.kind, x.identity, x.class_id, x.before, x.after, x.truth_row] for x in events], 7)
    )
    order = np.lexsort((e.truth_row, e.kind, e.frame))
    e = Events(*(getattr(e, name)[order] for name in Events.__dataclass_fields__))
    idsw = _per_frame(e.frame[e.kind == SWITCH], frames)
    there, wrong = np.cumsum(tp + fn), np.cumsum(fn + fp + idsw)
    mota = 1 - np.where(there > 0, wrong, np.nan) / np.maximum(there, 1)
    return Story(tp, fp, fn, idsw, mota, truth_match, found_match, iou, e, _joined_lanes(lanes), _joined_tracks(tracks))


def _holders(problem: Problem, matched: clear.Matched) -> tuple[Ints, Ints]:
    """True rows by identity, then by frame, and the found identity that has each, -1 if none."""
    order = problem.truth.by_identity
    partner = matched.partner[order]
    found = problem.found
    if not len(found):
        return order, np.full(len(order), NOBODY)
    return order, np.where(partner >= 0, found.names[found.ids[partner]], NOBODY)


def _events(problem: Problem, matched: clear.Matched, truth: Tracks) -> Events:
    """Events of one problem."""
    order, holder = _holders(problem, matched)
    who = problem.truth.ids[order]
    hit = matched.partner[order] >= 0
    place = np.arange(len(order))
    last = np.maximum.accumulate(np.where(hit, place, -1)) if len(place) else place
    last = np.concatenate([[-1], last[:-1]])[: len(place)]  # the match before this row
    last = np.where((last >= 0) & (who[last] == who), last, -1) if len(place) else last
    known = last >= 0
    switch = hit & known & (holder != holder[last])
    fragment = hit & known & (place - last > 1)
    lost = ~hit & known & (place - last == 1)
    columns = []
    for kind, which in ((SWITCH, switch), (FRAGMENT, fragment), (LOST, lost)):
        at = np.flatnonzero(which)
        rows = problem.truth.rows[order[at]]
        about = [truth.frame[rows], np.full(len(at), kind), truth.ids[rows], truth.class_ids[rows]]
        columns.append([*about, holder[last[at]], holder[at], rows])
    return Events(*_stacked(columns, 7))


def _lanes(problem: Problem, matched: clear.Matched, truth: Tracks) -> Lanes:
    """Lanes of one problem, a row an identity."""
    order, holder = _holders(problem, matched)
    side = problem.truth
    frame, who = side.frame[order], side.ids[order]
    begins = np.ones(len(order), bool)
    begins[1:] = (np.diff(who) != 0) | (np.diff(frame) != 1) | (np.diff(holder) != 0)
    first = np.flatnonzero(begins)
    final = np.append(first[1:], len(order)) - 1
    heads = np.searchsorted(who, np.arange(len(side.names)))
    classes = truth.class_ids[side.rows[order[heads]]]
    return Lanes(side.names, classes, who[first], frame[first], frame[final[: len(first)]] + 1, holder[first])


def _tracks(problem: Problem, matched: clear.Matched, found: Tracks) -> FoundTracks:
    """Found identities of one problem."""
    side = problem.found
    order = side.by_identity
    who, frame = side.ids[order], side.frame[order]
    heads = np.searchsorted(who, np.arange(len(side.names)))
    tails = np.append(heads[1:], len(order)) - 1
    taken = matched.partner[matched.rows]
    hits = np.bincount(side.ids[taken], minlength=len(side.names))
    pairs = np.unique(side.ids[taken] * max(1, len(problem.truth.names)) + problem.truth.ids[matched.rows])
    truths = np.bincount(pairs // max(1, len(problem.truth.names)), minlength=len(side.names))
    classes = found.class_ids[side.rows[order[heads]]]
    tails = tails[: len(heads)]
    return FoundTracks(side.names, classes, frame[heads], frame[tails] + 1, side.lengths, hits, truths)


def _joined_lanes(parts: list[Lanes]) -> Lanes:
    starts = np.cumsum([0, *(len(p.identity) for p in parts)])
    columns = [
        [p.identity, p.class_id, p.lane + start, p.start, p.stop, p.holder]
        for p, start in zip(parts, starts.tolist(), strict=False)
    ]
    return Lanes(*_stacked(columns, 6))


def _joined_tracks(parts: list[FoundTracks]) -> FoundTracks:
    names = tuple(FoundTracks.__dataclass_fields__)
    return FoundTracks(*_stacked([[getattr(p, name) for name in names] for p in parts], len(names)))


def _stacked(parts: list[list[Ints]], columns: int) -> list[Ints]:
    """Columns of several tables, one below the other."""
    return [np.concatenate([np.empty(0, np.int64), *(p[k] for p in parts)]).astype(np.int64) for k in range(columns)]


def _per_frame(frame: Ints, frames: int) -> Ints:
    return np.bincount(frame, minlength=frames)
