"""Tests of `inspect --search`."""

from __future__ import annotations

import json

import pytest

from adapter_host.cli import main
from tests.support.paths import ROOT

FILE = str(ROOT / "capabilities" / "observatory.yaml")


def test_the_best_tools_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--search", "cancel a reservation", FILE]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "observatory-mcp",
        "  1. release-night",
        "     Gives a booked night back",
    ]


def test_json_has_what_clients_get(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--search", "pictures of galaxies", "--format", "json", FILE]) == 0
    (exposer,) = json.loads(capsys.readouterr().out)
    assert exposer["namespace"] == "observatory-mcp"
    first = exposer["tools"][0]
    assert (first["name"], first["annotations"]) == ("find-images", {"readOnlyHint": True})
    assert first["inputSchema"]["required"] == ["target"]


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--search", "zeppelin", "--group", "nights", FILE]) == 0
    assert capsys.readouterr().out == "observatory-mcp\n  no tool matches\n"


def test_tools_that_are_not_listed_cost_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--tokens", "--format", "json", FILE]) == 0
    tools = [tool["tool"] for tool in json.loads(capsys.readouterr().out)["tools"]]
    assert tools == ["search_tools", "call_tool", "list-telescopes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([FILE, "--group", "nihgts"], "'observatory-mcp': unknown group 'nihgts'; did you mean 'Nights'?"),
        ([str(ROOT / "capabilities" / "forecast.yaml")], "no exposer has a search; 'type: mcp' has one"),
    ],
)
def test_errors(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--search", "night", *arguments]) == 1
    assert message in capsys.readouterr().err
