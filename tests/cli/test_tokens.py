"""Tests of `inspect --tokens`, and of the warning of `serve` about expensive tools."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import MOST_TOOL_TOKENS, Host, Settings, estimate_tokens
from adapter_host.cli import main
from adapter_host.cli.tokens import expensive_exposers, tool_costs
from tests.support.host_process import host_process
from tests.support.rest_and_mcp import document, given, operation, resource, tool

TOKENIZER = """
class Encoding:
    def encode(self, text, disallowed_special):
        return text.split(":")

def get_encoding(name):
    if name != "o200k_base":
        raise ValueError(name)
    return Encoding()
"""
UNREACHABLE = """
def get_encoding(name):
    raise ConnectionError("no network")
"""


def made(count: int = 2, words: int = 10) -> dict[str, Any]:
    """Return a document with tools of growing descriptions."""
    search = operation("search", inputParameters=[given("q", "query", type="string", description="text " * words)])
    tools = [
        tool(f"search-{number}", call="api.search", description="words " * number) for number in range(1, count + 1)
    ]
    return document("http://127.0.0.1:9", [resource("/items", search)], tools=tools)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(made()))
    return path


def test_tools_are_sorted_by_their_cost(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--tokens", file.name]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tokens  tool      exposer  largest parts",
        "54      search-2  agent    q 22, description 3",
        "52      search-1  agent    q 22, description 2",
        "106 tokens in 2 tools (counted with: characters / 4)",
    ]


def test_costs_are_those_of_the_listed_definition(file: Path) -> None:
    host = Host(file, settings=Settings(environment={}))
    (exposer,) = (status.exposer for status in host.status())
    entry, *_ = exposer.catalog()
    definition = {
        "name": entry.title, "description": entry.details["description"], "input_schema": entry.details["inputSchema"]
    }  # fmt: skip
    cost = next(cost for cost in tool_costs(host.plans, len) if cost.tool == entry.title)
    assert cost.tokens == len(json.dumps(definition, separators=(",", ":")))
    assert estimate_tokens("12345") == 2


def test_costs_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--tokens", "--format", "json", file.name]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["tokens"], report["tokenizer"]) == (106, "characters / 4")
    assert report["tools"][0] == {
        "tool": "search-2", "exposer": "agent", "tokens": 54, "parts": {"q": 22, "description": 3}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("module", "first", "last"),
    [
        (TOKENIZER, "10", "20 tokens in 2 tools (counted with: tiktoken, o200k_base)"),
        (
            UNREACHABLE,
            "54",
            "106 tokens in 2 tools (counted with: characters / 4, because tiktoken cannot load o200k_base: "
            "ConnectionError)",
        ),
    ],
    ids=["installed", "without network"],
)
def test_the_tokenizer_that_is_installed_counts(
    file: Path,
    module: str,
    first: str,
    last: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(file.parent)
    (file.parent / "tiktoken.py").write_text(module)
    try:
        assert main(["inspect", "--tokens", file.name]) == 0
    finally:
        sys.modules.pop("tiktoken", None)
    lines = capsys.readouterr().out.splitlines()
    assert (lines[1].split()[0], lines[-1]) == (first, last)


def test_a_document_without_tools_costs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    route = resource("/items", operation(call="api.search"))
    search = operation("search")
    Path("rest.yaml").write_text(
        yaml.safe_dump(document("http://127.0.0.1:9", [resource("/items", search)], rest=[route]))
    )
    assert main(["inspect", "--tokens", "rest.yaml"]) == 0
    assert capsys.readouterr().out == "0 tokens in 0 tools (counted with: characters / 4)\n"


def test_exposers_are_expensive_above_a_limit() -> None:
    cheap = Host(made(), settings=Settings(environment={}))
    assert list(expensive_exposers(cheap.plans)) == []
    dear = Host(made(40, words=500), settings=Settings(environment={}))
    total = sum(cost.tokens for cost in tool_costs(dear.plans, estimate_tokens))
    (problem,) = expensive_exposers(dear.plans)
    assert total > MOST_TOOL_TOKENS
    assert f"'agent' has 40 tools, which cost a model about {total:,} tokens" in problem.message


async def test_serve_warns_about_expensive_tools(tmp_path: Path) -> None:
    async with host_process(tmp_path, yaml.safe_dump(made(40, words=500))) as served:
        warning = next(line for line in served.log.splitlines() if "cost a model" in line)
    assert warning.startswith("capability.yaml: warning: 'agent' has 40 tools")
    assert "`adapter-host inspect --tokens capability.yaml`" in warning
