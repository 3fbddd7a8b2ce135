"""Base classes of exposers: adapters that serve operations over a protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from adapter_host.capability.model import Model
from adapter_host.capability.spec import ExposerConfig, HttpExposerConfig
from adapter_host.errors import PluginError, StartError
from adapter_host.operation.operation import Arguments, Operation, Operations
from adapter_host.operation.origin import Origin

from .client_request import ClientRequest
from .context import BuildContext
from .inclusion import Selection, call_at
from .listening import ListeningSocket

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler


ExposerConfigT = TypeVar("ExposerConfigT", bound=ExposerConfig)


HttpExposerConfigT = TypeVar("HttpExposerConfigT", bound=HttpExposerConfig)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One entry of an exposer's catalog: `title` in the words of the protocol (`POST /orders`, the name of a tool).

    `operation` is None for an entry that is not called; `details` are further fields, as plain data. With
    `listed: false` among them, clients do not list the entry, and find it by a search.
    """

    title: str
    operation: Operation | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Exposer(ABC, Generic[ExposerConfigT]):
    """Serves operations over a protocol.

    `__init__` must not use the network or the event loop, and only files that the document names.
    """

    config_class: ClassVar[type[ExposerConfig]] = ExposerConfig
    streams: ClassVar[bool] = False
    """Whether it supports `Result.stream` for large bodies that are passed through."""
    checks_callers: ClassVar[bool] = False
    """Whether it checks a declared `authentication` itself; the host does this for an `HttpExposer`."""
    exclusive: ClassVar[bool] = False
    """Whether two of it cannot run at once, for example because it locks a device.

    A reload then stops the old one, after its calls, before it starts the new one.
    """

    includes: ClassVar[tuple[str, ...]] = ()
    """The types of exposers that it can include (`include`), the one that it prefers first."""

    def __init__(self, config: ExposerConfigT, operations: Operations, context: BuildContext) -> None:
        self.config = config
        self.operations = operations
        self.context = context

    def catalog(self) -> Iterable[CatalogEntry]:
        """Return what clients see, for `inspect`; by default each operation by its name."""
        return [CatalogEntry(operation.name, operation) for operation in self.operations.values()]

    def search(self, query: str, group: str | None = None) -> Iterable[CatalogEntry] | None:
        """Return what a client finds by words, the best first, for `inspect --search`; None without a search.

        Raise `ArgumentError` for an unknown group.
        """
        return None

    def include(self, included: Sequence[Included]) -> None:
        """Serve the entries of other exposers of the types in `includes`; called once, at build, if there are any.

        Report a name that two of them have as a problem, with both places.
        """
        raise PluginError(f"type '{self.config.type}' cannot include other exposers")

    def usage(self, url: str) -> str | None:
        """Return an example of its use at `url` (a curl command, the configuration of a client), or None.

        For a socket of `BuildContext.listen`, the scheme is the declared one, with TLS as `listen` says, or `unix` with
        the path: `unix:///run/shop.sock`.
        """
        return None

    def client_request(self, operation: Operation, arguments: Arguments, url: str) -> ClientRequest | None:
        """Return the request by which a client calls an operation at `url`; None for a protocol without one.

        With it, the console shows and sends calls.
        `arguments` may be incomplete or invalid: their check is that of the call.
        """
        return None

    def exports(self) -> Mapping[str, Callable[[], str]]:
        """Return the documents for clients that `adapter-host export FORMAT` writes: functions of the text by format.

        The command itself exports `openapi`, by `HttpExposer.openapi`.
        """
        return {}

    @property
    def url(self) -> str | None:
        """The URL, once started; by default that of its socket (`BuildContext.listen`).

        The host sets it for an `HttpExposer`.
        """
        return next((ListeningSocket[Any](socket).url for socket in self.context.sockets), None)

    @property
    def failure(self) -> str | None:
        """Why it stopped serving after its start; None while it serves. By default, why its socket is closed.

        Health checks read it, so it must not block.
        """
        return next((ListeningSocket[Any](socket).failure for socket in self.context.sockets), None)

    @property
    def stdio(self) -> bool:
        """Whether the document declares stdio: one client over standard input and output, without a listener."""
        return False

    async def serve_stdio(self) -> None:
        """Serve one client over standard input and output until it disconnects; override it if supported."""
        raise StartError(f"type '{self.config.type}' does not support stdio")

    async def start(self) -> None:
        """Start to serve the socket that `BuildContext.listen` declared (not for an `HttpExposer`)."""

    def notify_reload(self) -> None:
        """Notify connected clients of a reload; `drain` and `stop` follow."""

    async def drain(self) -> None:
        """Reject new requests; calls in flight continue. For sockets of the host, it does so itself.

        A server with connections of its own may wait here until they have ended, at most for the drain timeout.
        """

    async def stop(self) -> None:
        """Close open connections, except those of the host's sockets; may run in another task than `start`."""


@dataclass(frozen=True, slots=True, eq=False)
class Included:
    """Another exposer, of which the `selection` is served under its names after `prefix`."""

    exposer: Exposer[Any]
    prefix: str = ""
    selection: Selection = field(default_factory=Selection)

    def operation(
        self, operation: Operation, name: str, *, spec: Model | None = None, path: str | None = None
    ) -> Operation:
        """Return an operation of the exposer under another name; `path` is its path template for the access log.

        Its checks and limits, and the exposer in `current_call` and in the access log, are those of the exposer that
        declares it. Its `origin` is there; `spec` declares it if that is not the `spec` of the operation.
        """
        context = self.exposer.context
        origin = operation.origin or Origin(context.site, context.loaded, spec or operation.spec, operation.name)
        call = call_at(origin.site, operation.call, path)
        # A spec of its own, as an exposer can have one operation under several names.
        return replace(operation, name=name, call=call, spec=operation.spec.model_copy(), origin=origin)


class HttpExposer(Exposer[HttpExposerConfigT]):
    """An exposer as an aiohttp application; the host listens, so exposers can share a port or be embedded."""

    config_class: ClassVar[type[ExposerConfig]] = HttpExposerConfig
    endpoint: str = ""
    """The path of its only endpoint below its root (`/mcp`), or an empty string; the exposer's URL ends with it.

    Register the routes at `self.endpoint`: the host may set another one between `__init__` and `build_app`.
    """
    monitors_host: ClassVar[bool] = False
    """Whether it monitors the host: its port accepts connections until the host stops."""

    decodes_bodies: ClassVar[bool] = False
    """Whether it reads bodies by `read_body`, which decodes them, or passes them on with their `Content-Encoding`.

    The host rejects encoded bodies otherwise (415).
    """

    public_paths: frozenset[str] = frozenset()
    """The paths below its root that are served without credentials, percent-encoded as in requests.

    Of those in `origin_routes` too. Override it in a class, or set it in `__init__`.
    """

    public_url: str | None = None
    """The URL for clients, without a final slash, set before `build_app`; None without a listener of the host.

    It is that of `--public-url` behind a reverse proxy, else that of the listener.
    """

    @property
    def declared_public_url(self) -> str | None:
        """The URL for clients if it is that of `--public-url`, else None."""
        is_declared = not {"", self.config.namespace}.isdisjoint(self.context.settings.public_urls)
        return self.public_url if is_declared else None

    @abstractmethod
    def build_app(self) -> web.Application:
        """Return the application, with paths from the root; called once per start, before a socket is open."""

    def direct_handler(self, request: web.Request) -> Handler | None:
        """Return a handler that bypasses the application, its router and its middlewares; None without one.

        Called when the host itself listens and no plugin has middlewares. The handler receives a request without `app`
        and `match_info`. Its path begins with the prefix of the exposer, if others share the port. A subclass that
        overrides only `build_app` has no direct handler.
        """
        return None

    def path_template(self, request: web.Request) -> str | None:
        """Return the path template below its root of the operation that a request is for; None for no known one.

        Called for the records of refused requests, where `direct_handler` or one route for all paths hides the routes.
        It must not raise.
        """
        return None

    def origin_routes(self) -> Mapping[str, Handler]:
        """Return the handlers of GET requests for paths at the origin, below `/.well-known/`, whatever its own root is.

        Called at build for the paths, and at each start for the handlers; the host checks credentials, except for
        `public_paths`. The `request.app` of a handler is not that of `build_app`.
        """
        return {}

    def openapi(self, url: str) -> Mapping[str, Any] | None:
        """Return the OpenAPI 3.1 document of the exposer at `url`; None for protocols that OpenAPI cannot describe."""
        return None
