"""The inbox page at `/`: what customers see, newest first, with search and tabs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from notifications.local.providers.sandbox import CHANNELS, Sandbox

PAGE = 50
Handler = Callable[[web.Request], Awaitable[web.Response]]
_FILES = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "frame-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_PREVIEW_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""An email is a stranger's HTML: no script, no request, and no word with the page around it."""


def add_routes(app: web.Application, sandbox: Sandbox) -> None:
    inbox = _Inbox(sandbox)
    app.router.add_get("/", _file("inbox.html", "text/html"))
    app.router.add_get("/inbox.css", _file("inbox.css", "text/css"))
    app.router.add_get("/inbox.js", _file("inbox.js", "text/javascript"))
    app.router.add_get("/inbox/messages", inbox.messages)
    app.router.add_get("/inbox/messages/{id:[0-9]+}", inbox.message)
    app.router.add_get("/inbox/messages/{id:[0-9]+}/html", inbox.html)


class _Inbox:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def messages(self, request: web.Request) -> web.Response:
        """Newest first: before one id (older pages) or after one (what is new), and the counts."""
        store, query = self._sandbox.store, request.query
        channel = query.get("channel", "") if query.get("channel") in CHANNELS else ""
        search = query.get("search", "").strip()
        before, after = _id(query.get("before")), _id(query.get("after")) or 0
        rows = store.newest(
            channel=channel, search=search, before=before, after=after, limit=PAGE + 1
        )
        return web.json_response(
            {
                "messages": rows[:PAGE],
                "more": len(rows) > PAGE,
                "found": store.count(channel=channel, search=search, after=after),
                "counts": self._sandbox.counts(),
                "edition": self._sandbox.edition,
            }
        )

    async def message(self, request: web.Request) -> web.Response:
        row = self._sandbox.store.one(int(request.match_info["id"]))
        if row is None:
            raise web.HTTPNotFound(text="No such message.")
        return web.json_response(row)

    async def html(self, request: web.Request) -> web.Response:
        html = self._sandbox.store.html(int(request.match_info["id"]))
        if html is None:
            raise web.HTTPNotFound(text="No such message.")
        return web.Response(
            text=html,
            content_type="text/html",
            headers={"Content-Security-Policy": _PREVIEW_POLICY, "Referrer-Policy": "no-referrer"},
        )


def _file(name: str, content_type: str) -> Handler:
    async def serve(request: web.Request) -> web.Response:
        return web.Response(
            body=(_FILES / name).read_bytes(),
            content_type=content_type,
            charset="utf-8",
            headers={
                "Content-Security-Policy": _POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-cache",
            },
        )

    return serve


def _id(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
