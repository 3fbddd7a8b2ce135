"""A host that runs during a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapter_host import Host, Plugins, Settings

from .fake import FakeConsumer, FakePlugin


class Running:
    """A served document, with its URLs and fake consumers."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def url(self, namespace: str) -> str:
        """Return the URL of the exposer with a namespace; raise `LookupError`."""
        urls = {status.namespace: status.url for status in self.host.status()}
        url = urls[namespace]
        if url is None:
            raise LookupError(f"exposer '{namespace}' has no URL")
        return url

    def fake(self, namespace: str) -> FakeConsumer:
        """Return the fake consumer with a namespace; raise `LookupError`."""
        for plan in self.host.plans:
            for consumer in plan.consumers:
                if consumer.config.namespace == namespace and isinstance(consumer, FakeConsumer):
                    return consumer
        raise LookupError(f"no fake consumer has the namespace '{namespace}'")


@asynccontextmanager
async def running(
    document: Mapping[str, Any] | str | Path, *, plugins: Plugins | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """Serve a document, a file or a folder, with each exposer on a free loopback port.

    `settings` are fields of `Settings`. `plugins` (default: the installed ones) are supplemented by `type: fake`.
    """
    async with build_host(document, plugins=plugins, **settings) as host:
        yield Running(host)


def build_host(document: Mapping[str, Any] | str | Path, *, plugins: Plugins | None = None, **settings: Any) -> Host:
    """Return the host that `running` starts."""
    plugins = plugins or Plugins.installed()
    if "fake" not in plugins.consumers:
        plugins.register("fake", FakePlugin())
    settings.setdefault("environment", {})
    host = Host(document, plugins=plugins, settings=Settings(**settings))
    free = {status.namespace: 0 for status in host.status()}
    host.settings = replace(host.settings, ports={**free, **host.settings.ports})
    return host
