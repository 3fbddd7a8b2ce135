"""Numbers with more digits than a float or 64 bits hold keep them, in arguments and in results."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from adapter_host import Input, decode_json, encode_json, parse_json, text_of
from tests.support.rest_and_mcp import given, offering, operation, resource, tool

LONG = [
    "123456789012345678901234567890",
    "-18446744073709551617",
    "12345678901234567.89",
    "-0.1234567890123456789012345",
    "9007199254740993.5",
    "1.2345678901234567890e10",
]
SHORT = ["1", "-7", "0.1", "0.30000000000000004", "18446744073709551615", "1e5", "13.404953999999975"]


@pytest.mark.parametrize("number", [*LONG, *SHORT])
@pytest.mark.parametrize("parse", [parse_json, decode_json])
def test_json_keeps_digits(number: str, parse: Any) -> None:
    text = f'{{"a":[{number},{{"b":{number}}}],"c":"192.168.100.200.300"}}'
    data = parse(text.encode())
    assert json.loads(encode_json(data), parse_float=Decimal) == json.loads(text, parse_float=Decimal)
    assert encode_json(copy.deepcopy(data)) == encode_json(data)
    assert Decimal(text_of(data["a"][0])) == Decimal(number)


@examples(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_json_keeps_digits_of_every_decimal(number: Decimal) -> None:
    text = f"[{number:f}]"
    assert json.loads(encode_json(parse_json(text)), parse_float=Decimal) == json.loads(text, parse_float=Decimal)


@pytest.mark.parametrize("number", [each for each in LONG if "e" not in each])
async def test_arguments_keep_digits(number: str) -> None:
    inputs = [given("n", "query", type="number"), given("m", "body", type="number"), given("o", "body", type="object")]
    consumed = resource("/a", operation(method="POST", inputParameters=inputs))
    rest = [resource("/a", operation(method="POST", call="api.do"))]
    async with offering(consumed, rest=rest, tools=[tool(call="api.do")]) as offered:
        body = f'{{"m":{number},"o":{{"deep":[{number}]}}}}'
        await offered.rest("POST", f"/a?n={number}", data=body, headers={"Content-Type": "application/json"})
        call = '{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"do","arguments":{"n":%s,%s}}}'
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                offered.served.url("agent"), data=call % (2**70, number, body[1:-1]), headers=headers
            ) as reply,
        ):
            assert f'"id":{2**70}' in await reply.text()
        for received in offered.api.seen:
            assert received.target == f"/a?n={number}"
            assert received.body == body.encode()
    assert len(offered.api.seen) == 2


@pytest.mark.parametrize("number", LONG)
@pytest.mark.parametrize("mapped", [True, False])
async def test_results_keep_digits(number: str, mapped: bool) -> None:
    outputs = {"outputParameters": [{"type": "object", "properties": {"n": {"type": "number", "mapping": "$.n"}}}]}
    exposed: dict[str, Any] = {"call": "api.do", **(outputs if mapped else {})}
    rest = [resource("/a", operation(**exposed))]
    async with offering(resource("/a", operation()), rest=rest, tools=[tool(**exposed)]) as offered:
        offered.respond_with(f'{{"n":{number}}}')
        response = await offered.rest("GET", "/a")
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "do", "arguments": {}}}
        headers = {"Accept": "application/json, text/event-stream"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(offered.served.url("agent"), json=call, headers=headers) as reply,
        ):
            result = json.loads(await reply.text(), parse_float=Decimal)["result"]
    expected = {"n": json.loads(number, parse_float=Decimal)}
    assert json.loads(response.body, parse_float=Decimal) == expected
    assert result["structuredContent"] == expected
    assert json.loads(result["content"][0]["text"], parse_float=Decimal) == expected


@pytest.mark.parametrize(
    ("text", "sent"),
    [("+12345678901234567.89", "12345678901234567.89"), ("-0012345678901234567.890", "-12345678901234567.890")],
)
def test_numbers_in_text_become_numbers_of_json(text: str, sent: str) -> None:
    assert text_of(Input("x", "number").parse(text)) == sent
