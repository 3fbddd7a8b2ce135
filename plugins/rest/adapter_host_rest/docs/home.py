"""Renders the page at the root of an exposer: its purpose, and where its documentation is."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from adapter_host import count_noun


def render_home(document: Mapping[str, Any], style: str, base: str) -> str:
    """Return the page as HTML; `base` is the URL of the exposer, without a final slash."""
    info = document["info"]
    title, description = escape(info["title"]), info.get("description")
    operations = count_noun(sum(map(len, document["paths"].values())), "operation")
    return "".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>{title}</title><style>{style}</style></head><body><main>",
            f"<h1>{title}</h1><p>Version {escape(info['version'])} · a REST API with {operations}</p>",
            f"<p class='text'>{escape(description)}</p>" if description else "",
            f"<ul><li><a href='{escape(base)}/docs'>Documentation</a></li>",
            f"<li><a href='{escape(base)}/openapi.json'>OpenAPI document</a>, for programs</li></ul>",
            "</main></body></html>\n",
        ]
    )
