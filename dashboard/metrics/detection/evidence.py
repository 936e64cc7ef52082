"""What the metrics of detection collect: the matches of each batch, made once and shared by all of them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics import collected
from dashboard.metrics.detection.boundary import boundary_iou
from dashboard.metrics.detection.columns import DetectionBatch, Floats, Ints, Kind
from dashboard.metrics.detection.matching import Matches, match
from dashboard.metrics.detection.neighbours import Neighbours, neighbours


@dataclass(frozen=True, eq=False)
class Evidence:
    """Matches and neighbours of N images, by the kind of overlap.

    Attributes:
        images: N.
        matches, near: by kind; the foremost kind first.
        boundary: (P,) boundary IoU of the matched pairs of masks, or None if there are only boxes.
    """

    images: int
    matches: dict[Kind, Matches]
    near: dict[Kind, Neighbours]
    boundary: Floats | None = None

    @property
    def kind(self) -> Kind:
        """The foremost kind: masks where there are any."""
        return next(iter(self.matches))

    @property
    def main(self) -> tuple[Matches, Neighbours]:
        """Those of the foremost kind."""
        return self.matches[self.kind], self.near[self.kind]


_made: weakref.WeakKeyDictionary[DetectionBatch, Evidence] = weakref.WeakKeyDictionary()


def evidence(batch: DetectionBatch) -> Evidence:
    """The evidence of a batch; asked again, the same."""
    found = _made.get(batch)
    if found is None:
        matches = {kind: match(batch, kind) for kind in batch.kinds}
        near = {kind: neighbours(batch, m, kind) for kind, m in matches.items()}
        edges = boundary_iou(batch, matches["segm"]) if "segm" in matches else None
        found = _made[batch] = Evidence(len(batch), matches, near, edges)
    return found


def join(parts: Sequence[Evidence]) -> Evidence:
    """Several, one after the other. Raises ValueError for none, or if some have masks and some do not."""
    if not parts:
        raise ValueError("there are no samples")
    if len(parts) == 1:
        return parts[0]
    if any(list(p.matches) != list(parts[0].matches) for p in parts):
        raise ValueError("some batches have masks and some have boxes only")
    shift = np.cumsum([0, *(p.images for p in parts[:-1])])
    kinds = list(parts[0].matches)
    matches = {k: _joined([p.matches[k] for p in parts], shift) for k in kinds}
    near = {k: _joined_near([(p.matches[k], p.near[k]) for p in parts]) for k in kinds}
    edges = [p.boundary for p in parts if p.boundary is not None]
    return Evidence(sum(p.images for p in parts), matches, near, np.concatenate(edges) if edges else None)


def _joined(parts: Sequence[Matches], shift: Ints) -> Matches:
    """Matches one after the other; ``row`` stays what it was in its batch."""
    found = np.cumsum([0, *(len(p) for p in parts[:-1])])
    true = np.cumsum([0, *(len(p.truth_class) for p in parts[:-1])])
    moved = [
        replace(
            p,
            image=p.image + i,
            truth_image=p.truth_image + i,
            pair_found=p.pair_found + d,
            pair_truth=p.pair_truth + g,
        )
        for p, i, d, g in zip(parts, shift, found, true, strict=True)
    ]
    return Matches(**{f.name: np.concatenate([getattr(p, f.name) for p in moved]) for f in fields(Matches)})


def _joined_near(parts: Sequence[tuple[Matches, Neighbours]]) -> Neighbours:
    """Neighbours one after the other."""
    found = np.cumsum([0, *(len(m) for m, _ in parts[:-1])])
    true = np.cumsum([0, *(len(m.truth_class) for m, _ in parts[:-1])])

    def moved(places: Ints, by: int) -> Ints:
        return np.where(places < 0, -1, places + by)

    columns: list[dict[str, Any]] = []
    for (_, n), d, g in zip(parts, found, true, strict=True):
        own = {f.name: getattr(n, f.name) for f in fields(Neighbours)}
        own |= {name: moved(own[name], g) for name in ("same_truth", "other_truth", "claim", "pair_truth")}
        columns.append(own | {"pair_found": n.pair_found + d})
    return Neighbours(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})


def restrict(matches: Matches, images: NDArray[np.bool_]) -> Matches:
    """The matches of some images only (a slice), so that any number can be had for them without matching again.

    Args:
        matches: of N images.
        images: (N,) which to keep; they keep their numbers.
    """
    found, true = images[matches.image], images[matches.truth_image]
    new_found, new_true = np.cumsum(found) - 1, np.cumsum(true) - 1
    pairs = found[matches.pair_found]
    columns: dict[str, Any] = {}
    for f in fields(Matches):
        value = getattr(matches, f.name)
        keep = pairs if f.name.startswith("pair_") else true if f.name in TRUTH_COLUMNS else found
        columns[f.name] = value[keep]
    columns["pair_found"] = new_found[columns["pair_found"]]
    columns["pair_truth"] = new_true[columns["pair_truth"]]
    return Matches(**columns)


TRUTH_COLUMNS = ("truth_image", "truth_class", "counted")


class Collected(collected.Collected[DetectionBatch, Evidence]):
    """A metric that is computed from all evidence at the end."""

    join = staticmethod(join)

    def evidence(self, batch: DetectionBatch) -> Evidence:
        """Who matched whom. Raises ValueError for a class number past the names."""
        for name, objects in (("found", batch.found), ("truth", batch.truth)):
            if len(objects) and not 0 <= objects.classes.min() <= objects.classes.max() < len(self.class_names):
                worst = int(objects.classes[np.abs(objects.classes - 0.5).argmax()])
                raise ValueError(f"{name}.classes must be in 0..{len(self.class_names) - 1}, got {worst}")
        return evidence(batch)
