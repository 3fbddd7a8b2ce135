"""Base class of consumers: adapters that call an API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from typing import ClassVar, Generic, Protocol, TypeVar

from adapter_host.capability.spec import ConsumerConfig
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments, ConsumedOperation, Result

from .context import BuildContext

ConsumerConfigT = TypeVar("ConsumerConfigT", bound=ConsumerConfig)


class PassThroughOperation(ConsumedOperation):
    """Passes requests on to a consumed API as they come: what `Consumer.forwarding` gives.

    Its arguments are a request: `method`, `path` (percent-encoded, below the API's base: empty or from its `/`),
    `query` (percent-encoded, without `?`), `headers` (a multidict, or a plain mapping) and `body` (an asynchronous
    iterator of bytes, bytes, text, or plain data to send as JSON). `headers` has what the document trusts,
    `Content-Type`, `Content-Encoding` and `Content-Language`, and `Content-Length` where the body's is known; none of
    the connection's (RFC 9110, 7.6.1). The path is whatever a caller sent: `call` raises `ArgumentError` for one that
    would lead out of the base.

    The result has the API's status, whatever it is, all its headers, and its body as it came, encoded or not.

    `own_headers` (in lower case) and `own_query` are the names that it sets itself; callers' are not among the
    arguments.
    """

    name = "forward"
    own_headers: frozenset[str] = frozenset()
    own_query: frozenset[str] = frozenset()
    inputs = (
        Input("method", "string", required=True, description="The request's method"),
        Input("path", "string", description="Its path below the base, percent-encoded"),
        Input("query", "string", description="Its query, percent-encoded"),
        Input("headers", description="Its headers"),
        Input("body", description="Its body", in_="body", whole=True),
    )


class ConsumedCall(Protocol):
    """The call of a consumed operation; what `consumer_wrapper` wraps."""

    def __call__(self, arguments: Arguments, *, stream: bool = False) -> Awaitable[Result]: ...


class Consumer(ABC, Generic[ConsumerConfigT]):
    """Calls a consumed API.

    `__init__` touches neither network nor event loop, and only files that the document names.
    """

    config_class: ClassVar[type[ConsumerConfig]] = ConsumerConfig

    def __init__(self, config: ConsumerConfigT, context: BuildContext) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    def operations(self) -> Sequence[ConsumedOperation]:
        """Everything that can be called; asked once, at build."""

    def forwarding(self) -> PassThroughOperation | None:
        """What passes requests on as they come, or None if it cannot; asked at build, where a document forwards."""
        return None

    async def start(self) -> None:
        """Open what calls need. With `context.settings.mock`, start the stand-in and call that instead."""

    async def stop(self) -> None:
        """Close what `start` opened; may run in another task."""
