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
    """What a contract needs: `patience`, the seconds that anything may take, and `settings`, those of `Settings`."""

    patience: ClassVar[float] = 5.0
    settings: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def plugins(self) -> Plugins:
        """Return the plugins to test with: those that are installed."""
        return Plugins.installed()

    @property
    def given(self) -> dict[str, Any]:
        """The settings to test with."""
        return {"drain_timeout": self.patience, **self.settings}


ContractT = TypeVar("ContractT", bound=Contract)
P = ParamSpec("P")


def item(
    check: Callable[Concatenate[ContractT, P], Coroutine[Any, Any, None]],
) -> Callable[Concatenate[ContractT, P], None]:
    """Return a contract's test with a timeout and its own event loop, so that no pytest plugin is needed."""

    @wraps(check)
    def run(contract: ContractT, /, *given: P.args, **named: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(contract.patience):
                await check(contract, *given, **named)
            await _settle()

        try:
            asyncio.run(bounded())
        except TimeoutError as error:
            raise AssertionError(f"not within {contract.patience:g} s: {check.__doc__}") from error

    return run


def error_tree(root: type[OperationError]) -> Iterator[type[OperationError]]:
    """Yield an error and all below it that are the host's own; a plugin's are that plugin's to test."""
    yield root
    for error in root.__subclasses__():
        if error.__module__ == root.__module__:
            yield from error_tree(error)


async def refused(call: Awaitable[Any]) -> bool:
    """Whether a call comes to nothing: it is told so, or it has no connection any more."""
    try:
        await call
    except (TimeoutError, asyncio.CancelledError):
        raise
    except Exception:
        # A client is the plugin author's: what it raises for a lost connection is its own affair.
        return True
    return False


async def left_over(before: Collection[asyncio.Task[Any]] = ()) -> list[asyncio.Task[Any]]:
    """Return the tasks that go on after all has been stopped, but those of `before`; they may take a moment to end."""
    others = asyncio.all_tasks() - {asyncio.current_task(), *before}
    if not others:
        return []
    _, pending = await asyncio.wait(others, timeout=_GRACE)
    return list(pending)


async def _settle() -> None:
    """Let connections that are being closed end before the loop does, or they would be reported as left open."""
    await left_over()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
