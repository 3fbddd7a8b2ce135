"""Callers: who made the call in progress, and how it reached the host."""

from __future__ import annotations

import json
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Any, Final, TypedDict, Unpack

from .request_id import new_request_id


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated client: `subject` as in its credentials, if any, and the `scopes` of its token.

    `issuer` and `client` are the authorization server of a token, and the application that it was issued to.
    `token_digest` is set only for a token that names neither a subject nor a client.
    """

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    issuer: str | None = None
    client: str | None = None
    token_digest: str | None = None

    @property
    def identity(self) -> str:
        """Return a text that is equal for requests of the same client only, and holds no secret.

        It does not depend on the scopes. Clients that share one secret without a user name have the same identity.
        """
        return json.dumps((self.issuer, self.subject, self.client, self.token_digest))


@dataclass(frozen=True, slots=True)
class CallContext:
    """Who made a call, and how it reached the host; see `current_call`.

    `capability` is the label of the document. `exposer` is the namespace of the exposer and `exposer_type` its type;
    both are None for `Host.call`. `transport` is `http`, `stdio`, `host` for `Host.call`, `cli` for the command `call`,
    or the word of an exposer with its own listener. `principal` is None without authentication. `request_id` is that of
    error responses and of the log. `client_address` is the IP address of the client, behind trusted proxies too; None
    if there is none. `authentication` is the type of authentication by which the principal was recognized.
    `idempotency_key` is the text of the header `Idempotency-Key`, of its place in another protocol, or that of
    `Host.call`.
    """

    capability: str = ""
    exposer: str | None = None
    exposer_type: str | None = None
    transport: str = "host"
    principal: Principal | None = None
    request_id: str = ""
    client_address: str | None = None
    idempotency_key: str | None = None
    authentication: str | None = None


CURRENT_CALL: Final[ContextVar[tuple[Callable[[Any], CallContext], Callable[[Any], str], Any] | None]] = ContextVar(
    "adapter_host_current_call", default=None
)
"""The call in progress: functions that return its context and its request id, and the argument of both.

Most calls have no reader of their context, so it is made only for one. A call has its request id before its caller is
known.
"""


def current_call() -> CallContext:
    """Return the context of the call in progress, in the wrappers of plugins and in the handlers of an `HttpExposer`.

    Outside of a call, it has no capability and a new request id.
    """
    current = CURRENT_CALL.get()
    if current is None:
        return CallContext(request_id=new_request_id())
    describe, _, subject = current
    return describe(subject)


def current_request_id() -> str:
    """Return the request id of the call in progress; outside of a call, a new one."""
    current = CURRENT_CALL.get()
    if current is None:
        return new_request_id()
    _, identify, subject = current
    return identify(subject)


def logged_call() -> CallContext | None:
    """Return the context of the call in progress; None outside of one, and in a scope that `repeats`."""
    current = CURRENT_CALL.get()
    if current is None:
        return None
    describe, _, subject = current
    return None if isinstance(subject, CallScope | KeyedCalls) and subject.repeats else describe(subject)


class Caller(TypedDict, total=False):
    """The known facts about the caller of a call."""

    principal: Principal | None
    client_address: str | None
    request_id: str | None
    idempotency_key: str | None


class CallScope:
    """A block of code in which `current_call` describes one call, or with `repeats` each time another one."""

    __slots__ = ("_context", "_describe", "_token", "repeats")

    def __init__(self, describe: Callable[[], CallContext], *, repeats: bool = False) -> None:
        self._describe = describe
        self.repeats = repeats
        self._context: CallContext | None = None
        self._token: Token[Any] | None = None

    def __enter__(self) -> None:
        self._token = CURRENT_CALL.set((CallScope._read, CallScope._read_id, self))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            CURRENT_CALL.reset(self._token)

    def _read(self) -> CallContext:
        if self._context is None or self.repeats:
            self._context = self._describe()
        return self._context

    def _read_id(self) -> str:
        return self._read().request_id


class KeyedCalls:
    """A block of code whose calls have another idempotency key than the request in progress.

    Enter it within the scope of a call; outside of one, it has no effect.
    """

    __slots__ = ("_key", "_outer", "_token")

    def __init__(self, key: str) -> None:
        self._key = key
        self._outer: tuple[Callable[[Any], CallContext], Callable[[Any], str], Any] | None = None
        self._token: Token[Any] | None = None

    def __enter__(self) -> None:
        self._outer = CURRENT_CALL.get()
        if self._outer is not None:
            self._token = CURRENT_CALL.set((KeyedCalls._read, KeyedCalls._read_id, self))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            CURRENT_CALL.reset(self._token)

    @property
    def repeats(self) -> bool:
        """Whether the request in progress is another one each time."""
        subject = None if self._outer is None else self._outer[2]
        return isinstance(subject, CallScope | KeyedCalls) and subject.repeats

    def _read(self) -> CallContext:
        assert self._outer is not None
        describe, _, subject = self._outer
        return replace(describe(subject), idempotency_key=self._key)

    def _read_id(self) -> str:
        assert self._outer is not None
        _, identify, subject = self._outer
        return identify(subject)


@dataclass(frozen=True, slots=True)
class CallSite:
    """What all calls through one exposer share: the names, and the type of its `authentication`, if it has any.

    `paths` are the path templates of its operations, by the ids of their specs. `new_scope` returns a scope
    that is written to the access log.
    """

    capability: str = ""
    exposer: str | None = None
    exposer_type: str | None = None
    authentication: str | None = None
    paths: MutableMapping[int, str] = field(default_factory=dict, repr=False, compare=False)
    new_scope: Callable[[CallSite, Callable[[], CallContext]], CallScope] | None = field(
        default=None, repr=False, compare=False
    )

    def describe(self, transport: str, **caller: Unpack[Caller]) -> CallContext:
        """Return the context of a call; without `request_id`, with a new one."""
        principal = caller.get("principal")
        return CallContext(
            capability=self.capability,
            exposer=self.exposer,
            exposer_type=self.exposer_type,
            transport=transport,
            principal=principal,
            authentication=None if principal is None else self.authentication,
            request_id=caller.get("request_id") or new_request_id(),
            client_address=caller.get("client_address"),
            idempotency_key=caller.get("idempotency_key"),
        )

    def call(self, transport: str = "", *, whole_request: bool = False, **caller: Unpack[Caller]) -> CallScope:
        """Return a scope for one call; see `BuildContext.call`."""
        describe = partial(self.describe, transport or self.exposer_type or "host", **caller)
        return self.new_scope(self, describe) if whole_request and self.new_scope is not None else CallScope(describe)

    def calls(self, transport: str = "") -> CallScope:
        """Return a scope for calls that open none themselves."""
        return CallScope(partial(self.describe, transport or self.exposer_type or "host"), repeats=True)
