"""Scripts in a temporary folder, as steps of operations that are served over REST and MCP."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mcp import Client
from mcp_types import TextContent

import adapter_host_mcp
import adapter_host_rest
import adapter_host_scripting
from adapter_host import Exposer, ExposerConfig, Plugins, RegisterExposer, hookimpl
from adapter_host.testing import FakePlugin, Running, running

SUFFIX = {"javascript": "js", "python": "py"}

Write = Callable[..., dict[str, Any]]
Serve = Callable[..., AbstractAsyncContextManager[Running]]


class ControlConfig(ExposerConfig):
    """The part of the model that the tests need."""

    management: dict[str, Any]


class Control(Exposer[ControlConfig]):
    """A control exposer that only has settings of scripts."""

    config_class = ControlConfig


class ControlPlugin:
    """Registers `type: control`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("control", Control)


@pytest.fixture
def script_plugins() -> Plugins:
    return Plugins(
        {
            "rest": adapter_host_rest,
            "mcp": adapter_host_mcp,
            "scripting": adapter_host_scripting,
            "control": ControlPlugin(),
            "fake": FakePlugin(),
        }
    )


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a script, and return the step that runs it."""

    def write(text: str, language: str = "javascript", name: str = "main", **keys: Any) -> dict[str, Any]:
        folder = tmp_path / "scripts"
        folder.mkdir(exist_ok=True)
        file = f"{name}.{SUFFIX.get(language, language)}"
        (folder / file).write_text(text)
        step = {"type": "script", "name": name, "language": language, "location": folder.as_uri(), "file": file}
        return {key: value for key, value in {**step, **keys}.items() if value is not None}

    return write


@pytest.fixture
def serve(script_plugins: Plugins) -> Serve:
    """Serve steps as one operation with the inputs `a` and `b`, over REST at `/run` and over MCP as the tool `run`."""

    def serve(*steps: dict[str, Any], scripting: dict[str, Any] | None = None, **settings: Any) -> Any:
        return running(build_document(*steps, scripting=scripting), plugins=script_plugins, **settings)

    return serve


@pytest.fixture
def serve_each(script_plugins: Plugins) -> Serve:
    """Serve each script as a separate tool; `scripting` applies to all of them."""

    def serve_each(steps: dict[str, dict[str, Any]], scripting: dict[str, Any] | None = None, **settings: Any) -> Any:
        document = build_document(next(iter(steps.values())), scripting=scripting)
        exposes = document["capability"]["exposes"]
        tools = [{"name": name, "description": name, "steps": [step]} for name, step in steps.items()]
        exposes[:2] = [{"type": "mcp", "namespace": "tools", "port": 0, "tools": tools}]
        return running(document, plugins=script_plugins, **settings)

    return serve_each


def build_document(*steps: dict[str, Any], scripting: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the document to serve."""
    inputs = [{"name": name, "type": "string", "required": False, "description": name} for name in ("a", "b")]
    operation = {"name": "run", "description": "Runs it", "steps": list(steps)}
    queried = [{**values, "in": "query"} for values in inputs]
    exposes: list[dict[str, Any]] = [
        {
            "type": "rest",
            "namespace": "front",
            "port": 0,
            "resources": [{"path": "/run", "operations": [{**operation, "method": "GET", "inputParameters": queried}]}],
        },
        {"type": "mcp", "namespace": "tools", "port": 0, "tools": [{**operation, "inputParameters": inputs}]},
    ]
    if scripting is not None:
        exposes.append({"type": "control", "namespace": "control", "management": {"scripting": scripting}})
    consumed = [{"name": "read"}, {"name": "write", "inputParameters": [{"name": "total", "in": "body"}]}]
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [{"type": "fake", "namespace": "up", "operations": consumed}],
            "exposes": exposes,
        },
    }


async def get(served: Running, **query: str) -> tuple[int, Any]:
    """Run the steps over REST."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{served.url('front')}/run", params=query) as response,
    ):
        text = await response.read()
        return response.status, json.loads(text) if text else None


async def call(served: Running, **arguments: Any) -> tuple[bool, str]:
    """Run the steps over MCP."""
    async with Client(served.url("tools")) as client:
        result = await client.call_tool("run", arguments)
    (content,) = result.content
    assert isinstance(content, TextContent)
    return result.is_error, content.text
