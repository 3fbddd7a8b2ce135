"""`--skip-invalid` leaves out the smallest part that contains an error, and lists it once."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from adapter_host import Host, ProblemsError, Settings
from adapter_host.cli import main
from adapter_host.testing import running

DOCUMENT: dict[str, Any] = {
    "naftiko": "1.0.0-alpha2",
    "info": {"label": "Shop"},
    "capability": {
        "consumes": [
            {
                "type": "http",
                "namespace": "shop",
                "baseUri": "https://shop.example.com",
                "resources": [
                    {"name": "good", "path": "/good", "operations": [{"name": "read", "method": "GET"}]},
                    {"name": "bad", "path": "/bad", "operations": [{"name": "list", "method": "GET"}]},
                ],
            }
        ],
        "exposes": [
            {
                "type": "rest",
                "namespace": "shop-rest",
                "port": 0,
                "resources": [
                    {"path": "/good", "operations": [{"method": "GET", "call": "shop.read"}]},
                    {"path": "/bad", "operations": [{"method": "GET", "call": "shop.list"}]},
                ],
            },
            {
                "type": "mcp",
                "namespace": "shop-mcp",
                "port": 0,
                "tools": [
                    {"name": "good", "description": "Good", "call": "shop.read"},
                    {"name": "bad", "description": "Bad", "call": "shop.list"},
                ],
            },
            {
                "type": "skill",
                "namespace": "shop-skill",
                "port": 0,
                "skills": [{"name": "good", "description": "Good"}, {"name": "bad", "description": "Bad"}],
            },
        ],
    },
}

REST, TOOLS, SKILLS = ["GET /good", "GET /bad"], ["good", "bad"], ["skill good", "skill bad"]

Change = Callable[[dict[str, Any]], object]


def consumed(capability: Any) -> Any:
    """Return the second consumed operation."""
    return capability["consumes"][0]["resources"][1]["operations"][0]


def route(capability: Any) -> Any:
    """Return the second REST operation."""
    return capability["exposes"][0]["resources"][1]["operations"][0]


def changed(change: Change) -> dict[str, Any]:
    """Return the document with a change to its capability."""
    document = deepcopy(DOCUMENT)
    change(document["capability"])
    return document


def catalog(host: Host) -> dict[str, list[str]]:
    """Return the titles of everything that is served, by namespace."""
    exposers = [plan.exposer for capability in host.plans for plan in capability.exposers]
    return {exposer.config.namespace: [entry.title for entry in exposer.catalog()] for exposer in exposers}


def load(*documents: Any, **settings: Any) -> Host:
    settings.setdefault("environment", {})
    return Host(*documents, settings=Settings(skip_invalid=True, **settings))


@pytest.mark.parametrize(
    ("change", "rest", "tools", "skills"),
    [
        pytest.param(lambda c: consumed(c).update(method="FETCH"), REST[:1], TOOLS[:1], SKILLS, id="method"),
        pytest.param(lambda c: consumed(c).pop("method"), REST[:1], TOOLS[:1], SKILLS, id="no method"),
        pytest.param(lambda c: consumed(c).update(outputRawFormat="word"), REST[:1], TOOLS[:1], SKILLS, id="format"),
        pytest.param(lambda c: consumed(c).update(path="/a/../b"), REST[:1], TOOLS[:1], SKILLS, id="path"),
        pytest.param(
            lambda c: consumed(c).update(inputParameters=[{"name": "a b", "in": "header"}]),
            REST[:1], TOOLS[:1], SKILLS, id="header",
        ),
        pytest.param(
            lambda c: consumed(c).update(body={"type": "nonsense", "data": {}}), REST[:1], TOOLS[:1], SKILLS, id="body"
        ),
        pytest.param(lambda c: c["consumes"][0].update(baseUri="ftp://x"), [], [], SKILLS, id="base URL"),
        pytest.param(lambda c: c["consumes"][0].update(type="smtp"), [], [], SKILLS, id="consumer type"),
        pytest.param(
            lambda c: c["consumes"][0].update(authentication={"type": "bearer", "token": "{{TOKEN}}"}),
            [], [], SKILLS, id="secret",
        ),
        pytest.param(lambda c: route(c).update(method="FETCH"), REST[:1], TOOLS, SKILLS, id="exposed method"),
        pytest.param(lambda c: route(c).update(call="shop.none"), REST[:1], TOOLS, SKILLS, id="call"),
        pytest.param(
            lambda c: c["exposes"][0]["resources"][1].update(path="/{"), REST[:1], TOOLS, SKILLS, id="exposed path"
        ),
        pytest.param(
            lambda c: (
                c.update(aggregates=[{"namespace": "a", "functions": [{"name": "f", "call": "shop.read"}] * 2}]),
                route(c).pop("call"),
                route(c).update(ref="a.f"),
            ),
            REST[:1], TOOLS, SKILLS, id="duplicate function",
        ),
        pytest.param(lambda c: c["exposes"][0].pop("port"), None, TOOLS, SKILLS, id="REST without port"),
        pytest.param(lambda c: c["exposes"][1].pop("port"), REST, None, SKILLS, id="MCP without port"),
        pytest.param(lambda c: c["exposes"][1]["tools"][1].update({"with": []}), REST, TOOLS[:1], SKILLS, id="tool"),
        pytest.param(lambda c: c["exposes"][2].update(type="talent"), REST, TOOLS, None, id="exposer type"),
        pytest.param(lambda c: c["exposes"].insert(0, "rest"), REST, TOOLS, SKILLS, id="no mapping"),
        pytest.param(lambda c: c["exposes"].append(c["exposes"][0]), REST, TOOLS, SKILLS, id="namespace"),
        pytest.param(
            lambda c: c["exposes"].append({"import": "a", "location": "./none.yaml"}), REST, TOOLS, SKILLS, id="import"
        ),
        pytest.param(
            lambda c: c["exposes"][2]["skills"][1].pop("description"), REST, TOOLS, SKILLS[:1], id="no description"
        ),
        pytest.param(
            lambda c: c["exposes"][2]["skills"][1].update(name="a b"), REST, TOOLS, SKILLS[:1], id="skill name"
        ),
        pytest.param(
            lambda c: c["exposes"].append(
                {"type": "control", "address": "0.0.0.0", "port": 1, "management": {"reload": True}}
            ),
            REST, TOOLS, SKILLS, id="open control",
        ),
    ],
)  # fmt: skip
def test_invalid_part_is_left_out(
    change: Change, rest: list[str] | None, tools: list[str] | None, skills: list[str] | None
) -> None:
    host = load(changed(change))
    kept = {"shop-rest": rest, "shop-mcp": tools, "shop-skill": skills}
    assert catalog(host) == {namespace: titles for namespace, titles in kept.items() if titles is not None}
    messages = [problem.message for problem in host.warnings if "skipped" in problem.message]
    assert messages
    assert len(set(messages)) == len(messages)
    with pytest.raises(ProblemsError):
        Host(changed(change), settings=Settings(environment={})).require_secrets()


async def test_host_serves_the_valid_operations() -> None:
    async with running(changed(lambda c: consumed(c).update(method="FETCH")), skip_invalid=True, mock=True) as served:
        url = served.url("shop-rest").rstrip("/")
        async with aiohttp.ClientSession() as session:
            statuses = [(await session.get(url + path)).status for path in ("/good", "/bad")]
    assert statuses == [200, 404]


@pytest.mark.parametrize("invalid", [{"method": "FETCH"}, {"method": "POST", "outputRawFormat": "word"}])
def test_call_of_an_invalid_operation_reaches_no_other_one(invalid: dict[str, str]) -> None:
    def change(capability: Any) -> None:
        resources = capability["consumes"][0]["resources"]
        resources[0]["operations"].append({"name": "post", "method": "POST", "description": "Adds a good one"})
        resources[1]["operations"].append({"name": "post", "description": "Adds a bad one", **invalid})
        for exposed, word in zip(capability["exposes"][0]["resources"], ("good", "bad"), strict=True):
            exposed["operations"].append({"method": "POST", "call": "shop.post", "description": f"Adds a {word} one"})

    host = load(changed(change))
    assert catalog(host)["shop-rest"] == ["GET /good", "POST /good", "GET /bad"]
    (skipped,) = [problem.message for problem in host.warnings if "'shop.post'" in problem.message]
    assert skipped.endswith("'shop.post' cannot be called: it is invalid")


def test_positions_are_those_of_the_document(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(
        yaml.safe_dump(
            changed(lambda c: (c["exposes"].insert(0, "rest"), c["exposes"][2]["tools"][1].update(call="shop.none"))),
            sort_keys=False,
        )
    )
    host = load(tmp_path / "shop.yaml")
    text = (tmp_path / "shop.yaml").read_text().splitlines()
    lines = [text[problem.line - 1].strip() for problem in host.warnings]
    assert lines == ["- rest", "call: shop.none"]


def test_invalid_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("naftiko: [")
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(DOCUMENT))
    other = changed(lambda c: c["exposes"].pop(2))
    for exposer in other["capability"]["exposes"]:
        exposer["port"] = 8080
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(other))
    (tmp_path / "d.yaml").write_text(yaml.safe_dump(other))
    host = load(tmp_path)
    assert [len(plan.exposers) for plan in host.plans] == [3, 2, 0]
    skipped = [(Path(problem.file).name, problem.code) for problem in host.warnings]
    assert skipped == [("a.yaml", "syntax"), ("d.yaml", "namespace-clash"), ("d.yaml", "namespace-clash")]


def test_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("naftiko: [")
    with pytest.raises(ProblemsError) as raised:
        load(tmp_path)
    assert [problem.warning for problem in raised.value.problems] == [False]


def test_invalid_bind_leaves_out_the_file() -> None:
    """Its variables would be those of the environment."""
    document = {**DOCUMENT, "binds": [{"namespace": "vault", "location": "vault://x", "keys": {"TOKEN": "t"}}]}
    with pytest.raises(ProblemsError, match="vault"):
        load(document, environment={"TOKEN": "wrong"})


def test_inspect_lists_what_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(changed(lambda c: route(c).update(call="shop.none"))))
    assert main(["inspect", "--skip-invalid", str(tmp_path / "shop.yaml")]) == 0
    out = capsys.readouterr().out
    assert out.count("skipped: unknown operation 'shop.none'") == 1
    assert "GET /good" in out
    assert "GET /bad" not in out
