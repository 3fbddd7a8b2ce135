"""Check the paths that an HTTP exposer declares for itself."""

from __future__ import annotations

from typing import Any, Final

from adapter_host.auth.oauth2.metadata import WELL_KNOWN
from adapter_host.errors import PluginError
from adapter_host.plugin.exposer import HttpExposer

ORIGIN_ROOT: Final = "/.well-known"
"""The path of everything that exposers serve at the origin (RFC 8615)."""


def check_paths(exposer: HttpExposer[Any]) -> frozenset[str]:
    """Return the paths that an exposer serves at the origin; raise `PluginError` for paths that cannot be served."""
    origin_paths = frozenset(exposer.origin_routes())
    for path in sorted(origin_paths):
        if not path.startswith(f"{ORIGIN_ROOT}/"):
            raise _error(exposer, f"origin_routes has '{path}'; use a path below {ORIGIN_ROOT}/")
        if path == WELL_KNOWN or path.startswith(f"{WELL_KNOWN}/"):
            raise _error(exposer, f"origin_routes has '{path}', which the host serves itself; use another path")
    for path in sorted(exposer.public_paths):
        if not path.startswith("/"):
            raise _error(exposer, f"public_paths has '{path}'; begin it with '/'")
    return origin_paths


def _error(exposer: HttpExposer[Any], message: str) -> PluginError:
    return PluginError(f"{type(exposer).__module__}: '{exposer.config.namespace}': {message}")
