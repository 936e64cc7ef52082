"""The app's own words, English beside Traditional Chinese, by key. Metrics are explained in ``dashboard.explain``."""

from __future__ import annotations

import gradio as gr
from gradio.i18n import I18nData

from dashboard.explain import texts
from dashboard.views.strings_compare import COMPARE
from dashboard.views.strings_detection import DETECTION
from dashboard.views.strings_enhance_view import ENHANCE_VIEW
from dashboard.views.strings_enhancement import ENHANCEMENT
from dashboard.views.strings_history import HISTORY
from dashboard.views.strings_maps import MAPS
from dashboard.views.strings_profile import PROFILE
from dashboard.views.strings_segmentation import SEGMENTATION
from dashboard.views.strings_share import SHARE
from dashboard.views.strings_slices import SLICES
from dashboard.views.strings_track_view import TRACK_VIEW
from dashboard.views.strings_tracking import TRACKING

STRINGS: dict[str, tuple[str, str]] = {
    "ui.tagline": ("What does my vision model get right and wrong, and is the other one better?", "我的視覺模型哪裡對、哪裡錯？另一個是不是比較好？"),
    "ui.na": ("n/a", "無"),
    "ui.best": ("the best value of those shown; “Compare” tells whether it is more than chance", "目前顯示中數值最好；是否超出偶然，見「比較」"),
    "ui.explain": ("What is {name}?", "「{name}」是什麼？"),
    "ui.explain.meaning": ("What it means", "意義"),
    "ui.explain.formula": ("Formula", "公式"),
    "ui.explain.convention": ("Convention", "採用的慣例"),
    "ui.explain.misleads": ("When it misleads", "何時會誤導"),
    "ui.images": ("{n} images", "{n} 張影像"),
    "ui.class": ("class", "類別"),
    "ui.right": ("right", "正確"),
    "ui.wrong": ("wrong", "錯誤"),
    "ui.prev": ("previous", "上一張"),
    "ui.next": ("next", "下一張"),
    "ui.close": ("close", "關閉"),
    "ui.threshold": ("threshold", "門檻值"),
    "ui.table.find": ("Find a class …", "尋找類別 …"),
    "ui.short.ece": ("ECE", "ECE"),
    "ui.short.mce": ("MCE", "MCE"),
    "ui.short.latency": ("Latency · speed", "延遲・速度"),
    "ui.short.support": ("Images", "張數"),
    "ui.short.precision": ("Precision", "精確率"),
    "ui.short.recall": ("Recall", "召回率"),
    "ui.short.f1": ("F1", "F1"),
    "ui.short.specificity": ("Specificity", "特異度"),
    "ui.short.average_precision": ("AP", "AP"),
    "ui.short.auroc": ("AUROC", "AUROC"),
    "ui.tab.classification": ("Classification", "影像分類"),
    "ui.tab.results": ("Results", "結果"),
    "ui.tab.evaluate": ("New evaluation", "新的評估"),
    "ui.tab.photos": ("Try on photos", "用照片試試"),
    "ui.tab.runs": ("Runs", "執行紀錄"),
    "ui.runs": ("Runs to show, side by side (up to 4)", "並排顯示的執行結果（最多 4 個）"),
    "ui.focus": ("Table, matrix and pictures follow", "表格、矩陣與影像跟隨"),
    "ui.chart": ("Chart", "圖表"),
    "ui.chart.roc": ("ROC", "ROC"),
    "ui.chart.pr": ("Precision–recall", "精確率–召回率"),
    "ui.chart.reliability": ("Reliability", "可靠度圖"),
    "ui.chart.confidence": ("Confidence", "信心分數"),
    "ui.sort": ("Order (a loss: hardest first)", "排序（損失：最難優先）"),
    "ui.sort.dataset": ("dataset order", "資料集順序"),
    "ui.sort.hardest": ("hardest first: {loss}", "最難優先：{loss}"),
    "ui.gamma": ("focal γ", "focal γ"),
    "ui.errors": ("errors only", "只看錯誤"),
    "ui.csv": ("Download list (CSV)", "下載清單（CSV）"),
    "ui.more": ("All other metrics", "其他所有指標"),
    "ui.how": ("How this was measured", "這些數字如何量測"),
    "ui.matrix.pick": ("Pick a class in the table to move its threshold.", "在表格中點選一個類別，即可調整它的門檻值。"),
    "ui.selection.truth": ("Class “{class}” in the truth", "真實含有「{class}」"),
    "ui.matrix.all": ("All classes", "所有類別"),
    "ui.matrix.one": ("“{name}” against the rest", "「{name}」對其餘"),
    "ui.matrix.counts": ("Counts", "數量"),
    "ui.matrix.row": ("% of true", "依真實 %"),
    "ui.matrix.col": ("% of predicted", "依預測 %"),
    "ui.matrix.full": ("All", "全部"),
    "ui.matrix.errors": ("Errors only", "只看錯誤"),
    "ui.matrix.top": ("{n} most confused", "最易混淆 {n} 類"),
    "ui.matrix.every": ("All {n} classes", "全部 {n} 類"),
    "ui.matrix.true": ("true", "真實"),
    "ui.matrix.predicted": ("predicted", "預測"),
    "ui.matrix.rejected": ("rejected", "拒答"),
    "ui.matrix.pairs": ("Most confused: true → predicted", "最常混淆：真實 → 預測"),
    "ui.matrix.noerrors": ("No errors.", "沒有錯誤。"),
    "ui.thr.all": ("Accept an answer when its confidence ≥", "信心分數達此值才採納 ≥"),
    "ui.thr.one": ("Call it “{name}” when its score ≥", "分數達此值就判為「{name}」≥"),
    "ui.thr.accuracy": ("Accuracy of accepted", "採納者的準確率"),
    "ui.thr.answered": ("Accepted", "採納比例"),
    "ui.one.accepted": ("score ≥ threshold", "分數 ≥ 門檻"),
    "ui.one.below": ("score < threshold", "分數 < 門檻"),
    "ui.one.is": ("is “{name}”", "是「{name}」"),
    "ui.one.not": ("is not", "不是"),
    "ui.gallery.all": ("show all", "顯示全部"),
    "ui.gallery.none": ("No images here.", "這裡沒有影像。"),
    "ui.gallery.gone": ("The picture has moved or cannot be read.", "影像已移動或無法讀取。"),
    "ui.gallery.more": ("Show more ({n} left)", "顯示更多（還有 {n} 張）"),
    "ui.selection.all": ("All images", "所有影像"),
    "ui.selection.cell": ("True “{true}”, predicted “{predicted}”", "真實為「{true}」、預測為「{predicted}」"),
    "ui.selection.rejected": ("True “{true}”, confidence below {t}", "真實為「{true}」、信心低於 {t}"),
    "ui.selection.class": ("Class “{class}”: truth or prediction", "類別「{class}」：真實或預測"),
    "ui.selection.score": ("Score for “{class}” ≥ {t}", "「{class}」分數 ≥ {t}"),
    "ui.selection.confidence": ("Confidence {low} to {high}", "信心分數 {low} 至 {high}"),
    "ui.selection.confidence.correct": ("Correct, confidence {low} to {high}", "正確且信心 {low} 至 {high}"),
    "ui.selection.confidence.wrong": ("Wrong, confidence {low} to {high}", "錯誤且信心 {low} 至 {high}"),
    "ui.selection.one.tp": ("“{class}” found (TP) at {t}", "門檻 {t} 找到的「{class}」（TP）"),
    "ui.selection.one.fp": ("Taken for “{class}” (FP) at {t}", "門檻 {t} 誤判為「{class}」（FP）"),
    "ui.selection.one.fn": ("“{class}” missed (FN) at {t}", "門檻 {t} 漏掉的「{class}」（FN）"),
    "ui.selection.one.tn": ("Rightly not “{class}” (TN) at {t}", "門檻 {t} 正確排除「{class}」（TN）"),
    "ui.warn.imbalance": ("Classes are imbalanced: “{big}” has {n} images, “{small}” only {m}. Always answering “{big}” would already score {share}, so accuracy misleads; read balanced accuracy and F1.", "類別不平衡：「{big}」有 {n} 張，「{small}」只有 {m} 張。永遠回答「{big}」就有 {share} 的準確率，因此準確率會誤導；請看平衡準確率與 F1。"),
    "ui.warn.imbalance.many": ("Classes are imbalanced: “{big}” has {n} images, “{small}” only {m}. Accuracy is made by the frequent classes; read balanced accuracy and F1.", "類別不平衡：「{big}」有 {n} 張，「{small}」只有 {m} 張。準確率主要由常見類別決定；請看平衡準確率與 F1。"),
    "ui.warn.skipped": ("{model}: {n} pictures could not be read and are left out ({first}).", "{model}：有 {n} 張影像無法讀取而未計入（{first}）。"),
    "ui.warn.parts": ("These runs are over different numbers of images ({n}): no value is marked as the best. “Compare” takes the images that all of them have.", "這些執行結果的影像數不同（{n}），因此不標示最佳值；「比較」只取共有的影像。"),
    "ui.warn.datasets": ("These runs are on different datasets: their numbers are not comparable.", "這些執行結果來自不同資料集，數字不可直接比較。"),
    "ui.axis.false_positive_rate": ("false positive rate", "偽陽性率"),
    "ui.axis.true_positive_rate": ("true positive rate (recall)", "真陽性率（召回率）"),
    "ui.axis.recall": ("recall", "召回率"),
    "ui.axis.precision": ("precision", "精確率"),
    "ui.axis.confidence": ("confidence", "信心分數"),
    "ui.axis.accuracy": ("accuracy", "準確率"),
    "ui.axis.count": ("images", "影像數"),
    "ui.axis.value": ("value", "數值"),
    "ui.axis.class": ("class", "類別"),
    "ui.axis.frame": ("frame", "影格"),
    "ui.group.correct": ("correct", "正確"),
    "ui.group.wrong": ("wrong", "錯誤"),
    "ui.data": ("1. Data", "1. 資料"),
    "ui.data.demo": ("Built-in dataset", "內建資料集"),
    "ui.data.path": ("… or a path on this computer: folder, CSV or zip", "… 或本機路徑：資料夾、CSV 或 zip"),
    "ui.data.file": ("… or drop a zip or CSV here", "… 或將 zip 或 CSV 拖到這裡"),
    "ui.data.mapping": ("Mapping file (dataset class, model class), if names do not meet", "名稱對不上時的對應檔（資料集類別, 模型類別）"),
    "ui.models": ("2. Models (up to 4)", "2. 模型（最多 4 個）"),
    "ui.models.pick": ("Models", "模型"),
    "ui.models.hint": ("A name from the list, any timm or torchvision name, or a path to a weight file.", "清單中的名稱、任何 timm 或 torchvision 名稱，或權重檔路徑。"),
    "ui.models.file": ("… or drop weight files: ONNX, safetensors, state dict", "… 或拖入權重檔：ONNX、safetensors、state dict"),
    "ui.advanced": ("Settings", "設定"),
    "ui.limit": ("Only the first N images (0 = all)", "只用前 N 張（0 = 全部）"),
    "ui.batch": ("Batch size (0 = automatic)", "批次大小（0 = 自動）"),
    "ui.precision": ("Precision", "精度"),
    "ui.settings": ("Further settings, one KEY=VALUE a line", "其他設定，每行一個 KEY=VALUE"),
    "ui.help.data": (
        "**What can be evaluated**\n\n"
        "- a folder with one folder of pictures per class; its name is the class name, a WordNet id (`n01440764`) or the class number\n"
        "- a CSV with the columns `path` and `label`; several labels joined by `;` make it multi-label\n"
        "- a zip of either\n\n"
        "Classes are matched to the model's by WordNet id, name or number before anything runs; what does not match is listed, and a mapping file settles it.\n\n"
        "Predictions are stored as they come: a stopped or crashed evaluation goes on where it was, the same model on the same data is never run twice, and thresholds, slices and metrics are computed from what is stored.",
        "**可以評估什麼**\n\n"
        "- 每個類別一個資料夾的影像；資料夾名稱是類別名稱、WordNet 代號（`n01440764`）或類別編號\n"
        "- 含 `path` 與 `label` 欄的 CSV；以 `;` 連接多個標籤即為多標籤\n"
        "- 上述任一種的 zip\n\n"
        "執行前會依 WordNet 代號、名稱或編號把類別對應到模型；對不上的會列出，可用對應檔解決。\n\n"
        "預測會邊跑邊存：停止或當機後可從原處繼續，同一模型與同一資料不會重跑，門檻、切片與指標都由已存的預測計算。",
    ),
    "ui.run": ("Evaluate", "開始評估"),
    "ui.stop": ("Stop", "停止"),
    "ui.job.idle": ("Nothing is running.", "目前沒有執行中的工作。"),
    "ui.job.queued": ("Waiting for its turn", "等候中"),
    "ui.job.running": ("Running", "執行中"),
    "ui.job.done": ("Done", "完成"),
    "ui.job.cancelled": ("Stopped", "已停止"),
    "ui.job.failed": ("Failed", "失敗"),
    "ui.job.left": ("{time} left", "剩餘 {time}"),
    "ui.job.skipped": ("{n} unreadable", "{n} 張無法讀取"),
    "ui.job.resumed": ("{n} from before", "沿用先前 {n} 張"),
    "ui.stage.queued": ("waiting", "等候"),
    "ui.stage.loading": ("loading the model", "載入模型"),
    "ui.stage.running": ("predicting", "推論中"),
    "ui.stage.scoring": ("scoring", "計算指標"),
    "ui.stage.done": ("done", "完成"),
    "ui.show": ("Show the results", "查看結果"),
    "ui.photos.drop": ("Drop photos here", "將照片拖到這裡"),
    "ui.photos.examples": ("Use four example photos", "使用四張範例照片"),
    "ui.photos.go": ("Classify", "分類"),
    "ui.photos.agree": ("same top answer", "首選相同"),
    "ui.photos.disagree": ("models disagree", "模型意見不同"),
    "ui.photos.stages": ("preprocess {pre} ms · forward {fwd} ms · postprocess {post} ms (batch 1, after a warm-up)", "前處理 {pre} ms · 前向 {fwd} ms · 後處理 {post} ms（批次 1，已暖機）"),
    "ui.photos.hint": ("Models see each photo one at a time; the marks tell where they disagree.", "模型逐張辨識；標記顯示它們在哪裡意見不同。"),
    "ui.cmp.truth": ("Truth", "真實標註"),
    "ui.cmp.empty": ("No picture is chosen yet.", "尚未選擇影像。"),
    "ui.cmp.gone": ("The picture cannot be shown here; its boxes can.", "無法顯示影像，但仍可顯示方框。"),
    "ui.cmp.none": ("no objects", "沒有物件"),
    "ui.cmp.object": ("{n} object", "{n} 個物件"),
    "ui.cmp.objects": ("{n} objects", "{n} 個物件"),
    "ui.cmp.more": ("the {n} least sure left out", "省略信心最低的 {n} 個"),
    "ui.cmp.confidence": ("Confidence", "信心分數"),
    "ui.cmp.show": ("What is drawn", "顯示內容"),
    "ui.cmp.boxes": ("Boxes", "方框"),
    "ui.cmp.masks": ("Masks", "遮罩"),
    "ui.cmp.labels": ("Labels", "標籤"),
    "ui.cmp.states": ("Right and wrong", "對與錯"),
    "ui.cmp.classes": ("Classes", "類別"),
    "ui.cmp.classes.how": ("click: show or hide; double click: only this", "點一下：顯示或隱藏；點兩下：只看這類"),
    "ui.cmp.classes.all": ("show all", "全部顯示"),
    "ui.cmp.zoom": ("Zoom", "縮放"),
    "ui.cmp.zoom.in": ("zoom in", "放大"),
    "ui.cmp.zoom.out": ("zoom out", "縮小"),
    "ui.cmp.zoom.fit": ("whole picture (double click)", "完整影像（點兩下）"),
    "ui.cmp.keys": ("Keys: + and − zoom, 0 whole picture, arrows move, N and P next and previous object", "按鍵：+ 與 − 縮放、0 完整影像、方向鍵移動、N 與 P 下一個與上一個物件"),
    "ui.cmp.state.truth": ("Truth", "真實"),
    "ui.cmp.state.tp": ("TP", "TP"),
    "ui.cmp.state.fp": ("FP", "FP"),
    "ui.cmp.state.fn": ("FN", "FN"),
    "ui.cmp.state.ignored": ("Ignored", "不計"),
    "ui.cmp.state.found": ("Found truth", "已找到的真實"),
    "ui.cmp.state.truth.long": ("truth", "真實標註"),
    "ui.cmp.state.tp.long": ("true positive: matches a truth", "真陽性：對上真實物件"),
    "ui.cmp.state.fp.long": ("false positive: matches no truth", "偽陽性：沒有對應的真實物件"),
    "ui.cmp.state.fn.long": ("false negative: a truth not found", "偽陰性：漏掉的真實物件"),
    "ui.cmp.state.ignored.long": ("ignored: neither right nor wrong", "不計：不算對也不算錯"),
    "ui.cmp.state.found.long": ("the truth behind a true positive", "真陽性所對應的真實物件"),
    "ui.cmp.stage.pre": ("pre", "前處理"),
    "ui.cmp.stage.fwd": ("forward", "前向"),
    "ui.cmp.stage.post": ("post", "後處理"),
    "ui.cmp.fact.confidence": ("Confidence", "信心分數"),
    "ui.cmp.fact.matched": ("Matched to", "對應到"),
    "ui.cmp.fact.iou": ("IoU", "IoU"),
    "ui.cmp.fact.cause": ("Error type", "錯誤類型"),
    "ui.cmp.fact.size": ("Size", "大小"),
    "ui.cmp.fact.at": ("Left, top", "左、上"),
    "ui.dphotos.go": ("Detect", "偵測"),
    "ui.dphotos.examples": ("Use example photos and scenes", "使用範例照片與場景"),
    "ui.dphotos.hint": ("A name from the list, or a path to a weight file; up to four side by side.", "清單中的名稱或權重檔路徑；最多四個並排。"),
    "ui.dphotos.strip": ("Photos", "照片"),
    "ui.dphotos.counts": ("objects found at confidence ≥ {t}", "信心分數 ≥ {t} 的物件數"),
    "ui.dphotos.unread": ("cannot be read", "無法讀取"),
    "ui.runs.open": ("Open", "開啟"),
    "ui.runs.delete": ("Delete", "刪除"),
    "ui.theme": ("Light / dark", "淺色／深色"),
}

STRINGS |= DETECTION | ENHANCE_VIEW | ENHANCEMENT | SEGMENTATION | MAPS | TRACK_VIEW | TRACKING
STRINGS |= COMPARE | HISTORY | PROFILE | SHARE | SLICES


def all_texts() -> dict[str, dict[str, str]]:
    """Every text by locale: these, and the explanations."""
    tables = texts()
    for key, (english, chinese) in STRINGS.items():
        tables["en"][key] = english
        tables["zh-TW"][key] = chinese
    return tables


I18N = gr.I18n(**all_texts())
"""Gradio's own translation, in the language of the reader's browser."""


def t(key: str) -> I18nData:
    """A component's text by key. Raises ValueError for an unknown key, so that none is forgotten."""
    if key not in STRINGS:
        raise ValueError(f"key must be one of STRINGS, got {key!r}")
    return I18N(key)
