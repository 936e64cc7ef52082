"""TUD-Campus: MOTChallenge's own truth and a tracker's output, read as they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.tracking_import import import_tracks

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
TUD = DATA / "mot" / "TUD-Campus"

pytestmark = pytest.mark.skipif(not TUD.is_dir(), reason=f"the real data are not at {DATA} (set LOUPE_DATA)")


def as_table(tracks) -> np.ndarray:
    """frame, id, x, y, w, h as in the file, by frame and identity."""
    xyxy = tracks.xyxy
    table = np.column_stack([tracks.frame + 1, tracks.ids, xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]])
    return table[np.lexsort((table[:, 1], table[:, 0]))]


def as_written(file: Path) -> np.ndarray:
    table = np.loadtxt(file, delimiter=",")[:, :6]
    return table[np.lexsort((table[:, 1], table[:, 0]))]


@pytest.mark.parametrize("path", [TUD / "gt.txt", TUD, TUD.parent])
def test_the_truth(path):
    data = open_dataset(path, task="tracking", labels_only=True)
    (one,) = data.sequences
    assert (one.name, len(one), data.benchmark, data.class_names) == ("TUD-Campus", 71, "MOT15", ("pedestrian",))
    truth = data.truth_tracks(0)
    assert (len(truth), len(np.unique(truth.ids)), truth.role) == (359, 8, None)
    np.testing.assert_allclose(as_table(truth), as_written(TUD / "gt.txt"), rtol=0, atol=1e-9)
    assert sum(len(target) for target in data.targets) == 359


def test_the_trackers_output():
    found = import_tracks(TUD / "test.txt", open_dataset(TUD / "gt.txt", task="tracking", labels_only=True))
    (tracks,) = found.sequences
    assert (len(tracks), tracks.scores, found.notes) == (222, None, ())
    np.testing.assert_allclose(as_table(tracks), as_written(TUD / "test.txt"), rtol=0, atol=1e-9)


def test_output_of_a_longer_sequence_is_refused(tmp_path):
    other = tmp_path / "TUD-Stadtmitte.txt"
    lines = (TUD / "test.txt").read_text().splitlines()
    other.write_text("\n".join([*lines, "179,1,10,10,20,40,-1,-1,-1,-1"]))
    truth = open_dataset(TUD / "gt.txt", task="tracking", labels_only=True)
    with pytest.raises(
        InputError, match=r"line 223: the frame 179 is past the last, 71 \(of the truth's sequence TUD-C"
    ):
        import_tracks(other, truth)
