"""Callers of the other exposers are refused with words and the URL of the page, and repeat the call."""

from __future__ import annotations

import re
from typing import Any

import grpc
import pytest

from .conftest import APPROVED, PAGE, REFUND, Shop, serving

OPERATION = {"name": "refund", "description": "Refunds", "call": "shop.refund", **APPROVED}
URL = re.compile(r"ask for it at (\S+); then repeat the call")


async def approve(shop: Shop, message: str) -> None:
    found = URL.search(message)
    assert found is not None, message
    assert shop.calls == []
    assert await shop.decide(found[1]) == 200


async def test_graphql() -> None:
    exposer = {"type": "graphql", "namespace": "front", "port": 0, "operations": [{**OPERATION, "kind": "mutation"}]}
    query = {"query": 'mutation { refund(order: "A-1", amount: 250) }'}
    async with serving(exposer, PAGE) as shop:

        async def call() -> Any:
            async with shop.session.post(shop.served.url("front"), json=query) as response:
                return await response.json()

        (error,) = (await call())["errors"]
        assert error["extensions"]["code"] == "APPROVAL_REQUIRED"
        assert error["extensions"]["approval"]["url"] in error["message"]
        await approve(shop, error["message"])
        assert "errors" not in await call()
        assert shop.calls == [REFUND]


async def test_a2a() -> None:
    exposer = {"type": "a2a", "namespace": "front", "port": 0, "skills": [OPERATION]}
    part = {"data": {"skill": "refund", "arguments": REFUND}}
    message = {"messageId": "m-1", "role": "ROLE_USER", "parts": [part]}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    async with serving(exposer, PAGE) as shop:

        async def call() -> Any:
            headers = {"A2A-Version": "1.0"}
            async with shop.session.post(shop.served.url("front"), json=body, headers=headers) as response:
                return (await response.json())["result"]["task"]["status"]

        status = await call()
        assert status["state"] == "TASK_STATE_REJECTED"
        await approve(shop, status["message"]["parts"][0]["text"])
        assert (await call())["state"] == "TASK_STATE_COMPLETED"
        assert shop.calls == [REFUND]


async def test_grpc() -> None:
    exposer = {"type": "grpc", "namespace": "front", "port": 0, "package": "shop", "service": "Shop"}
    operation = {**OPERATION, "inputParameters": [{"name": "order", "type": "string"}]}
    async with serving({**exposer, "operations": [operation]}, PAGE) as shop:
        address = shop.served.url("front").rpartition("//")[2]
        async with grpc.aio.insecure_channel(address) as channel:
            refund: Any = channel.unary_unary("/shop.Shop/Refund")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await refund(b"\x0a\x03A-1")
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
            await approve(shop, caught.value.details() or "")
            await refund(b"\x0a\x03A-1")
            assert [arguments["order"] for arguments in shop.calls] == ["A-1"]
