"""Expectations for published capability files, derived only from their YAML: the request of each operation and tool.

This module does not use the host: it is a second implementation, to compare the host with.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote

import yaml

from tests.support.paths import SHARED

CORPUS: Final = SHARED / "corpus"

_PLACEHOLDER: Final = re.compile(r"\{+\s*([^{}]+?)\s*\}+")
_TAG: Final = re.compile(r"\{\{\s*(?:(\w+)\.)?([\w-]+)\s*\}\}")
_CALLERS: Final = re.compile(r"(?:rest|tools)\.(.+)")
_VERSION: Final = re.compile(r"/v\d+(?=/|$)")

# Not specified by the documents: types of inputs that occur only in the template of a body.
_UNTYPED: Final = {"messages": "array", "n": "integer", "max_tokens": "integer", "temperature": "number"}

Query = list[tuple[str, str]]


class UnreadableError(Exception):
    """A document contains something that these rules do not cover."""


class Input(NamedTuple):
    """An input of a consumed operation."""

    name: str
    place: str
    type: str
    description: str
    required: bool


@dataclass(frozen=True)
class Consumed:
    """An operation of an upstream API."""

    namespace: str
    resource: str
    path: str
    name: str
    method: str
    description: str
    inputs: Mapping[str, Input]
    template: Any
    authentication: Mapping[str, str]

    @property
    def placeholders(self) -> list[str]:
        return _PLACEHOLDER.findall(self.path)

    @property
    def shape(self) -> str:
        return _shape(self.path)


@dataclass(frozen=True)
class Request:
    """An HTTP request with a percent-encoded path and the relevant headers."""

    method: str
    path: str
    query: Query = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class Unit:
    """A REST operation (with a path) or an MCP tool, with the arguments of the test."""

    exposer: str
    name: str
    described: str
    call: str
    line: int
    given: Mapping[str, str]
    types: Mapping[str, str]
    required: frozenset[str]
    method: str = ""
    path: str = ""
    resource: str = ""
    candidates: tuple[Consumed, ...] = ()
    target: Consumed | None = None

    @property
    def variables(self) -> list[str]:
        return _PLACEHOLDER.findall(self.path)

    @property
    def shape(self) -> str:
        return _shape(self.path)


@dataclass(frozen=True)
class Document:
    """A capability file."""

    name: str
    path: Path
    namespaces: tuple[str, ...]
    exposers: Mapping[str, str]
    consumed: tuple[Consumed, ...]
    units: tuple[Unit, ...]
    secrets: Mapping[str, str]

    @property
    def unresolved(self) -> list[Unit]:
        return [unit for unit in self.units if unit.target is None]

    @property
    def resolved(self) -> list[Unit]:
        return [unit for unit in self.units if unit.target is not None]


def capabilities() -> list[str]:
    """Return the names of the capability files of the corpus; the others are lists of operations."""
    paths = sorted(CORPUS.rglob("*.y*ml"))
    return [
        path.relative_to(CORPUS).as_posix() for path in paths if "\ncapability:" in path.read_text(encoding="utf-8")
    ]


@cache
def read(name: str) -> Document:
    """Return the expectations for a capability of the corpus."""
    path = CORPUS / name
    return _document(path, _load(path))


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)


def _document(path: Path, data: Any) -> Document:
    sources = list(_sources(path, data))
    consumed = [operation for source, _ in sources for operation in _consumed(source)]
    exposes = data["capability"]["exposes"]
    nodes = _child(_child(yaml.compose(path.read_text(encoding="utf-8"), yaml.CSafeLoader), "capability"), "exposes")
    units = [
        unit
        for spec, node in zip(exposes, nodes.value, strict=True)
        for unit in (_operations(spec, node) if spec["type"] == "rest" else _tools(spec, node))
    ]
    return Document(
        name=path.relative_to(CORPUS).as_posix(),
        path=path,
        namespaces=tuple(source["namespace"] for source, _ in sources),
        exposers={spec["type"]: spec["namespace"] for spec in exposes},
        consumed=tuple(consumed),
        units=tuple(_resolve(unit, consumed) for unit in units),
        secrets={variable: _secret(variable) for source, keys in sources for variable in _variables(source, keys)},
    )


def _sources(path: Path, data: Any) -> Iterator[tuple[Any, Mapping[str, str]]]:
    """Yield the consumed APIs of a document, each with the names that its file binds."""
    for consumed in data["capability"]["consumes"]:
        if "import" in consumed:
            other = path.parent / consumed["location"]
            for source, keys in _sources(other, _load(other)):
                if source["namespace"] == consumed["import"]:
                    yield source, keys
        else:
            yield consumed, {name: key for bind in data.get("binds") or [] for name, key in bind["keys"].items()}


def _consumed(source: Any) -> Iterator[Consumed]:
    for resource in source["resources"]:
        for operation in resource["operations"]:
            inputs = [
                Input(
                    given["name"],
                    given["in"],
                    given.get("type", "string"),
                    given.get("description", ""),
                    given.get("required", False) or given["in"] == "path",
                )
                for given in operation.get("inputParameters", [])
            ]
            yield Consumed(
                namespace=source["namespace"],
                resource=resource["name"],
                path=resource["path"],
                name=operation["name"],
                method=operation["method"],
                description=operation["description"],
                inputs={given.name: given for given in inputs},
                template=operation.get("body", {}).get("data"),
                authentication=source.get("authentication") or {},
            )


def _variables(source: Any, keys: Mapping[str, str]) -> list[str]:
    """Return the environment variables of an API's authentication."""
    text = json.dumps(source.get("authentication") or {})
    return [keys.get(name, name) for _, name in _TAG.findall(text)]


def _secret(variable: str) -> str:
    return f"s3cret+of/{variable}&=~"


def _operations(exposer: Any, node: Any) -> Iterator[Unit]:
    for resource, resource_node in zip(exposer["resources"], _child(node, "resources").value, strict=True):
        operations = _child(resource_node, "operations").value
        for operation, operation_node in zip(resource["operations"], operations, strict=True):
            yield Unit(
                **_shared(exposer, operation, operation_node),
                method=operation["method"],
                path=resource["path"],
                resource=resource["name"],
            )


def _tools(exposer: Any, node: Any) -> Iterator[Unit]:
    seen: Counter[str] = Counter()
    for tool, tool_node in zip(exposer["tools"], _child(node, "tools").value, strict=True):
        seen[tool["name"]] += 1
        shared = _shared(exposer, tool, tool_node)
        if seen[tool["name"]] > 1:
            shared["name"] = f"{tool['name']}-{seen[tool['name']]}"
        yield Unit(**shared)


def _shared(exposer: Any, unit: Any, node: Any) -> dict[str, Any]:
    """Return the fields that operations and tools share; `given` maps consumed names to exposed names."""
    given = {}
    for name, reference in unit.get("with", {}).items():
        match = _CALLERS.fullmatch(reference)
        if match is None:
            raise UnreadableError(f"{unit['name']}: with: {name}: {reference}")
        given[name] = match[1]
    declared = unit.get("inputParameters", [])
    return {
        "exposer": exposer["namespace"],
        "name": unit["name"],
        "described": unit["description"],
        "call": unit["call"],
        "line": _child(node, "call").start_mark.line + 1,
        "given": given,
        "types": {each["name"]: each["type"] for each in declared},
        "required": frozenset(each["name"] for each in declared if each.get("required", True)),
    }


def _child(node: Any, key: str) -> Any:
    return next(value for name, value in node.value if name.value == key)


# Resolving `call`


def _resolve(unit: Unit, consumed: Sequence[Consumed]) -> Unit:
    candidates = tuple(each for each in consumed if f"{each.namespace}.{each.name}" == unit.call)
    return replace(unit, candidates=candidates, target=_choose(unit, candidates) if candidates else None)


def _choose(unit: Unit, candidates: Sequence[Consumed]) -> Consumed:
    asked = {_fold(name) for name in (*unit.given, *unit.variables)}
    rules: tuple[Callable[[Consumed], bool], ...] = (
        lambda each: {_fold(name) for name in (*each.inputs, *each.placeholders)} == asked,
        lambda each: each.description == unit.described,
        lambda each: each.resource.lower() == unit.resource.lower() or each.shape == unit.shape,
        lambda each: each.method == unit.method,
    )
    for fits in rules:
        if len(candidates) > 1:
            candidates = [each for each in candidates if fits(each)] or candidates
    if len(candidates) > 1:
        raise UnreadableError(f"{unit.exposer}.{unit.name}: {unit.call} may mean {candidates}")
    return candidates[0]


def _fold(name: str) -> str:
    return re.sub(r"[-_.]", "", name).lower()


def _shape(path: str) -> str:
    """Return a path without its version and the names of its variables, case-folded."""
    return _PLACEHOLDER.sub("{}", _VERSION.sub("", path, count=1)).lower()


# Expected requests


def _inputs(consumed: Consumed) -> dict[str, Input]:
    """Return all inputs of an operation, declared or only named in its path or body."""
    implied = [Input(name, "path", "string", "", True) for name in consumed.placeholders]
    implied += [Input(name, "template", _UNTYPED.get(name, "string"), "", True) for name in _tags(consumed.template)]
    return {**{each.name: each for each in implied}, **consumed.inputs}


def _tags(template: Any) -> list[str]:
    return [match[2] for match in _TAG.finditer(json.dumps(template))] if template else []


def arguments(unit: Unit, *, optional: bool) -> dict[str, Any]:
    """Return a distinct value for each input, or for each required one, by exposed name."""
    assert unit.target is not None
    inputs = _inputs(unit.target)
    strangers = set(unit.given) - set(inputs)
    if strangers:
        raise UnreadableError(f"{unit.exposer}.{unit.name}: {unit.call} takes no {strangers}")
    values = {}
    for each in inputs.values():
        caller = unit.given.get(each.name, each.name)
        if optional or each.required or caller in unit.required:
            values[caller] = _value(f"{unit.exposer}.{unit.name}", each, unit.types.get(caller, each.type))
    return values


def _value(where: str, given: Input, kind: str) -> Any:
    number = zlib.crc32(f"{where}.{given.name}".encode()) % 1_000_000
    text = f"{given.name} {number} a/b&c=d?e#f%2Fg+h\u00e9\u2713;{{{{tools.{given.name}}}}}\"'\\<>"
    if given.place == "path":  # where a dot can be between two values
        text = text.replace(".", " ")
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
    segments = {name: _variable(unit, name) for name in unit.variables}
    path = _PLACEHOLDER.sub(lambda match: _encoded(segments[match[1]], values), unit.path)
    used = {name for parts in segments.values() for name in parts[::2]}
    left = [name for name in inputs if name in values and name not in used]
    body = {name: values[name] for name in left if inputs[name].place == "template"}
    whole = [values[name] for name in left if inputs[name].place == "body"]
    return Request(
        method=unit.method,
        path=path,
        query=[
            pair
            for name in left
            if inputs[name].place in ("query", "path")
            for pair in _pairs(inputs[name], values[name], name)
        ],
        headers={name: values[name] for name in left if inputs[name].place == "header"},
        body=whole[0] if whole else body or None,
    )


def _variable(unit: Unit, variable: str) -> list[str]:
    """Return the exposed names for a path variable with the text between them; usually one name."""
    assert unit.target is not None
    callers = {_fold(caller): caller for caller in unit.given.values()}
    callers |= {_fold(name): name for name in unit.target.placeholders if name not in unit.given}
    if _fold(variable) in callers:
        return [callers[_fold(variable)]]
    for segment in unit.target.path.split("/"):
        parts = re.split(_PLACEHOLDER.pattern, segment)[1:-1]
        if _fold(variable) == "".join(map(_fold, parts[::2])):
            return [callers[_fold(part)] if not index % 2 else part for index, part in enumerate(parts)]
    raise UnreadableError(f"{unit.exposer}.{unit.name}: what is '{variable}' of {unit.path} in {unit.target.path}")


def _encoded(parts: Sequence[str], values: Mapping[str, Any]) -> str:
    return "".join(part if index % 2 else quote(as_text(values[part]), safe="") for index, part in enumerate(parts))


def expected(unit: Unit, values: Mapping[str, Any], secrets: Mapping[str, str]) -> Request:
    """Return the request that the upstream must receive."""
    assert unit.target is not None
    consumed = unit.target
    callers = {name: unit.given.get(name, name) for name in _inputs(consumed)}
    found = {name: values[caller] for name, caller in callers.items() if caller in values}
    path = _PLACEHOLDER.sub(lambda match: quote(as_text(found[match[1]]), safe=""), consumed.path)
    query: Query = []
    headers: dict[str, str] = {}
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
        elif given.place == "path" and name not in consumed.placeholders:
            path += "/" + quote(as_text(found[name]), safe="")
    _authenticate(consumed.authentication, secrets, headers, query)
    return Request(consumed.method, path, query, headers, body)


def _filled(template: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, Any]:
    filled = {}
    for key, text in template.items():
        match = _TAG.fullmatch(text)
        if match is None:
            raise UnreadableError(f"the body's '{key}' is more than one tag: {text}")
        filled[key] = found[match[2]]
    return filled


def _authenticate(given: Mapping[str, str], secrets: Mapping[str, str], headers: dict[str, str], query: Query) -> None:
    if not given:
        return
    match = _TAG.fullmatch(given["token" if given["type"] == "bearer" else "value"])
    assert match is not None
    secret = secrets[match[2]]
    if given["type"] == "bearer":
        headers["Authorization"] = f"Bearer {secret}"
    elif given["placement"] == "header":
        headers[given["key"]] = secret
    else:
        query.append((given["key"], secret))


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
