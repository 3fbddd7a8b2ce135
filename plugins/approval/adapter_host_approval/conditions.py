"""Compile the conditions of `x-approval` for one operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from adapter_host import ArgumentError, Arguments, Operation, OperationError, compile_path

from .config import Condition, Hints

Needs = Callable[[Arguments], bool]
"""Returns whether a call with these arguments needs an approval."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "QUERY", "TRACE"})
_IDEMPOTENT_METHODS: Final = frozenset({*_SAFE_METHODS, "PUT", "DELETE"})


def compile_conditions(conditions: Iterable[Condition], operation: Operation) -> Needs | None:
    """Return the check of a call, None if no call needs an approval; raise `ValueError` for an invalid JSONPath."""
    checks: list[Needs] = []
    for condition in conditions:
        if not _concerns(condition, operation):
            continue
        if condition.argument is None:
            return always
        checks.append(_argument_check(condition, condition.argument))
    if not checks:
        return None
    return checks[0] if len(checks) == 1 else lambda arguments: any(check(arguments) for check in checks)


def always(_: Arguments) -> bool:
    """Return True: every call needs an approval."""
    return True


def _concerns(condition: Condition, operation: Operation) -> bool:
    """Return whether the parts of a condition hold that do not depend on arguments."""
    if condition.method and not set(condition.method) & methods_of(operation):
        return False
    if condition.tag and not set(condition.tag) & set(operation.spec.tags):
        return False
    return condition.hint is None or _has_hints(condition.hint, operation)


def methods_of(operation: Operation) -> set[str]:
    """Return the methods of the requests of an operation, and that of its own route, if it has one."""
    methods = {each.method.upper() for each in operation.upstream if each.method}
    own = getattr(operation.spec, "method", None)
    return methods | {own.upper()} if isinstance(own, str) else methods


def _has_hints(expected: Hints, operation: Operation) -> bool:
    hints = _hints_of(operation)
    return all(hints[name] is getattr(expected, name) for name in expected.model_fields_set if name in hints)


def _hints_of(operation: Operation) -> dict[str, bool]:
    """Return the declared hints; the others follow from the semantics and methods, or are the worst case."""
    declared, semantics = getattr(operation.spec, "hints", None), operation.semantics
    methods = {each.method.upper() if each.method else "" for each in operation.upstream}

    def hint(name: str, semantic: bool | None, default: bool) -> bool:
        own = getattr(declared, name, None)
        return next(value for value in (own, semantic, default) if value is not None)

    safe, repeatable = (semantics.safe, semantics.idempotent) if semantics else (None, None)
    read_only = hint("read_only", safe, bool(methods) and methods <= _SAFE_METHODS)
    return {
        "read_only": read_only,
        "destructive": hint("destructive", None, not read_only),
        "idempotent": hint("idempotent", repeatable, bool(methods) and methods <= _IDEMPOTENT_METHODS),
        "open_world": hint("open_world", None, True),
    }


def _argument_check(condition: Condition, argument: str) -> Needs:
    select = compile_path(argument) if argument.startswith("$") else None
    compare = _comparison(condition)

    def check(arguments: Arguments) -> bool:
        try:
            found = arguments.get(argument) if select is None else select(dict(arguments))
        except OperationError as error:
            # An expression that cannot be applied to these arguments decides nothing.
            raise ArgumentError(argument, f"the condition for an approval cannot be checked: {error.message}") from None
        # A path with wildcards or filters selects a list of values.
        values = found if select is not None and isinstance(found, list) else [found]
        return compare(values)

    return check


def _comparison(condition: Condition) -> Callable[[list[Any]], bool]:
    over, under, expected = condition.over, condition.under, condition.equals
    if over is not None:
        return lambda values: not values or any(not (_is_number(value) and value <= over) for value in values)
    if under is not None:
        return lambda values: not values or any(not (_is_number(value) and value >= under) for value in values)
    if "equals" in condition.model_fields_set:
        return lambda values: any(_equals(value, each) for value in values for each in expected)
    return lambda values: any(value is not None for value in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equals(value: Any, expected: Any) -> bool:
    if isinstance(value, str) and isinstance(expected, str):
        return value.casefold() == expected.casefold()
    return isinstance(value, bool) is isinstance(expected, bool) and bool(value == expected)
