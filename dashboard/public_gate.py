"""What stands before a public server's page: a cookie to know a visitor again by, and a bound on what is dropped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

from dashboard.visitors import KEEP_S

NAME = "loupe_visitor"
_VALUE = re.compile(r"[0-9a-f]{32}")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


MOST_UPLOADED = 10 << 30
"""Bytes of dropped files that are kept at a time, of all visitors together."""
LEAST_FREE = 2 << 30
"""Bytes that stay free on the disk."""
MOST_SENT = 32 << 20
"""Bytes of what else a page sends: a click needs some hundred, the state of a page a few million."""


async def _refuse(send: Send, status: int, why: str) -> None:
    """Answer with a sentence."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"detail": why}).encode()})


class VisitorCookie:
    """ASGI middleware: gives the cookie with the page to a browser that has none.

    Inside a frame of another site (a Space is one) a cookie must be ``SameSite=None; Secure; Partitioned``; browsers
    that take none there are known by their session, until they reload.
    """

    def __init__(self, app: Asgi) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        headers = dict(scope.get("headers") or ())
        page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
        if not page or visitor_of(headers.get(b"cookie", b"").decode("latin-1")):
            await self.app(scope, receive, send)
            return
        secure = b"https" in headers.get(b"x-forwarded-proto", b"") or scope.get("scheme") == "https"
        rules = "SameSite=None; Secure; Partitioned" if secure else "SameSite=Lax"
        cookie = f"{NAME}={uuid.uuid4().hex}; Path=/; HttpOnly; Max-Age={KEEP_S:.0f}; {rules}"

        async def with_cookie(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"set-cookie", cookie.encode())]
            await send(message)

        await self.app(scope, receive, with_cookie)


def visitor_of(cookies: str) -> str:
    """The visitor in a Cookie header; "" if there is none, or one that is not ours."""
    try:
        found = SimpleCookie(cookies).get(NAME)
    except CookieError:
        return ""
    return found.value if found is not None and _VALUE.fullmatch(found.value) else ""


class UploadLimit:
    """ASGI middleware: files are not taken any more when the disk, or what visitors may fill of it, is full.

    What is no file is read into memory, and bounded by ``MOST_SENT``.

    Args:
        app: what comes behind.
        folder: where dropped files go.
    """

    def __init__(self, app: Asgi, folder: str) -> None:
        self.app, self.folder = app, Path(folder)
        self._looked, self._full = -1e9, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or refuse it."""
        upload = scope["type"] == "http" and scope["path"].rstrip("/").endswith("/upload")
        if upload and time.monotonic() - self._looked > 5:
            self._looked = time.monotonic()
            self._full = await asyncio.to_thread(self.is_full)
        if upload and self._full:
            await _refuse(send, 507, "This server has no room for more files now: try again in an hour.")
        elif upload or scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
        else:
            await self._bounded(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request as long as it stays small; what it says of its own length may not be true."""
        said = dict(scope.get("headers") or ()).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > MOST_SENT:
            await _refuse(send, 413, "That is more than this server takes at a time.")
            return
        got = 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal got
            message = await receive()
            got += len(message.get("body") or b"")
            return message if got <= MOST_SENT else {"type": "http.disconnect"}

        await self.app(scope, counted, send)

    def is_full(self) -> bool:
        """Whether there is no room for another file."""
        there = next((p for p in (self.folder, *self.folder.parents) if p.exists()), Path("/"))
        if shutil.disk_usage(there).free < LEAST_FREE:
            return True
        size = 0
        for here, _, files in os.walk(self.folder):
            with contextlib.suppress(OSError):  # taken away meanwhile
                size += sum(os.lstat(os.path.join(here, name)).st_size for name in files)
        return size > MOST_UPLOADED
