"""One rule for REST and MCP: undeclared arguments are rejected, and nothing is sent."""

from __future__ import annotations

from tests.support.rest_and_mcp import given, offering, operation, resource, tool


async def test_undeclared_argument_is_rejected_over_rest_and_mcp() -> None:
    inputs = [given("id", "path"), given("size", "body", type="integer")]
    consumed = [
        resource("/things/{{id}}", operation("change", "PUT", inputParameters=inputs), name="things"),
        resource("/things/{{id}}/stop", operation("stop", "POST", inputParameters=inputs[:1]), name="stops"),
    ]
    rest = [
        resource("/things/{id}", operation("change", "PUT", call="api.change")),
        resource("/things/{id}/stop", operation("stop", "POST", call="api.stop", inputParameters=[])),
    ]
    tools = [tool("change", call="api.change"), tool("stop", call="api.stop")]
    async with offering(*consumed, rest=rest, tools=tools) as offered:
        received = await offered.rest("PUT", "/things/7", json={"size": 1, "colour": "red"})
        called = await offered.tool("change", {"id": "7", "size": 1, "colour": "red"})
        stopped = await offered.rest("POST", "/things/7/stop", json={"force": True})
        called_stop = await offered.tool("stop", {"id": "7", "force": True})
        assert offered.api.seen == []
        accepted = await offered.rest("PUT", "/things/7", json={"size": 1})
    assert (received.status, received.data["parameter"]) == (400, "colour")
    assert "'colour'" in received.data["detail"]
    assert called.failed
    assert "'colour'" in called.text
    assert (stopped.status, stopped.data["parameter"]) == (400, "body")
    assert called_stop.failed
    assert "'force'" in called_stop.text
    assert accepted.status == 200
