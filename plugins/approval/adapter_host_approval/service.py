"""Request handling of the approval pages; imported only when they are served."""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Mapping
from secrets import token_hex
from typing import Any, Final
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.typedefs import Handler

from adapter_host import (
    PRINCIPAL,
    ArgumentError,
    NotFoundError,
    OperationError,
    Principal,
    bare_media_type,
    current_call,
    encode_json,
    error_problem,
    parse_json,
    problem_response,
    read_body,
)

from .approvals import BY_LINK, Approvals, may_decide
from .page import FRAME, render_decided, render_form, render_list, render_message
from .records import Approval

COOKIE: Final = "adapter-host-approval"
MAX_BODY: Final = 4096
"""Bytes of the body of a decision."""

_LOG: Final = logging.getLogger("adapter_host.approval")
_HEADERS: Final = {"Server": "adapter-host", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_NONCE: Final = re.compile(r"[0-9a-f]{32}")
_DECISIONS: Final = {"approve": True, "deny": False}
_GONE: Final = "no call waits here for your decision: it was decided, has expired, or is another's"


def build_app(approvals: Approvals, *, is_open: bool) -> web.Application:
    """Return the application; with `is_open`, people have one-time links in place of credentials."""
    app = web.Application(middlewares=[_problems], client_max_size=MAX_BODY)
    pages = _Pages(approvals, is_open=is_open)
    path = "/{id:[0-9a-f]{48}}"
    if is_open:
        path += "/{secret:[0-9a-f]{32}}"
    else:
        app.router.add_get("/", pages.list_all)
        # Below a prefix, the empty path is the prefix itself.
        app.router.add_get("", pages.list_all)
    app.router.add_get(path, pages.show)
    app.router.add_post(path, pages.decide)
    return app


class _Pages:
    """The handlers of one exposer."""

    def __init__(self, approvals: Approvals, *, is_open: bool) -> None:
        self._approvals = approvals
        self._is_open = is_open

    async def list_all(self, request: web.Request) -> web.Response:
        """List the calls that wait for a decision of the person."""
        principal = request.get(PRINCIPAL)
        found = [each for each in await self._approvals.waiting() if may_decide(each, principal)]
        if _wants_page(request):
            return _page(render_list(found))
        return _json({"approvals": [_described(each) for each in found]})

    async def show(self, request: web.Request) -> web.Response:
        """Show one call that waits, with the form of the decision."""
        approval = await self._find(request)
        if not _wants_page(request):
            return _json(_described(approval))
        # A nonce that stays lets several pages of one call be open.
        sent = request.cookies.get(COOKIE, "")
        nonce = sent if _NONCE.fullmatch(sent) else token_hex(16)
        response = _page(render_form(approval, self._token(approval.id, request.get(PRINCIPAL), nonce)))
        path = request.rel_url.raw_path
        response.set_cookie(COOKIE, nonce, path=path, httponly=True, samesite="Strict", secure=_is_secure(request))
        return response

    async def decide(self, request: web.Request) -> web.Response:
        """Approve or deny a call."""
        approval = await self._find(request)
        principal = request.get(PRINCIPAL)
        body = await read_body(request, MAX_BODY)
        is_form = bare_media_type(request.headers.get("Content-Type", "")) != "application/json"
        # Web pages of other origins cannot send JSON without the permission of this one, which it does not give.
        fields = self._form(request, approval, principal, body) if is_form else _json_fields(body)
        decision = _DECISIONS.get(fields.get("decision") or "")
        if decision is None:
            raise ArgumentError("decision", "'decision' is neither 'approve' nor 'deny'")
        by = BY_LINK if self._is_open else ""
        decided = await self._approvals.decide(approval.id, approve=decision, principal=principal, by=by)
        return _page(render_decided(decided)) if is_form else _json(_described(decided))

    async def _find(self, request: web.Request) -> Approval:
        """Return the call of a request; raise `NotFoundError`, with one wording for all reasons."""
        approval = await self._approvals.find(request.match_info["id"])
        if approval is None or approval.state != "pending" or not may_decide(approval, request.get(PRINCIPAL)):
            raise NotFoundError(_GONE)
        if self._is_open:
            secret = self._approvals.link_secret(approval.id)
            if not hmac.compare_digest(secret, request.match_info["secret"]):
                raise NotFoundError(_GONE)
        return approval

    def _form(
        self, request: web.Request, approval: Approval, principal: Principal | None, body: bytes
    ) -> Mapping[str, Any]:
        """Return the fields of the form that this host has sent to this person; raise `NotFoundError` for others."""
        fields = {name: values[0] for name, values in parse_qs(body.decode("ascii", "replace")).items()}
        nonce, token = request.cookies.get(COOKIE, ""), fields.get("token", "")
        expected = self._token(approval.id, principal, nonce)
        if not _NONCE.fullmatch(nonce) or not hmac.compare_digest(expected.encode(), token.encode()):
            raise NotFoundError(_GONE)
        return fields

    def _token(self, approval_id: str, principal: Principal | None, nonce: str) -> str:
        person = "" if principal is None else principal.identity
        return self._approvals.sealer.sign(f"form {approval_id} {nonce} {person}".encode()).hex()


def _json_fields(body: bytes) -> Mapping[str, Any]:
    try:
        fields = parse_json(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("decision"), str):
        raise ArgumentError("decision", "the body is no JSON object with 'decision'")
    return fields


def _wants_page(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


def _is_secure(request: web.Request) -> bool:
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


def _described(approval: Approval) -> dict[str, Any]:
    """Return an approval for programs."""
    names = ("id", "capability", "exposer", "operation", "upstream", "arguments", "caller", "state")
    return {**{name: getattr(approval, name) for name in names}, "expires": approval.expires}


def _page(page: bytes, status: int = 200) -> web.Response:
    return web.Response(status=status, body=page, headers={**_HEADERS, **FRAME.headers})


def _json(data: Any) -> web.Response:
    return web.Response(body=encode_json(data), content_type="application/json", headers=_HEADERS)


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Convert errors of handlers to pages, or to problem details (RFC 9457)."""
    try:
        return await handler(request)
    except OperationError as error:
        if not _wants_page(request):
            return error_problem(error)
        status, title, text = error.status, error.title, error.message
    except web.HTTPMethodNotAllowed as error:
        allow = {"Allow": ", ".join(sorted(error.allowed_methods))}
        return problem_response(405, f"method {error.method} is not allowed", headers=allow)
    except web.HTTPException as error:
        status, title, text = error.status, error.reason, _GONE
    except Exception:  # the details may contain secrets, so they are only logged
        request_id = current_call().request_id
        _LOG.exception("request %s: unexpected error", request_id)
        return problem_response(500, "unexpected error", request_id=request_id)
    if _wants_page(request):
        return _page(render_message(title, text), status)
    return problem_response(status, text, title=title)
