"""`/scripting`: settings and statistics of scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from adapter_host import HOST, BuildContext, Host, StepType
from adapter_host_control.guard import check_caller
from adapter_host_control.responses import RequestRejectedError, json_response, read_object

MUTABLE_KEYS: Final = ("enabled", "timeout", "statementLimit", "defaultLocation", "defaultLanguage", "allowedLanguages")
"""Keys that can be changed at runtime."""


class ScriptingEndpoint:
    """Reads and changes the script steps of all documents; those of the control exposer's if none has scripts."""

    def __init__(self, context: BuildContext) -> None:
        self._context = context
        self._unused: StepType[Any] | None = None

    async def get(self, request: web.Request) -> web.Response:
        """Return settings and statistics."""
        return json_response(dict(self._step_types(request.app[HOST])[0].status()))

    async def put(self, request: web.Request) -> web.Response:
        """Change settings until the next reload."""
        host = check_caller(request)
        changes = await read_object(request)
        if unknown := [key for key in changes if key not in MUTABLE_KEYS]:
            raise RequestRejectedError(400, f"unknown key '{unknown[0]}' (known: {', '.join(MUTABLE_KEYS)})")
        step_types = self._step_types(host)
        try:
            for steps in step_types:
                steps.adjust(changes)
        except ValueError as error:
            raise RequestRejectedError(400, str(error)) from error
        return json_response(dict(step_types[0].status()))

    def _step_types(self, host: Host) -> Sequence[StepType[Any]]:
        """Return the script step types of all capabilities; raise `RequestRejectedError` if none is installed."""
        if step_types := host.step_types.get("script"):
            return step_types
        if "script" not in host.plugins.step_types:
            raise RequestRejectedError(404, "no script steps; pip install adapter-host-scripting to run them")
        if self._unused is None:
            self._unused = host.plugins.step_types["script"](replace(self._context, namespace=""))
        return (self._unused,)
