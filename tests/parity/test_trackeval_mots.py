"""Mask tracks against TrackEval's MOTSChallenge and KittiMOTS, from the same files to the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.datasets.opening import open_dataset
from dashboard.metrics.tracking.columns import REGION, SequenceTracks
from dashboard.metrics.tracking.counts import Counts, evaluate, merge
from dashboard.metrics.tracking.problem import prepare
from dashboard.tracking_import import import_tracks
from tests.mots_files import world, write
from tests.parity.test_trackeval import agree, combined, theirs

trackeval = pytest.importorskip("trackeval")
FRAMES = 7
KINDS = {"MOTS": ("MOTSChallenge", 1, (2,)), "KITTI-MOTS": ("KittiMOTS", 0, (1, 2))}


def oracle(root: Path, kind: str, lengths: dict[str, int]) -> Any:
    """TrackEval's dataset over the files."""
    config = {"GT_FOLDER": str(root / "truth"), "TRACKERS_FOLDER": str(root), "TRACKERS_TO_EVAL": ["found"]}
    config |= {"SEQ_INFO": lengths, "SKIP_SPLIT_FOL": True, "PRINT_CONFIG": False}
    return getattr(trackeval.datasets, kind)(config)


def read(root: Path, labels: Path) -> tuple[Any, list[SequenceTracks]]:
    """The same files, as they are read here."""
    truth = open_dataset(labels, task="tracking", labels_only=True)
    found = import_tracks(root / "found", truth)
    sides = zip(truth.sequences, map(truth.truth_tracks, range(len(truth.sequences))), found.sequences, strict=True)
    return truth, [SequenceTracks(one.name, len(one), true, mine, one.size) for one, true, mine in sides]


def of(counts: Counts, number: int) -> Counts:
    """One class of them."""
    row = counts.rows(2)
    return Counts(row.classes[number : number + 1], row.plain[number : number + 1], row.alpha[number : number + 1], 1)


@pytest.mark.parametrize("benchmark", KINDS)
@pytest.mark.parametrize("start", range(0, 60, 20))
def test_random_folders(tmp_path, benchmark, start):
    """Two sequences a folder: each class of each, and of both together; regions that overlap, take away and do not."""
    kind, first, numbers = KINDS[benchmark]
    removed = spared = swaps = 0
    for seed in range(start, start + 20, 2):
        root = tmp_path / f"kitti-{seed}" if first == 0 else tmp_path / str(seed)
        lengths: dict[str, int] = {}
        for name, number in (("0001", seed), ("0002", seed + 1)):
            truth, found = world(number, FRAMES + number % 3, numbers)
            lengths[name] = FRAMES + number % 3 if first else truth[-1][0] + 1
            write(root, name, truth, [row for row in found if row[0] < lengths[name]], lengths[name], first)
        theirs_ = oracle(root, kind, lengths)
        dataset, sequences = read(root, root / "truth")
        assert dataset.benchmark == benchmark
        assert [len(one) for one in dataset.sequences] == list(lengths.values())
        counts = [evaluate(s) for s in sequences]
        for place, name in enumerate(dataset.class_names):
            each = []
            for s, ours in zip(sequences, counts, strict=True):
                data = theirs_.get_preprocessed_seq_data(theirs_.get_raw_seq_data("found", s.name), name)
                each.append(theirs(data))
                agree(of(ours, place), each[-1], (seed, s.name, name))
            if sum(part["CLEAR"]["CLR_TP"] + part["CLEAR"]["CLR_FN"] for part in each):  # else MOTA is undefined here
                agree(of(merge(counts), place), combined(each, "combine_sequences"), (seed, name))
        gone = [int((~prepare(s).found).sum()) for s in sequences]
        removed += sum(gone)
        spared += sum(len(s.found) for s in sequences) - sum(gone)
        swaps += int(merge(counts).pooled().plain[0, 3])
        assert any((np.asarray(s.truth.role) == REGION).any() for s in sequences)
    assert removed > 10
    assert spared > 100
    assert swaps > 3
