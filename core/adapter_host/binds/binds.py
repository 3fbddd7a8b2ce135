"""Named secrets and where they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from traceback import extract_tb

from adapter_host.errors import BindError, PluginError, Problem


class BindSource(ABC):
    """Where the secrets of a bind come from; a plugin registers one for the scheme of the bind's `location`.

    One is made for each bind whenever a document is loaded. `__init__` touches neither network nor files; a `BindError`
    that it raises is a mistake of the document. `folder` is the document's.
    """

    def __init__(self, location: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.location = location
        self.folder = folder
        self.environment = environment

    @abstractmethod
    def value(self, key: str) -> str | None:
        """Return the secret of a key, None when there is none; each key that is used is asked for once.

        Raises `BindError` when the source cannot be read, and is not asked again.
        """

    def hint(self, key: str) -> str:
        """Return how an operator can supply a key that has no value."""
        return f"set '{key}' at the bind's location"

    @property
    def files(self) -> Sequence[str]:
        """The files that it has read; when one changes, `serve` loads everything anew."""
        return ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class EnvironmentSource(BindSource):
    """The environment: where the secrets of a bind without a location come from."""

    def value(self, key: str) -> str | None:
        """Return the variable of that name."""
        return self.environment.get(key)

    def hint(self, key: str) -> str:
        """Set the variable."""
        return f"set the environment variable {key}, or name a file that has it with --env-file"


class CachedSource:
    """The source of one bind; what makes it unreadable is a problem where the document names it."""

    def __init__(self, label: str, source: BindSource, report: Callable[[str], Problem]) -> None:
        self.label = label
        self.source = source
        self.failure: Problem | None = None
        self._report = report
        self._values: dict[str, str | None] = {}

    def value(self, key: str) -> str | None:
        """Return the secret of a key; an empty one counts as missing."""
        if key not in self._values and self.failure is None:
            self._values[key] = self._read_once(key)
        return self._values.get(key)

    def _read_once(self, key: str) -> str | None:
        try:
            with wrap_source_errors(type(self.source)):
                return self.source.value(key) or None
        except BindError as error:
            self.failure = self._report(str(error))
        return None

    @property
    def files(self) -> Sequence[str]:
        """The files that the source has read."""
        return self.source.files

    def missing_message(self, key: str) -> str:
        """Why there is no value, and what to do."""
        with wrap_source_errors(type(self.source)):
            return f"{self.label}; {self.source.hint(key)}"


@contextmanager
def wrap_source_errors(source: type[BindSource]) -> Iterator[None]:
    """Around what a source's own code does."""
    try:
        yield
    except BindError:
        raise
    except Exception as error:
        # A plugin's code: the text of what it raises may hold a secret, so its place alone is told.
        frame = extract_tb(error.__traceback__)[-1]
        name = f"{source.__module__}.{source.__qualname__}"
        message = f"{name}: {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
        raise PluginError(f"{message} (a source of binds raises BindError when it cannot be read)") from None


@dataclass(frozen=True, slots=True)
class BindVariable:
    """A variable of a bind: templates say `VARIABLE` or `namespace.VARIABLE`; `key` is the source's own name."""

    namespace: str
    variable: str
    key: str
    source: CachedSource = field(repr=False, compare=False)

    @property
    def qualified_name(self) -> str:
        """The name with its namespace, as messages show it."""
        return f"{self.namespace}.{self.variable}" if self.namespace else self.variable


class Binds:
    """The secrets of one capability; a value is never shown, and with `mock` none is read."""

    def __init__(self, names: Iterable[BindVariable], environment: Mapping[str, str], *, mock: bool = False) -> None:
        self._names: dict[str, BindVariable] = {}
        self.namespaces: dict[str, list[str]] = {}
        self._environment = CachedSource("environment", EnvironmentSource("", Path(), environment), Problem)
        self._mock = mock
        for name in names:
            self._names[name.qualified_name] = name
            self._names.setdefault(name.variable, name)
            self.namespaces.setdefault(name.namespace, []).append(name.variable)

    def find(self, name: str) -> BindVariable | None:
        """The variable that a template's `name` means, or None when no bind declares it."""
        return self._names.get(name)

    def environment_variable(self, name: str) -> BindVariable:
        """The environment's variable of a name that no bind declares."""
        return BindVariable("", name, name, self._environment)

    def value(self, variable: BindVariable) -> str | None:
        """The secret, None when nothing gives it; with a stand-in upstream, a stand-in secret."""
        return f"mock-{variable.key}" if self._mock else variable.source.value(variable.key)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that secrets were read from."""
        files = [file for variable in self._names.values() for file in variable.source.files]
        return tuple(dict.fromkeys(files))

    def __repr__(self) -> str:
        return f"Binds({', '.join(sorted(self._names))})"
