"""The version of the plugin API, and what a plugin that asks for another is told."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Final

API_VERSION: Final = "1.0"
"""The plugin API's version: the second number grows when something is added, the first when something is not as before.

A plugin says in `requires_api` which it is written for.
"""

_CORE: Final = "adapter-host-core"
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")


def mismatch(plugin: object, distribution: str | None) -> str | None:
    """Why the plugin cannot work with this API, and what to install; None when it can."""
    asked = getattr(plugin, "requires_api", None)
    if asked is None:
        return None
    version = _VERSION.fullmatch(asked) if isinstance(asked, str) else None
    if version is None:
        return f"its requires_api must be a version as '{API_VERSION}' (given {asked!r})"
    wanted, present = _numbers(asked), _numbers(API_VERSION)
    if wanted[0] == present[0] and wanted <= present:
        return None
    hint = _core_for(distribution)
    if wanted < present:
        hint = f"pip install --upgrade {distribution or 'the plugin'}, or {hint}"
    return f"it is written for plugin API {asked}, and {_installed()} has {API_VERSION} ({hint})"


def hint_for(error: Exception, distribution: str | None) -> str:
    """What to install when an import failed because the core is of another version; nothing for other errors."""
    ours = isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "adapter_host"
    return f" ({_installed()} has plugin API {API_VERSION}; {_core_for(distribution)})" if ours else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _installed() -> str:
    return f"{_CORE} {metadata.version(_CORE)}"


def _core_for(distribution: str | None) -> str:
    """How to get the core that a distribution says it needs."""
    required = metadata.requires(distribution) if distribution else None
    for requirement in required or ():
        if re.fullmatch(rf"{_CORE}\W.*", requirement) and ";" not in requirement:
            return f"pip install '{requirement}'"
    return f"pip install --upgrade {_CORE}"
