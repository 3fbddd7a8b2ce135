"""Load and compile all documents of a host, and collect all problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapter_host.capability.spec import Capability
from adapter_host.compiler.builder import compile_capability
from adapter_host.compiler.loading.loader import find_documents, load_document
from adapter_host.compiler.loading.openapi_source import capability_of, is_openapi
from adapter_host.compiler.plan import Plan
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.server.addresses import Clash, port_clashes
from adapter_host.settings import Settings

from .combined import combine
from .including import Includer

Document = str | Path | Mapping[str, Any] | Capability | Source
"""A capability to serve: a file, a folder of files, or a document as data, as a model, or as read already.

A file may also be an OpenAPI document, all of which is then exposed.
"""


@dataclass(slots=True)
class Loading:
    """The plans of documents, and the problems of documents that cannot be served."""

    plans: list[Plan] = field(default_factory=list)
    documents: int = 0
    problems: list[Problem] = field(default_factory=list)
    included: list[Plan] = field(default_factory=list)
    """The plans of files that are not served themselves, but included by others."""
    combined: Plan | None = None
    """The plan of the MCP endpoint over all others, if the settings ask for one."""
    clashes: list[Clash] = field(default_factory=list)
    """The exposers that cannot be served together with the others."""

    @property
    def all_plans(self) -> list[Plan]:
        """The plans of documents, of files that they include, and of the MCP endpoint over all of them."""
        combined = [] if self.combined is None else [self.combined]
        return [*self.plans, *self.included, *combined]

    @property
    def servable(self) -> list[Plan]:
        """The plans that can be served together."""
        clashing = {clash.problem.file for clash in self.clashes}
        return [plan for plan in self.plans if plan.loaded.source.file not in clashing]

    def add_clashes(self, clashes: Sequence[Clash]) -> None:
        """Record the exposers that cannot be served together with the others."""
        self.problems.extend(clash.problem for clash in clashes)
        self.clashes.extend(clashes)


def compile_documents(
    documents: Sequence[Document],
    plugins: Plugins,
    settings: Settings,
    shared_state: MutableMapping[str, Any] | None = None,
) -> tuple[tuple[Plan, ...], tuple[Problem, ...]]:
    """Return the plans of all documents, and the warnings for documents and exposers that are skipped.

    Raises `ProblemsError` with all problems; with `skip_invalid`, only if no document can run.
    """
    loading = load_documents(documents, plugins, settings, shared_state)
    if settings.skip_invalid and loading.plans:
        return tuple(_without_clashes(loading)), tuple(problem.as_skipped for problem in loading.problems)
    if any(not problem.warning for problem in loading.problems):
        raise ProblemsError(loading.problems)
    return tuple(loading.all_plans), ()


def _without_clashes(loading: Loading) -> Iterator[Plan]:
    """Yield the plans without the exposers that cannot be served with others."""
    clashing = {id(clash.exposer) for clash in loading.clashes}
    for plan in loading.all_plans:
        kept = tuple(exposer_plan for exposer_plan in plan.exposers if id(exposer_plan.exposer) not in clashing)
        yield plan if len(kept) == len(plan.exposers) else replace(plan, exposers=kept)


def load_documents(
    documents: Sequence[Document],
    plugins: Plugins,
    settings: Settings,
    shared_state: MutableMapping[str, Any] | None = None,
    *,
    strict: bool = False,
) -> Loading:
    """Compile all documents; with `strict`, validate them against the official schema too."""
    shared_state = {} if shared_state is None else shared_state
    loading = Loading()
    loading.problems.extend(plugins.settings_problems(settings.plugins))
    for source, warnings in _sources(documents, settings, loading):
        try:
            loaded = load_document(source, plugins, settings, strict=strict, problems=warnings)
            loading.plans.append(compile_capability(loaded, plugins, settings, shared_state))
        except ProblemsError as error:
            loading.problems.extend(error.problems)
    if any(getattr(config, "x_include", ()) for plan in loading.plans for config in plan.loaded.capability.exposes):
        _include(loading, plugins, settings, shared_state)
    if settings.mcp_endpoint is not None:
        _combine(loading, plugins, settings, shared_state)
    loading.add_clashes(port_clashes(loading.all_plans, settings))
    return loading


def separate_documents(paths: Iterable[str]) -> Iterator[Document]:
    """Yield each document at the paths, and each folder without one, which is a problem when it is loaded."""
    for path in paths:
        files: list[Document] = [*find_documents([path])]
        yield from files or [path]


def _include(loading: Loading, plugins: Plugins, settings: Settings, shared_state: MutableMapping[str, Any]) -> None:
    """Connect the exposers of the plans with those that they include."""

    def load_file(file: Path) -> Plan:
        source, warnings = _read(file, settings)
        loaded = load_document(source, plugins, settings, problems=warnings)
        return compile_capability(loaded, plugins, settings, shared_state)

    includer = Includer(loading.plans, load_file, settings.skip_invalid)
    includer.connect()
    loading.problems.extend(includer.problems)
    for plan in [*loading.plans, *includer.loaded]:
        if plan.loaded.diagnostics.errors:
            loading.problems.extend(plan.loaded.diagnostics.problems)
    loading.plans = [plan for plan in loading.plans if not plan.loaded.diagnostics.errors]
    loading.included = [plan for plan in includer.loaded if not plan.loaded.diagnostics.errors]


def _combine(loading: Loading, plugins: Plugins, settings: Settings, shared_state: MutableMapping[str, Any]) -> None:
    """Add the endpoint over the exposers of all plans, unless there are problems already."""
    has_errors = any(not problem.warning for problem in loading.problems)
    if has_errors and not (settings.skip_invalid and loading.plans):
        return
    try:
        loading.combined = combine(loading.plans, plugins, settings, shared_state)
    except ProblemsError as error:
        loading.problems.extend(error.problems)


def read_document(document: Document, settings: Settings) -> tuple[Source, Sequence[Problem]]:
    """Return one document with its warnings; raise `ProblemsError`, also for a folder of several."""
    loading = Loading()
    sources = _sources([document], settings, loading)
    if loading.problems:
        raise ProblemsError(loading.problems)
    if len(sources) != 1:
        message = f"the folder has {len(sources)} capabilities; choose a file"
        raise ProblemsError([Problem(message, str(document), code="several-capabilities")])
    return sources[0]


def _sources(
    documents: Sequence[Document], settings: Settings, loading: Loading
) -> list[tuple[Source, Sequence[Problem]]]:
    """Return the documents with the warnings of those that had to be converted."""
    sources: list[tuple[Source, Sequence[Problem]]] = []
    for document in documents:
        if isinstance(document, Capability):
            document = document.document()
        if isinstance(document, Mapping):
            document = Source.from_data(document)
        if isinstance(document, Source):
            loading.documents += 1
            sources.append((document, ()))
            continue
        files = list(find_documents([document]))
        if not files:
            message = "no capability in this folder"
            loading.problems.append(Problem(message, str(document), code="no-capability"))
        for file in files:
            try:
                sources.append((file, ()) if isinstance(file, Source) else _read(file, settings))
            except ProblemsError as error:
                loading.problems.extend(error.problems)
        loading.documents += len(files)
    return sources


def _read(file: Path, settings: Settings) -> tuple[Source, Sequence[Problem]]:
    source = Source.read(file)
    return capability_of(source, settings.only, settings.overlays) if is_openapi(source) else (source, ())
