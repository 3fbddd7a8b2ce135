"""Refuse operations whose path inputs have no unique place."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from adapter_host import BuildContext

if TYPE_CHECKING:
    from .operation import HttpOperation

_READING_METHODS: Final = frozenset({"GET", "HEAD"})
_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}")


def refuse_guesses(operations: Iterable[HttpOperation], context: BuildContext) -> None:
    """Set the refusal of operations with path inputs that their path does not contain; warn about those that are sent.

    Only the single input of an operation that reads is sent, as the last segment, and only if no other operation of its
    method has that URL.
    """
    by_url: defaultdict[tuple[str, str], list[HttpOperation]] = defaultdict(list)
    for operation in operations:
        by_url[operation.plan.method, _shape(operation)].append(operation)
    for operation in operations:
        if not operation.unplaced:
            continue
        names = " and ".join(repr(spec.name) for spec in operation.unplaced)
        path = "/".join((operation.scope.path, *(f"{{{spec.name}}}" for spec in operation.unplaced)))
        if reason := _reason(operation, by_url[operation.plan.method, _shape(operation)]):
            refusal = f"its path '{operation.path}' has no placeholder for {names}, {reason}; write '{path}' or similar"
            operation.refusal = operation.refusal or refusal
        else:
            message = f"the path has no placeholder for {names}, which is sent as the last segment; write {path}"
            context.warn(message, operation.unplaced[0], "name", code="unplaced-input", replacement=path)


def _shape(operation: HttpOperation) -> str:
    return _PLACEHOLDER.sub("{}", str(operation.plan.path))


def _reason(operation: HttpOperation, same_url: Sequence[HttpOperation]) -> str | None:
    """Return why the place of the inputs is not guessed, or None."""
    if len(operation.unplaced) > 1:
        return "and their order is not known"
    if operation.plan.method not in _READING_METHODS:
        return "which is guessed only for GET and HEAD"
    others = [other.name for other in same_url if other is not operation]
    return f"and as the last segment it makes the URL of '{others[0]}'" if others else None
