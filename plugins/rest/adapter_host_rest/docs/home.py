"""Renders the page at the root of an exposer: its purpose, and where its documentation is."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from adapter_host import count_noun


def render_home(document: Mapping[str, Any], base: str, *, has_docs: bool) -> str:
    """Return the content of the page as HTML; `base` is the URL of the exposer, without a final slash."""
    info = document["info"]
    title, description = escape(info["title"]), info.get("description")
    operations = count_noun(sum(map(len, document["paths"].values())), "operation")
    return "".join(
        [
            "<main>",
            f"<h1>{title}</h1><p>Version {escape(info['version'])} · a REST API with {operations}</p>",
            f"<p class='text'>{escape(description)}</p>" if description else "",
            "<ul>",
            f"<li><a href='{escape(base)}/docs'>Documentation</a></li>" if has_docs else "",
            f"<li><a href='{escape(base)}/openapi.json'>OpenAPI document</a>, for programs</li></ul>",
            "</main>",
        ]
    )
