"""The requests of published capabilities: to the host, as a reader of the file sends them, and to the consumed API.

This module does not use the host, like the documents that it reads.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from tests.support.corpus_documents import PLACEHOLDER, TAG, Consumed, Input, Unit, UnreadableError, fold

UNUSED: Final = "path variable without an input"

# Not specified by the documents: types of inputs that occur only in the template of a body.
_UNTYPED: Final = {"messages": "array", "n": "integer", "max_tokens": "integer", "temperature": "number"}

Query = list[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """An HTTP request with a percent-encoded path and the relevant headers."""

    method: str
    path: str
    query: Query = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


def _inputs(consumed: Consumed) -> dict[str, Input]:
    """Return all inputs of an operation, declared or only named in its path or body."""
    implied = [Input(name, "path", "string", "", True) for name in consumed.placeholders]
    implied += [Input(name, "template", _UNTYPED.get(name, "string"), "", True) for name in _tags(consumed.template)]
    return {**{each.name: each for each in implied}, **consumed.inputs}


def _tags(template: Any) -> list[str]:
    return [match[2] for match in TAG.finditer(json.dumps(template))] if template else []


def arguments(unit: Unit, *, optional: bool) -> dict[str, Any]:
    """Return a distinct value for each input, or for each required one, by exposed name."""
    assert unit.target is not None
    inputs = _inputs(unit.target)
    values = {}
    for each in inputs.values():
        caller = unit.given.get(each.name, each.name)
        if each.name in unit.constants or not (each.required or _is_available(unit, each.name)):
            continue
        if each.name == "Authorization" and unit.target.authentication and each.name not in unit.given:
            continue
        if optional or each.required or caller in unit.required:
            values[caller] = _value(f"{unit.exposer}.{unit.name}", each, unit.types.get(caller, each.type))
    return values


def _is_available(unit: Unit, name: str) -> bool:
    """Return whether callers can set an optional input: a unit that declares inputs has no others."""
    return name in unit.given or not unit.types or fold(name) in map(fold, unit.types)


def _value(where: str, given: Input, kind: str) -> Any:
    number = zlib.crc32(f"{where}.{given.name}".encode()) % 1_000_000
    text = f"{given.name} {number} a/b&c=d?e#f%2Fg+h\u00e9\u2713;{{{{tools.{given.name}}}}}\"'\\<>"
    if given.place == "path":  # where a dot can be between two values
        text = text.replace(".", " ")
    if given.name.lower() == "content-type":
        return "application/json"
    if given.place == "header":
        text = f'{given.name} {number} a/b&c="d";{{e}}'
    values = {
        "string": text,
        "integer": number,
        "number": number + 0.5,
        "boolean": number % 2 == 0,
        "array": [f"{given.name} {number}", "a/b&c\u00e9"],
        "object": {"text": text, "number": number, "none": None, "list": [1.5, {"\u043a\u043b\u044e\u0447": True}]},
    }
    return values[kind]


def sent(unit: Unit, values: Mapping[str, Any]) -> Request:
    """Return the request to a REST exposer, as a reader of the file would send it."""
    assert unit.target is not None
    inputs = {unit.given.get(each.name, each.name): each for each in _inputs(unit.target).values()}
    values = {**values, UNUSED: "unused"}
    segments = {name: _variable(unit, name) for name in unit.variables}
    path = PLACEHOLDER.sub(lambda match: _encoded(segments[match[1]], values), unit.path)
    used = {name for parts in segments.values() for name in parts[::2]}
    left = [name for name in inputs if name in values and name not in used]
    has_body = unit.method not in ("GET", "HEAD", "DELETE")
    in_body = ("template", "body") if has_body and not unit.target.whole_body else ("template",)
    body = {name: values[name] for name in left if inputs[name].place in in_body}
    whole = [values[name] for name in left if inputs[name].place == "body" and unit.target.whole_body]
    in_query = ("query", "path") if has_body or unit.target.whole_body else ("query", "path", "body")
    return Request(
        method=unit.method,
        path=path,
        query=[
            pair for name in left if inputs[name].place in in_query for pair in _pairs(inputs[name], values[name], name)
        ],
        headers={name: values[name] for name in left if inputs[name].place == "header"},
        body=whole[0] if whole else body or None,
    )


def _variable(unit: Unit, variable: str) -> list[str]:
    """Return the exposed names for a path variable with the text between them; usually one name."""
    assert unit.target is not None
    callers = {fold(caller): caller for caller in unit.given.values()}
    callers |= {fold(name): name for name in _inputs(unit.target) if name not in unit.given}
    if fold(variable) in callers:
        return [callers[fold(variable)]]
    for segment in unit.target.path.split("/"):
        parts = re.split(PLACEHOLDER.pattern, segment)[1:-1]
        if fold(variable) == "".join(map(fold, parts[::2])):
            return [callers[fold(part)] if not index % 2 else part for index, part in enumerate(parts)]
    return [UNUSED]


def _encoded(parts: Sequence[str], values: Mapping[str, Any]) -> str:
    return "".join(part if index % 2 else quote(as_text(values[part]), safe="") for index, part in enumerate(parts))


def expected(unit: Unit, values: Mapping[str, Any], secrets: Mapping[str, str]) -> Request:
    """Return the request that the upstream must receive."""
    assert unit.target is not None
    consumed = unit.target
    callers = {name: unit.given.get(name, name) for name in _inputs(consumed)}
    found = {name: values[caller] for name, caller in callers.items() if caller in values} | dict(unit.constants)
    folded = {fold(name): value for name, value in found.items()}
    declared_path, _, fixed = consumed.path.partition("?")
    path = PLACEHOLDER.sub(lambda match: quote(as_text(folded[fold(match[1])]), safe=""), declared_path)
    query: Query = parse_qsl(fixed)
    headers: dict[str, str] = {}
    if consumed.template is None and not consumed.whole_body:
        fields = {name: found[name] for name, each in consumed.inputs.items() if each.place == "body" and name in found}
        may_be_empty = consumed.method in ("POST", "PUT", "PATCH") and any(
            each.place == "body" for each in consumed.inputs.values()
        )
        found = {name: value for name, value in found.items() if name not in fields}
    else:
        fields, may_be_empty = {}, False
    body = None if consumed.template is None else _filled(consumed.template, found)
    for name, given in consumed.inputs.items():
        if name not in found:
            continue
        if given.place == "query":
            query += _pairs(given, found[name], name)
        elif given.place == "header":
            headers[name] = found[name]
        elif given.place == "body":
            body = found[name]
        elif given.place == "path" and name in consumed.unplaced:
            path += "/" + quote(as_text(found[name]), safe="")
    if fields or may_be_empty:
        body = fields
    _authenticate(consumed.authentication, secrets, headers, query)
    return Request(consumed.method, path, query, headers, body)


def _filled(template: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, Any]:
    filled = {}
    for key, text in template.items():
        match = TAG.fullmatch(text)
        if match is None:
            raise UnreadableError(f"the body's '{key}' is more than one tag: {text}")
        filled[key] = found[match[2]]
    return filled


def _authenticate(given: Mapping[str, str], secrets: Mapping[str, str], headers: dict[str, str], query: Query) -> None:
    if not given:
        return

    def secret(key: str) -> str:
        return TAG.sub(lambda tag: secrets[tag[2]], given[key])

    name = given.get("key") or given.get("name", "")
    if given["type"] == "bearer":
        headers["Authorization"] = f"Bearer {secret('token')}"
    elif given["type"] == "basic":
        account = b64encode(f"{secret('username')}:{secret('password')}".encode()).decode()
        headers["Authorization"] = f"Basic {account}"
    elif given.get("placement", given.get("in", "header")) == "header":
        headers[name] = secret("value")
    else:
        query.append((name, secret("value")))


def _pairs(given: Input, value: Any, name: str) -> Query:
    """Return one pair for each element of a list, or one pair with commas if its description requires that."""
    if not isinstance(value, list):
        return [(name, as_text(value))]
    if "comma" in given.description.lower():
        return [(name, ",".join(map(as_text, value)))]
    return [(name, as_text(each)) for each in value]


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def query_of(target: str) -> Query:
    """Return the pairs of a query."""
    return parse_qsl(target.partition("?")[2], keep_blank_values=True, strict_parsing="?" in target)
