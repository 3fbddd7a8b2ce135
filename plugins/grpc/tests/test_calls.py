"""Calls of a client: statuses, deadlines, cancellation, streams and the services of every server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from adapter_host import (
    ArgumentError,
    NotFoundError,
    OperationError,
    RefusedError,
    Result,
    UnavailableError,
    UpstreamDisconnectedError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from adapter_host.testing import Running, running
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.certificates import server_files, write_authority

from .conftest import ReflectedService, Stubs, channel_to, document, error_text, generate, run_command, status_of

READ = {"name": "read", "inputParameters": [{"name": "id", "type": "integer", "required": True}]}


def reading(*operations: Mapping[str, Any], **keys: Any) -> dict[str, Any]:
    return document(*(operations or ({"name": "read", "call": "api.read"},)), consumed=[READ], **keys)


async def failure(served: Running, **options: Any) -> grpc.aio.AioRpcError:
    """Return the error of a call of `read`."""
    async with channel_to(served.url("front-door")) as channel:
        service = await ReflectedService.connect(channel)
        method, invoke = service.method("Read")
        request = b"\x08\x07"
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await invoke(request, **options)
        assert method.name == "Read"
        return raised.value


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (OperationError("x"), "INTERNAL", "OPERATION"),
        (RefusedError("x"), "PERMISSION_DENIED", "REFUSED"),
        (NotFoundError("x"), "NOT_FOUND", "NOT_FOUND"),
        (UnavailableError("x"), "UNAVAILABLE", "UNAVAILABLE"),
        (UpstreamUnreachableError("x"), "UNAVAILABLE", "UPSTREAM_UNREACHABLE"),
        (UpstreamTimeoutError("x"), "DEADLINE_EXCEEDED", "UPSTREAM_TIMEOUT"),
        (UpstreamDisconnectedError("x"), "UNKNOWN", "UPSTREAM_DISCONNECTED"),
        (UpstreamInvalidError("x"), "UNKNOWN", "UPSTREAM_INVALID"),
        *(
            (UpstreamStatusError(status), code, "UPSTREAM_STATUS")
            for status, code in {
                302: "UNKNOWN",
                400: "INVALID_ARGUMENT",
                401: "UNAUTHENTICATED",
                403: "PERMISSION_DENIED",
                404: "NOT_FOUND",
                409: "ABORTED",
                418: "FAILED_PRECONDITION",
                429: "RESOURCE_EXHAUSTED",
                500: "INTERNAL",
                502: "UNKNOWN",
                503: "UNAVAILABLE",
            }.items()
        ),
    ],
)
async def test_errors_are_statuses(error: OperationError, code: str, reason: str) -> None:
    def respond(_: Any) -> None:
        raise error

    async with running(reading()) as served:
        served.fake("api").responses["read"] = respond
        raised = await failure(served)
        assert (raised.code().name, raised.details()) == (code, error.message)
        (detail,) = status_of(raised).details
        info = ErrorInfo()
        assert detail.Unpack(info)
        assert (info.reason, info.domain) == (reason, "adapter-host")
        assert info.metadata["request_id"]


async def test_details_of_an_upstream_status() -> None:
    def respond(_: Any) -> None:
        raise UpstreamStatusError(422, b'{"why": "too hot"}' + b" " * 5000, "application/json")

    async with running(reading()) as served:
        served.fake("api").responses["read"] = respond
        info = ErrorInfo()
        assert status_of(await failure(served)).details[0].Unpack(info)
        assert (info.metadata["upstream_status"], info.metadata["sent"]) == ("422", "true")
        assert json.loads(info.metadata["upstream_body"]) == {"why": "too hot"}


async def test_invalid_arguments_have_field_paths() -> None:
    def respond(_: Any) -> None:
        errors = [
            ArgumentError("order", "a", pointer="/order/items/0/unit~1price"),
            ArgumentError("id", "b"),
            ArgumentError("filter", "c", pointer="/deep"),
        ]
        raise ArgumentError.combine(errors)

    async with running(reading()) as served:
        served.fake("api").responses["read"] = respond
        raised = await failure(served)
        request = BadRequest()
        assert raised.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert status_of(raised).details[0].Unpack(request)
        assert [(each.field, each.description) for each in request.field_violations] == [
            ("order.items[0].unit/price", "a"),
            ("id", "b"),
            ("filter.deep", "c"),
        ]


async def test_unavailable_says_when_to_retry() -> None:
    def respond(_: Any) -> None:
        raise UnavailableError("x", retry_after=1.5)

    async with running(reading()) as served:
        served.fake("api").responses["read"] = respond
        retry = RetryInfo()
        assert status_of(await failure(served)).details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 2


async def test_details_are_bounded() -> None:
    def respond(_: Any) -> None:
        raise ArgumentError.combine([ArgumentError("p" * 5000, "é%\n" * 5000) for _ in range(10)])

    async with running(reading()) as served:
        served.fake("api").responses["read"] = respond
        raised = await failure(served)
        details = raised.details() or ""
        assert details.startswith("é%\né%\n")
        assert len(details.encode()) <= 1024
        assert status_of(raised).details


async def test_deadline_ends_the_upstream_call() -> None:
    async with running(reading()) as served:
        hold = served.fake("api").hold("read")
        raised = await failure(served, timeout=0.2)
        assert raised.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await hold.cancelled.wait()


async def test_server_keeps_the_deadline_itself() -> None:
    async with running(reading()) as served:
        hold = served.fake("api").hold("read")
        raised = await failure(served, metadata=(("grpc-timeout", "20m"),))
        assert (raised.code().name, raised.details()) == ("DEADLINE_EXCEEDED", "the deadline of the call has passed")
        await hold.cancelled.wait()


async def test_cancelled_call_ends_the_upstream_call() -> None:
    async with running(reading()) as served, channel_to(served.url("front-door")) as channel:
        hold = served.fake("api").hold("read")
        _, invoke = (await ReflectedService.connect(channel)).method("Read")
        call = invoke(b"\x08\x07")
        await hold.entered.wait()
        call.cancel()
        await hold.cancelled.wait()
        # The connection goes on.
        hold.release.set()
        assert (await invoke(b"\x08\x08")).result.struct_value.fields["id"].number_value == 8


async def test_gzip_requests() -> None:
    async with running(reading()) as served, channel_to(served.url("front-door")) as channel:
        _, invoke = (await ReflectedService.connect(channel)).method("Read")
        # Compressed by the client since it is long: an unknown field.
        request = b"\x08\x07" + b"\xc2\x3e" + b"\x80\x20" + b"a" * 4096
        response = await invoke(request, compression=grpc.Compression.Gzip)
        assert response.result.struct_value.fields["id"].number_value == 7


async def test_large_requests_are_refused() -> None:
    async with running(reading(), body_limit=1000) as served, channel_to(served.url("front-door")) as channel:
        _, invoke = (await ReflectedService.connect(channel)).method("Read")
        request = b"\x08\x07" + b"\xc2\x3e" + b"\x80\x20" + b"a" * 4096
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await invoke(request, compression=compression)
            assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert served.fake("api").calls == []


async def test_large_results_arrive_whole() -> None:
    text = "é" * 3_000_000
    async with running(reading()) as served:
        served.fake("api").responses["read"] = lambda _: {"text": text}
        options = [("grpc.max_receive_message_length", -1)]
        async with channel_to(served.url("front-door"), *options) as channel:
            service = await ReflectedService.connect(channel)
            results = await asyncio.gather(*(service.call("Read", {"id": 1}) for _ in range(3)))
            assert results == [{"text": text}] * 3


STREAM = {"name": "watch", "call": "api.watch", "x-grpc": {"stream": True}}


async def events(*texts: str, hold: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    for text in texts:
        yield text.encode()
    if hold is not None:
        await hold.wait()


async def test_streams_are_server_streaming() -> None:
    async with running(document(STREAM, consumed=[{"name": "watch"}])) as served:
        lines = events('{"n": 1}\n{"n":', " 2}\n", '["x"]\n')
        served.fake("api").responses["watch"] = lambda _: Result(media_type="application/x-ndjson", stream=lines)
        async with channel_to(served.url("front-door")) as channel:
            _, invoke = (await ReflectedService.connect(channel)).method("Watch")
            received = [message.result async for message in invoke(b"")]
            assert [each.WhichOneof("kind") for each in received] == ["struct_value", "struct_value", "list_value"]
            assert [each.struct_value.fields["n"].number_value for each in received[:2]] == [1, 2]


async def test_items_arrive_before_the_end_and_cancelling_closes_the_stream() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"data: 1\n\n"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with running(document(STREAM, consumed=[{"name": "watch"}])) as served:
        served.fake("api").responses["watch"] = lambda _: Result(media_type="text/event-stream", stream=endless())
        async with channel_to(served.url("front-door")) as channel:
            _, invoke = (await ReflectedService.connect(channel)).method("Watch")
            call = invoke(b"")
            assert (await call.read()).result.number_value == 1
            call.cancel()
            await closed.wait()


async def test_error_within_a_stream_is_its_status() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'{"n": 1}\n'
        raise UpstreamDisconnectedError("gone")

    async with running(document(STREAM, consumed=[{"name": "watch"}])) as served:
        served.fake("api").responses["watch"] = lambda _: Result(media_type="application/x-ndjson", stream=broken())
        async with channel_to(served.url("front-door")) as channel:
            _, invoke = (await ReflectedService.connect(channel)).method("Watch")
            call = invoke(b"")
            assert (await call.read()).result.struct_value.fields["n"].number_value == 1
            with pytest.raises(grpc.aio.AioRpcError, match="gone"):
                await call.read()


async def test_list_as_a_stream() -> None:
    outputs = [
        {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer", "mapping": "$.n"}}}}
    ]
    operation = {**STREAM, "outputParameters": outputs}
    async with running(document(operation, consumed=[{"name": "watch"}])) as served:
        served.fake("api").responses["watch"] = lambda _: [{"n": 1}, {"n": 2}]
        async with channel_to(served.url("front-door")) as channel:
            method, invoke = (await ReflectedService.connect(channel)).method("Watch")
            assert [field.name for field in method.output_type.fields] == ["n"]
            assert [message.n async for message in invoke(b"")] == [1, 2]


async def test_result_without_a_form_is_an_error_with_its_place() -> None:
    outputs = [{"type": "object", "properties": {"n": {"type": "array", "items": {"type": "integer", "value": "$"}}}}]
    operation = {"name": "read", "call": "api.read", "outputParameters": outputs}
    async with running(reading(operation)) as served:
        served.fake("api").responses["read"] = lambda _: {"n": [1, 2**70]}
        raised = await failure(served)
        assert raised.code() is grpc.StatusCode.UNKNOWN
        assert "has no form in protobuf" in (raised.details() or "")


@pytest.fixture
async def stubs(tmp_path: Path) -> Stubs:
    """Return the code that a client generates from the file that the command exports."""
    # The command knows the installed plugins only.
    (consumed,) = GENERATED["capability"]["consumes"]
    operations = [
        {**each, "method": "POST", "inputParameters": [{**item, "in": "body"} for item in each["inputParameters"]]}
        for each in consumed["operations"]
    ]
    api = {"type": "http", "namespace": "api", "baseUri": "http://127.0.0.1:1"}
    capability = {**GENERATED["capability"], "consumes": [{**api, "resources": [{"operations": operations}]}]}
    path = tmp_path / "capability.yaml"
    path.write_text(json.dumps({**GENERATED, "capability": capability}))
    output = tmp_path / "exported.proto"
    assert await run_command("export", "proto", str(path), "-o", str(output)) == 0
    return generate(output.read_text(), "generated_front_door", tmp_path)


GENERATED = document(
    {
        "name": "save-order",
        "call": "api.save",
        "inputParameters": [
            {
                "name": "order",
                "required": True,
                "x-schema": {
                    "type": "object",
                    "required": ["lines"],
                    "properties": {
                        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
                        "status": {"enum": ["new", "paid"]},
                        "note": {"type": ["string", "null"]},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                    "additionalProperties": False,
                    "$defs": {
                        "Line": {
                            "type": "object",
                            "required": ["quantity"],
                            "properties": {"quantity": {"type": "integer", "minimum": 1}, "extra": {}},
                        }
                    },
                },
            },
            {"name": "big", "type": "integer"},
        ],
        "with": {"order": "{{order}}", "big": "{{big}}"},
    },
    consumed=[{"name": "save", "inputParameters": [{"name": "order"}, {"name": "big", "type": "integer"}]}],
)


async def test_generated_code_calls_with_whole_schemas(stubs: Stubs) -> None:
    messages = stubs.messages
    async with running(GENERATED) as served, channel_to(served.url("front-door")) as channel:
        client = stubs.services.FrontDoorStub(channel)
        order = messages.SaveOrderRequestOrder(
            lines=[messages.SaveOrderRequestOrderLinesItem(quantity=2)]
            if hasattr(messages, "SaveOrderRequestOrderLinesItem")
            else [messages.LineInput(quantity=2)],
            status=messages.SaveOrderRequestOrderStatus.Value("SAVE_ORDER_REQUEST_ORDER_STATUS_PAID"),
            note_blank=messages.BLANK_NULL,
            labels_blank=messages.BLANK_EMPTY,
        )
        await client.SaveOrder(messages.SaveOrderRequest(order=order, big=2**62 + 1))
        expected: Any = {"lines": [{"quantity": 2}], "status": "paid", "note": None, "labels": {}}
        assert served.fake("api").calls == [("save", {"order": expected, "big": 2**62 + 1})]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lines": [{"quantity": 0}]}, "order.lines[0].quantity"),
        ({"lines": [{}]}, "order.lines[0].quantity"),
        ({"status": 7, "lines": []}, "order.status"),
        ({"status": 0, "lines": []}, "order.status"),
        ({"note": "x", "note_blank": 1}, "order.note"),
        ({"note_blank": 2}, "order.note"),
    ],
)
async def test_broken_schemas_name_the_field(stubs: Stubs, change: dict[str, Any], field: str) -> None:
    messages = stubs.messages
    async with running(GENERATED) as served, channel_to(served.url("front-door")) as channel:
        order = messages.SaveOrderRequestOrder(**change)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stubs.services.FrontDoorStub(channel).SaveOrder(messages.SaveOrderRequest(order=order))
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        request = BadRequest()
        assert status_of(raised.value).details[0].Unpack(request), error_text(raised.value)
        assert request.field_violations[0].field == field
        assert served.fake("api").calls == []


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection(version: str) -> None:
    async with running(reading()) as served, channel_to(served.url("front-door")) as channel:
        service = await ReflectedService.connect(channel, f"grpc.reflection.{version}.ServerReflection")
        assert service.service.full_name == "front_door.FrontDoor"
        assert await service.call("Read", {"id": 3}) == {"id": 3}


async def test_reflection_can_be_left_out() -> None:
    async with running(reading(reflection=False)) as served, channel_to(served.url("front-door")) as channel:
        invoke: Any = channel.unary_unary("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        call = invoke(b"")
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health() -> None:
    async with running(reading()) as served, channel_to(served.url("front-door")) as channel:
        client: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", "front_door.FrontDoor"):
            response = await client.Check(health_pb2.HealthCheckRequest(service=name))
            assert response.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError, match="unknown service"):
            await client.Check(health_pb2.HealthCheckRequest(service="other"))
        watching = client.Watch(health_pb2.HealthCheckRequest())
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        await served.host.drain()
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await watching.read()


async def test_unknown_method() -> None:
    async with running(reading()) as served, channel_to(served.url("front-door")) as channel:
        invoke: Any = channel.unary_unary("/front_door.FrontDoor/Write")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await invoke(b"")
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_tls(tmp_path: Path) -> None:
    """The library of gRPC connects with TLS, which requires ALPN."""
    trusted = grpc.ssl_channel_credentials(write_authority(tmp_path).read_bytes())
    async with running(reading(), tls=server_files(tmp_path)) as served:
        served.fake("api").responses["read"] = lambda arguments: arguments
        url = served.url("front-door")
        assert url.startswith("grpcs://127.0.0.1:")
        async with grpc.aio.secure_channel(url.removeprefix("grpcs://"), trusted) as channel:
            service = await ReflectedService.connect(channel)
            assert await service.call("Read", {"id": 7}) == {"id": 7}
        [exposer] = [status.exposer for status in served.host.status()]
        assert "grpcurl 127.0.0.1:" in (exposer.usage(url) or "")
        assert "grpcurl -plaintext 127.0.0.1:1 " in (exposer.usage("grpc://127.0.0.1:1") or "")
