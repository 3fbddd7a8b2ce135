"""What a plugin author subclasses: consumers and exposers, and what the host hands them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from .capability import ConsumerConfig, ExposerConfig, HttpExposerConfig, OutputSpec
from .errors import StartError
from .inputs import Input
from .model import Model
from .operation import Arguments, Operation, Operations, Result
from .provision import Provision

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

ConsumerConfigT = TypeVar("ConsumerConfigT", bound=ConsumerConfig)
ExposerConfigT = TypeVar("ExposerConfigT", bound=ExposerConfig)
HttpExposerConfigT = TypeVar("HttpExposerConfigT", bound=HttpExposerConfig)


class ConsumedOperation(ABC):
    """One operation of a consumed API. The host matches `call` references with it at build and calls it per request.

    `resource` and `path` are what references and inference may go by; leave them None where there is no such thing.
    `outputs` are what it says of its own answers: the steps that call it get them.
    `spec` is the part of the consumer's config that declares it, for plugins that read keys of their own there.
    `media_type` is what its answers are declared to be, whatever the API says. With `binary` they are bytes, of which
    nothing is mapped; then it gives a `Result.stream` for a large one when asked to, and `max_size` is the most bytes
    that one may have.
    """

    namespace: str
    name: str
    resource: str | None = None
    path: str | None = None
    method: str | None = None
    description: str | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    spec: Model | None = None
    media_type: str | None = None
    binary: bool = False
    max_size: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What a `call` names it by, the fullest last."""
        short = f"{self.namespace}.{self.name}"
        return (short,) if self.resource is None else (short, f"{self.namespace}.{self.resource}.{self.name}")

    @abstractmethod
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        """Call the API; raises `UpstreamError`. With `stream`, a large body may come as `Result.stream`."""

    def describe(self) -> Mapping[str, Any]:
        """The request it makes, for people: plain data, secrets by name only."""
        return {}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """The very request that `arguments` make, for people: plain data, secrets masked."""
        return {"arguments": dict(arguments)}


class Forwarding(ConsumedOperation):
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
        Input("body", description="Its body", place="body", whole=True),
    )


class ConsumedCall(Protocol):
    """The call of a consumed operation; what `consumer_wrapper` wraps."""

    def __call__(self, arguments: Arguments, *, stream: bool = False) -> Awaitable[Result]: ...


class Consumer(ABC, Generic[ConsumerConfigT]):
    """Calls a consumed API.

    `__init__` touches neither network nor event loop, and only files that the document names.
    """

    config_class: ClassVar[type[ConsumerConfig]] = ConsumerConfig

    def __init__(self, config: ConsumerConfigT, provision: Provision) -> None:
        self.config = config
        self.provision = provision

    @abstractmethod
    def operations(self) -> Sequence[ConsumedOperation]:
        """Everything that can be called; asked once, at build."""

    def forwarding(self) -> Forwarding | None:
        """What passes requests on as they come, or None if it cannot; asked at build, where a document forwards."""
        return None

    async def start(self) -> None:
        """Open what calls need. With `provision.settings.mock`, start the stand-in and call that instead."""

    async def stop(self) -> None:
        """Close what `start` opened; may run in another task."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that callers see: `title` as the protocol says it (`POST /orders`, a tool's name).

    `operation` is None for what is not called; `details` are what else is to be shown, as plain data.
    """

    title: str
    operation: Operation | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Exposer(ABC, Generic[ExposerConfigT]):
    """Serves operations over a protocol.

    `__init__` touches neither network nor event loop, and only files that the document names.
    """

    config_class: ClassVar[type[ExposerConfig]] = ExposerConfig
    streams: ClassVar[bool] = False
    """Whether it takes a `Result.stream` for large bodies that are passed through."""
    checks_callers: ClassVar[bool] = False
    """Whether it checks a declared `authentication` itself; the host does so for an `HttpExposer`."""

    def __init__(self, config: ExposerConfigT, operations: Operations, provision: Provision) -> None:
        self.config = config
        self.operations = operations
        self.provision = provision

    def offers(self) -> Iterable[Offer]:
        """What callers see, for `inspect`; by default each operation by its name."""
        return [Offer(operation.name, operation) for operation in self.operations.values()]

    def usage(self, url: str) -> str | None:
        """What to paste to try it at `url` (a curl line, a client's configuration), or None."""
        return None

    @property
    def url(self) -> str | None:
        """Where it serves, once started; the host knows it for an `HttpExposer`."""
        return None

    @property
    def failure(self) -> str | None:
        """Why it does not serve although it was started (what it listened on is gone); None while it does.

        Health checks ask, so it answers at once.
        """
        return None

    @property
    def stdio(self) -> bool:
        """Whether the document asks to serve one client over standard input and output, and not to listen."""
        return False

    async def serve_stdio(self) -> None:
        """Serve one client over standard input and output until it ends; a protocol without that form leaves it."""
        raise StartError(f"type '{self.config.type}' cannot be served over standard input and output")

    async def start(self) -> None:
        """Begin to serve (not an `HttpExposer`: the host listens for it)."""

    def changed(self) -> None:
        """Tell the clients that are connected that a reload has replaced what is offered; drained and stopped next."""

    async def drain(self) -> None:
        """Take nothing new; calls in progress go on."""

    async def stop(self) -> None:
        """End what is still open; may run in another task than `start`."""


class HttpExposer(Exposer[HttpExposerConfigT]):
    """An exposer that is an aiohttp application; the host listens, so it can share a port and be embedded."""

    config_class: ClassVar[type[ExposerConfig]] = HttpExposerConfig
    endpoint: ClassVar[str] = ""
    """The path of its one endpoint below its root (`/mcp`), or nothing."""
    watches: ClassVar[bool] = False
    """Whether it is for those who watch the host, so that its port takes connections until the host stops."""

    @abstractmethod
    def build_app(self) -> web.Application:
        """Its application, paths from the root; called once per start. No socket is open yet."""

    def handler_of(self, request: web.Request) -> Handler | None:
        """A shortcut to what answers a request, past the application with its router and middlewares; None for none.

        Asked where the host itself listens and no plugin has middlewares. The handler gets a request without `app` and
        `match_info`. A subclass that overrides `build_app` alone has no shortcut.
        """
        return None

    def openapi(self, url: str) -> Mapping[str, Any] | None:
        """The OpenAPI 3.1 document of what it serves at `url`; None for what OpenAPI does not describe."""
        return None
