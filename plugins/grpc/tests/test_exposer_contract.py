"""GrpcExposer fulfils the contract of exposers, with grpcio as the client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from adapter_host.testing import ExposerContract

from .conftest import ReflectedService, channel_to


class TestContract(ExposerContract):
    """The contract of exposers."""

    # Unknown fields are those of another version of the service (protobuf, "Unknown Fields").
    ignores_unknown = True

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "grpc", "namespace": "front", "port": 0, "operations": list(operations)}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with channel_to(url) as channel:
            known: list[ReflectedService] = []

            async def call(name: str, arguments: Mapping[str, Any]) -> Any:
                # Reflection is a call too, which may be refused.
                if not known:
                    known.append(await ReflectedService.connect(channel))
                return whole_numbers(await known[0].call(name, arguments))

            yield call


def whole_numbers(value: Any) -> Any:
    """Return a result with whole doubles as integers: a `Value` has no others."""
    if isinstance(value, dict):
        return {name: whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
