"""Named secrets and their sources."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from traceback import extract_tb

from adapter_host.errors import BindError, PluginError, Problem
from adapter_host.restricted_reads import restricted_reads


class BindSource(ABC):
    """Source of the secrets of a bind; a plugin registers one for the URL scheme of the bind's `location`.

    The host creates one for each bind whenever it loads a document. `__init__` must not use the network or read files;
    a `BindError` that it raises is reported as an error of the document. `folder` is the document's.
    """

    def __init__(self, location: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.location = location
        self.folder = folder
        self.environment = environment

    @abstractmethod
    def value(self, key: str) -> str | None:
        """Return the secret of a key, or None; called once for each key in use.

        Raise `BindError` when the source cannot be read; the source is then not called again.
        """

    def hint(self, key: str) -> str:
        """Return how an operator can supply a key that has no value."""
        return f"set '{key}' at the bind's location"

    @property
    def files(self) -> Sequence[str]:
        """The files read so far; `serve` reloads when one of them changes."""
        return ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class EnvironmentSource(BindSource):
    """The environment: the source of a bind without a location."""

    def value(self, key: str) -> str | None:
        """Return the environment variable named `key`."""
        return self.environment.get(key)

    def hint(self, key: str) -> str:
        """Name the ways to set the variable."""
        return f"set the environment variable {key}, or pass --env-file with a file that sets it"


class CachedSource:
    """The source of one bind, with its values cached and its failure reported once."""

    def __init__(self, label: str, source: BindSource, report: Callable[[str], Problem], owner: str = "") -> None:
        self.label = label
        self._owner = owner
        self.source = source
        self.failure: Problem | None = None
        self._report = report
        self._values: dict[str, str | None] = {}

    def value(self, key: str) -> str | None:
        """Return the secret of a key; an empty one counts as missing."""
        if restricted_reads() is not None:
            return None
        if key not in self._values and self.failure is None:
            self._values[key] = self._read_once(key)
        return self._values.get(key)

    def _read_once(self, key: str) -> str | None:
        try:
            with wrap_source_errors(type(self.source), self._owner):
                return self.source.value(key) or None
        except BindError as error:
            self.failure = self._report(str(error))
        return None

    @property
    def files(self) -> Sequence[str]:
        """The files read by the source."""
        return self.source.files

    def missing_message(self, key: str) -> str:
        """Return why a key has no value, and how to supply it."""
        if restricted_reads() is not None:
            return self.label
        with wrap_source_errors(type(self.source), self._owner):
            return f"{self.label}; {self.source.hint(key)}"


@contextmanager
def wrap_source_errors(source: type[BindSource], owner: str) -> Iterator[None]:
    """Report an exception of a source's code as `PluginError` of its owner, a plugin, without its text."""
    try:
        yield
    except BindError:
        raise
    except (Exception, SystemExit) as error:
        # A plugin's exception may contain a secret in its text, so the message has only its type and location.
        frame = extract_tb(error.__traceback__)[-1]
        name = f"{owner or source.__module__}: {source.__qualname__}"
        message = f"{name}: {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
        raise PluginError(f"{message} (a bind source must raise BindError when it cannot be read)") from None


@dataclass(frozen=True, slots=True)
class BindVariable:
    """A variable of a bind: templates use `VARIABLE` or `namespace.VARIABLE`, the source uses `key`."""

    namespace: str
    variable: str
    key: str
    source: CachedSource = field(repr=False, compare=False)

    @property
    def qualified_name(self) -> str:
        """The name with its namespace, for messages."""
        return f"{self.namespace}.{self.variable}" if self.namespace else self.variable


class Binds:
    """The secrets of one capability. Values never appear in its repr; with `mock` no source is read."""

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
        """Return the variable that `name` refers to in a template, or None if no bind declares it."""
        return self._names.get(name)

    def is_environment(self, namespace: str) -> bool:
        """Return whether all binds of a namespace are the environment; without binds, whether it is called `env`."""
        sources = [name.source.source for name in self._names.values() if name.namespace == namespace]
        return all(isinstance(source, EnvironmentSource) for source in sources) if sources else namespace == "env"

    def environment_variable(self, name: str) -> BindVariable:
        """Return the environment variable of a name that no bind declares."""
        return BindVariable("", name, name, self._environment)

    def value(self, variable: BindVariable) -> str | None:
        """Return the secret, None when it is missing; with `mock`, a placeholder."""
        return f"mock-{variable.key}" if self._mock else variable.source.value(variable.key)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that secrets were read from."""
        files = [file for variable in self._names.values() for file in variable.source.files]
        return tuple(dict.fromkeys(files))

    def __repr__(self) -> str:
        return f"Binds({', '.join(sorted(self._names))})"
