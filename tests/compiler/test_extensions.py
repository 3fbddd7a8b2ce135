"""Keys that start with `x-` and that no plugin reads."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

import adapter_host_http
import adapter_host_resilience
import adapter_host_rest
from adapter_host import BuildContext, ConsumerConfig, Host, Model, PluginError, Plugins, hookimpl

INSTALLED: Mapping[str, ModuleType] = {"http": adapter_host_http, "rest": adapter_host_rest}


def document(**keys: Any) -> dict[str, Any]:
    read = {"name": "read", "method": "GET"}
    api = {"type": "http", "namespace": "api", "baseUri": "http://127.0.0.1:9", **keys}
    api["resources"] = [{"name": "a", "path": "/a", "operations": [read]}]
    route = {"path": "/a", "operations": [{"method": "GET", "call": "api.read"}]}
    exposer = {"type": "rest", "namespace": "site", "port": 0, "resources": [route]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [api], "exposes": [exposer]}}


RESILIENT = document(**{"x-resilience": {"deadline": 1}})


def test_key_of_a_plugin_that_is_not_installed(snapshot: SnapshotAssertion) -> None:
    (warning,) = Host(RESILIENT, plugins=Plugins(INSTALLED)).warnings
    assert (warning.code, warning.warning) == ("missing-plugin", True)
    assert warning.message == snapshot(name="message")


def test_key_of_a_plugin_that_is_disabled(snapshot: SnapshotAssertion) -> None:
    plugins = Plugins(INSTALLED)
    plugins.disabled.append("resilience")
    (warning,) = Host(RESILIENT, plugins=plugins).warnings
    assert warning.message == snapshot(name="message")


def test_key_of_a_plugin_that_failed(snapshot: SnapshotAssertion) -> None:
    plugins = Plugins(INSTALLED)
    plugins.failed.append(
        PluginError("plugin 'resilience' (adapter-host-resilience 0.1.0): no module named 'tenacity'")
    )
    (warning,) = Host(RESILIENT, plugins=plugins).warnings
    assert warning.message == snapshot(name="message")


def test_key_of_an_installed_plugin() -> None:
    plugins = Plugins({**INSTALLED, "resilience": adapter_host_resilience})
    assert Host(RESILIENT, plugins=plugins).warnings == ()


@pytest.mark.parametrize("key", ["x-resiliance", "x-resilence", "x-time-out", "x-examples", "X-Transport"])
def test_misspelt_key(key: str, snapshot: SnapshotAssertion) -> None:
    (warning,) = Host(document(**{key: {}}), plugins=Plugins(INSTALLED)).warnings
    assert warning.code == "unknown-key"
    assert warning.message == snapshot(name="message")


@pytest.mark.parametrize("key", ["x-note", "x-subscribers", "x-"])
def test_key_of_another_engine_is_ignored(key: str) -> None:
    assert Host(document(**{key: {}}), plugins=Plugins(INSTALLED)).warnings == ()


def test_similar_key_that_a_plugin_reads() -> None:
    class Limits(Model):
        seconds: float

    read: list[Limits | None] = []

    @hookimpl
    def consumer_wrapper(config: ConsumerConfig, context: BuildContext) -> None:
        read.append(context.read_extension("x-timeouts", config, Limits))

    plugins = Plugins({**INSTALLED, "limits": SimpleNamespace(consumer_wrapper=consumer_wrapper)})
    assert Host(document(**{"x-timeouts": {"seconds": 1}}), plugins=plugins).warnings == ()
    assert [limits.seconds for limits in read if limits] == [1]
