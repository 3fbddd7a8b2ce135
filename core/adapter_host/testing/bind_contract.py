"""The contract tests of bind sources."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Final
from unittest import SkipTest

from adapter_host import BindError, BindSource, ProblemsError

from .contract import Contract, error_of
from .running import Running

_SECRETS: Final[Mapping[str, str]] = {
    "TOKEN": "an-ordinary-secret",
    "PHRASE": " two words, and spaces at both ends ",
    "LETTERS": "zażółć-😀",
}
_MISSING: Final = "NO_SUCH_KEY"


class BindSourceContract(Contract, ABC):
    """The tests that every bind source must pass; subclass it in a test module, and define `store`.

    `invalid_locations` are texts that are mistakes in a document. Tests that need `damage` are skipped if it is not
    defined.
    """

    secrets: ClassVar[Mapping[str, str]] = _SECRETS
    invalid_locations: ClassVar[Sequence[str]] = ()

    @abstractmethod
    def store(self, secrets: Mapping[str, str]) -> AbstractContextManager[str]:
        """Store secrets by key where the source reads them, and yield the `location` of the bind."""

    def damage(self) -> None:
        """Make the stored secrets unreadable, so that reading them raises `BindError`."""
        raise SkipTest("'damage' is not defined")

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """Parametrize tests by the invalid locations."""
        if "invalid_location" in metafunc.fixturenames:
            metafunc.parametrize("invalid_location", list(cls.invalid_locations), ids=list(cls.invalid_locations))

    def _source(self, location: str) -> BindSource:
        scheme = location.partition("://")[0]
        source = self.plugins().bind_sources.get(scheme)
        assert source is not None, f"no plugin registers the scheme '{scheme}'"
        return source(location, Path(), {})

    def _document(self, location: str, key: str) -> dict[str, Any]:
        consumed = {"type": "fake", "namespace": "api", "secret": "{{vault.SECRET}}", "operations": [{"name": "read"}]}
        return {
            "naftiko": "1.0.0-alpha2",
            "binds": [{"namespace": "vault", "location": location, "keys": {"SECRET": key}}],
            "capability": {"consumes": [consumed]},
        }

    def test_secrets_are_read(self) -> None:
        """`value` returns each secret unchanged, repeatedly, and a document that binds a key receives it."""
        with self.store(self.secrets) as location:
            source = self._source(location)
            for key, secret in self.secrets.items():
                assert [source.value(key), source.value(key)] == [secret, secret], f"the secret '{key}' is changed"
                host = self._build(self._document(location, key))
                host.require_secrets()
                assert Running(host).fake("api").secret == secret

    def test_missing_keys_have_a_hint(self) -> None:
        """`value` of an unknown key is None, and `hint` has the fix, without a secret."""
        with self.store(self.secrets) as location:
            source = self._source(location)
            assert source.value(_MISSING) is None
            hint = source.hint(_MISSING)
            assert hint
            assert not self._leaked(hint)

    def test_representation_has_no_secret(self) -> None:
        """`repr` and `str` of a source contain no secret, also after it was read."""
        with self.store(self.secrets) as location:
            source = self._source(location)
            for key in self.secrets:
                source.value(key)
            assert not self._leaked(f"{source!r} {source}")

    def test_construction_reads_nothing(self) -> None:
        """A source of unreadable secrets can be created; `value` raises `BindError` without a secret."""
        with self.store(self.secrets) as location:
            self.damage()
            source = self._source(location)
            error = error_of(lambda: source.value("TOKEN"), BindError)
            assert error is not None, "reading what is unreadable raised no BindError"
            assert not self._leaked(f"{error} {error.__cause__!r}"), "the error contains a secret"

    def test_invalid_locations_are_refused(self, invalid_location: str) -> None:
        """`__init__` raises `BindError` for an invalid location."""
        error = error_of(lambda: self._source(invalid_location), BindError)
        assert error is not None, f"'{invalid_location}' was accepted"

    def test_files_exist(self) -> None:
        """`files` are the paths of files that were read: the host watches them."""
        with self.store(self.secrets) as location:
            source = self._source(location)
            source.value("TOKEN")
            assert [file for file in source.files if not Path(file).is_file()] == []

    def test_missing_secrets_prevent_the_start(self) -> None:
        """A document that binds an unknown key is valid, and cannot start; the problem has the hint."""
        with self.store(self.secrets) as location:
            host = self._build(self._document(location, _MISSING))
            error = error_of(host.require_secrets, ProblemsError)
            assert error is not None, "a host without its secret could start"
            assert self._source(location).hint(_MISSING) in str(error)

    def test_later_secrets_are_read(self) -> None:
        """A source that is created later, as by a reload, returns the secrets of that time."""
        with self.store(self.secrets) as location:
            self._source(location).value("TOKEN")
        changed = {**self.secrets, "TOKEN": "another-secret"}
        with self.store(changed) as location:
            assert self._source(location).value("TOKEN") == "another-secret"

    def _leaked(self, text: str) -> bool:
        return any(secret.strip() in text for secret in self.secrets.values())
