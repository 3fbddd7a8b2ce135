"""Styles of parameters in requests to the API, for callers over MCP and over REST.

The expectations are those of the table of styles in the OpenAPI specification (3.1.1, section 4.8.12.3), with the
names and values of its examples.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapter_host.cli import main
from tests.support.rest_and_mcp import Data, document, given, offering, operation, resource, tool

TEXT = "blue"
LIST = ["blue", "black", "brown"]
OBJECT = {"R": 100, "G": 200, "B": 150}
TYPES = {"string": TEXT, "array": LIST, "object": OBJECT}


@dataclass(frozen=True)
class Row:
    """One cell of the table: the declaration, and the text in a request."""

    place: str
    style: str
    explode: bool
    type: str
    sent: str

    @property
    def id(self) -> str:
        return f"{self.place}-{self.style.lower()}-{'explode' if self.explode else 'joined'}-{self.type}"

    @property
    def consumed(self) -> Data:
        keys = {"x-style": self.style, "x-explode": self.explode}
        if self.style == "deepObject":
            del keys["x-explode"]
        return given("color", self.place, type=self.type, **keys)


ROWS = [
    Row("query", "form", False, "string", "?color=blue"),
    Row("query", "form", True, "string", "?color=blue"),
    Row("query", "form", False, "array", "?color=blue,black,brown"),
    Row("query", "form", True, "array", "?color=blue&color=black&color=brown"),
    Row("query", "form", False, "object", "?color=R,100,G,200,B,150"),
    Row("query", "form", True, "object", "?R=100&G=200&B=150"),
    Row("query", "spaceDelimited", False, "array", "?color=blue%20black%20brown"),
    Row("query", "spaceDelimited", False, "object", "?color=R%20100%20G%20200%20B%20150"),
    Row("query", "pipeDelimited", False, "array", "?color=blue%7Cblack%7Cbrown"),
    Row("query", "pipeDelimited", False, "object", "?color=R%7C100%7CG%7C200%7CB%7C150"),
    Row("query", "deepObject", True, "object", "?color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    Row("path", "simple", False, "string", "blue"),
    Row("path", "simple", True, "string", "blue"),
    Row("path", "simple", False, "array", "blue,black,brown"),
    Row("path", "simple", True, "array", "blue,black,brown"),
    Row("path", "simple", False, "object", "R,100,G,200,B,150"),
    Row("path", "simple", True, "object", "R=100,G=200,B=150"),
    Row("path", "label", False, "string", ".blue"),
    Row("path", "label", True, "string", ".blue"),
    Row("path", "label", False, "array", ".blue,black,brown"),
    Row("path", "label", True, "array", ".blue.black.brown"),
    Row("path", "label", False, "object", ".R,100,G,200,B,150"),
    Row("path", "label", True, "object", ".R=100.G=200.B=150"),
    Row("path", "matrix", False, "string", ";color=blue"),
    Row("path", "matrix", True, "string", ";color=blue"),
    Row("path", "matrix", False, "array", ";color=blue,black,brown"),
    Row("path", "matrix", True, "array", ";color=blue;color=black;color=brown"),
    Row("path", "matrix", False, "object", ";color=R,100,G,200,B,150"),
    Row("path", "matrix", True, "object", ";R=100;G=200;B=150"),
    Row("header", "simple", False, "string", "blue"),
    Row("header", "simple", True, "string", "blue"),
    Row("header", "simple", False, "array", "blue,black,brown"),
    Row("header", "simple", True, "array", "blue,black,brown"),
    Row("header", "simple", False, "object", "R,100,G,200,B,150"),
    Row("header", "simple", True, "object", "R=100,G=200,B=150"),
    Row("cookie", "form", False, "string", "color=blue"),
    Row("cookie", "form", True, "string", "color=blue"),
    Row("cookie", "form", False, "array", "color=blue,black,brown"),
    Row("cookie", "form", False, "object", "color=R,100,G,200,B,150"),
    # OpenAPI 3.2: cookies are separated by semicolons.
    Row("cookie", "form", True, "array", "color=blue; color=black; color=brown"),
    Row("cookie", "cookie", True, "array", "color=blue; color=black; color=brown"),
    Row("cookie", "cookie", False, "array", "color=blue,black,brown"),
    Row("cookie", "cookie", True, "object", "R=100; G=200; B=150"),
]


def _path(row: Row) -> str:
    return f"/{row.id}/{{color}}" if row.place == "path" else f"/{row.id}"


RESOURCES = [resource(_path(row), operation(row.id, inputParameters=[row.consumed])) for row in ROWS]


ROUTES = [resource(_path(row), {"method": "GET", "call": f"api.{row.id}"}) for row in ROWS]


def _received(row: Row, request: Any) -> str:
    """Return the part of a request with the value."""
    if row.place in ("header", "cookie"):
        return str(request.headers["color" if row.place == "header" else "Cookie"])
    return str(request.target.removeprefix(f"/{row.id}").removeprefix("/"))


async def test_styles_over_mcp() -> None:
    received = {}
    async with offering(*RESOURCES, tools=[tool(row.id, call=f"api.{row.id}") for row in ROWS]) as host:
        for row in ROWS:
            result = await host.tool(row.id, {"color": TYPES[row.type]})
            assert not result.failed, result.text
            received[row.id] = _received(row, host.api.last)
    assert received == {row.id: row.sent for row in ROWS}


async def test_styles_over_rest_are_those_of_the_api() -> None:
    received = {}
    async with offering(*RESOURCES, rest=ROUTES) as host:
        for row in ROWS:
            headers = {"header": {"color": row.sent}, "cookie": {"Cookie": row.sent}}.get(row.place, {})
            target = {"query": row.sent, "path": f"/{row.sent}"}.get(row.place, "")
            response = await host.rest("GET", f"/{row.id}{target}", headers=headers)
            assert response.status == 200, response.body
            received[row.id] = _received(row, host.api.last)
    assert received == {row.id: row.sent for row in ROWS}


async def test_openapi_and_inspect_show_styles() -> None:
    expected = {row.id: (row.place, row.style, row.explode) for row in ROWS}
    async with offering(*RESOURCES, rest=ROUTES) as host:
        paths = (await host.rest("GET", "/openapi.json")).data["paths"]
        shown = {row.id: paths[_path(row)]["get"]["parameters"][0] for row in ROWS}
        # OpenAPI 3.1 has no style `cookie`.
        in_3_1 = {id_: (each[0], None, None) if each[1] == "cookie" else each for id_, each in expected.items()}
        assert {id_: (each["in"], each.get("style"), each.get("explode")) for id_, each in shown.items()} == in_3_1
        assert all("schema" in each for each in shown.values())
        (consumer,) = host.served.host.plans[0].consumers
        described = {each.name: each.describe()["inputs"][0] for each in consumer.operations()}
        assert {id_: (each["in"], each["style"], each["explode"]) for id_, each in described.items()} == expected


def test_inspect_shows_styles_in_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = [
        given("deep", "query", type="object", **{"x-style": "deepObject"}),
        given("tag-list", "query", type="array", **{"x-explode": False, "x-name": "tags"}),
        given("where", "query", type="object", **{"x-content-type": "application/json"}),
    ]
    data = document("http://api.test", [resource("/q", operation(inputParameters=inputs))], tools=[tool(call="api.do")])
    file = tmp_path / "capability.yaml"
    file.write_text(json.dumps(data))
    assert main(["inspect", str(file)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "deep -> query deep (style: deepObject, explode: true)" in lines
    assert "tag-list -> query tags (style: form, explode: false)" in lines
    assert "where -> query where (contentType: application/json)" in lines
