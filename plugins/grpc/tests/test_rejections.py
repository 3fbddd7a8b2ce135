"""An API that rejects the host's own credential is named in the log, once a minute."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import grpc
import pytest
from adapter_host import Host, Settings, UpstreamStatusError, discover

from .shop import Abort, serving


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED])
async def test_rejected_credential(code: grpc.StatusCode, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(_: Any) -> Any:
        raise Abort(code, "no")

    secrets = {"TOKEN": "s3cr3t"}
    async with serving() as shop:
        authentication = {"type": "bearer", "token": "{{env.TOKEN}}"}
        consumed = {"type": "grpc", "namespace": "shop", "baseUri": shop.url, "authentication": authentication}
        binds = [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}]
        source = {"naftiko": "1.0.0-alpha2", "binds": binds, "capability": {"consumes": [consumed]}}
        definitions = await discover(source, settings=Settings(environment=secrets))
        shop.respond = refuse
        async with Host(source, settings=Settings(discovered=definitions, environment=secrets)) as host:
            for _ in range(3):
                with suppress(UpstreamStatusError):
                    await host.call("shop.Shop.Echo", {"small": 0.5})
    messages = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    expected = f"upstream 'shop' responded {code.name} to the host's own credential; check the bind of 'env.TOKEN'"
    assert messages == [expected]
    assert "s3cr3t" not in caplog.text
