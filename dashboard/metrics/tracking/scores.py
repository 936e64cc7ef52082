"""Numbers from counts, for any leading shape: of the whole, of each class, sequence or resample. NaN where 0/0.

Names are the field's: MOTA, IDF1, HOTA, ... with ``recall``, ``precision`` and ``f1`` for CLEAR's. The numbers are
TrackEval's, but for this:

- where there is nothing to divide by, TrackEval prints 0 (or 1 for LocA, MLR) and this says NaN: MOTP without a match,
  MOTA and IDR without truth, precision and IDP where nothing was found, AssA and LocA without a match at any threshold;
- ``FP_per_frame`` counts the frames of a sequence once for all classes, and those of sequences that have no truth, or
  where nothing was found, too.

As in TrackEval, numbers of HOTA's family are means over 19 thresholds, in which a threshold without a match counts 0 in
AssA, AssRe and AssPr and 1 in LocA.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dashboard.metrics.tracking.counts import ALPHA, PLAIN
from dashboard.metrics.tracking.overlap import Floats

CLEAR = (
    *("MOTA", "MOTP", "MODA", "sMOTA", "MOTAL", "recall", "precision", "f1", "TP", "FP", "FN", "IDSW"),
    *("MT", "PT", "ML", "Frag", "MTR", "PTR", "MLR", "FP_per_frame"),
)
IDENTITY = ("IDF1", "IDP", "IDR", "IDTP", "IDFP", "IDFN")
FAMILY = ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA")
HOTA = (*FAMILY, "HOTA(0)", "LocA(0)")
COUNTED = ("TP", "FP", "FN", "IDSW", "MT", "PT", "ML", "Frag", "IDTP", "IDFP", "IDFN")
LOWER = ("FP", "FN", "IDSW", "ML", "Frag", "MLR", "FP_per_frame", "IDFP", "IDFN")
"""Better when lower; PT and PTR are neither, all others better when higher."""


def ratio(above: Floats, below: Floats) -> Floats:
    """A quotient, NaN where the divisor is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def clear(plain: Floats, frames: Floats | float) -> Mapping[str, Floats]:
    """CLEAR's numbers from (..., 12) counts; MOTA = 1 - (FN + FP + IDSW) / truth.

    ``sMOTA`` counts a match by its IoU, ``MOTAL`` switches by their logarithm to base 10. ``frames`` broadcasts to
    (...).
    """
    n = {name: plain[..., k] for k, name in enumerate(PLAIN)}
    truth, ids = n["TP"] + n["FN"], n["MT"] + n["PT"] + n["ML"]
    good = n["TP"] - n["FP"]
    return {
        "MOTA": ratio(good - n["IDSW"], truth),
        "MOTP": ratio(n["iou_sum"], n["TP"]),
        "MODA": ratio(good, truth),
        "sMOTA": ratio(n["iou_sum"] - n["FP"] - n["IDSW"], truth),
        "MOTAL": ratio(good - np.log10(np.maximum(n["IDSW"], 1)), truth),
        "recall": ratio(n["TP"], truth),
        "precision": ratio(n["TP"], n["TP"] + n["FP"]),
        "f1": ratio(n["TP"], n["TP"] + (n["FN"] + n["FP"]) / 2),
        **{name: n[name] for name in CLEAR[8:16]},
        **{f"{name}R": ratio(n[name], ids) for name in ("MT", "PT", "ML")},
        "FP_per_frame": ratio(n["FP"], np.broadcast_to(np.asarray(frames, np.float64), truth.shape)),
    }


def identity(plain: Floats) -> Mapping[str, Floats]:
    """IDF1, IDP and IDR from (..., 12) counts: F1, precision and recall of boxes under the best identities."""
    right, extra, missed = (plain[..., PLAIN.index(name)] for name in ("IDTP", "IDFP", "IDFN"))
    return {
        "IDF1": ratio(right, right + (extra + missed) / 2),
        "IDP": ratio(right, right + extra),
        "IDR": ratio(right, right + missed),
        "IDTP": right,
        "IDFP": extra,
        "IDFN": missed,
    }


def over_alpha(plain: Floats, alpha: Floats) -> Mapping[str, Floats]:
    """HOTA's family at each threshold, (..., 19) each: HOTA = sqrt(DetA AssA).

    AssA and the like are 0, LocA is NaN, where a threshold has no match.
    """
    n = {name: alpha[..., k, :] for k, name in enumerate(ALPHA)}
    tp = n["TP"]
    hit, missed, extra = (plain[..., PLAIN.index(name), None] for name in ("TP", "FN", "FP"))
    truth, found = hit + missed, hit + extra
    ass = {name: n[name] / np.maximum(tp, 1) for name in ("AssA", "AssRe", "AssPr")}
    det = ratio(tp, truth + found - tp)
    return {
        "HOTA": np.sqrt(det * ass["AssA"]),
        "DetA": det,
        "AssA": ass["AssA"],
        "DetRe": ratio(tp, truth + 0 * tp),
        "DetPr": ratio(tp, found + 0 * tp),
        "AssRe": ass["AssRe"],
        "AssPr": ass["AssPr"],
        "LocA": ratio(n["LocA"], tp),
    }


def hota(plain: Floats, alpha: Floats) -> Mapping[str, Floats]:
    """HOTA's family, means over thresholds, and HOTA(0), LocA(0) at the least of them."""
    each = dict(over_alpha(plain, alpha))
    matched = alpha[..., ALPHA.index("TP"), :]
    at_all = matched[..., 0] > 0
    first = {"HOTA(0)": each["HOTA"][..., 0], "LocA(0)": each["LocA"][..., 0]}
    each["LocA"] = np.where(matched > 0, each["LocA"], 1.0)
    known = {name: at_all | (name[:3] not in ("Ass", "Loc")) for name in FAMILY}
    return {name: np.where(known[name], each[name].mean(axis=-1), np.nan) for name in FAMILY} | first


def everything(plain: Floats, alpha: Floats, frames: Floats | float) -> dict[str, Floats]:
    """All numbers by name."""
    return {**clear(plain, frames), **identity(plain), **hota(plain, alpha)}
