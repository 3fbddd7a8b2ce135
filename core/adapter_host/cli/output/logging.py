"""The log of the command: one line per event on standard error, as text or JSON.

Lines are written in a thread. A slow reader or a full disk blocks neither requests nor the shutdown; lost lines are
counted, and their number is logged.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Final, TextIO

from adapter_host.document.messages import count_noun
from adapter_host.operation.call_record import CURRENT_RECORD, CallRecord
from adapter_host.operation.callers import logged_call

from .access_lines import LOGGER as ACCESS
from .access_lines import access_formatter
from .escapes import escape, to_json
from .events import Event
from .log_writer import LogWriter, Loss

LEVELS: Final = ("debug", "info", "warning", "error")

BUFFER: Final = 1024 * 1024
"""Default maximum bytes of lines that wait to be read."""

FLUSH_TIMEOUT: Final = 1.0
"""Maximum seconds for the last lines when the process ends."""

_INDENT: Final = "    "


class Log:
    """The log of a process, and everything else that it prints to standard error while the log is open."""

    def __init__(self, format_name: str, level: str, buffer: int = BUFFER) -> None:
        self._format_name = format_name
        self._level = level
        self._buffer = buffer
        self._standard_error = sys.stderr
        self._writer: LogWriter | None = None
        self._stream: _LineStream | None = None
        self._format_access: Callable[[CallRecord], str] | None = None
        self._access_logger = logging.getLogger(ACCESS)

    def open(self, worker: int | None = None) -> None:
        """Configure logging; lines of a worker process contain its number.

        A forked process opens the log again, as threads do not survive a fork.
        """
        formatter = self._formatter(worker)
        handler: logging.Handler = logging.StreamHandler(self._standard_error)
        if (descriptor := _descriptor(self._standard_error)) is not None:
            self._writer = LogWriter(descriptor, self._buffer, lambda loss: _encode(formatter.format(_record(loss))))
            handler = _LineHandler(self._writer)
            kind = partial(_JsonStream, worker) if self._format_name == "json" else _LineStream
            sys.stderr = self._stream = kind(self._standard_error, self._writer)
        handler.setFormatter(formatter)
        logging.basicConfig(level=self._level.upper(), handlers=[handler], force=True)
        self._format_access = access_formatter(self._format_name, worker)

    def write_access(self, record: CallRecord) -> None:
        """Write the line of the access log for a record; the level of its logger is `info`."""
        if self._format_access is None or not self._access_logger.isEnabledFor(logging.INFO):
            return
        line = self._format_access(record)
        if self._writer is not None:
            self._writer.put(_encode(line), urgent=False)
        else:
            print(line, file=sys.stderr)

    def _formatter(self, worker: int | None) -> logging.Formatter:
        if self._format_name == "json":
            return _JsonLines(worker)
        origin = "%(name)s" if worker is None else f"%(name)s[{worker}]"
        return _Text(f"%(asctime)s %(levelname)s {origin}: %(message)s")

    def paused(self) -> AbstractContextManager[None]:
        """Stop the thread of the log in a context, to fork."""
        return self._writer.paused() if self._writer is not None else nullcontext()

    def close(self) -> None:
        """Write what can be written within `FLUSH_TIMEOUT`, and restore standard error."""
        sys.stderr = self._standard_error
        if self._writer is not None and self._stream is not None:
            self._stream.end_line()
            self._writer.stop(FLUSH_TIMEOUT)


def _descriptor(stream: TextIO | None) -> int | None:
    """Return the file descriptor of a stream, or None if it has none, for example in tests."""
    try:
        return stream.fileno() if stream is not None else None
    except (OSError, ValueError):
        return None


def _encode(line: str) -> bytes:
    return line.encode("utf-8", "backslashreplace") + b"\n"


def _record(loss: Loss) -> logging.LogRecord:
    verb = "was" if loss.lines == 1 else "were"
    message, arguments = "%s %s lost: %s", (count_noun(loss.lines, "log line"), verb, loss.reason)
    return logging.LogRecord("adapter_host", logging.WARNING, __file__, 0, message, arguments, None)


class _LineHandler(logging.Handler):
    """Passes formatted records to the writer."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def createLock(self) -> None:  # noqa: N802  (the name of the standard library)
        """Create no lock: the writer has its own, and two could be acquired in different orders."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and write a record; since Python 3.13 the method of the standard library needs a lock."""
        # A filter may replace the record since Python 3.12.
        kept: object = self.filter(record)
        if kept:
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)
        return bool(kept)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; one that cannot be formatted does not affect the caller."""
        try:
            line = self.format(record)
        except Exception:  # as in any handler, the logging code must not fail
            self.handleError(record)
            return
        self._writer.put(_encode(line))


class _LineStream(io.TextIOBase):
    """A text stream that passes whole lines to the writer."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, replaced: TextIO, writer: LogWriter) -> None:
        self._replaced = replaced
        self._writer = writer
        self._lock = threading.RLock()
        self._line = ""

    def write(self, text: str) -> int:
        """Pass on the lines that are complete."""
        with self._lock:
            lines, end, self._line = (self._line + text).rpartition("\n")
        if end:
            self.put_lines(lines)
        return len(text)

    def put_lines(self, lines: str) -> None:
        """Write whole lines."""
        self._writer.put(_encode(escape(lines, keep="\n\t")))

    def end_line(self) -> None:
        """Pass on the rest."""
        if self._line:
            self.write("\n")

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether the lines go to a terminal."""
        return self._replaced.isatty()

    def fileno(self) -> int:
        """Return the file descriptor, to which subprocesses write directly."""
        return self._replaced.fileno()


def _call_fields() -> dict[str, str]:
    """Return the request id, the exposer and the operation of the call in progress, as far as they are known."""
    call = logged_call()
    if call is None:
        return {}
    record = CURRENT_RECORD.get()
    operation = None if record is None else record.operation
    fields = {"request_id": call.request_id, "exposer": call.exposer, "operation": operation}
    return {name: value for name, value in fields.items() if value}


class _JsonStream(_LineStream):
    """A text stream whose lines become messages of the JSON log."""

    def __init__(self, worker: int | None, replaced: TextIO, writer: LogWriter) -> None:
        super().__init__(replaced, writer)
        self._members = {} if worker is None else {"worker": worker}

    def put_lines(self, lines: str) -> None:
        """Write each line as an event; empty ones only separate paragraphs of a text."""
        for line in filter(None, lines.split("\n")):
            self.put_event(Event(line))

    def put_event(self, event: Event) -> None:
        """Write the line of an event."""
        self._writer.put(_encode(event.line(self._members)))


class _Text(logging.Formatter):
    """Formats a record as one line, and tracebacks as indented ones, so that no text from outside starts a line."""

    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        # Not the inherited method, which stores the text of the exception for other formatters.
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        details = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            details.append(record.stack_info)
        lines = [line for text in details for line in text.split("\n")]
        fields = "".join(f" {name}={value}" for name, value in _call_fields().items())
        message = self.formatMessage(record) + (fields and f" ({fields.lstrip()})")
        return "\n".join([escape(message), *(_INDENT + escape(line, "\t") for line in lines)])


class _JsonLines(logging.Formatter):
    def __init__(self, worker: int | None) -> None:
        super().__init__()
        self._worker = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._worker,
            **_call_fields(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return to_json(line)
