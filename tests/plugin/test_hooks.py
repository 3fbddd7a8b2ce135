"""Plugins: every hook, the order of calls, and atomic registration."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler, Middleware

from adapter_host import (
    PRINCIPAL,
    ArgumentError,
    Arguments,
    AuditService,
    BindSource,
    BuildContext,
    Call,
    CallRecord,
    Capability,
    Command,
    ConsumedCall,
    ConsumedOperation,
    Consumer,
    ConsumerConfig,
    Exposer,
    ExtensionKey,
    HeaderWriter,
    Host,
    HostService,
    HttpExposer,
    LoadedCapability,
    MemoryStateStore,
    Model,
    Operation,
    OperationSpec,
    PluginError,
    Plugins,
    Principal,
    Problem,
    ProblemsError,
    RefusedRequest,
    RegisterBindSource,
    RegisterCommand,
    RegisterConsumer,
    RegisterExposer,
    RegisterStateStore,
    RegisterStepType,
    Result,
    Settings,
    StepSpec,
    StepType,
    StoreUnavailableError,
    hookimpl,
)
from adapter_host.cli import main
from adapter_host.cli.serve.ready_file import startup_message
from adapter_host.compiler.language_schema.document import language_schema
from adapter_host.plugin import hookspecs
from adapter_host.testing import FakeConsumer, running
from tests.support.adapters import PlainExposer, Recorder, document, plain, plain_plugins
from tests.support.paths import ROOT

DOCS = ROOT / "docs/reference/hooks.md"
HOOKS = sorted(name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec"))


def module(**hooks: Any) -> SimpleNamespace:
    """Return a plugin of functions, like the module of a plugin."""
    return SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_tested(hook: str) -> None:
    here = inspect.getsource(inspect.getmodule(test_every_hook_is_tested) or object)
    assert f"def test_{hook}" in here


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented(hook: str) -> None:
    assert inspect.getdoc(getattr(hookspecs, hook))
    if not DOCS.exists():
        pytest.skip("docs/reference/hooks.md is not there")
    text = DOCS.read_text()
    assert f"`{hook}`" in text or f"{hook}(" in text
    for argument in inspect.signature(getattr(hookspecs, hook)).parameters:
        assert argument in text


def test_register_exposers() -> None:
    def register_exposers(register: RegisterExposer) -> None:
        register("one", PlainExposer)
        register("two", PlainExposer)

    plugins = Plugins({"x": module(register_exposers=register_exposers)})
    assert plugins.exposers == {"one": PlainExposer, "two": PlainExposer}
    assert plugins.consumers == {}
    (taken,) = plugins.registered
    assert (taken.name, taken.exposers, taken.consumers, taken.hooks) == (
        "x",
        ("one", "two"),
        (),
        ("register_exposers",),
    )


class Consuming:
    """A plugin that registers only `type: fake`."""

    @hookimpl
    def register_consumers(self, register: RegisterConsumer) -> None:
        register("fake", FakeConsumer)


def test_register_consumers() -> None:
    plugins = Plugins({"fake": Consuming()})
    assert list(plugins.consumers) == ["fake"]
    (taken,) = plugins.registered
    assert (taken.name, taken.distribution, taken.version) == ("fake", None, None)
    assert (taken.exposers, taken.consumers, taken.hooks) == ((), ("fake",), ("register_consumers",))


class FixedSource(BindSource):
    """A source whose secrets are all 42."""

    def value(self, key: str) -> str:
        return "42"


def test_register_bind_sources(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def register_bind_sources(register: RegisterBindSource) -> None:
        register("fixed", FixedSource)

    plugins = plain_plugins(fixed=module(register_bind_sources=register_bind_sources))
    assert sorted(plugins.bind_sources) == ["environment", "file", "fixed"]
    assert plugins.registered[-1].bind_sources == ("fixed",)
    assert plugins.registered[-1].hooks == ("register_bind_sources",)
    assert {info.bind_sources for info in plugins.registered[:-1]} == {()}
    assert sorted(Plugins().bind_sources) == ["environment", "file"]
    binds = [{"namespace": "deep", "location": "fixed://thought", "keys": {"KEY": "key"}}]
    exposed = plain(authentication={"type": "bearer", "token": "{{deep.KEY}}"})
    host = Host(document(exposed, binds=binds), plugins=plugins, settings=Settings(environment={}))
    assert host.plans[0].loaded.secrets.unresolved == {}
    monkeypatch.setattr(Plugins, "installed", lambda *_, **__: plugins)
    assert main(["plugins"]) == 0
    assert re.search(r"^fixed +- +- +binds fixed +register_bind_sources$", capsys.readouterr().out, re.MULTILINE)


class SmallStore(MemoryStateStore):
    """A store with room for one entry."""

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        super().__init__("memory:", environment, max_entries=1)


async def test_register_state_stores(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def register_state_stores(register: RegisterStateStore) -> None:
        register("small", SmallStore)

    plugins = plain_plugins(small=module(register_state_stores=register_state_stores))
    assert sorted(plugins.state_stores) == ["memory", "small"]
    assert plugins.registered[-1].state_stores == ("small",)
    assert plugins.registered[-1].hooks == ("register_state_stores",)
    host = Host(document(plain()), plugins=plugins, settings=Settings(state="small:"))
    await host.state.set("one", 1)
    with pytest.raises(StoreUnavailableError):
        await host.state.set("two", 2)
    monkeypatch.setattr(Plugins, "installed", lambda *_, **__: plugins)
    assert main(["plugins"]) == 0
    assert re.search(r"^small +- +- +state small +register_state_stores$", capsys.readouterr().out, re.MULTILINE)
    assert main(["plugins", "show", "state.small"]) == 0
    assert "room for one entry" in capsys.readouterr().out


class Echo(StepType[StepSpec]):
    """Returns its arguments."""

    def compile(self, spec: StepSpec) -> Call:
        async def work(arguments: Arguments) -> Result:
            return Result(data=dict(arguments))

        return work


async def test_register_step_types(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def register_step_types(register: RegisterStepType) -> None:
        register("echo", Echo)

    plugins = plain_plugins(echoing=module(register_step_types=register_step_types))
    assert plugins.step_types == {"echo": Echo}
    assert (plugins.registered[-1].step_types, plugins.registered[-1].hooks) == (("echo",), ("register_step_types",))
    exposed = plain({"name": "go", "steps": [{"type": "echo", "name": "a", "with": {"x": 1}}]})
    async with Host(document(exposed), plugins=plugins) as host:
        assert (await host.call("front.go")).data == {"x": 1}
    monkeypatch.setattr(Plugins, "installed", lambda *_, **__: plugins)
    assert main(["plugins"]) == 0
    assert re.search(r"^echoing +- +- +step echo +register_step_types$", capsys.readouterr().out, re.MULTILINE)


def test_check_capability() -> None:
    seen: list[Capability] = []

    def check_capability(loaded: LoadedCapability) -> Iterable[Problem]:
        seen.append(loaded.capability)
        config = loaded.capability.exposes[0]
        yield loaded.source.problem(loaded.loc(config, "namespace"), "no good name", code="name")
        yield Problem("only a remark", warning=True)

    plugins = plain_plugins(checker=module(check_capability=check_capability))
    with pytest.raises(ProblemsError) as caught:
        Host(document(plain()), plugins=plugins)
    assert [(problem.message, problem.code) for problem in caught.value.problems] == [
        ("capability.exposes.0.namespace: no good name", "name"),
        ("only a remark", "invalid"),
    ]
    assert seen[0].exposes[0].namespace == "front"


def test_check_capability_may_return_none() -> None:
    def check_capability(loaded: LoadedCapability) -> None:
        return None

    host = Host(document(plain()), plugins=plain_plugins(checker=module(check_capability=check_capability)))
    assert host.warnings == ()


def marking(name: str, log: list[str]) -> Callable[[Operation], Callable[[Call], Call]]:
    """Return an `operation_wrapper` that logs its call, and the begin and end of each operation call."""

    def operation_wrapper(operation: Operation) -> Callable[[Call], Call]:
        log.append(f"wrap {operation.name} by {name}")

        def wrap(call: Call) -> Call:
            async def wrapped(arguments: Arguments) -> Result:
                log.append(f"in {name}")
                try:
                    return await call(arguments)
                finally:
                    log.append(f"out {name}")

            return wrapped

        return wrap

    return operation_wrapper


async def test_operation_wrapper() -> None:
    log: list[str] = []
    plugins = plain_plugins(marking=module(operation_wrapper=marking("m", log)))
    async with running(document(plain()), plugins=plugins) as served:
        assert log == ["wrap get by m"]
        result = await served.host.call("front.get", {})
        assert result.data == {}
        await served.host.call("front.get", {})
    assert log == ["wrap get by m", "in m", "out m", "in m", "out m"]


async def test_call_wrapper() -> None:
    log: list[str] = []
    plugins = plain_plugins(
        outer=module(call_wrapper=marking("outer", log)), inner=module(operation_wrapper=marking("inner", log))
    )
    inputs = [{"name": "n", "type": "integer"}]
    async with running(document(plain({"call": "api.get", "inputParameters": inputs})), plugins=plugins) as served:
        log.clear()
        await served.host.call("front.get", {"n": 1})
        assert log == ["in outer", "in inner", "out inner", "out outer"]
        log.clear()
        with pytest.raises(ArgumentError):
            await served.host.call("front.get", {"n": "x"})
    assert log[0] == "in outer"
    assert "in inner" not in log


async def test_access_refused() -> None:
    refused: list[tuple[str | None, int]] = []

    def access_refused(context: BuildContext) -> Callable[[RefusedRequest], None] | None:
        if context.namespace != "front":
            return None
        return lambda each: refused.append((each.call.exposer, each.refusal.status))

    plugins = plain_plugins(own=module(access_refused=access_refused))
    token = {"type": "bearer", "token": "s3cr3t"}
    fronts = (plain(authentication=token), plain(namespace="back", authentication=token))
    async with running(document(*fronts), plugins=plugins) as served, aiohttp.ClientSession() as session:
        for namespace in ("front", "back"):
            async with session.post(f"{served.url(namespace)}/get") as response:
                assert response.status == 401
    assert refused == [("front", 401)]


@pytest.mark.parametrize("reads", [True, False, None])
async def test_reads_request_description(reads: bool | None) -> None:
    contexts: list[BuildContext] = []

    def operation_wrapper(operation: Operation, context: BuildContext) -> None:
        contexts.append(context)

    reader = module(reads_request_description=lambda context: reads, operation_wrapper=operation_wrapper)
    async with running(document(plain()), plugins=plain_plugins(own=reader)):
        assert [context.describes_requests for context in contexts] == [bool(reads)]


async def test_operation_wrapper_order() -> None:
    log: list[str] = []
    plugins = plain_plugins(
        second=module(operation_wrapper=marking("second", log)),
        first=module(operation_wrapper=marking("first", log)),
        last=SimpleNamespace(operation_wrapper=hookimpl(trylast=True)(marking("last", log))),
        outermost=SimpleNamespace(operation_wrapper=hookimpl(tryfirst=True)(marking("outermost", log))),
    )
    async with running(document(plain()), plugins=plugins) as served:
        order = ["outermost", "first", "second", "last"]
        assert log == [f"wrap get by {name}" for name in order]
        assert plugins.hook_order("operation_wrapper") == tuple(order)
        log.clear()
        await served.host.call("front.get")
    assert log == [*(f"in {name}" for name in order), *(f"out {name}" for name in reversed(order))]


async def test_operation_wrapper_reads_extension_keys() -> None:
    class Own(Model):
        limit: int

    result: list[Own | None] = []

    def operation_wrapper(operation: Operation, context: BuildContext) -> None:
        result.append(context.read_extension("x-own", operation.spec, Own))

    plugins = plain_plugins(own=module(operation_wrapper=operation_wrapper))
    Host(
        document(plain({"call": "api.get"}, {"name": "two", "call": "api.get", "x-own": {"limit": 3}})), plugins=plugins
    )
    assert result == [None, Own(limit=3)]
    wrong = [
        {"call": "api.get", "x-own": {"limit": "x"}},
        {"name": "two", "call": "api.get", "x-own": {"limit": 1, "l": 2}},
    ]
    with pytest.raises(ProblemsError) as caught:
        Host(document(plain(*wrong)), plugins=plugins)
    assert [(problem.message, problem.code) for problem in caught.value.problems] == [
        ("capability.exposes.0.operations.0.x-own.limit: 'limit' must be a whole number (given 'x')", "type"),
        ("capability.exposes.0.operations.1.x-own.l: unknown key 'l' (known: limit)", "unknown-key"),
    ]


async def test_consumer_wrapper() -> None:
    log: list[str] = []

    def noting(name: str) -> Callable[..., Callable[[ConsumedOperation, ConsumedCall], ConsumedCall]]:
        def consumer_wrapper(
            config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
        ) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall]:
            log.append(f"{name}: {config.namespace} of {context.namespace}: {[item.name for item in operations]}")

            def wrap(operation: ConsumedOperation, call: ConsumedCall) -> ConsumedCall:
                async def noted(arguments: Arguments, *, stream: bool = False) -> Result:
                    log.append(f"{name}: {operation.name}")
                    return await call(arguments, stream=stream)

                return noted if operation.name == "get" else call

            return wrap

        return consumer_wrapper

    plugins = plain_plugins(
        inner=module(consumer_wrapper=noting("inner")), outer=module(consumer_wrapper=noting("outer"))
    )
    operations = [{"name": "get", "description": "Gets."}, {"name": "put"}]
    made = document(plain(), consumes=[{"type": "fake", "namespace": "api", "operations": operations}])
    async with running(made, plugins=plugins) as served:
        assert log == ["outer: api of api: ['get', 'put']", "inner: api of api: ['get', 'put']"]
        log.clear()
        assert (await served.host.call("front.get")).data == {}
        assert (await served.host.call("api.get")).data == {}
        assert log == ["outer: get", "inner: get"] * 2
        wrapped, left_alone = served.host.plans[0].consumed
        offered = served.fake("api").operations()
        assert (wrapped.names, wrapped.description, wrapped.spec) == (("api.get",), "Gets.", offered[0].spec)
        assert wrapped.preview({"a": 1}) == offered[0].preview({"a": 1})
        assert type(left_alone) is type(offered[1])


async def test_step_wrapper() -> None:
    log: list[str] = []

    def noting(name: str) -> Callable[..., Callable[[Call], Call] | None]:
        def step_wrapper(
            step: StepSpec, operation: OperationSpec, context: BuildContext
        ) -> Callable[[Call], Call] | None:
            log.append(f"{name}: {step.type} {step.name} of {context.namespace}.{operation.name}")

            def wrap(call: Call) -> Call:
                async def noted(arguments: Arguments) -> Result:
                    log.append(f"{name} in {step.name}")
                    try:
                        return await call(arguments)
                    finally:
                        log.append(f"{name} out {step.name}")

                return noted

            return wrap if step.name == "one" else None

        return step_wrapper

    plugins = plain_plugins(inner=module(step_wrapper=noting("inner")), outer=module(step_wrapper=noting("outer")))
    steps = [{"type": "call", "name": name, "call": "api.get"} for name in ("one", "two")]
    async with running(document(plain({"name": "go", "steps": steps})), plugins=plugins) as served:
        assert log == [f"{name}: call {step} of front.go" for step in ("one", "two") for name in ("outer", "inner")]
        log.clear()
        await served.host.call("front.go")
        assert log == ["outer in one", "inner in one", "inner out one", "outer out one"]
        assert len(served.fake("api").calls) == 2


async def test_upstream_headers() -> None:
    calls: list[str] = []
    sent: list[str | None] = []

    def upstream_headers(config: ConsumerConfig, context: BuildContext) -> HeaderWriter | None:
        calls.append(f"{config.type} {context.namespace}")
        return (lambda headers: headers.update({"X-Who": config.namespace})) if config.namespace == "api" else None

    async def respond(request: web.Request) -> web.Response:
        sent.append(request.headers.get("X-Who"))
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/{path:.*}", respond)
    async with TestServer(app) as upstream:
        resources = [{"path": "/", "operations": [{"name": "get", "method": "GET"}]}]
        consumed = [
            {"type": "http", "namespace": name, "baseUri": f"http://127.0.0.1:{upstream.port}", "resources": resources}
            for name in ("api", "other")
        ]
        plugins = Plugins.installed()
        plugins.register("who", module(upstream_headers=upstream_headers))
        exposed = {"type": "echo", "namespace": "front", "port": 0, "operations": [{"call": "api.get"}]}
        async with running(document(exposed, consumes=consumed), plugins=plugins) as served:
            for name in ("api.get", "other.get"):
                await served.host.call(name)
    assert (calls, sent) == (["http api", "http other"], ["api", None])


async def test_http_middlewares() -> None:
    log: list[str] = []

    def noting(name: str) -> Callable[..., Iterable[Middleware] | None]:
        def http_middlewares(exposer: HttpExposer[Any], context: BuildContext) -> Iterable[Middleware] | None:
            @web.middleware
            async def noted(request: web.Request, handler: Handler) -> web.StreamResponse:
                log.append(f"{name} {context.namespace} {request.get(PRINCIPAL)}")
                return await handler(request)

            return [noted] if exposer.config.namespace == "front" else None

        return http_middlewares

    plugins = plain_plugins(
        inner=module(http_middlewares=noting("inner")), outer=module(http_middlewares=noting("outer"))
    )
    token = {"type": "bearer", "token": "s3cr3t"}
    fronts = (plain(authentication=token), plain(namespace="back"), {"type": "noted", "namespace": "n"})
    recorder = Recorder()
    plugins.register("noted", recorder)
    async with running(document(*fronts), plugins=plugins) as served, aiohttp.ClientSession() as session:
        for namespace, sent_token, status in (("front", "s3cr3t", 200), ("front", "wrong", 401), ("back", "", 200)):
            headers = {"Authorization": f"Bearer {sent_token}"}
            async with session.post(f"{served.url(namespace)}/get", headers=headers) as response:
                assert response.status == status
    principal = Principal(None)
    assert log == [f"outer front {principal}", f"inner front {principal}"]


def test_shared_state_across_reloads() -> None:
    states: list[list[str]] = []

    def operation_wrapper(operation: Operation, context: BuildContext) -> None:
        state: list[str] = context.shared_state("mine", list)
        state.append(operation.name)
        states.append(state)

    plugins = plain_plugins(keeping=module(operation_wrapper=operation_wrapper))
    first, second = (Host(document(plain()), plugins=plugins, settings=Settings(environment={})) for _ in range(2))
    assert first.check() == ()
    assert [len(state) for state in states] == [2, 1, 2]
    assert states[0] is states[2]
    assert states[0] is not states[1]
    assert second.check() == ()


async def test_operation_wrapper_may_skip_or_replace_a_call() -> None:
    def operation_wrapper(operation: Operation) -> Callable[[Call], Call] | None:
        async def constant(arguments: Arguments) -> Result:
            return Result(data="from the cache")

        return (lambda call: constant) if operation.name == "get" else None

    plugins = plain_plugins(cache=module(operation_wrapper=operation_wrapper))
    operations = ({"name": "get", "call": "api.get"}, {"name": "fresh", "call": "api.get"})
    async with running(document(plain(*operations)), plugins=plugins) as served:
        assert (await served.host.call("front.get")).data == "from the cache"
        assert (await served.host.call("front.fresh")).data == {}
        assert served.fake("api").calls == [("get", {})]


async def test_operation_wrapper_receives_validated_arguments() -> None:
    seen: list[Arguments] = []

    def operation_wrapper(operation: Operation) -> Callable[[Call], Call]:
        def wrap(call: Call) -> Call:
            async def noted(arguments: Arguments) -> Result:
                seen.append(arguments)
                return await call(arguments)

            return noted

        return wrap

    plugins = plain_plugins(noting=module(operation_wrapper=operation_wrapper))
    async with running(document(plain()), plugins=plugins) as served:
        with pytest.raises(ArgumentError, match="unknown parameter 'limit'"):
            await served.host.call("front.get", {"limit": 1})
    assert seen == []


async def test_call_order(recorder: Recorder) -> None:
    log = recorder.events

    def check_capability(loaded: LoadedCapability) -> None:
        log.append("check")

    plugins = plain_plugins(
        noted=recorder,
        other=module(check_capability=check_capability, operation_wrapper=marking("w", log)),
    )
    noted = [{"type": "noted", "namespace": name} for name in ("one", "two")]
    api = {"type": "fake", "namespace": "api", "operations": [{"name": "get"}]}
    host = Host(document(*noted, plain(), consumes=[*noted, api]), plugins=plugins, settings=Settings(environment={}))
    assert log == [
        "check",
        "make consumer one",
        "make consumer two",
        "make exposer one",
        "make exposer two",
        "wrap get by w",
    ]
    log.clear()
    async with host:
        assert log == ["start consumer one", "start consumer two", "start exposer one", "start exposer two"]
        log.clear()
    assert log == [
        "drain exposer one",
        "drain exposer two",
        "stop exposer two",
        "stop exposer one",
        "stop consumer two",
        "stop consumer one",
    ]


class AuditSettings(Model):
    """The settings of a plugin."""

    days: int = 30


def test_register_settings() -> None:
    seen: list[int] = []

    def operation_wrapper(operation: Operation, context: BuildContext) -> None:
        seen.append(context.plugin_settings("audit", AuditSettings).days)

    hooks = module(register_settings=lambda register: register(AuditSettings), operation_wrapper=operation_wrapper)
    plugins = plain_plugins(audit=hooks)
    assert plugins.registered[-1].settings is AuditSettings
    for given in ({}, {"audit": {"days": 7}}):
        Host(document(plain()), plugins=plugins, settings=Settings(environment={}, plugins=given))
    assert seen == [30, 7]
    with pytest.raises(ProblemsError, match=r"^settings of plugin 'audit': 'days' must be a whole number"):
        Host(document(plain()), plugins=plugins, settings=Settings(plugins={"audit": {"days": "many"}}))
    twice = module(register_settings=lambda register: [register(AuditSettings), register(AuditSettings)])
    with pytest.raises(PluginError, match="AuditSettings is a second model of settings; register one"):
        plain_plugins(audit=twice)


def test_register_commands() -> None:
    command = Command("show something", lambda options: 0)

    def register_commands(register: RegisterCommand) -> None:
        register("show", command)

    plugins = plain_plugins(x=module(register_commands=register_commands))
    assert dict(plugins.commands) == {"show": command}
    assert plugins.registered[-1].commands == ("show",)


class HostHooks:
    """A plugin that records the hooks of a host; those in `fails` raise."""

    def __init__(self, *fails: str) -> None:
        self.events: list[str] = []
        self.fails = fails

    def note(self, event: str, host: Host) -> None:
        urls = [status.url for status in host.status() if status.url]
        self.events.append(f"{event} {'with' if urls else 'without'} URL, {'ready' if host.ready else 'not ready'}")
        if event in self.fails:
            raise OSError(f"{event} failed")

    @hookimpl
    async def host_starting(self, host: Host) -> None:
        self.note("starting", host)

    @hookimpl
    def host_started(self, host: Host) -> None:
        self.note("started", host)

    @hookimpl
    async def host_stopped(self, host: Host) -> None:
        self.note("stopped", host)


class Lamp(HostService):
    """A service."""

    def __init__(self, host: Host) -> None:
        self.host = host


async def test_host_services() -> None:
    loaded: list[Host] = []

    def host_services(host: Host) -> list[HostService]:
        loaded.append(host)
        return [Lamp(host)]

    async with running(document(plain()), plugins=plain_plugins(lamps=module(host_services=host_services))) as served:
        host = served.host
        assert loaded == []
        (lamp,) = host.services.find(Lamp)
        context = host.plans[0].exposers[0].exposer.context
        assert (lamp.host, context.services(Lamp)) == (host, (lamp,))
        assert host.services.find(AuditService) == ()
        assert loaded == [host]
        await host.reload()
        assert host.plans[0].exposers[0].exposer.context.services(Lamp) == (lamp,)


async def test_host_services_that_are_none() -> None:
    lamps = module(host_services=lambda host: ["lamp"])
    async with running(document(plain()), plugins=plain_plugins(lamps=lamps)) as served:
        with pytest.raises(PluginError, match=r"^plugin 'lamps': host_services: it returned 'lamp' among its services"):
            served.host.services.find(Lamp)


async def test_host_starting() -> None:
    hooks = HostHooks("starting")
    host = Host(document(plain()), plugins=plain_plugins(x=hooks), settings=Settings(environment={}))
    with pytest.raises(PluginError, match=r"^plugin 'x': host_starting: OSError: starting failed \(/.*:\d+\)$"):
        await host.start()
    assert hooks.events == ["starting without URL, not ready", "stopped without URL, not ready"]
    assert not host.ready


async def test_host_started() -> None:
    hooks = HostHooks()
    async with running(document(plain()), plugins=plain_plugins(x=hooks)) as served:
        assert hooks.events == ["starting without URL, not ready", "started with URL, not ready"]
        await served.host.reload()
        assert len(hooks.events) == 2
    assert hooks.events[2:] == ["stopped without URL, not ready"]


async def test_host_stopped() -> None:
    first, second = HostHooks("stopped"), HostHooks()
    host = Host(document(plain()), plugins=plain_plugins(x=first, y=second), settings=Settings(environment={}))
    await host.stop()
    assert first.events == []
    await host.start(listen=False)
    with pytest.raises(PluginError, match=r"^plugin 'x': host_stopped: OSError: stopped failed"):
        await host.stop()
    assert [len(hooks.events) for hooks in (first, second)] == [3, 3]
    await host.start(listen=False)


def _kept(plugins: Plugins) -> list[Any]:
    registries = (plugins.exposers, plugins.consumers, plugins.bind_sources, plugins.step_types)
    return [*({**registry} for registry in registries), list(plugins.registered)]


@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        (
            module(register_exposers=lambda nothing: None),
            "Argument(s) {'nothing'} are declared in the hookimpl but can not be found in the hookspec",
        ),
        (module(register_dances=lambda register: None), "unknown hook 'register_dances'"),
        (module(register_exposers=lambda register: register("brought", PlainExposer) or 1 / 0), "ZeroDivisionError"),
        (
            module(
                register_exposers=lambda register: register("brought", PlainExposer),
                register_consumers=lambda register: register("fake", Consumer),
            ),
            "adapter_host.testing.fake.FakeConsumer",
        ),
        (
            module(register_exposers=lambda register: [register("brought", Exposer), register("brought", Exposer)]),
            "adapter_host.plugin.exposer.Exposer",
        ),
        (
            module(
                register_bind_sources=lambda register: [register("brought", FixedSource), register("file", FixedSource)]
            ),
            "adapter_host.binds.files.FileSource",
        ),
        (
            module(register_step_types=lambda register: [register("brought", Echo), register("call", Echo)]),
            "adapter_host.capability.step_specs.CallStepSpec",
        ),
    ],
    ids=["argument", "hook", "exception", "taken", "twice", "scheme", "step"],
)
def test_failing_plugin_leaves_nothing_registered(failing: object, reason: str) -> None:
    plugins = plain_plugins()
    before = _kept(plugins)
    with pytest.raises(PluginError) as caught:
        plugins.register("bad", failing, distribution="bad-plugin", version="1.2")
    assert str(caught.value).startswith("plugin 'bad' (bad-plugin 1.2): ")
    assert reason in str(caught.value)
    assert _kept(plugins) == before
    plugins.register("bad", FakePluginOfAnotherType())
    assert "other" in plugins.consumers
    Host(document(plain()), plugins=plugins)


class FakePluginOfAnotherType:
    @hookimpl
    def register_consumers(self, register: RegisterConsumer) -> None:
        register("other", FakeConsumer)


def test_plugin_is_registered_once() -> None:
    plugins, fake = Plugins(), Consuming()
    plugins.register("fake", fake)
    for name in ("fake", "again"):
        with pytest.raises(PluginError):
            plugins.register(name, fake)
    assert [info.name for info in plugins.registered] == ["fake"]
    assert list(plugins.consumers) == ["fake"]
    assert [info.hooks for info in plugins.registered] == [("register_consumers",)]
    host = Host(document(plain()), plugins=Plugins({"fake": fake, "plain": plain_plugin()}))
    assert len(host.plans) == 1


def plain_plugin() -> object:
    return module(register_exposers=lambda register: register("plain", PlainExposer))


def test_hook_error_names_the_plugin() -> None:
    def check_capability(loaded: LoadedCapability) -> None:
        raise KeyError("x")

    plugins = plain_plugins(other=module(operation_wrapper=marking("w", [])))
    plugins.register("bad", module(check_capability=check_capability), distribution="bad-plugin", version="1.2")
    with pytest.raises(
        PluginError, match=r"^plugin 'bad' \(bad-plugin 1\.2\): check_capability: KeyError: 'x' \(/.*\)$"
    ):
        Host(document(plain()), plugins=plugins)


def test_adapter_error_names_the_adapter(recorder: Recorder) -> None:
    recorder.fails = {"make consumer one"}
    consumed = [{"type": "noted", "namespace": "one"}]
    with pytest.raises(PluginError, match="cannot build 'one' \\(noted\\): OSError: make consumer one failed"):
        Host(document(plain(), consumes=consumed), plugins=plain_plugins(noted=recorder))


async def test_two_hosts_with_different_plugins() -> None:
    class Shouting:
        @hookimpl
        def operation_wrapper(self, operation: Operation) -> Callable[[Call], Call]:
            async def shout(arguments: Arguments) -> Result:
                return Result(data="HELLO")

            return lambda call: shout

    loud, quiet = plain_plugins(shouting=Shouting()), plain_plugins()
    async with running(document(plain()), plugins=loud) as one, running(document(plain()), plugins=quiet) as two:
        assert (await one.host.call("front.get")).data == "HELLO"
        assert (await two.host.call("front.get")).data == {}
    assert [info.name for info in quiet.registered] == ["fake", "plain"]


BAD = {
    "import": "import nothing_of_that_name\n",
    "argument": "from adapter_host import hookimpl\n@hookimpl\ndef register_exposers(registre): pass\n",
    "hook": "from adapter_host import hookimpl\n@hookimpl\ndef register_dances(register): pass\n",
    "exception": "from adapter_host import hookimpl\n@hookimpl\ndef register_exposers(register): raise OSError('no')\n",
    "attribute": None,
}
REASONS = {
    "import": "ModuleNotFoundError: No module named 'nothing_of_that_name'",
    "argument": "Argument(s) {'registre'} are declared",
    "hook": "unknown hook 'register_dances'",
    "exception": "OSError: no",
    "attribute": "AttributeError: module 'bad_plugin' has no attribute 'missing'",
}
SOAP = "naftiko: 1.0.0-alpha2\ncapability:\n  exposes:\n    - type: soap\n      namespace: a\n"


@pytest.fixture(params=list(BAD))
def reason(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Install a distribution with a failing plugin; yield the reason."""
    kind: str = request.param
    metadata = tmp_path / "site/adapter_host_soap-0.3.1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: adapter-host-soap\nVersion: 0.3.1\n")
    target = "bad_plugin:missing" if BAD[kind] is None else "bad_plugin"
    (metadata / "entry_points.txt").write_text(f"[adapter_host]\nsoap = {target}\n")
    (tmp_path / "site/bad_plugin.py").write_text(BAD[kind] or "")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.chdir(tmp_path)
    yield REASONS[kind]
    sys.modules.pop("bad_plugin", None)


def test_failing_installed_plugin_is_reported(
    reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["plugins"]) == 1
    listed = capsys.readouterr()
    assert listed.err.startswith("failed: plugin 'soap' (adapter-host-soap 0.3.1): ")
    assert reason in listed.err
    assert len(listed.err.splitlines()) == 1
    assert "rest" in listed.out

    (tmp_path / "a.yaml").write_text(SOAP)
    assert main(["validate", "a.yaml"]) == 1
    output = capsys.readouterr().err
    assert output.startswith("a.yaml:4:13: unknown exposer type 'soap'")
    assert "plugin 'soap' (adapter-host-soap 0.3.1): " in output
    assert reason in output

    monkeypatch.setenv("ADAPTER_HOST_DISABLE_PLUGINS", " soap , echo")
    assert main(["plugins"]) == 0
    assert "disabled: soap" in capsys.readouterr().out.splitlines()


def test_installed_and_disabled_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"http", "mcp", "rest"} <= {*Plugins.installed().names}
    monkeypatch.setenv("ADAPTER_HOST_DISABLE_PLUGINS", "http,,rest")
    plugins = Plugins.installed()
    assert plugins.disabled == ["http", "rest"]
    assert "http" not in plugins.consumers
    assert Plugins.installed(disabled=["mcp"]).disabled == ["mcp"]


async def test_serving_needs_no_usage_and_no_catalog(caplog: pytest.LogCaptureFixture) -> None:
    class Shy(PlainExposer):
        def usage(self, url: str) -> str | None:
            raise KeyError("x")

        def catalog(self) -> Any:
            return None

    hooks = module(register_exposers=lambda register: register("shy", Shy))
    async with running(document({**plain(), "type": "shy"}), plugins=plain_plugins(bad=hooks)) as served:
        message = startup_message(served.host.status(), mock=False)
    assert served.host.status()[0].namespace in message
    assert "usage of 'front': KeyError: 'x'" in caplog.text
    assert "catalog of 'front': it returned None; return a list of CatalogEntry" in caplog.text


def test_extension_keys() -> None:
    class Audit(Model):
        who: str

    plugins = Plugins.installed()
    plugins.register("own-audit", module(extension_keys=lambda: [ExtensionKey("x-audit", "exposed operation", Audit)]))
    text = json.dumps(language_schema(plugins))
    assert '"x-audit"' in text
    assert '"who"' in text


# record_calls


class CallObserver:
    """A plugin that keeps records."""

    def __init__(self) -> None:
        self.hosts: list[Any] = []
        self.records: list[CallRecord] = []

    @hookimpl
    def record_calls(self, host: Any) -> Callable[[CallRecord], None]:
        self.hosts.append(host)
        return self.records.append


async def request_nothing(host: Host) -> None:
    (status,) = host.status()
    async with aiohttp.ClientSession() as session, session.get(f"{status.url}/none") as response:
        await response.read()


@pytest.mark.parametrize("logs", [False, True])
async def test_record_calls_beside_the_access_log(logs: bool) -> None:
    first, second, written = CallObserver(), CallObserver(), list[CallRecord]()
    plugins = plain_plugins(first=first, second=second)
    host = Host(document(plain()), plugins=plugins, settings=Settings(access_log=written.append if logs else None))
    async with host:
        await request_nothing(host)
        await host.reload()
        await request_nothing(host)
    assert len(first.records) == 2
    assert first.records == second.records
    assert written == (first.records if logs else [])
    assert first.hosts == [host]


async def test_record_calls_of_a_plugin_that_observes_nothing() -> None:
    class Blind:
        @hookimpl
        def record_calls(self, host: Any) -> None:
            assert host.plugins

    assert Host(document(plain()), plugins=plain_plugins(blind=Blind())).settings.access_log is None


def test_record_calls_returns_a_function() -> None:
    class Wrong:
        @hookimpl
        def record_calls(self, host: Any) -> Any:
            return 3

    plugins: Plugins = plain_plugins(wrong=Wrong())
    with pytest.raises(PluginError, match="record_calls: it returned 3; return a function, or None"):
        Host(document(plain()), plugins=plugins)
