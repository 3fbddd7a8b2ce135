"""`record_calls`: plugins receive the record of each call, beside the access log and without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from adapter_host import CallRecord, Host, PluginError, Plugins, Settings, hookimpl
from tests.support.adapters import document, plain, plain_plugins

DOCUMENT = document(plain())


class Observer:
    """A plugin that keeps records."""

    def __init__(self) -> None:
        self.hosts: list[Any] = []
        self.records: list[CallRecord] = []

    @hookimpl
    def record_calls(self, host: Any) -> Callable[[CallRecord], None]:
        self.hosts.append(host)
        return self.records.append


async def call(host: Host) -> None:
    (status,) = host.status()
    async with aiohttp.ClientSession() as session, session.get(f"{status.url}/none") as response:
        await response.read()


@pytest.mark.parametrize("logs", [False, True])
async def test_each_plugin_and_the_access_log_receive_each_record(logs: bool) -> None:
    first, second, written = Observer(), Observer(), list[CallRecord]()
    plugins = plain_plugins(first=first, second=second)
    host = Host(DOCUMENT, plugins=plugins, settings=Settings(access_log=written.append if logs else None))
    async with host:
        await call(host)
        await host.reload()
        await call(host)
    assert len(first.records) == 2
    assert first.records == second.records
    assert written == (first.records if logs else [])
    assert first.hosts == [host]


async def test_a_plugin_that_observes_nothing_costs_nothing() -> None:
    class Blind:
        @hookimpl
        def record_calls(self, host: Any) -> None:
            assert host.plugins

    assert Host(DOCUMENT, plugins=plain_plugins(blind=Blind())).settings.access_log is None


def test_a_result_that_is_no_function_is_reported() -> None:
    class Wrong:
        @hookimpl
        def record_calls(self, host: Any) -> Any:
            return 3

    plugins: Plugins = plain_plugins(wrong=Wrong())
    with pytest.raises(PluginError, match="record_calls: it returned 3; return a function, or None"):
        Host(DOCUMENT, plugins=plugins)
