"""A cookie by which a public server knows a visitor again after a reload; nothing about him is in it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from dashboard.visitors import KEEP_S

NAME = "loupe_visitor"
_VALUE = re.compile(r"[0-9a-f]{32}")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


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
