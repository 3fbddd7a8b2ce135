"""Rules of operations, tools, resources and flows: execution and outputs."""

from adapter_host.document.strict.grammar import (
    Rule,
    anything,
    array_of,
    boolean,
    by_type_key,
    deferred,
    enum,
    mapping_of,
    object_of,
)
from adapter_host.document.strict.parts import WITH, step
from adapter_host.document.strict.terms import (
    INPUT_TYPE,
    NAME_DESCRIPTION,
    NAME_PATTERN,
    REFERENCE,
    STRING,
    TARGET,
    TYPE,
    WIDE_NAME_DESCRIPTION,
    WIDE_NAME_PATTERN,
)

BY_NAME = "a mapping by name"


def by_name(item: Rule) -> Rule:
    """Return the rule of a mapping from names, with at least one entry."""
    return mapping_of(item, pattern=NAME_PATTERN, description=NAME_DESCRIPTION, minimum=1, expected=BY_NAME)


def by_wide_name(item: Rule) -> Rule:
    """Return the rule of a mapping from names that may contain '_' and '*'."""
    return mapping_of(item, pattern=WIDE_NAME_PATTERN, description=WIDE_NAME_DESCRIPTION, expected=BY_NAME)


STEPS = by_name(step({}))
MAPPINGS = array_of(object_of({"target": TARGET, "value": STRING}))
EXECUTION = {
    "call": REFERENCE,
    "with": WITH,
    "steps": STEPS,
    "mappings": MAPPINGS,
    "outputParameters": anything,  # validated by the mode
}

# Outputs of steps, and constant outputs

STEP_SCALAR = object_of({"type": TYPE})
FROM_STEPS: Rule = by_type_key(
    {
        "string": STEP_SCALAR,
        "number": STEP_SCALAR,
        "boolean": STEP_SCALAR,
        "object": object_of({"type": TYPE, "properties": mapping_of(deferred(lambda: FROM_STEPS))}),
        "array": object_of(
            {"type": TYPE, "items": mapping_of(deferred(lambda: FROM_STEPS), minimum=1, expected=BY_NAME)}
        ),
    }
)
MOCK = object_of({"type": enum("string", "number", "boolean"), "value": STRING})
FROM_STEPS_BY_NAME = mapping_of(FROM_STEPS, expected=BY_NAME)
MOCKS_BY_NAME = mapping_of(MOCK, minimum=1, expected=BY_NAME)

TOOL_INPUTS = by_wide_name(object_of({"type": INPUT_TYPE, "description": STRING}, {"required": boolean}))
