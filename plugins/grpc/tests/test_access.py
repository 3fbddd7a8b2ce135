"""Credentials in the metadata of calls, and the context of calls."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from adapter_host import (
    TRACE_CONTEXT,
    BuildContext,
    Call,
    CallContext,
    Operation,
    Plugins,
    ProblemsError,
    current_call,
    hookimpl,
)
from adapter_host.testing import running
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.certificates import CLIENT_AUTHORITY, issue, server_files, write_authority

from .conftest import build, channel_to, document

ENVIRONMENT = {"TOKEN": "a-secret"}
OPERATION = {"name": "read", "outputParameters": [{"type": "string", "value": "fine"}]}
BASIC = base64.b64encode(b"ada:a-secret").decode()

KINDS: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"type": "bearer", "token": "{{env.TOKEN}}"}, ("authorization", "Bearer a-secret")),
    ({"type": "apikey", "key": "X-Key", "value": "{{env.TOKEN}}"}, ("x-key", "a-secret")),
    ({"type": "basic", "username": "ada", "password": "{{env.TOKEN}}"}, ("authorization", f"Basic {BASIC}")),
]


@pytest.mark.parametrize(("authentication", "credential"), KINDS)
async def test_credentials_are_checked(authentication: dict[str, Any], credential: tuple[str, str]) -> None:
    served = running(document(OPERATION, authentication=authentication), environment=ENVIRONMENT)
    async with served as running_host, channel_to(running_host.url("front-door")) as channel:
        invoke: Any = channel.unary_unary("/front_door.FrontDoor/Read")
        name, value = credential
        for metadata in ((), ((name, f"{value}x"),), ((name, ""),), (("x-other", value),)):
            for path in ("FrontDoor/Read", "FrontDoor/Unknown"):
                refused: Any = channel.unary_unary(f"/front_door.{path}")
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await refused(b"", metadata=metadata)
                assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert (await invoke(b"", metadata=(credential,)))[4:] == b"fine"
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == 1


@pytest.mark.parametrize(
    ("clients", "code"), [("cn:robot", grpc.StatusCode.OK), ("cn:other", grpc.StatusCode.PERMISSION_DENIED)]
)
async def test_certificates_of_clients(clients: str, code: grpc.StatusCode, tmp_path: Path) -> None:
    certificate, key = issue(tmp_path, "client", "a@example.org", authority=CLIENT_AUTHORITY, common_name="robot")
    trusted = grpc.ssl_channel_credentials(
        write_authority(tmp_path).read_bytes(), key.read_bytes(), certificate.read_bytes()
    )
    authentication = {"type": "mutualTLS", "clients": [clients]}
    tls = server_files(tmp_path, clients=True)
    async with running(document(OPERATION, authentication=authentication), tls=tls) as served:
        address = served.url("front-door").removeprefix("grpcs://")
        async with grpc.aio.secure_channel(address, trusted) as channel:
            invoke: Any = channel.unary_unary("/front_door.FrontDoor/Read")
            call = invoke(b"")
            assert await call.code() is code


def test_credentials_in_a_query_are_a_problem() -> None:
    authentication = {"type": "apikey", "key": "k", "value": "{{env.TOKEN}}", "placement": "query"}
    with pytest.raises(ProblemsError, match="calls have metadata and no query, so use 'header'"):
        build(document(OPERATION, authentication=authentication), environment=ENVIRONMENT)


class Recorder:
    """A plugin that records the context of calls."""

    def __init__(self) -> None:
        self.contexts: list[tuple[CallContext, Any]] = []

    @hookimpl
    def operation_wrapper(self, operation: Operation, context: BuildContext) -> Callable[[Call], Call]:
        def wrap(call: Call) -> Call:
            async def recorded(arguments: Any) -> Any:
                self.contexts.append((current_call(), TRACE_CONTEXT.get()))
                return await call(arguments)

            return recorded

        return wrap


async def test_wrappers_see_the_caller_and_the_trace() -> None:
    recorder, plugins = Recorder(), Plugins.installed()
    plugins.register("recorder", recorder)
    authentication = KINDS[2][0]
    host = running(document(OPERATION, authentication=authentication), environment=ENVIRONMENT, plugins=plugins)
    async with host as served, channel_to(served.url("front-door")) as channel:
        invoke: Any = channel.unary_unary("/front_door.FrontDoor/Read")
        await invoke(b"", metadata=(KINDS[2][1], ("traceparent", "00-1-2-01")))
    ((context, trace),) = recorder.contexts
    assert context.principal is not None
    assert context.principal.subject == "ada"
    assert (context.exposer, context.exposer_type, context.transport) == ("front-door", "grpc", "grpc")
    assert (context.client_address, trace) == ("127.0.0.1", {"traceparent": "00-1-2-01"})
    assert context.request_id
