"""Base URLs: the servers of an API, of paths and of operations."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from yarl import URL

from .source.documents import Cursor
from .source.reading import is_url

LOCAL: Final = "http://localhost"
"""The base of relative servers of a document that was not fetched."""

LONGEST_URL: Final = 2000

_BASE: Final = re.compile(r"https?://[^\s?#{}\\\x00-\x1f\x7f]+", re.IGNORECASE)


def base_url(url: str) -> str | None:
    """Return a URL that can be a `baseUri`, without a slash at its end; None for others."""
    if len(url) > LONGEST_URL or not _BASE.fullmatch(url) or "@" in url.split("/")[2]:
        return None
    try:
        is_valid = bool(URL(url).raw_host)
    except ValueError:
        return None
    return url.rstrip("/") if is_valid else None


class Servers:
    """The servers of a document of OpenAPI 3."""

    def __init__(self, root: Cursor) -> None:
        self._root = root
        self._own = root.text("$self") if isinstance(root.value, dict) else None
        self._urls: dict[tuple[str, Any], str | None] = {}

    def base(self, item: Cursor, operation: Cursor) -> str:
        """Return the first server of an operation, or else of its path, or else of the API."""
        for holder in (operation, item, self._root):
            if holder.identity not in self._urls:
                self._urls[holder.identity] = self._first(holder)
            if (url := self._urls[holder.identity]) is not None:
                return url
        return self._absolute("/", self._root) or LOCAL

    def _first(self, holder: Cursor) -> str | None:
        servers = list(holder.elements("servers"))
        urls = [url for server in servers if (url := self._url(server))]
        if urls:
            for server in servers[1:]:
                server.warn(f"only the first server is used, {urls[0]} (override with --base-uri)")
        return urls[0] if urls else None

    def _url(self, server: Cursor) -> str | None:
        url = server.text("url") if isinstance(server.value, dict) else None
        if url is None:
            return None
        for name, variable in server.named("variables"):
            default: Any = variable.value.get("default") if isinstance(variable.value, dict) else None
            if default is not None and len(url) <= LONGEST_URL:
                url = url.replace("{" + name + "}", str(default)[:LONGEST_URL])
        absolute = self._absolute(url, server)
        if absolute is None:
            server.warn(f"'{url[:LONGEST_URL]}' is not an http or https URL; skipped")
        return absolute

    def _absolute(self, url: str, holder: Cursor) -> str | None:
        """Return a server's URL, relative to where the document is (OpenAPI 3.1, section 4.8.5)."""
        if is_url(url):
            return base_url(url)
        document = self._root.document.name
        bases = [base for base in (self._own, document) if base is not None and is_url(base)]
        try:
            resolved = base_url(urljoin(bases[0] if bases else f"{LOCAL}/", url))
        except ValueError:
            return None
        if not bases and resolved is not None:
            subject = "no server URL" if holder is self._root else f"the server '{url[:LONGEST_URL]}' is relative"
            holder.warn(f"{subject}; baseUri is {resolved} (override with --base-uri)")
        return resolved


def swagger_base(root: Cursor, operation: Cursor) -> str:
    """Return the URL from schemes, host and `basePath` of OpenAPI 2.0; what is missing is that of the document."""
    source = urlsplit(root.document.name) if is_url(root.document.name) else None
    host = root.text("host") or (source.netloc if source else None)
    schemes = _schemes(operation) or _schemes(root)
    default = source.scheme if source else "http" if host is None else "https"
    scheme = "https" if "https" in schemes else next(iter(schemes), default)
    path = (root.text("basePath") or "").strip("/")
    for authority in (host, "localhost"):
        if authority and (url := base_url(f"{scheme}://{authority}/{path}")) is not None:
            if authority != host:
                reason = "no host" if host is None else f"'{host[:LONGEST_URL]}' is not a host"
                root.warn(f"{reason}; baseUri is {url} (override with --base-uri)")
            return url
    root.warn(f"'{path[:LONGEST_URL]}' cannot be part of a URL; baseUri is {LOCAL} (override with --base-uri)")
    return LOCAL


def _schemes(holder: Cursor) -> list[str]:
    declared = holder.value.get("schemes") if isinstance(holder.value, dict) else None
    return [name for name in declared if name in ("https", "http")] if isinstance(declared, list) else []
