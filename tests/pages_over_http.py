"""A page of the app as a program sees it: its events by what they stand on, files dropped on it, over real HTTP."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import httpx

from dashboard.public_gate import NAME


class HttpPage:
    """One browser of a visitor: a cookie jar and a session.

    Args:
        address: of the app.
        query: of the page's address, as ``run=ID``.
        config: what ``GET /config`` told another page, which saves time.
    """

    def __init__(self, address: str, query: str = "", config: dict[str, Any] | None = None) -> None:
        self.web = httpx.Client(base_url=address, timeout=120)
        self.query, self.session = dict(httpx.QueryParams(query)), uuid.uuid4().hex[:11]
        self.web.cookies.set(NAME, uuid.uuid4().hex)
        self.config = config = config or self.web.get("/config").json()
        self.events: list[dict[str, Any]] = [d for d in config["dependencies"] if d["backend_fn"]]
        self.parts: dict[int, dict[str, Any]] = {c["id"]: c for c in config["components"]}

    def reload(self) -> None:
        """The same browser, the page loaded anew."""
        self.session = uuid.uuid4().hex[:11]

    def id_of(self, part: int) -> str:
        """The ``elem_id`` of a component."""
        return str(self.parts[part]["props"].get("elem_id") or "")

    def types(self, event: dict[str, Any]) -> list[str]:
        """The kinds of an event's inputs."""
        return [self.parts[i]["type"] for i in event["inputs"]]

    def event(self, elem_id: str, kind: str) -> dict[str, Any]:
        """The first event of that kind on an element."""
        return next(
            e for e in self.events for part, name in e["targets"] if name == kind and self.id_of(part) == elem_id
        )

    def drop(self, file: Path) -> dict[str, Any]:
        """Upload a file; what stands for it in an event's data."""
        with file.open("rb") as stream:
            answer = self.web.post("/gradio_api/upload", files={"files": (file.name, stream)})
        answer.raise_for_status()
        return file_data(answer.json()[0], file.name)

    def fire(self, event: dict[str, Any], data: list[Any], about: Any = None) -> dict[str, Any]:
        """Make an event happen; the message with which it ended."""
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session, "event_data": about}
        joined = self.web.post("/gradio_api/queue/join", params=self.query, json=body)
        if joined.status_code != 200:
            return {"success": False, "output": {"error": joined.text}}
        with self.web.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") in ("process_completed", "unexpected_error"):
                    return message
        raise AssertionError("no answer came")

    def ask(self, name: str, *data: Any) -> Any:
        """Call one of the endpoints for programs."""
        found = next(e for e in self.events if e["api_name"] == name and e["api_visibility"] == "public")
        message = self.fire(found, list(data))
        if not message["success"]:
            raise RuntimeError(str(message["output"].get("error")))
        return message["output"]["data"][0]

    def evaluate(self, prefix: str = "ev", **values: Any) -> dict[str, Any]:
        """Press "Run" in a panel of evaluations, with some of its controls filled in."""
        event = self.event(f"{prefix}-run", "click")
        usual = {"limit": 0, "batch": 0, "precision": "fp32", "settings": "", "path": "", "models": [], "weights": []}
        usual |= {"task": self.first_choice(f"{prefix}-task"), **values}
        data = [usual.get(self.id_of(part).removeprefix(f"{prefix}-")) for part in event["inputs"]]
        return self.fire(event, data)

    def first_choice(self, elem_id: str) -> Any:
        """The first choice of a list."""
        part = next(c for c in self.parts.values() if c["props"].get("elem_id") == elem_id)
        return part["props"]["choices"][0][1]


def file_data(path: str, name: str = "") -> dict[str, Any]:
    """A file on the server as an event takes it."""
    return {"path": path, "orig_name": name or Path(path).name, "meta": {"_type": "gradio.FileData"}}
