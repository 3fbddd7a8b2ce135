"""One MCP endpoint over everything that a host serves (`--mcp-endpoint`)."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from adapter_host.capability.include_spec import Hint, SelectionSpec
from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.plain_data import to_data
from adapter_host.compiler.builder import compile_capability
from adapter_host.compiler.loading.parser import Parser
from adapter_host.compiler.plan import Plan
from adapter_host.document.dialects import CANONICAL_VERSION
from adapter_host.document.messages import did_you_mean
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.plugin.exposer import Exposer, HttpExposer, Included
from adapter_host.plugin.inclusion import Selection
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.settings import McpEndpoint, Settings

from .included_exposers import Node, authentication_fault, default_targets

COMBINED: Final = "adapter-host"
"""The namespace of the endpoint."""

OPTION: Final = "--mcp-endpoint"

_TYPE: Final = "mcp"

_HINTS: Final[tuple[Hint, ...]] = get_args(Hint)

_MOST_INSTRUCTIONS: Final = 4000
"""Characters of the endpoint's instructions."""


def combine(
    plans: Sequence[Plan], plugins: Plugins, settings: Settings, shared_state: MutableMapping[str, Any]
) -> Plan:
    """Return the plan of the MCP endpoint over the exposers of all plans; raise `ProblemsError`.

    The name of each tool and prompt begins with the namespace of its exposer, so that it never depends on what else
    is served. The endpoint has the authentication of these exposers, which is the same for all that have any.
    """
    assert settings.mcp_endpoint is not None
    served = combinable(plans, plugins)
    choice = _Choice(settings.mcp_endpoint, frozenset(node.config.namespace for node in served))
    nodes = [node for node in served if choice.may_include(node)]
    if not nodes:
        message = "nothing is served that the endpoint could have; add an exposer of type mcp or rest"
        raise ProblemsError([Problem(message, OPTION, code="nothing-included")])
    protected = next((node for node in nodes if node.config.authentication is not None), None)
    loaded = _load(nodes, protected, plugins, settings)
    plan = compile_capability(loaded, plugins, settings, shared_state)
    if not plan.exposers:  # left out
        raise ProblemsError(loaded.diagnostics.problems)
    choice.include(nodes, Node(plan, plan.exposers[0]), protected, skip_invalid=settings.skip_invalid)
    # The exposer with the authentication reports the secrets without a value.
    loaded.secrets.unresolved.clear()
    problems = [*loaded.diagnostics.problems, *choice.unknown()]
    if any(not problem.warning for problem in problems):
        raise ProblemsError(problems)
    return plan


def combinable(plans: Sequence[Plan], plugins: Plugins) -> list[Node]:
    """Return the exposers that the endpoint has: of each document those of type mcp, or else of type rest."""
    if _TYPE not in plugins.exposers:
        raise ProblemsError([Problem("type mcp is missing; install adapter-host-mcp", OPTION, code="missing-plugin")])
    types, served = plugins.exposers[_TYPE].includes, [plan for plan in plans if plan.is_served]
    nodes = (node for plan in served for node in default_targets(types, plan))
    return [node for node in nodes if not is_combined(node.exposer)]


def is_combined(exposer: Exposer[Any]) -> bool:
    """Return whether an exposer is the endpoint over all others."""
    return exposer.context.loaded.source.file == OPTION


def combined_exposer(plans: Sequence[Plan]) -> Exposer[Any] | None:
    """Return the exposer of the endpoint; None if there is none."""
    exposers = (each.exposer for plan in plans for each in plan.exposers)
    return next(filter(is_combined, exposers), None)


@dataclass(slots=True)
class _Choice:
    """The selection by `--only` and `--except` among the exposers; it notes the words that name something."""

    endpoint: McpEndpoint
    namespaces: frozenset[str]
    _selections: dict[str, list[Selection]] = field(default_factory=dict)

    def may_include(self, node: Node) -> bool:
        """Return whether an exposer is not left out."""
        only, namespace = self.endpoint.only, node.config.namespace
        is_elsewhere = bool(only) and self.namespaces.issuperset(only) and namespace not in only
        return namespace not in self.endpoint.excluded and not is_elsewhere

    def include(self, nodes: Sequence[Node], combined: Node, protected: Node | None, *, skip_invalid: bool) -> None:
        """Include exposers in the endpoint, which has the authentication of one of them."""
        diagnostics, exposer = combined.plan.loaded.diagnostics, combined.exposer
        included = []
        for node in nodes:
            with diagnostics.demote_errors(skip_invalid) as section:
                if protected is not None and authentication_fault(combined, node) is not None:
                    diagnostics.add(_authentication_problem(node, protected))
            if not section.failed:
                included.append(Included(node.exposer, f"{node.config.namespace}_", self._selection(node)))
        exposer.include(included)
        if isinstance(exposer, HttpExposer):
            exposer.endpoint = self.endpoint.path

    def _selection(self, node: Node) -> Selection:
        """Return the selection among the entries of an exposer."""
        namespace = node.config.namespace
        is_chosen = not self.endpoint.only or namespace in self.endpoint.only
        only = None if is_chosen else _spec(self.endpoint.only, namespace)
        excluded = _spec(self.endpoint.excluded, namespace) if self.endpoint.excluded else None
        selection = Selection(only, excluded)
        self._selections.setdefault(namespace, []).append(selection)
        return selection

    def unknown(self) -> Iterator[Problem]:
        """Yield a problem for each word that names nothing: something else would be served."""
        known = {*self.namespaces, *_HINTS}
        for namespace, selections in self._selections.items():
            for selection in selections:
                known |= selection.tags | selection.names | {f"{namespace}_{name}" for name in selection.names}
        for option, words in (("--only", self.endpoint.only), ("--except", self.endpoint.excluded)):
            for word in words:
                if word not in known:
                    message = f"nothing that {OPTION} serves has the name, tag, hint or namespace '{word}'"
                    yield Problem(f"{message}{did_you_mean(word, sorted(known))}", option, code="unknown-name")


def _spec(words: Sequence[str], namespace: str) -> SelectionSpec:
    """Return the selection of entries by their own names, or by those that clients of the endpoint see."""
    names = (*words, *(word.removeprefix(f"{namespace}_") for word in words))
    hints = tuple(hint for hint in _HINTS if hint in words)
    return SelectionSpec(names=names, tags=tuple(words), hints=hints)


def _authentication_problem(node: Node, protected: Node) -> Problem:
    loaded = node.plan.loaded
    message = (
        f"'{node.config.namespace}' requires another authentication than {protected.place}, and one endpoint has one "
        f"for all; declare the same, or leave one out with --except {node.config.namespace}"
    )
    return loaded.source.problem(loaded.loc(node.config, "authentication"), message, code="included-authentication")


def _load(nodes: Sequence[Node], protected: Node | None, plugins: Plugins, settings: Settings) -> LoadedCapability:
    """Return the document of the endpoint, with the authentication of an exposer and the secrets for it."""
    assert settings.mcp_endpoint is not None
    exposer = {
        "type": _TYPE,
        "namespace": COMBINED,
        "description": _instructions(nodes),
        "port": settings.mcp_endpoint.port,
        "x-discovery": "auto",
        **({} if protected is None else {"authentication": to_data(protected.config.authentication, {})}),
    }
    data = {
        "naftiko": CANONICAL_VERSION,
        "info": {"label": "All capabilities"},
        "capability": {"exposes": [exposer]},
    }
    source = Source.from_data(data, OPTION)
    problems: list[Problem] = []
    capability = Parser(source, plugins, problems).parse(CANONICAL_VERSION)
    if capability is None or any(not problem.warning for problem in problems):
        raise ProblemsError(problems)
    binds = (nodes[0] if protected is None else protected).plan.loaded.binds
    return LoadedCapability.create(source, capability, binds, problems=problems, skip_invalid=settings.skip_invalid)


def _instructions(nodes: Sequence[Node]) -> str:
    """Return the text for models about the exposers, as far as there is room."""
    text = "The name of each tool begins with the namespace of its capability and '_'."
    for node in nodes:
        description = (node.config.description or "").strip()
        entry = f"\n\n{node.config.namespace}: {description}" if description else ""
        if len(text) + len(entry) <= _MOST_INSTRUCTIONS:
            text += entry
    return text
