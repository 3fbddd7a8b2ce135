"""Questions for tools: descriptions of an OpenAPI document, reworded by rules, for tools that were described apart.

The tools are those of published files with descriptions of their own, from the summaries of the same API: the questions
are made of its longer descriptions, which the index does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from adapter_host_mcp.features.tools import Tool
from tests.support.paths import SHARED

FILES: Final = SHARED / "corpus" / "netbird" / "2a6d482"
LARGEST: Final = SHARED / "corpus" / "gitea" / "3e34f31" / "rest-repository.yaml"
OPENAPI: Final = SHARED / "openapi" / "netbird.yaml"

_METHODS: Final = ("get", "put", "post", "delete", "patch")

_PHRASES: Final = (
    (r"`[^`]*`", ""),
    (r"\bby its id\b", "when I know its identifier"),
    (r"\bspecific\b", "particular"),
    (r"\b(?:an )?existing\b", "the"),
    (r"\bfor the authenticated account\b", "of ours"),
    (r"\binformation about\b", "the details of"),
    (r"\breturns? (?:a )?list of\b", "list"),
    (r"\bthis method\b", ""),
)

_WORDINGS: Final[Sequence[Mapping[str, str]]] = (
    {
        "list": "show", "returns": "display", "return": "display", "get": "look up", "gets": "look up",
        "retrieve": "find", "retrieves": "find", "create": "add", "creates": "add", "delete": "remove",
        "deletes": "remove", "update": "change", "updates": "change", "updates/replace": "change",
        "triggers": "starts", "user": "person", "users": "people", "configuration": "settings",
    },
    {
        "list": "enumerate", "returns": "give me", "return": "give me", "get": "fetch", "gets": "fetch",
        "retrieve": "read", "retrieves": "read", "create": "set up", "creates": "set up", "delete": "get rid of",
        "deletes": "get rid of", "update": "edit", "updates": "edit", "triggers": "runs",
    },
)  # fmt: skip

_FRAMES: Final = ("I need to {}", "How can we {}?")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the names of the tools that are right."""

    text: str
    tools: frozenset[str]


def merged_document(**keys: Any) -> dict[str, Any]:
    """Return one document with the tools of all the files; its exposer has further `keys`."""
    return _merge(sorted(FILES.glob("*.yaml")), keys)


def largest_document(**keys: Any) -> dict[str, Any]:
    """Return the published document with the most tools; its exposer has further `keys`."""
    return _merge([LARGEST], keys)


def _merge(files: Sequence[Path], keys: Mapping[str, Any]) -> dict[str, Any]:
    documents = [yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader) for file in files]
    sections = [document["capability"] for document in documents]
    # Without credentials: nothing is called.
    consumed = [
        {key: value for key, value in api.items() if key != "authentication"}
        for section in sections
        for api in section["consumes"]
    ]
    tools = [
        tool
        for section in sections
        for exposer in section["exposes"]
        if exposer["type"] == "mcp"
        for tool in exposer["tools"]
    ]
    exposer = {"type": "mcp", "namespace": "all", "port": 0, "tools": tools, **keys}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "All"},
        "capability": {"consumes": consumed, "exposes": [exposer]},
    }


def routes(tools: Mapping[str, Tool]) -> dict[str, tuple[str, str]]:
    """Return the method and the path of each tool, by name."""
    upstreams = {name: tool.operation.upstream[0] for name, tool in tools.items()}
    return {name: (each.method or "", each.path or "") for name, each in upstreams.items()}


def questions(routes: Mapping[str, tuple[str, str]]) -> list[Question]:
    """Return the questions for tools whose method and path are in `routes`, by name."""
    names: dict[tuple[str, str], set[str]] = {}
    for name, (method, path) in routes.items():
        names.setdefault((method, _route(path)), set()).add(name)
    asked: dict[str, frozenset[str]] = {}
    for key, description in _descriptions():
        if key in names:
            for text in _reworded(description):
                # Operations with equal descriptions are all right.
                asked[text] = asked.get(text, frozenset()) | names[key]
    return [Question(text, tools) for text, tools in asked.items()]


def _descriptions() -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the route and the description of each operation that has one other than its summary."""
    document = yaml.load(OPENAPI.read_bytes(), Loader=yaml.CSafeLoader)
    for path, item in document["paths"].items():
        for method in _METHODS:
            description = item.get(method, {}).get("description")
            if description and _letters(description) != _letters(item[method].get("summary", "")):
                yield (method.upper(), _route(path)), description


def _reworded(description: str) -> Iterator[str]:
    sentence = re.split(r"(?<=[.!?])\s", description.strip().lower())[0].rstrip(".")
    for pattern, replacement in _PHRASES:
        sentence = re.sub(pattern, replacement, sentence)
    for wording, frame in zip(_WORDINGS, _FRAMES, strict=True):
        words = [wording.get(word, word) for word in sentence.split()]
        yield frame.format(" ".join(words))


def _route(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path.rstrip("/"))


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())
