"""The log of the command: one line per event on standard error, as text or JSON."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Final

import orjson

LEVELS: Final = ("debug", "info", "warning", "error")


def configure_logging(format_name: str, level: str, worker: int | None = None) -> None:
    """Send the log to standard error; lines of a worker process contain its number."""
    handler = logging.StreamHandler(sys.stderr)
    if format_name == "json":
        handler.setFormatter(_JsonLines(worker))
    else:
        origin = "%(name)s" if worker is None else f"%(name)s[{worker}]"
        handler.setFormatter(_Text(f"%(asctime)s %(levelname)s {origin}: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class _Text(logging.Formatter):
    default_msec_format = "%s.%03d"


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
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()
