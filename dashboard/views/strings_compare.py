"""Words of the part of the app called "compare", English beside Traditional Chinese, by key."""

COMPARE: dict[str, tuple[str, str]] = {
    "ui.tab.compare": ("Compare", "比較"),
    "ui.cmp.task": ("Task", "任務"),
    "ui.cmp.runs": ("Runs to compare (two to eight)", "要比較的執行結果（二到八個）"),
    "ui.cmp.baseline": ("Compared with", "比較的基準"),
    "ui.cmp.panel.decide": ("Which is better", "哪個比較好"),
    "ui.cmp.panel.pictures": ("Where they differ", "差在哪些影像"),
    "ui.cmp.panel.classes": ("By class", "依類別"),
    "ui.cmp.panel.slices": ("By slice", "依切片"),
    "ui.cmp.panel.costs": ("Operating point", "操作點"),
    "ui.cmp.panel.share": ("Report and tables", "報告與表格"),
    "ui.cmp.few": ("Pick at least two runs of one task: every number here is a difference between runs on the same images.", "請至少選擇同一任務的兩個執行結果：這裡的每個數字都是在相同影像上的差異。"),
}
