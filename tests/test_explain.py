"""The explanations: complete, the same in both languages, safe to show, and right in their worked example."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dashboard import explain
from dashboard.explore import segmentation
from dashboard.explore.segmentation import tables
from dashboard.metrics import METRICS
from dashboard.metrics.segmentation.boundary import DILATION, TOLERANCE
from dashboard.metrics.segmentation.columns import SegmentationBatch
from dashboard.metrics.segmentation.counts import count, per_image
from dashboard.metrics.segmentation.probability import measure
from dashboard.metrics.segmentation.scores import boundary_scores, iou
from dashboard.results import Scalars

ROOT = Path(__file__).parents[1]

AVERAGED = [f"{rate}_{mean}" for rate in ("precision", "recall", "f1") for mean in ("macro", "micro", "weighted")]
# The metric names of a classification run, as the command line prints them.
CLASSIFICATION = [
    *("top1", "top5", "balanced_accuracy", *AVERAGED, "specificity_macro", "auroc_macro"),
    *("average_precision_macro", "log_loss", "brier", "ece", "mcc", "cohen_kappa"),
]
OTHERS = [
    *("precision", "recall", "f1", "specificity", "auroc", "average_precision", "support", "mce"),
    *("map", "hamming_loss", "subset_accuracy", "f1_samples"),
    *("confusion", "roc", "pr", "reliability", "confidence", "threshold", "youden", "best_f1", "interval"),
    *("cross_entropy", "focal", "bce", "margin", "entropy"),
    *("latency", "throughput", "pipeline_efficiency", "params", "macs", "flops", "imbalance"),
]
SIZES = ("small", "medium", "large")
# Of detection and instance segmentation, some under a name of their own since classification has the plain one.
DETECTION = [
    *("det_map", "det_map_50", "det_map_75", *(f"det_map_{size}" for size in SIZES), "box_map"),
    *("det_mar_1", "det_mar_10", "det_mar_100", *(f"det_mar_{size}" for size in SIZES)),
    *("det_precision", "det_recall", "det_f1", "operating_confidence", "voc_ap_11", "voc_ap_area"),
    *("ap", "ap_50", "ap_75", *(f"ap_{size}" for size in SIZES), "ar_100", "objects"),
    *("tide", "tide_classification", "tide_localisation", "tide_both"),
    *("tide_duplicate", "tide_background", "tide_missed"),
    *("iou", "miou", "miou_all", "mdice", "boundary_iou"),
    *("det_confusion", "det_pr", "det_confidence", "det_iou_histogram", "det_score_histogram"),
    *("matching_iou", "max_detections"),
    *("loss_iou", "loss_giou", "loss_l1", "loss_smooth_l1", "loss_confidence_bce", "loss_confidence_focal"),
    *("missed", "false_positives", "errors", "f1_error", "ap_error"),
]
# Of semantic segmentation, likewise: "miou", "mdice" and "boundary_iou" are those of instances.
SEGMENTATION = [
    *("pixel_accuracy", "mean_pixel_accuracy", "sem_miou", "sem_mdice", "frequency_weighted_iou"),
    *("sem_boundary_iou", "boundary_f1", "image_miou", "image_mdice"),
    *("pixels", "class_images", "sem_iou", "sem_dice", "sem_accuracy", "sem_precision"),
    *("sem_boundary_precision", "sem_boundary_recall"),
    *("loss_image_iou", "loss_image_dice", "sem_cross_entropy", "sem_focal", "soft_dice", "soft_iou"),
    *("order_pixels", "order_wrong"),
    *("chart_iou_dice", "chart_class_iou", "chart_class_dice", "chart_area", "chart_image_iou", "chart_slices"),
    *("error_map", "sem_matrix", "ignore_index", "slice_presence", "slice_size", "slice_brightness"),
]
# Of enhancement; "enh_l1" and "enh_l2" since "loss_l1" is of boxes.
ENHANCEMENT = [
    *("psnr", "ssim", "ms_ssim", "mse", "mae", "psnr_y", "ssim_y"),
    *("psnr_whole", "ssim_whole", "psnr_y_whole", "ssim_y_whole", "identical"),
    *("enh_l1", "enh_l2", "charbonnier", "ssim_loss", "gradient", "texture", "perceptual"),
    *("sharpness", "noise", "contrast", "colourfulness"),
    *("chart_enh_spread", "chart_enh_images", "chart_enh_versus", "enh_conventions"),
    *("map_ssim", "map_absolute", "map_squared", "map_difference", "worst_regions", "histogram"),
    *("border_crop", "degradation", "order_gap"),
]
# Of tracking; the rates and intervals of other tasks have names of their own, so these say which they are.
TRACKING = [
    *("MOTA", "MOTP", "IDF1", "IDP", "IDR", "HOTA", "DetA", "AssA", "LocA", "IDSW", "FP", "FN", "TP"),
    *("MT", "PT", "ML", "Frag", "FPS", "MODA", "MOTAL", "sMOTA", "IDTP", "IDFP", "IDFN", "FP_per_frame"),
    *("trk_precision", "trk_recall", "trk_f1", "MTR", "PTR", "MLR"),
    *("DetRe", "DetPr", "AssRe", "AssPr", "HOTA_0", "LocA_0"),
    *("trk_classes", "trk_agnostic", "trk_interval", "trk_ignored", "trk_matching_iou"),
    *("chart_trk_alpha", "chart_trk_sequences", "chart_trk_coverage", "chart_trk_lengths", "trk_support"),
    *("running_mota", "chart_trk_timeline", "chart_trk_lanes", "trk_events"),
    *("track_length", "trk_flicker", "box_jitter", "class_changes", "births", "track_gaps", "trk_counts", "blink"),
    *("linked", "class_flips"),
    *("label_flicker", "label_run", "label_confidence", "label_share"),
    *("stage_decode", "stage_detect", "stage_track", "cold_start", "warm_speed"),
]
PARTS = ("compare", "history", "profile", "slices")
"""Parts of the app whose explanations have files of their own, ``<locale>.<part>.json``."""


def of_part(part):
    """The entries of a part's English file, in its order."""
    found = json.loads((Path(explain.__file__).parent / f"en.{part}.json").read_text("utf-8"))
    return list(dict.fromkeys(key.split(".")[1] for key in found))


OWN = [name for part in PARTS for name in of_part(part)]
ENTRIES = [*CLASSIFICATION, *OTHERS, *DETECTION, *SEGMENTATION, *ENHANCEMENT, *TRACKING, *OWN]

# Characters that exist only in Simplified Chinese, and words of mainland usage with what Taiwan writes instead.
SIMPLIFIED = set("类别图预测标签阈损数确轴线对错误应该张样显为与时间还这个们会从实际")
MAINLAND = {
    "概率": "機率",
    "閾值": "門檻值",
    "數據": "資料",
    "圖像": "影像",
    "置信": "信心、信賴",
    "默認": "預設",
    "信息": "資訊",
    "算法": "演算法",
    "軟件": "軟體",
    "硬件": "硬體",
    "內存": "記憶體",
    "設備": "裝置",
    "噪聲": "雜訊",
    "掩碼": "遮罩",
    "掩膜": "遮罩",
    "語義": "語意",
    "視頻": "影片",
    "鼠標": "滑鼠、游標",
}


@pytest.fixture(params=explain.LOCALES)
def locale(request):
    return request.param


def chinese(text):
    return [c for c in text if "\u3400" <= c <= "\u9fff"]


def test_both_languages_have_the_same_keys_in_the_same_order():
    tables = explain.texts()
    assert set(tables) == {"en", "zh-TW"}
    assert list(tables["en"]) == list(tables["zh-TW"])


def test_every_key_belongs_to_an_entry_listed_here(locale):
    expected = {f"explain.{name}.{field}" for name in ENTRIES for field in explain.FIELDS}
    assert set(explain.texts()[locale]) == expected


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_has_five_short_texts(name, locale):
    found = explain.entry(name, locale)
    assert found is not None
    assert tuple(found) == explain.FIELDS
    for field, text in found.items():
        assert text.strip() == text != "", field
        assert "\n" not in text, field
        assert len(text) <= 420, field
    assert len(found["name"]) <= 40
    assert len(found["formula"]) <= 80


@pytest.mark.parametrize("name", ENTRIES)
def test_the_formula_is_the_same_in_both_languages(name):
    assert explain.entry(name, "en")["formula"] == explain.entry(name, "zh-TW")["formula"]


def test_the_prose_is_translated():
    for name in ENTRIES:
        english, taiwanese = explain.entry(name, "en"), explain.entry(name, "zh-TW")
        assert not any(chinese(text) for text in english.values()), name
        for field in ("meaning", "convention", "misleads"):
            assert chinese(taiwanese[field]), (name, field)


def test_chinese_is_traditional_as_written_in_taiwan():
    for key, text in explain.texts()["zh-TW"].items():
        # Big5 covers the characters used in Taiwan and almost none of the simplified ones.
        outside = [c for c in chinese(text) if not c.encode("big5", "ignore")]
        assert not outside, (key, outside)
        assert not SIMPLIFIED.intersection(text), (key, SIMPLIFIED.intersection(text))
        for word, better in MAINLAND.items():
            # 演算法 contains 算法, so take the better word out before looking.
            assert word not in text.replace(better, ""), (key, f"{word}: write {better}")


def test_texts_survive_icu_messages_and_html(locale):
    for key, text in explain.texts()[locale].items():
        assert not set("{}<&").intersection(text), key


def test_files_are_plain_json_without_repeated_keys(locale):
    path = Path(explain.__file__).with_name(f"{locale}.json")
    raw = path.read_text(encoding="utf-8")
    pairs = json.loads(raw, object_pairs_hook=list)
    assert len(pairs) == len(dict(pairs))
    assert raw == json.dumps(dict(pairs), indent=1, ensure_ascii=False) + "\n"


def test_the_cat_example_is_worked_out_correctly(locale):
    tp, fn, fp, tn = 50, 10, 5, 35
    precision, recall, specificity = tp / (tp + fp), tp / (tp + fn), tn / (tn + fp)
    other_precision = tn / (tn + fn)
    f1, other_f1 = 2 * tp / (2 * tp + fp + fn), 2 * tn / (2 * tn + fp + fn)
    chance = 0.6 * 0.55 + 0.4 * 0.45
    expected = {
        "precision": f"{precision:.3f}",
        "recall": f"{recall:.3f}",
        "specificity": f"{specificity:.3f}",
        "f1": f"{f1:.3f}",
        "precision_macro": f"{(precision + other_precision) / 2:.3f}",
        "precision_weighted": f"{0.6 * precision + 0.4 * other_precision:.3f}",
        "recall_macro": f"{(recall + specificity) / 2:.3f}",
        "f1_macro": f"{(f1 + other_f1) / 2:.3f}",
        "f1_weighted": f"{0.6 * f1 + 0.4 * other_f1:.3f}",
        "youden": f"{recall - (1 - specificity):.3f}",
        "mcc": f"{(tp * tn - fp * fn) / (55 * 60 * 40 * 45) ** 0.5:.2f}",
        "cohen_kappa": f"{(0.85 - chance) / (1 - chance):.2f}",
    }
    for name, value in expected.items():
        assert value in explain.entry(name, locale)["meaning"], (name, value)


def test_the_street_example_is_worked_out_correctly(locale):
    tp, fp, fn = 8, 4, 2
    counts = {"det_precision": tp / (tp + fp), "det_recall": tp / (tp + fn), "det_f1": 2 * tp / (2 * tp + fp + fn)}
    # Four objects; detections by falling score are right, wrong, right, right.
    recall, best = np.array([0.25, 0.25, 0.5, 0.75]), np.array([1, 0.75, 0.75, 0.75])

    def read(at):
        return np.mean(np.append(best, 0)[np.searchsorted(recall, at)])

    curves = {"ap": read(np.arange(101) / 100), "voc_ap_11": read(np.arange(11) / 10), "voc_ap_area": 0.25 + 0.5 * 0.75}
    for name, value in (counts | curves).items():
        assert f"{value:.3f}" in explain.entry(name, locale)["meaning"], (name, value)
    assert f"{2 * 0.8 / 1.8:.3f}" in explain.entry("mdice", locale)["meaning"]
    assert f"{0.8 * 0.85:.2f}" in explain.entry("miou_all", locale)["meaning"]


def test_the_boat_example_is_worked_out_correctly(locale):
    # 80 pixels of sea and 20 of boat, 70 and 15 of them right.
    true, right = np.array([80, 20]), np.array([70, 15])
    found = np.array([70 + 5, 15 + 10])
    iou, dice = right / (true + found - right), 2 * right / (true + found)
    expected = {
        "pixel_accuracy": right.sum() / 100,
        "mean_pixel_accuracy": (right / true).mean(),
        "sem_miou": iou.mean(),
        "sem_mdice": dice.mean(),
        "frequency_weighted_iou": 0.8 * iou[0] + 0.2 * iou[1],
        "sem_iou": iou[1],
        "sem_dice": dice[1],
        "sem_accuracy": right[1] / true[1],
        "sem_precision": right[1] / found[1],
    }
    for name, value in expected.items():
        assert f"{value:.3f}" in explain.entry(name, locale)["meaning"], (name, value)
    assert f"{found[1] / true[1]:.2f}" in explain.entry("chart_area", locale)["meaning"]
    assert f"{true[0] / 100:.2f}" in explain.entry("pixel_accuracy", locale)["misleads"]  # "sea" everywhere


def test_iou_and_dice_are_compared_correctly(locale):
    def dice(iou):
        return 2 * iou / (1 + iou)

    assert f"{0.9 / 1.1:.2f}" in explain.entry("sem_iou", locale)["misleads"]  # 10 % missed, 10 % too much
    iou = np.linspace(0, 1, 100_001)
    gap = dice(iou) - iou
    widest = iou[gap.argmax()]
    assert f"{gap.max():.2f}" in explain.entry("sem_dice", locale)["misleads"]
    assert f"{0.8 / (2 - 0.8):.3f}" in explain.entry("sem_dice", locale)["misleads"]
    for value in (widest, dice(widest)):
        assert f"{value:.2f}" in explain.entry("chart_iou_dice", locale)["convention"], value
    for classes in ((0.5, 0.5), (0.1, 0.92)):  # the means disagree on which is better
        mean = np.mean(classes)
        for value in (mean, np.mean([dice(c) for c in classes])):
            assert f"{value:.3f}" in explain.entry("sem_mdice", locale)["misleads"], value
    for value in (0.90, 0.95):
        assert f"{dice(value):.3f}" in explain.entry("chart_class_dice", locale)["misleads"], value


def test_boundary_f1_looks_at_the_line_only(locale):
    truth = np.repeat(np.array([[0] * 50 + [1] * 50], np.uint8), 60, axis=0)
    swapped = count(SegmentationBatch(["a"], [truth], [1 - truth], 2))
    outlines = boundary_scores(swapped)
    assert outlines["boundary_f1"].tolist() == [1, 1]
    assert iou(per_image(swapped)).max() == 0
    reach, band = (round(part * np.hypot(480, 640)) for part in (TOLERANCE, DILATION))
    said = {"en": "{} px at 640 × 480", "zh-TW": "640 × 480 時為 {} 像素"}[locale]
    assert said.format(reach) in explain.entry("boundary_f1", locale)["convention"]
    assert said.format(band) in explain.entry("sem_boundary_iou", locale)["convention"]


class Even:
    """Probabilities of a picture that is half one class, half another: p for the true one everywhere."""

    shape = (2, 2, 6)

    def __init__(self, p):
        self.p = p

    def rows(self, start, stop):
        first = np.where(np.arange(6) < 3, self.p, 1 - self.p)
        return np.broadcast_to(np.stack([first, 1 - first])[:, None], (2, stop - start, 6)).astype(np.float32)


def test_the_losses_of_probabilities_are_worked_out_correctly(locale):
    truth = np.repeat(np.array([[0, 0, 0, 1, 1, 1]], np.uint8), 2, axis=0)

    def losses(p):
        return measure(Even(p), truth, truth).losses

    assert f"{losses(0.8)['soft_dice']:.3f}" in explain.entry("soft_dice", locale)["meaning"]
    assert f"{losses(0.8)['soft_iou']:.3f}" in explain.entry("soft_iou", locale)["meaning"]
    assert f"{losses(0.9)['cross_entropy']:.3f}" in explain.entry("sem_cross_entropy", locale)["meaning"]
    assert f"{losses(0.01)['cross_entropy']:.1f}" in explain.entry("sem_cross_entropy", locale)["meaning"]
    assert f"{0.01 * losses(0.1)['cross_entropy']:.3f}" in explain.entry("sem_cross_entropy", locale)["misleads"]
    assert f"{losses(0.9)['focal']:.3f}" in explain.entry("sem_focal", locale)["meaning"]
    assert f"{losses(0.1)['focal']:.2f}" in explain.entry("sem_focal", locale)["meaning"]


def test_everything_the_segmentation_tab_shows_is_explained_for_this_task():
    columns = [n for names in segmentation.COLUMNS.values() for n in names]
    shown = {
        *(tables.explained(n) for n in tables.FIGURES),
        *(n if n == "boundary_f1" else f"sem_{n}" for n in columns),
        *(n for n in segmentation.ORDERS if n != "dataset"),
        *(f"slice_{n}" if n in segmentation.SLICED else f"chart_{n}" for n in segmentation.CHARTS),
    }
    # Metrics that only stand under "all other metrics".
    one = count(SegmentationBatch(["a"], [np.zeros((2, 2), np.uint8)], [np.zeros((2, 2), np.uint8)], 2))
    for name in METRICS.names(task="semantic-segmentation"):
        metric = METRICS.get(name)(["x", "y"])
        metric.take(one)
        for result in metric.compute().values():
            if isinstance(result, Scalars):
                shown |= {tables._loss_name(n) for n in result.values}
    assert shown - set(SEGMENTATION) == set()


def test_unknown_names_and_locales():
    assert explain.entry("no_such_metric", "en") is None
    with pytest.raises(ValueError, match=r"locale.*zh-TW.*'fr'"):
        explain.entry("f1", "fr")


def test_a_caller_cannot_change_the_texts():
    explain.texts()["en"]["explain.f1.name"] = "changed"
    assert explain.entry("f1", "en")["name"] == "F1 score"


def test_importing_it_loads_the_standard_library_only():
    heavy = "{'numpy', 'torch', 'gradio', 'plotly'}"
    code = f"import sys, dashboard.explain as e; e.texts(); sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
