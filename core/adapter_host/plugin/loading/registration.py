"""Collect and check the classes that one plugin registers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pluggy

from adapter_host.capability.model import Model
from adapter_host.plugin.hookspecs import PROJECT

from .discovery import Surface, check_surface
from .origins import MisuseError, Origin, position_in
from .registry import KINDS, Registrar, Registry, describe

_REGISTERING: Final = frozenset({*(kind.hook for kind in KINDS.values()), "register_settings"})


def check_marked(plugin: object, hooks: Iterable[str]) -> None:
    """Raise `MisuseError` for a function with the name of a hook that is not marked as its implementation."""
    for hook in hooks:
        function = getattr(plugin, hook, None)
        if callable(function) and getattr(function, f"{PROJECT}_impl", None) is None:
            raise MisuseError(f"'{hook}' is not marked; decorate it with @hookimpl")


def collect(
    origin: Origin, hooks: Mapping[str, pluggy.HookImpl], registries: Mapping[str, Registry[Any]]
) -> tuple[dict[str, dict[str, Any]], type[Model] | None]:
    """Return the classes that a plugin registers, by kind and type, and the model of its settings."""
    added: dict[str, dict[str, Any]] = {}
    for kind, registry in registries.items():
        registrar = Registrar(KINDS[kind], registry, origin.name)
        _call(origin, KINDS[kind].hook, hooks, registrar)
        added[kind] = registrar.added
    models: list[type[Model]] = []

    def register_model(model: Any) -> None:
        if not isinstance(model, type) or not issubclass(model, Model):
            raise MisuseError(f"settings cannot be {describe(model)}; register a subclass of Model")
        if models:
            raise MisuseError(f"{model.__name__} is a second model of settings; register one")
        models.append(model)

    _call(origin, "register_settings", hooks, register_model)
    return added, models[0] if models else None


def _call(origin: Origin, hook: str, hooks: Mapping[str, pluggy.HookImpl], register: Callable[..., None]) -> None:
    if (implementation := hooks.get(hook)) is not None:
        with origin.named(hook, position_in(implementation.function)):
            implementation.function(*[register for _ in implementation.argnames])


def check_registration(
    origin: Origin,
    plugin: object,
    declared: Surface | None,
    added: Mapping[str, Mapping[str, Any]],
    hooks: Mapping[str, pluggy.HookImpl],
) -> None:
    """Raise `PluginError` for hooks that the host cannot call, and for a false declaration."""
    for name, implementation in hooks.items():
        if implementation.hookwrapper or implementation.wrapper:
            reason = "hook wrappers are not supported; return a value, or None"
            raise origin.error(reason, name, position_in(implementation.function))
    if declared is not None:
        others = [name for name in hooks if name not in _REGISTERING]
        types = frozenset((kind, type_name) for kind, classes in added.items() for type_name in classes)
        with origin.named(position=position_in(plugin)):
            check_surface(declared, Surface(types, bool(others)), others)
