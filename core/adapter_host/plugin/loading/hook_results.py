"""Checks of the results of hooks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from adapter_host.errors import Problem
from adapter_host.plugin.extension_key import ExtensionKey
from adapter_host.plugin.services import HostService

from .origins import MisuseError
from .registry import describe

Named = Callable[[], AbstractContextManager[None]]
"""Returns a context that reports exceptions as those of a hook of a plugin."""


def check_result(hook: str, result: Any, named: Named) -> Any:
    """Return the result of a hook; raise `MisuseError` if it is none that the host can use.

    Functions that a hook returns are wrapped: their exceptions and results at build are those of the hook.
    """
    if inspect.iscoroutine(result):
        result.close()
        raise MisuseError("it is declared with 'async def'; use 'def'")
    check = _CHECKS.get(hook)
    return result if check is None or result is None else check(result, named)


def _problems(result: Any, _: Named) -> list[Problem]:
    problems = _items(result, "problems")
    for problem in problems:
        if not isinstance(problem, Problem):
            raise MisuseError(f"it returned {describe(problem)} among its problems; return a Problem for each")
    return problems


def _extension_keys(result: Any, _: Named) -> list[ExtensionKey]:
    keys = _items(result, "extension keys")
    for key in keys:
        if not isinstance(key, ExtensionKey):
            raise MisuseError(f"it returned {describe(key)} among its keys; return an ExtensionKey for each")
    return keys


def _middlewares(result: Any, _: Named) -> list[Any]:
    middlewares = _items(result, "middlewares")
    for middleware in middlewares:
        if not callable(middleware) or getattr(middleware, "__middleware_version__", 0) != 1:
            raise MisuseError(f"{describe(middleware)} is not a middleware; decorate it with aiohttp's @web.middleware")
    return middlewares


def _services(result: Any, _: Named) -> list[HostService]:
    services = _items(result, "services")
    for service in services:
        if not isinstance(service, HostService):
            raise MisuseError(f"it returned {describe(service)} among its services; return a HostService for each")
    return services


def _items(result: Any, noun: str) -> list[Any]:
    if isinstance(result, str | bytes | Mapping) or not isinstance(result, Iterable):
        raise MisuseError(f"it returned {describe(result)}; return a list of {noun}, or None")
    return list(result)


def _function(result: Any, _: Named) -> Any:
    if not callable(result):
        raise MisuseError(f"it returned {describe(result)}; return a function, or None")
    return result


def _boolean(result: Any, _: Named) -> bool:
    if not isinstance(result, bool):
        raise MisuseError(f"it returned {describe(result)}; return True, False or None")
    return result


def _wrapper(result: Any, named: Named) -> Callable[..., Any]:
    """Return a wrapper whose result is checked."""
    function = _function(result, named)

    def wrap(*args: Any) -> Any:
        with named():
            call = function(*args)
            if inspect.iscoroutine(call):
                call.close()
                raise MisuseError("its wrapper is declared with 'async def'; use 'def', and return an async function")
            if not callable(call):
                raise MisuseError(f"its wrapper returned {describe(call)}; return an async function")
            return call

    return wrap


_CHECKS: Final[Mapping[str, Callable[[Any, Named], Any]]] = {
    "extension_keys": _extension_keys,
    "check_capability": _problems,
    "operation_wrapper": _wrapper,
    "call_wrapper": _wrapper,
    "consumer_wrapper": _wrapper,
    "step_wrapper": _wrapper,
    "upstream_headers": _function,
    "http_middlewares": _middlewares,
    "access_refused": _function,
    "record_calls": _function,
    "reads_request_description": _boolean,
    "host_services": _services,
}
