"""Records of calls for the access log: filled in while a call is served, and written once at its end."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType
from typing import Final

from adapter_host.errors import OperationError

from .callers import CallContext, CallScope, CallSite

NO_SITE: Final = CallSite()
"""The site of a request that has reached no exposer."""

CANCELLED: Final = "cancelled"
"""The error of a call whose client has gone, or whose time is over."""


@dataclass(slots=True, eq=False)
class CallRecord:
    """The facts of one request, or of one call, for the access log. It holds no arguments, and no credentials.

    `method` is that of HTTP, and `path` a template, with `prefix` before it. `message` is the method of the protocol,
    such as `tools/call`. `operation` is the first of `calls`. `status` is that of the response, and `error` the title
    of the error of a call. `upstream_status` is that of the last call of a consumed API or the title of its error, and
    `cached` is set if that was a kept response (see `Result`). The durations are in seconds. `size` is the number of
    bytes of the response with its headers. `authentication` is how the caller has authenticated.
    """

    site: CallSite = NO_SITE
    transport: str = "http"
    request_id: str = ""
    method: str | None = None
    prefix: str = ""
    path: str | None = None
    message: str | None = None
    operation: str | None = None
    calls: int = 0
    status: int | str | None = None
    error: str | None = None
    started: float = field(default_factory=perf_counter)
    duration: float = 0.0
    upstream_status: int | str | None = None
    upstream_duration: float = 0.0
    upstream_calls: int = 0
    cached: str | None = None
    size: int | None = None
    authentication: str | None = None
    client_address: str | None = None

    @classmethod
    def of(cls, site: CallSite, context: CallContext) -> CallRecord:
        """Return the record of a call that begins."""
        return cls(
            site,
            context.transport,
            context.request_id,
            authentication=context.authentication,
            client_address=context.client_address,
        )

    def fail(self, error: BaseException) -> None:
        """Note the error of a call, unless there was one before."""
        if self.error is None:
            self.error = error_name(error)


CURRENT_RECORD: Final[ContextVar[CallRecord | None]] = ContextVar("adapter_host_call_record", default=None)
"""The record of the request in progress; None without an access log."""


def note_call(
    *,
    message: str | None = None,
    path: str | None = None,
    status: int | str | None = None,
    error: int | str | None = None,
) -> None:
    """Add facts that only an exposer knows to the line of the current request in the access log.

    `message` is the method of the protocol, `path` that of a page of the exposer itself, without values of the request,
    `status` the final status, and `error` the code of an error. The first error counts: `error` has no effect after the
    error of a call or an earlier `note_call`.
    """
    record = CURRENT_RECORD.get()
    if record is None:
        return
    if message is not None:
        record.message = message
    if path is not None:
        record.path = path
    if status is not None:
        record.status = status
    if error is not None and record.error is None:
        record.error = str(error)


def error_name(error: BaseException) -> str:
    """Return the title of an error as one word, such as `upstream-timeout`."""
    if isinstance(error, OperationError):
        return error.title.lower().replace(" ", "-")
    return "internal-error" if isinstance(error, Exception) else CANCELLED


class RecordedScope(CallScope):
    """The scope of a request, which is written to the access log at its end."""

    __slots__ = ("_record", "_record_token", "_site", "_write")

    def __init__(
        self, site: CallSite, describe: Callable[[], CallContext], write: Callable[[CallRecord], None]
    ) -> None:
        super().__init__(describe)
        self._site = site
        self._write = write
        self._record: CallRecord | None = None
        self._record_token: Token[CallRecord | None] | None = None

    def __enter__(self) -> None:
        super().__enter__()
        self._record = CallRecord.of(self._site, self._read())
        self._record_token = CURRENT_RECORD.set(self._record)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._record_token is not None:
            CURRENT_RECORD.reset(self._record_token)
        super().__exit__(kind, error, traceback)
        if (record := self._record) is not None:
            if error is not None and record.status is None:
                record.fail(error)
            record.duration = perf_counter() - record.started
            self._write(record)
