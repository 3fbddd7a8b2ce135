"""A page for people who open the endpoint in a browser: self-contained HTML without scripts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Final

from aiohttp import web

from .headers import HEADERS

_STYLE: Final = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow: auto; padding: .75rem; border: 1px solid; border-radius: .25rem }
dt { font-family: ui-monospace, monospace; font-weight: 600 }
dd { margin: 0 0 .75rem; white-space: pre-line }
"""


@dataclass(frozen=True, slots=True)
class Description:
    """The content of the page; `entries` are names and descriptions by heading, `usage` is a client's configuration."""

    title: str
    text: str
    entries: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    usage: Callable[[str], str]


def page_response(description: Description, url: str) -> web.Response:
    """Return the page of the endpoint at `url`."""
    return web.Response(body=_render(description, url).encode("utf-8", "replace"), headers=_headers())


def _render(description: Description, url: str) -> str:
    title = escape(description.title)
    return "".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
            f"<p>{escape(description.text)}</p>" if description.text else "",
            "<p>This is a server of the Model Context Protocol (MCP). Programs use it, not browsers.",
            " Add it to the configuration of an MCP client:</p>",
            f"<pre>{escape(description.usage(url))}</pre>",
            *(_section(heading, entries) for heading, entries in description.entries if entries),
            "</body></html>\n",
        ]
    )


def _section(heading: str, entries: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in entries)
    return f"<h2>{escape(heading)}</h2><dl>{items}</dl>"


def _headers() -> dict[str, str]:
    style = b64encode(sha256(_STYLE.encode()).digest()).decode()
    directives = ("default-src", "base-uri", "form-action", "frame-ancestors")
    policy = "; ".join([*(f"{directive} 'none'" for directive in directives), f"style-src 'sha256-{style}'"])
    return {
        **HEADERS,
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
    }
