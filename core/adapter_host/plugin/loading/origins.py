"""The origins of plugins, and the errors that name them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from traceback import walk_tb
from typing import Any, Final

from adapter_host.errors import PluginError, ProblemsError

from .api_version import import_hint

GROUP: Final = "adapter_host"
"""The entry point group of plugins."""

_NO_PLUGIN: Final = frozenset({"adapter_host", "pluggy", "pydantic", "__main__", *sys.stdlib_module_names})


class MisuseError(Exception):
    """A plugin passed or returned something else than the host expects; the message has the fix."""


@dataclass(frozen=True)
class Origin:
    """The name of a plugin, and its distribution, if it is an installed one; `package` contains its code."""

    name: str
    package: str = ""
    entry: metadata.EntryPoint | None = None
    declared: tuple[str, str] | None = None

    @classmethod
    def of_entry(cls, entry: metadata.EntryPoint) -> Origin:
        """Return the origin of an installed plugin."""
        return cls(entry.name, entry.value.partition(":")[0].partition(".")[0].strip(), entry)

    @cached_property
    def _identity(self) -> tuple[str | None, str | None]:
        if self.entry is None or self.entry.dist is None:
            return self.declared or (None, None)
        # Reading one of them parses all metadata of the distribution.
        parsed = self.entry.dist.metadata
        return parsed["Name"], parsed["Version"]

    @property
    def distribution(self) -> str | None:
        """The name of its distribution."""
        return self._identity[0]

    @property
    def version(self) -> str | None:
        """The version of its distribution."""
        return self._identity[1]

    def __str__(self) -> str:
        return f"plugin '{self.name}'" + (f" ({self.distribution} {self.version})" if self.distribution else "")

    def error(self, error: BaseException | str, hook: str = "", position: str = "") -> PluginError:
        """Return the error of this plugin: its name, distribution, `hook`, reason and position in its code."""
        if isinstance(error, BaseException):
            position = position_of(error, self.package) or position
            reason = _reason(error) + import_hint(error, self.distribution)
        else:
            reason = error
        parts = [str(self), *([hook] if hook else []), reason]
        return PluginError(": ".join(parts) + (f" ({position})" if position else ""))

    @contextmanager
    def named(self, hook: str = "", position: str = "") -> Iterator[None]:
        """Report any exception, and a `sys.exit`, as an error of this plugin."""
        try:
            yield
        except (PluginError, ProblemsError):
            raise
        except (Exception, SystemExit) as error:
            raise self.error(error, hook, position) from error


def _reason(error: BaseException) -> str:
    text = "; ".join(str(error).splitlines())
    if isinstance(error, MisuseError):
        return text
    if isinstance(error, SystemExit):
        return f"it ends the process by SystemExit({text}); raise an exception that says why"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def position_of(error: BaseException, package: str) -> str:
    """Return `file:line` of the innermost frame in a package, else outside of the host; empty if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    own = other = ""
    for frame, line in walk_tb(error.__traceback__):
        root = frame.f_globals.get("__name__", "").partition(".")[0]
        position = f"{frame.f_code.co_filename}:{line}"
        if root == package:
            own = position
        elif root not in _NO_PLUGIN:
            other = position
    return own or other


def position_in(function: Any) -> str:
    """Return `file:line` of a function or a class; empty if it is not written in Python."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    module = sys.modules.get(getattr(function, "__module__", ""), None)
    methods = [value.__code__ for value in vars(function).values() if hasattr(value, "__code__")] if module else []
    return f"{methods[0].co_filename}:{methods[0].co_firstlineno}" if methods else ""


@contextmanager
def named_adapter(adapter: type, place: str) -> Iterator[None]:
    """Report any exception as an error of the installed plugin with a class."""
    try:
        yield
    except (PluginError, ProblemsError):
        raise
    except (Exception, SystemExit) as error:
        root = adapter.__module__.partition(".")[0]
        origin = _installed_origins().get(root, Origin(root, root))
        raise origin.error(error, place, position_in(adapter)) from error


def blame(error: BaseException) -> PluginError | None:
    """Return an exception as the error of the installed plugin whose code raised it; None without one."""
    frames = [frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in walk_tb(error.__traceback__)]
    origins = _installed_origins()
    return next((origins[root].error(error) for root in reversed(frames) if root in origins), None)


def _installed_origins() -> dict[str, Origin]:
    """Return the origins of installed plugins by the packages of their code."""
    return {origin.package: origin for origin in map(Origin.of_entry, metadata.entry_points(group=GROUP))}
