"""The declaration of the Tasks extension."""

from __future__ import annotations

from typing import Any, Final

EXTENSION: Final = "io.modelcontextprotocol/tasks"


def task_extension(*, has_tasks: bool) -> dict[str, Any]:
    """Return the extensions that a server declares."""
    return {EXTENSION: {}} if has_tasks else {}
