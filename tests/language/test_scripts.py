"""Script steps: file, language, inputs and governance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter_host import ProblemsError

from .conftest import Serve
from .served import parsed

FILES = {
    "add.js": "result = {sum: context.a + (context.b || 0)}",
    "add.py": "result = {'sum': context['a'] * 100}",
    "three.js": "var three = 3",
    "use.js": "result = typeof three === 'undefined' ? 'without' : three + context.add.sum",
    "spin.js": "while (true) {}",
}


@pytest.fixture
def scripts(tmp_path: Path) -> str:
    """Return the folder of the scripts, as a location."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder.as_uri()


def steps(*operations: list[dict[str, Any]], **governed: Any) -> dict[str, Any]:
    """Return a document whose operations, each a list of steps, are called by `GET /NUMBER`."""
    resources = [
        {"path": f"/{index}", "operations": [{"method": "GET", "name": f"n-{index}", "steps": item}]}
        for index, item in enumerate(operations)
    ]
    rest = {"type": "rest", "namespace": "web", "port": 0, "resources": resources}
    control = parsed("{type: control, port: 0, management: {}}")
    control["management"]["scripting"] = governed
    return {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [rest, *([control] if governed else [])]}}


def script(name: str, file: str, **inputs: Any) -> dict[str, Any]:
    return {"type": "script", "name": name, "file": file, **inputs}


@pytest.mark.shows("OperationStepScript", "type", "name", "file", "language", "location", "dependencies", "with")
async def test_script_inputs(serve: Serve, scripts: str) -> None:
    there = {"location": scripts, "language": "javascript"}
    add = script("add", "add.js", **there, **{"with": {"a": 1, "b": 2}})
    document = steps(
        [add],
        [script("add", "add.js", **there, **{"with": {"a": 1}})],
        [script("add", "add.py", location=scripts, language="python", **{"with": {"a": 1}})],
        [add, script("use", "use.js", **there)],
        [add, script("use", "use.js", **there, dependencies=["three.js"])],
    )
    async with serve(document) as served:
        results = [(await served.rest(f"GET /{number}")).data for number in range(5)]
    assert results == [{"sum": 3}, {"sum": 1}, {"sum": 100}, "without", 6]


@pytest.mark.shows("ControlManagementSpec", "scripting")
@pytest.mark.shows("ScriptingManagementSpec", "defaultLocation", "defaultLanguage", "timeout", "statementLimit")
async def test_scripting_settings(serve: Serve, scripts: str) -> None:
    add = script("add", "add.js", **{"with": {"a": 1}})
    spin = script("spin", "spin.js")
    defaults = {"defaultLocation": scripts, "defaultLanguage": "javascript"}
    async with serve(steps([add], [spin], **defaults, statementLimit=77)) as served:
        assert (await served.rest("GET /0")).data == {"sum": 1}
        assert "statementLimit of 77 exceeded" in (await served.rest("GET /1")).data["detail"]
    async with serve(steps([add], [spin], **defaults, timeout=300, statementLimit=10**9)) as served:
        assert "timeout after 300 ms" in (await served.rest("GET /1")).data["detail"]


@pytest.mark.shows("ScriptingManagementSpec", "enabled", "allowedLanguages")
async def test_scripting_restrictions(serve: Serve, scripts: str) -> None:
    add = script("add", "add.js", location=scripts, language="javascript", **{"with": {"a": 1}})
    async with serve(steps([add], enabled=False)) as served:
        assert (await served.rest("GET /0")).status == 503
    async with serve(steps([add], enabled=True)) as served:
        assert (await served.rest("GET /0")).status == 200
    with pytest.raises(ProblemsError, match="javascript"):
        async with serve(steps([add], allowedLanguages=["python"])):
            pass
