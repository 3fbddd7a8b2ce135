"""`/scripting`: settings and statistics of scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from adapter_host import HOST, Host, StepType
from adapter_host_control.guard import check_caller
from adapter_host_control.responses import RequestRejectedError, json_response, read_object

MUTABLE_KEYS: Final = ("enabled", "timeout", "statementLimit", "defaultLocation", "defaultLanguage", "allowedLanguages")
"""Keys that can be changed at runtime."""


async def get(request: web.Request) -> web.Response:
    """Return settings and statistics."""
    return json_response(dict(_script_step_types(request.app[HOST])[0].status()))


async def put(request: web.Request) -> web.Response:
    """Change settings until the next reload."""
    host = check_caller(request)
    changes = await read_object(request)
    if unknown := [key for key in changes if key not in MUTABLE_KEYS]:
        raise RequestRejectedError(400, f"unknown key '{unknown[0]}' (known: {', '.join(MUTABLE_KEYS)})")
    step_types = _script_step_types(host)
    try:
        for steps in step_types:
            steps.adjust(changes)
    except ValueError as error:
        raise RequestRejectedError(400, str(error)) from error
    return json_response(dict(step_types[0].status()))


def _script_step_types(host: Host) -> Sequence[StepType[Any]]:
    """Return the script step types of all capabilities; raises if there are none."""
    step_types = host.step_types.get("script", ())
    if not step_types:
        raise RequestRejectedError(404, "no script steps; pip install adapter-host-scripting to run them")
    return step_types
