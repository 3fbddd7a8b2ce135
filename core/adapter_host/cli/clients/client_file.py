"""Change the configuration file of a client atomically, with a backup."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

from adapter_host.errors import AdapterHostError
from adapter_host.regular_files import replace_regular_file


def read_file(path: Path) -> str | None:
    """Return the text of a file, None if it does not exist; raise `AdapterHostError`."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AdapterHostError(f"cannot read '{path}': {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AdapterHostError(f"cannot read '{path}': it is not UTF-8") from error


def diff(path: Path, old: str, new: str) -> Iterator[str]:
    """Yield the lines of a unified diff."""
    yield from unified_diff(old.splitlines(), new.splitlines(), str(path), str(path), lineterm="")


def replace_file(path: Path, old: str | None, new: str) -> Path | None:
    """Replace a file, so that readers see the old or the new one; return the backup, None for a new file.

    A link stays a link. Raise `AdapterHostError`.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        backup = None if old is None else _back_up(target, old)
        # A configuration may contain credentials, so a new file is readable by its owner only.
        replace_regular_file(target, new.encode(), 0o600 if old is None else stat.S_IMODE(target.stat().st_mode))
    except OSError as error:
        raise AdapterHostError(f"cannot write '{path}': {error.strerror}") from error
    return backup


def _back_up(path: Path, text: str) -> Path:
    number = 0
    while True:
        backup = path.with_name(f"{path.name}.bak{number or ''}")
        if not backup.exists():
            replace_regular_file(backup, text.encode(), stat.S_IMODE(path.stat().st_mode))
            return backup
        number += 1
