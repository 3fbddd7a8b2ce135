"""Rules of operations, tools, resources and functions: execution and outputs."""

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
from adapter_host.document.strict.terms import INPUT_TYPE, NAME, REFERENCE, STRING, TARGET, TYPE, WIDE_NAME

STEPS = array_of(step({"name": NAME}), minimum=1)
MAPPINGS = array_of(object_of({"targetName": TARGET, "value": STRING}))
EXECUTION = {
    "call": REFERENCE,
    "with": WITH,
    "steps": STEPS,
    "mappings": MAPPINGS,
    "outputParameters": anything,  # validated by the mode
}

# Outputs of steps, and constant outputs

STEP_SCALAR = object_of({"name": WIDE_NAME, "type": TYPE})
FROM_STEPS: Rule = by_type_key(
    {
        "string": STEP_SCALAR,
        "number": STEP_SCALAR,
        "boolean": STEP_SCALAR,
        "object": object_of({"name": WIDE_NAME, "type": TYPE, "properties": mapping_of(deferred(lambda: FROM_STEPS))}),
        "array": object_of(
            {"name": WIDE_NAME, "type": TYPE, "items": array_of(deferred(lambda: FROM_STEPS), minimum=1)}
        ),
    }
)
MOCK = object_of({"name": WIDE_NAME, "type": enum("string", "number", "boolean"), "value": STRING})
FROM_STEPS_LIST = array_of(FROM_STEPS)
MOCK_LIST = array_of(MOCK, minimum=1)
ANY_LIST = array_of(anything)

TOOL_INPUT = object_of({"name": WIDE_NAME, "type": INPUT_TYPE, "description": STRING}, {"required": boolean})
