"""Rules of outputs that are mapped from one response."""

from .grammar import Rule, anything, array_of, by_type_key, by_value_type, deferred, mapping_of, object_of, one_of
from .terms import STRING, TYPE

CONSTANT = by_value_type(
    "text, a number, a boolean, a list or a mapping",
    dict.fromkeys((str, int, float, bool, list, dict), anything),
)
MAPPED_KEYS = {"mapping": STRING, "const": CONSTANT, "value": STRING}
MAPPED_SCALAR = object_of({"type": TYPE}, MAPPED_KEYS, one_of("mapping", "value"))
MAPPED: Rule = by_type_key(
    {
        "string": MAPPED_SCALAR,
        "number": MAPPED_SCALAR,
        "boolean": MAPPED_SCALAR,
        "object": object_of({"type": TYPE, "properties": mapping_of(deferred(lambda: MAPPED))}, MAPPED_KEYS),
        "array": object_of({"type": TYPE, "items": deferred(lambda: MAPPED)}, MAPPED_KEYS),
    }
)
MAPPED_LIST = array_of(MAPPED)
