"""Requests to edit the capability files that a host serves; all of them are for operators."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from adapter_host import (
    AdapterHostError,
    AuditService,
    CallSite,
    DocumentProblem,
    Host,
    LanguageService,
    OperationError,
    ProblemsError,
    new_request_id,
)

from .capability_files import (
    MAX_BYTES,
    ServedFile,
    read_file,
    read_only_reason,
    replace_file,
    served_files,
)
from .details import problems
from .differences import differences
from .guard import RejectedError
from .json_bodies import json_response, read_json
from .roles import PERSON, principal_of

MAX_PROBLEMS: Final = 200
"""Problems of a text that are shown; they are in the order of the text."""

_MAX_BODY: Final = 6 * MAX_BYTES + 1024
"""Bytes of a request with a text: JSON can escape a byte as six."""

_LOG: Final = logging.getLogger("adapter_host.console")


class FileRoutes:
    """Edits the files of a host, which only this host names: a request has the id of one."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._checking = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/api/files", self._list, allow_head=False),
            web.get("/api/files/{id}", self._read, allow_head=False),
            web.post("/api/files/{id}", self._save),
            web.post("/api/files/{id}/check", self._check),
            web.post("/api/files/{id}/differences", self._compare),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        return json_response({"files": [_shown(each) for each in served_files(self._host.plans)]})

    async def _read(self, request: web.Request) -> web.Response:
        served = self._find(request)
        state = await asyncio.to_thread(read_file, served.file)
        read_only = await asyncio.to_thread(read_only_reason, served.file)
        return json_response({**_shown(served), "text": state.text, "version": state.version, "read_only": read_only})

    async def _check(self, request: web.Request) -> web.Response:
        served, sent = self._find(request), await _read_text(request)
        text = _text(sent)
        async with self._checking:
            if request.transport is None or request.transport.is_closing():
                # The editor has a later text already, or is gone.
                raise RejectedError(409, "nobody waits for this check any more")
            return json_response(await asyncio.to_thread(_problems, self._host, served.file, text))

    async def _compare(self, request: web.Request) -> web.Response:
        served, sent = self._find(request), await _read_text(request)
        text = _text(sent)
        state = await asyncio.to_thread(read_file, served.file)
        found = await asyncio.to_thread(differences, state.text, text)
        return json_response({**found, "version": state.version, "conflict": state.version != _version(sent)})

    async def _save(self, request: web.Request) -> web.Response:
        served, sent = self._find(request), await _read_text(request)
        text, version = _text(sent), _version(sent)
        principal = principal_of(request[PERSON])
        try:
            with CallSite().call("console", principal=principal, client_address=request.remote):
                written = await self._replace(served.file, text, version)
        except OperationError as error:
            raise RejectedError(error.status, error.message) from error
        _LOG.info("the console has changed '%s'", served.file)
        return json_response({"version": written, **await self._reload()})

    async def _replace(self, file: str, text: str, version: str) -> str:
        """Replace the text of a file, which is recorded in the audit logs, and return its new version."""
        logs = self._host.services.find(AuditService)
        for log in logs:
            log.check()
        written = await asyncio.to_thread(replace_file, file, text, version)
        for log in logs:
            log.record("edit", {"file": file, "sha256_before": version, "sha256": written})
        return written

    async def _reload(self) -> dict[str, Any]:
        """Reload, and return the outcome: after a failed one, the host serves the version before."""
        found: list[dict[str, Any]] = []
        try:
            await self._host.reload()
        except ProblemsError as error:
            found, failure = problems(error.problems), "the files have errors"
        except AdapterHostError as error:
            failure = str(error)
        except Exception:  # third-party code; the details may contain secrets, so they are only logged
            request_id = new_request_id()
            _LOG.exception("request %s: a reload failed", request_id)
            failure = f"internal error; the log has the details of request {request_id}"
        else:
            found, failure = problems(self._host.warnings), ""
        if failure:
            _LOG.error("reload failed; still serving the previous version: %s", failure)
        return {"reloaded": not failure, "failure": failure, "problems": found, "generation": self._host.generation}

    def _find(self, request: web.Request) -> ServedFile:
        wanted = request.match_info["id"]
        served = next((each for each in served_files(self._host.plans) if each.id == wanted), None)
        if served is None:
            raise RejectedError(404, "this file is not served any more")
        if served.refusal is not None:
            raise RejectedError(409, f"'{served.file}' cannot be edited: {served.refusal}")
        return served


async def _read_text(request: web.Request) -> Mapping[str, Any]:
    return await read_json(request.clone(client_max_size=_MAX_BODY))


def _text(sent: Mapping[str, Any]) -> str:
    text = sent.get("text")
    if not isinstance(text, str):
        raise RejectedError(400, "'text' must be a text")
    if len(text.encode()) > MAX_BYTES:
        raise RejectedError(413, f"'text' is larger than {MAX_BYTES:,} bytes")
    if "\r" in text:
        raise RejectedError(400, "'text' has a carriage return; send line feeds only")
    return text


def _version(sent: Mapping[str, Any]) -> str:
    version = sent.get("version")
    if not isinstance(version, str):
        raise RejectedError(400, "'version' must be a text")
    return version


def _shown(served: ServedFile) -> dict[str, Any]:
    return {"id": served.id, "file": served.file, "label": served.label, "refusal": served.refusal}


def _problems(host: Host, file: str, text: str) -> dict[str, Any]:
    """Check a text as `adapter-host validate` checks the file, which reads neither secrets nor the environment."""
    settings = replace(host.settings, skip_invalid=False, mock=False)
    service = LanguageService(host.plugins, [Path(Path(file).absolute().anchor)], settings=settings)
    service.expects_capabilities = True
    found = service.problems(file, text)
    units = _utf16_units(text)
    return {
        "problems": [_placed(each, units) for each in found[:MAX_PROBLEMS]],
        "left_out": max(0, len(found) - MAX_PROBLEMS),
    }


def _placed(problem: DocumentProblem, units: Callable[[int], int]) -> dict[str, Any]:
    """Return a problem as `validate` reports it, with the part of the text in units of UTF-16, as browsers count."""
    (shown,) = problems([problem.origin])
    return {**shown, "start": units(problem.start), "end": units(problem.end)}


def _utf16_units(text: str) -> Callable[[int], int]:
    """Return a function from a number of characters to a number of UTF-16 units."""
    wide = [] if text.isascii() else [index for index, character in enumerate(text) if character > "\uffff"]
    return lambda position: position + bisect_left(wide, position)
