"""Forward between a consumer and an exposer other than HTTP and REST, and wrappers of plugins."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from multidict import CIMultiDict

from adapter_host import (
    Arguments,
    ConsumedCall,
    ConsumedOperation,
    Consumer,
    ConsumerConfig,
    Exposer,
    ExposerConfig,
    ForwardSpec,
    Host,
    Operation,
    PassThroughOperation,
    Plugins,
    RegisterConsumer,
    RegisterExposer,
    Result,
    Settings,
    UpstreamStatusError,
    hookimpl,
)


class EchoForwarding(PassThroughOperation):
    own_headers = frozenset({"x-own"})
    own_query = frozenset({"key"})

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        async def body() -> AsyncIterator[bytes]:
            yield repr({**arguments, "headers": dict(arguments["headers"])}).encode()

        return Result(status=404, media_type="text/plain", headers={"X-Kept": "1", "TE": "x"}, stream=body())


class Echo(Consumer[ConsumerConfig]):
    def operations(self) -> Sequence[ConsumedOperation]:
        return ()

    def forwarding(self) -> PassThroughOperation:
        return EchoForwarding(self.config.namespace)


class GatewayConfig(ExposerConfig):
    forward: ForwardSpec


class Gateway(Exposer[GatewayConfig]):
    """Forwards requests without a protocol."""

    config_class = GatewayConfig

    @property
    def operation(self) -> Operation:
        return self.operations[self.config.forward]


class Plugin:
    """Registers both, and wraps consumed operations."""

    def __init__(self) -> None:
        self.raised: UpstreamStatusError | None = None
        self.names: list[str] = []

    @hookimpl
    def register_consumers(self, register: RegisterConsumer) -> None:
        register("echo", Echo)

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("gateway", Gateway)

    @hookimpl
    def consumer_wrapper(
        self, operations: Sequence[ConsumedOperation]
    ) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall]:
        self.names += [operation.name for operation in operations]

        def wrap(_: ConsumedOperation, call: ConsumedCall) -> ConsumedCall:
            async def wrapped(arguments: Arguments, *, stream: bool = False) -> Result:
                if self.raised is not None:
                    raise self.raised
                return await call(arguments, stream=stream)

            return wrapped

        return wrap


DOCUMENT: dict[str, Any] = {
    "naftiko": "1.0.0-alpha2",
    "capability": {
        "consumes": [{"type": "echo", "namespace": "api"}, {"type": "echo", "namespace": "other"}],
        "exposes": [
            {
                "type": "gateway",
                "namespace": "gateway",
                "forward": {"targetNamespace": "api", "trustedHeaders": ["X-Mine"]},
            }
        ],
    },
}


def opened(plugin: Plugin) -> tuple[Host, Operation]:
    plugins = Plugins({"both": plugin})
    host = Host(DOCUMENT, plugins=plugins, settings=Settings(environment={}))
    exposer = host.plans[0].exposers[0].exposer
    assert isinstance(exposer, Gateway)
    return host, exposer.operation


async def test_host_filters_headers_in_both_directions() -> None:
    host, operation = opened(Plugin())
    async with host:
        headers = CIMultiDict({"X-Mine": "1", "X-Own": "2", "X-Other": "3", "Content-Type": "a/b"})
        arguments = {"method": "GET", "path": "/a", "query": "b=1&key=2", "headers": headers}
        result = await (await operation.call(arguments)).hold(1000)
    assert ast.literal_eval(result.body.decode()) == {
        "method": "GET",
        "path": "/a",
        "query": "b=1",
        "headers": {"X-Mine": "1", "Content-Type": "a/b"},
    }
    assert (result.status, dict(result.headers)) == (404, {"X-Kept": "1"})
    assert operation.inputs == PassThroughOperation.inputs


async def test_upstream_error_from_a_wrapper_is_a_response() -> None:
    plugin = Plugin()
    plugin.raised = UpstreamStatusError(503, b"down", "text/plain", {"Retry-After": "9", "Connection": "close"})
    host, operation = opened(plugin)
    async with host:
        result = await operation.call({"method": "GET"})
    assert (result.status, result.body, dict(result.headers)) == (503, b"down", {"Retry-After": "9"})


def test_forwarding_is_requested_only_for_forward_targets() -> None:
    plugin = Plugin()
    opened(plugin)
    assert plugin.names == ["forward"]
