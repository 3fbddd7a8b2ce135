"""`/health` and `/status`."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from adapter_host import HOST, ExposerStatus, Host, LoadedCapability
from adapter_host_control.config import ControlConfig
from adapter_host_control.responses import json_response

from .configuration import ConfigurationStatus


async def live(_: web.Request) -> web.Response:
    """Report that the process responds."""
    return json_response({"status": "UP"})


async def ready(request: web.Request) -> web.Response:
    """Report readiness: 503 while draining, or if an exposer does not serve."""
    status = host_state(request.app[HOST])
    adapters = [adapter_status(status) for status in request.app[HOST].status()]
    return json_response({"status": status, "adapters": adapters}, 200 if status == "UP" else 503)


def host_state(host: Host) -> str:
    """Return `UP`, `DEGRADED` or `DRAINING`."""
    if not host.ready:
        return "DRAINING"
    return "UP" if all(status.serving for status in host.status()) else "DEGRADED"


def adapter_status(status: ExposerStatus) -> dict[str, Any]:
    """Return the status of one exposer as JSON, with the reason if it does not serve."""
    port = urlsplit(status.url or "").port
    failure = status.exposer.failure
    return {
        "type": status.type,
        "namespace": status.namespace,
        **({"port": port} if port else {}),
        "state": "started" if status.serving else "stopped",
        **({"reason": failure} if failure else {}),
    }


class StatusEndpoint:
    """`/status`."""

    def __init__(self, loaded: LoadedCapability, config: ControlConfig) -> None:
        capability = loaded.capability
        self._configuration = ConfigurationStatus()
        self._static = {
            "capability": {
                "label": capability.label,
                "specVersion": capability.version,
                **({"version": capability.info.version} if capability.info.version else {}),
            },
            "engine": {
                "name": "adapter-host",
                "version": metadata.version("adapter-host-core"),
                "python": platform.python_version(),
            },
            "otel": {"status": "enabled" if config.observability.enabled else "disabled"},
        }

    async def get(self, request: web.Request) -> web.Response:
        """Return versions, start time, the configuration and the status of every exposer."""
        host = request.app[HOST]
        now = datetime.now(UTC)
        started = host.started or now
        return json_response(
            {
                "status": host_state(host),
                **self._static,
                "started": started.isoformat(timespec="seconds"),
                "uptime": iso_duration(now - started),
                "configuration": await self._configuration.get(host),
                "calls": host.calls,
                "adapters": list(_adapters(host.status())),
            }
        )


def _adapters(statuses: Iterable[ExposerStatus]) -> Iterable[dict[str, Any]]:
    for status in statuses:
        details = {"capability": status.capability, "url": status.url, "authentication": status.authentication}
        yield {**adapter_status(status), **details, "operations": status.operations}


def iso_duration(elapsed: timedelta) -> str:
    """Return an ISO 8601 duration in whole seconds, such as `P1DT2H0M5S`."""
    minutes, seconds = divmod(int(elapsed.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"P{f'{days}D' if days else ''}T{hours}H{minutes}M{seconds}S"
