"""Ask the consumed APIs of a document that describe themselves for their definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import ConsumerConfig
from adapter_host.compiler.loading.loader import load_document
from adapter_host.errors import PluginError
from adapter_host.plugin.consumer import consumer_context
from adapter_host.plugin.context import BuildContext
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.plugin.snapshots import Snapshot, snapshot_path
from adapter_host.settings import Settings

from .loading import Document, read_document


class Discovery:
    """The consumed APIs of one document that describe themselves; raise `ProblemsError` for an invalid document."""

    def __init__(self, document: Document, plugins: Plugins, settings: Settings) -> None:
        source, problems = read_document(document, settings)
        self._loaded: LoadedCapability = load_document(source, plugins, settings, problems=problems)
        self._plugins = plugins
        self._settings = settings

    @property
    def consumers(self) -> tuple[ConsumerConfig, ...]:
        """All consumers of the document."""
        return self._loaded.capability.consumes

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces of the consumers that discover their operations."""
        return tuple(config.namespace for config in self.consumers if self._plugins.consumers[config.type].discovers)

    @property
    def addresses(self) -> tuple[str | None, ...]:
        """The addresses of all consumers in the document."""
        return tuple(self._context(config).declared_address for config in self.consumers)

    def _context(self, config: ConsumerConfig) -> BuildContext:
        adapter = self._plugins.consumers[config.type]
        context = BuildContext(self._loaded, self._settings, config.namespace)
        with self._plugins.named(adapter, "declared_address"):
            return consumer_context(adapter, config, context)

    def path(self, namespace: str) -> Path:
        """Return the path of the file with the definitions of an API."""
        return snapshot_path(self._loaded.source.file, namespace)

    async def run(self, namespace: str) -> Snapshot:
        """Return the definitions of an API; raise `ProblemsError`, `PluginError` or `UpstreamError`."""
        config = next(config for config in self.consumers if config.namespace == namespace)
        consumer, context = self._plugins.consumers[config.type], self._context(config)
        definitions = await consumer.discover(config, context)
        context.raise_problems()
        try:
            return Snapshot(config.type, json.loads(json.dumps(definitions, allow_nan=False)))
        except (TypeError, ValueError, RecursionError) as error:
            message = f"{consumer.__module__}: the definitions of '{namespace}' ({config.type}) are not plain JSON"
            raise PluginError(f"{message}: {error}") from error


async def discover(
    document: Document, *, plugins: Plugins | None = None, settings: Settings | None = None
) -> dict[str, Any]:
    """Return the definitions of all consumed APIs of a document that describe themselves, by namespace.

    Pass them to a host as `Settings.discovered`, or let `adapter-host discover` write them beside the document. Raise
    `ProblemsError`, `PluginError` or `UpstreamError`.
    """
    discovery = Discovery(document, plugins or Plugins.installed(), settings or Settings())
    return {namespace: (await discovery.run(namespace)).definitions for namespace in discovery.namespaces}
