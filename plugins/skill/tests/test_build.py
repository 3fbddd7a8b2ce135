"""Tests of the catalog, usage and errors of skills; tests/compiler/bad has invalid documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, Plugins, ProblemsError, Settings
from adapter_host.testing import FakeConsumer, FakePlugin

from .conftest import Document

TOOL = {"name": "find", "description": "Finds", "from": {"sourceNamespace": "tools", "action": "find"}}


def build_host(document: dict[str, Any], **settings: Any) -> Host:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    assert plugins.consumers["fake"] is FakeConsumer
    return Host(document, plugins=plugins, settings=Settings(environment={"KEY": "x"}, **settings))


def test_catalog(document: Document, folder: Path) -> None:
    skill = {"name": "sowing", "description": "Plans", "location": folder.as_uri(), "tools": [TOOL]}
    status = build_host(document(skill)).status()[0]
    (entry,) = status.exposer.catalog()
    assert (entry.title, entry.operation) == ("skill sowing", None)
    assert entry.details == {
        "description": "Plans",
        "location": folder.as_uri(),
        "tools": {"find": "tools.find"},
    }


@pytest.mark.parametrize(
    ("authentication", "line"),
    [
        (None, "curl http://h/x/skills"),
        ({"type": "bearer", "token": "{{KEY}}"}, "curl http://h/x/skills -H 'Authorization: Bearer ...'"),
        ({"type": "apikey", "key": "X-Key", "value": "{{KEY}}"}, "curl http://h/x/skills -H 'X-Key: ...'"),
        (
            {"type": "apikey", "key": "k", "value": "{{KEY}}", "placement": "query"},
            "curl 'http://h/x/skills?k=...'",
        ),
        ({"type": "basic", "username": "a", "password": "{{KEY}}"}, "curl http://h/x/skills -u USER:PASSWORD"),
    ],
)
def test_usage(document: Document, authentication: Any, line: str) -> None:
    keys = {"authentication": authentication} if authentication else {}
    status = build_host(document({"name": "a", "description": "A"}, **keys)).status()[0]
    assert status.exposer.usage("http://h/x/") == line


def test_tool_needs_a_description(document: Document, snapshot: SnapshotAssertion) -> None:
    source = {"from": {"sourceNamespace": "tools", "action": "find"}}
    declared = document({"name": "a", "description": "A", "tools": [source]})
    declared["capability"]["exposes"][1]["tools"][0].pop("description", None)
    with pytest.raises(ProblemsError) as caught:
        build_host(declared)
    assert [(problem.code, problem.message) for problem in caught.value.problems if not problem.warning] == snapshot


def test_location_must_be_a_folder(document: Document, folder: Path, snapshot: SnapshotAssertion) -> None:
    skill = {"name": "a", "description": "A", "location": (folder / "SKILL.md").as_uri()}
    with pytest.raises(ProblemsError) as caught:
        build_host(document(skill))
    (problem,) = caught.value.problems
    assert problem.message.replace(folder.as_uri(), "") == snapshot


@pytest.mark.parametrize("path", ["../outside.md", "/etc/passwd", ".env", "out.md", "references", "Beds.md"])
def test_missing_instruction_file(document: Document, folder: Path, path: str, snapshot: SnapshotAssertion) -> None:
    tool = {"name": "plan", "description": "Plans", "instruction": path}
    skill = {"name": "a", "description": "A", "location": folder.as_uri(), "tools": [tool]}
    with pytest.raises(ProblemsError) as caught:
        build_host(document(skill))
    (problem,) = caught.value.problems
    assert problem.code == "missing-file"
    assert problem.message == snapshot


def test_skip_invalid_tools(document: Document, snapshot: SnapshotAssertion) -> None:
    wrong = {**TOOL, "name": "other", "from": {"sourceNamespace": "tools", "action": "fnd"}}
    host = build_host(document({"name": "a", "description": "A", "tools": [TOOL, wrong]}), skip_invalid=True)
    (warning,) = host.warnings
    assert warning.code == "unknown-action"
    assert warning.message == snapshot
