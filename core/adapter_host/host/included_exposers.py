"""The exposers that others include, and whether those protect them as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from adapter_host.compiler.plan import ExposerPlan, Plan
from adapter_host.expressions.template import Part, Reference, Secret
from adapter_host.plugin.exposer import Exposer


@dataclass(frozen=True, slots=True)
class Node:
    """An exposer of a plan."""

    plan: Plan
    exposer_plan: ExposerPlan

    @property
    def exposer(self) -> Exposer[Any]:
        """The exposer."""
        return self.exposer_plan.exposer

    @property
    def config(self) -> Any:
        """The section of the document."""
        return self.exposer.config

    @property
    def place(self) -> str:
        """Its namespace, with file, line and column."""
        loaded = self.plan.loaded
        return f"'{self.config.namespace}' ({loaded.source.place(loaded.loc(self.config, 'namespace'))})"


def default_targets(types: Sequence[str], plan: Plan, without: Exposer[Any] | None = None) -> list[Node]:
    """Return the exposers of a plan that are included where none is named: those of the first type that has any."""
    others = [each for each in (*plan.exposers, *plan.included) if each.exposer is not without]
    by_type = ([Node(plan, each) for each in others if each.exposer.config.type == kind] for kind in types)
    return next((nodes for nodes in by_type if nodes), [])


def authentication_fault(node: Node, target: Node) -> str | None:
    """Return why an exposer must not include another one: it would accept clients that the other does not."""
    if target.config.authentication is None or node.exposer.stdio:
        # The process that starts a server over standard input and output has its secrets.
        return None
    if node.config.authentication is None:
        return f"{target.place} requires authentication, and '{node.config.namespace}' would serve it without"
    if not _agree(_authentication(node.exposer), _authentication(target.exposer)):
        return f"{target.place} requires another authentication than '{node.config.namespace}'"
    return None


class _Unset(Enum):
    """A secret without a value, which may be that of any other: it is not served then, or only with a mock server."""

    UNSET = "unset"


def _authentication(exposer: Exposer[Any]) -> Mapping[str, Any]:
    """Return the declared authentication with the values of its secrets."""
    declared = exposer.config.authentication

    def value_of(key: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        parts = [_value(part) for part in exposer.context.secret(value, declared, key).parts]
        return _Unset.UNSET if _Unset.UNSET in parts else "".join(map(str, parts))

    return {key: value_of(key, value) for key, value in declared.model_dump(mode="json").items()}


def _value(part: Part) -> str | _Unset:
    if isinstance(part, Secret):
        return _Unset.UNSET if part.value is None else part.value
    return f"{{{{{part.name}}}}}" if isinstance(part, Reference) else part


def _agree(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return first.keys() == second.keys() and all(
        first[key] == second[key] or _Unset.UNSET in (first[key], second[key]) for key in first
    )
