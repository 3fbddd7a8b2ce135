"""Prompts and completion, by the official client in both eras."""

from __future__ import annotations

import re
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

import adapter_host_mcp
from adapter_host import Host, Input, Plugins, ProblemsError, Settings
from adapter_host.testing import FakePlugin, running
from adapter_host_mcp.features.completion import choices
from adapter_host_mcp.features.prompts import compile_text

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
async def cafe(
    mode: str, *prompts: Mapping[str, Any], folder: Path | None = None, **more: Any
) -> AsyncIterator[Client]:
    given: Any = document(*prompts, **more)
    if folder is not None:
        file = folder / "cafe.yaml"
        file.write_text(yaml.safe_dump(given))
        given = file
    async with running(given) as served, Client(served.url("cafe"), mode=mode) as client:
        yield client


async def messages(client: Client, name: str, arguments: dict[str, str]) -> list[tuple[str, str]]:
    given = await client.get_prompt(name, arguments)
    return [(each.role, each.content.model_dump()["text"]) for each in given.messages]


async def refused(client: Client, name: str, arguments: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(MCPError) as caught:
        await client.get_prompt(name, arguments)
    return caught.value.code, caught.value.message


async def test_prompts_are_listed_as_declared(mode: str) -> None:
    bare = {"name": "bare", "template": [{"role": "user", "content": "Hi"}]}
    async with cafe(mode, BREW, bare) as client:
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


async def test_arguments_are_filled_in(mode: str) -> None:
    async with cafe(mode, BREW) as client:
        found = await messages(client, "brew", {"bean-type": "arabica", "iced": "true", "note": "{{iced}} {{note}}"})
        description = (await client.get_prompt("brew", {"bean-type": "arabica"})).description
    assert found == [
        ("user", "Brew arabica, iced: true. {{iced}} {{note}}"),
        ("assistant", "Gladly: arabica arabica"),
    ]
    assert description == "Explains a brew"


async def test_what_is_left_out_is_empty(mode: str) -> None:
    async with cafe(mode, BREW) as client:
        found = await messages(client, "brew", {"bean-type": "arabica"})
    assert found[0] == ("user", "Brew arabica, iced: . ")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("brew", {}, "'bean-type' is required"),
        ("brew", {"bean-type": "arabica", "milk": "oat"}, "unknown argument 'milk' (known: bean-type, iced, note)"),
        ("brew", {"bean-type": "tea"}, "'bean-type' must match the pattern ^(arabica|robusta|Liberica)$"),
        ("brew", {"bean-type": "arabica", "iced": "so"}, "'iced' must be true or false (given \"so\")"),
        ("bru", {}, "Unknown prompt: bru"),
    ],
)
async def test_a_wrong_argument_is_named(mode: str, name: str, arguments: dict[str, str], message: str) -> None:
    async with cafe(mode, BREW) as client:
        assert await refused(client, name, arguments) == (-32602, message)


async def test_a_file_is_one_message_of_the_user(mode: str, tmp_path: Path) -> None:
    (tmp_path / "brew.md").write_text("Brew {{bean}} & {{other}}\n")
    prompt = {"name": "brew", "arguments": [{"name": "bean"}], "location": "file:///./brew.md"}
    async with cafe(mode, prompt, folder=tmp_path) as client:
        assert await messages(client, "brew", {"bean": "{{other}}"}) == [("user", "Brew {{other}} & {{other}}\n")]


async def test_a_file_that_is_gone_is_our_failure(mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    prompt = {"name": "brew", "location": "file:///./brew.md"}
    async with cafe(mode, prompt, folder=tmp_path) as client:
        assert await refused(client, "brew", {}) == (-32603, "the prompt's file cannot be read")
    assert "prompt 'brew': there is nothing at its location" in caplog.text
    assert "file not found" in caplog.text


def host(*prompts: Mapping[str, Any], **more: Any) -> Host:
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    return Host(document(*prompts, **more), plugins=plugins, settings=Settings(environment={}))


TEMPLATE = [{"role": "user", "content": "Hi {{name}}"}]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([{"name": "p"}], "prompts.0: the prompt has neither 'template' nor 'location' (it needs one of them)"),
        (
            [{"name": "p", "template": TEMPLATE, "location": "file:///x"}],
            "prompts.0: the prompt has both 'template' and 'location' (it needs one of them)",
        ),
        ([{"name": "p", "location": "x"}], "prompts.0.location: 'location' must be file:///path or file:///./path"),
        ([BREW, BREW], "prompts.1.name: prompt 'brew' is declared twice"),
        ([{"template": TEMPLATE}], "prompts.0: 'name' is missing"),
        (
            [{"name": "p", "template": [{"role": "system", "content": "x"}]}],
            "prompts.0.template.0.role: 'role' must be one of 'user' or 'assistant' (given 'system')",
        ),
    ],
)
def test_what_is_no_prompt_is_a_problem_with_its_place(prompts: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ProblemsError, match=re.escape(message)):
        host(*prompts)


def test_a_placeholder_of_no_argument_is_warned_of() -> None:
    (warning,) = host({"name": "p", "template": TEMPLATE}).warnings
    assert warning.message.endswith("'{{name}}' names no argument of the prompt, so it stays as it is")


def test_inspect_is_offered_prompts() -> None:
    (status,) = host(BREW).status()
    (offer,) = status.exposer.catalog()
    assert offer.title == "prompt brew"
    assert offer.operation is not None
    assert [(each.name, each.required) for each in offer.operation.inputs] == [
        ("bean-type", True),
        ("iced", False),
        ("note", False),
    ]


@given(
    st.dictionaries(st.sampled_from(["a", "b-c", "d.e"]), st.text("{}ab-c", max_size=8)),
    st.text("{} abc-", max_size=20),
)
def test_values_are_never_filled_again(values: dict[str, str], text: str) -> None:
    marked = {name: f"\0{index}\0" for index, name in enumerate(values)}
    filled = compile_text(text, set(values))(marked)
    for index, value in enumerate(values.values()):
        filled = filled.replace(f"\0{index}\0", value)
    assert compile_text(text, set(values))(values) == filled


ROAST = {"name": "roast", "uri": "roast://{city}/{level}", "call": "roaster.roast"}


@pytest.mark.parametrize(
    ("argument", "begun", "found"),
    [
        ("bean-type", "", ["arabica", "robusta", "Liberica"]),
        ("bean-type", "l", ["Liberica"]),
        ("bean-type", "x", []),
        ("iced", "t", ["true"]),
        ("note", "", []),
    ],
)
async def test_an_argument_of_a_prompt_is_completed(mode: str, argument: str, begun: str, found: list[str]) -> None:
    async with cafe(mode, BREW) as client:
        assert client.server_capabilities is not None
        assert client.server_capabilities.completions is not None
        reference = PromptReference(type="ref/prompt", name="brew")
        completion = (await client.complete(reference, {"name": argument, "value": begun})).completion
    assert (completion.values, completion.total, completion.has_more) == (found, len(found), False)


async def test_a_variable_of_a_template_is_completed(mode: str) -> None:
    async with cafe(mode, resources=[ROAST]) as client:
        reference = ResourceTemplateReference(type="ref/resource", uri="roast://{city}/{level}")
        found = [
            (await client.complete(reference, {"name": name, "value": ""})).completion.values
            for name in ("level", "city")
        ]
    assert found == [["light", "dark"], []]


async def test_at_most_a_hundred_are_told(mode: str) -> None:
    pattern = f"^({'|'.join(f'a{number}' for number in range(150))})$"
    prompt = {**BREW, "arguments": [{"name": "bean-type", "pattern": pattern}], "template": TEMPLATE}
    async with cafe(mode, prompt) as client:
        reference = PromptReference(type="ref/prompt", name="brew")
        completion = (await client.complete(reference, {"name": "bean-type", "value": "a"})).completion
    assert (len(completion.values), completion.total, completion.has_more) == (100, 150, True)


@pytest.mark.parametrize(
    ("reference", "argument", "message"),
    [
        (PromptReference(type="ref/prompt", name="bru"), "x", "there is nothing to complete at 'bru'"),
        (PromptReference(type="ref/prompt", name="brew"), "x", "'brew' has no argument 'x'"),
        (ResourceTemplateReference(type="ref/resource", uri="a://b"), "x", "there is nothing to complete at 'a://b'"),
    ],
)
async def test_what_cannot_be_completed_is_named(mode: str, reference: Any, argument: str, message: str) -> None:
    async with cafe(mode, BREW) as client:
        with pytest.raises(MCPError, match=re.escape(message)) as caught:
            await client.complete(reference, {"name": argument, "value": ""})
    assert caught.value.code == -32602


async def test_completion_is_not_advertised_where_nothing_can_be_completed(mode: str) -> None:
    async with cafe(mode, {"name": "p", "arguments": [{"name": "name"}], "template": TEMPLATE}) as client:
        assert client.server_capabilities is not None
        assert client.server_capabilities.completions is None


@pytest.mark.parametrize(
    ("pattern", "found"),
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
def test_only_an_alternation_of_words_says_what_may_be_given(pattern: str | None, found: tuple[str, ...]) -> None:
    assert choices(Input("x", pattern=pattern)) == found
    assert choices(Input("x", "boolean", pattern=pattern)) == ("true", "false")
    for word in found:
        Input("x", "string", pattern=pattern).check(word)
