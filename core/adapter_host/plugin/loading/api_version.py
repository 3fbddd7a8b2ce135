"""The version of the plugin API, and hints for incompatible plugins."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Final

API_VERSION: Final = "1.0"
"""The version of the plugin API: the minor number grows with additions, the major number with incompatible changes.

A plugin declares in `requires_api` the version that it is written for.
"""

_CORE: Final = "adapter-host-core"
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")


def version_mismatch(plugin: object, distribution: str | None) -> str | None:
    """Return why the plugin is incompatible, and what to install; None when it is compatible."""
    required = getattr(plugin, "requires_api", None)
    if required is None:
        return None
    version = _VERSION.fullmatch(required) if isinstance(required, str) else None
    if version is None:
        return f"'requires_api' must be a version such as '{API_VERSION}' (given {required!r})"
    required_numbers, numbers = _numbers(required), _numbers(API_VERSION)
    if required_numbers[0] == numbers[0] and required_numbers <= numbers:
        return None
    hint = _install_hint(distribution)
    if required_numbers < numbers:
        hint = f"pip install --upgrade {distribution or 'the plugin'}, or {hint}"
    return f"it requires plugin API {required}, but {_installed_core()} has {API_VERSION} ({hint})"


def import_hint(error: BaseException, distribution: str | None) -> str:
    """Return what to install after a failed import from the core; an empty string for other errors."""
    is_core_import = isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "adapter_host"
    return (
        f" ({_installed_core()} has plugin API {API_VERSION}; {_install_hint(distribution)})" if is_core_import else ""
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _installed_core() -> str:
    return f"{_CORE} {metadata.version(_CORE)}"


def _install_hint(distribution: str | None) -> str:
    """Return the command that installs the core that a distribution requires."""
    requirements = metadata.requires(distribution) if distribution else None
    for requirement in requirements or ():
        if re.fullmatch(rf"{_CORE}\W.*", requirement) and ";" not in requirement:
            return f"pip install '{requirement}'"
    return f"pip install --upgrade {_CORE}"
