"""The exceptions of adapter-host.

::

    AdapterHostError
    ├── ProblemsError            a document is invalid: all problems with their positions
    ├── PluginError              a plugin could not be loaded
    ├── BindError                a secret source cannot be read; the host reports it as a problem
    ├── StartError               the host could not start (a port in use, ...)
    ├── LockHeldError            another owner holds a lock of the state store
    └── OperationError           one call failed; `status` is its HTTP status
        ├── ArgumentError        400  an invalid argument; `parameter` is its name
        │   ├── UnreadableBodyError     400  a request body is truncated, or not in its content coding
        │   ├── BodyTooLargeError       413  a request body exceeds the limit
        │   └── UnsupportedCodingError  415  the content coding of a request body is not supported
        ├── RefusedError         403  the caller lacks permission
        │   └── ApprovalError    403  a person has not approved the call; nothing was sent
        │       └── ApprovalRequiredError  403  a person must approve the call first
        ├── NotFoundError        404  nothing has that name
        ├── InternalError        500  an error of the host or a plugin
        ├── UnavailableError     503  draining, or at the concurrency limit
        │   └── StoreUnavailableError   503  the state store cannot be used
        └── UpstreamError        502  the consumed API failed
            ├── UpstreamUnreachableError   502  no connection; nothing was sent
            ├── UpstreamDisconnectedError  502  the connection ended before the response
            ├── UpstreamIncompleteError    502  the connection ended within the response
            ├── UpstreamInvalidError       502  not the declared format, or too large
            ├── UpstreamTimeoutError       504  no response in time
            └── UpstreamStatusError        the upstream's status (300 to 599) and body

The errors of request bodies, which no call raises, are in `adapter_host.server.request_body`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Self

SKIPPED: Final = "skipped: "
"""The beginning of the messages for everything that is left out (`--skip-invalid`)."""

MAX_ARGUMENT_ERRORS: Final = 10
"""The invalid places that the error of one call names."""

_OUTCOMES: Final = {True: "; the request was sent", False: "; the request was not sent"}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error or a `warning` at a position of a document; `code` is stable.

    `replacement` is the value that the message advises for this place; empty if it advises none.
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    code: str = "invalid"
    warning: bool = False
    replacement: str = field(default="", compare=False, repr=False)

    @property
    def as_skipped(self) -> Problem:
        """The warning for something that is left out because of this error."""
        return self if self.warning else replace(self, message=f"{SKIPPED}{self.message}", warning=True)

    def __str__(self) -> str:
        position = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        return f"{position if self.file else ''}{'warning: ' if self.warning else ''}{self.message}"


class AdapterHostError(Exception):
    """The base class of all errors of adapter-host."""


class ProblemsError(AdapterHostError):
    """A document is invalid; `problems` has all errors and warnings."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class PluginError(AdapterHostError):
    """A plugin could not be loaded; the message names plugin, distribution, version and reason."""


class BindError(AdapterHostError):
    """A secret source rejects its location, or cannot be read; the message has the reason and no secret."""


class StartError(AdapterHostError):
    """A host could not start; everything already started has been stopped."""


class LockHeldError(AdapterHostError):
    """Another owner holds a lock of the state store."""


class OperationError(AdapterHostError):
    """A call failed. The message is safe for clients: no secret, path or internal name."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    step: str | None = None
    """The step that failed in an operation with steps; also named in the message."""

    def __init__(self, message: str = "") -> None:
        self.message = message or self.title
        super().__init__(self.message)

    def in_step(self, name: str) -> Self:
        """Return the same error with the step that it occurred in."""
        error = type(self).__new__(type(self))
        error.__dict__.update(self.__dict__)
        error.step, error.message = name, f"step '{name}': {self.message}"
        error.args = (error.message,)
        return error


class ArgumentError(OperationError):
    """An argument is invalid; `parameter` is its name, which the message must contain too.

    `pointer` is the JSON Pointer (RFC 6901) of the place in a body, or in the value of another input; None where the
    whole value is meant. An error of several arguments has each in `errors`.
    """

    status = 400
    title = "Invalid argument"

    _errors: tuple[ArgumentError, ...] = ()

    def __init__(self, parameter: str, message: str, *, pointer: str | None = None) -> None:
        self.parameter = parameter
        self.pointer = pointer
        super().__init__(message)

    @property
    def errors(self) -> tuple[ArgumentError, ...]:
        """The errors of single places, this one if it is of one place."""
        return self._errors or (self,)

    @classmethod
    def combine(cls, errors: Sequence[ArgumentError]) -> ArgumentError:
        """Return one error of several, of which there is at least one; its message has a line for each."""
        singles = tuple(single for error in errors for single in error.errors)[:MAX_ARGUMENT_ERRORS]
        first = singles[0]
        if len(singles) == 1:
            return first
        combined = cls(first.parameter, "\n".join(single.message for single in singles), pointer=first.pointer)
        combined._errors = singles
        return combined


class RefusedError(OperationError):
    """The caller lacks permission."""

    status = 403
    title = "Refused"


class ApprovalError(RefusedError):
    """A person has not approved the call, so nothing of it was sent."""

    title = "Not approved"


class ApprovalRequiredError(ApprovalError):
    """A person must approve the call first; the message says how, and how to repeat the call.

    `question` is what to ask the person at a client whose decision counts, and `state` its sealed reference (see
    `ClientDecision`); both are empty if that decision does not count. `url` is a page where the call can be approved,
    if there is one, and `expires_in` the seconds until the question expires.
    """

    title = "Approval required"

    def __init__(
        self, message: str, *, question: str = "", state: str = "", url: str | None = None, expires_in: float = 0.0
    ) -> None:
        self.question = question
        self.state = state
        self.url = url
        self.expires_in = expires_in
        super().__init__(message)


class NotFoundError(OperationError):
    """There is nothing with that name."""

    status = 404
    title = "Not found"


class InternalError(OperationError):
    """An error of the host or a plugin; details are only in the log."""


class UnavailableError(OperationError):
    """The host is draining, or at its concurrency limit.

    `retry_after` are the seconds until another call may succeed. None if the host may be stopping: close connections.
    """

    status = 503
    title = "Unavailable"

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class StoreUnavailableError(UnavailableError):
    """The state store cannot be used now; a change that was requested may have been made."""


class UpstreamError(OperationError):
    """The consumed API failed.

    `sent` is True if the request, or a part of it, was sent; False if the API certainly did not carry it out, because
    nothing was sent or its credentials were rejected; None if that is unknown. Where there is no complete response,
    the message ends with it.
    """

    status = 502
    title = "Upstream failure"

    sent: bool | None = None
    has_response: ClassVar[bool] = False

    def __init__(self, message: str = "", *, sent: bool | None = None) -> None:
        if sent is not None:
            self.sent = sent
        outcome = "" if self.has_response or self.sent is None else _OUTCOMES[self.sent]
        super().__init__(f"{(message or self.title).removesuffix(outcome)}{outcome}")


class UpstreamUnreachableError(UpstreamError):
    """There is no connection to the consumed API, so the request was not sent."""

    title = "Upstream unreachable"

    sent = False


class UpstreamDisconnectedError(UpstreamError):
    """The connection ended after the request was sent, and before the response."""

    title = "Upstream disconnected"

    sent = True


class UpstreamIncompleteError(UpstreamError):
    """The connection ended within the response of the consumed API."""

    title = "Incomplete upstream response"

    sent = True


class UpstreamInvalidError(UpstreamError):
    """The response of the consumed API is too large or not in the declared format."""

    title = "Invalid upstream response"

    sent = True
    has_response = True


class UpstreamTimeoutError(UpstreamError):
    """The consumed API did not respond in time."""

    status = 504
    title = "Upstream timeout"


class UpstreamStatusError(UpstreamError):
    """The consumed API responded with an error status.

    `upstream_status` is 300 to 599; `headers` is case-insensitive. `cached` is as in `Result`.
    """

    title = "Upstream error"

    sent = True
    has_response = True

    def __init__(
        self, status: int, body: bytes = b"", media_type: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self.upstream_status = status
        self.body = body
        self.media_type = media_type
        self.headers: Mapping[str, str] = headers if headers is not None else {}
        self.cached: str | None = None
        super().__init__(f"the upstream returned {status}")
