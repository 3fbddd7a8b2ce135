"""Published capability files, read only from their YAML: operations and tools with the consumed operations they call.

This module does not use the host: it is a second implementation, to compare the host with.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.support.paths import SHARED

CORPUS: Final = SHARED / "corpus"
AUTHORS: Final = SHARED / "corpus-authors"

_READS: Final = ("GET", "HEAD")
_ADAPTERS: Final = ("http", "rest", "mcp", "skill", "control")
PLACEHOLDER: Final = re.compile(r"\{+\s*([^{}]+?)\s*\}+")
TAG: Final = re.compile(r"\{\{\s*(?:(\w+)\.)?([\w-]+)\s*\}\}")
_CALLERS: Final = re.compile(r"(?:rest|tools)\.(?:(?:path|query|header|cookie|body)\.)?(.+)")
_VERSION: Final = re.compile(r"/v\d+(?=/|$)")


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
        return PLACEHOLDER.findall(self.path)

    @property
    def unplaced(self) -> list[str]:
        """The path inputs that the path does not contain."""
        placed = {fold(name) for name in self.placeholders}
        return [each.name for each in self.inputs.values() if each.place == "path" and fold(each.name) not in placed]

    @property
    def url(self) -> str:
        """The path with the inputs that it lacks, without names of variables."""
        return PLACEHOLDER.sub("{}", "/".join((self.path, *("{}" for _ in self.unplaced))))

    @property
    def whole_body(self) -> bool:
        """Whether the only body input is the complete body."""
        return [each.name for each in self.inputs.values() if each.place == "body"] == ["body"]

    @property
    def shape(self) -> str:
        return _shape(self.path)


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
    constants: Mapping[str, str] = field(default_factory=dict)
    mapped: bool = False
    method: str = ""
    path: str = ""
    resource: str = ""
    candidates: tuple[Consumed, ...] = ()
    target: Consumed | None = None
    refusal: str = ""
    """Why it has no target."""

    @property
    def variables(self) -> list[str]:
        return PLACEHOLDER.findall(self.path)

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


def capabilities(corpus: Path = CORPUS) -> list[str]:
    """Return the names of the capability files of a corpus; the others are lists of operations."""
    paths = sorted(corpus.rglob("*.y*ml"))
    return [path.relative_to(SHARED).as_posix() for path in paths if _is_capability(path)]


def _is_capability(path: Path) -> bool:
    return "\ncapability:" in path.read_text(encoding="utf-8") and isinstance(_load(path)["capability"], dict)


@cache
def read(name: str) -> Document:
    """Return the expectations for a capability of the corpus."""
    path = SHARED / name
    return _document(path, _load(path))


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)


def _document(path: Path, data: Any) -> Document:
    sources = list(_sources(path, data))
    consumed = [operation for source, _ in sources for operation in _consumed(source)]
    exposes = data["capability"].get("exposes") or []
    root = yaml.compose(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    nodes = _child(_child(root, "capability"), "exposes") if exposes else yaml.SequenceNode("", [])
    read_units = {"rest": _operations, "mcp": _tools}
    units = [
        unit
        for spec, node in zip(exposes, nodes.value, strict=True)
        if spec["type"] in read_units
        for unit in read_units[spec["type"]](spec, node)
    ]
    return Document(
        name=path.relative_to(SHARED).as_posix(),
        path=path,
        namespaces=tuple(source["namespace"] for source, _ in sources),
        exposers={spec["type"]: spec["namespace"] for spec in exposes},
        consumed=tuple(consumed),
        units=tuple(_resolve(unit, consumed) for unit in units),
        secrets={variable: _secret(variable) for source, keys in sources for variable in _variables(source, keys)},
    )


def _sources(path: Path, data: Any) -> Iterator[tuple[Any, Mapping[str, str]]]:
    """Yield the consumed APIs of a document, each with the names that its file binds."""
    for consumed in data["capability"].get("consumes") or []:
        if consumed.get("type", "http") not in _ADAPTERS:
            continue
        if "import" in consumed:
            other = path.parent / consumed["location"]
            if not other.exists():
                continue
            for source, keys in _sources(other, _load(other)):
                if source["namespace"] == consumed["import"]:
                    yield source, keys
        else:
            yield consumed, {name: key for bind in data.get("binds") or [] for name, key in bind["keys"].items()}


def _consumed(source: Any) -> Iterator[Consumed]:
    for resource in source.get("resources") or []:
        for operation in resource.get("operations") or []:
            inputs = [
                Input(
                    given["name"],
                    given["in"],
                    given.get("type") or "string",
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
                description=operation.get("description", ""),
                inputs={given.name: given for given in inputs},
                template=operation.get("body", {}).get("data"),
                authentication=source.get("authentication") or {},
            )


def _variables(source: Any, keys: Mapping[str, str]) -> list[str]:
    """Return the environment variables of an API's authentication."""
    text = json.dumps(source.get("authentication") or {})
    return [keys.get(name, name) for _, name in TAG.findall(text)]


def _secret(variable: str) -> str:
    return f"s3cret+of/{variable}&=~"


def _operations(exposer: Any, node: Any) -> Iterator[Unit]:
    for resource, resource_node in zip(exposer["resources"], _child(node, "resources").value, strict=True):
        if "operations" not in resource:
            continue
        operations = _child(resource_node, "operations").value
        for operation, operation_node in zip(resource["operations"], operations, strict=True):
            yield Unit(
                **_shared(exposer, operation, operation_node),
                method=operation["method"],
                path=resource["path"],
                resource=resource.get("name", ""),
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
    given, constants = {}, {}
    for name, reference in (unit.get("with") or {}).items():
        match = _CALLERS.fullmatch(reference)
        if match is not None:
            given[name] = match[1]
        elif "." in reference or "{{" in reference:
            raise UnreadableError(f"{unit['name']}: with: {name}: {reference}")
        else:
            constants[name] = reference
    declared = unit.get("inputParameters", [])
    return {
        "exposer": exposer["namespace"],
        "name": unit.get("name") or unit["call"].rpartition(".")[2],
        "described": unit.get("description", ""),
        "call": unit["call"],
        "line": _child(node, "call").start_mark.line + 1,
        "given": given,
        "constants": constants,
        "mapped": any(each["mapping"] != "$." or "items" in each for each in unit.get("outputParameters") or ()),
        "types": {each["name"]: each.get("type", "string") for each in declared},
        "required": frozenset(each["name"] for each in declared if each.get("required", True)),
    }


def _child(node: Any, key: str) -> Any:
    return next(value for name, value in node.value if name.value == key)


# Resolving `call`


def _resolve(unit: Unit, consumed: Sequence[Consumed]) -> Unit:
    candidates = tuple(each for each in consumed if f"{each.namespace}.{each.name}" == unit.call)
    if not candidates:
        return replace(unit, refusal="unknown call")
    target = _choose(unit, candidates)
    refusal = _refusal(target, consumed)
    return replace(unit, candidates=candidates, target=None if refusal else target, refusal=refusal)


def _refusal(target: Consumed, consumed: Sequence[Consumed]) -> str:
    """Return why the URL of an operation is not unique, or nothing."""
    if not target.unplaced:
        return ""
    if len(target.unplaced) > 1:
        return "several path inputs without a place"
    if target.method not in _READS:
        return "a write with a path input without a place"
    same = [each for each in consumed if each.namespace == target.namespace and each.method == target.method]
    return "one URL for several operations" if [each.url for each in same].count(target.url) > 1 else ""


def _choose(unit: Unit, candidates: Sequence[Consumed]) -> Consumed:
    asked = {fold(name) for name in (*unit.given, *unit.variables)}
    rules: tuple[Callable[[Consumed], bool], ...] = (
        lambda each: {fold(name) for name in (*each.inputs, *each.placeholders)} == asked,
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


def fold(name: str) -> str:
    return re.sub(r"[-_.]", "", name).lower()


def _shape(path: str) -> str:
    """Return a path without its version and the names of its variables, case-folded."""
    return PLACEHOLDER.sub("{}", _VERSION.sub("", path, count=1)).lower()
