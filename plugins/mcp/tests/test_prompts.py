"""Prompts and completion, with the official client in both protocol generations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client, MCPError
from mcp_types import PromptReference, ResourceTemplateReference
from syrupy.assertion import SnapshotAssertion

import adapter_host_mcp
from adapter_host import Host, Input, Plugins, ProblemsError, Settings
from adapter_host.testing import FakePlugin, running
from adapter_host_mcp.features.completion import choices
from adapter_host_mcp.features.prompts import compile_template

BREW = {
    "name": "brew",
    "label": "Brew",
    "description": "Explains a brew",
    "arguments": [
        {"name": "bean-type", "label": "Bean", "description": "Which bean", "pattern": "^(arabica|robusta|Liberica)$"},
        {"name": "iced", "description": "With ice", "required": False, "type": "boolean"},
        {"name": "note", "description": "Anything", "required": False},
    ],
    "template": [
        {"role": "user", "content": "Brew {{bean-type}}, iced: {{ iced }}. {{note}}"},
        {"role": "assistant", "content": "Gladly: {{bean-type}} {{bean-type}}"},
    ],
}


@pytest.fixture(params=["legacy", "auto"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def document(*prompts: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    exposer = {"type": "mcp", "namespace": "cafe", "port": 0, "prompts": list(prompts), **more}
    operation = {
        "name": "roast",
        "inputParameters": [
            {"name": "level", "in": "path", "pattern": "^(light|dark)$"},
            {"name": "city", "in": "path"},
        ],
    }
    roaster = {"type": "fake", "namespace": "roaster", "operations": [operation]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [roaster], "exposes": [exposer]}}


@asynccontextmanager
async def serve_cafe(
    mode: str, *prompts: Mapping[str, Any], folder: Path | None = None, **more: Any
) -> AsyncIterator[Client]:
    source: Any = document(*prompts, **more)
    if folder is not None:
        file = folder / "cafe.yaml"
        file.write_text(yaml.safe_dump(source))
        source = file
    async with running(source) as served, Client(served.url("cafe"), mode=mode) as client:
        yield client


async def get_messages(client: Client, name: str, arguments: dict[str, str]) -> list[tuple[str, str]]:
    prompt = await client.get_prompt(name, arguments)
    return [(item.role, item.content.model_dump()["text"]) for item in prompt.messages]


async def get_prompt_error(client: Client, name: str, arguments: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(MCPError) as caught:
        await client.get_prompt(name, arguments)
    return caught.value.code, caught.value.message


async def test_list_prompts(mode: str) -> None:
    bare = {"name": "bare", "template": [{"role": "user", "content": "Hi"}]}
    async with serve_cafe(mode, BREW, bare) as client:
        brew, other = (await client.list_prompts()).prompts
    assert brew.model_dump(exclude_none=True) == {
        "name": "brew",
        "title": "Brew",
        "description": "Explains a brew",
        "arguments": [
            {"name": "bean-type", "title": "Bean", "description": "Which bean", "required": True},
            {"name": "iced", "description": "With ice", "required": False},
            {"name": "note", "description": "Anything", "required": False},
        ],
    }
    assert other.model_dump(exclude_none=True) == {"name": "bare"}


async def test_prompt_arguments(mode: str) -> None:
    async with serve_cafe(mode, BREW) as client:
        expected = await get_messages(
            client, "brew", {"bean-type": "arabica", "iced": "true", "note": "{{iced}} {{note}}"}
        )
        description = (await client.get_prompt("brew", {"bean-type": "arabica"})).description
    assert expected == [
        ("user", "Brew arabica, iced: true. {{iced}} {{note}}"),
        ("assistant", "Gladly: arabica arabica"),
    ]
    assert description == "Explains a brew"


async def test_omitted_prompt_argument_is_empty(mode: str) -> None:
    async with serve_cafe(mode, BREW) as client:
        expected = await get_messages(client, "brew", {"bean-type": "arabica"})
    assert expected[0] == ("user", "Brew arabica, iced: . ")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param("brew", {}, id="missing argument"),
        pytest.param("brew", {"bean-type": "arabica", "milk": "oat"}, id="unknown argument"),
        pytest.param("brew", {"bean-type": "tea"}, id="pattern"),
        pytest.param("brew", {"bean-type": "arabica", "iced": "so"}, id="type"),
        pytest.param("bru", {}, id="unknown prompt"),
    ],
)
async def test_invalid_prompt_arguments(
    mode: str, name: str, arguments: dict[str, str], snapshot: SnapshotAssertion
) -> None:
    async with serve_cafe(mode, BREW) as client:
        code, message = await get_prompt_error(client, name, arguments)
    assert code == -32602
    assert message == snapshot


async def test_file_prompt_is_one_user_message(mode: str, tmp_path: Path) -> None:
    (tmp_path / "brew.md").write_text("Brew {{bean}} & {{other}}\n")
    prompt = {"name": "brew", "arguments": [{"name": "bean"}], "location": "file:///./brew.md"}
    async with serve_cafe(mode, prompt, folder=tmp_path) as client:
        assert await get_messages(client, "brew", {"bean": "{{other}}"}) == [("user", "Brew {{other}} & {{other}}\n")]


async def test_missing_prompt_file_is_an_internal_error(
    mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, snapshot: SnapshotAssertion
) -> None:
    prompt = {"name": "brew", "location": "file:///./brew.md"}
    async with serve_cafe(mode, prompt, folder=tmp_path) as client:
        code, message = await get_prompt_error(client, "brew", {})
    assert code == -32603
    assert message == snapshot
    at_start, at_call = [record for record in caplog.records if record.name == "adapter_host.mcp"]
    assert (at_start.levelname, at_call.levelname) == ("WARNING", "ERROR")
    assert [at_start.message, at_call.message] == snapshot(name="log")
    assert "file not found" in caplog.text


def host(*prompts: Mapping[str, Any], **more: Any) -> Host:
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    return Host(document(*prompts, **more), plugins=plugins, settings=Settings(environment={}))


TEMPLATE = [{"role": "user", "content": "Hi {{name}}"}]


@pytest.mark.parametrize(
    ("prompts", "code", "path"),
    [
        ([{"name": "p"}], "modes", "prompts.0"),
        ([{"name": "p", "template": TEMPLATE, "location": "file:///x"}], "modes", "prompts.0"),
        ([{"name": "p", "location": "x"}], "invalid", "prompts.0.location"),
        ([BREW, BREW], "duplicate-prompt", "prompts.1.name"),
        ([{"template": TEMPLATE}], "missing-key", "prompts.0"),
        (
            [{"name": "p", "template": [{"role": "system", "content": "x"}]}],
            "type",
            "prompts.0.template.0.role",
        ),
    ],
    ids=["no content", "template and location", "location", "duplicate", "no name", "role"],
)
def test_invalid_prompts(prompts: list[dict[str, Any]], code: str, path: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        host(*prompts)
    (problem,) = caught.value.problems
    assert (problem.code, problem.message.partition(": ")[0]) == (code, f"capability.exposes.0.{path}")
    assert problem.message == snapshot


def test_warning_for_placeholder_without_argument(snapshot: SnapshotAssertion) -> None:
    (warning,) = host({"name": "p", "template": TEMPLATE}).warnings
    assert warning.code == "unknown-argument"
    assert warning.message == snapshot


def test_catalog_of_prompts() -> None:
    (status,) = host(BREW).status()
    (offer,) = status.exposer.catalog()
    assert offer.title == "prompt brew"
    assert offer.operation is not None
    assert [(item.name, item.required) for item in offer.operation.inputs] == [
        ("bean-type", True),
        ("iced", False),
        ("note", False),
    ]


@given(
    st.dictionaries(st.sampled_from(["a", "b-c", "d.e"]), st.text("{}ab-c", max_size=8)),
    st.text("{} abc-", max_size=20),
)
def test_values_are_not_expanded_again(values: dict[str, str], text: str) -> None:
    marked = {name: f"\0{index}\0" for index, name in enumerate(values)}
    filled = compile_template(text, set(values))(marked)
    for index, value in enumerate(values.values()):
        filled = filled.replace(f"\0{index}\0", value)
    assert compile_template(text, set(values))(values) == filled


ROAST = {"name": "roast", "uri": "roast://{city}/{level}", "call": "roaster.roast"}


@pytest.mark.parametrize(
    ("argument", "prefix", "expected"),
    [
        ("bean-type", "", ["arabica", "robusta", "Liberica"]),
        ("bean-type", "l", ["Liberica"]),
        ("bean-type", "x", []),
        ("iced", "t", ["true"]),
        ("note", "", []),
    ],
)
async def test_complete_prompt_argument(mode: str, argument: str, prefix: str, expected: list[str]) -> None:
    async with serve_cafe(mode, BREW) as client:
        assert client.server_capabilities is not None
        assert client.server_capabilities.completions is not None
        reference = PromptReference(type="ref/prompt", name="brew")
        completion = (await client.complete(reference, {"name": argument, "value": prefix})).completion
    assert (completion.values, completion.total, completion.has_more) == (expected, len(expected), False)


async def test_complete_template_variable(mode: str) -> None:
    async with serve_cafe(mode, resources=[ROAST]) as client:
        reference = ResourceTemplateReference(type="ref/resource", uri="roast://{city}/{level}")
        expected = [
            (await client.complete(reference, {"name": name, "value": ""})).completion.values
            for name in ("level", "city")
        ]
    assert expected == [["light", "dark"], []]


async def test_completion_returns_at_most_100_values(mode: str) -> None:
    pattern = f"^({'|'.join(f'a{number}' for number in range(150))})$"
    prompt = {**BREW, "arguments": [{"name": "bean-type", "pattern": pattern}], "template": TEMPLATE}
    async with serve_cafe(mode, prompt) as client:
        reference = PromptReference(type="ref/prompt", name="brew")
        completion = (await client.complete(reference, {"name": "bean-type", "value": "a"})).completion
    assert (len(completion.values), completion.total, completion.has_more) == (100, 150, True)


@pytest.mark.parametrize(
    "reference",
    [
        PromptReference(type="ref/prompt", name="bru"),
        PromptReference(type="ref/prompt", name="brew"),
        ResourceTemplateReference(type="ref/resource", uri="a://b"),
    ],
    ids=["prompt", "argument", "template"],
)
async def test_unknown_completion_target(mode: str, reference: Any, snapshot: SnapshotAssertion) -> None:
    async with serve_cafe(mode, BREW) as client:
        with pytest.raises(MCPError) as caught:
            await client.complete(reference, {"name": "x", "value": ""})
    assert caught.value.code == -32602
    assert caught.value.message == snapshot


async def test_values_of_an_argument(mode: str) -> None:
    argument = {"name": "bean-type", "values": ["a b", "ab", "c"], "maxLength": 3}
    async with serve_cafe(mode, {**BREW, "arguments": [argument], "template": TEMPLATE}) as client:
        result = await client.complete(PromptReference(name="brew"), {"name": "bean-type", "value": "A"})
        assert result.completion.values == ["a b", "ab"]
        assert (await client.get_prompt("brew", {"bean-type": "a b"})).messages
        with pytest.raises(MCPError, match='\'bean-type\' must be one of "a b", "ab", "c"'):
            await client.get_prompt("brew", {"bean-type": "b"})


async def test_no_completion_capability_without_choices(mode: str) -> None:
    async with serve_cafe(mode, {"name": "p", "arguments": [{"name": "name"}], "template": TEMPLATE}) as client:
        assert client.server_capabilities is not None
        assert client.server_capabilities.completions is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^(a|b)$", ("a", "b")),
        ("^(?:a|b|a)$", ("a", "b")),
        (r"^(a\.b|c\-d|e f)$", ("a.b", "c-d", "e f")),
        ("^(a)$", ("a",)),
        ("^(a|)$", ()),
        ("^a|b$", ()),
        ("(a|b)", ()),
        ("^(a|b)+$", ()),
        ("^(a.|b)$", ()),
        ("^(a|[bc])$", ()),
        (r"^(\d|a)$", ()),
        ("^((a|b))$", ()),
        ("^()$", ()),
        (None, ()),
    ],
)
def test_choices_of_a_pattern(pattern: str | None, expected: tuple[str, ...]) -> None:
    assert choices(Input("x", pattern=pattern)) == expected
    assert choices(Input("x", "boolean", pattern=pattern)) == ("true", "false")
    for word in expected:
        Input("x", "string", pattern=pattern).check(word)
