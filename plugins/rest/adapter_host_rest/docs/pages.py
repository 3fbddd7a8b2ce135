"""Additional pages of the exposer: the OpenAPI document, and its pages for people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import Any, Final

import orjson
from aiohttp import web

from adapter_host import Authentication, PageFrame
from adapter_host_rest.page_paths import APPLICATION, DOCUMENT, FILES, HOME, READING, Docs, application_files

from .home import render_home
from .openapi import with_server
from .page import render_document

_READING_FRAME: Final = PageFrame(resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8"))
_APPLICATION_FRAME: Final = PageFrame(
    stylesheets=tuple(f"{FILES}{name}" for name in ("style.css", "operations.css", "docs.css")),
    scripts=(f"{FILES}docs.js",),
    icon=f"{FILES}icon.svg",
)
"""The frame of the application; its URLs are relative to that of the page, which is any."""

_HEADERS: Final = {"Server": "adapter-host", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
_HTML: Final = {**_HEADERS, **_READING_FRAME.headers}

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page: body and headers."""

    body: bytes
    headers: Mapping[str, str]

    def response(self) -> web.Response:
        """Return the page as an HTTP response."""
        return web.Response(body=self.body, headers=self.headers)


class Pages:
    """Builds pages when they are first asked for, as most exposers never serve them."""

    def __init__(self, describe: Callable[[], Document], application: Page | None, *, has_docs: bool) -> None:
        self._describe = describe
        self._application = application
        self._has_docs = has_docs
        self._url = ""
        self._built: dict[str, asyncio.Task[Page]] = {}

    async def respond(self, path: str, url: str) -> web.Response:
        """Return the page at one of the paths in `page_paths`; `url` is that of the exposer."""
        if path in application_files():
            return _file(path).response()
        if path == APPLICATION and self._application is not None:
            return self._application.response()
        if self._url != url:
            self._built, self._url = {}, url
        task = self._built.get(path)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            # In a thread: the document of thousands of operations takes seconds.
            task = self._built[path] = asyncio.create_task(asyncio.to_thread(self._build, path, url))
        # Others may wait for the same page.
        page = await asyncio.shield(task)
        return page.response()

    def _build(self, path: str, url: str) -> Page:
        document = with_server(self._describe(), url)
        if path == DOCUMENT:
            return Page(orjson.dumps(document), {**_HEADERS, "Content-Type": "application/json"})
        title = document["info"]["title"]
        if path == HOME:
            content = render_home(document, url.rstrip("/"), has_docs=self._has_docs)
            return Page(_READING_FRAME.render(title, content), {**_HTML, "Vary": "Accept"})
        link = f"../{DOCUMENT}" if path == READING else DOCUMENT
        return Page(_READING_FRAME.render(title, render_document(document, link)), _HTML)


@cache
def _file(path: str) -> Page:
    """Return a file of the application."""
    file = application_files()[path]
    return Page(file.body, {**_HEADERS, **_APPLICATION_FRAME.security_headers, "Content-Type": file.content_type})


def application_page(docs: Docs, authentication: Authentication | None) -> Page:
    """Return the page of the application.

    It is served without credentials, so it contains nothing of an exposer but the scheme of its credentials, which its
    401 responses name too.
    """
    scheme = _scheme(authentication) if authentication is not None else None
    asks = f" data-scheme='{escape(orjson.dumps(scheme).decode())}'" if scheme is not None else ""
    head = f"<noscript><meta http-equiv='refresh' content='0;url={READING}'></noscript>"
    link = f"<noscript><a href='{READING}'>Read the documentation</a></noscript>"
    body = _APPLICATION_FRAME.render(
        "API documentation", f"<div id='app' data-docs='{docs}'{asks}></div>{link}", head=head
    )
    return Page(body, {**_HEADERS, **_APPLICATION_FRAME.headers})


def _scheme(authentication: Authentication) -> Mapping[str, Any] | None:
    """Return the scheme of credentials that the application asks for; None for those of the browser itself."""
    match authentication.type:
        case "apikey":
            return {"type": "apiKey", "in": authentication.placement, "name": authentication.key or ""}
        case "bearer" | "oauth2":
            return {"type": "bearer"}
        case "basic":
            return {"type": "basic"}
    return None
