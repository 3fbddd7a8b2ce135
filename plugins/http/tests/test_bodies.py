"""Request bodies of every declared type; values stay inside of them."""

from __future__ import annotations

import json
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import pytest

from adapter_host import ArgumentError, Input

NASTY = [
    '"',
    "\\",
    '","admin":true,"x":"',
    "}",
    "{{x}}",
    "a\r\nb",
    "\x00",
    "é日",
    "</a><b>",
    "]]>",
    "&amp;",
    "'",
    "a&b=c",
    "--b",
]


def body_input(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "body", **more}


async def post(start: Any, body: Any = None, *inputs: dict[str, Any], **more: Any) -> Any:
    return await start({"method": "POST", "body": body, "inputParameters": list(inputs)}, **more)


@pytest.mark.parametrize("value", [{"a": 1}, [1], "text", 5, True, None, {}])
async def test_input_named_body_is_the_complete_body(start: Any, api: Any, value: Any) -> None:
    call = await post(start, None, body_input("body", type=None))
    await call(body=value)
    assert json.loads(api.last.body) == value
    assert api.last.headers["Content-Type"] == "application/json"


async def test_missing_body_input_sends_no_body(start: Any, api: Any) -> None:
    call = await post(start, None, body_input("body"))
    await call()
    assert (api.last.body, "Content-Type" in api.last.headers) == (b"", False)


async def test_body_inputs_are_json_fields(start: Any, api: Any) -> None:
    call = await post(start, None, body_input("body"), body_input("n", type="integer"), body_input("c", value=1))
    assert call.operation.inputs == (Input("body", in_="body"), Input("n", "integer", in_="body"))
    await call(body={"x": None}, n=3)
    assert json.loads(api.last.body) == {"body": {"x": None}, "n": 3, "c": 1}
    await call()
    assert json.loads(api.last.body) == {"c": 1}


@pytest.mark.parametrize(
    ("type_name", "content_type"),
    [
        ("form", "application/x-www-form-urlencoded"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("application/json", "application/json"),
    ],
)
async def test_types_of_bodies_in_published_files(start: Any, api: Any, type_name: str, content_type: str) -> None:
    call = await post(start, {"type": type_name, "data": {"a": "{{a}}"}})
    await call(a="x&y")
    assert api.last.headers["Content-Type"] == content_type
    assert api.last.body == (b"a=x%26y" if "form" in content_type else b'{"a":"x&y"}')


async def test_empty_object_depends_on_method(start: Any, api: Any) -> None:
    call = await start({"method": "POST", "inputParameters": [body_input("n")]})
    await call()
    assert api.last.body == b"{}"
    call = await start({"method": "DELETE", "inputParameters": [body_input("n")]})
    await call()
    assert api.last.body == b""


DATA = {
    "model": "{{tools.model}}",
    "n": "{{n}}",
    "text": "say {{word}}!",
    "key": "{{KEY}}",
    "list": ["{{a}}", 1, None, "{{n}}"],
    "fixed": {"a": [True, 1.5, "x"]},
}


@pytest.mark.parametrize("body", [{"type": "json", "data": DATA}, DATA])
async def test_leaves_have_typed_values_and_absent_leaves_are_left_out(start: Any, api: Any, body: Any) -> None:
    call = await post(start, body, body_input("n", type="integer"), secrets={"KEY": 'k"'})
    assert call.operation.inputs == (
        Input("n", "integer", in_="body"),
        Input("model", in_="body"),
        Input("word", in_="body"),
        Input("a", in_="body"),
    )
    await call(model="m", n=3, word='"hi"', a={"b": [1]})
    fixed = {"key": 'k"', "fixed": {"a": [True, 1.5, "x"]}}
    full = {"model": "m", "n": 3, "text": 'say "hi"!', "list": [{"b": [1]}, 1, None, 3]}
    assert json.loads(api.last.body) == {**full, **fixed}
    await call(word=None, n=None)
    assert json.loads(api.last.body) == {"n": None, "text": "say !", "list": [1, None, None], **fixed}


@pytest.mark.parametrize("name", NASTY)
async def test_tags_in_keys_of_data(start: Any, api: Any, name: str) -> None:
    data = {"{{name}}": "{{value}}", "{{none}}": 1, "x-{{name}}": [{"{{name}}": 2, "none": "{{none}}"}], "{{KEY}}": 3}
    call = await post(start, {"type": "json", "data": data}, secrets={"KEY": "fixed"})
    await call(name=name, value=5)
    assert json.loads(api.last.body) == {name: 5, f"x-{name}": [{name: 2}], "fixed": 3}


TEXT = '{"imo": "{{imo}}", "note": "<{{note}}>", "ids": {{ids}}, "port": {{PORT}}, "name": {{NAME}}}'


@pytest.mark.parametrize("body", [TEXT, {"type": "json", "data": TEXT}])
@pytest.mark.parametrize("value", NASTY)
async def test_json_text_cannot_be_injected(start: Any, api: Any, body: Any, value: str) -> None:
    call = await post(start, body, secrets={"PORT": "80", "NAME": 'n"'})
    await call(imo=value, note=value, ids=[value, 2])
    expected = {"imo": value, "note": f"<{value}>", "ids": [value, 2], "port": 80, "name": 'n"'}
    assert json.loads(api.last.body) == expected
    assert api.last.headers["Content-Type"] == "application/json"
    await call(imo=5)
    assert json.loads(api.last.body) == {"imo": "5", "note": "<>", "port": 80, "name": 'n"'}


@pytest.mark.parametrize("text", ['{"a": "x{{a}}", {{name}}: {{b}}}', '{"a": "x{{a}}", "{{name}}": {{b}}}'])
@pytest.mark.parametrize("value", NASTY)
async def test_tags_in_keys_of_json_text(start: Any, api: Any, text: str, value: str) -> None:
    call = await post(start, text)
    await call(a=value, name=value, b={"c": value})
    assert json.loads(api.last.body) == {"a": f"x{value}", value: {"c": value}}


@pytest.mark.parametrize("value", NASTY)
async def test_text_that_is_not_one_json_value(start: Any, api: Any, value: str) -> None:
    kind = {"name": "Content-Type", "in": "header", "value": "application/x-ndjson"}
    call = await post(start, '{"a": "\\"{{a}}", "key": "{{KEY}}"}\n{{b}}\n', kind, secrets={"KEY": 'k"'})
    await call(a=value, b={"c": value})
    assert [json.loads(line) for line in api.last.body.splitlines()] == [
        {"a": f'"{value}', "key": 'k"'},
        {"c": value},
    ]


@pytest.mark.parametrize("body", ["{{payload}}", {"type": "json", "data": " {{tools.payload}} "}])
async def test_body_of_one_tag_is_the_complete_body(start: Any, api: Any, body: Any) -> None:
    call = await post(start, body)
    assert call.operation.inputs == (Input("payload", in_="body", whole=True),)
    await call(payload=[{"a": "b"}])
    assert api.last.body == b'[{"a":"b"}]'
    call = await post(start, body, body_input("payload", type="array", description="All of it"))
    whole = Input("payload", "array", description="All of it", in_="body", whole=True)
    assert call.operation.inputs == (whole,)


async def test_warning_for_unused_body_input(start: Any, api: Any) -> None:
    call = await post(start, {"a": 1}, body_input("lost"))
    assert call.operation.inputs == ()
    assert any("the body does not use 'lost'" in text for text in call.warnings)
    await call()
    assert api.last.body == b'{"a":1}'


async def test_content_type_input_takes_precedence(start: Any, api: Any) -> None:
    kind = {"name": "content-type", "in": "header", "value": "application/merge-patch+json"}
    call = await post(start, {"a": "{{a}}"}, kind)
    await call(a=1)
    assert api.last.headers.getall("Content-Type") == ["application/merge-patch+json"]


@pytest.mark.parametrize("value", NASTY)
async def test_text_body(start: Any, api: Any, value: str) -> None:
    call = await post(start, {"type": "text", "data": "hello {{name}}"})
    await call(name=value)
    assert api.last.body.decode() == f"hello {value}"
    assert api.last.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("value", [value for value in NASTY if "\x00" not in value and "\r" not in value])
async def test_xml_body(start: Any, api: Any, value: str) -> None:
    call = await post(start, {"type": "xml", "data": '<r a="{{v}}"><t>{{v}}</t><n>{{n}}</n></r>'})
    await call(v=value, n=5)
    root = ElementTree.fromstring(api.last.body.decode())
    assert (root.get("a"), root.findtext("t"), root.findtext("n")) == (value, value, "5")
    assert api.last.headers["Content-Type"] == "application/xml"


async def test_sparql_body(start: Any, api: Any) -> None:
    call = await post(start, {"type": "sparql", "data": "SELECT * { ?s ?p \"{{a}}\" , '{{a}}' } LIMIT {{n}}"})
    await call(a="x\"'\\\n} DROP", n=5)
    escaped = "x\\\"\\'\\\\\\n} DROP"
    assert api.last.body.decode() == f"SELECT * {{ ?s ?p \"{escaped}\" , '{escaped}' }} LIMIT 5"
    assert api.last.headers["Content-Type"] == "application/sparql-query"
    with pytest.raises(ArgumentError) as caught:
        await call(a="", n="5 } DROP")
    assert caught.value.parameter == "n"


@pytest.mark.parametrize("value", NASTY)
async def test_form_bodies(start: Any, api: Any, value: str) -> None:
    call = await post(
        start, {"type": "formUrlEncoded", "data": {"a b": "{{a}}", "l": "{{l}}", "fixed": 1, "no": "{{no}}"}}
    )
    await call(a=value, l=[value, "2"])
    pairs = [("a b", value), ("l", value), ("l", "2"), ("fixed", "1")]
    assert parse_qsl(api.last.body.decode(), keep_blank_values=True) == pairs
    assert api.last.headers["Content-Type"] == "application/x-www-form-urlencoded"
    call = await post(start, {"type": "formUrlEncoded", "data": "a={{a}}&b=1"})
    await call(a=value)
    assert parse_qsl(api.last.body.decode()) == [("a", value), ("b", "1")]


@pytest.mark.parametrize("value", [value for value in NASTY if "\r" not in value])
async def test_multipart_body(start: Any, api: Any, value: str) -> None:
    data = [
        {"name": 'a"b', "value": "{{a}}"},
        {"name": "file", "value": "{{a}}", "filename": "f.txt", "contentType": "text/csv"},
        {"name": "no", "value": "{{no}}"},
    ]
    call = await post(start, {"type": "multipartForm", "data": data})
    await call(a=value)
    head = f"Content-Type: {api.last.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + api.last.body, policy=policy.HTTP)
    parts = list(message.iter_parts())
    assert [part.get_payload(decode=True) for part in parts] == [value.encode(), value.encode()]
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["a%22b", "file"]
    assert (parts[1].get_filename(), parts[1].get_content_type()) == ("f.txt", "text/csv")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("5", 5),
        ("-1.5e3", -1500.0),
        ("[1,2]", [1, 2]),
        ('{"a": [true]}', {"a": [True]}),
        ("null", None),
        ("123456789012345678901", 123456789012345678901),
        ("007", "007"),
        ("text", "text"),
        ('5, "admin": true', '5, "admin": true'),
        ("", ""),
        (5, 5),
        ([1], [1]),
        ("[" * 200 + "]" * 200, "[" * 200 + "]" * 200),
    ],
)
@pytest.mark.parametrize("body", ['{"v": {{v}}, "z": "{{v}}"}', '{"{{k}}": {{v}}}', "{{v}}"])
async def test_unquoted_tag_takes_the_json_of_a_text(start: Any, api: Any, body: str, value: Any, sent: Any) -> None:
    for declared in (body, {"type": "json", "data": body}):
        call = await post(start, declared)
        await call(v=value, k="v")
        received = json.loads(api.last.body)
        assert (received if body == "{{v}}" else received["v"]) == sent
        assert api.last.headers["Content-Type"] == "application/json"
        if '"z"' in body and isinstance(value, str):
            assert received["z"] == value


XML_TYPES = ["text/xml", "application/xml; charset=utf-8", "application/atom+xml", "text/html"]


@pytest.mark.parametrize("media_type", [None, *XML_TYPES])
async def test_raw_xml(start: Any, api: Any, media_type: str | None) -> None:
    call = await post(start, '<?xml version="1.0"?>\n<n a="{{n}}">{{n}}</n>', *content_type(media_type))
    for value in ["5", *(value for value in NASTY if value not in ("a\r\nb", "\x00"))]:
        await call(n=value)
        root = ElementTree.fromstring(api.last.body.decode())
        assert (root.get("a"), root.text, len(root)) == (value, value, 0)
    assert api.last.headers["Content-Type"] == (media_type or "application/json")


@pytest.mark.parametrize("media_type", [None, "application/x-www-form-urlencoded"])
async def test_raw_form(start: Any, api: Any, media_type: str | None) -> None:
    call = await post(start, "a={{n}}&b=1", *content_type(media_type))
    for value in ["5", *NASTY]:
        await call(n=value)
        assert parse_qsl(api.last.body.decode()) == [("a", value), ("b", "1")]
    assert api.last.headers["Content-Type"] == (media_type or "application/json")


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/graphql"])
async def test_raw_text(start: Any, api: Any, media_type: str | None) -> None:
    call = await post(start, "plain {{n}}, {{list}}", *content_type(media_type))
    for value in ["5", *NASTY]:
        await call(n=value, list=[1, "x"])
        assert api.last.body.decode() == f'plain {value}, [1,"x"]'
    assert api.last.headers["Content-Type"] == (media_type or "application/json")


async def test_raw_json_lines(start: Any, api: Any) -> None:
    body = '{"index": {"_id": "{{n}}"}}\n{"v": {{n}}}\n'
    call = await post(start, body, *content_type("application/x-ndjson"))
    for value in NASTY:
        await call(n=value)
        assert list(map(json.loads, api.last.body.decode().splitlines())) == [{"index": {"_id": value}}, {"v": value}]
    assert api.last.body.endswith(b"\n")


async def test_raw_multipart(start: Any, api: Any) -> None:
    body = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{{n}}\r\n--x--\r\n'
    call = await post(start, body, *content_type("multipart/form-data; boundary=x"))
    await call(n="a\r\nb - --c")
    assert api.last.body.decode() == body.replace("{{n}}", "a\r\nb - --c")
    for value in ("--x", "a\r\n--x", "a\n--"):
        with pytest.raises(ArgumentError, match="'n' is sent in a part"):
            await call(n=value)


@pytest.mark.parametrize(
    ("body", "media_type", "value", "sent"),
    [
        ({"type": "sparql", "data": "{{q}}"}, None, "SELECT ?s WHERE {?s ?p ?o}", "SELECT ?s WHERE {?s ?p ?o}"),
        ({"type": "sparql", "data": " {{{q}}}\n"}, None, "ASK {}", " ASK {}\n"),
        ({"type": "xml", "data": "{{q}}"}, None, "<a>1</a>", "<a>1</a>"),
        ({"type": "formUrlEncoded", "data": "{{q}}"}, None, "a=1&b=2", "a=1&b=2"),
        ({"type": "formUrlEncoded", "data": "{{q}}"}, None, {"a": "x&y", "b": [1, 2]}, "a=x%26y&b=1&b=2"),
        ("{{q}}", "application/sparql-query", "ASK {}", "ASK {}"),
        ("{{q}}", "text/xml", "<a>1</a>", "<a>1</a>"),
        ("{{q}}", "text/plain", "5", "5"),
        ("{{q}}", None, '{"a":1}', '{"a":1}'),
    ],
)
async def test_input_that_is_the_complete_body(
    start: Any, api: Any, body: Any, media_type: str | None, value: Any, sent: str
) -> None:
    call = await post(start, body, *content_type(media_type))
    await call(q=value)
    assert api.last.body.decode() == sent


def content_type(media_type: str | None) -> list[dict[str, Any]]:
    return [] if media_type is None else [{"name": "Content-Type", "in": "header", "value": media_type}]


async def test_content_type_of_a_caller(start: Any, api: Any) -> None:
    call = await post(start, "<a>{{n}}</a>", {"name": "content-type", "in": "header"})
    await call(n="<", **{"content-type": "text/xml"})
    assert (api.last.body, api.last.headers["Content-Type"]) == (b"<a>&lt;</a>", "text/xml")
    assert (await post(start, "<a>{{n}}</a>")).operation.preview({"n": "<"})["body"] == "<a>&lt;</a>"


@pytest.mark.parametrize("value", [2**70, [{"a": -(2**70)}]])
async def test_integers_keep_their_digits(start: Any, api: Any, value: Any) -> None:
    call = await post(start, {"a": "{{a}}"})
    await call(a=value)
    assert json.loads(api.last.body) == {"a": value}


@pytest.mark.parametrize("value", ["\ud800", [{"a": "\ud800"}], [2**70, "\ud800"]])
async def test_values_beyond_json_are_argument_errors(start: Any, api: Any, value: Any) -> None:
    call = await post(start, {"a": "{{a}}", "b": "{{b}}"})
    with pytest.raises(ArgumentError, match="'b' has a value that JSON cannot represent") as caught:
        await call(a=1, b=value)
    assert (caught.value.parameter, api.requests) == ("b", [])


def test_invalid_bodies(problems: Any) -> None:
    reported = problems({"method": "POST", "body": {"type": "yaml", "data": "x"}})
    assert len(reported) == 1
    assert "body" in reported[0].message
    reported = problems({"method": "POST", "body": {"a": "{{nobody.X}}"}})
    assert "'{{nobody.X}}'" in reported[0].message
