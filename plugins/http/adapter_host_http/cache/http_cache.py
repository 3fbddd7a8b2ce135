"""The cache of one consumer: uses kept responses, validates them, and keeps those that it may."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import Final

from yarl import URL

from adapter_host import StoreUnavailableError, UpstreamError, current_call, encode_json
from adapter_host_http.cache_policy import CachePolicy
from adapter_host_http.request.request import Request
from adapter_host_http.transport.base import Response, TransportError

from .cached_call import CachedCall, Place, Work
from .entry import Entry, Exchange, KeptResponse, unavailable_entry
from .revalidation import RevalidationError, Revalidations
from .status import AFTER_ERROR, MISS, NOT_CACHED, REQUESTED, STALE, VALIDATED, Status
from .storable import is_authorized, is_storable, needs_caller, vary_names
from .storage import CacheStorage, UrlRecord

_LOG: Final = logging.getLogger("adapter_host.http")

WAIT: Final = 5.0
"""The seconds for which calls wait for the response to an equal request that is in flight."""

_FAILURES: Final = frozenset({500, 502, 503, 504})
_CREDENTIALS: Final = ("authorization", "cookie")
"""The headers that belong to each key, also if plugins write them."""

_NOT_IN_KEY: Final = frozenset({"cache-control", "pragma"})

Handled = tuple[Response, Status]
"""A response for the caller, and how the cache has handled its request."""


class HttpCache:
    """The cache of one consumer; `has_credential` if it sends one, in whatever place.

    `timeout` is that of a request of its own, in seconds.
    """

    def __init__(self, namespace: str, storage: CacheStorage, timeout: float, *, has_credential: bool) -> None:
        self.storage = storage
        self._timeout = timeout
        self._revalidations = Revalidations(namespace, storage)
        self._namespace = namespace
        self._has_credential = has_credential
        self._flights: dict[str, asyncio.Future[bool]] = {}

    def call(self, policy: CachePolicy, request: Request) -> CachedCall:
        """Return a call of an operation with a policy."""
        # All of them, as an API may forget one in `Vary`.
        headers = sorted((name.lower(), value) for name, value in request.headers.items())
        own = [pair for pair in headers if pair[0] not in _NOT_IN_KEY]
        return CachedCall(self, policy, (policy.shared, request.prepared.accept_codings, own))

    async def close(self) -> None:
        """Cancel the revalidations in the background."""
        await self._revalidations.close()

    async def respond(self, work: Work) -> Handled:
        """Return the response to a request that may have one in the cache."""
        while (place := await self._find(work)) is not None:
            if (handled := self._usable(work, place)) is not None:
                return handled
            if "only-if-cached" in work.directives:
                break
            flight = self._flights.get(place.key)
            if flight is None:
                return await self._lead(work, place)
            if await _finished(flight, work.deadline):
                place = await self._find(work)
                if place is not None and (handled := self._usable(work, place)) is not None:
                    return handled
                return await self._fetch(work, place)
        if "only-if-cached" in work.directives:
            now = self.storage.clock()
            return KeptResponse(unavailable_entry(now), now, work.buffer_limit, None), NOT_CACHED
        return await self._fetch(work, None)

    async def invalidate(self, url: str, response: Response) -> None:
        """Drop the responses of a URL that a request has changed, and of those in its response (section 4.4)."""
        if response.status >= 400:
            return
        here = URL(url, encoded=True)
        named = {_same_origin(here, response.headers.get(name)) for name in ("Location", "Content-Location")}
        try:
            for changed in {url, *filter(None, named)}:
                await self._invalidate(changed)
        except BaseException:
            response.close()
            raise

    async def _invalidate(self, url: str) -> None:
        try:
            await self.storage.invalidate(url)
        except StoreUnavailableError:
            _LOG.warning("upstream '%s': the state store is away; a changed resource may be stale", self._namespace)

    async def _find(self, work: Work) -> Place | None:
        """Return the place of a response; None if it has none, as the caller is unknown or the store is away."""
        try:
            record = await self.storage.read_url(work.url)
            key = self._key(work, record)
            if key is None:
                return None
            # Without a record, nothing is kept; the key is that of equal requests in flight.
            entry = await self.storage.read_entry(key) if record.generation else None
        except StoreUnavailableError:
            return None
        return Place(record, key, entry)

    def _key(self, work: Work, record: UrlRecord) -> str | None:
        caller = None
        if record.per_caller and (caller := _caller()) is None:
            return None
        varying = [(name, work.headers.getall(name, ())) for name in (*_CREDENTIALS, *record.vary)]
        return self.storage.key(work.url, record.generation, work.method, work.call.own, varying, caller)

    def _usable(self, work: Work, place: Place) -> Handled | None:
        now, entry = self.storage.clock(), place.entry
        if entry is None:
            return None
        if entry.is_usable(work.directives, now):
            return _kept(work, entry, now, Status.used(entry.ttl_at(now)))
        if not entry.is_usable_while_revalidated(work.directives, now, work.call.policy):
            return None
        if "only-if-cached" not in work.directives:
            self._revalidations.start(place.key, partial(self._revalidate, work, entry))
        return _kept(work, entry, now, Status.used(entry.ttl_at(now)))

    async def _revalidate(self, work: Work, entry: Entry) -> None:
        """Validate or replace a response, unless it has changed since; raise the errors of sending the request."""
        work = work.until(asyncio.get_running_loop().time() + self._timeout)
        place = await self._find(work)
        if place is None or place.entry is None or place.entry.received_at != entry.received_at:
            return
        response, exchange = await self._send(work, place)
        if response.status in _FAILURES:
            response.close()
            raise RevalidationError(f"the upstream returned {response.status}")
        response, _ = await self._received(work, place, response, exchange)
        response.close()

    async def _lead(self, work: Work, place: Place) -> Handled:
        """Send a request while equal ones wait for it; if its caller leaves, another one is sent."""
        flight = self._flights[place.key] = asyncio.get_running_loop().create_future()
        finished = True
        try:
            return await self._fetch(work, place)
        except asyncio.CancelledError:
            finished = False
            raise
        finally:
            del self._flights[place.key]
            flight.set_result(finished)

    async def _fetch(self, work: Work, place: Place | None) -> Handled:
        """Send a request to the API, with the conditions of the response that is kept."""
        if place is None:
            return await work.send(work.request), MISS
        try:
            response, exchange = await self._send(work, place)
        except (TimeoutError, TransportError, UpstreamError):
            if (stale := self._stale(work, place.entry)) is None:
                raise
            return stale
        if response.status in _FAILURES and (stale := self._stale(work, place.entry)) is not None:
            response.close()
            return stale
        return await self._received(work, place, response, exchange)

    async def _send(self, work: Work, place: Place) -> tuple[Response, Exchange]:
        sent_at, entry = self.storage.clock(), place.entry
        response = await work.send(work.request if entry is None else entry.conditional(work.request))
        return response, Exchange(sent_at, self.storage.clock())

    async def _received(self, work: Work, place: Place, response: Response, exchange: Exchange) -> Handled:
        """Keep a response of the API, or update the one that is kept; return the one for the caller."""
        entry = place.entry
        if response.status == 304 and entry is not None:
            response.close()
            if not entry.is_validated_by(response):
                return await self._fetch(work, replace(place, entry=None))
            return await self._validated(work, place, entry.updated(response, exchange), response)
        try:
            await self._keep(work, place, response, exchange)
        except BaseException:
            response.close()
            raise
        return response, MISS if entry is None else REQUESTED if "no-cache" in work.directives else STALE

    def _stale(self, work: Work, entry: Entry | None) -> Handled | None:
        """Return a response for a caller of an API that fails."""
        now = self.storage.clock()
        if entry is None or "no-cache" in work.directives:
            return None
        if not entry.is_usable_after_error(now, work.call.policy):
            return None
        _LOG.warning("upstream '%s' fails; a stale response is used", self._namespace)
        return _kept(work, entry, now, AFTER_ERROR)

    async def _validated(self, work: Work, place: Place, entry: Entry, response: Response) -> Handled:
        """Keep a response that a 304 has updated, and return it."""
        if not vary_names(response.headers) <= {*place.record.vary}:
            # The response that is kept was selected without these headers.
            await self._invalidate(work.url)
        elif is_storable(entry, entry.body):
            await self._store(work, place, entry)
        else:
            await self._drop(place)
        return _kept(work, entry, self.storage.clock(), VALIDATED)

    async def _keep(self, work: Work, place: Place, response: Response, exchange: Exchange) -> None:
        """Keep a response if it may be kept, and drop the one that it replaces."""
        body = response.body
        if body is not None and is_storable(response, body):
            await self._store(work, place, Entry.of(response, body, exchange))
        elif response.status < 500:
            await self._drop(place)

    async def _store(self, work: Work, place: Place, entry: Entry) -> None:
        policy, record = work.call.policy, place.record
        authorized = is_authorized(work.headers, has_credential=self._has_credential) and not policy.shared
        per_caller = record.per_caller or needs_caller(entry.directives, authorized=authorized)
        entry = replace(entry, shared=not per_caller)
        kept_for = entry.kept_for(policy)
        if kept_for <= 0 or (per_caller and _caller() is None):
            return await self._drop(place)
        try:
            extended = await self.storage.extend_url(work.url, record, vary_names(entry.headers), per_caller=per_caller)
            key = None if extended is None or extended.per_caller != per_caller else self._key(work, extended)
            if key is not None:
                await self.storage.write_entry(key, entry, kept_for)
        except StoreUnavailableError:
            _LOG.debug("upstream '%s': the state store is away; a response is not kept", self._namespace)

    async def _drop(self, place: Place) -> None:
        if place.entry is None:
            return
        try:
            await self.storage.delete_entry(place.key)
        except StoreUnavailableError:
            _LOG.debug("upstream '%s': the state store is away; a response is not dropped", self._namespace)


async def _finished(flight: asyncio.Future[bool], deadline: float) -> bool:
    """Wait for a request in flight; return False if its caller has left, so that another one must be sent."""
    remaining = deadline - asyncio.get_running_loop().time()
    await asyncio.wait([flight], timeout=max(0.0, min(WAIT, remaining)))
    return flight.result() if flight.done() else True


def _kept(work: Work, entry: Entry, now: float, status: Status) -> Handled:
    return KeptResponse(entry, now, work.buffer_limit, status.outcome), status


def _caller() -> str | None:
    """Return a text that is equal for calls of the same caller only, None for one that is not authenticated."""
    context = current_call()
    if context.principal is None:
        return None
    # Two exposers may have different clients of the same name.
    return encode_json([context.capability, context.exposer, context.principal.identity]).decode()


def _same_origin(here: URL, location: str | None) -> str | None:
    """Return the URL of a header without its fragment, None if it is of another origin."""
    if not location:
        return None
    try:
        there = here.join(URL(location, encoded=True))
        same = there.origin() == here.origin()
    except ValueError:
        return None
    return str(there.with_fragment(None)) if same else None
