"""XML bodies: each value is encoded for its place, and XML is sent as XML."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from adapter_host import ArgumentError

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
FRAGMENT = {"name": "x", "in": "body", "type": "string", "x-schema": {"contentMediaType": "application/xml"}}


async def post(start: Any, data: str, *inputs: dict[str, Any], type_: str = "xml") -> Any:
    return await start({"method": "POST", "body": {"type": type_, "data": data}, "inputParameters": list(inputs)})


@pytest.mark.parametrize(
    ("data", "value", "sent"),
    [
        # The complete document, with and without anything beside it.
        ("{{x}}", "<a>1 &amp; 2</a>", "<a>1 &amp; 2</a>"),
        ("{{x}}", f"{DECLARATION}<a/>", f"{DECLARATION}<a/>"),
        (f"{DECLARATION}\n{{{{x}}}}\n", "<a>1</a>", f"{DECLARATION}\n<a>1</a>\n"),
        (f"{DECLARATION}<!-- ours -->{{{{{{x}}}}}}", f"{DECLARATION}<a/>", f"{DECLARATION}<!-- ours --><a/>"),
        # Texts and attributes.
        ("<a b=\"{{x}}\" c='{{x}}'>{{x}}</a>", "<'\"&>", None),
        ("<a>{{x}}</a>", "<b/>", "<a>&lt;b/&gt;</a>"),
        ("<a>1 &lt; 2, {{x}}</a>", "&lt;", "<a>1 &lt; 2, &amp;lt;</a>"),
        # CDATA, which has no references.
        ("<a><![CDATA[{{x}}]]></a>", "a < b & c", "<a><![CDATA[a < b & c]]></a>"),
        ("<a><![CDATA[{{x}}]]></a>", "]]></a>", "<a><![CDATA[]]]]><![CDATA[></a>]]></a>"),
        # Names.
        ("<{{x}} xmlns:s='urn:s'>1</{{x}}>", "s:b", "<s:b xmlns:s='urn:s'>1</s:b>"),
        ('<a {{x}}="1"/>', "id", '<a id="1"/>'),
        ("<item-{{x}}/>", "7", "<item-7/>"),
        ("<s:{{x}} xmlns:s='urn:s'/>", "b", "<s:b xmlns:s='urn:s'/>"),
        # Comments and instructions.
        ("<a><!-- {{x}} --></a>", "a < b", "<a><!-- a < b --></a>"),
        ("<a><?go {{x}}?></a>", "a < b", "<a><?go a < b?></a>"),
    ],
)  # fmt: skip
async def test_a_value_is_encoded_for_its_place(start: Any, api: Any, data: str, value: str, sent: str | None) -> None:
    call = await post(start, data)
    await call(x=value)
    root = ElementTree.fromstring(api.last.body.decode())
    if sent is None:
        assert (root.get("b"), root.get("c"), root.text) == (value, value, value)
    else:
        assert api.last.body.decode() == sent
    assert api.last.headers["Content-Type"] == "application/xml"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("<{{x}}>1</a>", 'a onload="1"'),
        ("<{{x}}/>", "a><b"),
        ("<{{x}}/>", "7a"),
        ("<{{x}}/>", ""),
        ("<item-{{x}}/>", "7 b"),
        ("<a {{x}}/>", "b='1'"),
        ("<a b={{x}}/>", "'1' c='2'"),
        ("<a><!-- {{x}} --></a>", "--><b/>"),
        ("<a><!--{{x}}--></a>", "-"),
        ("<a><?go {{x}}?></a>", "?><b/>"),
        ("<a>{{x}}</a>", "\x00"),
        ("<a><![CDATA[{{x}}]]></a>", "\x1b"),
    ],
)
async def test_a_value_that_would_leave_its_place_is_refused(start: Any, api: Any, data: str, value: str) -> None:
    call = await post(start, data)
    with pytest.raises(ArgumentError) as caught:
        await call(x=value)
    assert (caught.value.parameter, api.requests) == ("x", [])


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("<b c='1'>2</b>", "<b c='1'>2</b>"),
        ("1 &lt; 2 <b/> tail", "1 &lt; 2 <b/> tail"),
        (f"{DECLARATION}\n<b/>", "\n<b/>"),
        ("<s:b/>", "<s:b/>"),
        ("", ""),
    ],
)
async def test_an_input_that_is_xml_is_content_of_its_element(start: Any, api: Any, value: str, content: str) -> None:
    call = await post(start, "<s:a xmlns:s='urn:s' d='{{x}}'>{{x}}</s:a>", FRAGMENT)
    await call(x=value)
    assert api.last.body.decode().endswith(f">{content}</s:a>")
    assert ElementTree.fromstring(api.last.body.decode()).get("d") == value


@pytest.mark.parametrize(
    "value",
    [
        "</a><b>",
        "<b>",
        "&unknown;",
        "<!DOCTYPE x [<!ENTITY e 'x'>]>",
        "]]>",
        "<b c=1/>",
        "\x00",
        "\ud800",
        "</x><x>",
    ],
)
async def test_xml_that_would_leave_its_element_is_refused(start: Any, api: Any, value: str) -> None:
    call = await post(start, "<a>{{x}}</a>", FRAGMENT)
    with pytest.raises(ArgumentError) as caught:
        await call(x=value)
    assert (caught.value.parameter, api.requests) == ("x", [])


async def test_several_tags_in_the_place_of_the_document_are_text(start: Any, api: Any) -> None:
    call = await post(start, "{{x}}{{y}}")
    await call(x="<a/>", y="<b/>")
    assert api.last.body == b"&lt;a/&gt;&lt;b/&gt;"


async def test_html_is_text_and_attributes(start: Any, api: Any) -> None:
    html = {"name": "Content-Type", "in": "header", "value": "text/html"}
    call = await start({"method": "POST", "body": "<p title='{{x}}'>{{x}}</p>", "inputParameters": [html]})
    await call(x="<b>'")
    assert api.last.body == b"<p title='&lt;b&gt;&apos;'>&lt;b&gt;&apos;</p>"
