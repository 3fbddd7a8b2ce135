"""Caching headers of a result that the responses of several steps contribute to (RFC 9111)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from multidict import CIMultiDict

from adapter_host.operation.result import Result

_CACHING_HEADERS: Final = frozenset({"age", "cache-control", "cdn-cache-control", "expires", "vary"})

_Fields = Sequence[tuple[str, str]]


def with_caching_headers(result: Result, responses: Sequence[Result]) -> Result:
    """Return the result of steps with the caching headers of their `responses`.

    The result of one response is as fresh as that one. One of several is not reused without validation, as each
    response has its own age, and not stored at all if one of them must not be stored.
    """
    received = [response.headers for response in responses if response.headers]
    found = [fields for headers in received if (fields := _caching_fields(headers))]
    if not found or (len(received) == 1 and result.headers):
        return result
    headers = CIMultiDict((name, value) for name, value in result.headers.items() if not _is_caching(name))
    headers.extend(found[0] if len(received) == 1 else _combined(found))
    result.headers = headers
    return result


def _caching_fields(headers: Mapping[str, str]) -> _Fields:
    return [(name, value) for name, value in headers.items() if _is_caching(name)]


@lru_cache(maxsize=1024)
def _is_caching(name: str) -> bool:
    return name.lower() in _CACHING_HEADERS


def _combined(responses: Iterable[_Fields]) -> dict[str, str]:
    directives: set[str] = set()
    varying: dict[str, str] = {}
    for name, value in (field for fields in responses for field in fields):
        members = [member.strip() for member in value.split(",")]
        if name.lower() == "vary":
            varying.update((member.lower(), member) for member in members)
        elif name.lower().endswith("cache-control"):
            directives.update(member.lower() for member in members)
    control = "no-store" if "no-store" in directives else "no-cache"
    headers = {"Cache-Control": f"{control}, private" if "private" in directives else control}
    if varying:
        headers["Vary"] = "*" if "*" in varying else ", ".join(varying.values())
    return headers
