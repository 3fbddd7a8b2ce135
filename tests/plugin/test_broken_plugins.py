"""Mistakes of plugins are errors that name the plugin, the hook and the line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from adapter_host import (
    Arguments,
    BindSource,
    Call,
    Command,
    Consumer,
    Exposer,
    ExposerConfig,
    Host,
    Model,
    Operation,
    PluginError,
    Plugins,
    RegisterCommand,
    RegisterConsumer,
    RegisterExposer,
    Settings,
    hookimpl,
)
from adapter_host.testing import FakeConsumer, FakeExposer, running
from tests.support.adapters import document, plain, plain_plugins


def plugin(**hooks: Any) -> SimpleNamespace:
    return SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})


class Unfinished(Consumer[Any]):
    """A consumer that lacks a method."""


class OddConfig(FakeExposer):
    config_class = Model  # type: ignore[assignment]


def some_function() -> None:
    """Do nothing."""


def show(_: argparse.Namespace) -> int:
    return 0


@pytest.mark.parametrize(
    ("hook", "name", "registered", "reason"),
    [
        ("register_exposers", "x", None, "exposes type 'x' cannot be None; register a subclass of Exposer"),
        ("register_exposers", "x", some_function, "cannot be the function some_function; register a subclass"),
        ("register_exposers", FakeExposer, "x", "swapped; call register('x', FakeExposer)"),
        ("register_exposers", "x", FakeConsumer, "register a subclass of Exposer, or use register_consumers"),
        ("register_consumers", "x", FakeExposer, "register a subclass of Consumer, or use register_exposers"),
        ("register_consumers", "x", Unfinished, "cannot be Unfinished, which is abstract; implement operations"),
        ("register_exposers", "x", OddConfig, "OddConfig.config_class cannot be Model; use a subclass"),
        ("register_exposers", "", FakeExposer, "the name of the exposes type cannot be ''; pass a text"),
        ("register_exposers", 5, FakeExposer, "the name of the exposes type cannot be 5"),
        ("register_step_types", "x", FakeExposer, "register a subclass of StepType, or use register_exposers"),
        ("register_bind_sources", "x", "environment", "bind scheme 'x' cannot be 'environment'"),
        ("register_commands", "x", some_function, "cannot be the function some_function; register a Command"),
        ("register_settings", None, some_function, "settings cannot be the function some_function"),
    ],
    ids=["none", "function", "swapped", "consumer", "exposer", "abstract", "config", "empty", "number", "step", "bind",
         "command", "settings"],
)  # fmt: skip
def test_wrong_registration(hook: str, name: Any, registered: Any, reason: str) -> None:
    def implementation(register: Callable[..., None]) -> None:
        register(registered) if name is None else register(name, registered)

    plugins = Plugins()
    with pytest.raises(PluginError) as caught:
        plugins.register("bad", plugin(**{hook: implementation}), distribution="bad-plugin", version="1.2")
    message = str(caught.value)
    assert message.startswith(f"plugin 'bad' (bad-plugin 1.2): {hook}: ")
    assert reason in message
    line = implementation.__code__.co_firstlineno
    assert message.endswith((f"{__file__}:{line})", f"{__file__}:{line + 1})"))
    assert plugins.registered == []


def test_command_of_another_plugin() -> None:
    def register_commands(register: RegisterCommand) -> None:
        register("show", Command("Show.", show))

    plugins = Plugins({"one": plugin(register_commands=register_commands)})
    with pytest.raises(PluginError, match=rf"command 'show' is already registered by {__name__}\.show; choose"):
        plugins.register("two", plugin(register_commands=register_commands, check_capability=lambda: None))


def test_command_registered_twice() -> None:
    def register_commands(register: RegisterCommand) -> None:
        register("show", Command("Show.", show))
        register("show", Command("Show.", show))

    with pytest.raises(PluginError, match=rf"command 'show' is already registered by {__name__}\.show; choose"):
        Plugins({"one": plugin(register_commands=register_commands)})


def test_upper_case_bind_scheme() -> None:
    class Source(BindSource):
        def value(self, key: str) -> str | None:
            return None

    with pytest.raises(PluginError, match="bind scheme 'Vault' must be in lower case; register 'vault'"):
        Plugins({"bad": plugin(register_bind_sources=lambda register: register("Vault", Source))})


def test_hook_without_mark() -> None:
    def register_exposers(register: RegisterExposer) -> None:
        register("x", FakeExposer)

    with pytest.raises(
        PluginError, match="plugin 'bad': 'register_exposers' is not marked; decorate it with @hookimpl"
    ):
        Plugins({"bad": SimpleNamespace(register_exposers=register_exposers)})


def test_hook_wrapper_is_refused() -> None:
    class Wrapping:
        @hookimpl(wrapper=True)
        def check_capability(self, loaded: Any) -> Any:
            return (yield)

    with pytest.raises(PluginError, match="check_capability: hook wrappers are not supported; return a value"):
        Plugins({"bad": Wrapping()})


def raising(*_: Any, **__: Any) -> Any:
    raise KeyError("x")


async def coroutine(*_: Any) -> Any:
    return None


def generating(loaded: Any) -> Iterable[Any]:
    yield loaded.source.problem((), "a", code="a", warning=True)
    raise KeyError("x")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("no", "it returned 'no'; return a list of extension keys, or None"),
        (["no"], "it returned 'no' among its keys; return an ExtensionKey for each"),
    ],
)
def test_wrong_extension_keys(result: Any, reason: str) -> None:
    plugins = plain_plugins()
    plugins.register("bad", plugin(extension_keys=lambda: result), distribution="bad-plugin", version="1.2")
    with pytest.raises(PluginError, match=f"extension_keys: {reason}"):
        plugins.call_hook("extension_keys")


@pytest.mark.parametrize(
    ("hook", "implementation", "reason"),
    [
        ("check_capability", lambda loaded: 5, "it returned 5; return a list of problems, or None"),
        ("check_capability", lambda loaded: "no", "it returned 'no'; return a list of problems, or None"),
        ("check_capability", lambda loaded: ["no"], "it returned 'no' among its problems; return a Problem for each"),
        ("check_capability", generating, "KeyError: 'x'"),
        ("operation_wrapper", lambda operation: "no", "it returned 'no'; return a function, or None"),
        ("operation_wrapper", lambda operation: lambda call: None, "its wrapper returned None; return an async"),
        ("operation_wrapper", lambda operation: coroutine, "its wrapper is declared with 'async def'; use 'def'"),
        ("operation_wrapper", lambda operation: coroutine(), "it is declared with 'async def'; use 'def'"),
        ("operation_wrapper", lambda operation: raising, "KeyError: 'x'"),
        ("consumer_wrapper", lambda config: lambda operation, call: 5, "its wrapper returned 5; return an async"),
        ("consumer_wrapper", lambda config: lambda call: call, "TypeError: "),
        ("upstream_headers", lambda config: {"X-A": "b"}, "it returned a dict; return a function, or None"),
        ("http_middlewares", lambda exposer: 5, "it returned 5; return a list of middlewares, or None"),
        ("http_middlewares", lambda exposer: [some_function], "the function some_function is not a middleware"),
    ],
)  # fmt: skip
def test_wrong_result_of_a_hook(hook: str, implementation: Callable[..., Any], reason: str) -> None:
    plugins = plain_plugins()
    plugins.register("bad", plugin(**{hook: implementation}), distribution="bad-plugin", version="1.2")
    with pytest.raises(PluginError) as caught:
        Host(document(plain()), plugins=plugins, settings=Settings(environment={}))
    message = str(caught.value)
    assert message.startswith(f"plugin 'bad' (bad-plugin 1.2): {hook}: {reason}")
    assert f"{__file__}:" in message


async def test_wrapped_call_that_returns_something_else() -> None:
    def operation_wrapper(operation: Operation) -> Callable[[Call], Call]:
        def wrap(call: Call) -> Call:
            async def data(arguments: Arguments) -> Any:
                return (await call(arguments)).data

            return data

        return wrap

    async with running(document(plain()), plugins=plain_plugins(bad=plugin(operation_wrapper=operation_wrapper))) as it:
        with pytest.raises(PluginError, match="operation_wrapper of plugin 'bad': 'get' returned dict, not a Result"):
            await it.host.call("front.get")


def test_middleware_is_accepted() -> None:
    @web.middleware
    async def middleware(request: web.Request, handler: Any) -> Any:
        return await handler(request)

    hooks = plugin(http_middlewares=lambda exposer: (each for each in [middleware]))
    host = Host(document(plain()), plugins=plain_plugins(good=hooks), settings=Settings(environment={}))
    assert host.plans[0].exposers[0].middlewares == (middleware,)


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        (lambda self: None, "operations: it returned None; return a sequence of ConsumedOperation"),
        (
            lambda self: [Operation],
            "operations: it returned Operation among its operations; subclass ConsumedOperation",
        ),
        (raising, "operations: KeyError: 'x'"),
    ],
)
def test_wrong_operations_of_a_consumer(operations: Callable[..., Any], reason: str) -> None:
    consumer = type("Odd", (Consumer,), {"operations": operations})

    def register_consumers(register: RegisterConsumer) -> None:
        register("odd", consumer)

    plugins = plain_plugins(bad=plugin(register_consumers=register_consumers))
    with pytest.raises(PluginError) as caught:
        Host(document(plain(), consumes=[{"type": "odd", "namespace": "a"}]), plugins=plugins)
    assert str(caught.value).startswith(f"plugin 'bad': {reason} ({__file__}:")


def test_exit_in_a_constructor() -> None:
    class Exiting(Exposer[ExposerConfig]):
        def __init__(self, *args: Any) -> None:
            raise SystemExit(3)

    plugins = plain_plugins(bad=plugin(register_exposers=lambda register: register("odd", Exiting)))
    with pytest.raises(PluginError, match=r"plugin 'bad': cannot build 'a' \(odd\): it ends the process by SystemExit"):
        Host(document(plain(), {"type": "odd", "namespace": "a"}), plugins=plugins)


@pytest.mark.parametrize("failure", [KeyError("a-secret"), SystemExit("a-secret")])
def test_raising_bind_source_is_named_without_its_text(failure: BaseException) -> None:
    class Raising(BindSource):
        def value(self, key: str) -> str | None:
            raise failure

    plugins = plain_plugins()
    hooks = plugin(register_bind_sources=lambda register: register("vault", Raising))
    plugins.register("bad", hooks, distribution="bad-plugin", version="1.2")
    bound = {
        **document(plain(), consumes=[{"type": "fake", "namespace": "api", "secret": "{{v.KEY}}"}]),
        "binds": [{"namespace": "v", "location": "vault://", "keys": {"KEY": "k"}}],
    }
    with pytest.raises(PluginError, match=r"^plugin 'bad' \(bad-plugin 1\.2\): .*Raising: ") as caught:
        Host(bound, plugins=plugins)
    assert "test_broken_plugins.py:" in str(caught.value)
    assert "a-secret" not in str(caught.value)
