"""A page for people who open the endpoint in a browser: self-contained HTML without scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from aiohttp import web

from adapter_host import PageFrame

from .headers import HEADERS

_FRAME: Final = PageFrame("""
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow: auto; padding: .75rem; border: 1px solid; border-radius: .25rem }
dt { font-family: ui-monospace, monospace; font-weight: 600 }
dd { margin: 0 0 .75rem; white-space: pre-line }
""")


@dataclass(frozen=True, slots=True)
class Description:
    """The content of the page; `entries` are names and descriptions by heading, `usage` is a client's configuration."""

    title: str
    text: str
    entries: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    usage: Callable[[str], str]


def page_response(description: Description, url: str) -> web.Response:
    """Return the page of the endpoint at `url`."""
    headers = {**HEADERS, **_FRAME.headers, "Cache-Control": "no-store"}
    return web.Response(body=_render(description, url), headers=headers)


def _render(description: Description, url: str) -> bytes:
    content = [
        f"<h1>{escape(description.title)}</h1>",
        f"<p>{escape(description.text)}</p>" if description.text else "",
        "<p>This is a server of the Model Context Protocol (MCP). Programs use it, not browsers.",
        " Add it to the configuration of an MCP client:</p>",
        f"<pre>{escape(description.usage(url))}</pre>",
        *(_section(heading, entries) for heading, entries in description.entries if entries),
    ]
    return _FRAME.render(description.title, "".join(content))


def _section(heading: str, entries: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in entries)
    return f"<h2>{escape(heading)}</h2><dl>{items}</dl>"
