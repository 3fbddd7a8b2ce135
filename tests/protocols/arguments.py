"""Generated arguments for an operation: mostly right ones, of each kind of mistake some."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from adapter_host import Operation

TEXTS = st.one_of(
    st.sampled_from(
        ["Ada", "", " ", "a/b", "..", "a b", "Größe ✓", "%2F", "1", "true", "null", "{{x}}", "a&b=c", "\n"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
INTEGERS = st.one_of(st.integers(-5, 100), st.integers(-(2**53), 2**53), st.sampled_from([2**63 - 1, -(2**63)]))
NUMBERS = st.one_of(st.integers(-100, 100), st.floats(-1e9, 1e9, allow_nan=False), st.sampled_from([0.1, 1e-7]))
LEAVES = st.one_of(TEXTS, INTEGERS, NUMBERS, st.booleans(), st.none())
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "name"]), inner, max_size=3),
    max_leaves=5,
)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a schema mostly allows."""
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return TEXTS
        case "integer":
            return INTEGERS
        case "number":
            return NUMBERS
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(values(schema.get("items", {})), max_size=3)
        case "object":
            return st.fixed_dictionaries(
                {name: values(each) for name, each in schema.get("properties", {}).items()},
                optional={"other": LEAVES} if schema.get("additionalProperties", True) else {},
            )
    return ANYTHING


@st.composite
def arguments(draw: st.DrawFn, operation: Operation) -> dict[str, Any]:
    """Return arguments for an operation: one in five with a mistake."""
    schema = operation.input_schema
    required = schema.get("required", [])
    made = {}
    for name, each in schema["properties"].items():
        if name in required or draw(st.booleans()):
            made[name] = draw(values(each))
    mistake = draw(st.integers(0, 14))
    if mistake == 0 and made:
        del made[draw(st.sampled_from(sorted(made)))]
    elif mistake == 1 and made:
        made[draw(st.sampled_from(sorted(made)))] = draw(ANYTHING)
    elif mistake == 2 and not any(each.whole for each in operation.inputs):
        made["unknown"] = draw(LEAVES)
    return made


def calls(operations: dict[str, Operation]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Return calls: an operation's name, and its arguments."""
    return st.sampled_from(sorted(operations)).flatmap(
        lambda name: st.tuples(st.just(name), arguments(operations[name]))
    )
