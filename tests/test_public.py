"""A server for strangers, attacked over its real HTTP interface: nothing runs, nothing leaks, nothing stays behind."""

from __future__ import annotations

import io
import json
import os
import pickle
import stat
import struct
import types
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from dashboard.datasets.digits import Digits
from dashboard.engine import Engine
from dashboard.evaluation import Settings, evaluate
from dashboard.public_gate import MOST_SENT, UploadLimit, visitor_of
from dashboard.serve import launch
from dashboard.store import Store
from dashboard.tabs.common import owner_of
from dashboard.tabs.endpoints import Endpoints
from dashboard.visitors import Visitor, VisitorStore
from models.load import load_model
from tests.datasets.pictures import encode, gradient, zipped
from tests.pages_over_http import HttpPage, file_data

SECRET = "root:x:0:0"  # how /etc/passwd begins
DIGIT = encode(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A public server's, with what its owner has made at the start."""
    root = tmp_path_factory.mktemp("public")
    patch = pytest.MonkeyPatch()
    patch.setenv("LOUPE_CACHE", str(root / "cache"))
    for name in ("digits_linear", "digits_cnn"):
        evaluate(load_model(name), Digits(), Store(root / "store"), Settings(latency=False))
    yield Engine(root / "store", public=True)  # type: ignore[misc]
    patch.undo()


@pytest.fixture(scope="module")
def address(engine: Engine) -> Iterator[str]:
    page, address = launch(engine, wait=False, quiet=True, server_name="127.0.0.1")
    yield address
    page.close()


@pytest.fixture(scope="module")
def config(address: str) -> dict[str, Any]:
    """What the page is made of."""
    return HttpPage(address).config


@pytest.fixture
def page(address: str, config: dict[str, Any]) -> HttpPage:
    return HttpPage(address, "", config)


def test_nobody_goes_past_the_queue(page: HttpPage) -> None:
    """Gradio's direct route would run any number of requests at once."""
    queued = next(e for e in page.events if e["api_name"] == "runs" and e["queue"] is not False)
    answer = page.web.post(f"/gradio_api/run/{queued['api_name']}", json={"data": []})
    assert answer.status_code >= 400


def test_what_is_no_file_is_bounded(address: str) -> None:
    """A body is read into memory, whatever it says of its own length."""
    text = b'{"data": ["' + b"a" * MOST_SENT + b'"]}'
    kind = {"content-type": "application/json"}
    with httpx.Client(base_url=address, timeout=60) as web:
        for route in ("/gradio_api/queue/join", "/gradio_api/run/runs", "/gradio_api/cancel"):
            assert web.post(route, content=text, headers=kind).status_code == 413
        pieces = (text[start : start + (1 << 20)] for start in range(0, len(text), 1 << 20))
        try:  # without a length
            answer = web.post("/gradio_api/queue/join", content=pieces, headers=kind)
            assert answer.status_code >= 400
        except httpx.TransportError:
            pass
        assert web.get("/config").status_code == 200


def test_a_visitor_has_one_task_at_a_time_however_many_pages_he_opens(engine: Engine) -> None:
    assert isinstance(engine.store, VisitorStore)
    with pytest.MonkeyPatch.context() as patch:
        requests = [SimpleNamespace(session_hash=name) for name in ("a", "b")]
        patch.setattr(engine.store, "who", lambda: Visitor(("cookie", "a")))
        assert len({owner_of(engine, r) for r in requests}) == 1  # type: ignore[arg-type]
        assert owner_of(engine, requests[0], "-video") != owner_of(engine, requests[0])  # type: ignore[arg-type]
        patch.setattr(engine.store, "who", lambda: Visitor(("another", "a")))
        assert owner_of(engine, requests[0]) != "" != owner_of(engine, SimpleNamespace(session_hash=None))  # type: ignore[arg-type]
        patch.setattr(engine.store, "who", lambda: None)
        assert owner_of(engine, SimpleNamespace(session_hash=None)), "a task of nobody's has no limits"  # type: ignore[arg-type]


def digits_zip(path: Path, names: tuple[str, ...] = ("a", "b")) -> Path:
    """Pictures in folders 0 and 1, for the digit classifiers."""
    return zipped(path, {f"{k}/{name}.png": DIGIT for k in (0, 1) for name in names})


class Touches:
    """Pickled, it creates a file where it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return open, (str(self.canary), "w")


def bomb_png(side: int = 60_000) -> bytes:
    """A PNG that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def weights(folder: Path, kind: str, canary: Path) -> Path:
    """A weight file that would run code."""
    if kind == "pickle.pt":
        file = folder / "evil.pt"
        with zipfile.ZipFile(file, "w") as z:  # as torch.save writes it
            z.writestr("evil/data.pkl", pickle.dumps({"model": Touches(canary)}, 2))
            z.writestr("evil/version", "3\n")
            z.writestr("evil/byteorder", "little")
    elif kind == "bare.pkl":
        file = folder / "evil.pkl"
        file.write_bytes(pickle.dumps(Touches(canary)))
    elif kind == "named.safetensors":
        file = folder / "evil.safetensors"
        file.write_bytes(pickle.dumps(Touches(canary)))
    else:
        file = folder / "evil.yaml"
        file.write_text(
            f"nc: 2\nactivation: __import__('pathlib').Path({str(canary)!r}).touch()\nbackbone: []\nhead: []\n"
        )
    return file


def archive(folder: Path, kind: str, canary: Path) -> Path:
    """A dataset that would write, read or run something."""
    file = folder / f"{kind.replace(' ', '-')}.zip"
    outside = os.path.relpath(canary, "/")
    if kind == "slip":
        return zipped(file, {"0/a.png": DIGIT, f"{'../' * 12}{outside}": DIGIT})
    if kind == "absolute":
        return zipped(file, {"0/a.png": DIGIT, f"/{outside}": DIGIT})
    if kind == "bomb":
        return zipped(file, {"0/a.png": DIGIT, "0/b.png": bytes(150_000_000)})
    if kind == "link":
        zipped(file, {"0/a.png": DIGIT})
        with zipfile.ZipFile(file, "a") as z:
            info = zipfile.ZipInfo("1/b.png")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            z.writestr(info, "/etc/passwd")
        return file
    if kind == "pixel bomb":
        return zipped(file, {"0/a.png": bomb_png(), "1/b.png": bomb_png()})
    if kind == "table in a zip":
        return zipped(file, {"labels.csv": b"path,label\n/etc/passwd,0\n../../../../etc/passwd,1\n"})
    raise AssertionError(kind)


def answer_of(engine: Engine, message: dict[str, Any]) -> tuple[str, list[str]]:
    """What a visitor is told in the end, and the runs that came of it."""
    assert message["success"], message
    data = message["output"]["data"]
    job = engine.jobs.get(data[0]) if isinstance(data[0], str) else None
    if job is None:
        return data[1]["error"], []
    engine.jobs.wait(job, 60)
    return job.error, job.run_ids


def one_sentence(said: str) -> None:
    assert said
    assert "\n" not in said
    assert "Traceback" not in said
    assert SECRET not in said


@pytest.mark.parametrize("kind", ["pickle.pt", "bare.pkl", "named.safetensors", "activation.yaml"])
def test_weights_with_code_are_refused(engine: Engine, page: HttpPage, tmp_path: Path, kind: str) -> None:
    canary = tmp_path / "canary"
    dropped = page.drop(weights(tmp_path, kind, canary))
    said, runs = answer_of(engine, page.evaluate(demo="digits", weights=[dropped]))
    one_sentence(said)
    assert "unexpected" not in said
    assert runs == []
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["slip", "absolute", "bomb", "link", "pixel bomb", "table in a zip"])
def test_archives_that_would_do_harm_are_refused(engine: Engine, page: HttpPage, tmp_path: Path, kind: str) -> None:
    canary = tmp_path / "canary.png"
    before = list(engine.store.root.parent.glob("cache/*"))
    dropped = page.drop(archive(tmp_path, kind, canary))
    said, runs = answer_of(engine, page.evaluate(file=dropped, models=["digits_linear"]))
    one_sentence(said)
    assert "unexpected" not in said
    assert runs == []
    assert not canary.exists()
    if kind in ("slip", "absolute", "bomb", "link"):
        assert list(engine.store.root.parent.glob("cache/*")) == before  # nothing was unpacked


@pytest.mark.parametrize("rows", ["/etc/passwd,0\n", "../../../../../../etc/passwd,0\n", "~/.bashrc,0\n"])
def test_a_table_stays_in_its_folder(engine: Engine, page: HttpPage, tmp_path: Path, rows: str) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("path,label\n" + rows)
    said, runs = answer_of(engine, page.evaluate(file=page.drop(table), models=["digits_linear"]))
    one_sentence(said)
    assert runs == []


def test_a_yolo_dataset_downloads_and_unpickles_nothing(engine: Engine, page: HttpPage, tmp_path: Path) -> None:
    """``download:`` and ``labels.cache`` are what Ultralytics would run; the pictures themselves are fine."""
    canary = tmp_path / "canary"
    photo = encode(gradient())
    yaml = f"path: .\ntrain: images\nval: images\nnames: [a, b]\ndownload: |\n  open({str(canary)!r}, 'w')\n"
    entries = {"data.yaml": yaml.encode(), "images/1.png": photo, "labels/1.txt": b"0 0.5 0.5 0.2 0.2\n"}
    entries |= {"labels.cache": pickle.dumps(Touches(canary)), "labels/labels.cache": pickle.dumps(Touches(canary))}
    dropped = page.drop(zipped(tmp_path / "yolo.zip", entries))
    said, _ = answer_of(engine, page.evaluate("dev", task="detection", file=dropped, models=["scenes_nano"]))
    one_sentence(said)  # its classes are none of the model's
    assert "unexpected" not in said
    assert not canary.exists()


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".json"])
def test_pickled_predictions_are_refused(engine: Engine, page: HttpPage, tmp_path: Path, suffix: str) -> None:
    canary, file = tmp_path / "canary", tmp_path / f"answers{suffix}"
    if suffix == ".npz":
        buffer = io.BytesIO()
        np.savez(buffer, ids=np.array([Touches(canary)], object), scores=np.array([Touches(canary)], object))
        canary.unlink(missing_ok=True)
        file.write_bytes(buffer.getvalue())
    else:
        file.write_bytes(pickle.dumps(Touches(canary)))
    said, runs = answer_of(engine, page.evaluate(demo="digits", elsewhere=page.drop(file)))
    one_sentence(said)
    assert runs == []
    assert not canary.exists()


def test_no_event_takes_a_file_that_was_not_dropped(page: HttpPage) -> None:
    """Private events can be called by number, with whatever: Gradio must refuse paths wherever files are taken."""
    takers = {"file", "uploadbutton", "image", "video"}
    events = [e for e in page.events if takers & set(page.types(e))]
    assert len(events) > 5
    for event in events:
        for path in ("/etc/passwd", f"{os.getcwd()}/app.py"):
            data = [[file_data(path)] if kind in ("file", "uploadbutton") else None for kind in page.types(event)]
            for given in (data, [d[0] if isinstance(d, list) else d for d in data], [path] * len(data)):
                message = page.fire(event, given)
                assert SECRET not in json.dumps(message)
                assert not message["success"] or "error" in json.dumps(message["output"]), event["api_name"]


def test_names_are_not_taken_for_paths(engine: Engine, page: HttpPage, tmp_path: Path) -> None:
    there = weights(tmp_path, "bare.pkl", tmp_path / "canary")
    for values in ({"models": [str(there)]}, {"path": "/etc"}, {"settings": "classes=/etc/passwd"}):
        said, runs = answer_of(engine, page.evaluate(**({"demo": "digits", "models": ["digits_linear"]} | values)))
        one_sentence(said)
        assert "public server" in said or "No model is called" in said
        assert runs == []


@pytest.mark.parametrize("path", ["/etc/passwd", "{store}/runs", "{run}/run.json", "{cwd}/app.py", "../../etc/passwd"])
def test_files_of_the_machine_are_not_served(engine: Engine, page: HttpPage, path: str) -> None:
    run = Store(engine.store.root).runs()[0]
    asked = path.format(store=engine.store.root, run=run.path, cwd=os.getcwd())
    for route in ("/gradio_api/file=", "/file=", "/gradio_api/file/"):
        assert page.web.get(route + asked).status_code in (403, 404, 405)


def test_programs_are_told_what_the_page_shows(engine: Engine, page: HttpPage, tmp_path: Path) -> None:
    names = {e["api_name"] for e in page.events if e["api_visibility"] == "public"}
    assert names == {"models", "datasets", "runs", "run", "compare", "predict"}
    assert "digits_cnn" in {m["name"] for m in page.ask("models", "classification")}
    found = page.ask("runs", "classification")
    assert {r["model"] for r in found} == {"digits_linear", "digits_cnn"}
    one = page.ask("run", found[0]["run"])
    assert one["metrics"]["top1"] == found[0]["metrics"]["top1"]
    assert str(engine.store.root) not in json.dumps(one)
    (tmp_path / "seven.png").write_bytes(DIGIT)
    told = page.ask("predict", page.drop(tmp_path / "seven.png"), "digits_cnn")
    assert sum(c["score"] for c in told["classes"]) == pytest.approx(1, abs=0.2)
    for call in (("run", "../../etc"), ("predict", None, "digits_cnn"), ("models", "cooking"), ("compare", "x", "")):
        with pytest.raises(RuntimeError):
            page.ask(*call)


def test_places_are_not_told_and_addresses_are(engine: Engine) -> None:
    run = Store(engine.store.root).runs()[0]
    facts = {"source": "/data/my set", "from": "https://arxiv.org/abs/1707.02921", "list": [str(run.path), 3, None]}
    told = Endpoints(engine)._told({"facts": facts | {"note": f"read {engine.store.root}/runs, done"}}, [run])["facts"]
    assert told["from"] == "https://arxiv.org/abs/1707.02921"
    assert told["list"] == [run.path.name, 3, None]
    assert told["note"] == "read runs, done"
    assert "/data" not in told["source"]
    private: Any = types.SimpleNamespace(store=engine.store, public=False)
    assert Endpoints(private)._told(facts, [run]) == facts


def test_a_comparison_by_endpoint(page: HttpPage) -> None:
    pytest.importorskip("dashboard.comparing.compare")
    found = [r["run"] for r in page.ask("runs", "classification")]
    told = page.ask("compare", found, found[1])["comparison"]
    assert told["baseline"] == found[1]
    assert any(d["metric"] == "top1" for d in told["differences"])


def test_each_visitor_sees_his_own_runs(engine: Engine, address: str, config: dict[str, Any], tmp_path: Path) -> None:
    first, second = HttpPage(address, "", config), HttpPage(address, "", config)
    said, made = answer_of(
        engine, first.evaluate(file=first.drop(digits_zip(tmp_path / "mine.zip")), models=["digits_linear"])
    )
    assert (said, len(made)) == ("", 1)

    def listed(page: HttpPage) -> set[str]:
        return {r["run"] for r in page.ask("runs", "")}

    assert made[0] in listed(first)
    assert made[0] not in listed(second)
    first.reload()
    assert made[0] in listed(first)  # by its cookie
    linked = HttpPage(address, f"run={made[0]}", config)
    assert made[0] in listed(linked)
    assert linked.ask("run", made[0])["samples"] == 4
    with pytest.raises(RuntimeError, match="may have been deleted") as refusal:
        second.ask("run", made[0][:-1])
    assert made[0] not in str(refusal.value)  # no "did you mean" about what is others'
    for event in second.events:  # no list anywhere on the page
        if not event["inputs"]:
            assert made[0] not in json.dumps(second.fire(event, [])), event["api_name"]

    said, again = answer_of(
        engine, second.evaluate(file=second.drop(digits_zip(tmp_path / "mine.zip")), models=["digits_linear"])
    )
    assert again == made  # the same data and model are the same run,
    assert made[0] in listed(second)  # and now it is his, too


def test_what_stands_in_names_is_text(engine: Engine, page: HttpPage, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    said, _ = answer_of(engine, page.evaluate(file=page.drop(digits_zip(tmp_path / "a.zip")), models=[name]))
    assert "No model is called" in said
    file = digits_zip(tmp_path / "b.zip", (name, "<svg onload=alert(2)>"))
    said, runs = answer_of(engine, page.evaluate(file=page.drop(file), models=["digits_linear"]))
    assert (said, len(runs)) == ("", 1)


def test_the_cookie_comes_with_the_page_once(address: str) -> None:
    with httpx.Client(base_url=address, timeout=120) as browser:
        given = browser.get("/").headers["set-cookie"]
        assert "HttpOnly" in given
        assert visitor_of(given)
        assert "set-cookie" not in browser.get("/").headers


def test_uploads_end_when_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = UploadLimit(None, str(tmp_path / "uploads"))  # type: ignore[arg-type]
    assert not gate.is_full()
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "a").write_bytes(bytes(2000))
    monkeypatch.setattr("dashboard.public_gate.MOST_UPLOADED", 1000)
    assert gate.is_full()
