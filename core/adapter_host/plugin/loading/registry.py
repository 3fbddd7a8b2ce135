"""The classes of plugins by type, which are imported on first use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from adapter_host.binds.binds import BindSource, EnvironmentSource
from adapter_host.binds.files import FileSource
from adapter_host.capability.model import Model
from adapter_host.capability.spec import ConsumerConfig, ExposerConfig
from adapter_host.capability.step_specs import BUILTIN_STEPS, StepSpec
from adapter_host.plugin.command import Command
from adapter_host.plugin.consumer import Consumer
from adapter_host.plugin.exposer import Exposer
from adapter_host.plugin.step_type import StepType
from adapter_host.state.memory import MemoryStateStore
from adapter_host.state.store import StateStore

from .origins import MisuseError

ClassT = TypeVar("ClassT")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of classes that plugins register by one hook; `builtin` names are taken."""

    hook: str
    noun: str
    base: type[Any]
    config: type[Model] | None
    builtin: Mapping[str, Any]


KINDS: Final[Mapping[str, Kind]] = {
    "exposes": Kind("register_exposers", "exposes type", Exposer, ExposerConfig, {}),
    "consumes": Kind("register_consumers", "consumes type", Consumer, ConsumerConfig, {}),
    "binds": Kind(
        "register_bind_sources", "bind scheme", BindSource, None, {"environment": EnvironmentSource, "file": FileSource}
    ),
    "steps": Kind("register_step_types", "step type", StepType, StepSpec, BUILTIN_STEPS),
    "state": Kind("register_state_stores", "state scheme", StateStore, None, {"memory": MemoryStateStore}),
    "commands": Kind("register_commands", "command", Command, None, {}),
}
"""The kinds by the first word of the names of their declarations (`exposes.rest`)."""


class Registry(Mapping[str, ClassT], Generic[ClassT]):
    """The classes of plugins by type; a plugin that declares its types is imported when one of them is read.

    A class of a plugin that cannot be imported is absent once it has been read; see `Plugins.failed`.
    """

    def __init__(self, load: Callable[[str], None], classes: Mapping[str, ClassT] = {}) -> None:
        self._load = load
        self._classes = dict(classes)
        self._declared: dict[str, str] = {}

    def __getitem__(self, name: str) -> ClassT:
        if name not in self._classes and name in self._declared:
            self._load(self._declared[name])
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._classes or name in self._declared

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._classes, *self._declared)))

    def __len__(self) -> int:
        return len(self._classes.keys() | self._declared.keys())

    def __repr__(self) -> str:
        return f"Registry({', '.join(self)})"

    def declare(self, name: str, plugin: str) -> None:
        """Add the type of a plugin that is imported when it is read."""
        self._declared[name] = plugin

    def forget(self, plugin: str) -> None:
        """Remove the types that a plugin declares."""
        self._declared = {name: other for name, other in self._declared.items() if other != plugin}

    def add(self, classes: Mapping[str, ClassT]) -> None:
        """Add the classes of a plugin."""
        self._classes |= classes

    def holder(self, name: str, plugin: str) -> str:
        """Return the other holder of a type; empty if it is free."""
        if (existing := self._classes.get(name)) is not None:
            return _qualified_name(existing)
        holder = self._declared.get(name, plugin)
        return "" if holder == plugin else f"plugin '{holder}'"


class Registrar:
    """Collects the registrations of a plugin by one hook; called by the plugin, and raises `MisuseError`."""

    def __init__(self, kind: Kind, registry: Registry[Any], plugin: str) -> None:
        self.added: dict[str, Any] = {}
        self._kind = kind
        self._registry = registry
        self._plugin = plugin

    def __call__(self, name: Any, registered: Any) -> None:
        kind = self._kind
        if isinstance(registered, str) and not isinstance(name, str):
            swapped = f"register({describe(name)}, {registered!r})"
            raise MisuseError(f"{swapped} has its arguments swapped; call register({registered!r}, {describe(name)})")
        if not isinstance(name, str) or not name:
            raise MisuseError(f"the name of the {kind.noun} cannot be {describe(name)}; pass a text, such as 'example'")
        taken = self.added.get(name) or kind.builtin.get(name)
        holder = _qualified_name(taken) if taken else self._registry.holder(name, self._plugin)
        if holder:
            raise MisuseError(f"{kind.noun} '{name}' is already registered by {holder}; choose another name")
        check = _check_command if kind.base is Command else _check_class
        check(name, registered, kind)
        self.added[name] = registered


def _qualified_name(registered: Any) -> str:
    named = registered.run if isinstance(registered, Command) else registered
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', named)}"


def _check_class(name: str, registered: Any, kind: Kind) -> None:
    base = kind.base.__name__
    subject = f"{kind.noun} '{name}' cannot be {describe(registered)}"
    if not isinstance(registered, type) or not issubclass(registered, kind.base):
        raise MisuseError(f"{subject}; register a subclass of {base}{_hint(registered)}")
    if inspect.isabstract(registered):
        missing = ", ".join(sorted(getattr(registered, "__abstractmethods__", ())))
        raise MisuseError(f"{subject}, which is abstract; implement {missing}")
    if kind.config is None:
        if name != name.lower():
            raise MisuseError(f"{kind.noun} '{name}' must be in lower case; register '{name.lower()}'")
        return
    config = getattr(registered, "config_class", None)
    if not isinstance(config, type) or not issubclass(config, kind.config):
        expected = f"a subclass of {kind.config.__name__}"
        raise MisuseError(f"{registered.__name__}.config_class cannot be {describe(config)}; use {expected}")


def _check_command(name: str, registered: Any, kind: Kind) -> None:
    if not isinstance(registered, Command):
        raise MisuseError(f"{kind.noun} '{name}' cannot be {describe(registered)}; register a Command")


def _hint(registered: Any) -> str:
    """Return the hook that registers a class, if it is another one."""
    if isinstance(registered, type):
        for other in KINDS.values():
            if issubclass(registered, other.base):
                return f", or use {other.hook}"
    elif any(isinstance(registered, kind.base) for kind in KINDS.values()):
        return ", not an instance of it"
    return ""


def describe(value: Any) -> str:
    """Return a value in a few words, for messages."""
    if isinstance(value, type):
        return value.__name__
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    return repr(value) if value is None or isinstance(value, str | int | float) else f"a {type(value).__name__}"
