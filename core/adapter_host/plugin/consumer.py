"""Base class of consumers: adapters that call an API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from adapter_host.base_uris import find_base_uri
from adapter_host.capability.spec import ConsumerConfig
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments, ConsumedOperation
from adapter_host.operation.result import Result

from .context import BuildContext

ConsumerConfigT = TypeVar("ConsumerConfigT", bound=ConsumerConfig)


class PassThroughOperation(ConsumedOperation):
    """Forwards requests to a consumed API unchanged; returned by `Consumer.forwarding`.

    Its arguments are a request: `method`, `path` (percent-encoded, below the base of the API: empty, or with its `/`),
    `query` (percent-encoded, without `?`), `headers` (a multidict, or a plain mapping) and `body` (an asynchronous
    iterator of bytes, bytes, text, or plain data to send as JSON). `headers` are those that the document trusts,
    `Content-Type`, `Content-Encoding` and `Content-Language`, and `Content-Length` if known; never hop-by-hop headers
    (RFC 9110, 7.6.1). The path is untrusted: `call` raises `ArgumentError` for a path that leaves the base.

    The result has any status of the API, all its headers, and its body unchanged, with its content encoding.

    `own_headers` (in lower case) and `own_query` are the names that the operation sets itself; the arguments do not
    have the client's.
    """

    name = "forward"
    own_headers: frozenset[str] = frozenset()
    own_query: frozenset[str] = frozenset()
    inputs = (
        Input("method", "string", required=True, description="The method of the request"),
        Input("path", "string", description="Its path below the base, percent-encoded"),
        Input("query", "string", description="Its query, percent-encoded"),
        Input("headers", description="Its headers"),
        Input("body", description="Its body", in_="body", whole=True),
    )


class ConsumedCall(Protocol):
    """The call of a consumed operation, which `consumer_wrapper` wraps."""

    def __call__(self, arguments: Arguments, *, stream: bool = False) -> Awaitable[Result]: ...


class Consumer(ABC, Generic[ConsumerConfigT]):
    """Calls a consumed API.

    `__init__` must not use the network or the event loop, and only files that the document names. A consumer that
    `discovers` reads the definitions of its API with `context.discovered()` there, and calls
    `context.report_changes(...)` in `start` with those that the API has then.
    """

    config_class: ClassVar[type[ConsumerConfig]] = ConsumerConfig
    discovers: ClassVar[bool] = False
    """Whether the API describes itself, so that `discover` returns its definitions."""

    def __init__(self, config: ConsumerConfigT, context: BuildContext) -> None:
        self.config = config
        self.context = context

    @classmethod
    def declared_address(cls, config: ConsumerConfigT, context: BuildContext) -> str | None:
        """Return the address of the API in the document, which `context.base_uri` replaces; called before `__init__`.

        It is `baseUri`, unless a subclass returns another. Return "" if the document has none, and None if this API has
        none that a URL for all APIs could replace, such as the path of a file. Leave placeholders of secrets in it.
        """
        address: str | None = getattr(config, "base_uri", None)
        return address or ""

    @classmethod
    async def discover(cls, config: ConsumerConfigT, context: BuildContext) -> Any:
        """Connect to the API and return its definitions: plain JSON, mappings by name where order does not matter.

        `adapter-host discover` writes them to a file. Call `context.raise_problems()` before you connect. Raise
        `UpstreamError`.
        """
        raise NotImplementedError(f"{cls.__name__}.discover")

    @abstractmethod
    def operations(self) -> Sequence[ConsumedOperation]:
        """Return all operations; called once, at build."""

    def forwarding(self) -> PassThroughOperation | None:
        """Return the operation that forwards requests, or None; called at build, if a document forwards to it."""
        return None

    async def start(self) -> None:
        """Open the resources of calls. With `context.settings.mock`, start a mock server and call it instead."""

    async def stop(self) -> None:
        """Close the resources that `start` opened; may run in another task."""


def consumer_context(adapter: type[Consumer[Any]], config: ConsumerConfig, context: BuildContext) -> BuildContext:
    """Return the context of a consumer with the address in its document, and the one that replaces it."""
    address = adapter.declared_address(config, context)
    base_uri = find_base_uri(context.settings.base_uris, config.namespace, address)
    return replace(context, declared_address=address, base_uri=base_uri)
