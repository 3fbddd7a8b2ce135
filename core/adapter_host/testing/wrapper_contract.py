"""The contract tests of plugins that wrap calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, ClassVar, Final

from adapter_host import OperationError, Result

from .contract import Contract, contract_test, error_tree, make_error, remaining_tasks, stream_of
from .running import Running

_CONCURRENT_CALLS: Final = 8


class WrapperContract(Contract):
    """The tests of a plugin whose wrapper observes calls; subclass it in a test module.

    `operation_keys` are added to the exposed operation, `consumer_keys` to the consumed API: the keys with which the
    plugin wraps. Override the tests of what your wrapper changes on purpose with a skipped test.
    """

    operation_keys: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    consumer_keys: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """Parametrize tests by errors."""
        if "error" in metafunc.fixturenames:
            errors = {error.__name__: error for error in error_tree(OperationError)}
            metafunc.parametrize("error", list(errors.values()), ids=list(errors))

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[Running]:
        inputs = [{"name": "id", "type": "integer"}]
        consumed = {"type": "fake", "namespace": "api", "operations": [{"name": "read", "inputParameters": inputs}]}
        exposed = {"type": "fake", "namespace": "front", "operations": [{"call": "api.read", **self.operation_keys}]}
        document = {
            "naftiko": "1.0.0-alpha2",
            "capability": {"consumes": [{**consumed, **self.consumer_keys}], "exposes": [exposed]},
        }
        async with self._build(document) as host:
            problems = [str(warning) for warning in host.warnings]
            assert problems == [], f"the document has problems: {problems}"
            yield Running(host)

    @contract_test
    async def test_results_are_unchanged(self) -> None:
        """A result has the status, the data and the headers of the API, and the arguments arrive."""
        async with self._served() as served:
            result = Result(status=203, data={"n": 1}, headers={"X-A": "b"})
            served.fake("api").responses["read"] = lambda _: result
            received = await served.host.call("front.read", {"id": 7})
            assert (received.status, received.data, dict(received.headers)) == (203, {"n": 1}, {"X-A": "b"})
            assert served.fake("api").calls == [("read", {"id": 7})]

    @contract_test
    async def test_arguments_are_not_modified(self) -> None:
        """A call does not modify its arguments."""
        async with self._served() as served:
            received = await served.host.call("front.read", MappingProxyType({"id": 7}))
            assert received.data == {"id": 7}

    @contract_test
    async def test_errors_are_unchanged(self, error: type[OperationError]) -> None:
        """An error of a call is raised as it is."""
        raised = make_error(error)

        def fail(_: Mapping[str, Any]) -> None:
            raise raised

        async with self._served() as served:
            served.fake("api").responses["read"] = fail
            (outcome,) = await asyncio.gather(served.host.call("front.read", {"id": 7}), return_exceptions=True)
            assert type(outcome) is error, f"expected {error.__name__}, got {outcome!r}"

    @contract_test
    async def test_calls_are_made_once(self) -> None:
        """A call is one call of the API, also if it fails."""

        def fail(_: Mapping[str, Any]) -> None:
            raise OperationError("no")

        async with self._served() as served:
            served.fake("api").responses["read"] = fail
            await asyncio.gather(served.host.call("front.read", {"id": 7}), return_exceptions=True)
            assert served.fake("api").calls == [("read", {"id": 7})]

    @contract_test
    async def test_calls_can_be_cancelled(self) -> None:
        """Cancelling a call cancels that of the API."""
        async with self._served() as served:
            hold = served.fake("api").hold("read")
            task = asyncio.ensure_future(served.host.call("front.read", {"id": 7}))
            await hold.entered.wait()
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled(), "the call was not cancelled"
            await hold.cancelled.wait()

    @contract_test
    async def test_calls_run_at_the_same_time(self) -> None:
        """A call does not wait for another one, and each receives its own result."""
        async with self._served() as served:
            hold = served.fake("api").hold("read")
            calls = [
                asyncio.ensure_future(served.host.call("front.read", {"id": number}))
                for number in range(_CONCURRENT_CALLS)
            ]
            await hold.wait_for_calls(len(calls))
            hold.release.set()
            results = await asyncio.gather(*calls)
            assert [result.data for result in results] == [{"id": number} for number in range(_CONCURRENT_CALLS)]

    @contract_test
    async def test_streams_are_passed_on(self) -> None:
        """A `Result.stream` is passed on, unread, and is closed at its end."""
        async with self._served() as served:
            closed = asyncio.Event()
            served.fake("api").responses["read"] = lambda _: Result(stream=stream_of(closed, b'{"id"', b": 7}"))
            received = await served.host.call("front.read", {"id": 7})
            assert received.data == {"id": 7}
            await closed.wait()

    @contract_test
    async def test_stop_leaves_no_tasks(self) -> None:
        """No task is running after the stop, and the host can be started again."""
        async with self._served() as served:
            await served.host.call("front.read", {"id": 7})
        async with served.host:
            await served.host.call("front.read", {"id": 7})
        assert await remaining_tasks() == []
