"""Additional pages of the exposer: the OpenAPI document and its HTML page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any, Final

import orjson
from aiohttp import web

from .home import render_home
from .page import render

DOCUMENT: Final = "openapi.json"
PAGE: Final = "docs"
HOME: Final = ""
"""The root, which only browsers get."""

PAGES: Final = frozenset({DOCUMENT, PAGE, HOME})

_STYLE: Final = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Page:
    """One page: body and headers."""

    body: bytes
    headers: Mapping[str, str]

    def response(self) -> web.Response:
        """Return the page as an HTTP response."""
        return web.Response(body=self.body, headers=self.headers)


def build_pages(document: Mapping[str, Any]) -> dict[str, Page]:
    """Build the pages of an OpenAPI document, by path."""
    html = {**_headers("text/html; charset=utf-8"), **_POLICY}
    base = document["servers"][0]["url"].rstrip("/")
    return {
        DOCUMENT: Page(orjson.dumps(document), _headers("application/json")),
        PAGE: Page(render(document, _STYLE, DOCUMENT).encode(), html),
        HOME: Page(render_home(document, _STYLE, base).encode(), {**html, "Vary": "Accept"}),
    }


def _headers(content_type: str) -> dict[str, str]:
    return {
        "Server": "adapter-host",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
        "Content-Type": content_type,
    }


def _policy() -> str:
    style = b64encode(sha256(_STYLE.encode()).digest()).decode()
    directives = ("default-src", "base-uri", "form-action", "frame-ancestors")
    return "; ".join([*(f"{directive} 'none'" for directive in directives), f"style-src 'sha256-{style}'"])


_POLICY: Final = {"Content-Security-Policy": _policy(), "Referrer-Policy": "no-referrer"}
