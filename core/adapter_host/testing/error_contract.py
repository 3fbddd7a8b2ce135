"""The contract tests of the errors that clients of exposers receive."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final
from unittest import SkipTest

import adapter_host
from adapter_host import (
    ArgumentError,
    OperationError,
    Result,
    UpstreamError,
    UpstreamIncompleteError,
    UpstreamStatusError,
)

from .contract import MESSAGE, Caller, CallFailedError, error_tree, is_refused, make_error, operation_test
from .listening_contract import ListeningContract

_DETAIL: Final = "the internal detail"
_FOLDER: Final = str(Path(adapter_host.__file__).parent)
_SECRETS: Final = ("Authorization", "Set-Cookie", "WWW-Authenticate", "X-Debug")
_OWN_STATUSES: Final = (409, 422, 429)
_PLACES: Final = {"argument": ("note", None), "value within": ("note", "/items/0/id")}
_MISTAKES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "missing": ("id", {"note": "x"}),
    "type": ("id", {"id": "seven"}),
}


def _unexpected() -> Exception:
    return RuntimeError(_DETAIL)


def _caused() -> Exception:
    error = UpstreamError(MESSAGE)
    error.__cause__ = RuntimeError(_DETAIL)
    error.__cause__.__context__ = OSError(f"{_FOLDER}/secrets.txt")
    return error


def _noted() -> Exception:
    error = OperationError(MESSAGE)
    error.add_note(_DETAIL)
    return error


def _with_headers() -> Exception:
    return UpstreamStatusError(418, b'{"said": "no"}', "application/json", dict.fromkeys(_SECRETS, _DETAIL))


_LEAKS: Final[Mapping[str, Callable[[], Exception]]] = {
    "cause": _caused,
    "note": _noted,
    "headers of the upstream": _with_headers,
}


class ErrorContract(ListeningContract, ABC):
    """The base of `ExposerContract`: the form of errors in the protocol, and the tests of them.

    Set `ignores_unknown` if the protocol ignores unknown arguments, such as query parameters in HTTP.
    """

    ignores_unknown: ClassVar[bool] = False
    typed: ClassVar[bool] = False
    """Whether the protocol is typed, so that clients cannot send a value of a wrong type."""

    def kind_of(self, error: Exception) -> object:
        """Return the `kind` of a `CallFailedError` for an error of a call (default: its status; 500 for any other)."""
        return error.status if isinstance(error, OperationError) else 500

    def place_of(self, error: ArgumentError) -> object:
        """Return the `place` of a `CallFailedError` (default: the parameter, and the pointer as a URI fragment)."""
        return error.parameter, None if error.pointer is None else f"#{error.pointer}"

    def quoted(self, name: str) -> str:
        """Return the name of an argument as errors of the protocol write it (default: in single quotes)."""
        return f"'{name}'"

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """Parametrize tests by errors and mistakes."""
        errors = {error.__name__: error for error in error_tree(OperationError)}
        errors |= {f"status {status}": _error_with(status) for status in _OWN_STATUSES}
        outcomes = {"sent": True, "not sent": False, "unknown": None}
        every: dict[str, Mapping[str, Any]] = {
            "error": errors,
            "outcome": outcomes,
            "place": _PLACES,
            "leak": _LEAKS,
            "mistake": _MISTAKES,
        }
        for name, cases in every.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, list(cases.values()), ids=list(cases))

    @operation_test
    async def test_errors_reach_the_client(self, error: type[OperationError]) -> None:
        """Each error of a call reaches the client as one of its kind, with its message."""
        raised = make_error(error)
        failed = await self._failure(raised)
        assert raised.message in failed.text or MESSAGE in failed.text, f"no message of {error.__name__}: {failed.text}"
        self._check_kind(failed, raised)

    @operation_test
    async def test_unexpected_errors_hide_details(self) -> None:
        """Any other exception reaches the client as an error without its text, and the next call succeeds."""
        async with self._served() as (served, url):
            served.fake("api").responses["read"] = raising(_unexpected())
            async with self.connect(url) as call:
                failed = await failure_of(call, {"id": 7})
                assert _DETAIL not in failed.text
                assert "RuntimeError" not in failed.text
                self._check_kind(failed, _unexpected())
            async with self.connect(url) as call:
                assert await call("write", {"id": 7}) == {"id": 7}

    @operation_test
    async def test_errors_say_whether_the_request_was_sent(self, outcome: bool | None) -> None:
        """The error of an API has `sent` as data, or has not, if it is unknown."""
        failed = await self._failure(UpstreamError(MESSAGE, sent=outcome))
        assert failed.sent is outcome, f"'sent' is {failed.sent}, not {outcome}: {failed.text}"

    @operation_test
    async def test_errors_name_the_place(self, place: tuple[str, str | None]) -> None:
        """The error of an argument has its name as data, and the place in its value."""
        parameter, pointer = place
        raised = ArgumentError(parameter, MESSAGE, pointer=pointer)
        failed = await self._failure(raised)
        self._check_place(failed, raised)

    @operation_test
    async def test_errors_contain_nothing_internal(self, leak: Callable[[], Exception]) -> None:
        """No error has its cause, its notes, a trace, a path of the host, or a header of the API with a secret."""
        failed = await self._failure(leak())
        for text in (_DETAIL, _FOLDER, "Traceback"):
            assert text not in failed.text, f"the client received '{text}': {failed.text}"

    @operation_test
    async def test_invalid_arguments_are_named(self, mistake: tuple[str, Mapping[str, Any]]) -> None:
        """The error of an invalid argument contains its name, and nothing is called."""
        name, arguments = mistake
        if self.typed and name in arguments:
            raise SkipTest("clients of a typed protocol cannot send a value of a wrong type")
        async with self._served() as (served, url), self.connect(url) as call:
            failed = await failure_of(call, arguments)
            assert self.quoted(name) in failed.text, f"{self.quoted(name)} is not named: {failed.text}"
            self._check_place(failed, ArgumentError(name, MESSAGE))
            assert served.fake("api").calls == []

    @operation_test
    async def test_unknown_arguments_are_named(self) -> None:
        """An unknown argument is an error with its name, or ignored; it is never passed on."""
        async with self._served() as (served, url), self.connect(url) as call:
            if self.ignores_unknown:
                assert await call("read", {"id": 7, "nmae": "x"}) == {"id": 7}
            else:
                failed = await failure_of(call, {"id": 7, "nmae": "x"})
                assert self.quoted("nmae") in failed.text, f"{self.quoted('nmae')} is not named: {failed.text}"
                assert served.fake("api").calls == []

    @operation_test
    async def test_failed_streams_are_errors(self) -> None:
        """A `Result.stream` that fails after its beginning is no result; for exposers with `streams`."""

        async def cut_off() -> Any:
            yield b'{"id": 7}'
            raise UpstreamIncompleteError(MESSAGE)

        async with self._served() as (served, url):
            if not type(served.host.status()[0].exposer).streams:
                raise SkipTest("the exposer does not support streams")
            served.fake("api").responses["read"] = lambda _: Result(stream=cut_off())
            async with self.connect(url) as call:
                assert await is_refused(call("read", {"id": 7})), "a response that was cut off is a result"

    async def _failure(self, raised: Exception) -> CallFailedError:
        """Return the error of a client after an error of the API."""
        async with self._served() as (served, url), self.connect(url) as call:
            served.fake("api").responses["read"] = raising(raised)
            return await failure_of(call, {"id": 7})

    def _check_kind(self, failed: CallFailedError, raised: Exception) -> None:
        expected = self.kind_of(raised)
        assert failed.kind == expected, f"the kind is {failed.kind!r}, not {expected!r}: {failed.text}"

    def _check_place(self, failed: CallFailedError, raised: ArgumentError) -> None:
        expected = self.place_of(raised)
        assert failed.place == expected, f"the place is {failed.place!r}, not {expected!r}: {failed.text}"


def raising(error: Exception) -> Callable[[Mapping[str, Any]], None]:
    """Return a response that raises an error."""

    def respond(_: Mapping[str, Any]) -> None:
        raise error

    return respond


async def failure_of(call: Caller, arguments: Mapping[str, Any]) -> CallFailedError:
    """Return the error that a client receives for a failed call."""
    try:
        result = await call("read", arguments)
    except CallFailedError as failed:
        return failed
    raise AssertionError(f"the call succeeded: {result!r}")


def _error_with(status: int) -> type[OperationError]:
    """Return the class of a plugin's error with a status of its own."""
    return type("PluginError", (OperationError,), {"status": status, "__module__": "a_plugin"})
