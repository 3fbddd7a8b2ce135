"""Discover and register the plugins of one host, and look up their classes by type."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from threading import RLock
from typing import Any, Final

import pluggy

from adapter_host.binds.binds import BindSource
from adapter_host.capability.model import Model
from adapter_host.errors import PluginError, Problem, ProblemsError
from adapter_host.plugin import hookspecs
from adapter_host.plugin.command import Command
from adapter_host.plugin.consumer import Consumer
from adapter_host.plugin.exposer import Exposer
from adapter_host.plugin.plugin_settings import settings_problems
from adapter_host.plugin.step_type import StepType
from adapter_host.state.store import StateStore

from .api_version import version_mismatch
from .discovery import InstalledPlugin, Surface, find_installed
from .hook_results import check_result
from .origins import Origin, position_in
from .registration import check_marked, check_registration, collect
from .registry import KINDS, Registry
from .single_file import import_file

DISABLE: Final = "ADAPTER_HOST_DISABLE_PLUGINS"
"""The environment variable with the names of disabled plugins, separated by commas."""


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A registered plugin, its types and its hooks; `settings` is the model of its settings."""

    name: str
    distribution: str | None
    version: str | None
    exposers: tuple[str, ...]
    consumers: tuple[str, ...]
    bind_sources: tuple[str, ...]
    hooks: tuple[str, ...]
    step_types: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    settings: type[Model] | None = None
    state_stores: tuple[str, ...] = ()


class Plugins:
    """The plugins of one host; there is no global state, so hosts in one process may have different plugins.

    `exposers`, `consumers`, `bind_sources`, `step_types`, `state_stores` and `commands` are the registered classes by
    type. A plugin whose distribution declares its types is imported when one of them is read, and is in `registered`
    from then on.
    """

    def __init__(self, plugins: Mapping[str, object] | None = None) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        # Builds in other threads may use a type for the first time, too.
        self._lock = RLock()
        self.exposers: Registry[type[Exposer[Any]]] = Registry(self._load)
        self.consumers: Registry[type[Consumer[Any]]] = Registry(self._load)
        self.bind_sources: Registry[type[BindSource]] = Registry(self._load, KINDS["binds"].builtin)
        self.step_types: Registry[type[StepType[Any]]] = Registry(self._load)
        self.state_stores: Registry[type[StateStore]] = Registry(self._load, KINDS["state"].builtin)
        self.commands: Registry[Command] = Registry(self._load)
        adapters = (self.exposers, self.consumers, self.bind_sources, self.step_types)
        registries: tuple[Registry[Any], ...] = (*adapters, self.state_stores, self.commands)
        self._registries = dict(zip(KINDS, registries, strict=True))
        self.registered: list[PluginInfo] = []
        self.failed: list[PluginError] = []
        self.disabled: list[str] = []
        self.installed_names: tuple[str, ...] = ()
        self._waiting: dict[str, InstalledPlugin] = {}
        self._origins: dict[str, Origin] = {}
        self._owners: dict[type, Origin] = {}
        for name, plugin in (plugins or {}).items():
            self.register(name, plugin)

    @classmethod
    def installed(cls, disabled: Iterable[str] | None = None, *, allowed: Iterable[str] | None = None) -> Plugins:
        """Find all installed plugins that are not disabled; failures are collected in `failed`.

        With `allowed`, all others are disabled. Plugins that declare their types are imported on first use.
        """
        plugins = cls()
        names = os.environ.get(DISABLE, "").split(",") if disabled is None else disabled
        disabled_names = {name.strip() for name in names if name.strip()}
        allowed_names = None if allowed is None else set(allowed)
        found, failed = find_installed()
        plugins.failed += failed
        plugins.installed_names = tuple(plugin.origin.name for plugin in found)
        for plugin in found:
            name = plugin.origin.name
            if name in disabled_names or (allowed_names is not None and name not in allowed_names):
                plugins.disabled.append(name)
            elif not plugin.is_lazy or not plugins._declare(plugin):
                plugins._import(plugin)
        return plugins

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all plugins, also of those that are not imported yet."""
        return tuple(dict.fromkeys((*self._origins, *self._waiting)))

    def load_all(self) -> None:
        """Import the plugins that are not imported yet; failures are collected in `failed`."""
        for name in tuple(self._waiting):
            self._load(name)

    def load(self, name: str) -> PluginInfo | None:
        """Import a plugin by its name, if that has not been done; return None if there is none, or it failed."""
        self._load(name)
        return next((info for info in self.registered if info.name == name), None)

    def _declare(self, plugin: InstalledPlugin) -> bool:
        """Add the declared types of a plugin; return False if it has to be imported to report an error."""
        name, types = plugin.origin.name, plugin.declared.types if plugin.declared else frozenset()
        if name in self.names or any(self._registries[kind].holder(type_name, name) for kind, type_name in types):
            return False
        for kind, type_name in types:
            self._registries[kind].declare(type_name, name)
        self._waiting[name] = plugin
        return True

    def _load(self, name: str) -> None:
        with self._lock:
            if (plugin := self._waiting.get(name)) is not None:
                self._import(plugin)
                del self._waiting[name]
                for registry in self._registries.values():
                    registry.forget(name)

    def _import(self, plugin: InstalledPlugin) -> None:
        origin = plugin.origin
        try:
            with origin.named():
                loaded = plugin.entry.load()
            self._register(origin, loaded, plugin.declared)
        except PluginError as error:
            self.failed.append(error)
        except ProblemsError as error:
            self.failed.append(origin.error(error))

    def call_hook(self, hook: str, **args: Any) -> list[Any]:
        """Call a hook and return the results in the order of the plugins; raise `PluginError`."""
        results = [self._call(hook, implementation, args) for implementation in self._implementations(hook)]
        return [result for result in results if result is not None]

    async def call_async_hook(self, hook: str, **args: Any) -> None:
        """Call a hook whose implementations may be asynchronous, one after another; raise `PluginError`."""
        for implementation in self._implementations(hook):
            await self._call_async(hook, implementation, args)

    async def call_stop_hook(self, host: Any) -> list[BaseException]:
        """Call `host_stopped` of all plugins, the first last, and return the errors."""
        errors: list[BaseException] = []
        for implementation in reversed(self._implementations("host_stopped")):
            try:
                await self._call_async("host_stopped", implementation, {"host": host})
            except PluginError as error:
                errors.append(error)
        return errors

    def hook_order(self, hook: str) -> tuple[str, ...]:
        """Return the names of the plugins that implement a hook, in order: the first wrapper is the outermost."""
        return tuple(implementation.plugin_name for implementation in self._implementations(hook))

    def named(self, adapter: type, place: str = "") -> AbstractContextManager[None]:
        """Return a context that reports exceptions as errors of the plugin that registered a class."""
        origin = self._owners.get(adapter)
        return nullcontext() if origin is None else origin.named(place, position_in(adapter))

    def owner(self, registered: type) -> str:
        """Return the plugin that registered a class, with its distribution; empty if it is built in."""
        return str(self._owners.get(registered, ""))

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return caller.get_hookimpls()[::-1]

    def _named(self, hook: str, implementation: pluggy.HookImpl) -> AbstractContextManager[None]:
        return self._origins[implementation.plugin_name].named(hook, position_in(implementation.function))

    def _call(self, hook: str, implementation: pluggy.HookImpl, args: Mapping[str, Any]) -> Any:
        def named() -> AbstractContextManager[None]:
            return self._named(hook, implementation)

        with named():
            result = implementation.function(*(args[name] for name in implementation.argnames))
            return check_result(hook, result, named)

    async def _call_async(self, hook: str, implementation: pluggy.HookImpl, args: Mapping[str, Any]) -> None:
        with self._named(hook, implementation):
            result = implementation.function(*(args[name] for name in implementation.argnames))
            if isawaitable(result):
                await result

    def register(
        self, name: str, plugin: object, *, distribution: str | None = None, version: str | None = None
    ) -> None:
        """Register a plugin atomically; raise `PluginError` and register nothing of it on failure."""
        package = getattr(plugin, "__name__", "") or type(plugin).__module__
        declared = (distribution, version or "") if distribution else None
        with self._lock:
            self._register(Origin(name, package.partition(".")[0], declared=declared), plugin, None)

    def register_file(self, path: Path) -> None:
        """Register a single file as a plugin, named like the file; raise `PluginError`."""
        origin, module = import_file(path)
        with self._lock:
            self._register(origin, module, None)

    def settings_problems(self, values: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
        """Import the plugins that have settings, and return the problems of these; a disabled plugin has none."""
        models = {name: info.settings for name in values if (info := self.load(name)) is not None}
        return settings_problems(values, (*self.names, *self.installed_names), models)

    def _register(self, origin: Origin, plugin: object, declared: Surface | None) -> None:
        name = origin.name
        if reason := version_mismatch(plugin, origin.distribution):
            raise origin.error(reason)
        if self._manager.has_plugin(name):
            raise origin.error("a plugin with this name is already registered; choose another name")
        try:
            with origin.named():
                self._manager.register(plugin, name=name)
                self._manager.check_pending()
                check_marked(plugin, vars(self._manager.hook))
            hooks = {caller.name: self._own(caller, plugin) for caller in self._manager.get_hookcallers(plugin) or ()}
            added, settings = collect(origin, hooks, self._registries)
            check_registration(origin, plugin, declared, added, hooks)
        except PluginError:
            if self._manager.get_plugin(name) is plugin:
                self._manager.unregister(plugin)
            raise
        for kind, classes in added.items():
            self._registries[kind].add(classes)
            self._owners |= {registered: origin for registered in classes.values() if isinstance(registered, type)}
        self._origins[name] = origin
        types = {kind: tuple(classes) for kind, classes in added.items()}
        self.registered.append(
            PluginInfo(
                name, origin.distribution, origin.version, types["exposes"], types["consumes"], types["binds"],
                tuple(sorted(hooks)), types["steps"], types["commands"], settings, types["state"],
            )
        )  # fmt: skip

    @staticmethod
    def _own(caller: pluggy.HookCaller, plugin: object) -> pluggy.HookImpl:
        return next(implementation for implementation in caller.get_hookimpls() if implementation.plugin is plugin)
