"""The access check of HTTP exposers: the Host and Origin headers, and credentials."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from adapter_host.auth.credentials import Credentials
from adapter_host.hosts import address_check, host_name, is_host, is_loopback, is_origin
from adapter_host.operation.callers import CURRENT_CALL, CallSite, Principal
from adapter_host.operation.limiter import InFlightCounter
from adapter_host.plugin.access import Refusal
from adapter_host.settings import Settings

from .callers import PRINCIPAL, call_reader
from .connection.log import ConnectionLog
from .connection.progress import SendWatch
from .connection.rate_limited_log import RateLimitedLog
from .http_errors import problem_of
from .problem_json import problem_response
from .refusals import ReportRefusal
from .request_body import has_coded_body, reject_coded_body, stop_decoding
from .request_ids import request_id_of

_log = logging.getLogger("adapter_host")


def access_middleware(
    credentials: Credentials | None,
    settings: Settings,
    address: str | None,
    requests: InFlightCounter,
    *,
    site: CallSite,
    decodes_bodies: bool = False,
    public_paths: frozenset[str] = frozenset(),
    report: ReportRefusal | None = None,
) -> Middleware:
    """Return middleware that checks Host, Origin and credentials, and counts requests in flight in `requests`.

    `address` is that of the listener; None for an attached exposer, whose outer application checks Host and Origin.
    Without `decodes_bodies`, reject requests with an encoded body. Requests for one of `public_paths` (percent-encoded,
    from the origin) need no credentials. `report` is called with refused requests.
    """
    read_call = call_reader(site, settings.trusted_proxies)
    check_origin = None if address is None else _origin_check(settings, address)
    # The server of the outer application has its own limits, but aiohttp's has none for clients that do not read.
    sends = SendWatch(settings, ConnectionLog("attached")) if address is None else None

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        CURRENT_CALL.set((read_call, request_id_of, request))
        if check_origin is not None and (refusal := check_origin(request)) is not None:
            _report(report, request, refusal)
            return problem_response(refusal.status, refusal.detail)
        requests.enter()
        try:
            if credentials is not None and not (public_paths and request.rel_url.raw_path in public_paths):
                verdict = credentials.check(request)
                if not isinstance(verdict, Principal | Refusal):
                    verdict = await verdict
                if isinstance(verdict, Refusal):
                    _report(report, request, verdict)
                    return _reject_credentials(verdict)
                request[PRINCIPAL] = verdict
            if not decodes_bodies and hdrs.CONTENT_ENCODING in request.headers and has_coded_body(request):
                return reject_coded_body()
            return await (handler(request) if sends is None else sends.handle(request, handler))
        except web.HTTPException as error:
            return problem_of(error, request)
        finally:
            requests.leave()
            if sends is not None:
                stop_decoding(request)

    return middleware


def _report(report: ReportRefusal | None, request: web.Request, refusal: Refusal) -> None:
    if report is not None:
        report(request, refusal)


def _origin_check(settings: Settings, address: str) -> Callable[[web.Request], Refusal | None]:
    loopback = is_loopback(address)
    host_of = _host_reader(settings.trusted_proxies)
    malformed = RateLimitedLog(_log)

    # Clients send the same few hosts; the limit bounds the memory for invented ones.
    @lru_cache(maxsize=256)
    def is_known(host: str) -> bool:
        name = host_name(host)
        if not is_host(host):
            return False
        return name in settings.allowed_hosts or (is_loopback(name) if loopback else not settings.allowed_hosts)

    def check(request: web.Request) -> Refusal | None:
        host = host_of(request)
        if not is_known(host):
            # RFC 9112, section 3.2: an invalid Host is a bad request.
            if not is_host(host):
                return _reject_malformed(400, "Host", malformed)
            return _reject(421, "Host", host, "--allowed-host", host_name(host))
        if "Origin" not in request.headers:
            return None
        origin, *others = request.headers.getall("Origin")
        if others or not is_origin(origin):
            return _reject_malformed(403, "Origin", malformed)
        if not _is_origin_allowed(origin, host, loopback, settings):
            return _reject(403, "Origin", origin, "--allowed-origin", origin)
        return None

    return check


def _host_reader(trusted_proxies: Sequence[str]) -> Callable[[web.Request], str]:
    """Return a function that returns the host of a request; only trusted proxies may override the Host header."""
    is_proxy = address_check(trusted_proxies)

    def read(request: web.Request) -> str:
        forwarded = request.headers.getall("X-Forwarded-Host", ()) if trusted_proxies else ()
        if forwarded and request.remote and is_proxy(request.remote):
            # The proxy appends its own to those of the client, in the same line or in a further one.
            host = forwarded[-1].rpartition(",")[2].strip()
            return host or request.headers.get("Host", "")
        return request.headers.get("Host", "")

    return read


def _is_origin_allowed(origin: str, host: str, loopback: bool, settings: Settings) -> bool:
    if origin in settings.allowed_origins:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if loopback and parts.scheme in ("http", "https") and is_loopback(parts.hostname or ""):
        return True
    return parts.netloc == host and is_host_allowed(host, settings)


def is_host_allowed(host: str, settings: Settings) -> bool:
    """Return True if the settings allow a Host header."""
    return not settings.allowed_hosts or host_name(host) in settings.allowed_hosts


def _reject(status: int, header: str, received: str, option: str, value: str) -> Refusal:
    _log.warning("rejected a request with %s '%s'; allow it with %s '%s'", header, received[:100], option, value[:100])
    return Refusal(status, f"{header} header is not allowed", code=f"{header.lower()}-not-allowed")


def _reject_malformed(status: int, header: str, log: RateLimitedLog) -> Refusal:
    # A malformed header may contain anything, also credentials, so it is not logged.
    log.warning("rejected a request with a malformed %s header", header)
    return Refusal(status, f"{header} header is malformed", code=f"malformed-{header.lower()}")


def _reject_credentials(refusal: Refusal) -> web.Response:
    response = problem_response(refusal.status, refusal.detail)
    # One header line each: some clients ignore a second challenge in the same line.
    for challenge in refusal.challenges:
        response.headers.add("WWW-Authenticate", challenge)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, ceil(refusal.retry_after)))
    return response
