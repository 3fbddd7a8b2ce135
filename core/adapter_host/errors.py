"""What can go wrong, in one tree.

::

    AdapterHostError
    ├── ProblemsError            a document cannot run: every problem with its place
    ├── PluginError              a plugin could not be taken
    ├── BindError                a source of secrets cannot be read; the host makes a problem of it
    ├── StartError               what was built could not be started (a port in use, ...)
    └── OperationError           one call failed; `status` is its HTTP status
        ├── ArgumentError        400  the caller's mistake, naming the parameter
        ├── RefusedError         403  the caller may not do this
        ├── NotFoundError        404  there is no such thing
        ├── InternalError        500  our own mistake
        ├── UnavailableError     503  draining, or as much in progress as may be
        └── UpstreamError        502  the consumed API's failure
            ├── UpstreamUnreachableError  502  no connection, or it broke
            ├── UpstreamInvalidError      502  not the format declared, too large
            ├── UpstreamTimeoutError      504  no answer in time
            └── UpstreamStatusError       its own status (300 to 599) and body
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong, or tolerated (`warning`), at one place of a document; `code` is stable."""

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    code: str = "invalid"
    warning: bool = False

    def __str__(self) -> str:
        position = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        return f"{position if self.file else ''}{'warning: ' if self.warning else ''}{self.message}"


class AdapterHostError(Exception):
    """The root of every error that adapter-host raises."""


class ProblemsError(AdapterHostError):
    """A document cannot run; `problems` has everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class PluginError(AdapterHostError):
    """A plugin could not be taken; the message names plugin, distribution, version and reason."""


class BindError(AdapterHostError):
    """A source of secrets refuses its location, or cannot be read; the message says why, and holds no secret."""


class StartError(AdapterHostError):
    """A built host could not start; what had started has been stopped again."""


class OperationError(AdapterHostError):
    """A call failed. The message is fit for the caller: no secret, path or internal name."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    step: str | None = None
    """The step that failed, where an operation has steps; the message names it too."""

    def __init__(self, message: str = "") -> None:
        self.message = message or self.title
        super().__init__(self.message)

    def in_step(self, name: str) -> Self:
        """Return the same failure, that of a step of an operation."""
        error = type(self).__new__(type(self))
        error.__dict__.update(self.__dict__)
        error.step, error.message = name, f"step '{name}': {self.message}"
        error.args = (error.message,)
        return error


class ArgumentError(OperationError):
    """The caller gave something wrong; `parameter` names it."""

    status = 400
    title = "Invalid argument"

    def __init__(self, parameter: str, message: str) -> None:
        self.parameter = parameter
        super().__init__(message)


class RefusedError(OperationError):
    """The caller may not do this."""

    status = 403
    title = "Refused"


class NotFoundError(OperationError):
    """There is nothing of that name."""

    status = 404
    title = "Not found"


class InternalError(OperationError):
    """Our own mistake; the details are in the log alone."""


class UnavailableError(OperationError):
    """No call is taken now: the host is draining, or has enough to do.

    `retry_after` is in how many seconds another call may be, where that is known: it is the host that goes on then.
    """

    status = 503
    title = "Unavailable"

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class UpstreamError(OperationError):
    """The consumed API failed."""

    status = 502
    title = "Upstream failure"


class UpstreamUnreachableError(UpstreamError):
    """The consumed API could not be reached, or the connection broke."""

    title = "Upstream unreachable"


class UpstreamInvalidError(UpstreamError):
    """The consumed API answered what was not declared: another format, or too much."""

    title = "Invalid upstream answer"


class UpstreamTimeoutError(UpstreamError):
    """The consumed API did not answer in time."""

    status = 504
    title = "Upstream timeout"


class UpstreamStatusError(UpstreamError):
    """The consumed API answered with a status that is not a success; all of it is kept.

    `upstream_status` is 300 to 599; `headers` is case-insensitive.
    """

    title = "Upstream error"

    def __init__(
        self, status: int, body: bytes = b"", media_type: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self.upstream_status = status
        self.body = body
        self.media_type = media_type
        self.headers: Mapping[str, str] = headers if headers is not None else {}
        super().__init__(f"the upstream answered {status}")
