"""A server that rejects the host's own credential is named in the log, once a minute."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapter_host import Settings, UpstreamError, discover


@pytest.mark.parametrize("status", [401, 403])
async def test_rejected_credential(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_route("*", "/mcp", refuse)
    async with TestServer(app) as server:
        authentication = {"type": "bearer", "token": "{{env.TOKEN}}"}
        entry = {
            "type": "mcp", "namespace": "api", "url": str(server.make_url("/mcp")), "authentication": authentication,
        }  # fmt: skip
        binds = [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}]
        source = {"naftiko": "1.0.0-alpha2", "binds": binds, "capability": {"consumes": [entry]}}
        with pytest.raises(UpstreamError):
            await discover(source, settings=Settings(environment={"TOKEN": "s3cr3t"}))
    expected = f"upstream 'api' responded {status} to the host's own credential; check the bind of 'env.TOKEN'"
    assert [record.getMessage() for record in caplog.records].count(expected) == 1
    assert "s3cr3t" not in caplog.text
