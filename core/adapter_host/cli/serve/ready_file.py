"""The output of `serve`: the table of exposers, and the ready file."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import orjson

from adapter_host.cli.output.escapes import escape
from adapter_host.cli.output.events import Event, announce
from adapter_host.cli.output.exposer_views import safe_catalog
from adapter_host.cli.output.table import table
from adapter_host.cli.output.usage import usage_examples
from adapter_host.errors import StartError
from adapter_host.host.status import ExposerStatus

_log = logging.getLogger("adapter_host")


class ReadyFile:
    """The file with the URLs of exposers; it exists while the host is ready."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self.remove()

    def write(self, statuses: Sequence[ExposerStatus]) -> None:
        """Write the file atomically; raise `StartError`."""
        if self._path is None:
            return
        listing = [{"namespace": status.namespace, "type": status.type, "url": status.url} for status in statuses]
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            partial.write_bytes(orjson.dumps({"exposers": listing}, option=orjson.OPT_INDENT_2) + b"\n")
            partial.replace(self._path)
        except OSError as error:
            raise StartError(f"--ready-file: cannot write '{self._path}': {error.strerror}") from error

    def remove(self) -> None:
        """Remove the file, also one of an earlier process, but no other file; raise `StartError`."""
        if self._path is None:
            return
        try:
            if self._path.exists() and not _is_ready_file(self._path):
                raise StartError(f"--ready-file: '{self._path}' has other content; choose another file, or delete it")
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise StartError(f"--ready-file: cannot replace '{self._path}': {error.strerror}") from error


def _is_ready_file(path: Path) -> bool:
    """Return whether an earlier process wrote a file, or it is empty."""
    if not path.is_file():
        # Deleting it fails if it is a folder.
        return True
    text = path.read_bytes()
    try:
        listing = orjson.loads(text or b'{"exposers": []}')
    except orjson.JSONDecodeError:
        return False
    return isinstance(listing, dict) and list(listing) == ["exposers"]


def status_table(statuses: Sequence[ExposerStatus]) -> str:
    """Return the table of exposers."""
    head = ("capability", "exposer", "type", "url", "authentication", "operations")
    rows = [
        (
            status.capability,
            status.namespace,
            status.type,
            status.url or "-",
            status.authentication,
            "?" if count is None else str(count),
        )
        for status, count in ((status, _count(status)) for status in statuses)
    ]
    return table(head, rows)


def _count(status: ExposerStatus) -> int | None:
    entries = safe_catalog(status.exposer)
    return None if entries is None else len(entries)


def startup_message(statuses: Sequence[ExposerStatus], *, mock: bool) -> str:
    """Return the table of exposers, and how clients use them."""
    paragraphs = [status_table(statuses), *usage_examples(statuses)]
    if mock and any(status.authentication != "none" for status in statuses):
        paragraphs.append("with --mock, the value of each secret is 'mock-' followed by its key")
    return escape("\n\n".join(paragraphs), keep="\n") + "\n"


def startup_events(statuses: Sequence[ExposerStatus]) -> list[Event]:
    """Return an event for each exposer that is served."""
    return [
        Event(
            f"exposer '{status.namespace}' ({status.type}) is served at {status.url or 'standard input and output'}",
            members={
                "capability": status.capability,
                "exposer": status.namespace,
                "exposer_type": status.type,
                "url": status.url,
                "authentication": status.authentication,
                "operations": _count(status),
            },
        )
        for status in statuses
    ]


def announce_reload(statuses: Sequence[ExposerStatus], ready: ReadyFile, event: str) -> None:
    """Log a reload, print the table and update the ready file; log an error if that fails."""
    try:
        ready.write(statuses)
    except StartError as error:
        _log.error("%s", error)
    _log.info(event)
    announce(status_table(statuses), startup_events(statuses))
