"""Serve the operations of an example capability over every protocol, in front of an API that records requests."""

from __future__ import annotations

import copy
import hashlib
import random
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml
from aiohttp import web

from adapter_host import Arguments, Call, Exposer, Host, Operation, Plugins, RefusedError, Result, Settings, hookimpl
from adapter_host.document.source import Source
from adapter_host.testing import Running, running
from tests.support.paths import ROOT
from tests.support.upstream import Api, serving_api

CAPABILITIES = ROOT / "capabilities"
# What an operation says, whatever serves it.
KEYS = {"name", "description", "call", "with", "steps", "mappings", "ref", "outputParameters", "const", "value"}
PLAIN = ("string", "integer", "number", "boolean", "array", "object")
MEMBER = re.compile(r"[.\[]\"?'?([A-Za-z_][\w-]*)")


@dataclass
class SameOperations:
    """The served operations by name, and the API behind them."""

    served: Running
    api: Api
    operations: Mapping[str, Operation]


class Refusing:
    """A plugin that refuses some calls."""

    @hookimpl
    def operation_wrapper(self) -> Callable[[Call], Call]:
        """Return a wrapper that refuses calls with the text `Ada` in an argument."""

        def wrap(call: Call) -> Call:
            async def refuse_some(arguments: Arguments) -> Result:
                if "Ada" in arguments.values():
                    raise RefusedError("calls for Ada are refused")
                return await call(arguments)

            return refuse_some

        return wrap


def exposer_of(served: Running, namespace: str) -> Exposer[Any]:
    return next(status.exposer for status in served.host.status() if status.namespace == namespace)


def exposed(document: Mapping[str, Any], host: Host) -> dict[str, dict[str, Any]]:
    """Return the operations of a document by name, without the keys of one protocol.

    Whether an input that says nothing is required, and its place, depends on the protocol: all inputs say both.
    """
    compiled = {
        operation.name: operation for status in host.status() for operation in status.exposer.operations.values()
    }
    found: dict[str, dict[str, Any]] = {}
    for exposer in document["capability"].get("exposes", ()):
        resources = named(exposer.get("resources", ())) if exposer["type"] == "rest" else ()
        operations = [each for resource in resources for each in named(resource.get("operations", ()))]
        for each in [*operations, *named(exposer.get("tools", ()))]:
            if each.get("name") in compiled and is_in_every_protocol(compiled[each["name"]]):
                found.setdefault(each["name"], neutral(each, compiled[each["name"]]))
    return found


def is_in_every_protocol(operation: Operation) -> bool:
    """Return whether all protocols carry the same arguments and results.

    Bytes are text of base64 in some of them, and over REST no arguments fit into a body that is one argument.
    """
    return not operation.binary and (len(operation.inputs) < 2 or not any(each.whole for each in operation.inputs))


def named(parts: Any) -> list[dict[str, Any]]:
    """Return parts that are a list, or a mapping by name, as a list."""
    if not isinstance(parts, Mapping):
        return list(parts)
    return [{"name": name, **part} if isinstance(part, Mapping) else {"name": name} for name, part in parts.items()]


def neutral(declared: Mapping[str, Any], operation: Operation) -> dict[str, Any]:
    kept = {key: value for key, value in declared.items() if key in KEYS}
    own = {each["name"]: each for each in named(declared.get("inputParameters", ()))}
    kept["description"] = declared.get("description", declared["name"])
    kept["inputParameters"] = [
        {
            "type": str(each.schema.get("type", "string")),
            **{key: value for key, value in own.get(each.name, {}).items() if key not in ("in", "style")},
            "name": each.name,
            "required": each.required,
        }
        for each in operation.inputs
    ]
    return kept


def over_rest(operation: Mapping[str, Any]) -> dict[str, Any]:
    inputs = [{**each, "in": "body"} for each in operation["inputParameters"]]
    own = {**operation, "method": "POST", "inputParameters": inputs}
    return {"name": operation["name"], "path": f"/{operation['name']}", "operations": [own]}


def names_in(text: str) -> list[str]:
    """Return the names of members that the JSONPaths of a document read."""
    paths = re.findall(r"(\$[^\s\"'},]*)", text)
    return sorted({name for path in paths for name in MEMBER.findall(path)}) or ["id"]


def canonical(body: bytes) -> bytes:
    """Return JSON with sorted keys, as not every protocol keeps their order; other bytes unchanged."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body


class Responses:
    """Makes the response to a request from the request alone, so that equal requests have equal responses."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    async def reply(self, request: web.Request) -> web.StreamResponse:
        seen = f"{request.method} {request.raw_path} ".encode() + canonical(await request.read())
        made = random.Random(hashlib.sha256(seen).digest())
        match made.randrange(12):
            case 0:
                return web.json_response({"error": "no such thing"}, status=made.choice([400, 404, 409, 422, 500, 503]))
            case 1:
                return web.Response(text="<not json", content_type="application/json")
        return web.Response(body=orjson.dumps(self._value(made, 0)), content_type="application/json")

    def _value(self, made: random.Random, depth: int) -> Any:
        kind = made.randrange(8 if depth < 3 else 5)
        if kind >= 5 or depth == 0:
            if depth and made.randrange(3) == 0:
                return [self._value(made, depth + 1) for _ in range(made.randrange(4))]
            return {name: self._value(made, depth + 1) for name in self._names if made.randrange(8)}
        texts = ["", "plain", "Größe ✓", "2026-01-02", "a\nb", "<b>", '"']
        return [
            made.choice(texts),
            made.randrange(-(2**40), 2**40),
            round(made.random(), 6),
            made.random() < 0.5,
            None,
        ][kind]


@asynccontextmanager
async def serving(file: Path, folder: Path, exposers: Mapping[str, Any]) -> AsyncIterator[SameOperations]:
    """Serve the operations of a capability by every exposer, with the recording API in the place of its own."""
    copied = folder / "capabilities"
    shutil.copytree(CAPABILITIES, copied, dirs_exist_ok=True)
    # YAML 1.2: `on` is a key.
    document: Any = copy.deepcopy(Source.read(file).data)
    environment = environment_of(CAPABILITIES)
    host = Host(file, settings=Settings(environment=environment))
    namespaces = [consumer.config.namespace for plan in host.plans for consumer in plan.consumers]
    operations = list(exposed(document, host).values())
    document["capability"]["exposes"] = [make(operations) for make in exposers.values()]
    path = copied / file.name
    text = yaml.safe_dump(document)
    path.write_text(text)
    responses = Responses(names_in(text))
    async with serving_api() as api:
        api.reply = responses.reply
        plugins = Plugins.installed()
        plugins.register("refusing", Refusing())
        async with running(
            path, plugins=plugins, base_uris=dict.fromkeys(namespaces, api.url), environment=environment
        ) as served:
            compiled = {operation.name: operation for operation in exposer_of(served, "rest").operations.values()}
            yield SameOperations(served, api, compiled)


def environment_of(folder: Path) -> dict[str, str]:
    """Return a value for every name of a variable in the files of a folder."""
    texts = [file.read_text() for file in folder.rglob("*.yaml")]
    return {name: f"value-of-{name}" for text in texts for name in re.findall(r"\b[A-Z][A-Z0-9_]{3,}\b", text)}
