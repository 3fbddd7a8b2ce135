"""The context of an adapter at build."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, Unpack

from pydantic import ValidationError

from adapter_host.capability.diagnostics import Section
from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model, known_keys, walk
from adapter_host.capability.spec import ConsumerConfig
from adapter_host.capability.validation_errors import validation_problems
from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.document.source import Loc
from adapter_host.errors import ProblemsError
from adapter_host.expressions.template import Template
from adapter_host.operation.callers import Caller, CallScope, CallSite, current_call
from adapter_host.operation.operation import HeaderWriter, Operation
from adapter_host.settings import Settings
from adapter_host.state.memory import MemoryStateStore
from adapter_host.state.sealing import Sealer, SealingKeys
from adapter_host.state.store import StateStore

from .access import AccessCheck, ObserveRefusal, Refusal, RefusedRequest
from .files import Location, parse_location
from .listening import ListeningExposerT, ListeningSocket, SocketDeclaration
from .plugin_settings import plugin_settings
from .services import SERVICES, AdapterState, Services, ServiceT
from .snapshots import Snapshot, SnapshotError, digest_of, snapshot_path, summarize_changes

ModelT = TypeVar("ModelT", bound=Model)
StateT = TypeVar("StateT")

NOT_DISCOVERED: Final = "not-discovered"
"""The code of the problem that a consumer has no snapshot of its API."""

STATE: Final = "adapter_host.state"
SEALING_KEYS: Final = "adapter_host.sealing_keys"
"""The name of the state store in `BuildContext.shared`."""

_MOST_CHANGES: Final = 10
_log = logging.getLogger("adapter_host")

_SINGLE_BRACES: Final = re.compile(r"(?<!\{)\{\s*([^{}\s]+)\s*\}(?!\})")


@dataclass(frozen=True, slots=True)
class BuildContext:
    """The context of an adapter at build: settings, the names in its document, and methods to report problems.

    `model` and `keys` in the methods are a position: a section of the adapter's config, and the YAML keys below it.
    `header_writers` are those of plugins for a consumer: if its protocol has headers, it calls each of them with the
    headers of every request, before it is sent. `access` checks the clients of an exposer, None if its document
    declares no `authentication`; the host itself checks those of an `HttpExposer`. `site` has the names of an exposer.
    `states` are those of the adapter that plugins show to people.
    `declared_address` is that of a consumed API in the document, and `base_uri` the one that replaces it
    (`--base-uri`).
    `describes_requests` is true if a plugin reads `REQUEST_DESCRIPTION` in the calls of an exposer. `report_refusal`
    calls `observe_refusal`.
    """

    loaded: LoadedCapability
    settings: Settings
    namespace: str
    header_writers: tuple[HeaderWriter, ...] = ()
    shared: MutableMapping[str, Any] = field(default_factory=dict, repr=False)
    access: AccessCheck | None = None
    site: CallSite = field(default_factory=CallSite, repr=False)
    sockets: list[SocketDeclaration] = field(default_factory=list, repr=False)
    describes_requests: bool = False
    declared_address: str | None = None
    base_uri: str | None = None
    states: list[AdapterState] = field(default_factory=list, repr=False, compare=False)
    observe_refusal: ObserveRefusal | None = field(default=None, repr=False)
    _snapshots: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def shared_state(self, name: str, make: Callable[[], StateT]) -> StateT:
        """Return the state under a plugin's `name` that outlives reloads, created by `make` on first use.

        A build may fail, or be of other documents than those served: do not store state of one build here.
        """
        if name not in self.shared:
            # Concurrent builds in other threads must get the same state.
            self.shared.setdefault(name, make())
        shared: StateT = self.shared[name]
        return shared

    @property
    def state(self) -> StateStore:
        """The state that replicas of this deployment share (`--state`); it outlives reloads.

        Call `namespaced` with the name of the plugin. It is used by calls, not at build: there is no event loop yet.
        """
        return self.shared_state(STATE, MemoryStateStore).namespaced(self.settings.state_prefix)

    def sealer(self, purpose: str) -> Sealer | None:
        """Return the sealer of secrets for a plugin's `purpose` in the state store.

        None if the deployment has no key (`ADAPTER_HOST_STATE_KEY`): do not share secrets then.
        """
        keys: SealingKeys | None = self.shared.get(SEALING_KEYS)
        return None if keys is None else keys.sealer(purpose)

    def services(self, kind: type[ServiceT]) -> tuple[ServiceT, ...]:
        """Return the services of a class that the plugins of the host offer; it is for calls, not for builds."""
        services: Services | None = self.shared.get(SERVICES)
        return () if services is None else services.find(kind)

    def listen(
        self, exposer: ListeningExposerT, *, scheme: str = "tcp", protocols: Sequence[str] = ()
    ) -> ListeningSocket[ListeningExposerT]:
        """Declare the socket of an exposer that is no `HttpExposer`; call it once with `self`, in its `__init__`.

        The host opens the socket before the exposer starts: at the address and port of the settings (`--address`,
        `--port`), or else of the exposer's `config`, a `ListeningConfig`. `scheme` is that of its URL; with TLS
        (`--tls-cert`) it is `{scheme}s`, or `tls` for `tcp`. `protocols` are those for ALPN, such as `h2`.
        """
        if self.sockets:
            raise RuntimeError("the exposer has a socket already; call 'listen' once")
        declaration = SocketDeclaration(exposer.config, scheme, self.settings.body_limit, tuple(protocols))
        self.sockets.append(declaration)
        return ListeningSocket(declaration)

    def discovered(self) -> Any:
        """Return the definitions of the consumed API that `Consumer.discover` returned: plain JSON.

        They are read from the file that `adapter-host discover` writes beside the document. Without a valid one,
        report a problem and return None.
        """
        if self.namespace in self.settings.discovered:
            self._snapshots[:] = [self.settings.discovered[self.namespace]]
            return self._snapshots[0]
        config = self._consumer_config()
        file = self.loaded.source.file
        path = snapshot_path(file, self.namespace)
        self.loaded.add_file(str(path))
        try:
            snapshot = Snapshot.read(path)
            if snapshot.type != config.type:
                raise SnapshotError(f"'{path.name}' is of type '{snapshot.type}'")
        except SnapshotError as error:
            message = f"the definitions of '{self.namespace}' are unknown: {error}; {self._discover_command()}"
            self.problem(message, config, "type", code=NOT_DISCOVERED)
            return None
        self._snapshots[:] = [snapshot.definitions]
        return snapshot.definitions

    def report_changes(self, definitions: Any) -> None:
        """Warn if the API now has other definitions than those of `discovered`; once for the same definitions."""
        definitions = json.loads(json.dumps(definitions))
        if not self._snapshots or digest_of(definitions) == digest_of(self._snapshots[0]):
            return
        changes = summarize_changes(self._snapshots[0], definitions, _MOST_CHANGES)
        message = f"the API of '{self.namespace}' has changed: {changes}; {self._discover_command()}"
        config = self._consumer_config()
        loc = self.loaded.loc(config, "type")
        problem = self.loaded.source.problem(loc, message, code="changed-definitions", warning=True)
        if problem not in self.loaded.diagnostics.problems:
            self.loaded.diagnostics.add(problem)
            _log.warning("%s", problem)

    def raise_problems(self) -> None:
        """Raise `ProblemsError` for the errors and the missing secrets found so far.

        `Consumer.discover` calls it before it connects: at a start, the host has checked the same.
        """
        unresolved = self.loaded.secrets.unresolved.values()
        if self.loaded.diagnostics.errors or unresolved:
            raise ProblemsError(dict.fromkeys((*self.loaded.diagnostics.problems, *unresolved)))

    def _consumer_config(self) -> ConsumerConfig:
        return next(config for config in self.loaded.capability.consumes if config.namespace == self.namespace)

    def _discover_command(self) -> str:
        return f"run 'adapter-host discover {self.loaded.source.file} {self.namespace}'"

    def call(self, transport: str = "", *, whole_request: bool = False, **caller: Unpack[Caller]) -> CallScope:
        """Return a context manager for one call through an exposer, which `current_call` then describes.

        The host does this for an `HttpExposer`; others enter it around `operation.call`, or around the start of its
        task. `transport` is a word for the protocol, by default the type of the exposer. `caller` has `principal`,
        `client_address` and `request_id`, as far as they are known; without `request_id` the call gets a random one.

        With `whole_request` the context lasts until the response, and the access log has one line for it, whatever is
        called or refused in it; otherwise it has one for each operation that is called. The line has the error that
        leaves the context, or that of `note_call`, so it also shows commands that are unknown or not valid.
        """
        return self.site.call(transport, whole_request=whole_request, **caller)

    def report_refusal(self, refusal: Refusal, *, method: str | None = None, path: str | None = None) -> None:
        """Report that the exposer itself refuses the request in progress, for the hook `access_refused` of plugins.

        The host reports those that its own access check refuses. `path` is a path template, not that of the request.
        """
        if self.observe_refusal is not None:
            self.observe_refusal(RefusedRequest(current_call(), refusal, method, path, self.site.authentication))

    def set_path(self, operation: Operation, path: str) -> None:
        """Set the path template of an operation for the access log, below the exposer's root; call it at build.

        It is needed only where requests do not pass through the routes of an application, as by `direct_handler`.
        """
        self.site.paths[id(operation.spec)] = path

    def section(self) -> AbstractContextManager[Section]:
        """Return a context for the compilation of one operation, or of another part that can be left out.

        With `--skip-invalid`, its errors become warnings and set `skipped` of the section: leave the part out then.
        An error outside of these leaves out the whole adapter.
        """
        return self.loaded.diagnostics.demote_errors(self.settings.skip_invalid)

    def secret(self, text: str, model: Model, *keys: str | int) -> Template:
        """Compile text with constants and secrets; an input in it is reported as a problem."""
        return self.loaded.template(text, self.loaded.loc(model, *keys), inputs=None)

    def url(self, text: str, model: Model, *keys: str | int) -> Template:
        """Compile a URL with constants and secrets; `{x}` in it means `{{x}}`, as braces are no part of a URL."""
        return self.secret(_SINGLE_BRACES.sub(r"{{\1}}", text), model, *keys)

    def has_value(self, template: Template) -> bool:
        """Return whether all secrets of a template have values; with `--mock` they are made up.

        Check the text of a template (a URL, a name) only if it has one: `validate` and `--mock` need no secrets.
        """
        return not template.secrets or not (self.settings.mock or template.has_unset_secret)

    def template(self, text: str, model: Model, *keys: str | int, inputs: Collection[str] = ()) -> Template:
        """Compile text with constants, secrets and inputs; `inputs` are the declared ones."""
        return self.loaded.template(text, self.loaded.loc(model, *keys), inputs=inputs)

    def problem(self, message: str, model: Model, *keys: str | int, code: str = "invalid") -> None:
        """Report an error: the capability cannot run."""
        self.loaded.problem(message, self.loaded.loc(model, *keys), code=code)

    def warn(
        self, message: str, model: Model, *keys: str | int, code: str = "tolerated", replacement: str = ""
    ) -> None:
        """Report a warning; `replacement` is the value that it advises for the place."""
        loc = self.loaded.loc(model, *keys)
        self.loaded.problem(message, loc, code=code, warning=True, replacement=replacement)

    def location(self, text: str, model: Model, *keys: str | int) -> Location | None:
        """Return the location of a `file:` URI, `./` relative to the document; report a problem for other text."""
        loc = self.loaded.loc(model, *keys)
        try:
            path = parse_location(text, self.loaded.source.position_of(loc)[0])
        except ValueError as error:
            self.loaded.problem(str(error), loc, code="invalid")
            return None
        return Location(path, self.settings.response_limit)

    def read_extension(self, key: str, model: Model, parsed_as: type[ModelT]) -> ModelT | None:
        """Parse a plugin's own key (`x-...`) of `model`; return None when absent, or with a problem reported."""
        if key not in (model.model_extra or {}):
            return None
        self.loaded.note_extension(model, key)
        return self._parse((model.model_extra or {})[key], self.loaded.loc(model, key), parsed_as)

    def read_section(self, parsed_as: type[ModelT], model: Model, *keys: str | int) -> ModelT | None:
        """Parse the section of the document at `keys` below `model` with a plugin's own model.

        Return None when absent, or with a problem reported. The section is read from the document itself, so other
        models of it do not matter.
        """
        loc = self.loaded.loc(model, *keys)
        value: Any = self.loaded.source.data
        for key in loc:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return None if value is None else self._parse(value, loc, parsed_as)

    def plugin_settings(self, plugin: str, model: type[ModelT]) -> ModelT:
        """Return the settings of a plugin, parsed by the model that it registers; raise `ProblemsError`."""
        return plugin_settings(self.settings, plugin, model)

    def _parse(self, value: Any, loc: Loc, parsed_as: type[ModelT]) -> ModelT | None:
        loaded = self.loaded
        try:
            parsed = parsed_as.model_validate(value)
        except ValidationError as error:
            loaded.diagnostics.add(*validation_problems(error, loaded.source, loc))
            return None
        for section, section_loc in walk(parsed, loc):
            known = known_keys(type(section))
            for name in section.model_extra or ():
                hint = did_you_mean(name, known) or f" (known: {join_words(known, 'and')})"
                loaded.problem(f"unknown key '{name}'{hint}", (*section_loc, name), code="unknown-key", key=True)
        return parsed
