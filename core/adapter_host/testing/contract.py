"""Shared parts of the contracts: classes of tests that tests of adapters inherit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, ClassVar, Concatenate, Final, ParamSpec, TypeVar
from unittest import SkipTest

from adapter_host import ArgumentError, Host, OperationError, Plugins, UpstreamStatusError

from .fake import Hold
from .running import build_host

Caller = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Calls an operation by name with arguments; returns plain data, or raises `CallFailedError`."""


MESSAGE: Final = "the public message"
"""The message of the errors that tests cause."""

_TURNS: Final = 5
_GRACE: Final = 0.1


class CallFailedError(Exception):
    """A call of a client failed; `text` is the complete error that the client received, with its headers.

    `kind` is the kind of the error in the protocol, such as a status or a code. `sent` is that of an `UpstreamError`,
    and `place` the place of an `ArgumentError`, if the error has them as data.
    """

    def __init__(self, text: str, *, kind: object = None, sent: bool | None = None, place: object = None) -> None:
        self.text = text
        self.kind = kind
        self.sent = sent
        self.place = place
        super().__init__(text)


class Contract:
    """The base of contracts; `timeout` is the limit of a test in seconds, `settings` are fields of `Settings`.

    The plugins are imported before the time of a test begins.
    """

    timeout: ClassVar[float] = 5.0
    settings: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def plugins(self) -> Plugins:
        """Return the plugins to test with (default: the installed ones)."""
        return Plugins.installed()

    @property
    def host_settings(self) -> dict[str, Any]:
        """The fields of `Settings` to test with."""
        return {"drain_timeout": self.timeout, **self.settings}

    def _build(self, document: Mapping[str, Any], **settings: Any) -> Host:
        """Return a host of a document, with the plugins to test with; `settings` override those to test with."""
        return build_host(document, plugins=self.plugins(), **{**self.host_settings, **settings})


class ServerContract(Contract):
    """The base of contracts of exposers."""

    calls_operations: ClassVar[bool] = True
    """Whether the exposer calls operations; False for one that serves something else, such as pages.

    `exposes` then ignores the operations, and the function that `connect` yields ignores its arguments: it makes any
    request that must succeed, and checks the response. The tests of calls are skipped.
    """


ErrorT = TypeVar("ErrorT", bound=Exception)
PartT = TypeVar("PartT")
ContractT = TypeVar("ContractT", bound=Contract)
ServerT = TypeVar("ServerT", bound=ServerContract)
P = ParamSpec("P")


def contract_test(
    check: Callable[Concatenate[ContractT, P], Coroutine[Any, Any, None]],
) -> Callable[Concatenate[ContractT, P], None]:
    """Return a contract's test with a timeout and its own event loop, so that no pytest plugin is needed."""

    @wraps(check)
    def run(contract: ContractT, /, *args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(contract.timeout):
                await check(contract, *args, **kwargs)
            await _let_connections_close()

        contract.plugins().load_all()
        try:
            asyncio.run(bounded())
        except TimeoutError as error:
            raise AssertionError(f"timeout after {contract.timeout:g} s: {check.__doc__}") from error

    return run


def operation_test(
    check: Callable[Concatenate[ServerT, P], Coroutine[Any, Any, None]],
) -> Callable[Concatenate[ServerT, P], None]:
    """Return a contract's test of calls, which is skipped for an exposer that calls no operations."""
    run = contract_test(check)

    @wraps(run)
    def run_or_skip(contract: ServerT, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if not contract.calls_operations:
            raise SkipTest("the exposer calls no operations")
        run(contract, *args, **kwargs)

    return run_or_skip


def error_tree(root: type[OperationError]) -> Iterator[type[OperationError]]:
    """Yield an error type and its subclasses in the same module, which leaves out those of plugins."""
    yield root
    for error in root.__subclasses__():
        if error.__module__ == root.__module__:
            yield from error_tree(error)


async def stream_of(closed: asyncio.Event, *parts: bytes) -> AsyncIterator[bytes]:
    """Yield parts of a body; set `closed` at the end, or when the stream is closed."""
    try:
        for part in parts:
            yield part
    finally:
        closed.set()


async def endless_parts(closed: asyncio.Event, endless: Hold, part: PartT) -> AsyncIterator[PartT]:
    """Yield a part, and wait for `endless`; set `closed` at the end, or when the iterator is closed."""
    try:
        yield part
        await endless({})
    finally:
        closed.set()


def make_error(error: type[OperationError]) -> OperationError:
    """Return an error of a type, with the message `MESSAGE`."""
    if issubclass(error, ArgumentError):
        return error("id", MESSAGE)
    if issubclass(error, UpstreamStatusError):
        return error(418, b'{"said": "%b"}' % MESSAGE.encode(), "application/json")
    return error(MESSAGE)


def error_of(function: Callable[[], object], kind: type[ErrorT]) -> ErrorT | None:
    """Return the error of a kind that a function raises, or None if it raises none."""
    try:
        function()
    except kind as error:
        return error
    return None


async def is_refused(call: Awaitable[Any], kind: object = None) -> bool:
    """Return True if a call fails, with an error (of a kind, if there is one) or with a lost connection."""
    try:
        await call
    except (TimeoutError, asyncio.CancelledError):
        raise
    except CallFailedError as failed:
        if kind not in (None, failed.kind):
            raise AssertionError(f"the kind is {failed.kind!r}, not {kind!r}: {failed.text}") from failed
        return True
    except Exception:
        # The client is part of the plugin's tests and may raise any exception for a lost connection.
        return True
    return False


async def remaining_tasks(before: Collection[asyncio.Task[Any]] = ()) -> list[asyncio.Task[Any]]:
    """Return the tasks that are still running shortly after the stop, except those in `before`."""
    others = asyncio.all_tasks() - {asyncio.current_task(), *before}
    if not others:
        return []
    _, pending = await asyncio.wait(others, timeout=_GRACE)
    return list(pending)


async def _let_connections_close() -> None:
    """Let connections close before the loop does, so that they are not reported as open."""
    await remaining_tasks()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
