"""A call is the same over every protocol: data, mistakes, refusals, and the requests to the API.

Operations of the example capabilities are called with generated arguments: directly, and over each protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.examples import examples
from tests.support.upstream import Api

from . import callers as clients
from .arguments import calls
from .callers import Caller, Outcome
from .grpc_caller import Grpc, carried
from .same_operations import CAPABILITIES, SameOperations, canonical, serving

pytestmark = pytest.mark.early

# Each file with operations; the others expose nothing that every protocol has: skills, files, forwarded requests.
FILES = [
    "api-keys.yaml",
    "ferries.yaml",
    "forecast.yaml",
    "library.yaml",
    "lockers.yaml",
    "netbird-checkout.yaml",
    "orders.yaml",
    "parcels.yaml",
    "private-notes.yaml",
    "rentals.yaml",
    "stations.yaml",
    "tearoom.yaml",
    "trips.yaml",
]
CALLERS: dict[str, type[Caller]] = {**clients.CALLERS, "grpc": Grpc}
EXPOSERS = {**clients.EXPOSERS, "grpc": Grpc.exposer}

OWN_HEADERS = {"host", "accept-encoding", "user-agent", "traceparent", "tracestate", "x-request-id"}


def requests_of(api: Api) -> list[tuple[Any, ...]]:
    """Return the recorded requests without the order of concurrent ones, and forget them."""
    seen = [
        (
            each.method,
            each.target,
            canonical(each.body),
            sorted((k, v) for k, v in each.headers.items() if k.lower() not in OWN_HEADERS),
        )
        for each in api.seen
    ]
    api.seen.clear()
    return sorted(seen, key=repr)


def agrees(protocol: str, expected: Outcome, outcome: Outcome) -> bool:
    """Return whether an outcome is that of the direct call."""
    if outcome.kind == "tool error":
        if expected.kind.startswith("status "):
            return expected.kind.removeprefix("status ") in outcome.message
        return expected.kind != "data" and outcome.message == expected.message
    if outcome.kind == "message":
        return expected.kind == "data" and carried(expected.data, outcome.data)
    if outcome.kind == "typed":
        return expected.kind == "data"
    if outcome.kind == "invalid response" and (
        expected.kind == "text" or (protocol == "grpc" and expected.kind == "data")
    ):
        # A response that is passed on must be JSON, or of the declared type, where a protocol has nothing else.
        return True
    return (outcome.kind, outcome.data) == (expected.kind, expected.data)


def stopped_early(same: SameOperations, name: str, outcome: Outcome) -> bool:
    """Return whether concurrent steps may have been cancelled before they sent a request, as another one failed."""
    return outcome.kind != "data" and len(same.operations[name].upstream) > 1


def has_whole_float(value: Any) -> bool:
    """Return whether a value has a float in it that is a whole number."""
    if isinstance(value, dict | list):
        return any(map(has_whole_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and value.is_integer()


async def compare(same: SameOperations, callers: dict[str, Caller], name: str, arguments: dict[str, Any]) -> None:
    expected: tuple[Outcome, list[Any]] | None = None
    for protocol, caller in callers.items():
        if protocol == "a2a" and has_whole_float(arguments):
            # Its clients have no integers, so `7.0` is taken for `7`.
            continue
        if isinstance(caller, Grpc) and not caller.can_send(name, arguments):
            continue
        same.api.seen.clear()
        outcome = await caller.call(name, arguments)
        sent = requests_of(same.api)
        if expected is None:
            expected = outcome, sent
            continue
        if outcome.kind == "not sent":
            continue
        # Of concurrent steps that fail, the first one to fail ends the call.
        is_other_failure = stopped_early(same, name, expected[0]) and outcome.kind not in ("data", "text", "typed")
        assert agrees(protocol, expected[0], outcome) or is_other_failure, (protocol, expected[0], outcome)
        assert sent == expected[1] or stopped_early(same, name, expected[0]), (protocol, expected[1], sent)


@asynccontextmanager
async def connected(file: Path, folder: Path) -> AsyncIterator[tuple[SameOperations, dict[str, Caller]]]:
    async with serving(file, folder, EXPOSERS) as same, AsyncExitStack() as stack:
        callers = {protocol: make(same.served) for protocol, make in CALLERS.items()}
        for caller in callers.values():
            await stack.enter_async_context(caller)
        yield same, callers


@pytest.mark.parametrize("file", FILES)
@pytest.mark.timeout(300)
async def test_calls_are_the_same(file: str, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with connected(CAPABILITIES / file, tmp_path) as (same, callers):

        @settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
        @given(calls(dict(same.operations)))
        def check(call: tuple[str, dict[str, Any]]) -> None:
            asyncio.run_coroutine_threadsafe(compare(same, callers, *call), loop).result()

        # Hypothesis is synchronous: it runs in a thread, and the calls in this loop.
        await asyncio.to_thread(check)
