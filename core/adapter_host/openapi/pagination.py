"""Suggest `x-pagination` for imported operations: by the extensions of others, and by names that are common."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .model import Api, Endpoint
from .responses import success_response
from .source.documents import Cursor

MS_PAGEABLE: Final = "x-ms-pageable"
SPEAKEASY: Final = "x-speakeasy-pagination"
LINK: Final = "Link"

_CURSORS: Final = frozenset({
    "cursor", "pagetoken", "nexttoken", "after", "startingafter", "continuationtoken", "nextcursor", "pagecursor",
    "startcursor",
})  # fmt: skip
_NUMBERS: Final = frozenset({"page", "pagenumber", "pageno", "pagenum", "pageindex"})
_OFFSETS: Final = frozenset({"offset", "skip", "startindex", "startat"})
_SIZES: Final = frozenset({"perpage", "pagesize", "limit", "size", "maxresults", "count", "top", "pagelimit"})
_NEXT_CURSORS: Final = frozenset({
    "nextcursor", "nextpagetoken", "nexttoken", "nextpagecursor", "endcursor", "continuationtoken", "cursor",
})  # fmt: skip
_NEXT_URLS: Final = frozenset({"next", "nextlink", "nexturl", "nextpage", "nextpageurl", "odatanextlink"})
_TOTALS: Final = frozenset({"total", "totalcount", "totalitems", "totalresults", "totalelements"})
_ITEMS: Final = frozenset({"items", "data", "results", "value", "values", "records", "entries", "content"})
_ENVELOPES: Final = frozenset({
    "data", "meta", "pagination", "paging", "links", "response", "result", "responsemetadata", "pageinfo",
})  # fmt: skip
_PLAIN: Final = re.compile(r"[A-Za-z_$][\w.$-]*")
_PAGE_SIZE: Final = 100
_NAMES_SHOWN: Final = 3

Suggestion = dict[str, Any]


def declared_pages(operation: Cursor) -> Mapping[str, Any]:
    """Return the parts of an operation in a document that declare pages."""
    found = {key: operation.value[key] for key in (MS_PAGEABLE, SPEAKEASY) if key in operation.value}
    success = success_response(operation)
    headers = success[1].value.get("headers") if success is not None else None
    if isinstance(headers, dict) and any(isinstance(name, str) and name.lower() == "link" for name in headers):
        found[LINK] = True
    return found


def suggestions(api: Api) -> Iterator[str]:
    """Yield a line for each different declaration that the operations of an API could have; nothing is assumed."""
    names: dict[str, list[str]] = {}
    for endpoint in api.endpoints:
        suggestion = suggest(endpoint, api.schemas)
        if suggestion is not None:
            names.setdefault(_flow(suggestion), []).append(endpoint.name)
    for text, found in names.items():
        shown = ", ".join(found[:_NAMES_SHOWN])
        more = f" and {len(found) - _NAMES_SHOWN} more" if len(found) > _NAMES_SHOWN else ""
        yield f"{shown}{more} may have pages; check and add: x-pagination: {text}"


def suggest(endpoint: Endpoint, schemas: Mapping[str, Any]) -> Suggestion | None:
    """Return a declaration that fits an operation, or None."""
    response = _Response(endpoint.response.schema or {}, schemas)
    declared = endpoint.pages
    found = None
    if isinstance(declared.get(MS_PAGEABLE), dict):
        found = _of_ms_pageable(declared[MS_PAGEABLE])
    elif isinstance(declared.get(SPEAKEASY), dict):
        found = _of_speakeasy(declared[SPEAKEASY], endpoint)
    elif endpoint.method == "GET" and (items := response.items) is not None:
        found = _by_names(endpoint, response, items, has_link=LINK in declared)
    if found is None:
        return None
    if endpoint.method not in ("GET", "HEAD"):
        found["readOnly"] = True
    if any(_plain(item.name) == "limit" for item in endpoint.parameters):
        found["limitInput"] = "max-items"
    return found


def _of_ms_pageable(declared: Mapping[str, Any]) -> Suggestion | None:
    link = declared.get("nextLinkName")
    if not isinstance(link, str):
        return None
    items = declared.get("itemName", "value")
    return {"form": "link", "items": _path([str(items)]), "next": _path([link])}


def _of_speakeasy(declared: Mapping[str, Any], endpoint: Endpoint) -> Suggestion | None:
    inputs, outputs = declared.get("inputs") or (), declared.get("outputs") or {}
    by_type = {item.get("type"): str(item.get("name")) for item in inputs if isinstance(item, dict)}
    form = {"offsetLimit": "page" if "page" in by_type else "offset", "cursor": "cursor", "url": "link"}.get(
        str(declared.get("type"))
    )
    if form is None or not isinstance(outputs, dict):
        return None
    found: Suggestion = {"form": form}
    if outputs.get("results") is not None:
        found["items"] = str(outputs["results"])
    following = outputs.get("nextCursor" if form == "cursor" else "nextUrl")
    if following is not None and form in ("cursor", "link"):
        found["next"] = str(following)
    if form != "link":
        if form not in by_type:
            return None
        found["input"] = _input(endpoint, by_type[form])
    if "limit" in by_type:
        found["pageSize"] = {"input": _input(endpoint, by_type["limit"]), "value": _PAGE_SIZE}
    return found


def _input(endpoint: Endpoint, name: str) -> str:
    """Return the name of the input for a parameter of the document."""
    return next((item.name for item in endpoint.parameters if item.wire.get("x-name", item.name) == name), name)


def _by_names(endpoint: Endpoint, response: _Response, items: str, *, has_link: bool) -> Suggestion | None:
    by_name = {_plain(item.name): item for item in endpoint.parameters if item.in_ == "query"}

    def find(names: frozenset[str]) -> str | None:
        return next((item.name for name, item in by_name.items() if name in names), None)

    found: Suggestion = {"form": "link", "items": items}
    cursor, number, offset, size = find(_CURSORS), find(_NUMBERS), find(_OFFSETS), find(_SIZES)
    if has_link:
        pass
    elif (following := response.place(_NEXT_CURSORS)) is not None and cursor is not None:
        found |= {"form": "cursor", "next": following, "input": cursor}
    elif (following := response.place(_NEXT_URLS)) is not None and (cursor or number or offset):
        found |= {"next": following}
    elif number is not None or offset is not None:
        found |= {"form": "page", "input": number} if number is not None else {"form": "offset", "input": offset}
        if (total := response.place(_TOTALS)) is not None:
            found["total"] = total
    else:
        return None
    if size is not None and found["form"] != "link":
        found["pageSize"] = {"input": size, "value": _PAGE_SIZE}
    return found


class _Response:
    """The members of a response, up to the objects in its envelope."""

    def __init__(self, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self._root = self._resolve(schema)
        self._members = dict(self._flat(self._root, ()))

    @property
    def items(self) -> str | None:
        """The place of the only array, or of the one with a common name."""
        if _is_type(self._root, "array"):
            return "$"
        arrays = [names for names, schema in self._members.items() if _is_type(schema, "array")]
        common = [names for names in arrays if _plain(names[-1]) in _ITEMS]
        found = arrays if len(arrays) == 1 else common
        return _path(found[0]) if len(found) == 1 else None

    def place(self, candidates: frozenset[str]) -> str | None:
        """Return the place of a value with one of these names."""
        found = (names for names, schema in self._members.items() if _plain(names[-1]) in candidates)
        return next((_path(names) for names in found if not _is_type(self._members[names], "array", "object")), None)

    def _flat(self, schema: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        properties = schema.get("properties")
        for name, child in properties.items() if isinstance(properties, Mapping) else ():
            resolved = self._resolve(child)
            yield (*above, name), resolved
            if not above and _plain(name) in _ENVELOPES:
                yield from self._flat(resolved, (name,))

    def _resolve(self, schema: Any) -> Mapping[str, Any]:
        for _ in range(8):
            reference = schema.get("$ref") if isinstance(schema, Mapping) else None
            if not isinstance(reference, str):
                break
            schema = self._schemas.get(reference.rpartition("/")[2])
        return schema if isinstance(schema, Mapping) else {}


def _is_type(schema: Mapping[str, Any], *names: str) -> bool:
    declared = schema.get("type")
    return any(name in names for name in (declared if isinstance(declared, list) else [declared]))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _path(names: list[str] | tuple[str, ...]) -> str:
    return "$" + "".join(f".{name}" if re.fullmatch(r"\w[\w-]*", name) else f"['{name}']" for name in names)


def _flow(value: Any) -> str:
    """Return a value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(child)}" for key, child in value.items()) + "}"
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
