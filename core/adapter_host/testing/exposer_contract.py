"""The list of all that an exposer has to keep."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from adapter_host import ArgumentError, OperationError, ProblemsError, UnavailableError, UpstreamStatusError

from .contract import Caller, CallFailedError, Contract, contract_test, error_tree, is_refused, remaining_tasks
from .running import Running, build_host

_MESSAGE: Final = "what the caller may know"
_DETAIL: Final = "the inmost detail"
_CONCURRENT_CALLS: Final = 8
_TYPES: Final = ({"name": "id", "type": "integer", "required": True}, {"name": "note", "type": "string"})
_NAMES: Final = ("read", "write", "ping")

_VALUES: Final[Mapping[str, Any]] = {
    "object": {"place": "Kraków", "celsius": -4.5, "tags": ["a", {"b": None}], "id": 2**53 + 1},
    "list": [1, "two", [3]],
    "text": "one\ntwo",
    "zero": 0,
    "false": False,
    "empty": {},
}
_MISTAKES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "missing": ("id", {"note": "x"}),
    "type": ("id", {"id": "seven"}),
}


class ExposerContract(Contract, ABC):
    """Every test that an exposer has to pass: subclass it in a test module and say how to expose and how to call.

    Each test serves operations of an API in memory on a free port, and calls them as a client of the protocol does.
    Set `ignores_unknown` for a protocol whose callers may send more than an operation takes, as HTTP's may.
    """

    ignores_unknown: ClassVar[bool] = False

    @abstractmethod
    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the entry of `exposes` that offers `operations` (each with `name`, `description` and `call`)."""

    @abstractmethod
    def connect(self, url: str) -> AbstractAsyncContextManager[Caller]:
        """Return client of its own at `url`: a function of operation and arguments, which raises `CallFailedError`."""

    @asynccontextmanager
    async def open_idle_connection(self, url: str) -> AsyncIterator[None]:
        """Keep something open that says nothing: by default a connection; a stream, if the protocol has such."""
        parts = urlsplit(url)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            yield
        finally:
            writer.transport.abort()

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """Make one test of each error, value and mistake."""
        errors = {error.__name__: error for error in error_tree(OperationError)}
        for name, cases in (("error", errors), ("value", _VALUES), ("mistake", _MISTAKES)):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, list(cases.values()), ids=list(cases))

    @asynccontextmanager
    async def _served(self, **keys: Any) -> AsyncIterator[tuple[Running, str]]:
        host = build_host(self._document(**keys), plugins=self.plugins(), **self.host_settings)
        async with host:
            yield Running(host), host.status()[0].url or ""

    def _document(self, **keys: Any) -> dict[str, Any]:
        consumed = [{"name": name, "inputParameters": list(_TYPES)} for name in _NAMES]
        exposed = [{"name": name, "description": f"Calls {name}", "call": f"api.{name}"} for name in _NAMES]
        return {
            "naftiko": "1.0.0-alpha2",
            "binds": [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}] if keys else [],
            "capability": {
                "consumes": [{"type": "fake", "namespace": "api", "operations": consumed}],
                "exposes": [{**self.exposes(exposed), **keys}],
            },
        }

    @contract_test
    async def test_building_has_no_side_effects(self) -> None:
        """Making an exposer needs no event loop and opens nothing; it has no URL before it is started."""
        host = await asyncio.to_thread(build_host, self._document(), plugins=self.plugins(), **self.host_settings)
        assert host.status()[0].url is None, "an exposer that is not started has a URL"

    @contract_test
    async def test_each_operation_is_served(self) -> None:
        """Each operation is served under its name, with the arguments as they were given."""
        async with self._served() as (served, url), self.connect(url) as call:
            for name in _NAMES:
                arguments = {"id": 7, "note": name}
                assert await call(name, arguments) == arguments
                assert served.fake("api").calls[-1:] == [(name, arguments)]

    @contract_test
    async def test_results_equal_direct_calls(self, value: Any) -> None:
        """A client gets the data that a direct call gives."""
        async with self._served() as (served, url), self.connect(url) as call:
            served.fake("api").responses["read"] = lambda _: value
            namespace = served.host.status()[0].namespace
            direct = await served.host.call(f"{namespace}.read", {"id": 7})
            assert await call("read", {"id": 7}) == direct.data

    @contract_test
    async def test_errors_reach_the_client(self, error: type[OperationError]) -> None:
        """Each error of a call reaches the client as an error, with its message and without what caused it."""
        raised = _make_error(error)

        def respond(_: Mapping[str, Any]) -> None:
            raise raised from RuntimeError(_DETAIL)

        async with self._served() as (served, url), self.connect(url) as call:
            served.fake("api").responses["read"] = respond
            text = await _error_text(call, {"id": 7})
            assert raised.message in text or _MESSAGE in text, f"{error.__name__} was told as: {text}"
            assert _DETAIL not in text

    @contract_test
    async def test_unexpected_errors_hide_details(self) -> None:
        """Any other exception reaches the client as an error without its text, and the next call is served."""

        def respond(_: Mapping[str, Any]) -> None:
            raise RuntimeError(_DETAIL)

        async with self._served() as (served, url):
            served.fake("api").responses["read"] = respond
            async with self.connect(url) as call:
                text = await _error_text(call, {"id": 7})
                assert _DETAIL not in text
                assert "RuntimeError" not in text
            async with self.connect(url) as call:
                assert await call("write", {"id": 7}) == {"id": 7}

    @contract_test
    async def test_invalid_arguments_are_named(self, mistake: tuple[str, Mapping[str, Any]]) -> None:
        """A wrong argument is told by its name, and nothing is called."""
        name, arguments = mistake
        async with self._served() as (served, url), self.connect(url) as call:
            text = await _error_text(call, arguments)
            assert f"'{name}'" in text, f"'{name}' is not named: {text}"
            assert served.fake("api").calls == []

    @contract_test
    async def test_unknown_arguments_are_named(self) -> None:
        """An argument that the operation does not take is told by its name, or ignored; it is never passed on."""
        async with self._served() as (served, url), self.connect(url) as call:
            if self.ignores_unknown:
                assert await call("read", {"id": 7, "nmae": "x"}) == {"id": 7}
            else:
                text = await _error_text(call, {"id": 7, "nmae": "x"})
                assert "'nmae'" in text, f"'nmae' is not named: {text}"
                assert served.fake("api").calls == []

    @contract_test
    async def test_authentication_is_enforced_or_rejected(self) -> None:
        """An exposer whose document has `authentication` refuses the document, or callers without credentials."""
        document = self._document(authentication={"type": "bearer", "token": "{{env.TOKEN}}"})
        try:
            host = build_host(document, plugins=self.plugins(), environment={"TOKEN": "a-secret"}, **self.host_settings)
        except ProblemsError:
            return
        async with host, self.connect(host.status()[0].url or "") as call:
            assert await is_refused(call("read", {"id": 7})), "who has no credentials was served"
            assert Running(host).fake("api").calls == []

    @contract_test
    async def test_concurrent_calls_are_isolated(self) -> None:
        """Of many calls at once, which end in another order than they came, each gets its own answer."""
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

    @contract_test
    async def test_disconnect_cancels_the_call(self) -> None:
        """When a client closes its connection, the call that it waited for is cancelled."""
        async with self._served() as (served, url):
            hold = served.fake("api").hold("read")
            async with self.connect(url) as call:
                task = asyncio.ensure_future(call("read", {"id": 7}))
                await hold.entered.wait()
                task.cancel()
                await asyncio.wait([task])
            await hold.cancelled.wait()

    @contract_test
    async def test_drain_refuses_new_calls(self) -> None:
        """Once draining, a call on a connection that is open is refused."""
        async with self._served() as (served, url), self.connect(url) as call:
            assert await call("ping", {"id": 1}) == {"id": 1}
            await served.host.drain()
            assert await is_refused(call("read", {"id": 7})), "a new call was answered"
            assert served.fake("api").calls == [("ping", {"id": 1})]

    @contract_test
    async def test_drain_completes_calls_in_flight(self) -> None:
        """A call that is in progress when draining begins is answered."""
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
        """Connections and streams that are open and idle are closed by the stop, at once."""
        async with self._served() as (served, url), self.open_idle_connection(url), self.connect(url) as call:
            assert await call("ping", {"id": 1}) == {"id": 1}
            async with asyncio.timeout(self.timeout / 2):
                await served.host.drain()
                await served.host.stop()
            assert await is_refused(call("ping", {"id": 1})), "a stopped exposer answered"

    @contract_test
    async def test_stop_leaves_no_tasks(self) -> None:
        """No task goes on after the stop, and there is no URL any more."""
        async with self._served() as (served, url), self.connect(url) as call:
            assert await call("ping", {"id": 1}) == {"id": 1}
        assert served.host.status()[0].url is None, "an exposer that was stopped has a URL"
        assert await remaining_tasks() == []

    @contract_test
    async def test_restart(self) -> None:
        """A host that was stopped can be started again, and again."""
        host = build_host(self._document(), plugins=self.plugins(), **self.host_settings)
        for number in range(3):
            async with host, self.connect(host.status()[0].url or "") as call:
                assert await call("read", {"id": number}) == {"id": number}

    @contract_test
    async def test_two_hosts_are_isolated(self) -> None:
        """Two hosts in one process serve each its own, and one goes on when the other has stopped."""
        async with self._served() as (one, url), self.connect(url) as call:
            one.fake("api").responses["read"] = lambda _: {"host": 1}
            async with self._served() as (two, other_url), self.connect(other_url) as other:
                two.fake("api").responses["read"] = lambda _: {"host": 2}
                assert await call("read", {"id": 7}) == {"host": 1}
                assert await other("read", {"id": 7}) == {"host": 2}
            assert await call("read", {"id": 7}) == {"host": 1}


def _make_error(error: type[OperationError]) -> OperationError:
    if issubclass(error, ArgumentError):
        return error("id", _MESSAGE)
    if issubclass(error, UpstreamStatusError):
        return error(418, b'{"said": "%b"}' % _MESSAGE.encode(), "application/json")
    return error(_MESSAGE)


async def _error_text(call: Caller, arguments: Mapping[str, Any]) -> str:
    """Return the error that a client receives for a failed call."""
    try:
        result = await call("read", arguments)
    except CallFailedError as failed:
        return failed.text
    raise AssertionError(f"the call succeeded: {result!r}")


async def _wait_until_refusing(served: Running) -> None:
    """Wait until the host takes no new calls."""
    namespace = served.host.status()[0].namespace
    while True:
        try:
            await served.host.call(f"{namespace}.ping", {"id": 1})
        except UnavailableError:
            return
        await asyncio.sleep(0)
