"""Approvals by the person at an MCP client, with the official client in both eras, and without elicitation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from mcp import Client
from mcp_types import CallToolResult, ElicitResult, TextContent

from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.features.approvals import UNDECIDED
from adapter_host_mcp.sdk.handlers import add_tool_calls

from .conftest import APPROVED, INPUTS, PAGE, REFUND, Shop, serving

MODES = ["legacy", "2026-07-28"]
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
}
QUESTION = 'Approve this call of \'refund\' (Shop)?\nPOST (shop.refund)\n{\n  "order": "A-1",\n  "amount": 250\n}'


def mcp(keys: Mapping[str, Any] = APPROVED, **config: Any) -> dict[str, Any]:
    """Return an MCP exposer of the refunds."""
    tool = {"name": "refund", "description": "Refunds", "call": "shop.refund", "inputParameters": INPUTS, **keys}
    return {"type": "mcp", "namespace": "mcp", "port": 0, "tools": [tool], **config}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with serving(mcp(), PAGE) as shop:
        yield shop


class Person:
    """The person at a client: responds to each question with one of the results, in order."""

    def __init__(self, *results: ElicitResult) -> None:
        self.results = list(results)
        self.questions: list[Any] = []

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        self.questions.append(params)
        return self.results.pop(0)


YES = ElicitResult(action="accept", content={"approve": True})
NO = ElicitResult(action="accept", content={"approve": False})
DECLINE, CANCEL = ElicitResult(action="decline"), ElicitResult(action="cancel")


async def call(shop: Shop, mode: str, person: Person | None) -> CallToolResult:
    async with Client(shop.served.url("mcp"), mode=mode, elicitation_callback=person) as client:
        return await client.call_tool("refund", REFUND)


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("mode", MODES)
async def test_person_at_the_client_approves(shop: Shop, mode: str) -> None:
    person = Person(YES)
    result = await call(shop, mode, person)
    assert (result.is_error, result.structured_content) == (False, REFUND)
    (question,) = person.questions
    assert (question.mode, question.message) == ("form", QUESTION)
    assert question.requested_schema["properties"]["approve"]["type"] == "boolean"
    assert shop.calls == [REFUND]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("no", [NO, DECLINE])
async def test_person_at_the_client_denies(shop: Shop, mode: str, no: ElicitResult) -> None:
    person = Person(no, YES)
    for _ in range(2):
        result = await call(shop, mode, person)
        assert result.is_error
        assert text_of(result) == "a person has denied this call; do not repeat it"
    assert len(person.questions) == 1
    assert shop.calls == []


@pytest.mark.parametrize("mode", MODES)
async def test_person_at_the_client_decides_later(shop: Shop, mode: str) -> None:
    person = Person(CANCEL, YES)
    first = await call(shop, mode, person)
    assert (first.is_error, text_of(first)) == (True, UNDECIDED)
    assert shop.calls == []
    assert not (await call(shop, mode, person)).is_error
    assert shop.calls == [REFUND]


@pytest.mark.parametrize("mode", MODES)
async def test_client_without_elicitation_gets_the_page(shop: Shop, mode: str) -> None:
    result = await call(shop, mode, None)
    assert result.is_error
    url = text_of(result).partition("ask for it at ")[2].partition(";")[0]
    assert url.startswith(shop.served.url("page"))
    assert await shop.decide(url) == 200
    assert not (await call(shop, mode, None)).is_error
    assert shop.calls == [REFUND]


@pytest.mark.parametrize("mode", MODES)
async def test_client_that_can_do_nothing_is_refused_with_the_reason(mode: str) -> None:
    async with serving(mcp()) as shop:
        result = await call(shop, mode, None)
        assert text_of(result) == (
            "a person must approve 'refund' before it is called: "
            "this client cannot ask one (MCP elicitation), and the host serves no page for it"
        )
        assert shop.calls == []


@pytest.mark.parametrize("mode", MODES)
async def test_only_the_page_decides(mode: str) -> None:
    """With `ask: page`, the client opens the page, and its consent to that is no approval."""
    async with serving(mcp({"x-approval": {"ask": "page"}}), PAGE) as shop:
        person = Person(ElicitResult(action="accept"), ElicitResult(action="accept"))
        result = await call(shop, mode, person)
        assert result.is_error
        (question,) = person.questions
        assert question.mode == "url"
        assert question.url.startswith(shop.served.url("page"))
        assert shop.calls == []
        await shop.decide(question.url)
        assert not (await call(shop, mode, person)).is_error
        assert shop.calls == [REFUND]


@pytest.mark.parametrize("mode", MODES)
async def test_tool_that_is_called_through_another_waits(mode: str) -> None:
    async with serving({**mcp(), "x-discovery": "search"}, PAGE) as shop:
        person = Person(YES)
        async with Client(shop.served.url("mcp"), mode=mode, elicitation_callback=person) as client:
            result = await client.call_tool("call_tool", {"name": "refund", "arguments": REFUND})
        assert not result.is_error
        assert [question.message for question in person.questions] == [QUESTION]
        assert shop.calls == [REFUND]


@pytest.mark.parametrize("mode", MODES)
async def test_handlers_of_standard_input_and_output(shop: Shop, mode: str) -> None:
    exposer = shop.served.host.plans[0].exposers[0].exposer
    assert isinstance(exposer, McpExposer)
    server = exposer.build_server()
    add_tool_calls(server, exposer.tools, lambda sent: exposer.context.call("stdio", request_id=sent))
    person = Person(YES, CANCEL, DECLINE)
    async with Client(server, mode=mode, elicitation_callback=person) as client:
        assert (await client.call_tool("refund", REFUND)).structured_content == REFUND
        assert text_of(await client.call_tool("refund", REFUND)) == UNDECIDED
        assert (await client.call_tool("refund", REFUND)).is_error
    assert [question.message for question in person.questions] == [QUESTION] * 3
    assert shop.calls == [REFUND]


async def post(shop: Shop, params: Mapping[str, Any]) -> dict[str, Any]:
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "refund",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "refund", "_meta": META, **params}}
    async with shop.session.post(shop.served.url("mcp"), json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
        result: dict[str, Any] = (await response.json())["result"]
        return result


async def test_rounds_of_a_request(shop: Shop) -> None:
    """The state of a question is sealed: for other arguments, or used before, it is refused with one wording."""
    first = await post(shop, {"arguments": REFUND})
    assert first["resultType"] == "input_required"
    assert list(first["inputRequests"]) == ["approval"]
    assert first["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "mcp"
    state = first["requestState"]
    decided = {
        "requestState": state,
        "inputResponses": {"approval": {"action": "accept", "content": {"approve": True}}},
    }
    other = {"order": "A-2", "amount": 250}
    texts = []
    for arguments, changes in ((other, {}), (REFUND, {"requestState": f"{state[:-1]}x"})):
        result = await post(shop, {"arguments": arguments, **decided, **changes})
        assert (result["resultType"], result["isError"]) == ("complete", True)
        texts.append(result["content"][0]["text"])
    assert shop.calls == []
    assert (await post(shop, {"arguments": REFUND, **decided}))["structuredContent"] == REFUND
    texts.append((await post(shop, {"arguments": REFUND, **decided}))["content"][0]["text"])
    assert len(set(texts)) == 1
    assert texts[0].startswith("the approval is not valid")
    assert shop.calls == [REFUND]


async def test_calls_without_approval_are_as_before(shop: Shop) -> None:
    """Responses to questions that nobody has asked are ignored."""
    async with serving(mcp({})) as free:
        extra = {
            "inputResponses": {"approval": {"action": "accept", "content": {"approve": True}}},
            "requestState": "x",
        }
        assert (await post(free, {"arguments": REFUND, **extra}))["structuredContent"] == REFUND


async def test_page_names_the_caller() -> None:
    key = {"type": "bearer", "token": "s3cret"}
    async with serving(mcp(authentication=key), PAGE) as shop:
        headers = {"Authorization": "Bearer s3cret"}
        async with aiohttp.ClientSession(headers=headers) as session:
            body = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "refund", "arguments": REFUND},
            }
            accept = {"Accept": "application/json"}
            async with session.post(shop.served.url("mcp"), json=body, headers=accept) as response:
                text = (await response.json())["result"]["content"][0]["text"]
        assert "ask for it at" in text
        html, _, _ = await shop.page(text.partition("ask for it at ")[2].partition(";")[0])
        assert "a client with a shared credential" in html


@pytest.mark.parametrize("mode", MODES)
async def test_included_tools_need_the_approvals_of_their_own_exposer(mode: str) -> None:
    desk = {
        "type": "mcp",
        "namespace": "desk",
        "port": 0,
        "tools": [],
        "x-include": [{"namespace": "mcp", "prefix": "s_"}],
    }
    async with serving(mcp(), desk, PAGE) as shop:
        person = Person(YES)
        async with Client(shop.served.url("desk"), mode=mode, elicitation_callback=person) as client:
            result = await client.call_tool("s_refund", REFUND)
        assert (result.is_error, result.structured_content) == (False, REFUND)
        assert [question.message for question in person.questions] == [QUESTION]
        async with Client(shop.served.url("desk"), mode=mode) as client:
            refused = await client.call_tool("s_refund", {**REFUND, "amount": 1})
        assert refused.is_error
        assert shop.calls == [REFUND]
