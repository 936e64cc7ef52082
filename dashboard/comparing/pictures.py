"""Enhancement: means of the images' own numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.comparing.align import Aligned, title
from dashboard.comparing.classes import same_truth
from dashboard.comparing.measured import Floats, Measured, Settings, figure
from dashboard.comparing.shapes import Figure
from dashboard.enhancement_parts import decode
from dashboard.errors import InputError
from dashboard.explore.enhancement.opened import opened
from dashboard.metrics.enhancement.measured import LOSSES, NAMES, PLAIN, WHOLE
from dashboard.metrics.enhancement.measured import Measured as Numbers
from dashboard.metrics.enhancement.metrics import DECIBELS, LEVELS, means
from dashboard.metrics.intervals import FEW
from dashboard.metrics.paired_bootstrap import resampled_means
from dashboard.store import Run

SHOWN = ("psnr", "ssim", "psnr_y", "ssim_y", "ms_ssim", "mse", "mae", *WHOLE, *LOSSES, *PLAIN)
EXACT = (
    "1 image that a run makes exactly (its PSNR is infinite) is in no run's mean; who wins counts it.",
    "{:,} images that a run makes exactly (their PSNR is infinite) are in no run's mean; who wins counts them.",
)
LOWER = ("mse", "mae", *LOSSES)


def measure(runs: Sequence[Run], aligned: Aligned, how: Settings) -> Measured:
    """Everything that is compared. Raises InputError for other references or another scale."""
    kept = [opened(run) for run in runs]
    tables = [{n: o.columns[n][rows] for n in NAMES} for o, rows in zip(kept, aligned.rows, strict=True)]
    _check(runs, aligned, [o.scales[rows] for o, rows in zip(kept, aligned.rows, strict=True)], how.baseline)
    columns = {name: np.stack([t[name] for t in tables]) for name in SHOWN}
    columns = {name: values for name, values in columns.items() if np.isfinite(values).any()}
    exact = {name: np.isposinf(values).any(axis=0) for name, values in columns.items()}
    finite = {  # an image that one run makes exactly is left out for all: else the means were of different images
        name: np.where(np.isfinite(values) & ~exact[name], values, np.nan) for name, values in columns.items()
    }
    left = int(exact["psnr"].sum()) if "psnr" in exact else 0
    told = [{**table, **{n: v[k] for n, v in finite.items()}} for k, table in enumerate(tables)]
    draws: dict[str, Floats] = {}
    if columns and len(aligned.ids) >= FEW:
        drawn = resampled_means(np.concatenate(list(finite.values())).T, how.resamples, how.seed)
        draws = {name: drawn[:, i * len(runs) : (i + 1) * len(runs)] for i, name in enumerate(columns)}
    psnr = columns.get("psnr", np.full((len(runs), len(aligned.ids)), np.nan))
    return Measured(
        unit="image",
        units=len(aligned.ids),
        figures=_figures(list(columns), told, aligned),
        draws=draws,
        linear=SHOWN,
        scores=psnr,
        score_name="psnr",
        tolerance=1e-9,
        columns=finite,
        notes=[EXACT[left > 1].format(left)] if left else [],
    )


def _figures(names: Sequence[str], tables: Sequence[dict[str, Floats]], aligned: Aligned) -> list[Figure]:
    """Means over the images whose number is finite, with Student's intervals."""
    each = [means(Numbers(list(aligned.ids), table), names) for table in tables]
    figures = []
    for name in names:
        values = np.array([v[name] for v, _ in each])
        if not np.isfinite(values).any():  # all are exact
            continue
        limits = np.array([e[name] for _, e in each], np.float64)
        better = None if name in PLAIN else name not in LOWER
        unit = "dB" if name in DECIBELS else LEVELS.get(name, "")
        figures.append(figure(name, values, limits, better, unit))
    return figures


def _check(runs: Sequence[Run], aligned: Aligned, scales: Sequence[NDArray[np.int64]], baseline: int) -> None:
    """Raise InputError unless all runs made the same pictures, as large, from the same degradation."""
    base = runs[baseline]
    for run, scale in zip(runs, scales, strict=True):
        for sample in np.flatnonzero(scale != scales[baseline])[:1]:
            raise InputError(
                f"{title(run)} enlarges {str(aligned.ids[sample])!r} {int(scale[sample])} times and {title(base)} "
                f"{int(scales[baseline][sample])} times: compare runs of one scale."
            )
    prints = [run.facts.get("dataset_facts", {}).get("fingerprint") for run in runs]
    if len(set(prints)) == 1 and prints[0]:
        return
    for place, (run, fingerprint) in enumerate(zip(runs, prints, strict=True)):
        if place != baseline and (fingerprint is None or fingerprint != prints[baseline]):
            sample_differs = _first_other(run, aligned.rows[place], base, aligned.rows[baseline])
            if sample_differs is not None:
                raise same_truth(runs, baseline, place, str(aligned.ids[sample_differs]))


def _first_other(run: Run, rows: NDArray[np.int64], base: Run, base_rows: NDArray[np.int64]) -> int | None:
    """The first common sample whose references differ; pictures are read a few at a time.

    Raises:
        InputError: the pictures of one of them are damaged or were taken away.
    """
    for start in range(0, len(rows), 32):
        mine, theirs = (_references(r, k[start : start + 32]) for r, k in ((run, rows), (base, base_rows)))
        for k, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            if a == b:
                continue
            if not a or not b:
                return start + k
            left, right = decode(a).rgb, decode(b).rgb
            if left.shape != right.shape or (left != right).any():
                return start + k
    return None


def _references(run: Run, rows: NDArray[np.int64]) -> list[bytes | None]:
    """Some encoded references."""
    try:
        file = pq.ParquetFile(run.predictions_path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"The stored pictures of {title(run)} are damaged or were taken away: whether it has the same references "
            "cannot be seen; evaluate it again."
        ) from error
    ends = np.cumsum([file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)])
    groups = np.searchsorted(ends, rows, "right")
    needed = np.unique(groups)
    table = file.read_row_groups(needed.tolist(), columns=["true_image"])
    sizes = np.diff(np.concatenate([[0], ends]))
    starts = np.cumsum(np.concatenate([[0], sizes[needed][:-1]]))
    within = rows - (ends - sizes)[groups] + starts[np.searchsorted(needed, groups)]
    return table.column("true_image").take(pa.array(within)).to_pylist()
