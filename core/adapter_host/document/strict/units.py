"""How operations, tools, resources and functions run, and what they put out."""

from .grammar import Rule, anything, by_kind, flag, later, list_of, map_of, obj, one_of, text, typed, word
from .terms import ANY_LIST, FILE_URI, INPUT_TYPE, LANGUAGE, NAME, REFERENCE, TARGET, TEXT, TYPE, WIDE_NAME

WITH = map_of(by_kind("text or a number", {str: anything, int: anything, float: anything}))
STEPS = list_of(
    typed(
        {
            "call": obj({"type": TYPE, "name": NAME, "call": REFERENCE}, {"with": WITH}),
            "lookup": obj(
                {
                    "type": TYPE,
                    "name": NAME,
                    "index": NAME,
                    "match": NAME,
                    "lookupValue": TEXT,
                    "outputParameters": list_of(TEXT, least=1),
                }
            ),
            "script": obj(
                {"type": TYPE, "name": NAME, "file": text(r"[\s\S]+", "not empty")},
                {
                    "language": LANGUAGE,
                    "location": FILE_URI,
                    "dependencies": list_of(text(r"[\s\S]+", "not empty"), least=1),
                    "with": WITH,
                },
            ),
        }
    ),
    least=1,
)
MAPPINGS = list_of(obj({"targetName": TARGET, "value": TEXT}))
EXECUTION = {
    "call": REFERENCE,
    "with": WITH,
    "steps": STEPS,
    "mappings": MAPPINGS,
    "outputParameters": ANY_LIST,
}

# Outputs: mapped from one answer, put together from steps, or made up

CONSTANT = by_kind(
    "text, a number, a boolean, a list or a mapping",
    dict.fromkeys((str, int, float, bool, list, dict), anything),
)
MAPPED_KEYS = {"mapping": TEXT, "const": CONSTANT, "value": TEXT}
MAPPED_SCALAR = obj({"type": TYPE}, MAPPED_KEYS, one_of("mapping", "value"))
MAPPED: Rule = typed(
    {
        "string": MAPPED_SCALAR,
        "number": MAPPED_SCALAR,
        "boolean": MAPPED_SCALAR,
        "object": obj({"type": TYPE, "properties": map_of(later(lambda: MAPPED))}, MAPPED_KEYS),
        "array": obj({"type": TYPE, "items": later(lambda: MAPPED)}, MAPPED_KEYS),
    }
)
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
MAPPED_LIST = list_of(MAPPED)
FROM_STEPS_LIST = list_of(FROM_STEPS)
MOCK_LIST = list_of(MOCK, least=1)

TOOL_INPUT = obj({"name": WIDE_NAME, "type": INPUT_TYPE, "description": TEXT}, {"required": flag})
