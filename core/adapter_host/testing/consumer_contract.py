"""The contract tests of consumers."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final
from unittest import SkipTest

import orjson

from adapter_host import (
    ArgumentError,
    ConsumedOperation,
    Consumer,
    Host,
    OperationError,
    Problem,
    ProblemsError,
    Result,
    Settings,
    StartError,
    UpstreamError,
    UpstreamInvalidError,
    discover,
)
from adapter_host.base_uris import ALL, split_address

from .contract import Contract, contract_test, remaining_tasks
from .fake import Hold
from .running import build_host

_CONCURRENT_CALLS: Final = 8
_RESPONSE_LIMIT: Final = 5000
_TYPES: Final = frozenset({None, "string", "integer", "number", "boolean", "array", "object", "binary"})
_UNDECLARED: Final = "an-argument-that-nobody-declared"


@dataclass(frozen=True, slots=True)
class Example:
    """A successful call: the name of the operation, the arguments, and the data of the result."""

    operation: str
    arguments: Mapping[str, Any]
    data: Any


class ConsumerContract(Contract, ABC):
    """The tests that every consumer must pass; subclass it in a test module, with an API and some examples.

    `failures` are the errors that `fail` can cause; `failure_settings` are fields of `Settings` for their tests, such
    as a short `total_timeout`. Tests that need `fail`, `hold`, `enlarge` or `override` are skipped if it is not
    defined.
    """

    examples: ClassVar[Sequence[Example]] = ()
    failures: ClassVar[Sequence[type[UpstreamError]]] = ()
    failure_settings: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    _discovered: Mapping[str, Any] = MappingProxyType({})

    @abstractmethod
    def api(self) -> AbstractAsyncContextManager[Mapping[str, Any]]:
        """Start a mock server for the API and yield the entry of `consumes` that calls it."""

    async def fail(self, error: type[UpstreamError]) -> None:
        """Make the API fail from now on, so that calls raise `error`."""
        raise SkipTest("'fail' is not defined")

    async def hold(self) -> Hold:
        """Return a `Hold` that the API awaits in each call from now on, with the arguments."""
        raise SkipTest("'hold' is not defined")

    async def enlarge(self, size: int) -> None:
        """Make the API send responses of at least `size` bytes from now on."""
        raise SkipTest("'enlarge' is not defined")

    def override(self, entry: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        """Return an entry that calls another address, where nothing is, and the URL of the API, for `--base-uri`."""
        raise SkipTest("'override' is not defined")

    @property
    def _first(self) -> Example:
        if not self.examples:
            raise SkipTest("there are no examples")
        return self.examples[0]

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """Parametrize tests by the examples and failures."""
        if "example" in metafunc.fixturenames:
            names = [f"{number}-{example.operation}" for number, example in enumerate(cls.examples)]
            metafunc.parametrize("example", cls.examples, ids=names)
        if "failure" in metafunc.fixturenames:
            metafunc.parametrize("failure", cls.failures, ids=[error.__name__ for error in cls.failures])

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[Host]:
        async with self._api() as entry, self._built(entry) as host:
            yield host

    @asynccontextmanager
    async def _api(self) -> AsyncIterator[Mapping[str, Any]]:
        """Start the API, and discover its definitions if it describes itself."""
        async with self.api() as entry:
            self._discovered = await self._discover(entry)
            yield entry

    async def _discover(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        settings = Settings(**{"environment": {}, **self.host_settings})
        document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [entry]}}
        return await discover(document, plugins=self.plugins(), settings=settings)

    def _built(self, entry: Mapping[str, Any], **changes: Any) -> Host:
        settings = {"discovered": self._discovered, **self.host_settings, **changes}
        return build_host(self._document(entry), plugins=self.plugins(), **settings)

    def _document(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        names = dict.fromkeys(example.operation for example in self.examples)
        exposed = [{"name": name, "call": f"{entry['namespace']}.{name}"} for name in names]
        front = {"type": "fake", "namespace": "front", "operations": exposed}
        return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [entry], "exposes": [front]}}

    def test_examples_exist(self) -> None:
        """The contract has examples."""
        assert self.examples, "'examples' is empty; add an Example"

    @contract_test
    async def test_building_has_no_side_effects(self) -> None:
        """A consumer is created without an event loop."""
        async with self._api() as entry:
            await asyncio.to_thread(self._built, entry)

    @contract_test
    async def test_operations_declare_inputs(self) -> None:
        """Operations have their namespace, unique names, and unique inputs with known types."""
        async with self._api() as entry:
            operations = _consumer(self._built(entry)).operations()
            names = [operation.names[-1] for operation in operations]
            assert len(set(names)) == len(names), f"duplicate names of operations: {names}"
            for operation in operations:
                inputs = [parameter.name for parameter in operation.inputs]
                assert operation.namespace == entry["namespace"]
                assert len(set(inputs)) == len(inputs), f"duplicate inputs of '{operation.name}': {inputs}"
                assert {parameter.type for parameter in operation.inputs} <= _TYPES

    @contract_test
    async def test_discovery_is_repeatable(self) -> None:
        """An API that describes itself is discovered the same way twice, and no task is running afterwards."""
        async with self._api() as entry:
            if not self._discovered:
                raise SkipTest("the API does not describe itself")
            before = asyncio.all_tasks()
            assert await self._discover(entry) == self._discovered
            assert await remaining_tasks(before) == []

    @contract_test
    async def test_missing_definitions_are_a_problem(self) -> None:
        """Without the definitions of an API that describes itself, one problem says how to get them."""
        async with self._api() as entry:
            if not self._discovered:
                raise SkipTest("the API does not describe itself")
            self._discovered = {}
            problems: Sequence[Problem] = ()
            try:
                self._built(entry)
            except ProblemsError as error:
                problems = error.problems
            codes = [problem.code for problem in problems if not problem.warning]
            assert codes == ["not-discovered"], f"expected one problem of context.discovered(), got {codes}"

    @contract_test
    async def test_calls_return_results(self, example: Example) -> None:
        """A call returns a `Result` with the data of the example, also the second time."""
        async with self._started() as host:
            for _ in range(2):
                result = await _operation(host, example).call(example.arguments)
                assert isinstance(result, Result)
                assert result.data == example.data

    @contract_test
    async def test_exposed_operations_call_upstream(self, example: Example) -> None:
        """An exposed operation accepts the arguments that the declared inputs allow."""
        async with self._started() as host:
            result = await host.call(f"front.{example.operation}", example.arguments)
            assert result.data == example.data

    @contract_test
    async def test_arguments_are_not_modified(self, example: Example) -> None:
        """A call does not modify its arguments."""
        async with self._started() as host:
            await _operation(host, example).call(MappingProxyType(dict(example.arguments)))

    @contract_test
    async def test_undeclared_arguments_are_not_sent(self, example: Example) -> None:
        """An undeclared argument has no effect, or raises an `ArgumentError`."""
        async with self._started() as host:
            try:
                result = await _operation(host, example).call({**example.arguments, _UNDECLARED: "x"})
            except ArgumentError:
                return
            assert result.data == example.data

    @contract_test
    async def test_failures_are_upstream_errors(self, failure: type[UpstreamError]) -> None:
        """If the API fails, a call raises the exact `UpstreamError`."""
        async with self._api() as entry, self._built(entry, **self.failure_settings) as host:
            await self.fail(failure)
            task = _operation(host, self._first).call(self._first.arguments)
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            assert type(outcome) is failure, f"expected {failure.__name__}, got {outcome!r}"

    @contract_test
    async def test_calls_can_be_cancelled(self) -> None:
        """Cancelling a call releases the API, which can be called again."""
        async with self._started() as host:
            hold = await self.hold()
            call = _operation(host, self._first).call
            task = asyncio.ensure_future(call(self._first.arguments))
            await _entered(hold, task)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled(), "the call was not cancelled"
            await hold.cancelled.wait()
            hold.release.set()
            await call(self._first.arguments)

    @contract_test
    async def test_concurrent_calls_are_isolated(self) -> None:
        """Concurrent calls return their own results."""
        examples = [*self.examples] * _CONCURRENT_CALLS
        async with self._started() as host:
            results = await asyncio.gather(*(_operation(host, each).call(each.arguments) for each in examples))
            assert [result.data for result in results] == [example.data for example in examples]

    @contract_test
    async def test_calls_run_at_the_same_time(self) -> None:
        """A call does not wait until another one has its response."""
        async with self._started() as host:
            hold = await self.hold()
            call = _operation(host, self._first).call
            tasks = [asyncio.ensure_future(call(self._first.arguments)) for _ in range(_CONCURRENT_CALLS)]
            await hold.wait_for_calls(len(tasks))
            hold.release.set()
            await asyncio.gather(*tasks)

    @contract_test
    async def test_calls_are_sent_once(self) -> None:
        """A call is one request to the API."""
        async with self._started() as host:
            hold = await self.hold()
            task = asyncio.ensure_future(_operation(host, self._first).call(self._first.arguments))
            await _entered(hold, task)
            hold.release.set()
            await task
            assert len(hold.calls) == 1, f"the API received {len(hold.calls)} requests for one call"

    @contract_test
    async def test_numbers_keep_their_type(self, example: Example) -> None:
        """The API receives an integer as an integer: 7, not 7.0."""
        async with self._started() as host:
            hold = await self.hold()
            task = asyncio.ensure_future(_operation(host, example).call(example.arguments))
            await _entered(hold, task)
            hold.release.set()
            await task
            received = hold.calls[0]
            for name, value in example.arguments.items():
                if isinstance(value, int) and name in received:
                    assert str(received[name]) == str(value), f"'{name}' is {received[name]!r}, not {value!r}"

    @contract_test
    async def test_mock_calls_no_api(self) -> None:
        """With `Settings.mock`, the start raises `StartError`, or no call reaches the API."""
        async with self._api() as entry:
            host = self._built(entry, mock=True)
            hold = await self.hold()
            try:
                await host.start(listen=False)
            except StartError:
                return
            try:
                call = asyncio.ensure_future(_operation(host, self._first).call(self._first.arguments))
                reached = asyncio.ensure_future(hold.entered.wait())
                await asyncio.wait((call, reached), return_when=asyncio.FIRST_COMPLETED)
                assert not hold.calls, "a call reached the API, in spite of the mock setting"
                reached.cancel()
            finally:
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
                await host.stop()

    @contract_test
    async def test_response_limit(self) -> None:
        """A response that exceeds `Settings.response_limit` is an `UpstreamInvalidError`."""
        async with self._api() as entry, self._built(entry, response_limit=_RESPONSE_LIMIT) as host:
            await self.enlarge(4 * _RESPONSE_LIMIT)
            call = _operation(host, self._first).call(self._first.arguments)
            (outcome,) = await asyncio.gather(call, return_exceptions=True)
            assert type(outcome) is UpstreamInvalidError, f"expected UpstreamInvalidError, got {outcome!r}"

    @contract_test
    async def test_base_uri(self) -> None:
        """`context.base_uri` takes precedence over the address in the document.

        It is set by the namespace, for all APIs, and by the origin of the address in the document, if it has one and
        both addresses have the same path.
        """
        async with self._api() as entry:
            elsewhere, url = self.override(entry)
            (origin, path), (target, target_path) = _split_declared(self._built(elsewhere)), split_address(url)
            base_uris = [{entry["namespace"]: url}, {ALL: url}]
            if origin and path.strip("/") == target_path.strip("/"):
                base_uris.append({origin: target})
            for each in base_uris:
                async with self._built(elsewhere, base_uris=each) as host:
                    assert (await _operation(host, self._first).call(self._first.arguments)).data == self._first.data

    @contract_test
    async def test_calls_outside_start_and_stop(self) -> None:
        """Before the start and after the stop, a call returns a result or raises an `OperationError`."""
        async with self._api() as entry:
            host = self._built(entry)
            call = _operation(host, self._first).call
            with suppress(OperationError):
                await call(self._first.arguments)
            async with host:
                await call(self._first.arguments)
            with suppress(OperationError):
                await call(self._first.arguments)

    @contract_test
    async def test_stop_is_idempotent(self) -> None:
        """A consumer can be stopped before the start, and twice."""
        async with self._api() as entry:
            host = self._built(entry)
            await _consumer(host).stop()
            async with host:
                pass
            await _consumer(host).stop()

    @contract_test
    async def test_restart(self) -> None:
        """A stopped host can be started again, repeatedly."""
        async with self._api() as entry:
            host = self._built(entry)
            for _ in range(3):
                async with host:
                    assert (await _operation(host, self._first).call(self._first.arguments)).data == self._first.data

    @contract_test
    async def test_stop_leaves_no_tasks(self) -> None:
        """No task is running after the stop."""
        async with self._api() as entry:
            before = asyncio.all_tasks()
            async with self._built(entry) as host:
                await _operation(host, self._first).call(self._first.arguments)
            assert await remaining_tasks(before) == []

    @contract_test
    async def test_two_hosts_are_isolated(self) -> None:
        """Two hosts in one process are separate, and one continues after the other stops."""
        async with self._api() as entry, self._built(entry) as one:
            async with self._built(entry) as other:
                assert (await _operation(other, self._first).call(self._first.arguments)).data == self._first.data
            assert (await _operation(one, self._first).call(self._first.arguments)).data == self._first.data

    @contract_test
    async def test_requests_are_described(self, example: Example) -> None:
        """`describe` and `preview` return plain data, before the start."""
        async with self._api() as entry:
            operation = _operation(self._built(entry), example)
            assert orjson.dumps([operation.describe(), operation.preview(example.arguments)])


def _consumer(host: Host) -> Consumer[Any]:
    consumer: Consumer[Any] = host.plans[0].consumers[0]
    return consumer


def _split_declared(host: Host) -> tuple[str, str]:
    """Return the origin of the address in the document, and the rest of it."""
    return split_address(_consumer(host).context.declared_address or "")


def _operation(host: Host, example: Example) -> ConsumedOperation:
    for operation in _consumer(host).operations():
        if f"{operation.namespace}.{example.operation}" in operation.names:
            return operation
    raise AssertionError(f"unknown operation '{example.operation}'")


async def _entered(hold: Hold, call: asyncio.Future[Any]) -> None:
    """Wait until a call has reached the API; raise the error of a call that ends before."""
    reached = asyncio.ensure_future(hold.entered.wait())
    await asyncio.wait((reached, call), return_when=asyncio.FIRST_COMPLETED)
    if not reached.done():
        reached.cancel()
        raise AssertionError(f"the call ended before it reached the API: {call.exception() or call.result()!r}")
