"""Slices of stored runs: attributes, findings, and the panel's handlers without a browser."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dashboard.comparing.compare import compare
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore.slicing import slices as explore
from dashboard.slicing.attributes import attributes_of
from dashboard.slicing.measuring import Making
from dashboard.slicing.sliced import sliced
from dashboard.store import Store
from dashboard.tabs.common import Slider
from dashboard.tabs.compare_slices import OUTPUTS, START, Slices
from tests.fake_detector import FakeDetector, FakeObjects
from tests.fakes import FakeAdapter, FakeDataset

PLAIN = (True, 20, None, "rest")  # pairs, smallest, tags, against


class Shaded(FakeDataset):
    """Pictures of which every third is dark."""

    def __getitem__(self, index: int) -> Any:
        sample = super().__getitem__(index)

        def load() -> np.ndarray:
            picture = sample.load()
            picture[1:] = 20 if index % 3 == 0 else 200
            return picture

        return type(sample)(id=sample.id, load=load, target=sample.target)


class NightBlind(FakeAdapter):
    """Right of every bright picture, wrong of most dark ones."""

    def postprocess(self, outputs: np.ndarray) -> Any:
        found = super().postprocess(outputs)
        data = FakeDataset(400)
        for answer, number in zip(found, outputs.tolist(), strict=True):
            truth = int(data.targets[number])
            wrong = (number % 3 == 0 and number % 4 != 0) or number % 37 == 0
            answer.scores[:] = 0.02
            answer.scores[(truth + wrong) % 5] = 0.92
        return found


@pytest.fixture
def do(tmp_path, monkeypatch) -> Slices:
    store, data, how = Store(tmp_path), Shaded(400), Settings(latency=False)
    for adapter in (FakeAdapter(), NightBlind(fingerprint="model-2", name="night blind")):
        evaluate(adapter, data, store, how)
    engine = Engine(tmp_path)
    monkeypatch.setattr(engine, "pictures", lambda run: data)
    monkeypatch.setattr(Slices, "_make_thumb", lambda self, *facts: "data:,")
    return Slices(engine)


def ids_of(do: Slices) -> list[str]:
    return [r.id for r in sorted(do.engine.store.runs(), key=lambda r: r.model)]  # hasher, night blind


def click(value: Any = None, index: Any = 0) -> Any:
    return SimpleNamespace(value=value, index=index)


def test_the_dark_pictures_are_found(do) -> None:
    ids = ids_of(do)
    shown = do.opened(dict(START), ids, ids[0], *PLAIN)
    assert len(shown) == OUTPUTS
    state = shown[0]
    told = (*PLAIN, ids[1], None)
    state, _, said, table, gallery = do.retabled(state, *told)
    worst = table["rows"][0]
    assert worst[0] == {"key": "ui.slice.one", "vars": {"a": "ui.slice.attr.brightness", "x": worst[0]["vars"]["x"]}}
    assert 80 < worst[1] <= 134
    assert worst[-1] == {"key": "ui.slice.worse"}
    assert said["lines"][0]["key"] == "ui.slice.said.found"
    assert said["lines"][0]["tone"] == "bad"
    assert gallery["total"] == worst[1]
    assert gallery["of"] == {"key": "night blind", "mark": 1}
    assert worst[5].startswith("−")
    assert table["columns"][2]["short"] == "explain.top1.name"
    scored = said["lines"][1]
    assert scored == {"key": "ui.slice.note.score", "vars": {"score": "explain.top1.name"}, "explain": "top1"}
    assert all(int(card["id"][7:12]) % 3 == 0 for card in gallery["cards"])
    assert not gallery["cards"][0]["answers"][1]["right"]  # the lowest scores first


def test_a_model_without_a_weak_side_is_told_so(do) -> None:
    ids = ids_of(do)
    said = do.opened(dict(START), ids, ids[0], *PLAIN)[7]
    assert said["lines"][0]["key"] == "ui.slice.said.chance"
    assert said["lines"][0]["vars"]["found"] == 0


def test_clicks(do, tmp_path) -> None:
    ids = ids_of(do)
    state = do.opened(dict(START), ids, ids[0], *PLAIN)[0]
    assert len(do.opened(state, ids, ids[0], *PLAIN)) == OUTPUTS
    told = (True, 20, None, "baseline", ids[1], "class")
    state, gallery, attribute, chart = do.on_row(state, click(index=0), *told)
    assert gallery["total"] == len(do.again(state, do_controls(told))[0].slices[state["slice"]].rows)
    assert chart["layout"]["xaxis"]["title"]["text"] == f"ui.slice.attr.{attribute}"
    chart = do.charted(state, *told)
    assert [t["name"] for t in chart["data"]] == ["hasher", "night blind"]
    assert chart["data"][0]["x"] == [f"class {k}" for k in range(5)]
    place, run = chart["data"][1]["customdata"][2]
    state, gallery = do.on_dot(state, click({"data": [place, run]}), *told)
    assert gallery["title"]["vars"]["x"] == "class 2"
    state, more = do.on_more(state, *told)
    assert more["start"] == 24
    card = gallery["cards"][0]
    state, detail, *_ = do.on_picture(state, click({"index": card["index"]}), *told)
    assert detail.value["id"] == card["id"]
    _, after, *_ = do.on_picture(state, click({"index": 0, "step": 1}), *told)
    assert after.value["id"] == gallery["cards"][1]["id"]
    for call, event in (
        (do.on_row, click(index=9999)),
        (do.on_dot, click({"data": [9999, 0]})),
        (do.on_dot, click("x")),
        (do.on_picture, click({"index": -4})),
    ):
        with pytest.raises(InputError, match="reload the page"):
            call(state, event, *told)
    rows = list(csv.DictReader(Path(do.csv(state, *told)).read_text("utf-8").splitlines()))
    assert {r["model"] for r in rows} == {"hasher", "night blind"}
    worst = next(r for r in rows if r["verdict"] == "worse")
    assert (worst["model"], worst["attribute"], worst["attribute_2"]) == ("night blind", "brightness", "")
    assert float(worst["to_baseline_low"]) < float(worst["to_baseline"]) < float(worst["to_baseline_high"])


def do_controls(told: tuple[Any, ...]) -> Any:
    from dashboard.tabs.compare_slices import Controls

    return Controls(*told)


def test_a_persons_tags(do, tmp_path) -> None:
    ids, file = ids_of(do), tmp_path / "tags.csv"
    lines = [f"folder/{i:05d}.png,{'wet' if i % 3 == 0 else 'dry'}" for i in range(0, 400)]
    file.write_text("\n".join(["id,=weather", *lines, "other.png,wet"]), "utf-8")
    told = (False, 20, str(file), "rest", ids[1], "=weather")
    shown = do.asked(dict(START), ids, ids[0], *told)
    notes = {line["key"]: line.get("vars") for line in shown[7]["lines"]}
    assert notes["ui.slice.note.tags"] == {"n": 400, "of": 400, "rest": 1}
    assert shown[9]["data"][0]["x"] == ["dry", "wet"]
    text = Path(do.csv(shown[0], *told)).read_text("utf-8")
    assert "'=weather" in text  # a spreadsheet must not take it for a formula
    file.write_text("nothing\n", "utf-8")
    with pytest.raises(InputError, match="no column is called id"):
        do.asked(dict(START), ids, ids[0], *told)
    do.engine.public = True
    with file.open("ab") as out:
        out.truncate(20_000_001)
    with pytest.raises(InputError, match="larger than 20 MB"):
        do.asked(dict(START), ids, ids[0], *told)


def test_pictures_that_are_gone(do, monkeypatch) -> None:
    ids = ids_of(do)
    monkeypatch.setattr(do.engine, "pictures", lambda run: None)
    shown = do.opened(dict(START), ids, ids[0], *PLAIN)
    assert [line["key"] for line in shown[7]["lines"]][1:] == ["ui.slice.note.score", "ui.slice.note.gone"]
    assert {row[0]["vars"]["a"] for row in shown[8]["rows"]} == {"ui.slice.attr.class"}
    assert shown[10]["cards"][0]["thumb"] is None


def test_where_nothing_can_be_sliced_the_page_says_so(do, tmp_path) -> None:
    ids = ids_of(do)
    for chosen, said in (([], ""), (ids[:1], ""), ([ids[0], ids[0]], "is asked for twice")):
        shown = do.opened(dict(START), chosen, ids[0], *PLAIN)
        note, panel = shown[-3:-1]
        assert (note.visible, panel.visible) == (bool(said), False)
        assert said in note.value
        assert (shown[0] == START) == bool(said)  # another look tries again
    shown = do.opened(dict(START), ids, ids[0], False, 300, None, "rest")  # two hundred of four hundred at most
    assert shown[7]["lines"][0]["key"] == "ui.slice.said.none"
    assert [part.visible for part in shown[-3:]] == [False, True, False]
    shown = do.opened(dict(START), ids, ids[0], *PLAIN)
    assert [part.visible for part in shown[-3:]] == [False, True, True]


def test_the_least_size_fits_how_many_images_there_are(tmp_path, monkeypatch) -> None:
    store = Store(tmp_path)
    engine = Engine(tmp_path)
    monkeypatch.setattr(engine, "pictures", lambda run: None)
    do, sized = Slices(engine), {}
    for n in (7, 50, 200):
        data = FakeDataset(n, fingerprint=f"data-{n}")
        runs = [evaluate(FakeAdapter(fingerprint=f"{n} {k}"), data, store, Settings(latency=False)) for k in range(2)]
        sized[n] = [r.id for r in runs]

    def opened(state: Any, n: int, smallest: int) -> Any:
        return do.opened(state, sized[n], sized[n][0], True, smallest, None, "rest")

    few = opened(dict(START), 7, 20)
    assert few[7]["lines"][0] == {"key": "ui.slice.said.small", "vars": few[7]["lines"][0]["vars"], "tone": ""}
    assert (few[7]["lines"][0]["vars"]["n"], few[-1].visible) == (7, False)  # no table, and nothing to download
    some = opened(few[0], 50, 5)
    assert (some[-4].value, some[-1].visible) == (10, True)
    assert opened(some[0], 200, 10)[-4].value == 20
    own = opened(some[0], 200, 15)  # a person's own choice stays
    assert not hasattr(own[-4], "value")
    assert own[0]["by"]["smallest"] == 15


def test_rows_stay_while_pictures_are_measured(do, monkeypatch) -> None:
    ids = ids_of(do)
    known, asked = do.measurings.ask(do.engine.pictures(None), np.arange(400), 30)[0], []
    making = Making(7, 400)
    monkeypatch.setattr(do.measurings, "ask", lambda *told: (asked.append(1), (known, making))[1])
    shown = do.opened(dict(START), ids, ids[0], *PLAIN)
    state, clock, bars, table = shown[0], shown[2], shown[6], shown[8]
    assert (clock.active, bars.visible, state["measured"]) == (True, True, False)
    assert {row[0]["vars"]["a"] for row in table["rows"]} == {"ui.slice.attr.class"}
    tick = do.ticked(state, ids, ids[0], *PLAIN, None, None)
    assert len(tick) == OUTPUTS
    changed = [k for k, value in enumerate(tick) if not (isinstance(value, dict) and value.get("__type__") == "update")]
    assert changed == [6]  # the bars
    monkeypatch.setattr(do.measurings, "ask", lambda *told: (known, None))  # all is measured; the page is as before
    chosen = do.on_row(state, click(index=1), *PLAIN, ids[0], None)[0]
    assert (
        explore.title(do.again(state, do_controls((*PLAIN, ids[0], None)))[0].slices[chosen["slice"]])
        == (table["rows"][1][0])
    )
    after = do.ticked(state, ids, ids[0], *PLAIN, None, None)
    assert (after[0]["measured"], after[2].active) == (True, False)
    assert "ui.slice.attr.brightness" in {row[0]["vars"]["a"] for row in after[8]["rows"]}


def test_what_pictures_have_is_one_attribute_to_chart(tmp_path, monkeypatch) -> None:
    store, data = Store(tmp_path), FakeDataset(200, multilabel=True)
    for k in range(2):
        evaluate(FakeAdapter(multilabel=True, fingerprint=f"{k}"), data, store, Settings(latency=False))
    engine = Engine(tmp_path)
    monkeypatch.setattr(engine, "pictures", lambda run: None)
    ids = [r.id for r in store.runs()]
    shown = Slices(engine).opened(dict(START), ids, ids[0], *PLAIN)
    assert [value for _, value in shown[5].choices] == ["has"]
    assert len(shown[9]["data"][0]["x"]) == 5


def test_events_made_by_hand(do) -> None:
    ids = ids_of(do)
    state = do.opened(dict(START), ids, ids[0], *PLAIN)[0]
    told = (True, 20, None, "rest", ids[1], "class")
    for call, event in (
        (do.on_picture, click({"index": True})),
        (do.on_row, click(index=True)),
        (do.on_row, click(index=[0, 1])),
        (do.on_dot, click({"data": ["0", 0]})),
        (do.on_dot, click({"data": [True, 0]})),
        (do.on_dot, click({"data": [0.5, 0]})),
    ):
        with pytest.raises(InputError, match="reload the page"):
            call(state, event, *told)
    assert len(do.asked(state, ids, ids[0], [], 20, None, "rest", ids[1], "class")) == OUTPUTS
    state = do.on_row(state, click(index=5), *told)[0]
    larger = (True, 100, *told[2:])  # asked for, but its answer is still under way
    assert do.on_more(state, *larger)[1]["cards"] == do.on_more(state, *told)[1]["cards"]
    assert len(do.on_picture(state, click({"index": 0, "step": []}), *told)) == 4  # no step at all


@pytest.mark.parametrize("given", ["a", None, [], {}, float("nan"), True, "7"])
def test_a_slider_takes_what_is_no_number_for_its_least(given) -> None:
    assert Slider(5, 200, 20).preprocess(given) == (7 if given == "7" else 5)


def test_a_single_run_and_another_panel(do) -> None:
    ids = ids_of(do)
    assert len(do.opened(dict(START), ids[:1], ids[0], *PLAIN)) == OUTPUTS
    assert len(do.rechosen("decide", dict(START), ids, ids[0], *PLAIN)) == OUTPUTS


def test_objects_have_counts_and_sizes(tmp_path) -> None:
    how = Settings(latency=False, batch_size=4)
    second = FakeDetector()
    second.fingerprint = "another"
    run, other = (evaluate(model, FakeObjects(), Store(tmp_path), how) for model in (FakeDetector(), second))
    c = compare([run, other])
    found = {(a.name, tuple(a.labels)): a for a in attributes_of(c, None, FakeObjects())}
    names = {name for name, _ in found}
    assert names <= {"has", "folder", "objects", "object_size"}
    data = FakeObjects()
    counts = np.array([len(data[int(i)].target) for i in c.index[0]])
    objects = next((a for (name, _), a in found.items() if name == "objects"), None)
    assert objects is not None or len(np.unique(counts)) == 1
    for (name, labels), a in found.items():
        if name == "has":
            label = run.classes.index(labels[0])
            has = np.array([label in data[int(i)].target.class_ids for i in c.index[0]])
            assert ((a.codes == 0) == has).all()


def test_frames_of_a_film_are_not_tested(do) -> None:
    from dataclasses import replace

    ids = ids_of(do)
    c = compare([do.engine.store.get(i) for i in ids])
    film = replace(c, unit="block of frames")
    view = sliced(film, attributes_of(film, None, None))
    assert set(explore.verdict(view, 1)) == {"untested"}
    assert explore.summary(view, 1)["key"] == "ui.slice.said.untested"
    assert "error_y" not in explore.chart(view, "class")["data"][0]
    assert {row[-2] for row in explore.table_data(view, 1)["rows"]} == {None}


def test_fifty_thousand_samples_are_sliced_in_a_moment(do) -> None:
    from dataclasses import replace

    from dashboard.slicing.attributes import numeric

    c = compare([do.engine.store.get(i) for i in ids_of(do)])
    rng, n = np.random.default_rng(0), 50_000
    big = replace(c, ids=[str(i) for i in range(n)], scores=rng.random((2, n)))
    begin = time.perf_counter()
    view = sliced(big, [numeric(f"a{k}", rng.random(n)) for k in range(8)])
    view.findings(1)
    assert len(view.slices) == 8 * 4 + 28 * 16
    assert time.perf_counter() - begin < 3
