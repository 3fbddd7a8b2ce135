"""Answers in other formats than JSON: what callers get of them, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

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
FLEET = [[{"ship": "Fram", "tons": "402"}, {"ship": "Gjøa", "tons": ""}]]


def sending(body: str | bytes, content_type: str | None = None, **rest: Any) -> Callable[..., Awaitable[web.Response]]:
    async def reply(_: web.Request) -> web.Response:
        if content_type:
            rest["headers"] = {"Content-Type": content_type}
        return web.Response(body=body if isinstance(body, bytes) else body.encode(), **rest)

    return reply


@pytest.fixture
def convert(start: Any, api: Any) -> Callable[..., Awaitable[Any]]:
    async def convert(format: str, body: str | bytes, content_type: str | None = None, schema: str = "") -> Any:
        api.reply = sending(body, content_type)
        call = await start({"outputRawFormat": format, **({"outputSchema": schema} if schema else {})})
        return await call()

    return convert


@pytest.mark.parametrize(
    ("format", "body", "data"),
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
async def test_data(convert: Any, format: str, body: str | bytes, data: Any) -> None:
    assert await convert(format, body) == data


@pytest.mark.parametrize("selector", ["", "table", "table, section"])
async def test_the_tables_of_a_page(convert: Any, selector: str) -> None:
    pytest.importorskip("lxml")
    pytest.importorskip("cssselect")
    assert await convert("html", PAGE.encode("cp1252"), "text/html", selector) == {"tables": TABLES}


async def test_a_selector_takes_some_of_them(convert: Any) -> None:
    pytest.importorskip("cssselect")
    assert await convert("html", PAGE.encode(), "text/html; charset=utf-8", "#a") == {"tables": TABLES[:1]}


async def test_the_parts_of_a_text(convert: Any) -> None:
    pytest.importorskip("markdown_it")
    front = {"title": "Log", "tags": ["a", "b"]}
    assert await convert("markdown", NOTES) == {"frontMatter": front, "tables": FLEET, "sections": SECTIONS}
    assert await convert("markdown", "# A") == {"tables": [], "sections": [{"heading": "A", "level": 1, "content": ""}]}


@pytest.mark.parametrize(
    ("heading", "tables", "sections"),
    [("## Night", [], SECTIONS[1:2]), ("Day one", FLEET, SECTIONS[:2]), ("# Day", FLEET, SECTIONS), ("Week", [], [])],
)
async def test_a_heading_takes_what_is_below_it(convert: Any, heading: str, tables: Any, sections: Any) -> None:
    pytest.importorskip("markdown_it")
    found = await convert("markdown", NOTES, None, heading)
    assert (found["tables"], found["sections"]) == (tables, sections)


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


async def test_the_charset_of_http_counts_for_more_than_that_of_xml(convert: Any) -> None:
    text = '<?xml version="1.0" encoding="us-ascii"?><a><b>Vardø</b></a>'
    assert await convert("xml", text.encode("latin-1"), "text/xml; charset=latin-1") == {"b": "Vardø"}


@pytest.mark.parametrize(
    ("format", "body", "content_type", "reason"),
    [
        ("xml", '{"a": 1}', "application/json", "XML (it sent application/json; line 1: not well-formed"),
        ("xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "text/xml", "a document type (<!DOCTYPE) is not read)"),
        ("xml", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "text/xml", "a document type"),
        ("xml", "<a>" * 101 + "</a>" * 101, "text/xml", "nested deeper than 100 levels"),
        ("xml", "<a>&b;</a>", "text/xml", "undefined entity"),
        ("csv", "a,b\n1,2,3\n", "text/csv", "CSV (it sent text/csv; line 2 has more cells than the header)"),
        ("csv", 'a\n"x"y\n', "text/csv", "line 2: "),
        ("csv", "<html>log in", "text/html", "CSV (it sent text/html; that is another format)"),
        ("csv", b"a\n\xff\n", "text/csv", "CSV (it sent text/csv)"),
        ("csv", "a\n", "text/csv; charset=none", "its charset is unknown"),
        ("csv", "a\n", "text/csv; charset=idna", "its charset is unknown"),
        ("csv", "a\n", "text/csv; charset=zip", "its charset is unknown"),
        ("yaml", "a: [1}", "text/yaml", "line 1: "),
        ("yaml", "a: &a [*a]", "text/yaml", "an alias stands for nothing complete"),
        ("yaml", "--- 1\n--- 2", "text/yaml", "it contains more than one document"),
        ("yaml", "[1]: 2", "text/yaml", "a key is a collection"),
        ("yaml", "[" * 300 + "]" * 300, "text/yaml", "it holds what JSON cannot"),
        ("yaml", "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]\n" for n in range(1, 9)), "text/yaml",
         "more than 1,000,000 values with aliases expanded"),
    ],
)  # fmt: skip
async def test_what_is_not_in_the_format_is_the_upstreams_failure(
    convert: Any, format: str, body: str | bytes, content_type: str, reason: str
) -> None:
    with pytest.raises(UpstreamInvalidError) as caught:
        await convert(format, body, content_type)
    assert caught.value.message.startswith("the upstream 'api' did not answer ")
    assert reason in caught.value.message


@pytest.mark.parametrize(
    ("format", "body", "content_type"),
    [
        ("html", '{"a": 1}', "application/json"),
        ("html", "", "text/html"),
        ("html", "<div>" * 300, "text/html"),
        ("html", f"<table><tr>{'<th>a' * 1000}{'<tr><td>' * 1000}", "text/html"),
        ("markdown", "<p>", "text/html"),
        ("markdown", "a" * (2**21 + 1), "text/markdown"),
        ("markdown", "{}", "application/json"),
    ],
)
async def test_so_is_what_goes_beyond_limits(convert: Any, format: str, body: str, content_type: str) -> None:
    pytest.importorskip({"html": "cssselect", "markdown": "markdown_it"}[format])
    with pytest.raises(UpstreamInvalidError, match=r"did not answer (HTML|Markdown)"):
        await convert(format, body or "<!-- -->", content_type)


async def test_long_runs_of_markdown_are_not_read_for_marks(convert: Any) -> None:
    pytest.importorskip("markdown_it")
    found = await convert("markdown", f"# A\n\n{'[' * 50_000}")
    assert found["sections"][0]["content"] == "[" * 50_000


async def test_callers_get_json(start: Any, api: Any) -> None:
    headers = {"Content-Type": "text/csv", "Content-Disposition": "attachment", "ETag": '"1"', "Link": "<x>"}
    api.reply = sending("a\n1\n", headers=headers)
    call = await start({"outputRawFormat": "csv"})
    for stream in (False, True):
        result = await call.operation.call({}, stream=stream)
        assert (result.media_type, result.body, result.stream) == ("application/json", b'[{"a":"1"}]', None)
        assert (result.headers.get("link"), result.headers.keys() & {"ETag", "Content-Disposition"}) == ("<x>", set())


async def test_a_large_answer_is_converted_whole(start: Any, api: Any) -> None:
    rows = [{"id": str(number), "text": "x" * 90} for number in range(2000)]
    api.reply = sending("id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows), "text/csv")
    result = await (await start({"outputRawFormat": "csv"})).operation.call({}, stream=True)
    assert orjson.loads(result.body) == rows == result.data


@pytest.mark.parametrize("status", [200, 204])
async def test_an_empty_answer_stays_empty(start: Any, api: Any, status: int) -> None:
    api.reply = sending(b"", "text/csv", status=status)
    result = await (await start({"outputRawFormat": "csv"})).operation.call({})
    assert (result.status, result.body, result.data) == (status, b"", None)


async def test_an_error_is_not_converted(start: Any, api: Any) -> None:
    api.reply = sending("<a/>", "text/xml", status=404)
    with pytest.raises(UpstreamStatusError) as caught:
        await (await start({"outputRawFormat": "xml"}))()
    assert (caught.value.upstream_status, caught.value.body, caught.value.media_type) == (404, b"<a/>", "text/xml")


@pytest.mark.parametrize(
    ("format", "accept"),
    [
        ("json", "application/json"),
        ("binary", "*/*"),
        ("xml", "application/xml, text/xml, */*;q=0.1"),
        ("csv", "text/csv, */*;q=0.1"),
        ("tsv", "text/tab-separated-values, */*;q=0.1"),
        ("yaml", "application/yaml, application/x-yaml, text/yaml, */*;q=0.1"),
    ],
)
async def test_what_is_asked_for(start: Any, api: Any, format: str, accept: str) -> None:
    api.reply = sending("<a/>") if format == "xml" else sending("{}")
    await (await start({"outputRawFormat": format})).operation.call({})
    assert api.last.headers["Accept"] == accept


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("xlm", "unknown outputRawFormat 'xlm'; did you mean 'xml'? (known: json, xml, csv, tsv, psv, yaml, html, "),
        ("Mark-Down", "unknown outputRawFormat 'mark-down'; did you mean 'markdown'?"),
        ("pdf", "unknown outputRawFormat 'pdf' (known: json, "),
    ],
)
def test_an_unknown_format(problems: Any, label: str, message: str) -> None:
    (found,) = problems({"outputRawFormat": label})
    assert (found.code, message in found.message) == ("unknown-format", True)


@pytest.mark.parametrize(
    ("format", "module", "needs"),
    [
        ("html", "lxml.cssselect", "lxml and cssselect"),
        ("markdown", "markdown_it", "markdown-it-py"),
        ("avro", "fastavro", "fastavro"),
        ("protobuf", "google.protobuf.json_format", "protobuf"),
    ],
)
def test_a_missing_package(
    problems: Any, monkeypatch: pytest.MonkeyPatch, format: str, module: str, needs: str
) -> None:
    monkeypatch.delitem(sys.modules, f"adapter_host_http.formats.{format}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    (found,) = problems({"outputRawFormat": format, "outputSchema": "x"})
    assert found.code == "missing-package"
    assert f"outputRawFormat '{format}' needs {needs}, which cannot be imported (" in found.message
    assert found.message.endswith("; pip install 'adapter-host-http[formats]')")


def test_a_selector_that_is_none(problems: Any) -> None:
    pytest.importorskip("cssselect")
    (found,) = problems({"outputRawFormat": "html", "outputSchema": "table["})
    assert "'table[' is no CSS selector (" in found.message
