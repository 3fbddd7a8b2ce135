"""Discover and register the plugins of one host, and look up their classes by type."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from traceback import walk_tb
from typing import Any, Final

import pluggy

from adapter_host.binds.binds import BindSource, EnvironmentSource
from adapter_host.binds.files import FileSource
from adapter_host.capability.step_specs import BUILTIN_STEPS
from adapter_host.errors import PluginError
from adapter_host.plugin import hookspecs

from .api_version import import_hint, version_mismatch
from .consumer import Consumer
from .exposer import Exposer
from .step_type import StepType

GROUP: Final = "adapter_host"
"""The entry point group of plugins."""

DISABLE: Final = "ADAPTER_HOST_DISABLE_PLUGINS"
"""The environment variable with the names of disabled plugins, separated by commas."""


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A registered plugin, its types and its hooks."""

    name: str
    distribution: str | None
    version: str | None
    exposers: tuple[str, ...]
    consumers: tuple[str, ...]
    bind_sources: tuple[str, ...]
    hooks: tuple[str, ...]
    step_types: tuple[str, ...] = ()


class Plugins:
    """The plugins of one host; there is no global state, so hosts in one process may have different plugins."""

    def __init__(self, plugins: Mapping[str, object] | None = None) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self.exposers: dict[str, type[Exposer[Any]]] = {}
        self.consumers: dict[str, type[Consumer[Any]]] = {}
        self.bind_sources: dict[str, type[BindSource]] = {"environment": EnvironmentSource, "file": FileSource}
        self.step_types: dict[str, type[StepType[Any]]] = {}
        self.registered: list[PluginInfo] = []
        self.failed: list[PluginError] = []
        self.disabled: list[str] = []
        for name, plugin in (plugins or {}).items():
            self.register(name, plugin)

    @classmethod
    def installed(cls, disabled: Iterable[str] | None = None) -> Plugins:
        """Load all installed plugins that are not disabled; failures are collected in `failed`."""
        plugins = cls()
        names = os.environ.get(DISABLE, "").split(",") if disabled is None else disabled
        disabled_names = {name.strip() for name in names if name.strip()}
        for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
            if entry.name in disabled_names:
                plugins.disabled.append(entry.name)
            else:
                plugins._load(entry)
        return plugins

    def call_hook(self, hook: str, **args: Any) -> list[Any]:
        """Call a hook and return the results in the order of the plugins; raise `PluginError`."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        try:
            # Any exception in a hook is reported as a failure of its plugin.
            results: list[Any] = caller(**args)
        except Exception as error:
            codes = {frame.f_code for frame, _ in walk_tb(error.__traceback__)}
            failing = [
                implementation
                for implementation in caller.get_hookimpls()
                if getattr(implementation.function, "__code__", None) in codes
            ]
            failing_names = [implementation.plugin_name for implementation in failing]
            info = next((info for info in self.registered if info.name in failing_names), None)
            if info is None:
                raise
            raise _plugin_error(info.name, info.distribution, info.version, error) from error
        return results

    def hook_order(self, hook: str) -> tuple[str, ...]:
        """Return the names of the plugins that implement a hook, in order: the first wrapper is the outermost."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return tuple(implementation.plugin_name for implementation in reversed(caller.get_hookimpls()))

    def _load(self, entry: metadata.EntryPoint) -> None:
        distribution = entry.dist.name if entry.dist else None
        version = entry.dist.version if entry.dist else None
        try:
            # Any exception at import is a failure of the plugin, not of the host.
            plugin = entry.load()
            self.register(entry.name, plugin, distribution=distribution, version=version)
        except PluginError as error:
            self.failed.append(error)
        except Exception as error:
            self.failed.append(_plugin_error(entry.name, distribution, version, error))

    def register(
        self, name: str, plugin: object, *, distribution: str | None = None, version: str | None = None
    ) -> None:
        """Register a plugin atomically; raise `PluginError` and register nothing of it on failure."""
        exposers, consumers = dict(self.exposers), dict(self.consumers)
        bind_sources, step_types = dict(self.bind_sources), dict(self.step_types)
        if reason := version_mismatch(plugin, distribution):
            raise PluginError(f"plugin '{name}'{_describe_distribution(distribution, version)}: {reason}")
        if self._manager.has_plugin(name):
            raise _plugin_error(
                name, distribution, version, ValueError("a plugin with this name is already registered")
            )
        try:
            # Any exception in its hooks is reported as a failure of the plugin.
            self._manager.register(plugin, name=name)
            self._manager.check_pending()
            self._call_register_hook(plugin, "register_exposers", _registrar(exposers, "exposes type"))
            self._call_register_hook(plugin, "register_consumers", _registrar(consumers, "consumes type"))
            self._call_register_hook(plugin, "register_bind_sources", _registrar(bind_sources, "bind scheme"))
            self._call_register_hook(plugin, "register_step_types", _registrar(step_types, "step type", BUILTIN_STEPS))
        except Exception as error:
            if self._manager.get_plugin(name) is plugin:
                self._manager.unregister(plugin)
            raise _plugin_error(name, distribution, version, error) from error
        callers = self._manager.get_hookcallers(plugin) or []
        info = PluginInfo(
            name=name,
            distribution=distribution,
            version=version,
            exposers=tuple(type_name for type_name in exposers if type_name not in self.exposers),
            consumers=tuple(type_name for type_name in consumers if type_name not in self.consumers),
            bind_sources=tuple(scheme for scheme in bind_sources if scheme not in self.bind_sources),
            hooks=tuple(sorted(caller.name for caller in callers)),
            step_types=tuple(type_name for type_name in step_types if type_name not in self.step_types),
        )
        self.registered.append(info)
        self.exposers, self.consumers = exposers, consumers
        self.bind_sources, self.step_types = bind_sources, step_types

    def _call_register_hook(self, plugin: object, hook: str, register: Callable[..., None]) -> None:
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin is plugin:
                implementation.function(*[register for _ in implementation.argnames])


def _registrar(registry: dict[str, Any], kind: str, reserved: Mapping[str, Any] = {}) -> Callable[..., None]:
    def register(name: str, registered: Any) -> None:
        if existing := registry.get(name) or reserved.get(name):
            raise ValueError(f"{kind} '{name}' is already registered by {existing.__module__}.{existing.__qualname__}")
        registry[name] = registered

    return register


def _plugin_error(name: str, distribution: str | None, version: str | None, error: Exception) -> PluginError:
    reason = "; ".join(str(error).splitlines()) + import_hint(error, distribution)
    return PluginError(
        f"plugin '{name}'{_describe_distribution(distribution, version)}: {type(error).__name__}: {reason}"
    )


def _describe_distribution(distribution: str | None, version: str | None) -> str:
    return f" ({distribution} {version})" if distribution else ""
