"""What the catalogue tells of skills, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from adapter_host.testing import running

from .conftest import Document, Serve

FIND = {"name": "find", "description": "Finds", "from": {"sourceNamespace": "tools", "action": "find"}}
READ = {"name": "read", "description": "Reads", "from": {"sourceNamespace": "api", "action": "read"}}
PLAN = {"name": "plan", "description": "Plans", "instruction": "references/beds.md"}
PLAIN = {"name": "plain", "description": "Says what it is"}


async def test_the_list(serve: Serve) -> None:
    licensed = {"name": "both", "description": "Both kinds", "license": "MIT", "tools": [FIND, READ]}
    async with serve(licensed, PLAIN) as ask:
        answer = await ask("/skills")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.data == {
        "count": 2,
        "skills": [
            {"name": "both", "description": "Both kinds", "license": "MIT", "tools": ["find", "read"]},
            {"name": "plain", "description": "Says what it is", "tools": []},
        ],
    }


async def test_all_of_a_skill(serve: Serve, folder: Path) -> None:
    skill = {
        "name": "sowing",
        "description": "Plans",
        "license": "CC0-1.0",
        "compatibility": "Any agent",
        "metadata": {"author": "me", "edition": 2},
        "allowed-tools": "find read",
        "argument-hint": "[month]",
        "user-invocable": False,
        "disable-model-invocation": True,
        "location": folder.as_uri(),
        "tools": [FIND, READ, PLAN],
    }
    async with serve(skill) as ask:
        told = (await ask("/skills/sowing")).data
    tools = told.pop("tools")
    declared = {key: value for key, value in skill.items() if key not in ("tools", "location")}
    assert told == {**declared, "metadata": {"author": "me", "edition": "2"}}
    assert tools == [
        {
            "name": "find",
            "description": "Finds",
            "type": "derived",
            "invocationRef": {"targetNamespace": "tools", "action": "find", "mode": "mcp"},
        },
        {
            "name": "read",
            "description": "Reads",
            "type": "derived",
            "invocationRef": {"targetNamespace": "api", "action": "read", "mode": "rest"},
        },
        {"name": "plan", "description": "Plans", "type": "instruction", "instruction": "references/beds.md"},
    ]


async def test_what_is_not_declared_is_not_told(serve: Serve) -> None:
    async with serve(PLAIN) as ask:
        assert (await ask("/skills/plain")).data == {
            "name": "plain",
            "description": "Says what it is",
            "user-invocable": True,
            "disable-model-invocation": False,
            "tools": [],
        }


@pytest.mark.parametrize("source", [("tools", "search"), ("api", "read"), ("api", "search")])
async def test_an_action_is_named_as_callers_know_it(serve: Serve, source: tuple[str, str]) -> None:
    namespace, action = source
    skill = {**PLAIN, "tools": [{**FIND, "from": {"sourceNamespace": namespace, "action": action}}]}
    async with serve(skill) as ask:
        (tool,) = (await ask("/skills/plain")).data["tools"]
    assert tool["invocationRef"]["action"] == action


@pytest.mark.parametrize("path", ["/skills", "/skills/plain", "/skills/sowing/contents", "/skills/sowing/download"])
async def test_who_has_it_already_is_not_sent_it(serve: Serve, folder: Path, path: str) -> None:
    async with serve(PLAIN, {**PLAIN, "name": "sowing", "location": folder.as_uri()}) as ask:
        first = await ask(path)
        tag = first.headers["ETag"]
        for held in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = await ask(path, headers={"If-None-Match": held})
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert (await ask(path, headers={"If-None-Match": '"other"'})).body == first.body


async def test_head_is_get_without_its_body(serve: Serve, folder: Path) -> None:
    async with serve({**PLAIN, "location": folder.as_uri()}) as ask:
        for path in ("/skills", "/skills/plain/contents/SKILL.md", "/skills/plain/download"):
            got, asked = await ask(path), await ask(path, "HEAD")
            assert (asked.status, asked.body) == (200, b"")
            for name in ("Content-Length", "Content-Type", "ETag"):
                assert asked.headers[name] == got.headers[name]


async def test_a_slash_too_many_is_forgiven(serve: Serve, folder: Path) -> None:
    async with serve({**PLAIN, "location": folder.as_uri()}) as ask:
        for path in ("/skills", "/skills/plain", "/skills/plain/contents", "/skills/plain/download"):
            assert (await ask(f"{path}/")).body == (await ask(path)).body


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/", "there is nothing at this path"),
        ("/skills/other", "there is no such skill"),
        ("/skills/other/contents", "there is no such skill"),
        ("/skills/other/contents/SKILL.md", "there is no such skill"),
        ("/skills/other/download", "there is no such skill"),
        ("/skills/plain/contents", "the skill has no files"),
        ("/skills/plain/contents/SKILL.md", "the skill has no files"),
        ("/skills/plain/download", "the skill has no files"),
        ("/skills/plain/other", "there is nothing at this path"),
        ("/skills/%ff", "there is no such skill"),
    ],
)
async def test_what_there_is_not(serve: Serve, path: str, detail: str) -> None:
    async with serve(PLAIN) as ask:
        answer = await ask(path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.data["status"], answer.data["detail"]) == (404, detail)


@pytest.mark.parametrize("path", ["/skills", "/skills/plain", "/skills/plain/download", "/skills/plain/contents/a"])
async def test_other_methods(serve: Serve, path: str) -> None:
    async with serve(PLAIN) as ask:
        for method in ("POST", "PUT", "DELETE"):
            answer = await ask(path, method)
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
            assert answer.data["detail"] == f"{method} is not allowed here (allowed: GET, HEAD, OPTIONS)"
        answer = await ask(path, "OPTIONS")
        assert (answer.status, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_callers_say_who_they_are(serve: Serve) -> None:
    token, settings = {"type": "bearer", "token": "{{TOKEN}}"}, {"environment": {"TOKEN": "a-secret"}}
    async with serve(PLAIN, settings=settings, authentication=token) as ask:
        for path in ("/skills", "/skills/plain/download"):
            assert (await ask(path)).status == 401
        assert (await ask("/skills", headers={"Authorization": "Bearer a-secret"})).status == 200


async def test_two_exposers_on_one_port(document: Document) -> None:
    both: Any = document(PLAIN)
    exposed = both["capability"]["exposes"]
    exposed.append({**exposed[0], "namespace": "other", "skills": [{**PLAIN, "name": "second"}]})
    async with running(both) as host, ClientSession() as session:
        for namespace, name in (("catalogue", "plain"), ("other", "second")):
            async with session.get(f"{host.url(namespace)}/skills/{name}") as response:
                assert (await response.json())["name"] == name


async def test_it_starts_again(document: Document) -> None:
    async with running(document(PLAIN)) as served, ClientSession() as session:
        for _ in range(2):
            async with session.get(f"{served.url('catalogue')}/skills") as response:
                assert response.status == 200
            await served.host.stop()
            await served.host.start()


async def test_an_idle_connection_does_not_hold_up_the_stop(serve: Serve) -> None:
    async with serve(PLAIN) as ask:
        assert (await ask("/skills")).status == 200
        await ask.host.drain()
        await ask.host.stop()
        assert {status.url for status in ask.host.status()} == {None}
