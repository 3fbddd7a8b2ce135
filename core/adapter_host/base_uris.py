"""The addresses that replace those of consumed APIs: by namespace, by origin, or for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

ALL: Final = "*"
"""The key of the address of all consumed APIs."""

_PLACEHOLDER: Final = re.compile(r"\{\{?([^{}]+)\}?\}")
_ADDRESS: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://((?:[^/?#\s@{}]|\{\{?[^{}]+\}?\})+)([/?#].*)?", re.IGNORECASE | re.DOTALL
)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def is_origin(key: str) -> bool:
    """Return whether a key is meant as an origin; namespaces have no `:`."""
    return "://" in key


def parse_origin(text: str) -> str:
    """Return an origin, `SCHEME://HOST[:PORT]`, in its normal form; raise `ValueError` for other text."""
    origin, rest = split_address(text)
    if not origin or rest.strip("/"):
        raise ValueError(f"'{text}' is not an origin; write SCHEME://HOST[:PORT], such as https://api.example.com")
    return origin


def split_address(address: str) -> tuple[str, str]:
    """Return the origin of an address, in its normal form, and the rest of it; the origin is "" if it has none.

    The scheme and the host are in lower case, the default port of http and https is left out, and placeholders are
    written as `{{x}}`.
    """
    match = _ADDRESS.fullmatch(address.strip())
    if match is None:
        return "", address
    scheme, authority = match[1].lower(), _normalized_host(match[2])
    return f"{scheme}://{authority.removesuffix(_DEFAULT_PORTS.get(scheme, ''))}", match[3] or ""


def _normalized_host(text: str) -> str:
    # Every second part is the name in a placeholder.
    parts = _PLACEHOLDER.split(text)
    return "".join(f"{{{{{part.strip()}}}}}" if index % 2 else part.lower() for index, part in enumerate(parts))


def find_base_uri(base_uris: Mapping[str, str], namespace: str, address: str | None) -> str | None:
    """Return the address that replaces the one of a consumed API, or None.

    `address` is the one in the document, None if nothing can replace it; a namespace replaces it all the same. A
    namespace comes before an origin, which replaces only the origin of the address, and an origin before `*`.
    """
    if namespace in base_uris:
        return base_uris[namespace]
    if address is None or not base_uris:
        return None
    origin, rest = split_address(address)
    by_origin = {parse_origin(key): url for key, url in base_uris.items() if is_origin(key)}
    if origin in by_origin:
        return by_origin[origin].rstrip("/") + rest
    return base_uris.get(ALL)
