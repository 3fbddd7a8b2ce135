"""What the contracts of exposers and of consumers share: a contract is a class of tests for others to subclass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, ClassVar, Concatenate, Final, ParamSpec, TypeVar

from adapter_host import OperationError, Plugins

Caller = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Calls an operation by name with arguments; gives the answer as plain data, or raises `CallFailedError`."""


_TURNS: Final = 5
_GRACE: Final = 0.1


class CallFailedError(Exception):
    """A client was told that its call failed; `text` is all that it was told, a status too."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


class Contract:
    """What a contract needs: `timeout`, the seconds that anything may take, and `settings`, those of `Settings`."""

    timeout: ClassVar[float] = 5.0
    settings: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def plugins(self) -> Plugins:
        """Return the plugins to test with: those that are installed."""
        return Plugins.installed()

    @property
    def host_settings(self) -> dict[str, Any]:
        """The settings to test with."""
        return {"drain_timeout": self.timeout, **self.settings}


ContractT = TypeVar("ContractT", bound=Contract)
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

        try:
            asyncio.run(bounded())
        except TimeoutError as error:
            raise AssertionError(f"not within {contract.timeout:g} s: {check.__doc__}") from error

    return run


def error_tree(root: type[OperationError]) -> Iterator[type[OperationError]]:
    """Yield an error and all below it that are the host's own; a plugin's are that plugin's to test."""
    yield root
    for error in root.__subclasses__():
        if error.__module__ == root.__module__:
            yield from error_tree(error)


async def is_refused(call: Awaitable[Any]) -> bool:
    """Whether a call comes to nothing: it is told so, or it has no connection any more."""
    try:
        await call
    except (TimeoutError, asyncio.CancelledError):
        raise
    except Exception:
        # A client is the plugin author's: what it raises for a lost connection is its own affair.
        return True
    return False


async def remaining_tasks(before: Collection[asyncio.Task[Any]] = ()) -> list[asyncio.Task[Any]]:
    """Return the tasks that go on after all has been stopped, but those of `before`; they may take a moment to end."""
    others = asyncio.all_tasks() - {asyncio.current_task(), *before}
    if not others:
        return []
    _, pending = await asyncio.wait(others, timeout=_GRACE)
    return list(pending)


async def _let_connections_close() -> None:
    """Let connections that are being closed end before the loop does, or they would be reported as left open."""
    await remaining_tasks()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
