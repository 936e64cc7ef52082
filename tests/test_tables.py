"""Tables say what the runs say; predictions that go out come back with the same numbers."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.metrics.detection import bootstrap
from dashboard.reporting import raw, space, writing
from dashboard.reporting.raw import FORMATS, inside, write_predictions
from dashboard.reporting.space import readme, write_space
from dashboard.reporting.tables import (
    SUFFIXES,
    class_table_of,
    csv_text,
    harmless,
    latex,
    markdown,
    number,
    table_of,
    write_table,
)
from dashboard.scoring import score
from dashboard.store import Store
from dashboard.tabs import common, compare_share
from tests.report_runs import HOSTILE, MAKERS, classification


@pytest.fixture(scope="module", autouse=True)
def _few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "TIMES", 20)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {task: make(tmp_path_factory.mktemp(task)) for task, make in MAKERS.items()}


SMALL = pd.DataFrame(
    [
        ("a_1", "top1", 0.9, 0.85, 0.93, True),
        ("b&c", "top1", 0.8, 0.7, 0.85, True),
        ("a_1", "ece", 0.05, np.nan, np.nan, False),
        ("b&c", "ece", 0.02, np.nan, np.nan, False),
        ("a_1", "shift", -1.5, np.nan, np.nan, None),
        ("b&c", "shift", np.nan, np.nan, np.nan, None),
    ],
    columns=["model", "metric", "value", "low", "high", "higher_is_better"],
).astype({"higher_is_better": "boolean"})


def test_latex_is_as_written_by_hand():
    assert latex(SMALL, "plus_minus") == (
        "% \\usepackage{booktabs}\n"
        "\\begin{tabular}{lrrr}\n"
        "\\toprule\n"
        "model & top1 $\\uparrow$ & ece $\\downarrow$ & shift \\\\\n"
        "\\midrule\n"
        "a\\_1 & \\textbf{0.900 $\\pm$ 0.050} & 0.050 & $-$1.500 \\\\\n"
        "b\\&c & 0.800 $\\pm$ 0.100 & \\textbf{0.020} & n/a \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


def test_markdown_is_as_written_by_hand():
    assert markdown(SMALL) == (
        "| model | top1 ↑ | ece ↓ | shift |\n"
        "| :-- | --: | --: | --: |\n"
        "| a\\_1 | **0.900 \\[0.850, 0.930\\]** | 0.050 | −1.500 |\n"
        "| b&c | 0.800 \\[0.700, 0.850\\] | **0.020** | n/a |\n"
    )
    assert "[" not in markdown(SMALL, "none")
    with pytest.raises(ValueError, match="spread"):
        markdown(SMALL, "sigma")


def test_equal_values_are_both_best_unless_all_are():
    rows = [(m, "top1", v, np.nan, np.nan, True) for m, v in (("a", 0.51231), ("b", 0.51229), ("c", 0.4))]
    frame = pd.DataFrame(rows, columns=SMALL.columns).astype({"higher_is_better": "boolean"})
    assert markdown(frame).count("**0.512**") == 2
    assert "**" not in markdown(frame[frame["model"] != "c"])


def test_many_metrics_stand_below_each_other():
    rows = [("a", f"m{i}", i / 10, np.nan, np.nan, True) for i in range(9)]
    frame = pd.DataFrame(rows, columns=SMALL.columns)
    assert markdown(frame).splitlines()[0] == "| metric | a |"
    assert len(markdown(frame).splitlines()) == 11


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"), (math.nan, "n/a"), (math.inf, "inf"), (0, "0"), (11689512, "11,689,512"), (0.5, "0.500"),
        (31.415926, "31.42"), (-0.25, "-0.250"), (0.00001, "1.0e-05"), (5000.0, "5,000"), (0.0, "0.000"),
        (True, "True"),
    ],
)  # fmt: skip
def test_numbers_for_people(value, text):
    assert number(value, "-") == text


def test_nothing_in_a_name_is_code_for_latex_or_markdown():
    frame = pd.DataFrame(
        {"class": ["a|b\n*c* <img> [x](http://y) `d`", r"\input{x} $y$ 5% #1 ^ ~ {}"], "f1": [1.0, 0.5]}
    )
    rows = markdown(frame).splitlines()
    assert rows[2] == r"| a\|b \*c\* \<img\> \[x\](http://y) \`d\` | 1.000 |"
    assert r"\textbackslash{}input\{x\} \$y\$ 5\% \#1 \textasciicircum{} \textasciitilde{} \{\}" in latex(frame)
    assert len(rows) == 4


def test_a_table_of_runs_is_what_the_runs_say(made):
    for _, runs, _ in made.values():
        frame = table_of(runs)
        for run in runs:
            mine = frame[frame["run"] == run.id].set_index("metric")
            assert {k: None if np.isnan(v) else v for k, v in mine["value"].items()} == dict(run.metrics)
            for name, (low, high) in run.intervals.items():
                assert (mine.loc[name, "low"], mine.loc[name, "high"]) == (low, high)
    better = table_of(made["classification"][1]).set_index("metric")["higher_is_better"]
    assert better["top1"].all()
    assert not better["ece"].any()
    only = table_of(made["classification"][1], ["ece", "top1"])
    assert list(only["metric"]) == ["ece", "ece", "top1", "top1"]


def test_a_table_of_a_comparison_has_its_differences(made):
    from dashboard.comparing.compare import compare

    found = compare(made["classification"][1], 1)
    frame = table_of(found).set_index(["metric", "model"])
    top = next(d for d in found.differences if d.metric == "top1")
    row = frame.loc[("top1", "model0 <b>")]
    assert (row["difference"], row["p"], row["method"]) == (top.value, top.p, top.method)
    assert np.isnan(frame.loc[("top1", "model1 <b>")]["difference"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tables_are_written_by_their_suffix(made, tmp_path, suffix):
    frame = table_of(made["classification"][1])
    path = write_table(frame, tmp_path / f"t{suffix}")
    if suffix == ".parquet":
        pd.testing.assert_frame_equal(pd.read_parquet(path), frame)
    elif suffix == ".csv":
        back = pd.read_csv(path)
        np.testing.assert_array_equal(back["value"], frame["value"])
        assert list(back.columns) == list(frame.columns)
    else:
        assert "0.750" in path.read_text("utf-8")
    assert os.listdir(tmp_path) == [path.name]
    with pytest.raises(InputError, match="known kind"):
        write_table(frame, tmp_path / "t.xlsx")
    with pytest.raises(InputError, match="there is no folder"):
        write_table(frame, tmp_path / "no" / f"t{suffix}")


def test_classes_as_a_table(made):
    _, runs, _ = made["classification"]
    frame = class_table_of(runs)
    assert list(frame["class"]) == [*HOSTILE] * 2
    assert frame["support"].tolist() == [4] * 6
    sequences = class_table_of(made["tracking"][1], "per_sequence")
    assert list(sequences["sequence"]) == ["A", "B"]
    with pytest.raises(InputError, match="no table per class"):
        class_table_of(made["enhancement"][1])


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_no_cell_is_a_formula(texts):
    read = list(csv.reader(io.StringIO(csv_text(pd.DataFrame({"=a": texts, "n": range(len(texts))})), newline="")))
    assert read[0] == ["'=a", "n"]
    for row in read[1:]:
        assert not row or not row[0].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert harmless(-1.5) == -1.5


def same(a: Any, b: Any, names: tuple[str, ...]) -> None:
    for name in names:
        assert b.metrics[name] == pytest.approx(a.metrics[name], abs=1e-6), name


@pytest.mark.parametrize(
    ("task", "suffix", "names"),
    [
        ("classification", ".csv", ("top1", "f1_macro", "log_loss", "ece", "auroc_macro")),
        ("classification", ".parquet", ("top1", "f1_macro", "log_loss", "ece", "auroc_macro")),
        ("detection", ".json", ("map", "map_50", "mar_100", "f1")),
        ("instance-segmentation", ".json", ("map", "map_50", "mar_100", "miou")),
        ("semantic-segmentation", ".zip", ("miou", "pixel_accuracy", "boundary_f1")),
        ("enhancement", ".zip", ("psnr", "ssim", "psnr_y", "mae")),
        ("tracking", ".zip", ("HOTA", "MOTA", "IDF1", "IDSW", "FP", "FN")),
    ],
)
def test_predictions_come_back_with_the_same_numbers(made, tmp_path, task, suffix, names):
    _, runs, data = made[task]
    path = write_predictions(runs[0], tmp_path / f"p{suffix}", data)
    assert os.listdir(tmp_path) == [path.name]
    if task == "classification" and suffix == ".csv":  # an apostrophe keeps a spreadsheet from taking a name for code
        path.write_text(path.read_text("utf-8").replace("'=", "="), "utf-8")
    if task == "tracking":
        with ZipFile(path) as archive:
            archive.extractall(tmp_path / "mot")
        path = tmp_path / "mot"
    same(runs[0], score(data, path, Store(tmp_path / "store")), names)


def test_boxes_as_rows(made, tmp_path):
    _, runs, data = made["detection"]
    rows = pd.read_parquet(write_predictions(runs[0], tmp_path / "p.parquet", data))
    entries = json.loads(write_predictions(runs[0], tmp_path / "p.json", data).read_text())
    assert len(rows) == len(entries) == sum(i % 4 for i in range(12)) + 12
    x0, y0, width, height = np.array([e["bbox"] for e in entries]).T
    np.testing.assert_allclose(rows[["left", "top", "right", "bottom"]], np.stack([x0, y0, x0 + width, y0 + height], 1))
    assert [e["image_id"] for e in entries] == rows["image"].tolist()
    with_numbers = SimpleNamespace(image_ids=np.arange(12) + 500, category_ids=[7, 8, 90], class_names=("a", "b", "c"))
    coco: Any = with_numbers
    numbered = json.loads(write_predictions(runs[0], tmp_path / "n.json", coco).read_text())
    assert {e["image_id"] for e in numbered} == set(range(500, 512))
    assert {e["category_id"] for e in numbered} <= {7, 8, 90}


def test_formats_that_there_are_not_are_refused(made, tmp_path):
    for task, (_, runs, data) in made.items():
        for suffix in FORMATS[task]:
            assert write_predictions(runs[0], tmp_path / f"{task}{suffix}", data).stat().st_size > 0
        with pytest.raises(InputError, match="are written as"):
            write_predictions(runs[0], tmp_path / "p.doc", data)


def test_predictions_that_were_deleted_are_said_to_be(tmp_path):
    _, runs, _ = classification(tmp_path, 1)
    runs[0].predictions_path.unlink()
    with pytest.raises(InputError, match="were deleted"):
        write_predictions(runs[0], tmp_path / "p.csv")
    assert not (tmp_path / "p.csv").exists()


@given(st.lists(st.text(alphabet="ab./\\:C ", max_size=12), max_size=6))
def test_names_in_an_archive_stay_inside_and_apart(ids):
    used: set[str] = set()
    names = [inside(i, used) for i in dict.fromkeys(ids)]
    for name in names:
        assert not Path(name).is_absolute()
        assert ".." not in Path(name).parts
        assert name.endswith(".png")
    assert len(set(names)) == len(names)


def test_a_static_space_is_ready_to_be_pushed(made, tmp_path):
    import yaml

    store, runs, data = made["tracking"]
    folder = write_space(store, runs, tmp_path / "space", pictures=lambda _: data, title='A "title": [x] # y\n---')
    assert sorted(os.listdir(folder)) == ["README.md", "index.html", "metrics.csv", "metrics.parquet"]
    card = (folder / "README.md").read_text("utf-8")
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["sdk"] == "static"
    assert head["app_file"] == "index.html"
    assert head["title"] == 'A "title": [x] # y ---'
    assert str(tmp_path) not in (folder / "index.html").read_text("utf-8") + card
    with pytest.raises(InputError, match="is there already"):
        write_space(store, runs, folder)
    archive = write_space(store, runs, tmp_path / "space.zip", language="zh-TW")
    assert ZipFile(archive).namelist() == ["README.md", "index.html", "metrics.csv", "metrics.parquet"]
    assert len(yaml.safe_load(readme(runs, "x" * 300).split("---\n")[1])["title"]) == 60


def test_a_space_is_refused_before_the_work_and_leaves_nothing_half(made, tmp_path, monkeypatch):
    store, runs, _ = made["semantic-segmentation"]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with monkeypatch.context() as patch:
        patch.setattr(space, "report_html", lambda *_, **__: pytest.fail("it was made although it cannot be written"))
        for out, why in ((tmp_path / "full", "there already"), (tmp_path / "no" / "x.zip", "there is no folder")):
            with pytest.raises(InputError, match=why):
                write_space(store, runs, out)

    def full(_from: Path, out: Path, **_: Any) -> None:
        out.mkdir(exist_ok=True)
        (out / "README.md").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(space.shutil, "copytree", full)
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        with pytest.raises(InputError, match="No space left"):
            write_space(store, runs, tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["empty", "full"]
    assert os.listdir(tmp_path / "empty") == []


def test_boxes_of_which_the_first_pictures_have_none(made, tmp_path, monkeypatch):
    """Columns of a first block without any object are typed all the same."""
    _, runs, _ = made["detection"]
    blocks = list(raw.boxes(runs[0]))
    numeric = pd.api.types.is_numeric_dtype
    empty = pd.DataFrame({c: np.zeros(0, v.dtype if numeric(v) else object) for c, v in blocks[0].items()})
    frames = [empty, *blocks, empty]
    monkeypatch.setattr(raw, "boxes", lambda _: iter(frames))
    table = pq.read_table(write_predictions(runs[0], tmp_path / "p.parquet"))
    assert not any(pa.types.is_null(field.type) for field in table.schema)
    back = table.to_pandas()
    assert back["image"].tolist() == [i for f in frames for i in f["image"]]
    assert back["class"].tolist() == [i for f in frames for i in f["class"]]
    rows = pd.read_csv(write_predictions(runs[0], tmp_path / "p.csv"))
    assert len(rows) == len(back) > 0


class TestPanel:
    """Handlers of the panel."""

    @pytest.fixture
    def do(self, made: dict[str, Any]) -> compare_share.Share:
        store, _, data = made["classification"]
        engine: Any = SimpleNamespace(store=store, pictures=lambda _: data, public=False)
        return compare_share.Share(engine)

    def test_files(self, made, do):
        ids = [r.id for r in made["classification"][1]]
        html = Path(do.report(ids, ids[1], " My title ", "en", 4.0))
        assert html.name == "model0-b-model1-b-numbers.html"
        assert "<h1>My title</h1>" in html.read_text("utf-8")
        assert ZipFile(do.space(ids, ids[0], "", "zh-TW")).namelist()[0] == "README.md"
        assert "difference" in Path(do.table(ids, ids[0], "metrics", ".csv", "interval")).read_text().partition("\n")[0]
        assert "difference" not in Path(do.table(ids[:1], ids[0], "metrics", ".csv", "interval")).read_text()
        assert "Images" in Path(do.table(ids, ids[0], "classes", ".md", "interval")).read_text()
        assert "recall_difference_low" in Path(do.table(ids, ids[0], "classes", ".csv", "interval")).read_text()
        assert len(pd.read_parquet(do.predictions(ids[1], ".parquet"))) == 12
        assert compare_share.report_file(do.engine, ids[:1]).endswith(".html")

    def test_files_of_a_profile(self, made):
        store, runs, _ = made["profile"]
        do = compare_share.Share(Engine(store.root))
        assert json.loads(Path(do.predictions(runs[0].id, ".json")).read_text())["model"] == "tiny"
        assert Path(do.report([runs[0].id], "", "", "en", 4.0)).stat().st_size > 100_000
        assert "macs" in Path(do.table([runs[0].id], "", "metrics", ".csv", "none")).read_text()

    def test_odd_events(self, made, do):
        ids = [r.id for r in made["classification"][1]]
        for call in (
            lambda: do.report([], "", "", "en", 4),
            lambda: do.report(["../../etc"], "", "", "en", 4),
            lambda: do.table(ids, "", "metrics", ".exe", "interval"),
            lambda: do.table(ids, "", "metrics", ".md", "{x}"),
            lambda: do.predictions(None, None),
            lambda: do.predictions(ids[0], "/../x.csv"),
            lambda: do.predictions(ids[0], ".html"),
        ):
            with pytest.raises(InputError):
                call()

    def test_opened(self, made, do):
        ids = [r.id for r in made["classification"][1]]
        run, kind, _ = do.opened([*ids, "gone"])
        assert [v for _, v in run.choices] == ids
        assert [v for _, v in kind.choices] == [".parquet", ".csv"]
        assert do.opened([])[0].choices == []

    def test_a_report_under_way_is_left_alone(self, monkeypatch, tmp_path):
        """While another file is saved: the place of the first is there, however little the disk holds."""
        monkeypatch.setattr(common.tempfile, "gettempdir", lambda: str(tmp_path))
        monkeypatch.setattr(common, "MOST_BYTES", 10)
        slow = common.new_file("slow.html")
        with writing.whole(slow) as part:
            part.write_bytes(b"x" * 100)
            other = writing.write_whole(common.new_file("other.html"), b"y" * 100)
            assert common.new_file("third.html").parent.is_dir()
            part.write_bytes(part.read_bytes() + b"z")
        assert slow.read_bytes() == b"x" * 100 + b"z"
        assert not other.exists(), "what is finished yields"

    @pytest.mark.parametrize("model", ["數" * 90, "m" * 300, "../..", "a/b"])
    def test_names_of_files(self, made, model):
        run = replace(made["classification"][1][0], model=model)
        name = compare_share.named([run], "-predictions.parquet")
        assert len(name.encode()) <= 200
        assert Path(name).name == name
        assert name.endswith("-predictions.parquet")

    def test_old_files_go(self, do, monkeypatch, tmp_path):
        monkeypatch.setattr(common.tempfile, "gettempdir", lambda: str(tmp_path))
        old = common.new_file("old.html")
        old.write_text("x")
        os.utime(old, (0, 0))
        new = common.new_file("new.html")
        assert not old.exists()
        assert new.parent.is_dir()
