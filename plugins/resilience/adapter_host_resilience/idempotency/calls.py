"""Calls with an idempotency key of the caller: carried out once; repeats receive the stored response."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

from adapter_host import (
    ApprovalError,
    ArgumentError,
    Arguments,
    BuildContext,
    Call,
    NotFoundError,
    Operation,
    RefusedError,
    Result,
    StoreUnavailableError,
    UnavailableError,
    UpstreamError,
    UpstreamStatusError,
    close_stream,
    current_call,
)
from adapter_host_resilience.config import IdempotencyPolicy

from .errors import in_progress, not_kept, outcome_unknown, reused
from .fingerprint import fingerprint
from .records import Record, Records, kept_error, kept_result, replay
from .request_keys import CALL_KEYS, CallKeys

HEADER: Final = "Idempotency-Key"
_PLACES: Final = f"in the header '{HEADER}', or in MCP and A2A as 'adapter-host/idempotencyKey' in the metadata"

LEASE_TIME: Final = 10.0
"""The seconds after which a call of a dead replica is no longer in progress."""

MAX_ABANDONED: Final = 100
"""The calls of one operation that go on although their callers have hung up; further ones are cancelled."""

_LOG: Final = logging.getLogger("adapter_host.resilience")

# An item of a structured field (RFC 9651) is a text in quotes; many clients send it without them.
_KEY: Final = re.compile(r'"([ !#-\[\]-~]{1,255})"|([!#-+\--\[\]-~]{1,255})')
_NOT_CARRIED_OUT: Final = (ArgumentError, NotFoundError, RefusedError, UnavailableError)
_STATUSES_TO_REPEAT: Final = frozenset({408, 409, 425, 429})


def parse_key(text: str | None, *, required: bool) -> str | None:
    """Return the key that a caller has sent, None without one; raise `ArgumentError`."""
    if text is None:
        if required:
            raise ArgumentError(HEADER, f"an idempotency key is missing; send a new UUID for each new call, {_PLACES}")
        return None
    match = _KEY.fullmatch(text.strip())
    if match is None:
        message = f"the idempotency key is not one of 1 to 255 printable ASCII characters; send it {_PLACES}"
        raise ArgumentError(HEADER, message)
    return match[1] or match[2]


class IdempotentOperation:
    """An exposed operation whose calls with a key are carried out once. `repeatable`: its APIs recognize repeats."""

    def __init__(
        self, policy: IdempotencyPolicy, operation: Operation, context: BuildContext, *, repeatable: bool
    ) -> None:
        self._required = policy.required
        self._repeatable = repeatable
        self._has_one_request = len(operation.upstream) <= 1
        self._site = (context.loaded.capability.label, context.namespace, operation.name)
        self._store = context.state.namespaced("idempotency")
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._records = Records(self._store, context.sealer("idempotency"), policy.keep_for)

    def wrap(self, call: Call) -> Call:
        """Wrap the call; one without a key is made as it is."""

        async def once(arguments: Arguments) -> Result:
            context = current_call()
            key = parse_key(context.idempotency_key, required=self._required)
            if key is None:
                return await call(arguments)
            caller = context.principal.identity if context.principal else ""
            return await self._once(fingerprint([*self._site, caller, key]), call, arguments)

        return once

    async def _once(self, place: str, call: Call, arguments: Arguments) -> Result:
        digest = fingerprint(arguments)
        _, record = await self._records.read(place)
        if record is not None and (record.ended or record.arguments != digest):
            return _repeated(record, digest)
        return await self._finish(self._lead(place, digest, call, arguments))

    async def _finish(self, call: Coroutine[Any, Any, Result]) -> Result:
        """Make a call that goes on if its caller hangs up, who will repeat it: the outcome should be known then."""
        task = asyncio.create_task(call)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if len(self._abandoned) >= MAX_ABANDONED:
                task.cancel()
            self._abandoned.add(task)
            task.add_done_callback(self._end_abandoned)
            raise

    def _end_abandoned(self, task: asyncio.Task[Any]) -> None:
        self._abandoned.discard(task)
        if task.cancelled() or task.exception() is not None:
            return
        result = task.result()
        if isinstance(result, Result) and result.stream is not None:
            closing = asyncio.create_task(close_stream(result.stream))
            self._abandoned.add(closing)
            closing.add_done_callback(self._end_abandoned)

    async def _lead(self, place: str, digest: str, call: Call, arguments: Arguments) -> Result:
        """Make the call, unless another one with the key has been made or is in progress."""
        async with self._store.hold_lease(place, LEASE_TIME) as held:
            if not held:
                raise in_progress()
            value, record = await self._records.read(place)
            if record is not None and (record.ended or record.arguments != digest):
                return _repeated(record, digest)
            # Its replica died, lost the store, or did not get a response.
            if value is not None and (record is None or not self._repeatable):
                raise outcome_unknown()
            started = await self._records.write(place, value, Record(digest))
            if started is None:
                raise in_progress()
            return await self._carry_out(place, started, digest, lambda: call(arguments))

    async def _carry_out(
        self, place: str, started: bytes, digest: str, call: Callable[[], Awaitable[Result]]
    ) -> Result:
        token = CALL_KEYS.set(CallKeys(place))
        try:
            result = await call()
        except UpstreamStatusError as error:
            await self._keep(place, started, digest, error.upstream_status, kept_error(error))
            raise
        except UpstreamError as error:
            if error.sent is False:
                await self._forget(place, started)
            raise
        except ApprovalError:
            # Nothing was sent, whatever the number of requests.
            await self._end(place, started, None)
            raise
        except _NOT_CARRIED_OUT:
            await self._forget(place, started)
            raise
        finally:
            CALL_KEYS.reset(token)
        await self._keep(place, started, digest, result.status, kept_result(result))
        return result

    async def _keep(self, place: str, started: bytes, digest: str, status: int, response: Mapping[str, Any]) -> None:
        """Keep a response; after one of the statuses from 500, nobody knows what the API has done."""
        if status in _STATUSES_TO_REPEAT:
            await self._forget(place, started)
        elif status < 500:
            await self._end(place, started, Record(digest, ended=True, response=response))

    async def _forget(self, place: str, started: bytes) -> None:
        """Let the caller repeat a call that was not carried out; one of several requests may have been."""
        if self._has_one_request:
            await self._end(place, started, None)

    async def _end(self, place: str, started: bytes, record: Record | None) -> None:
        try:
            await self._records.write(place, started, record)
        except StoreUnavailableError:
            _LOG.warning("'%s': the response to an idempotent call was not kept; repeats fail", self._site[-1])


def _repeated(record: Record, digest: str) -> Result:
    """Return the response in a record that has ended; raise the error of a call that must not be repeated."""
    if record.arguments != digest:
        raise reused()
    if not record.response.get("type"):
        raise not_kept()
    return replay(record.response)
