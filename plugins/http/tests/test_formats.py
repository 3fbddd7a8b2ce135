"""Responses in other formats: conversion to JSON, and rejected responses."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web
from syrupy.assertion import SnapshotAssertion

from adapter_host import UpstreamInvalidError, UpstreamStatusError

CALENDAR = """
<?xml version="1.0" encoding="ISO-8859-1"?>
<!-- ships -->
<list xmlns:x="urn:x" total="2">
  <ship id="1"><x:name>Vard\xf8</x:name><flag/></ship>
  <ship id="2" x:kind="tug">Fram<![CDATA[ & co]]></ship>
  <port><name>Oslo</name></port>
  <note>see <b>this</b> now</note>
</list>
""".strip()
SHIPS = {
    "total": "2",
    "ship": [{"id": "1", "name": "Vardø", "flag": ""}, {"id": "2", "kind": "tug", "": "Fram & co"}],
    "port": {"name": "Oslo"},
    "note": {"b": "this", "": ["see ", " now"]},
}
PAGE = """<!doctype html><meta charset="windows-1252"><div id="a"><table>
<thead><tr><th>Name<th>Big <b>tons</b></thead>
<tr><td>Fram<br>1892<td>402<tr><td>Gj\xf8a
<tfoot><tr><th>Sum<td>449</table></div>
<table><tr><td>no header</table>
<section><table><tr><th>x</th><th></th></tr><tr><td><table><tr><td>in</table></td><td>2<td>3</tr></table></section>"""
TABLES = [
    [
        {"Name": "Fram 1892", "Big tons": "402"},
        {"Name": "Gjøa", "Big tons": ""},
        {"Name": "Sum", "Big tons": "449"},
    ],
    [{"x": "in", "": "2"}],
]
NOTES = """---
title: Log
tags: [a, b]
---
Before.

# Day *one*

Wind `NW`
rising.

| ship | tons |
|------|------|
| Fram | 402  |
| Gjøa |

> | not | top |
> |-----|-----|
> | 1   | 2   |

## Night

- calm

# Day two
"""
SECTIONS = [
    {"heading": "Day one", "level": 1, "content": "Wind NW\nrising."},
    {"heading": "Night", "level": 2, "content": "calm"},
    {"heading": "Day two", "level": 1, "content": ""},
]
MANY_ALIASES = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]\n" for n in range(1, 9))
FLEET = [[{"ship": "Fram", "tons": "402"}, {"ship": "Gjøa", "tons": ""}]]


def sending(body: str | bytes, content_type: str | None = None, **rest: Any) -> Callable[..., Awaitable[web.Response]]:
    async def reply(_: web.Request) -> web.Response:
        if content_type:
            rest["headers"] = {"Content-Type": content_type}
        return web.Response(body=body if isinstance(body, bytes) else body.encode(), **rest)

    return reply


@pytest.fixture
def convert(start: Any, api: Any) -> Callable[..., Awaitable[Any]]:
    async def convert(raw_format: str, body: str | bytes, content_type: str | None = None, schema: str = "") -> Any:
        api.reply = sending(body, content_type)
        call = await start({"outputRawFormat": raw_format, **({"outputSchema": schema} if schema else {})})
        return await call()

    return convert


@pytest.mark.parametrize(
    ("raw_format", "body", "data"),
    [
        ("xml", CALENDAR.encode("latin-1"), SHIPS),
        ("XML", "<a>hello</a>", {"": "hello"}),
        ("xml", "<a/>", {}),
        ("xml", "<a><b> x </b></a>", {"b": " x "}),
        ("xml", '<a b="1"><b>2</b><b>3</b></a>', {"b": ["1", "2", "3"]}),
        ("csv", 'name,tons\r\nFram,402\r\n"Gjøa, x",\r\n\r\n', [
            {"name": "Fram", "tons": "402"},
            {"name": "Gjøa, x", "tons": ""},
        ]),
        ("csv", "\ufeffa,a,b,\n1,2,3,4,,\n5\n", [{"a": "1", "a_2": "2", "b": "3", "": "4"}, {"a": "5"}]),
        ("csv", "name\n", []),
        ("tsv", "a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
        ("psv", "a|b\n1|2\n", [{"a": "1", "b": "2"}]),
        ("yaml", "a: &x [1, 2.5, yes, ~, 012, 2020-01-01]\nb: *x\n1: {<<: {c: 1, d: 2}, d: '3'}\n", {
            "a": [1, 2.5, "yes", None, 12, "2020-01-01"],
            "b": [1, 2.5, "yes", None, 12, "2020-01-01"],
            "1": {"c": 1, "d": "3"},
        }),
        ("yaml", "99999999999999999999", 1e20),
        ("yaml", "- 0x1F\n- 0o17\n- -3\n- .5\n- !!str 1\n- 'null'\n- FALSE", [31, 15, -3, 0.5, "1", "null", False]),
    ],
)  # fmt: skip
async def test_conversion_to_json(convert: Any, raw_format: str, body: str | bytes, data: Any) -> None:
    assert await convert(raw_format, body) == data


@pytest.mark.parametrize("selector", ["", "table", "table, section"])
async def test_html_tables(convert: Any, selector: str) -> None:
    pytest.importorskip("lxml")
    pytest.importorskip("cssselect")
    assert await convert("html", PAGE.encode("cp1252"), "text/html", selector) == {"tables": TABLES}


async def test_html_selector(convert: Any) -> None:
    pytest.importorskip("cssselect")
    assert await convert("html", PAGE.encode(), "text/html; charset=utf-8", "#a") == {"tables": TABLES[:1]}


async def test_markdown_sections(convert: Any) -> None:
    pytest.importorskip("pyromark")
    front = {"title": "Log", "tags": ["a", "b"]}
    assert await convert("markdown", NOTES) == {"frontMatter": front, "tables": FLEET, "sections": SECTIONS}
    assert await convert("markdown", "# A") == {"tables": [], "sections": [{"heading": "A", "level": 1, "content": ""}]}


@pytest.mark.parametrize(
    ("heading", "tables", "sections"),
    [("## Night", [], SECTIONS[1:2]), ("Day one", FLEET, SECTIONS[:2]), ("# Day", FLEET, SECTIONS), ("Week", [], [])],
)
async def test_markdown_heading_selects_sections(convert: Any, heading: str, tables: Any, sections: Any) -> None:
    pytest.importorskip("pyromark")
    reported = await convert("markdown", NOTES, None, heading)
    assert (reported["tables"], reported["sections"]) == (tables, sections)


@pytest.mark.parametrize(
    ("content_type", "codec"),
    [
        ("text/csv; charset=iso-8859-1", "latin-1"),
        ('text/csv;charset="Windows-1252"', "cp1252"),
        ("text/csv", "utf-16"),
    ],
)
async def test_charsets(convert: Any, content_type: str, codec: str) -> None:
    assert await convert("csv", "navn\nVardø\n".encode(codec), content_type) == [{"navn": "Vardø"}]


async def test_http_charset_overrides_xml_declaration(convert: Any) -> None:
    text = '<?xml version="1.0" encoding="us-ascii"?><a><b>Vardø</b></a>'
    assert await convert("xml", text.encode("latin-1"), "text/xml; charset=latin-1") == {"b": "Vardø"}


@pytest.mark.parametrize(
    ("raw_format", "body", "content_type"),
    [
        pytest.param("xml", '{"a": 1}', "application/json", id="xml: JSON"),
        pytest.param("xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "text/xml", id="xml: entity"),
        pytest.param(
            "xml", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "text/xml", id="xml: external document type"
        ),
        pytest.param("xml", "<a>" * 101 + "</a>" * 101, "text/xml", id="xml: too deep"),
        pytest.param("xml", "<a>&b;</a>", "text/xml", id="xml: undefined entity"),
        pytest.param("csv", "a,b\n1,2,3\n", "text/csv", id="csv: too many cells"),
        pytest.param("csv", 'a\n"x"y\n', "text/csv", id="csv: quotes"),
        pytest.param("csv", "<html>log in", "text/html", id="csv: HTML"),
        pytest.param("csv", b"a\n\xff\n", "text/csv", id="csv: not UTF-8"),
        pytest.param("csv", "a\n", "text/csv; charset=none", id="csv: unknown charset"),
        pytest.param("csv", "a\n", "text/csv; charset=idna", id="csv: text codec"),
        pytest.param("csv", "a\n", "text/csv; charset=zip", id="csv: binary codec"),
        pytest.param("yaml", "a: [1}", "text/yaml", id="yaml: syntax"),
        pytest.param("yaml", "a: &a [*a]", "text/yaml", id="yaml: recursive alias"),
        pytest.param("yaml", "--- 1\n--- 2", "text/yaml", id="yaml: two documents"),
        pytest.param("yaml", "[1]: 2", "text/yaml", id="yaml: key is a list"),
        pytest.param("yaml", "[" * 300 + "]" * 300, "text/yaml", id="yaml: too deep"),
        pytest.param("yaml", MANY_ALIASES, "text/yaml", id="yaml: many aliases"),
    ],
)
async def test_invalid_responses(
    convert: Any, raw_format: str, body: str | bytes, content_type: str, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(UpstreamInvalidError) as caught:
        await convert(raw_format, body, content_type)
    message = caught.value.message
    if raw_format in ("csv", "yaml"):
        # The words of these parsers differ between their versions.
        message = re.sub(r"(line \d+): .*\)$", r"\1: ...)", message)
    assert message == snapshot


@pytest.mark.parametrize(
    ("raw_format", "body", "content_type"),
    [
        ("html", '{"a": 1}', "application/json"),
        ("html", "", "text/html"),
        ("html", "<div>" * 300, "text/html"),
        ("html", f"<table><tr>{'<th>a' * 1000}{'<tr><td>' * 1000}", "text/html"),
        ("markdown", "<p>", "text/html"),
        ("markdown", "{}", "application/json"),
    ],
)
async def test_responses_beyond_limits(convert: Any, raw_format: str, body: str, content_type: str) -> None:
    pytest.importorskip({"html": "cssselect", "markdown": "pyromark"}[raw_format])
    with pytest.raises(UpstreamInvalidError, match=r"is not (HTML|Markdown) "):
        await convert(raw_format, body or "<!-- -->", content_type)


async def test_long_inline_markdown_keeps_its_markup(convert: Any) -> None:
    pytest.importorskip("pyromark")
    reported = await convert("markdown", f"# A\n\n{'[' * 50_000}")
    assert reported["sections"][0]["content"] == "[" * 50_000


async def test_callers_get_json(start: Any, api: Any) -> None:
    headers = {"Content-Type": "text/csv", "Content-Disposition": "attachment", "ETag": '"1"', "Link": "<x>"}
    api.reply = sending("a\n1\n", headers=headers)
    call = await start({"outputRawFormat": "csv"})
    for stream in (False, True):
        result = await call.operation.call({}, stream=stream)
        assert (result.media_type, result.body, result.stream) == ("application/json", b'[{"a":"1"}]', None)
        assert (result.headers.get("link"), result.headers.keys() & {"ETag", "Content-Disposition"}) == ("<x>", set())


async def test_large_response_is_converted_completely(start: Any, api: Any) -> None:
    rows = [{"id": str(number), "text": "x" * 90} for number in range(2000)]
    api.reply = sending("id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows), "text/csv")
    result = await (await start({"outputRawFormat": "csv"})).operation.call({}, stream=True)
    assert orjson.loads(result.body) == rows == result.data


@pytest.mark.parametrize("status", [200, 204])
async def test_empty_response_stays_empty(start: Any, api: Any, status: int) -> None:
    api.reply = sending(b"", "text/csv", status=status)
    result = await (await start({"outputRawFormat": "csv"})).operation.call({})
    assert (result.status, result.body, result.data) == (status, b"", None)


async def test_error_response_is_not_converted(start: Any, api: Any) -> None:
    api.reply = sending("<a/>", "text/xml", status=404)
    with pytest.raises(UpstreamStatusError) as caught:
        await (await start({"outputRawFormat": "xml"}))()
    assert (caught.value.upstream_status, caught.value.body, caught.value.media_type) == (404, b"<a/>", "text/xml")


@pytest.mark.parametrize(
    ("raw_format", "accept"),
    [
        ("json", "application/json"),
        ("binary", "*/*"),
        ("xml", "application/xml, text/xml, */*;q=0.1"),
        ("csv", "text/csv, */*;q=0.1"),
        ("tsv", "text/tab-separated-values, */*;q=0.1"),
        ("yaml", "application/yaml, application/x-yaml, text/yaml, */*;q=0.1"),
    ],
)
async def test_accept_header(start: Any, api: Any, raw_format: str, accept: str) -> None:
    api.reply = sending("<a/>") if raw_format == "xml" else sending("{}")
    await (await start({"outputRawFormat": raw_format})).operation.call({})
    assert api.last.headers["Accept"] == accept


@pytest.mark.parametrize("label", ["xlm", "Mark-Down", "pdf"])
def test_unknown_format(problems: Any, label: str, snapshot: SnapshotAssertion) -> None:
    (problem,) = problems({"outputRawFormat": label})
    assert problem.code == "unknown-format"
    assert problem.message == snapshot


@pytest.mark.parametrize(
    ("raw_format", "module", "needs"),
    [
        ("html", "lxml.cssselect", "lxml and cssselect"),
        ("markdown", "pyromark", "pyromark"),
        ("avro", "fastavro", "fastavro"),
        ("protobuf", "google.protobuf.json_format", "protobuf"),
    ],
)
def test_missing_package(
    problems: Any, monkeypatch: pytest.MonkeyPatch, raw_format: str, module: str, needs: str
) -> None:
    for package in ("formats", "conversions"):
        monkeypatch.delitem(sys.modules, f"adapter_host_http.{package}.{raw_format}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    (reported,) = problems({"outputRawFormat": raw_format, "outputSchema": "x"})
    assert reported.code == "missing-package"
    assert f"outputRawFormat '{raw_format}' needs {needs}, which cannot be imported (" in reported.message
    assert reported.message.endswith("; run pip install 'adapter-host-http[formats]'")


def test_invalid_selector(problems: Any) -> None:
    pytest.importorskip("cssselect")
    (reported,) = problems({"outputRawFormat": "html", "outputSchema": "table["})
    assert (reported.code, "'table['" in reported.message) == ("output-schema", True)
