"""The explanations: complete, the same in both languages, safe to show, and right in their worked example."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dashboard import explain

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
ENTRIES = [*CLASSIFICATION, *OTHERS, *DETECTION]

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
