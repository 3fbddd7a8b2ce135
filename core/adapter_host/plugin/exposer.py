"""What a plugin author subclasses: consumers and exposers, and what the host hands them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from adapter_host.capability.spec import ExposerConfig, HttpExposerConfig
from adapter_host.errors import StartError
from adapter_host.operation.operation import Operation, Operations

from .context import BuildContext

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler


ExposerConfigT = TypeVar("ExposerConfigT", bound=ExposerConfig)


HttpExposerConfigT = TypeVar("HttpExposerConfigT", bound=HttpExposerConfig)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
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

    def __init__(self, config: ExposerConfigT, operations: Operations, context: BuildContext) -> None:
        self.config = config
        self.operations = operations
        self.context = context

    def catalog(self) -> Iterable[CatalogEntry]:
        """What callers see, for `inspect`; by default each operation by its name."""
        return [CatalogEntry(operation.name, operation) for operation in self.operations.values()]

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

    def notify_reload(self) -> None:
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
    monitors_host: ClassVar[bool] = False
    """Whether it is for those who watch the host, so that its port takes connections until the host stops."""

    @abstractmethod
    def build_app(self) -> web.Application:
        """Its application, paths from the root; called once per start. No socket is open yet."""

    def direct_handler(self, request: web.Request) -> Handler | None:
        """A shortcut to what answers a request, past the application with its router and middlewares; None for none.

        Asked where the host itself listens and no plugin has middlewares. The handler gets a request without `app` and
        `match_info`. A subclass that overrides `build_app` alone has no shortcut.
        """
        return None

    def openapi(self, url: str) -> Mapping[str, Any] | None:
        """The OpenAPI 3.1 document of what it serves at `url`; None for what OpenAPI does not describe."""
        return None
