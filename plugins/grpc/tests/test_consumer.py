"""Calls of a gRPC API, which grpcio serves."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from adapter_host import (
    ArgumentError,
    Plugins,
    ProblemsError,
    Settings,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    discover,
    hookimpl,
)
from adapter_host.testing import running
from google.rpc import error_details_pb2, status_pb2
from grpc_tools import protoc

from .conftest import ReflectedService, build, channel_to, run_command
from .shop import PROTO, Abort, Shop, serving
from .test_consumer_contract import DEFAULTS


def document(shop: Shop | str, exposes: Any = (), **keys: Any) -> dict[str, Any]:
    url = shop if isinstance(shop, str) else shop.url
    consumed = {"type": "grpc", "namespace": "shop", "baseUri": url, **keys}
    front = {"type": "grpc", "namespace": "front", "port": 0, "operations": [{"name": "watch", "call": "shop.Watch"}]}
    return {
        "naftiko": "1.0.0-alpha2",
        "binds": [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}] if "authentication" in keys else [],
        "capability": {"consumes": [consumed], "exposes": list(exposes) or [front]},
    }


async def discovered(shop: Shop, **keys: Any) -> Mapping[str, Any]:
    settings = Settings(environment={"TOKEN": "a-secret"})
    return await discover(document(shop, **keys), plugins=Plugins.installed(), settings=settings)


async def started(shop: Shop, exposes: Any = (), plugins: Plugins | None = None, **settings: Any) -> Any:
    return running(document(shop, exposes), discovered=await discovered(shop), plugins=plugins, **settings)


ROUND_TRIPS: list[dict[str, Any]] = [
    {"small": 0.5, "ratio": -1.5e300},
    {"text": "x"},
    {"number": 0},
    {"color": "COLOR_RED", "colors": ["COLOR_UNSPECIFIED", "COLOR_RED"]},
    {"flags": {"true": "a", "false": "b"}, "parts": {"-9": {**DEFAULTS, "nick": "x"}}},
    {"parent": {**DEFAULTS, "parent": DEFAULTS}},
    {"createdAt": "2026-11-30T10:00:00.500Z", "age": "1.500s", "mask": "nick,createdAt"},
    {"extra": {"a": [1, None, {"b": True}]}, "anything": None, "list": [1, "x"]},
    {"anything": {"deep": [1.5]}, "maybe": ""},
    {"any": {"@type": "type.googleapis.com/acme.shop.v1.WatchRequest", "times": 3}},
    {"blob": "AP8="},
]


@pytest.mark.parametrize("arguments", ROUND_TRIPS)
async def test_values_arrive_and_return(arguments: dict[str, Any]) -> None:
    async with serving() as shop, await started(shop) as served:
        result = await served.host.call("shop.Shop.Echo", arguments)
        assert result.data == {**DEFAULTS, **arguments}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"id": "x"}, "id"),
    ({"id": 2**63}, "id"),
    ({"serial": -1}, "serial"),
    ({"blob": "%"}, "blob"),
    ({"color": "BLUE"}, "color"),
    ({"tags": [1]}, "tags"),
    ({"counts": {"a": 2**31}}, "counts"),
    ({"parts": {"x": {}}}, "parts"),
    ({"parent": {"id": "x"}}, "parent"),
    ({"parent": {"unknown": 1}}, "parent"),
    ({"createdAt": "yesterday"}, "createdAt"),
    ({"any": {"@type": "type.googleapis.com/unknown.Type"}}, "any"),
    ({"text": "x", "number": 1}, "number"),
]


@pytest.mark.parametrize(("arguments", "name"), MISTAKES)
async def test_invalid_arguments_are_not_sent(arguments: dict[str, Any], name: str) -> None:
    async with serving() as shop, await started(shop) as served:
        (consumer,) = served.host.plans[0].consumers
        echo = next(each for each in consumer.operations() if "shop.Shop.Echo" in each.names)
        with pytest.raises(ArgumentError) as raised:
            await echo.call(arguments)
        assert raised.value.parameter == name
        assert shop.metadata == {}


async def test_schemas(snapshot: Any) -> None:
    async with serving() as shop:
        host = build(document(shop), discovered=await discovered(shop))
        operations = {each.names[-1]: each for each in host.plans[0].consumers[0].operations()}
        assert list(operations) == ["shop.Shop.Echo", "shop.Shop.Watch", "shop.Shop.Clear", "shop.Other.Echo"]
        watch = operations["shop.Shop.Watch"]
        assert watch.output_schema is not None
        inputs = {item.name: item.schema for item in watch.inputs}
        assert json.dumps({"inputs": inputs, "output": watch.output_schema.data}, indent=1) == snapshot


async def test_streams_are_items() -> None:
    async with serving() as shop, await started(shop) as served:
        (consumer,) = served.host.plans[0].consumers
        watch = next(each for each in consumer.operations() if each.name == "Watch")
        result = await watch.call({"times": 1, "thing": {"nick": "wait"}}, stream=True)
        items = result.iter_items()
        assert (await anext(items))["id"] == 0
        await items.aclose()
        assert await asyncio.to_thread(shop.closed.wait, 10)


async def test_streams_pass_through_the_exposer() -> None:
    async with (
        serving() as shop,
        await started(shop) as served,
        channel_to(served.url("front")) as channel,
    ):
        method, invoke = (await ReflectedService.connect(channel)).method("Watch")
        assert method.server_streaming
        request: Any = method.input_type
        assert [field.name for field in request.fields][:2] == ["times", "thing"]
        received = [message.id async for message in invoke(b"\x08\x03")]
        assert received == [0, 1, 2]


async def test_error_within_a_stream() -> None:
    async with serving() as shop, await started(shop) as served:
        with pytest.raises(UpstreamStatusError) as raised:
            await served.host.call("shop.Watch", {"times": 1, "thing": {"nick": "fail"}})
        assert (raised.value.upstream_status, json.loads(raised.value.body)["code"]) == (500, "DATA_LOSS")


async def test_response_limit_of_a_stream() -> None:
    async with serving() as shop, await started(shop, response_limit=1000) as served:
        with pytest.raises(UpstreamInvalidError, match="larger than 1000 bytes"):
            await served.host.call("shop.Watch", {"times": 1000})


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("CANCELLED", 499),
        ("UNKNOWN", 500),
        ("INVALID_ARGUMENT", 400),
        ("NOT_FOUND", 404),
        ("ALREADY_EXISTS", 409),
        ("PERMISSION_DENIED", 403),
        ("RESOURCE_EXHAUSTED", 429),
        ("FAILED_PRECONDITION", 400),
        ("UNIMPLEMENTED", 501),
        ("INTERNAL", 500),
        ("UNAVAILABLE", 503),
        ("UNAUTHENTICATED", 401),
    ],
)
async def test_statuses_are_errors(code: str, status: int) -> None:
    detail = status_pb2.Status(code=3, message="m")
    detail.details.add().Pack(error_details_pb2.RetryInfo(retry_delay={"seconds": 5}))
    detail.details.add(type_url="type.googleapis.com/unknown.Type", value=b"\xff")

    async def respond(_: Any) -> Any:
        raise Abort(grpc.StatusCode[code], "é%", (("grpc-status-details-bin", detail.SerializeToString()),))

    async with serving() as shop, await started(shop) as served:
        shop.respond = respond
        with pytest.raises(UpstreamStatusError) as raised:
            await served.host.call("shop.Shop.Echo", {})
        assert raised.value.upstream_status == status
        assert json.loads(raised.value.body) == {
            "code": code,
            "message": "é%",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "5s"}],
        }


def never(cancelled: asyncio.Event) -> Callable[[Any], Awaitable[Any]]:
    """Return a response that never comes; `cancelled` is set when its call ends."""

    async def respond(_: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    return respond


async def test_deadline_and_cancellation_reach_the_api() -> None:
    cancelled = asyncio.Event()
    async with serving() as shop, await started(shop, total_timeout=0.2) as served:
        shop.respond = never(cancelled)
        with pytest.raises(UpstreamTimeoutError, match=r"did not respond within 0\.2 s; the request was sent"):
            await served.host.call("shop.Shop.Echo", {})
        await cancelled.wait()


async def test_deadline_of_a_client_ends_the_call_of_the_api() -> None:
    cancelled = asyncio.Event()
    exposed = {"type": "grpc", "namespace": "front", "port": 0, "operations": [{"name": "e", "call": "shop.Shop.Echo"}]}
    async with serving() as shop, await started(shop, [exposed]) as served:
        shop.respond = never(cancelled)
        async with channel_to(served.url("front")) as channel:
            invoke: Any = channel.unary_unary("/front.Front/E")
            assert await invoke(b"", timeout=0.2).code() is grpc.StatusCode.DEADLINE_EXCEEDED
            await cancelled.wait()


async def test_api_that_does_not_accept_connections() -> None:
    async with serving() as shop:
        definitions = await discovered(shop)
    # Nothing listens there any more.
    async with running(document(shop), discovered=definitions) as served:
        with pytest.raises(UpstreamUnreachableError, match="the request was not sent"):
            await served.host.call("shop.Shop.Echo", {})


async def test_api_that_does_not_respond_to_the_connection() -> None:
    async with serving() as shop:
        definitions = await discovered(shop)
    # Connections wait in its queue for ever.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"grpc://127.0.0.1:{silent.getsockname()[1]}"
        async with running(document(url), discovered=definitions, connect_timeout=0.2) as served:
            with pytest.raises(UpstreamTimeoutError) as raised:
                await served.host.call("shop.Shop.Echo", {})
            assert raised.value.sent is False


class Malformed(grpc.GenericRpcHandler):
    """Responds to every call with bytes that are no message."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"\xff\xff")


async def test_malformed_response() -> None:
    async with serving() as shop:
        definitions = await discovered(shop)
    server = grpc.server(ThreadPoolExecutor(2), handlers=[Malformed()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    async with running(document(f"grpc://127.0.0.1:{port}"), discovered=definitions) as served:
        with pytest.raises(UpstreamInvalidError, match="no message of the declared type"):
            await served.host.call("shop.Shop.Echo", {})
    await asyncio.to_thread(server.stop(None).wait)


CREDENTIALS = [
    ({"type": "bearer", "token": "{{env.TOKEN}}"}, ("authorization", "Bearer a-secret")),
    ({"type": "basic", "username": "ada", "password": "{{env.TOKEN}}"}, ("authorization", "Basic YWRhOmEtc2VjcmV0")),
    ({"type": "apikey", "key": "X-Key", "value": "{{env.TOKEN}}"}, ("x-key", "a-secret")),
]


class Headers:
    """A plugin that adds a header to the requests of consumers."""

    @hookimpl
    def upstream_headers(self, config: Any, context: Any) -> Any:
        return lambda headers: headers.__setitem__("Traceparent", "00-1-2-01")


@pytest.mark.parametrize(("authentication", "expected"), CREDENTIALS)
async def test_credentials_are_metadata(authentication: dict[str, Any], expected: tuple[str, str]) -> None:
    plugins = Plugins.installed()
    plugins.register("headers", Headers())
    async with serving() as shop:
        settings: dict[str, Any] = {"discovered": await discovered(shop), "environment": {"TOKEN": "a-secret"}}
        async with running(document(shop, authentication=authentication), plugins=plugins, **settings) as served:
            await served.host.call("shop.Shop.Echo", {})
            name, value = expected
            assert (shop.metadata[name], shop.metadata["traceparent"]) == (value, "00-1-2-01")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"baseUri": "http://localhost:1"}, "'baseUri' must be grpc://HOST:PORT, or grpcs://HOST:PORT with TLS"),
        ({"baseUri": "grpc://localhost:1/x"}, "'baseUri' must be"),
        ({"authentication": {"type": "digest", "username": "a", "password": "b"}}, "'digest' is not supported"),
        ({"authentication": {"type": "bearer"}}, "'token' is missing; authentication 'bearer' needs it"),
        ({"services": ["acme.shop.v1.None"]}, "the API has no service 'acme.shop.v1.None'"),
        ({"descriptorSet": "file:///./none.pb"}, "No such file"),
        ({"descriptorSet": "https://example.org/x.pb"}, "file:"),
    ],
)
async def test_problems_of_a_document(keys: dict[str, Any], problem: str) -> None:
    async with serving() as shop:
        definitions = await discovered(shop)
        with pytest.raises(ProblemsError, match=problem):
            build(document(shop, **keys), discovered=definitions, environment={"TOKEN": "x"})


async def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    environment = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    async with serving(private_key_certificate_chain_pairs=[pair]) as shop:
        settings = Settings(environment=environment)
        definitions = await discover(document(shop), plugins=Plugins.installed(), settings=settings)
        async with running(document(shop), discovered=definitions, environment=environment) as served:
            assert (await served.host.call("shop.Shop.Echo", {"id": 1})).data["id"] == 1
        untrusted = {"SSL_CERT_FILE": str(tmp_path / "none.pem")}
        async with running(document(shop), discovered=definitions, environment=untrusted) as served:
            with pytest.raises(UpstreamError):
                await served.host.call("shop.Shop.Echo", {"id": 1})


def descriptor_set(path: Path, *options: str) -> None:
    include = str(Path(protoc.__file__).parent / "_proto")
    arguments = ["protoc", f"-I{PROTO.parent}", f"-I{include}", *options, f"-o{path}", PROTO.name]
    assert protoc.main(arguments) == 0


async def test_descriptor_set(tmp_path: Path) -> None:
    descriptor_set(tmp_path / "shop.pb", "--include_imports", "--include_source_info")
    async with serving(reflects=False) as shop:
        path = tmp_path / "capability.yaml"
        keys = {"descriptorSet": "file:///./shop.pb", "services": ["acme.shop.v1.Shop"]}
        path.write_text(json.dumps(document(shop, **keys)))
        async with running(path) as served:
            assert (await served.host.call("shop.Echo", {"id": 1})).data == {**DEFAULTS, "id": 1}
            (consumer,) = served.host.plans[0].consumers
            echo = consumer.operations()[0]
            assert echo.description == "Returns what it receives."
            assert echo.inputs[0].description == "Its number."
            assert str(tmp_path / "shop.pb") in served.host.plans[0].loaded.files


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"\xff\xff\xff", "the file is no descriptor set"), (None, "is missing, which another file imports")],
)
def test_invalid_descriptor_sets(content: bytes | None, problem: str, tmp_path: Path) -> None:
    if content is None:
        descriptor_set(tmp_path / "shop.pb")
    else:
        (tmp_path / "shop.pb").write_bytes(content)
    path = tmp_path / "capability.yaml"
    path.write_text(json.dumps(document("grpc://localhost:1", descriptorSet="file:///./shop.pb")))
    with pytest.raises(ProblemsError, match=problem):
        build(path)


class Warned(logging.Handler):
    """Waits for a warning that contains a text."""

    def __init__(self, text: str) -> None:
        super().__init__(logging.WARNING)
        self.event = asyncio.Event()
        self._text = text

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self.event.set()


async def test_command_discovers_and_a_changed_api_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "capability.yaml"
    async with serving() as shop:
        path.write_text(json.dumps(document(shop)))
        assert await run_command("discover", str(path)) == 0
        assert await run_command("discover", "--check", str(path)) == 0
        definitions = json.loads((tmp_path / "capability.shop.discovered.json").read_text())["definitions"]
        del definitions["files"]["acme_shop.proto"]["service"][1]
        warned = Warned("the API of 'shop' has changed")
        logging.getLogger("adapter_host").addHandler(warned)
        async with running(document(shop), discovered={"shop": definitions}):
            await warned.event.wait()
        logging.getLogger("adapter_host").removeHandler(warned)


async def test_mock_responds_without_the_api() -> None:
    async with serving() as shop:
        definitions = await discovered(shop)
    async with running(document("grpc://localhost:1"), discovered=definitions, mock=True) as served:
        thing = (await served.host.call("shop.Shop.Echo", {})).data
        assert (thing["id"], thing["nick"], thing["color"], thing["tags"]) == (1, "nick", "COLOR_RED", ["tags"])
        assert thing["parent"]["parent"]["nick"] == "nick"
        assert [each["id"] for each in (await served.host.call("shop.Watch", {})).data] == [1]


async def test_api_that_restarts_is_called_again() -> None:
    async with serving() as shop, await started(shop) as served:
        await served.host.call("shop.Shop.Echo", {"id": 1})
        shop.relay.cut()
        while True:
            try:
                result = await served.host.call("shop.Shop.Echo", {"id": 2})
                break
            except UpstreamError:
                await asyncio.sleep(0)
        assert result.data["id"] == 2
