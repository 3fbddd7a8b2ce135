"""Skill exposers."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapter_host import Host, ProblemsError, Settings, StartError

from .conftest import Convert, Inspect, Serve
from .served import parsed

GREET = parsed("{name: greet, description: Greets, outputParameters: [{name: text, type: string, value: Hello}]}")
PLAIN = "{name: plain, description: Says what it is}"


def skills(*texts: str, **keys: Any) -> dict[str, Any]:
    """Return a document that exposes skills, each as YAML, and a tool."""
    agents = {"type": "mcp", "namespace": "agents", "port": 0, "tools": [GREET]}
    exposer = {"type": "skill", "namespace": "web", "port": 0, **keys, "skills": [parsed(text) for text in texts]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [agents, exposer]}}


@pytest.mark.shows("ExposesSkill", "type", "namespace", "skills", "authentication")
async def test_catalog(serve: Serve) -> None:
    async with serve(skills(PLAIN, PLAIN.replace("plain", "other"))) as served:
        catalog = (await served.rest("GET /skills")).data
        assert [item["name"] for item in catalog["skills"]] == ["plain", "other"]
    barred = {"type": "bearer", "token": "let-me-in"}
    async with serve(skills(PLAIN, namespace="closed", authentication=barred)) as served:
        assert (await served.rest("GET /skills", of="closed")).status == 401
        allowed = {"Authorization": "Bearer let-me-in"}
        assert (await served.rest("GET /skills", of="closed", headers=allowed)).status == 200


@pytest.mark.shows("ExposesSkill", "port", "address")
async def test_port_and_address(convert: Convert) -> None:
    with socket.socket() as used_port:
        used_port.bind(("127.0.0.1", 0))
        used_port.listen()
        port = used_port.getsockname()[1]
        with pytest.raises(StartError, match=str(port)):
            async with Host(convert(skills(PLAIN, port=port)), settings=Settings(environment={})):
                pass
    async with Host(convert(skills(PLAIN, address="127.0.0.2")), settings=Settings(environment={})) as served:
        url = served.status()[1].url
        assert url is not None
        assert url.startswith("http://127.0.0.2:")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/skills") as response:
            assert response.status == 200


@pytest.mark.shows("ExposesSkill", "description")
def test_inspect_shows_skills(inspect: Inspect) -> None:
    inspected = inspect(skills(PLAIN, description="For gardeners"))["exposers"]
    assert ["description" in item for item in inspected] == [False, True]
    assert inspected[1]["description"] == "For gardeners"


@pytest.mark.shows("ExposedSkill", "name", "description", "license", "compatibility", "metadata", "allowed-tools")
@pytest.mark.shows("ExposedSkill", "argument-hint", "user-invocable", "disable-model-invocation")
async def test_skill_file(serve: Serve) -> None:
    full = parsed("""
      name: sowing
      description: Plans
      license: CC0-1.0
      compatibility: Any agent
      metadata: {author: Ann}
      allowed-tools: find read
      argument-hint: '[month]'
      user-invocable: false
      disable-model-invocation: true
    """)
    document = skills(PLAIN)
    document["capability"]["exposes"][1]["skills"].append(full)
    async with serve(document) as served:
        assert (await served.rest("GET /skills/sowing")).data == {**full, "tools": []}
        assert (await served.rest("GET /skills/plain")).data == {
            "name": "plain",
            "description": "Says what it is",
            "user-invocable": True,
            "disable-model-invocation": False,
            "tools": [],
        }


@pytest.mark.shows("ExposedSkill", "location", "tools")
@pytest.mark.shows("SkillTool", "name", "description", "from", "from.sourceNamespace", "from.action", "instruction")
async def test_tools_and_files(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "sowing").mkdir()
    (tmp_path / "sowing/plan.md").write_text("Plan well.")
    tools = """
      name: sowing
      description: Plans
      location: file:///./sowing
      tools:
        - {name: say, description: Says hello, from: {sourceNamespace: agents, action: greet}}
        - {name: plan, description: Plans a bed, instruction: plan.md}
    """
    async with serve(skills(tools, PLAIN), folder=tmp_path) as served:
        say, plan = (await served.rest("GET /skills/sowing")).data["tools"]
        assert (say["name"], say["description"], say["type"]) == ("say", "Says hello", "derived")
        assert say["invocationRef"] == {"targetNamespace": "agents", "action": "greet", "mode": "mcp"}
        assert plan == {"name": "plan", "description": "Plans a bed", "type": "instruction", "instruction": "plan.md"}
        assert (await served.rest("GET /skills/sowing/contents/plan.md")).text == "Plan well."
        assert (await served.rest("GET /skills/plain/contents")).status == 404
    for wrong in (("agents", "nowhere"), ("action: greet", "action: nothing"), ("plan.md", "nothing.md")):
        with pytest.raises(ProblemsError, match=wrong[1].rpartition(" ")[2]):
            async with serve(skills(tools.replace(*wrong)), folder=tmp_path):
                pass
