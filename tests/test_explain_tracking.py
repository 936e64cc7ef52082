"""What the explanations of tracking say, checked against TrackEval, which defines the numbers."""

import numpy as np
import pytest

from dashboard import explain
from dashboard.metrics.tracking import evidence, scores, unsupervised
from dashboard.watching_stability import LINK_IOU
from tests.test_explain import TRACKING

trackeval = pytest.importorskip("trackeval")

ALPHAS = 19


@pytest.fixture(params=explain.LOCALES)
def locale(request):
    return request.param


def says(name, field, locale, *values):
    """Check that a text has the numbers, written like this."""
    for value in values:
        assert value in explain.entry(name, locale)[field], (name, field, value)


def measured(frames):
    """All of TrackEval's numbers of one sequence; a frame is (truth ids, tracker ids, IoU by (truth, tracker))."""
    truth, found = ([np.array(f[side], int) for f in frames] for side in (0, 1))
    overlaps = []
    for true, own, pairs in frames:
        overlap = np.zeros((len(true), len(own)))
        for (a, b), iou in pairs.items():
            overlap[true.index(a), own.index(b)] = iou
        overlaps.append(overlap)
    data = {
        "gt_ids": truth,
        "tracker_ids": found,
        "similarity_scores": overlaps,
        "num_gt_dets": sum(map(len, truth)),
        "num_tracker_dets": sum(map(len, found)),
        "num_gt_ids": 1 + max(int(t.max()) for t in truth if len(t)),
        "num_tracker_ids": 1 + max(int(t.max()) for t in found if len(t)),
        "num_timesteps": len(frames),
    }
    kinds = (trackeval.metrics.CLEAR, trackeval.metrics.Identity, trackeval.metrics.HOTA)
    numbers = {}
    for kind in kinds:
        metric = kind({"PRINT_CONFIG": False}) if kind is not trackeval.metrics.HOTA else kind()
        numbers |= metric.eval_sequence(data)
    return numbers


def street():
    """Ten frames: A under id 0, then 2; B under id 1 with three frames missed; id 3 is false twice; IoU 0.82."""
    frames = []
    for t in range(1, 11):
        pairs = {(0, 0 if t <= 6 else 2): 0.82}
        if t not in (5, 6, 10):
            pairs[1, 1] = 0.82
        found = [b for _, b in pairs] + [3] * (t <= 2)
        frames.append(([0, 1], found, pairs))
    return measured(frames)


def lone(pieces, frames):
    """One identity, followed under a new id for each of some pieces, then missed to the end."""
    ids = np.repeat(np.arange(len(pieces)), pieces).tolist()
    own = [[i] for i in ids] + [[]] * (frames - len(ids))
    return measured([([0], found, {(0, i): 1.0 for i in found}) for found in own])


def test_the_street_film_is_worked_out_correctly(locale):
    found = street()
    counts = {"TP": 17, "FP": 2, "FN": 3, "IDSW": 1, "MT": 1, "PT": 1, "ML": 0, "Frag": 1}
    counts |= {"IDTP": 13, "IDFP": 6, "IDFN": 7}
    theirs = {"TP": "CLR_TP", "FP": "CLR_FP", "FN": "CLR_FN"}
    for name, value in counts.items():
        assert found[theirs.get(name, name)] == value
    for name in ("IDTP", "IDFP", "IDFN", "TP", "FP", "FN"):
        says(name, "meaning", locale, str(counts[name]))
    for name, digits in {
        "MOTA": 2,
        "MOTP": 2,
        "IDF1": 3,
        "IDP": 3,
        "IDR": 3,
        "MODA": 2,
        "MOTAL": 2,
        "sMOTA": 3,
    }.items():
        says(name, "meaning", locale, f"{found[name]:.{digits}f}")
    says("FP_per_frame", "meaning", locale, f"{found['FP_per_frame']:.1f}")
    for name, key in {"trk_precision": "CLR_Pr", "trk_recall": "CLR_Re", "trk_f1": "CLR_F1"}.items():
        says(name, "meaning", locale, f"{found[key]:.3f}")


def test_the_family_of_hota_is_worked_out_correctly(locale):
    found = street()
    for name in ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr"):
        values = found[name]
        assert np.flatnonzero(values).tolist() == list(range(16))  # up to .80
        says(name, "meaning", locale, f"{values[0]:.3f}", f"{values.mean():.3f}", ".80")
    says("HOTA_0", "meaning", locale, f"{found['HOTA(0)']:.3f}")
    says("LocA_0", "meaning", locale, f"{found['LocA(0)']:.2f}")
    assert found["LocA"][16:].tolist() == [1, 1, 1]  # what the entry warns of
    assert len(found["HOTA"]) == ALPHAS
    says("HOTA", "formula", locale, ".05, .10 … .95")


def test_one_change_of_id_costs_as_much_as_said(locale):
    found = lone([500, 500], 1000)
    for name in ("MOTA", "IDF1", "HOTA"):
        value = np.mean(found[name])
        assert found["IDSW"] == 1
        if name == "IDF1":
            says("MOTA", "misleads", locale, f"{value:.2f}")
        else:
            says(name, "misleads", locale, f"{value:.3f}")
    says("HOTA", "misleads", locale, f"{found['MOTA']:.3f}")


def test_idf1_asks_for_the_longest_piece_only(locale):
    two, three, silent = lone([60, 40], 100), lone([60, 20, 20], 100), lone([60], 100)
    assert two["IDF1"] == three["IDF1"]
    assert two["AssA"].mean() > three["AssA"].mean()
    says("IDF1", "misleads", locale, f"{two['IDF1']:.2f}", f"{silent['IDF1']:.2f}")


def test_what_is_said_of_single_numbers(locale):
    back = measured([([0], [i], {(0, i): 1.0}) for i in (0, 0, 1, 0, 0)])
    assert back["IDSW"] == 2  # "to a wrong id and back is 2"
    swapped = measured([([0, 1], [0, 1], {(0, t): 1.0, (1, 1 - t): 1.0}) for t in (0, 0, 1, 1)])
    assert swapped["IDSW"] == 2  # "when two people swap ids, that is 2"
    fresh = measured([([0], [i], {(0, i): 1.0}) for i in range(4)])
    assert fresh["AssPr"][0] == 1  # "a new id in every frame has a perfect one"
    glued = measured([([t // 2], [0], {(t // 2, 0): 1.0}) for t in range(4)])
    assert (glued["AssRe"][0], glued["AssPr"][0]) == (1, 0.5)
    away = measured([([0], [0], {(0, 0): 1.0}), ([1], [1], {(1, 1): 1.0}), ([0], [0], {(0, 0): 1.0})])
    assert away["Frag"] == 1  # "also after frames in which it was out of the picture"
    nothing = measured([([0], [0], {(0, 0): 1.0}), ([0], [], {}), ([0], [0], {(0, 0): 1.0})])
    assert nothing["Frag"] == 0  # "not after frames in which nothing at all was tracked"
    assert lone([80], 100)["MT"] == 0
    assert lone([81], 100)["MT"] == 1
    assert lone([20], 100)["PT"] == 1
    assert lone([19], 100)["ML"] == 1
    says("MT", "formula", locale, "more than 80 %")
    says("ML", "formula", locale, "less than 20 %")


def test_overlaps_are_worked_out_correctly(locale):
    def moved(width, by):
        return (width - by) / (width + by)

    says("trk_matching_iou", "misleads", locale, f"{moved(10, 4):.2f}", f"{moved(100, 4):.2f}")
    says("box_jitter", "meaning", locale, f"{1 - moved(50, 1):.3f}")
    says("trk_classes", "meaning", locale, f"{(90 + 1) / (100 + 10):.3f}")


def test_limits_are_those_of_the_code(locale):
    says("trk_interval", "meaning", locale, *map(str, (evidence.MANY, evidence.TIMES, evidence.BLOCKS)))
    says("trk_interval", "convention", locale, *evidence.INTERVALS, str(evidence.LEAST))
    assert len(evidence.INTERVALS) == explain.entry("trk_interval", "en")["convention"].partition(".")[0].count(",") + 2
    says("trk_flicker", "formula", locale, f"fewer than {unsupervised.SHORT} boxes")
    for name in ("linked", "class_flips", "blink"):
        says(name, "convention", locale, str(LINK_IOU))


def test_every_number_of_the_metrics_is_explained():
    elsewhere = {"precision", "recall", "f1"}  # of classification
    names = (*scores.CLEAR, *scores.IDENTITY, *scores.HOTA)
    entries = {f"trk_{n}" if n in elsewhere else n.replace("(0)", "_0") for n in names}
    assert entries - set(TRACKING) == set()
