"""The frame of an HTML page, and the headers that allow it no more than it needs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape


@dataclass(frozen=True, slots=True)
class PageFrame:
    """The frame of pages with one style: the document around their content, and the headers of their responses.

    `style` is CSS that is part of the page. `stylesheets`, `scripts` (modules) and `icon` are URLs of the same origin,
    also relative ones. `sends_forms` allows forms to the own origin. Nothing else is allowed: no
    inline script, no other origin, no frame around the page.
    """

    style: str = ""
    stylesheets: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    icon: str = ""
    sends_forms: bool = False
    security_headers: Mapping[str, str] = field(init=False)
    """The headers of everything that is served with the pages."""
    headers: Mapping[str, str] = field(init=False)
    """The headers of a page: those, and its media type."""

    def __post_init__(self) -> None:
        headers = {
            "Content-Security-Policy": "; ".join(self._policy()),
            # With `no-referrer`, browsers send `Origin: null` with a form.
            "Referrer-Policy": "same-origin" if self.sends_forms or self.scripts else "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }
        object.__setattr__(self, "security_headers", headers)
        object.__setattr__(self, "headers", {**headers, "Content-Type": "text/html; charset=utf-8"})

    def _policy(self) -> Iterator[str]:
        yield from ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'")
        yield "form-action 'self'" if self.sends_forms else "form-action 'none'"
        styles = ["'self'"] if self.stylesheets else []
        if self.style:
            styles.append(f"'sha256-{b64encode(sha256(self.style.encode()).digest()).decode()}'")
        if styles:
            yield f"style-src {' '.join(styles)}"
        if self.icon:
            yield "img-src 'self'"
        if self.scripts:
            yield from ("script-src 'self'", "connect-src 'self'", "require-trusted-types-for 'script'")

    def render(self, title: str, content: str, *, head: str = "", body_class: str = "") -> bytes:
        """Return a page; `title` is text, `content` and `head` are HTML in which every value is escaped."""
        links = [
            f"<style>{self.style}</style>" if self.style else "",
            f"<link rel='icon' href='{escape(self.icon)}'>" if self.icon else "",
            *(f"<link rel='stylesheet' href='{escape(each)}'>" for each in self.stylesheets),
            *(f"<script type='module' src='{escape(each)}'></script>" for each in self.scripts),
        ]
        body = f"<body class='{escape(body_class)}'>" if body_class else "<body>"
        text = (
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
            "<meta name='viewport' content='width=device-width, initial-scale=1'>"
            f"<title>{escape(title)}</title>{''.join(links)}{head}</head>{body}{content}</body></html>\n"
        )
        # A document may have half of a surrogate pair, which UTF-8 has not.
        return text.encode("utf-8", "replace")
