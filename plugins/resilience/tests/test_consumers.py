"""Tests with consumers without methods, and with consumers that return errors as results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapter_host import Result, UpstreamStatusError, UpstreamUnreachableError
from adapter_host.testing import FakeConsumer, Running, running

from .conftest import plugins


def document() -> dict[str, Any]:
    policy = {"retry": {"backoff": 0.001}, "deadline": 30}
    operations = [{"name": "read"}, {"name": "again", "x-resilience": {"idempotent": True}}]
    api = {"type": "fake", "namespace": "api", "x-resilience": policy, "operations": operations}
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [api],
            "exposes": [
                {
                    "type": "fake",
                    "namespace": "front",
                    "operations": [
                        {"name": "read", "call": "api.read"},
                        {"name": "again", "call": "api.again"},
                    ],
                }
            ],
        },
    }


@pytest.fixture
async def served() -> AsyncIterator[Running]:
    async with running(document(), plugins=plugins()) as served:
        yield served


@pytest.fixture
def fake(served: Running) -> FakeConsumer:
    return served.fake("api")


async def test_only_idempotent_operations_are_retried_without_a_method(served: Running, fake: FakeConsumer) -> None:
    def fail(_: dict[str, Any]) -> None:
        raise UpstreamUnreachableError

    fake.responses = {"read": fail, "again": fail}
    for name in ("read", "again"):
        with pytest.raises(UpstreamUnreachableError):
            await served.host.call(f"front.{name}", {})
    assert [name for name, _ in fake.calls] == ["read", "again", "again", "again"]


async def test_error_results_count_as_errors(served: Running, fake: FakeConsumer) -> None:
    results = [Result(status=503), Result(status=429), Result(data="there")]
    fake.responses["again"] = lambda _: results.pop(0)
    assert (await served.host.call("front.again", {})).data == "there"
    fake.responses["again"] = lambda _: Result(status=404, data={"no": "such"}, headers={"Link": "x"})
    with pytest.raises(UpstreamStatusError) as caught:
        await served.host.call("front.again", {})
    error = caught.value
    assert (error.upstream_status, error.body, error.headers) == (404, b'{"no":"such"}', {"Link": "x"})


async def test_only_the_failed_step_is_retried() -> None:
    capability = document()
    steps = [{"type": "call", "name": name, "call": f"api.{name}"} for name in ("read", "again")]
    capability["capability"]["exposes"][0]["operations"] = [{"name": "both", "steps": steps}]
    async with running(capability, plugins=plugins()) as served:
        fake = served.fake("api")
        results = [Result(status=503), Result(data="there")]
        fake.responses["again"] = lambda _: results.pop(0)
        await served.host.call("front.both", {})
        assert [name for name, _ in fake.calls] == ["read", "again", "again"]


async def test_timeout_error_of_the_consumer_is_unchanged(served: Running, fake: FakeConsumer) -> None:
    def fail(_: dict[str, Any]) -> None:
        raise TimeoutError("the consumer's own")

    fake.responses["read"] = fail
    with pytest.raises(TimeoutError, match="own"):
        await served.host.call("front.read", {})
