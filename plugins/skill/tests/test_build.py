"""What `serve`, `inspect` and a build say of skills; wrong documents are in tests/bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, Plugins, ProblemsError, Settings
from adapter_host.testing import FakeConsumer, FakePlugin

from .conftest import Document

TOOL = {"name": "find", "description": "Finds", "from": {"sourceNamespace": "tools", "action": "find"}}


def built(document: dict[str, Any], **settings: Any) -> Host:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    assert plugins.consumers["fake"] is FakeConsumer
    return Host(document, plugins=plugins, settings=Settings(environment={"KEY": "x"}, **settings))


def test_what_is_offered(document: Document, folder: Path) -> None:
    skill = {"name": "sowing", "description": "Plans", "location": folder.as_uri(), "tools": [TOOL]}
    status = built(document(skill)).status()[0]
    (offer,) = status.exposer.catalog()
    assert (offer.title, offer.operation) == ("skill sowing", None)
    assert offer.details == {
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
def test_how_to_try_it(document: Document, authentication: Any, line: str) -> None:
    keys = {"authentication": authentication} if authentication else {}
    status = built(document({"name": "a", "description": "A"}, **keys)).status()[0]
    assert status.exposer.usage("http://h/x/") == line


def test_a_location_that_is_a_file(document: Document, folder: Path) -> None:
    skill = {"name": "a", "description": "A", "location": (folder / "SKILL.md").as_uri()}
    with pytest.raises(ProblemsError, match="'location' is the folder of the skill's files, and this is a file"):
        built(document(skill))


@pytest.mark.parametrize("path", ["../outside.md", "/etc/passwd", ".env", "out.md", "references", "Beds.md"])
def test_an_instruction_that_is_not_served(document: Document, folder: Path, path: str) -> None:
    tool = {"name": "plan", "description": "Plans", "instruction": path}
    skill = {"name": "a", "description": "A", "location": folder.as_uri(), "tools": [tool]}
    with pytest.raises(ProblemsError, match=f"there is no file '{path}' to serve in the skill's location"):
        built(document(skill))


def test_what_is_wrong_is_left_out(document: Document) -> None:
    wrong = {**TOOL, "name": "other", "from": {"sourceNamespace": "tools", "action": "fnd"}}
    host = built(document({"name": "a", "description": "A", "tools": [TOOL, wrong]}), skip_invalid=True)
    (warning,) = host.warnings
    assert warning.message.startswith("skipped: ")
    assert warning.message.endswith("'tools' has no tool 'fnd'; did you mean 'find'?")
