"""Rules of the control adapter, the same in every version."""

from .grammar import anything, array_of, boolean, by_value_type, enum, integer, number, object_of
from .terms import ADDRESS, AUTHENTICATION, FILE_URI, LANGUAGE, PORT, STRING, TYPE

SCRIPTING = object_of(
    {},
    {
        "enabled": boolean,
        "defaultLocation": FILE_URI,
        "defaultLanguage": LANGUAGE,
        "timeout": integer(1),
        "statementLimit": integer(1),
        "allowedLanguages": array_of(LANGUAGE),
    },
)
LOGS = object_of({}, {"level-control": boolean, "stream": boolean, "max-subscribers": integer(1, 20)})
MANAGEMENT = object_of(
    {},
    {
        "health": boolean,
        "info": boolean,
        "reload": boolean,
        "validate": boolean,
        "logs": by_value_type("true, false or a mapping", {bool: anything, dict: LOGS}),
        "scripting": SCRIPTING,
    },
)
TRACES = object_of(
    {},
    {
        "sampling": number(0, 1),
        "propagation": enum("w3c", "b3"),
        "local": object_of({}, {"enabled": boolean, "buffer-size": integer(10, 10000)}),
    },
)
OBSERVABILITY = object_of(
    {},
    {
        "enabled": boolean,
        "metrics": object_of({}, {"local": object_of({}, {"enabled": boolean})}),
        "traces": TRACES,
        "exporters": object_of({}, {"otlp": object_of({"endpoint": STRING})}),
    },
)
CONTROL = object_of(
    {"type": TYPE, "port": PORT},
    {
        "address": ADDRESS,
        "authentication": AUTHENTICATION,
        "management": MANAGEMENT,
        "observability": OBSERVABILITY,
    },
)
