"""Load and compile all documents of a host, and collect all problems."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from adapter_host.capability.spec import Capability
from adapter_host.compiler.builder import compile_capability
from adapter_host.compiler.loader import find_documents, load_document
from adapter_host.compiler.plan import Plan
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.plugin.manager import Plugins
from adapter_host.server.layout import plan_listeners
from adapter_host.server.mounts import namespace_clashes
from adapter_host.settings import Settings

Document = str | Path | Mapping[str, Any] | Capability
"""A capability to serve: a file, a folder of files, or a document as data or as a model."""


def compile_documents(
    documents: Sequence[Document],
    plugins: Plugins,
    settings: Settings,
    shared_state: MutableMapping[str, Any] | None = None,
) -> tuple[Plan, ...]:
    """Return the plans of all documents; raise `ProblemsError` with all their problems."""
    shared_state = {} if shared_state is None else shared_state
    problems: list[Problem] = []
    plans: list[Plan] = []
    for source in _sources(documents, problems):
        try:
            plans.append(compile_capability(load_document(source, plugins, settings), plugins, settings, shared_state))
        except ProblemsError as error:
            problems.extend(error.problems)
    for listener in plan_listeners(plans, settings):
        problems.extend(namespace_clashes(listener.mounts, f"on port {listener.port}"))
    if any(not problem.warning for problem in problems):
        raise ProblemsError(problems)
    return tuple(plans)


def _sources(documents: Sequence[Document], problems: list[Problem]) -> list[Source]:
    sources = []
    for document in documents:
        if isinstance(document, Capability):
            document = document.document()
        if isinstance(document, Mapping):
            sources.append(Source.from_data(document))
            continue
        files = list(find_documents([document]))
        if not files:
            problems.append(Problem("no capability in this folder", str(document), code="no-capability"))
        for file in files:
            try:
                sources.append(file if isinstance(file, Source) else Source.read(file))
            except ProblemsError as error:
                problems.extend(error.problems)
    return sources
