"""Reports of tasks whose numbers are by class: classification, detection, instance and semantic segmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from dashboard import explore
from dashboard.datasets.base import Dataset
from dashboard.explore import detection, overview, segmentation
from dashboard.explore.overview import Data
from dashboard.explore.pictures import thumb_uri
from dashboard.metrics.detection.operating import Point
from dashboard.reporting.pages import Card, Cells, Chart, OpenedPages, Pages, Table, entry_of
from dashboard.reporting.words import explained
from dashboard.selection import ALL, literal, select, usable_sort
from dashboard.store import Run


class ClassificationPages(Pages):
    """Charts of scores, the class table, the matrix and the pictures with the highest loss."""

    def figures(self) -> Data:
        """See ``Pages``."""
        return explore.figures_data(self.runs)

    def others(self) -> Data:
        """See ``Pages``."""
        return explore.figures_data(self.runs, explore.other_figures(self.runs) or ["-"])

    def charts(self) -> Iterator[Chart]:
        """See ``Pages``."""
        for kind in explore.charts(self.runs):
            known = kind in explore.KNOWN_CHARTS
            if kind == "confidence":  # of one run: there is one a run
                for run in self.runs:
                    if any(n.endswith(".confidence") for n in run.results()):
                        title = f"ui.chart.{kind}" if len(self.runs) == 1 else f"ui.chart.{kind}\t{run.model}"
                        yield Chart(title, explore.chart([run], kind), kind)
                continue
            title = f"ui.chart.{kind}" if known else kind
            yield Chart(title, explore.chart(self.runs, kind, None, 0), kind if known else "")

    def tables(self, place: int) -> list[Table]:
        """See ``Pages``."""
        return [Table("ui.report.classes", explore.table_data(self.runs[place]))]

    def matrix(self, place: int) -> Cells | None:
        """See ``Pages``."""
        run = self.runs[place]
        if run.facts.get("multilabel"):
            return None
        with duckdb.connect() as db:
            query = "select label, predicted, count(*) as n from read_parquet(?) group by all"
            rows = db.execute(query, [literal(run.rows_path)]).fetchnumpy()
        return _cells(rows["label"], rows["predicted"], rows["n"], run.classes, "confusion")

    def hardest(self, place: int, most: int) -> list[int]:
        """Wrong answers, the surest first (the highest loss)."""
        run = self.runs[place]
        frame = select(run, ALL, usable_sort(run, "cross_entropy"), errors_only=True)
        return [int(i) for i in frame["index"].head(most)]

    def hardest_by(self) -> str:
        """See ``Pages``."""
        return usable_sort(self.runs[0], "cross_entropy")

    def cards(self, place: int, index: Sequence[int], pictures: Dataset | None) -> list[Card | None]:
        """See ``Pages``."""
        run = self.runs[place]
        with duckdb.connect() as db:
            db.register("wanted", pd.DataFrame({"index": np.asarray(index, np.int64)}))
            query = "select r.* from read_parquet(?) r semi join wanted using (index)"
            rows = db.execute(query, [literal(run.rows_path)]).df().set_index("index", drop=False)
        names = run.classes
        return [_answer(rows.loc[i], names, pictures) if i in rows.index else None for i in index]


def _answer(row: pd.Series, names: Sequence[str], pictures: Dataset | None) -> Card:
    """A row of a classification run as a card."""
    thumb = None if pictures is None else thumb_uri(pictures, int(row["index"]))
    if "labels" in row:
        true, said = (", ".join(names[i] for i in row[c]) or "∅" for c in ("labels", "predicted_labels"))
        return Card(row["id"], thumb, true, said, bool(row["correct"]))
    sure = float(row["confidence"])
    true, said = names[int(row["label"])], names[int(row["predicted"])]
    return Card(row["id"], thumb, true, said, bool(row["correct"]), sure if np.isfinite(sure) else None)


def _cells(true: np.ndarray, found: np.ndarray, often: np.ndarray, names: Sequence[str], entry: str) -> Cells:
    """A matrix of the classes that occur."""
    used = np.unique(np.concatenate([true, found]))
    counts = np.zeros((len(used), len(used)), np.int64)
    np.add.at(counts, (np.searchsorted(used, true), np.searchsorted(used, found)), often)
    return Cells([names[i] for i in used], counts, entry)


class DetectionPages(OpenedPages):
    """Detection and instance segmentation, at the confidence of each run's best F1."""

    drawn = "ui.report.pictures.boxes"

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__(runs, detection.opened)

    def point(self, place: int) -> Point:
        """Where a run's precision and recall are told: the confidence of its best F1, IoU .5."""
        stored = self.runs[place].metrics.get("operating_confidence")
        return Point(self.views[place].best if stored is None else float(stored), 0, 100)

    def figures(self) -> Data:
        """As stored: each run at its own operating point."""
        names = (*detection.tables.FIGURES, *detection.tables.RATES, "operating_confidence")
        there = [n for n in names if any(r.metrics.get(n) is not None for r in self.runs)]
        data = overview.figures_data(self.runs, there)
        for card in data["figures"]:
            if card["key"] == "operating_confidence":
                for cell in card["cells"]:
                    cell.pop("best", None)
            card["key"] = explained("detection", card["key"])
        if any(r.timing.get("latency_ms") for r in self.runs):
            data["figures"].append(overview.latency_card(self.runs))
        if self.different:
            overview.unmark(data["figures"])
        return data | {"warnings": overview.common_warnings(self.runs)}

    def others(self) -> Data:
        """See ``Pages``."""
        data = detection.tables.other_figures(self.runs)
        data["figures"] = [c for c in data["figures"] if c["key"] != "operating_confidence"]
        return data

    def charts(self) -> Iterator[Chart]:
        """See ``Pages``."""
        several = len(self.runs) > 1
        for kind in detection.charts(self.views):
            entry = entry_of(kind, f"det_{kind}_histogram", *(("matching_iou",) if kind == "ious" else ()))
            title = f"ui.det.chart.{kind}" if kind in detection.CHARTS else kind
            single = kind in ("iou", "score", "objects") or kind not in detection.CHARTS  # drawn of one run only
            if kind == "iou":
                entry = "det_iou_histogram"
            for k in range(len(self.views) if single else 1):
                if single and kind not in detection.CHARTS and kind not in self.runs[k].results():
                    continue
                shown = self.views[k : k + 1] if single else self.views
                figure = detection.chart(shown, kind, self.point(k), None, 0)
                yield Chart(f"{title}\t{self.runs[k].model}" if single and several else title, figure, entry)

    def tables(self, place: int) -> list[Table]:
        """See ``Pages``."""
        return [Table("ui.report.classes", detection.table_data(self.views[place], self.point(place)))]

    def matrix(self, place: int) -> Cells | None:
        """See ``Pages``."""
        data = detection.matrix_data(self.views[place], self.point(place))
        return Cells.of(data, "det_confusion", "ui.axis.detections")

    def hardest(self, place: int, most: int) -> list[int]:
        """Images with most misses and false detections."""
        view = self.views[place]
        chosen = detection.selected(view, detection.ALL, self.point(place), "errors")
        return [int(view.index[i]) for i, n in zip(chosen.images[:most], chosen.values, strict=False) if n > 0]

    def hardest_by(self) -> str:
        """See ``Pages``."""
        return "errors"

    def cards(self, place: int, index: Sequence[int], pictures: Dataset | None) -> list[Card | None]:
        """See ``Pages``."""

        def one(view: Any, at: int) -> Data:
            return detection.gallery_data([view], pictures, detection.ALL, self.point(place), start=at, most=at + 1)[0]

        return self.cards_of(place, index, one)


class SegmentationPages(OpenedPages):
    """Semantic segmentation."""

    drawn = "ui.report.pictures.maps"

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__(runs, segmentation.opened)

    def figures(self) -> Data:
        """See ``Pages``."""
        return segmentation.figures_data(self.runs)

    def others(self) -> Data:
        """See ``Pages``."""
        return segmentation.other_figures(self.runs)

    def charts(self) -> Iterator[Chart]:
        """All but that of brightness, for which every picture would have to be read."""
        for kind in segmentation.charts(self.views):
            if kind == "brightness":
                continue
            title = f"ui.seg.chart.{kind}" if kind in segmentation.CHARTS else kind
            if kind not in segmentation.CHARTS and kind not in self.runs[0].results():
                continue
            yield Chart(title, segmentation.chart(self.views, kind), entry_of(f"chart_{kind}", f"slice_{kind}"))

    def tables(self, place: int) -> list[Table]:
        """See ``Pages``."""
        view = self.views[place]
        columns = {"regions": "ui.report.classes", "outlines": "ui.report.outlines"}
        return [Table(title, segmentation.table_data(view, name)) for name, title in columns.items()]

    def matrix(self, place: int) -> Cells | None:
        """See ``Pages``."""
        return Cells.of(segmentation.matrix_data(self.views[place]), "sem_matrix", "ui.pixels")

    def hardest(self, place: int, most: int) -> list[int]:
        """Images with the lowest IoU of their own."""
        view = self.views[place]
        chosen = segmentation.selected(view, segmentation.ALL, "loss_image_iou")
        return [int(view.index[i]) for i, n in zip(chosen.images[:most], chosen.values, strict=False) if n > 0]

    def hardest_by(self) -> str:
        """See ``Pages``."""
        return "loss_image_iou"

    def cards(self, place: int, index: Sequence[int], pictures: Dataset | None) -> list[Card | None]:
        """See ``Pages``."""

        def one(view: Any, at: int) -> Data:
            return segmentation.gallery_data([view], pictures, segmentation.ALL, "dataset", start=at, most=at + 1)[0]

        return self.cards_of(place, index, one)
