"""Outputs that are mapped from one answer."""

from .grammar import Rule, anything, by_kind, later, list_of, map_of, obj, one_of, typed
from .terms import TEXT, TYPE

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
MAPPED_LIST = list_of(MAPPED)
