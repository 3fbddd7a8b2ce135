"""How operations, tools, resources and functions run, and what they put out."""

from adapter_host.document.strict.grammar import Rule, anything, flag, later, list_of, map_of, obj, typed, word
from adapter_host.document.strict.parts import WITH, step
from adapter_host.document.strict.terms import INPUT_TYPE, NAME, REFERENCE, TARGET, TEXT, TYPE, WIDE_NAME

STEPS = list_of(step({"name": NAME}), least=1)
MAPPINGS = list_of(obj({"targetName": TARGET, "value": TEXT}))
EXECUTION = {
    "call": REFERENCE,
    "with": WITH,
    "steps": STEPS,
    "mappings": MAPPINGS,
    "outputParameters": anything,  # what it must be, the mode says
}

# Outputs put together from steps, or made up

STEP_SCALAR = obj({"name": WIDE_NAME, "type": TYPE})
FROM_STEPS: Rule = typed(
    {
        "string": STEP_SCALAR,
        "number": STEP_SCALAR,
        "boolean": STEP_SCALAR,
        "object": obj({"name": WIDE_NAME, "type": TYPE, "properties": map_of(later(lambda: FROM_STEPS))}),
        "array": obj({"name": WIDE_NAME, "type": TYPE, "items": list_of(later(lambda: FROM_STEPS), least=1)}),
    }
)
MOCK = obj({"name": WIDE_NAME, "type": word("string", "number", "boolean"), "value": TEXT})
FROM_STEPS_LIST = list_of(FROM_STEPS)
MOCK_LIST = list_of(MOCK, least=1)
ANY_LIST = list_of(anything)

TOOL_INPUT = obj({"name": WIDE_NAME, "type": INPUT_TYPE, "description": TEXT}, {"required": flag})
