"""Tracks for other tools: MOTChallenge text, CSV, and the list of what went wrong."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pandas as pd

from dashboard.explore.tracking.opened import Opened
from dashboard.metrics.tracking.story import KINDS

MOT_DIGITS = 9
"""Of pixels: with three, HOTA of what is written differs from that of the run in the fifth digit."""


def mot_text(view: Opened, place: int) -> str:
    """A sequence as MOTChallenge has it: frame,id,left,top,width,height,score,class,-1,-1; all numbers from 1."""
    found = view.sequences[place].tracks.found
    x0, y0, x1, y1 = found.xyxy.T
    scores = np.ones(len(found)) if found.scores is None else found.scores
    columns = {"frame": found.frame + 1, "id": found.ids, "x": x0, "y": y0, "w": x1 - x0, "h": y1 - y0}
    frame = pd.DataFrame({**columns, "score": scores, "class": found.class_ids + 1, "a": -1, "b": -1})
    return frame.round(MOT_DIGITS).to_csv(header=False, index=False, lineterminator="\n")


def mots_text(view: Opened, place: int) -> str:
    """A sequence of masks as MOTS has it: frame, identity, class, height, width and run lengths, numbered as its truth.

    Raises:
        ValueError: the sequence has no masks.
    """
    tracks, told = view.sequences[place].tracks, view.run.facts.get("mots")
    if told is None:
        raise ValueError(f"{tracks.name} has no masks")
    found = tracks.found
    if not len(found):
        return ""
    assert tracks.size is not None
    height, width = tracks.size
    numbers = np.asarray(told["numbers"])[found.class_ids]
    rows = zip(
        (found.frame + told["first"]).tolist(), found.ids.tolist(), numbers.tolist(), found.masks or (), strict=True
    )
    return "".join(f"{f} {i} {c} {height} {width} {mask.decode()}\n" for f, i, c, mask in rows)


def mot_zip(view: Opened, path: Path) -> Path:
    """Every sequence as ``SEQUENCE.txt`` in one zip, with the class names behind the numbers as ``classes.txt``.

    Tracks of masks are there as the boxes around them, and in the folder ``masks`` as MOTS text.
    """
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for place, stored in enumerate(view.sequences):
            archive.writestr(f"{stored.tracks.name}.txt", mot_text(view, place))
            if "mots" in view.run.facts and len(stored.tracks.found):  # nothing found is the same file in both
                archive.writestr(f"masks/{stored.tracks.name}.txt", mots_text(view, place))
        archive.writestr("classes.txt", "\n".join(view.names) + "\n")
    return path


def tracks_table(view: Opened) -> pd.DataFrame:
    """One row a box: sequence, frame (from 1), identity, class, score, box, and what it was matched with."""
    tables = []
    for place, stored in enumerate(view.sequences):
        found = stored.tracks.found
        x0, y0, x1, y1 = found.xyxy.T
        columns = {
            "sequence": stored.tracks.name,
            "frame": found.frame + 1,
            "id": found.ids,
            "class": np.asarray(view.names, object)[found.class_ids] if len(found) else [],
            "score": found.scores,
            "left": x0,
            "top": y0,
            "right": x1,
            "bottom": y1,
        }
        table = pd.DataFrame(columns)
        if stored.known:
            match = view.story(place).found_match
            ids = np.append(stored.tracks.truth.ids, -1)
            table["true_id"] = np.where(match >= 0, ids[np.maximum(match, -1)], -1)
            table["state"] = np.where(match >= 0, "matched", np.where(match == -1, "false", "not counted"))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def events_table(view: Opened, agnostic: bool = False, places: Sequence[int] | None = None) -> pd.DataFrame:
    """One row an event: sequence, frame (from 1), kind, the true identity and its class, the identity before and after.

    ``from`` and ``to`` are -1 where nobody holds it.
    """
    tables = []
    for place in range(len(view.sequences)) if places is None else places:
        told = view.story(place, agnostic)
        columns = {
            "sequence": view.sequences[place].tracks.name,
            "frame": told.events.frame + 1,
            "kind": [KINDS[k] for k in told.events.kind],
            "true_id": told.events.identity,
            "class": [view.names[k] for k in told.events.class_id],
            "from": told.events.before,
            "to": told.events.after,
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def table_csv(frame: pd.DataFrame) -> str:
    """A table as CSV text."""
    out = io.StringIO()
    frame.to_csv(out, index=False, lineterminator="\n")
    return out.getvalue()
