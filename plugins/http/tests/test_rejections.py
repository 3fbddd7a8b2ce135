"""An API that rejects the host's own credential is named in the log, and the request id that it receives."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict

from adapter_host import UpstreamCredential, UpstreamStatusError
from adapter_host_http.rejections import Rejections
from adapter_host_http.request.request import Request

BEARER = {"type": "bearer", "token": "{{TOKEN}}"}
SECRETS = {"TOKEN": "s3cr3t", "PASSWORD": "s3cr3t", "USER": "us3r"}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("authentication", "source"),
    [
        (BEARER, "the bind of 'env.TOKEN'"),
        ({"type": "apikey", "key": "X-Key", "value": "{{TOKEN}}"}, "the bind of 'env.TOKEN'"),
        ({"type": "apikey", "key": "k", "value": "{{TOKEN}}", "placement": "query"}, "the bind of 'env.TOKEN'"),
        (
            {"type": "basic", "username": "{{USER}}", "password": "{{PASSWORD}}"},
            "the bind of 'env.USER' and 'env.PASSWORD'",
        ),
        ({"type": "bearer", "token": "s3cr3t"}, "'authentication' in the document"),
    ],
)
async def test_rejected_credential(
    start: Any, api: Any, caplog: pytest.LogCaptureFixture, status: int, authentication: Any, source: str
) -> None:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(status=status)

    api.reply = reply
    call = await start(authentication=authentication, secrets=SECRETS)
    for _ in range(3):
        with suppress(UpstreamStatusError):
            await call()
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert messages == [f"upstream 'api' responded {status} to the host's own credential; check {source}"]
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize(("authentication", "status"), [(None, 401), (BEARER, 404), (BEARER, 500)])
async def test_other_errors_are_no_rejected_credential(
    start: Any, api: Any, caplog: pytest.LogCaptureFixture, authentication: Any, status: int
) -> None:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(status=status)

    api.reply = reply
    call = await start(**({"authentication": authentication} if authentication else {}), secrets=SECRETS)
    with pytest.raises(UpstreamStatusError):
        await call()
    assert "credential" not in caplog.text


def test_warnings_of_a_minute_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    times = iter((0.0, 30.0, 59.0, 60.0, 61.0))
    credential = UpstreamCredential("header", "Authorization", "", "Bearer {{env.TOKEN}}")
    log = Rejections("api", credential, times.__next__)
    request = Request.from_headers("/", CIMultiDict(), None, pass_through=False, accept_codings=False)
    for _ in range(5):
        log.report(401, request)
    assert [record.getMessage() for record in caplog.records] == [
        "upstream 'api' responded 401 to the host's own credential; check the bind of 'env.TOKEN'",
        "upstream 'api' responded 401 to the host's own credential (and 2 more times since the last warning);"
        " check the bind of 'env.TOKEN'",
    ]


async def test_request_id_is_sent_on_request(start: Any, api: Any) -> None:
    call = await start(**{"x-request-id": True})
    await call()
    await call()
    first, second = (request.headers["X-Request-Id"] for request in api.requests)
    assert len(first) == len(second) == 16
    assert first != second
    await (await start())()
    assert "X-Request-Id" not in api.last.headers
