"""Reports of enhancement and of tracking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.explore import enhancement, tracking
from dashboard.explore.overview import Data
from dashboard.explore.small import MISSED, RIGHT, THUMB, WRONG, jpeg_uri
from dashboard.reporting.pages import Card, Chart, OpenedPages, Table, entry_of
from dashboard.store import Run

APART = 12
"""Frames of a sequence that must lie between two that are shown: neighbours look the same."""


class EnhancementPages(OpenedPages):
    """Pictures against their references."""

    drawn = "ui.report.pictures.answers"

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__(runs, enhancement.opened)
        self.referenced = any(v.referenced for v in self.views)

    def figures(self) -> Data:
        """See ``Pages``."""
        return enhancement.figures_data(self.views)

    def others(self) -> Data:
        """See ``Pages``."""
        return enhancement.other_figures(self.views)

    def charts(self) -> Iterator[Chart]:
        """See ``Pages``."""
        for kind in enhancement.charts(self.views):
            if (kind in enhancement.CHARTS and not self.referenced) or (kind == "versus" and len(self.views) == 1):
                continue
            if kind not in enhancement.CHARTS and kind not in self.runs[0].results():
                continue
            known = kind in enhancement.CHARTS
            for measure in ("psnr", "ssim") if known else ("psnr",):
                title = f"ui.enh.chart.{kind}\tui.axis.{measure}" if known else kind
                figure = enhancement.chart(self.views, kind, measure)
                yield Chart(title, figure, entry_of(f"chart_enh_{kind}"))

    def tables(self, place: int) -> list[Table]:
        """See ``Pages``."""
        names = ("fidelity", "losses") if self.views[place].referenced else ("plain",)
        return [Table(f"ui.enh.columns.{n}", enhancement.images_data(self.views[place], n)) for n in names]

    def conventions(self) -> Table:
        """The same pictures by every convention, all runs in one table."""
        return Table("ui.enh.convention", enhancement.conventions_data(self.views))

    def hardest(self, place: int, most: int) -> list[int]:
        """Images with the highest squared error; without references the blurriest last, in dataset order."""
        chosen = enhancement.selected(self.views, enhancement.ALL, self.hardest_by() or "dataset", place)
        return [int(self.views[place].index[i]) for i in chosen.images[:most]]

    def hardest_by(self) -> str:
        """See ``Pages``."""
        return "enh_l2" if self.referenced else ""

    def cards(self, place: int, index: Sequence[int], pictures: Dataset | None) -> list[Card | None]:
        """The run's answers, which are stored with it: they do not need the dataset."""

        def one(view: Any, at: int) -> Data:
            return enhancement.gallery_data([view], enhancement.ALL, "dataset", start=at, most=at + 1)[0]

        return self.cards_of(place, index, one)


class TrackingPages(OpenedPages):
    """Identities over frames."""

    drawn = "ui.report.pictures.tracks"

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__(runs, tracking.opened)

    def figures(self) -> Data:
        """See ``Pages``."""
        return tracking.figures_data(self.views)

    def others(self) -> Data:
        """See ``Pages``."""
        return tracking.other_figures(self.views)

    def charts(self) -> Iterator[Chart]:
        """See ``Pages``."""
        for kind in tracking.charts(self.views):
            if kind == "sequences":
                for measure in ("HOTA", "IDF1"):
                    figure = tracking.chart(self.views, kind, measure)
                    yield Chart(f"ui.trk.chart.{kind}\t{measure}", figure, f"chart_trk_{kind}")
                continue
            known = kind in tracking.CHARTS
            if not known and kind not in self.runs[0].results():
                continue
            title = f"ui.trk.chart.{kind}" if known else kind
            yield Chart(title, tracking.chart(self.views, kind, "HOTA"), entry_of(f"chart_trk_{kind}"))

    def tables(self, place: int) -> list[Table]:
        """See ``Pages``."""
        view, found = self.views[place], []
        for columns in ("summary", "association", "tracks") if view.known else ("summary",):
            data = tracking.table_data(view, "sequence", columns, False)
            found.append(Table(f"ui.trk.table.sequence\tui.trk.columns.{columns}", data))
        if view.known and len(view.names) > 1:
            found.append(Table("ui.trk.table.class", tracking.table_data(view, "class", "summary", False)))
        return found

    def hardest(self, place: int, most: int) -> list[int]:
        """Frames with most misses, false boxes and switches, not too near to each other."""
        errors, index, frames, which = [], [], [], []
        for k, stored in enumerate(self.views[place].sequences):
            if stored.known:
                told = self.views[place].story(k)
                errors.append((told.fp + told.fn + told.idsw)[stored.frames])
                index.append(stored.index)
                frames.append(stored.frames)
                which.append(np.full(len(stored.frames), k))
        if not errors:
            return []
        wrong, at, frame, sequence = (np.concatenate(v) for v in (errors, index, frames, which))
        chosen: list[int] = []
        for place_of in np.argsort(-wrong, kind="stable"):
            if len(chosen) >= most or not wrong[place_of]:
                break
            near = [c for c in chosen if sequence[c] == sequence[place_of]]
            if all(abs(int(frame[c]) - int(frame[place_of])) >= APART for c in near):
                chosen.append(int(place_of))
        return [int(at[c]) for c in chosen]

    def hardest_by(self) -> str:
        """See ``Pages``."""
        return "errors"

    def cards(self, place: int, index: Sequence[int], pictures: Dataset | None) -> list[Card | None]:
        """See ``Pages``."""
        return [self._card(place, int(i), pictures) for i in index]

    def _card(self, place: int, index: int, pictures: Dataset | None) -> Card | None:
        """A frame, its boxes drawn, and how many of them are right, false and missed."""
        view = self.views[place]
        for k, stored in enumerate(view.sequences):
            at = np.flatnonzero(stored.index == index)
            if not at.size:
                continue
            frame, told = int(stored.frames[at[0]]), view.story(k)
            text = ""
            if stored.known:
                right, false, lost = (int(v[frame]) for v in (told.tp, told.fp, told.fn))
                text = f"{right} ✓ {false} ✕ {lost} ?" + (f" {told.idsw[frame]} ⇄" if told.idsw[frame] else "")
            thumb = None if pictures is None else self._drawn(place, k, frame, index, pictures)
            return Card(str(stored.ids[at[0]]), thumb, None, text)
        return None

    def _drawn(self, place: int, sequence: int, frame: int, index: int, pictures: Dataset) -> str | None:
        """The frame as a small JPEG; None if it cannot be read."""
        try:
            picture = pictures[index].image
        except InputError:
            return None
        scale = 1.5 * THUMB / max(picture.shape[:2])
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        canvas: Any = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        tracks, told = self.views[place].sequences[sequence].tracks, self.views[place].story(sequence)
        known = self.views[place].sequences[sequence].known
        for row in np.flatnonzero(tracks.truth.frame == frame) if known else ():
            if told.truth_match[row] == -1:
                self._box(canvas, tracks.truth.xyxy[row] * scale, MISSED, "?")
        for row in np.flatnonzero(tracks.found.frame == frame):
            matched = not known or told.found_match[row] >= 0
            if matched or told.found_match[row] == -1:
                color = RIGHT if matched else WRONG
                self._box(
                    canvas, tracks.found.xyxy[row] * scale, color, f"{'' if matched else 'x '}#{tracks.found.ids[row]}"
                )
        return jpeg_uri(canvas)

    @staticmethod
    def _box(canvas: Any, xyxy: Any, color: tuple[int, int, int], text: str) -> None:
        """A box with a few letters."""
        x0, y0, x1, y1 = (round(float(v)) for v in xyxy)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), color, 2)
        cv2.putText(canvas, text, (x0 + 2, max(10, y0 + 11)), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(canvas, text, (x0 + 2, max(10, y0 + 11)), cv2.FONT_HERSHEY_SIMPLEX, 0.36, color, 1, cv2.LINE_AA)
