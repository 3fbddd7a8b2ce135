"""What a plugin author subclasses: consumers and exposers, and what the host hands them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import ValidationError

from .capability import ConsumerConfig, ExposerConfig, HttpExposerConfig, Model, OutputSpec, known_keys, walk
from .declaration import Declaration
from .document.source import Loc
from .document.words import listed, suggest
from .errors import StartError
from .inputs import Input
from .location import Location, parse_location
from .operation import Arguments, HeaderWriter, Operation, Operations, Result
from .settings import Settings
from .template import Template
from .wording import problems_of

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

ConsumerConfigT = TypeVar("ConsumerConfigT", bound=ConsumerConfig)
ExposerConfigT = TypeVar("ExposerConfigT", bound=ExposerConfig)
HttpExposerConfigT = TypeVar("HttpExposerConfigT", bound=HttpExposerConfig)
ModelT = TypeVar("ModelT", bound=Model)
KeptT = TypeVar("KeptT")


@dataclass(frozen=True, slots=True)
class Provision:
    """What the host gives an adapter at build: its settings, its document's names, and where to say what is wrong.

    `model` and `keys` in the methods say the place: a part of the adapter's config, and the YAML keys below it.
    `header_writers` are the plugins' own for a consumer: where its protocol has headers, it lets each of them write
    into those of every request, before it is sent.
    """

    declaration: Declaration
    settings: Settings
    namespace: str
    header_writers: tuple[HeaderWriter, ...] = ()
    kept: MutableMapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def base_uri(self) -> str | None:
        """Where the consumed API is to be called instead of where the document says (`--base-uri`)."""
        return self.settings.base_uris.get(self.namespace)

    def keep(self, name: str, make: Callable[[], KeptT]) -> KeptT:
        """What the host keeps under a plugin's `name` from one build to the next; made when there is nothing yet.

        A build may fail, and be of other documents than what is served: what it needs alone does not belong there.
        """
        if name not in self.kept:
            # Two builds may go on at once, in threads of their own: they have to get the same.
            self.kept.setdefault(name, make())
        kept: KeptT = self.kept[name]
        return kept

    def secret(self, text: str, model: Model, *keys: str | int) -> Template:
        """Compile text that only constants and secrets may fill; a caller's input in it is a problem."""
        return self.declaration.template(text, self.declaration.loc(model, *keys), inputs=None)

    def template(self, text: str, model: Model, *keys: str | int, inputs: Collection[str] = ()) -> Template:
        """Compile text that callers' inputs may fill too; `inputs` are those declared."""
        return self.declaration.template(text, self.declaration.loc(model, *keys), inputs=inputs)

    def problem(self, message: str, model: Model, *keys: str | int, code: str = "invalid") -> None:
        """Report something that keeps the capability from running."""
        self.declaration.problem(message, self.declaration.loc(model, *keys), code=code)

    def warn(self, message: str, model: Model, *keys: str | int, code: str = "tolerated") -> None:
        """Report something that is tolerated."""
        self.declaration.problem(message, self.declaration.loc(model, *keys), code=code, warning=True)

    def location(self, text: str, model: Model, *keys: str | int) -> Location | None:
        """What a `file:` URI names, beside the document with `./`; None, and a problem, for any other text."""
        loc = self.declaration.loc(model, *keys)
        try:
            path = parse_location(text, self.declaration.source.where(loc)[0])
        except ValueError as error:
            self.declaration.problem(str(error), loc, code="invalid")
            return None
        return Location(path, self.settings.answer_limit)

    def extension(self, key: str, model: Model, parsed_as: type[ModelT]) -> ModelT | None:
        """What a plugin's own key (`x-...`) of `model` says; None when absent, or with a problem reported."""
        if key not in (model.model_extra or {}):
            return None
        return self._parsed((model.model_extra or {})[key], self.declaration.loc(model, key), parsed_as)

    def part(self, parsed_as: type[ModelT], model: Model, *keys: str | int) -> ModelT | None:
        """What the document says at `keys` below `model`, in words of the plugin's own.

        None when there is nothing, or with a problem reported. It is read from the document itself, so what else knows
        that part, and how, does not matter.
        """
        loc = self.declaration.loc(model, *keys)
        value: Any = self.declaration.source.data
        for key in loc:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return None if value is None else self._parsed(value, loc, parsed_as)

    def _parsed(self, value: Any, loc: Loc, parsed_as: type[ModelT]) -> ModelT | None:
        declaration = self.declaration
        try:
            found = parsed_as.model_validate(value)
        except ValidationError as error:
            declaration.problems += problems_of(error, declaration.source, loc)
            return None
        for part, place in walk(found, loc):
            known = known_keys(type(part))
            for name in part.model_extra or ():
                hint = suggest(name, known) or f" (known: {listed(known, 'and')})"
                declaration.problem(f"unknown key '{name}'{hint}", (*place, name), code="unknown-key", key=True)
        return found


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
