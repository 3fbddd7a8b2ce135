"""Find the installed plugins and their declarations, without importing them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import Final

from adapter_host.errors import PluginError

from .origins import GROUP, MisuseError, Origin
from .registry import KINDS

DECLARATIONS: Final = "adapter_host.types"
"""The entry point group in which a distribution declares the types of its plugins, so that they load on first use.

Names are such as `exposes.rest`, `consumes.http`, `binds.vault`, `steps.script`, `commands.audit`, and `hooks` for all
other hooks; the value is the name of the plugin, or its object reference.
"""

HOOKS: Final = "hooks"
"""The name that declares hooks which the host calls for every document; such a plugin is always imported."""


@dataclass(frozen=True, slots=True)
class Surface:
    """The types of a plugin, as pairs of a kind and a name, and whether it has other hooks."""

    types: frozenset[tuple[str, str]] = frozenset()
    hooks: bool = False


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """An installed plugin that is not imported yet; without declarations, `declared` is None."""

    origin: Origin
    entry: metadata.EntryPoint
    declared: Surface | None

    @property
    def is_lazy(self) -> bool:
        """Whether it is imported only when one of its types is used."""
        return self.declared is not None and not self.declared.hooks


def find_installed() -> tuple[Sequence[InstalledPlugin], Sequence[PluginError]]:
    """Return the installed plugins by name, and the errors of declarations that name no plugin."""
    return _find(_installation())


def _installation() -> tuple[tuple[str, int | None], ...]:
    """Return a value that changes when a distribution is added to the import path, or removed from it."""
    return tuple((folder, _changed(folder)) for folder in sys.path)


def _changed(folder: str) -> int | None:
    try:
        return os.stat(folder or os.curdir).st_mtime_ns
    except OSError:
        return None


# Reading the entry points of all distributions takes most of the time of an application that builds several hosts.
@lru_cache(maxsize=1)
def _find(_installed: object) -> tuple[Sequence[InstalledPlugin], Sequence[PluginError]]:
    entries = metadata.entry_points()
    declarations: dict[int, list[metadata.EntryPoint]] = {}
    for declaration in entries.select(group=DECLARATIONS):
        # Of one call, so a distribution is one object; reading its name would parse all of its metadata.
        declarations.setdefault(id(declaration.dist), []).append(declaration)
    plugins, failed = [], []
    for entry in sorted(entries.select(group=GROUP), key=lambda entry: entry.name):
        own = [each for each in declarations.get(id(entry.dist), ()) if each.value in (entry.name, entry.value)]
        origin = Origin.of_entry(entry)
        try:
            plugins.append(InstalledPlugin(origin, entry, _surface(own) if own else None))
        except MisuseError as error:
            failed.append(origin.error(error))
    known = {(id(entry.dist), value) for entry in entries.select(group=GROUP) for value in (entry.name, entry.value)}
    failed += [
        Origin(each.value, entry=each).error(f"entry point '{each.name}' of {DECLARATIONS} names no plugin; use the "
                                             f"name of an entry point in the group {GROUP}")
        for group in declarations.values()
        for each in group
        if (id(each.dist), each.value) not in known
    ]  # fmt: skip
    return tuple(plugins), tuple(failed)


def _surface(declarations: Sequence[metadata.EntryPoint]) -> Surface:
    types = set()
    for declaration in declarations:
        kind, dot, name = declaration.name.partition(".")
        if declaration.name != HOOKS and (kind not in KINDS or not dot or not name):
            kinds = ", ".join(f"{known}.NAME" for known in KINDS)
            raise MisuseError(f"unknown entry point '{declaration.name}' of {DECLARATIONS}; use {kinds} or {HOOKS}")
        if dot:
            types.add((kind, name))
    return Surface(frozenset(types), any(declaration.name == HOOKS for declaration in declarations))


def check_surface(declared: Surface, actual: Surface, hooks: Iterable[str]) -> None:
    """Raise `MisuseError` if a plugin has other types or hooks than its distribution declares."""
    for kind, name in sorted(actual.types - declared.types):
        raise MisuseError(f"it registers '{kind}.{name}', which it does not declare; add it to {DECLARATIONS}")
    for kind, name in sorted(declared.types - actual.types):
        raise MisuseError(f"it declares '{kind}.{name}' and does not register it; remove it from {DECLARATIONS}")
    if actual.hooks and not declared.hooks:
        raise MisuseError(f"it implements {', '.join(hooks)} and does not declare '{HOOKS}'; add it to {DECLARATIONS}")
    if declared.hooks and not actual.hooks:
        raise MisuseError(f"it declares '{HOOKS}' and implements none; remove it from {DECLARATIONS}")
