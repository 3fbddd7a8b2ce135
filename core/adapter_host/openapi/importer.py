"""From an OpenAPI document to an API."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from adapter_host.errors import Problem, ProblemsError

from .documents import Cursor
from .inputs import joined
from .model import Answer, Api, Body, Endpoint, Parameter
from .names import Names, kebab
from .security import read_credentials
from .version2 import Version2
from .version3 import Version3

METHODS: Final = ("get", "post", "put", "patch", "delete")

_OTHER_METHODS: Final = ("head", "options", "trace")
_UNSAID: Final = {
    "callbacks": "requests that the API makes itself are left out",
    "webhooks": "requests that the API makes itself are left out",
    "servers": "an operation has no server of its own: it is called where the others are",
}
_LONGEST_NAMESPACE: Final = 40


class Dialect(Protocol):
    """What a version of OpenAPI says in its own way."""

    def base(self) -> str | None:
        """Where the API is."""

    def schemes(self) -> Mapping[str, Cursor]:
        """Return the security schemes by name."""

    def parameter(self, at: Cursor) -> Parameter | None:
        """Return a parameter; None when it cannot be said, or is none of its own."""

    def body(self, operation: Cursor, parameters: Sequence[Cursor], taken: Sequence[Parameter]) -> Body | None:
        """Return the request's body; its inputs have other names than those taken."""

    def answer(self, operation: Cursor) -> Answer:
        """Return the response of a successful request."""


@dataclass(frozen=True, slots=True)
class Found:
    """An operation in the document, under its path and method."""

    path: str
    method: str
    item: Cursor
    at: Cursor

    @property
    def tags(self) -> set[str]:
        """Its tags."""
        tags = self.at.value.get("tags")
        return {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()

    @property
    def id(self) -> str | None:
        """Its operationId."""
        return self.at.text("operationId")

    def is_one_of(self, names: Collection[str]) -> bool:
        """Whether it, or a tag of it, is named; without names every one is."""
        return not names or self.id in names or not self.tags.isdisjoint(names)


def read_api(root: Cursor, *, only: Collection[str] = (), namespace: str | None = None) -> Api:
    """Return a document's API, limited to the tags and operationIds in `only`; raise `ProblemsError`."""
    dialect, form = _dialect(root)
    everything = list(_operations(root))
    _check_only(root, only, everything)
    found = [each for each in everything if each.is_one_of(only)]
    info = root.mapping("info")
    title = (info.text("title") if info else None) or "API"
    name = namespace or kebab(title)[:_LONGEST_NAMESPACE].strip("-") or "api"
    credentials = read_credentials(root, [each.at for each in found], dialect.schemes(), name)
    _note_unsaid(root, "webhooks")
    endpoints = tuple(_Reader(dialect).endpoints(found))
    if not endpoints:
        raise ProblemsError([Problem("it has no operation that can be called", root.document.name, code="openapi")])
    return Api(
        namespace=name,
        title=title,
        version=_version(info) if info else None,
        form=form,
        description=info.text("description") if info else None,
        base_uri=_base(dialect, root),
        credentials=credentials,
        endpoints=endpoints,
    )


def _dialect(root: Cursor) -> tuple[Dialect, str]:
    value = root.value if isinstance(root.value, dict) else {}
    if str(value.get("swagger")) in ("2.0", "2"):
        return Version2(root), "OpenAPI 2.0"
    version = str(value.get("openapi", ""))
    if re.match(r"3\.\d", version):
        if not version.startswith(("3.0", "3.1")):
            root.warn(f"version {version} is read as if it were 3.1")
        return Version3(root), f"OpenAPI {version}"
    given = f"given {version}" if version else "there is no 'openapi: 3.x' and no 'swagger: \"2.0\"'"
    raise ProblemsError([Problem(f"it is no OpenAPI document of version 2.0 or 3.x ({given})", root.document.name)])


def _version(info: Cursor) -> str | None:
    version = info.value.get("version")
    return str(version) if isinstance(version, str | int | float) else None


def _check_only(root: Cursor, only: Collection[str], found: Sequence[Found]) -> None:
    known = {each.id for each in found}.union(*(each.tags for each in found))
    if unknown := [name for name in only if name not in known]:
        names = ", ".join(sorted(name for name in known if name)[:20]) or "none"
        message = f"no tag or operationId is '{unknown[0]}' (there are: {names})"
        raise ProblemsError([Problem(message, root.document.name, code="only")])


def _base(dialect: Dialect, root: Cursor) -> str:
    base = dialect.base()
    if base is None:
        root.warn("no server says where the API is: baseUri is http://localhost (--base-uri calls it elsewhere)")
        return "http://localhost"
    return base.rstrip("/")


def _operations(root: Cursor) -> Iterator[Found]:
    for path, item in root.named("paths"):
        if path.startswith("x-") or not isinstance(item.value, dict):
            continue
        for method in METHODS:
            at = item.mapping(method)
            if at is not None:
                yield Found(path, method, item, at)
        for method in _OTHER_METHODS:
            if method in item.value:
                item.warn(f"{method.upper()} is left out")


def _note_unsaid(at: Cursor, *keys: str) -> None:
    for key in keys:
        if isinstance(at.value, dict) and at.value.get(key) and (there := at.get(key)):
            there.warn(_UNSAID[key])


def _flaw(path: str) -> str | None:
    """Why a path cannot be a capability's."""
    variables = re.findall(r"\{([^{}]*)\}", path)
    rest = re.sub(r"\{[^{}]*\}", "{}", path)
    if not path.startswith("/"):
        return "it does not begin with '/'"
    if "?" in rest or "#" in rest:
        return "it has a query or a fragment"
    if rest.count("{") != len(variables) or rest.count("}") != len(variables) or not all(map(str.strip, variables)):
        return "its braces hold no names"
    if "{}{}" in rest:
        return "nothing stands between two of its variables"
    return "a variable stands in it twice" if len(set(variables)) < len(variables) else None


@dataclass(slots=True)
class _Reader:
    """Reads the operations of one document; each is offered once, under a name of its own."""

    dialect: Dialect
    names: Names = field(default_factory=Names)
    routes: dict[tuple[str, str], str] = field(default_factory=dict)

    def endpoints(self, found: Sequence[Found]) -> Iterator[Endpoint]:
        for each in found:
            if (reason := _flaw(each.path) or self._twice(each)) is None:
                yield self._endpoint(each)
            else:
                each.at.warn(f"its path cannot be called: {reason}, so it is left out")

    def _twice(self, found: Found) -> str | None:
        shape = re.sub(r"\{[^{}]*\}", "{}", found.path)
        first = self.routes.setdefault((found.method, shape), found.path)
        return None if first == found.path else f"it cannot be told from {first}"

    def _endpoint(self, found: Found) -> Endpoint:
        at, method = found.at, found.method.upper()
        declared = _effective(found)
        parameters = self._parameters(found, declared)
        summary, description = at.text("summary"), at.text("description")
        said = joined(
            "Deprecated." if at.flag("deprecated") else None, description or summary or f"{method} {found.path}"
        )
        _note_unsaid(found.item, "servers")
        _note_unsaid(at, "servers", "callbacks")
        return Endpoint(
            name=self.names.take(kebab(found.id or ""), kebab(f"{found.method} {found.path}")),
            method=method,
            path=found.path,
            label=summary if description and summary != description else None,
            description=said or "",
            parameters=parameters,
            body=self.dialect.body(at, declared, parameters),
            answer=self.dialect.answer(at),
        )

    def _parameters(self, found: Found, declared: Sequence[Cursor]) -> tuple[Parameter, ...]:
        variables = re.findall(r"\{\s*([^{}]*?)\s*\}", found.path)
        made: dict[tuple[str, str], Parameter] = {}
        for at in declared:
            parameter = self.dialect.parameter(at)
            if parameter is None:
                continue
            if parameter.place == "path" and parameter.name not in variables:
                at.warn(f"the path has no variable '{parameter.name}', so it is left out")
                continue
            if any(parameter.name == name for name, _ in made):
                at.warn(f"'{parameter.name}' stands in two places of the request; one value fills both")
            made[parameter.name, parameter.place] = parameter
        return tuple(sorted(made.values(), key=lambda each: each.place != "path"))


def _effective(found: Found) -> list[Cursor]:
    """Return the parameters of an operation: its own, then those of its path that it does not replace."""
    merged: dict[tuple[object, object], Cursor] = {}
    for holder in (found.at, found.item):
        for at in holder.elements("parameters"):
            if isinstance(at.value, dict):
                merged.setdefault((str(at.value.get("name")), str(at.value.get("in"))), at)
    return list(merged.values())
