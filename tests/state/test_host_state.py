"""Tests of a host's state store: its users, its life, and the errors of its URL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapter_host import (
    BuildContext,
    Call,
    Host,
    MemoryStateStore,
    Operation,
    PluginError,
    Plugins,
    ProblemsError,
    RegisterStateStore,
    Result,
    Settings,
    StateStore,
    hookimpl,
)
from adapter_host.cli import main
from adapter_host.cli.serve.command import _build_host
from adapter_host.testing import FakePlugin, running

DOCUMENT = {
    "naftiko": "1.0.0-alpha2",
    "capability": {
        "consumes": [{"type": "fake", "namespace": "things", "operations": [{"name": "read"}]}],
        "exposes": [
            {"type": "fake", "namespace": "front", "operations": [{"name": "read", "call": "things.read"}]},
        ],
    },
}


class CountingStore(MemoryStateStore):
    """A store that knows how often it is stopped."""

    created: ClassVar[list[CountingStore]] = []

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        if url == "counting:wrong":
            raise ValueError("'wrong' is no part of it")
        if url == "counting:broken":
            raise OSError("a secret")
        super().__init__("memory:", environment)
        self.given = (url, environment)
        self.stops = 0
        self.created.append(self)

    async def stop(self) -> None:
        await super().stop()
        self.stops += 1
        if self.given[0] == "counting:unstoppable":
            raise OSError("cannot be stopped")


class StatePlugin:
    """Counts the calls of each operation."""

    @hookimpl
    def register_state_stores(self, register: RegisterStateStore) -> None:
        register("counting", CountingStore)

    @hookimpl
    def operation_wrapper(self, operation: Operation, context: BuildContext) -> Any:
        store = context.state.namespaced("test")

        def wrap(call: Call) -> Call:
            async def counted(arguments: Any) -> Result:
                await call(arguments)
                return Result(data=await store.increment("calls"))

            return counted

        return wrap


@pytest.fixture(autouse=True)
def _created(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CountingStore, "created", [])


def plugins() -> Plugins:
    return Plugins({"fake": FakePlugin(), "state": StatePlugin()})


async def count(host: Host) -> Any:
    return (await host.call("front.read", {})).data


async def test_state_outlives_reloads_and_restarts() -> None:
    async with running(DOCUMENT, plugins=plugins()) as served:
        assert [await count(served.host) for _ in range(2)] == [1, 2]
        await served.host.reload()
        assert await count(served.host) == 3
        assert await served.host.state.get("test:calls") == b"3"
        await served.host.stop()
        await served.host.start(listen=False)
        assert await count(served.host) == 4


async def test_hosts_have_their_own_memory() -> None:
    async with running(DOCUMENT, plugins=plugins()) as one, running(DOCUMENT, plugins=plugins()) as two:
        assert [await count(one.host), await count(two.host)] == [1, 1]


async def test_store_of_a_plugin() -> None:
    environment = {"PASSWORD": "secret"}
    async with running(
        DOCUMENT, plugins=plugins(), state="Counting:x", state_prefix="shop", environment=environment
    ) as served:
        (store,) = CountingStore.created
        assert store.given == ("Counting:x", environment)
        await count(served.host)
        await served.host.reload()
        assert await store.get("shop:test:calls") == b"1"
        assert store.stops == 0
    assert store.stops == 1
    assert CountingStore.created == [store]


async def test_error_of_the_stop_names_the_plugin() -> None:
    host = Host(DOCUMENT, plugins=plugins(), settings=Settings(state="counting:unstoppable"))
    await host.start(listen=False)
    with pytest.raises(PluginError, match=r"^plugin 'state': OSError: cannot be stopped"):
        await host.stop()
    assert host.draining


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("countin:x", "no plugin has a state store for the scheme 'countin'; did you mean 'counting'?"),
        ("vault://user:secret@host", r"scheme 'vault' \(known: counting, memory\)"),
        ("secret", "the URL of the state store has no scheme; use SCHEME:..."),
        ("counting:wrong", "^the URL of the state store is invalid: 'wrong' is no part of it$"),
        ("memory://secret", "use 'memory:'"),
    ],
)
def test_invalid_url(url: str, message: str) -> None:
    with pytest.raises(ProblemsError, match=message) as caught:
        Host(DOCUMENT, plugins=plugins(), settings=Settings(state=url, skip_invalid=True))
    assert "secret" not in str(caught.value)


def test_error_of_a_store_names_the_plugin() -> None:
    with pytest.raises(PluginError, match=r"^plugin 'state': OSError"):
        Host(DOCUMENT, plugins=plugins(), settings=Settings(state="counting:broken"))


@pytest.mark.parametrize(
    ("config", "options", "state"),
    [
        ("{}", (), "memory:"),
        ("state: counting:file", (), "counting:file"),
        ("state: counting:file", ("--state", "counting:option"), "counting:option"),
    ],
)
def test_option_takes_precedence(
    config: str, options: tuple[str, ...], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "host.yaml").write_text(config)
    (tmp_path / "a.yaml").write_text(str(DOCUMENT))
    hosts: list[Host] = []

    def build(*given: Any) -> Host:
        hosts.append(_build_host(*given))
        raise ProblemsError(())

    monkeypatch.setattr(Plugins, "installed", lambda *_, **__: plugins())
    monkeypatch.setattr("adapter_host.cli.serve.command._build_host", build)
    main(["serve", str(tmp_path / "a.yaml"), "--config", str(tmp_path / "host.yaml"), *options])
    assert [host.settings.state for host in hosts] == [state]


def test_unknown_scheme_ends_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(str(DOCUMENT))
    monkeypatch.setattr(Plugins, "installed", lambda *_, **__: plugins())
    assert main(["serve", str(tmp_path / "a.yaml"), "--state", "nowhere://:secret@host"]) == 1
    printed = capsys.readouterr().err
    assert "no plugin has a state store for the scheme 'nowhere'" in printed
    assert "secret" not in printed


def test_class_that_is_no_store_is_refused() -> None:
    class Wrong:
        @hookimpl
        def register_state_stores(self, register: Any) -> None:
            register("wrong", dict)

    with pytest.raises(PluginError, match="state scheme 'wrong' cannot be dict; register a subclass of StateStore"):
        Plugins({"wrong": Wrong()})


def test_abstract_store_is_refused() -> None:
    class Wrong:
        @hookimpl
        def register_state_stores(self, register: Any) -> None:
            register("wrong", StateStore)

    with pytest.raises(PluginError, match="abstract; implement acquire, compare_and_set, delete"):
        Plugins({"wrong": Wrong()})
