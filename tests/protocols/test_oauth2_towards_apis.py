"""OAuth 2.0 towards APIs: consumers of every type request, share, replace and hide tokens in the same way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from adapter_host import (
    Host,
    MemoryStateStore,
    OperationError,
    Plugins,
    ProblemsError,
    RegisterStateStore,
    Settings,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    hookimpl,
)
from tests.support.forward_proxy import forward_proxy

from .protected_apis import GrpcApi, HttpApi, McpApi, ProtectedApi, TokenServer

KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
SECRETS = {"ID": "clerk", "SECRET": "s3cr3t"}
CLIENT = {"id": "{{ID}}", "secret": "{{SECRET}}"}
BINDS = [{"namespace": "env", "keys": {name: name for name in SECRETS}}]

Start = Callable[..., Awaitable[Host]]


@pytest.fixture
async def tokens() -> AsyncIterator[TokenServer]:
    async with TokenServer().serving() as server:
        yield server


@pytest.fixture(params=["http", "grpc", "mcp"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProtectedApi]:
    makers: dict[str, Callable[[], ProtectedApi]] = {"http": HttpApi, "grpc": lambda: GrpcApi(tmp_path), "mcp": McpApi}
    api = makers[request.param]()
    async with api.serving():
        yield api


def document(api: ProtectedApi, authentication: Mapping[str, Any], **keys: Any) -> dict[str, Any]:
    consumed = {"namespace": "api", **api.entry(), "authentication": dict(authentication), **keys}
    return {"naftiko": "1.0.0-alpha2", "binds": BINDS, "capability": {"consumes": [consumed]}}


@pytest.fixture
async def start(api: ProtectedApi, tokens: TokenServer) -> AsyncIterator[Start]:
    """Start hosts that call the API; the definitions of the API are read while it accepts everything."""
    store = MemoryStateStore()

    class SharedStore(MemoryStateStore):
        is_shared = True

        def __init__(self, url: str, environment: Mapping[str, str]) -> None:
            super().__init__()
            self.__dict__.update(store.__dict__)

    class StorePlugin:
        @hookimpl
        def register_state_stores(self, register: RegisterStateStore) -> None:
            register("shared", SharedStore)

    async with AsyncExitStack() as stack:

        async def start(
            settings: Mapping[str, Any] | None = None, authentication: Mapping[str, Any] | None = None, **keys: Any
        ) -> Host:
            declared = {"type": "oauth2", "tokenEndpoint": tokens.url, "x-client": CLIENT, **(authentication or {})}
            source = document(api, declared, **keys)
            plain = document(api, {"type": "bearer", "token": "discovery"})
            accepts, api.accepts = api.accepts, lambda _: True
            definitions = await api.definitions(plain, Settings(environment={}))
            api.accepts, sent = accepts, len(api.sent)
            del api.sent[:sent]
            plugins = Plugins.installed()
            plugins.register("stores", StorePlugin())
            environment = {**SECRETS, "ADAPTER_HOST_STATE_KEY": KEY}
            given = {"environment": environment, "discovered": definitions, **(settings or {})}
            return await stack.enter_async_context(Host(source, plugins=plugins, settings=Settings(**given)))

        yield start


async def call(host: Host, api: ProtectedApi, text: str = "hello") -> Any:
    return (await host.call(api.operation, {"text": text})).data


async def test_token_is_requested_once(start: Start, api: ProtectedApi, tokens: TokenServer) -> None:
    host = await start(authentication={"scopes": ["read", "write"], "resource": "https://api.example", "audience": "a"})
    assert await asyncio.gather(*(call(host, api) for _ in range(5))) == [await call(host, api)] * 5
    assert api.distinct == ["Bearer t1"]
    targets = {"resource": ["https://api.example"], "audience": ["a"]}
    assert tokens.requests == [{"grant_type": ["client_credentials"], "scope": ["read write"], **targets}]


async def test_token_is_replaced_when_it_expires(start: Start, api: ProtectedApi, tokens: TokenServer) -> None:
    tokens.expires_in = 0
    host = await start()
    await call(host, api)
    before = tokens.issued
    await call(host, api)
    assert tokens.issued == before + 1
    assert api.sent[-1] == f"Bearer t{tokens.issued}"


async def test_rejected_token_is_replaced_once_and_nothing_is_executed_twice(
    start: Start, api: ProtectedApi, tokens: TokenServer
) -> None:
    host = await start()
    await call(host, api)
    api.accepts = lambda authorization: authorization != "Bearer t1"
    await asyncio.gather(*(call(host, api) for _ in range(10)))
    assert (tokens.issued, api.executed) == (2, 11)
    assert api.distinct == ["Bearer t1", "Bearer t2"]


async def test_second_rejection_is_that_of_the_api(
    start: Start, api: ProtectedApi, tokens: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    host = await start()
    await call(host, api)
    api.accepts, before = lambda _: False, len(api.sent)
    for _ in range(3):
        with pytest.raises(UpstreamStatusError) as caught:
            await call(host, api)
        assert caught.value.upstream_status == 401
    assert (len(api.sent) - before, api.executed) == (6, 1)
    status = "UNAUTHENTICATED" if isinstance(api, GrpcApi) else "401"
    expected = f"upstream 'api' responded {status} to the host's own credential; check the bind of 'env.ID'"
    assert caplog.messages.count(expected) == 1


async def test_replicas_share_one_token(start: Start, api: ProtectedApi, tokens: TokenServer) -> None:
    hosts = [await start({"state": "shared:"}) for _ in range(2)]
    await asyncio.gather(*(call(host, api) for host in hosts * 3))
    assert (tokens.issued, api.distinct) == (1, ["Bearer t1"])
    api.accepts = lambda authorization: authorization != "Bearer t1"
    await asyncio.gather(*(call(host, api) for host in hosts * 3))
    assert (tokens.issued, api.executed) == (2, 12)


async def test_refused_client(
    start: Start, api: ProtectedApi, tokens: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens.client = ("clerk", "another")
    host = await start()
    with pytest.raises(UpstreamInvalidError) as caught:
        await call(host, api)
    assert caught.value.message == "the authorization server of 'api' issued no token (status 401: invalid_client)"
    assert (caught.value.sent, api.sent) == (False, [])
    assert "s3cr3t" not in caplog.text


async def test_authorization_server_that_is_away_or_slow(start: Start, api: ProtectedApi, tokens: TokenServer) -> None:
    with pytest.raises(UpstreamUnreachableError) as caught:
        await call(await start(authentication={"tokenEndpoint": "http://127.0.0.1:1/token"}), api)
    reason = "the authorization server of 'api' cannot be reached; the request was not sent"
    assert (caught.value.message, caught.value.sent) == (reason, False)
    tokens.held = asyncio.Event()
    with pytest.raises(UpstreamTimeoutError, match=r"the authorization server of 'api' did not respond within") as late:
        await call(await start(**{"x-timeout": {"total": 1.0}}), api)
    assert (late.value.sent, api.sent) == (False, [])
    tokens.held.set()


async def test_api_is_called_again_when_its_authorization_server_is_back(
    start: Start, api: ProtectedApi, tokens: TokenServer
) -> None:
    tokens.client = ("clerk", "another")
    host = await start()
    with pytest.raises(OperationError):
        await call(host, api)
    tokens.client = ("clerk", "s3cr3t")
    await call(host, api)
    assert api.executed == 1


async def test_secrets_and_tokens_are_never_logged(
    start: Start, api: ProtectedApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host = await start()
    api.accepts = lambda authorization: authorization == "Bearer t2"
    await call(host, api)
    assert api.sent[-1] == "Bearer t2"
    assert not any(secret in caplog.text for secret in ("s3cr3t", "Bearer t", "'t1'", "'t2'"))


async def test_tokens_are_requested_through_the_proxy_of_the_api(
    start: Start, api: ProtectedApi, tokens: TokenServer
) -> None:
    async with forward_proxy(socks=True) as proxy:
        port = tokens.url.split(":")[2]
        authentication = {"tokenEndpoint": f"http://localhost:{port}"}
        host = await start(authentication=authentication, **{"x-proxy": f"socks5h://127.0.0.1:{proxy.port}"})
        await call(host, api)
        assert f"localhost:{port.partition('/')[0]}" in proxy.targets
    assert tokens.issued == 1


@pytest.mark.parametrize(
    ("authentication", "code"),
    [
        pytest.param({"tokenEndpoint": ""}, "missing-key", id="no server"),
        pytest.param({"tokenEndpoint": "http://login.example/t"}, "insecure", id="http"),
        pytest.param({"x-client": {"id": "", "secret": "s"}}, "credential", id="empty id"),
        pytest.param({"x-client": {"id": "i", "secrt": "s"}}, "unknown-key", id="unknown key"),
        pytest.param({"type": "mutualTLS"}, "unsupported", id="type"),
        pytest.param({"type": "bearer", "token": "a\nb"}, "credential", id="control character"),
        pytest.param({"type": "apikey", "key": "a b", "value": "c"}, "header-name", id="name of a header"),
        pytest.param({"type": "basic", "username": "a:b", "password": "c"}, "credential", id="user name"),
    ],
)
async def test_mistakes_of_the_document(start: Start, authentication: dict[str, Any], code: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        await start(authentication=authentication)
    assert [problem.code for problem in caught.value.problems if not problem.warning] == [code]


async def test_stream_is_called_again_only_before_its_first_message(
    start: Start, api: ProtectedApi, tokens: TokenServer
) -> None:
    if not isinstance(api, GrpcApi):
        pytest.skip("only gRPC has a status after the messages of a stream")
    host = await start()
    api.accepts = lambda authorization: authorization != "Bearer t1"
    assert (await host.call("api.Notes.Watch", {"text": "a"})).data == [{"text": "a"}]
    api.accepts, api.responses_before_the_refusal, sent = lambda _: False, 1, len(api.sent)
    with pytest.raises(UpstreamStatusError):
        await host.call("api.Notes.Watch", {"text": "a"})
    assert (len(api.sent) - sent, tokens.issued) == (1, 2)
