"""The contract tests of exposers."""

from __future__ import annotations

import asyncio
from abc import ABC
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final
from unittest import SkipTest

import orjson

from adapter_host import BodyTooLargeError, CatalogEntry, Host, ProblemsError, Result, UnavailableError

from .contract import (
    MESSAGE,
    contract_test,
    endless_parts,
    error_of,
    is_refused,
    operation_test,
    remaining_tasks,
    stream_of,
)
from .error_contract import ErrorContract
from .fake import Hold
from .listening_contract import NAMES
from .running import Running

_CONCURRENT_CALLS: Final = 8
_BODY_LIMIT: Final = 5000
_VALUES: Final[Mapping[str, Any]] = {
    "object": {"place": "Kraków", "celsius": -4.5, "tags": ["a", {"b": None}], "id": 2**53 + 1},
    "list": [1, "two", [3]],
    "text": "one\ntwo",
    "zero": 0,
    "false": False,
    "empty": {},
}


class ExposerContract(ErrorContract, ABC):
    """The tests that every exposer must pass; subclass it in a test module, and define `exposes` and `connect`.

    Each test serves operations of an API in memory on a free port, and calls them with a client of the protocol.
    """

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """Parametrize tests by values too."""
        super().pytest_generate_tests(metafunc)
        if "value" in metafunc.fixturenames:
            metafunc.parametrize("value", list(_VALUES.values()), ids=list(_VALUES))

    @contract_test
    async def test_building_has_no_side_effects(self) -> None:
        """An exposer is created without an event loop, and has no URL before the start."""
        host = await asyncio.to_thread(self._build, self._document())
        assert host.status()[0].url is None, "the exposer has a URL before the start"

    @operation_test
    async def test_each_operation_is_served(self) -> None:
        """Each operation is served under its name, and receives the arguments unchanged."""
        async with self._served() as (served, url), self.connect(url) as call:
            for name in NAMES:
                arguments = {"id": 7, "note": name}
                assert await call(name, arguments) == arguments
                assert served.fake("api").calls[-1:] == [(name, arguments)]

    @operation_test
    async def test_results_equal_direct_calls(self, value: Any) -> None:
        """A client receives the data of a direct call."""
        async with self._served() as (served, url), self.connect(url) as call:
            served.fake("api").responses["read"] = lambda _: value
            namespace = served.host.status()[0].namespace
            direct = await served.host.call(f"{namespace}.read", {"id": 7})
            assert await call("read", {"id": 7}) == direct.data

    @operation_test
    async def test_duplicate_names_are_problems(self) -> None:
        """Two operations of one name are a problem of the document, or a warning that names the other name of one."""
        document = self._document()
        consumes = document["capability"]["consumes"]
        twice = [{"name": NAMES[0], "description": f"Calls {name}", "call": f"api.{name}"} for name in NAMES[:2]]
        document["capability"] = {"consumes": consumes, "exposes": [dict(self.exposes(twice))]}
        hosts: list[Host] = []
        error = error_of(lambda: hosts.append(self._build(document)), ProblemsError)
        problems = hosts[0].warnings if error is None else error.problems
        assert problems, f"two operations of the name '{NAMES[0]}' were accepted without a problem"

    @operation_test
    async def test_numbers_keep_their_type(self) -> None:
        """An integer stays an integer, in arguments and in results."""
        async with self._served() as (served, url), self.connect(url) as call:
            result = await call("read", {"id": 12})
            assert repr(served.fake("api").calls[-1][1]["id"]) == "12", "the operation received another number than 12"
            assert repr(result["id"]) == "12", "the client received another number than 12"

    @operation_test
    async def test_calls_are_made_once(self) -> None:
        """A call of a client is one call of the operation, also if it fails."""

        def fail(_: Mapping[str, Any]) -> None:
            raise UnavailableError(MESSAGE)

        async with self._served() as (served, url), self.connect(url) as call:
            await call("write", {"id": 7})
            served.fake("api").responses["write"] = fail
            assert await is_refused(call("write", {"id": 8}))
            assert served.fake("api").calls == [("write", {"id": 7}), ("write", {"id": 8})]

    @operation_test
    async def test_body_limit(self) -> None:
        """A request that exceeds `Settings.body_limit` is refused, and the next client is served."""
        async with self._build(self._document(), body_limit=_BODY_LIMIT) as host:
            url = host.status()[0].url or ""
            async with self.connect(url) as call:
                too_large = {"id": 7, "note": "x" * 4 * _BODY_LIMIT}
                kind = self.kind_of(BodyTooLargeError(_BODY_LIMIT))
                assert await is_refused(call("read", too_large), kind), "a request over the limit was accepted"
                assert Running(host).fake("api").calls == []
            async with self.connect(url) as call:
                assert await call("read", {"id": 7}) == {"id": 7}

    @operation_test
    async def test_streams_are_read_and_closed(self) -> None:
        """A `Result.stream` reaches the client completely, and is closed; for exposers with `streams`."""
        async with self._served() as (served, url):
            if not type(served.host.status()[0].exposer).streams:
                raise SkipTest("the exposer does not support streams")
            closed = asyncio.Event()
            served.fake("api").responses["read"] = lambda _: Result(stream=stream_of(closed, b'{"id"', b": 7}"))
            async with self.connect(url) as call:
                assert await call("read", {"id": 7}) == {"id": 7}
            await closed.wait()

    @operation_test
    async def test_abandoned_streams_are_closed(self) -> None:
        """A `Result.stream` is closed when its client disconnects; for exposers with `streams`."""
        async with self._served() as (served, url):
            if not type(served.host.status()[0].exposer).streams:
                raise SkipTest("the exposer does not support streams")
            closed, endless = asyncio.Event(), Hold()
            parts = endless_parts(closed, endless, b'{"id"')
            served.fake("api").responses["read"] = lambda _: Result(stream=parts)
            await self._abandon(url, endless)
            await closed.wait()

    @operation_test
    async def test_abandoned_items_are_closed(self) -> None:
        """The items of a `Result` are closed when their client disconnects; for exposers with `streams`."""
        async with self._served() as (served, url):
            if not type(served.host.status()[0].exposer).streams:
                raise SkipTest("the exposer does not support streams")
            closed, endless = asyncio.Event(), Hold()
            items = endless_parts(closed, endless, {"id": 7})
            served.fake("api").responses["read"] = lambda _: Result(items=items)
            await self._abandon(url, endless)
            await closed.wait()

    async def _abandon(self, url: str, endless: Hold) -> None:
        """Disconnect a client whose call has begun to wait."""
        async with self.connect(url) as call:
            task = asyncio.ensure_future(call("read", {"id": 7}))
            await endless.entered.wait()
            task.cancel()
            await asyncio.wait([task])

    @contract_test
    async def test_catalog_lists_the_operations(self) -> None:
        """`catalog` returns `CatalogEntry` objects, before the start, and each operation is in one of them."""
        host = self._build(self._document())
        exposer = host.status()[0].exposer
        entries = list(exposer.catalog())
        assert all(isinstance(entry, CatalogEntry) for entry in entries)
        listed = {id(entry.operation) for entry in entries}
        missing = [operation.name for operation in exposer.operations.values() if id(operation) not in listed]
        assert missing == [], f"the catalog lacks operations: {missing}"
        assert orjson.dumps([dict(entry.details) for entry in entries])

    @contract_test
    async def test_usage_is_text(self) -> None:
        """`usage` returns a text, or None."""
        async with self._served() as (served, url):
            usage = served.host.status()[0].exposer.usage(url)
            assert usage is None or isinstance(usage, str)

    @contract_test
    async def test_announcing_a_reload(self) -> None:
        """`notify_reload` affects no call, and raises nothing, with and without clients."""
        async with self._served() as (served, url):
            exposer = served.host.status()[0].exposer
            notify: Callable[[], object] = exposer.notify_reload
            assert notify() is None, "'notify_reload' must be a plain function that returns nothing"
            async with self.connect(url) as call, self.open_idle_connection(url):
                await self.probe(call)
                exposer.notify_reload()
                await self.probe(call)

    @contract_test
    async def test_authentication_is_enforced_or_rejected(self) -> None:
        """With `authentication`, calls without credentials fail, or the document is invalid."""
        document = self._document(authentication={"type": "bearer", "token": "{{env.TOKEN}}"})
        try:
            host = self._build(document, environment={"TOKEN": "a-secret"})
        except ProblemsError:
            return
        async with host, self.connect(host.status()[0].url or "") as call:
            assert await is_refused(call("read", {"id": 7})), "a call without credentials succeeded"
            assert Running(host).fake("api").calls == []

    @operation_test
    async def test_concurrent_calls_are_isolated(self) -> None:
        """Concurrent calls return their own results, in any order."""
        all_entered, turns = asyncio.Barrier(_CONCURRENT_CALLS + 1), [asyncio.Event() for _ in range(_CONCURRENT_CALLS)]

        async def respond(arguments: Mapping[str, Any]) -> Any:
            await all_entered.wait()
            await turns[arguments["id"]].wait()
            return arguments

        async with AsyncExitStack() as stack:
            served, url = await stack.enter_async_context(self._served())
            served.fake("api").responses["read"] = respond
            callers = [await stack.enter_async_context(self.connect(url)) for _ in turns]
            tasks = [asyncio.ensure_future(call("read", {"id": i})) for i, call in enumerate(callers)]
            await all_entered.wait()
            for turn, task in reversed(list(zip(turns, tasks, strict=True))):
                turn.set()
                await task
            assert [await task for task in tasks] == [{"id": i} for i in range(_CONCURRENT_CALLS)]

    @operation_test
    async def test_disconnect_cancels_the_call(self) -> None:
        """Closing the connection cancels the call."""
        async with self._served() as (served, url):
            hold = served.fake("api").hold("read")
            async with self.connect(url) as call:
                task = asyncio.ensure_future(call("read", {"id": 7}))
                await hold.entered.wait()
                task.cancel()
                await asyncio.wait([task])
            await hold.cancelled.wait()

    @operation_test
    async def test_drain_refuses_new_calls(self) -> None:
        """While draining, calls on open connections are refused."""
        async with self._served() as (served, url), self.connect(url) as call:
            assert await call("ping", {"id": 1}) == {"id": 1}
            await served.host.drain()
            kind = self.kind_of(UnavailableError())
            assert await is_refused(call("read", {"id": 7}), kind), "a new call succeeded"
            assert served.fake("api").calls == [("ping", {"id": 1})]

    @operation_test
    async def test_drain_completes_calls_in_flight(self) -> None:
        """A call in flight completes while draining."""
        async with self._served() as (served, url), self.connect(url) as call:
            hold = served.fake("api").hold("read")
            task = asyncio.ensure_future(call("read", {"id": 7}))
            await hold.entered.wait()
            draining = asyncio.ensure_future(served.host.drain())
            await _wait_until_refusing(served)
            hold.release.set()
            assert await task == {"id": 7}
            await draining

    @contract_test
    async def test_idle_connections_do_not_delay_stop(self) -> None:
        """The stop closes idle connections and streams immediately."""
        async with self._served() as (served, url), self.open_idle_connection(url), self.connect(url) as call:
            await self.probe(call)
            async with asyncio.timeout(self.timeout / 2):
                await served.host.drain()
                await served.host.stop()
            assert await is_refused(call("ping", {"id": 1})), "a call to a stopped exposer succeeded"

    @contract_test
    async def test_stop_leaves_no_tasks(self) -> None:
        """No task is running after the stop, and the exposer has no URL."""
        async with self._served() as (served, url), self.connect(url) as call:
            await self.probe(call)
        assert served.host.status()[0].url is None, "the exposer has a URL after the stop"
        assert await remaining_tasks() == []

    @contract_test
    async def test_restart(self) -> None:
        """A stopped host can be started again, repeatedly."""
        host = self._build(self._document())
        for number in range(3):
            async with host, self.connect(host.status()[0].url or "") as call:
                await self.probe(call, number)

    @operation_test
    async def test_two_hosts_are_isolated(self) -> None:
        """Two hosts in one process are separate, and one continues after the other stops."""
        async with self._served() as (one, url), self.connect(url) as call:
            one.fake("api").responses["read"] = lambda _: {"host": 1}
            async with self._served() as (two, other_url), self.connect(other_url) as other:
                two.fake("api").responses["read"] = lambda _: {"host": 2}
                assert await call("read", {"id": 7}) == {"host": 1}
                assert await other("read", {"id": 7}) == {"host": 2}
            assert await call("read", {"id": 7}) == {"host": 1}


async def _wait_until_refusing(served: Running) -> None:
    """Wait until the host refuses new calls."""
    namespace = served.host.status()[0].namespace
    while True:
        try:
            await served.host.call(f"{namespace}.ping", {"id": 1})
        except UnavailableError:
            return
        await asyncio.sleep(0)
