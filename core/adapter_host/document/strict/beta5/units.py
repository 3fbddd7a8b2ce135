"""How operations, tools, resources and flows run, and what they put out."""

from adapter_host.document.strict.grammar import Rule, anything, flag, later, list_of, map_of, obj, typed, word
from adapter_host.document.strict.parts import WITH, step
from adapter_host.document.strict.terms import (
    INPUT_TYPE,
    NAME_PATTERN,
    NAME_SAYS,
    REFERENCE,
    TARGET,
    TEXT,
    TYPE,
    WIDE_NAME_PATTERN,
    WIDE_NAME_SAYS,
)

BY_NAME = "a mapping by name"


def by_name(item: Rule) -> Rule:
    """At least one entry, each below its name."""
    return map_of(item, pattern=NAME_PATTERN, says=NAME_SAYS, least=1, wanted=BY_NAME)


def by_wide_name(item: Rule) -> Rule:
    """Any number of entries, each below its name."""
    return map_of(item, pattern=WIDE_NAME_PATTERN, says=WIDE_NAME_SAYS, wanted=BY_NAME)


STEPS = by_name(step({}))
MAPPINGS = list_of(obj({"target": TARGET, "value": TEXT}))
EXECUTION = {
    "call": REFERENCE,
    "with": WITH,
    "steps": STEPS,
    "mappings": MAPPINGS,
    "outputParameters": anything,  # what it must be, the mode says
}

# Outputs put together from steps, or made up

STEP_SCALAR = obj({"type": TYPE})
FROM_STEPS: Rule = typed(
    {
        "string": STEP_SCALAR,
        "number": STEP_SCALAR,
        "boolean": STEP_SCALAR,
        "object": obj({"type": TYPE, "properties": map_of(later(lambda: FROM_STEPS))}),
        "array": obj({"type": TYPE, "items": map_of(later(lambda: FROM_STEPS), least=1, wanted=BY_NAME)}),
    }
)
MOCK = obj({"type": word("string", "number", "boolean"), "value": TEXT})
FROM_STEPS_BY_NAME = map_of(FROM_STEPS, wanted=BY_NAME)
MOCKS_BY_NAME = map_of(MOCK, least=1, wanted=BY_NAME)

TOOL_INPUTS = by_wide_name(obj({"type": INPUT_TYPE, "description": TEXT}, {"required": flag}))
