"""The exposer that `serve` serves over standard input and output."""

from __future__ import annotations

from typing import Any

from adapter_host.errors import StartError
from adapter_host.host.combined import combined_exposer
from adapter_host.host.host import Host
from adapter_host.plugin.exposer import Exposer


def find_stdio_exposer(host: Host, *, required: bool) -> Exposer[Any] | None:
    """Return the exposer to serve over standard input and output, if any; raise `StartError`."""
    if required and (combined := combined_exposer(host.plans)) is not None:
        return combined
    exposers = [status.exposer for status in host.status()]
    candidates = [
        exposer
        for exposer in exposers
        if exposer.stdio or (required and type(exposer).serve_stdio is not Exposer.serve_stdio)
    ]
    if len(candidates) > 1 or (required and not candidates):
        names = ", ".join(exposer.config.namespace for exposer in candidates) or "none"
        raise StartError(f"standard input and output can serve exactly one exposer (known: {names})")
    return candidates[0] if candidates else None


async def serve_stdio(exposer: Exposer[Any]) -> None:
    """Serve one client until it ends its input."""
    with exposer.context.site.calls("stdio"):
        await exposer.serve_stdio()
