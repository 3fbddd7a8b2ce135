"""The definitions of an API that describes itself, as a file beside the document that consumes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapter_host.document.messages import count_noun
from adapter_host.regular_files import read_regular_file, replace_regular_file
from adapter_host.schemas.wording import describe_place

MAX_BYTES: Final = 10 * 1024 * 1024
"""The maximum size of a snapshot."""

_LONGEST_VALUE: Final = 60


class SnapshotError(Exception):
    """A snapshot is missing or invalid; the message says which, and not how to fix it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The definitions of an API, as plain JSON, and the type of the consumer that discovered them."""

    type: str
    definitions: Any

    @property
    def digest(self) -> str:
        """The digest of the definitions, which does not depend on the order of keys."""
        return digest_of(self.definitions)

    @classmethod
    def read(cls, path: Path) -> Snapshot:
        """Read a file; raise `SnapshotError`, also if the definitions are not those of the digest."""
        try:
            text = read_regular_file(path, MAX_BYTES + 1)
        except FileNotFoundError:
            raise SnapshotError(f"'{path.name}' does not exist") from None
        except OSError as error:
            raise SnapshotError(f"'{path.name}' cannot be read: {error.strerror}") from error
        try:
            data = json.loads(text) if len(text) <= MAX_BYTES else None
        except (ValueError, RecursionError) as error:
            raise SnapshotError(f"'{path.name}' is not JSON") from error
        if not isinstance(data, dict) or not {"type", "digest", "definitions"} <= data.keys():
            raise SnapshotError(f"'{path.name}' is not a file of 'adapter-host discover'")
        snapshot = cls(str(data["type"]), data["definitions"])
        if snapshot.digest != data["digest"]:
            raise SnapshotError(f"'{path.name}' was edited: its digest is that of other definitions")
        return snapshot

    def write(self, path: Path) -> None:
        """Replace a file, so that readers see the old or the new one; raise `OSError`, `ValueError` if too large."""
        data = {"type": self.type, "digest": self.digest, "definitions": self.definitions}
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        if len(text) > MAX_BYTES:
            raise ValueError(f"the definitions are larger than {MAX_BYTES // (1024 * 1024)} MiB")
        # It is as public as the document.
        replace_regular_file(path, text, 0o644)


def snapshot_path(document: str, namespace: str) -> Path:
    """Return the path of the snapshot of a consumed API."""
    file = Path(document)
    return file.with_name(f"{file.stem}.{namespace}.discovered.json")


def digest_of(definitions: Any) -> str:
    """Return the digest of definitions."""
    canonical = json.dumps(definitions, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode('utf-8', 'surrogatepass')).hexdigest()}"


def find_changes(old: Any, new: Any) -> Iterator[str]:
    """Yield what is different in definitions: `+` for added, `-` for removed, `~` for changed values."""
    yield from _changes(old, new, ())


def summarize_changes(old: Any, new: Any, most: int) -> str:
    """Return at most `most` of the changes on one line."""
    changes = list(find_changes(old, new))
    more = [f"and {count_noun(len(changes) - most, 'more change')}"] if len(changes) > most else []
    return ", ".join(changes[:most] + more)


def _changes(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            place = (*path, key)
            if key not in new:
                yield f"- {describe_place(place)}"
            elif key not in old:
                yield f"+ {describe_place(place)}"
            else:
                yield from _changes(old[key], new[key], place)
    elif digest_of(old) != digest_of(new):
        yield f"~ {describe_place(path) or 'definitions'}: {_shortened(old)} -> {_shortened(new)}"


def _shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
