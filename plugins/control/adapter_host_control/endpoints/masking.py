"""Masks secrets in documents and texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

MASK: Final = "***"

_SECRET_KEYS: Final = frozenset({"token", "value", "password"})
_SECRET_NAME: Final = re.compile(r"auth|key|token|secret|passw|cookie|credential|session|sign", re.IGNORECASE)
_USER: Final = re.compile(r"(://)[^/@\s{}]+@")
# A name begins at one '?' or '&', and the look-ahead is not repeated, so that matching is linear.
_QUERY: Final = re.compile(r"([?&](?=[^=&?\s]*(?:auth|key|token|secret|passw|sig))[^=&?\s]*=)[^&\s{]+", re.IGNORECASE)


def mask_document(document: Any, mask: Callable[[str], str]) -> Any:
    """Return the document with secrets masked; `mask` replaces values of secrets by their names.

    Literal secrets have no name. They are replaced in `authentication`, in parameters whose names suggest a secret,
    and in URLs.
    """
    return _mask_value(document, mask, secret=False)


def _mask_value(value: Any, mask: Callable[[str], str], *, secret: bool) -> Any:
    if isinstance(value, Mapping):
        return {key: _mask_member(value, key, mask) for key in value}
    if isinstance(value, list | tuple):
        return [_mask_value(item, mask, secret=secret) for item in value]
    if isinstance(value, str):
        return MASK if secret and "{{" not in value else mask_url_credentials(mask(value))
    return MASK if secret and value is not None else value


def _mask_member(parent: Mapping[str, Any], key: str, mask: Callable[[str], str]) -> Any:
    value = parent[key]
    if key == "authentication" and isinstance(value, Mapping):
        return {name: _mask_value(item, mask, secret=name in _SECRET_KEYS) for name, item in value.items()}
    named = key == "value" and _SECRET_NAME.search(str(parent.get("name", ""))) is not None
    return _mask_value(value, mask, secret=named and not isinstance(value, Mapping | list))


def mask_url_credentials(text: str) -> str:
    """Mask credentials of URLs in a text."""
    return _QUERY.sub(rf"\g<1>{MASK}", _USER.sub(rf"\g<1>{MASK}@", text))
