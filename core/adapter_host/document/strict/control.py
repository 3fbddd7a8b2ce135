"""The control adapter, of which every version of the language says the same."""

from .grammar import anything, by_kind, flag, list_of, number, obj, whole, word
from .terms import ADDRESS, AUTHENTICATION, FILE_URI, LANGUAGE, PORT, TEXT, TYPE

SCRIPTING = obj(
    {},
    {
        "enabled": flag,
        "defaultLocation": FILE_URI,
        "defaultLanguage": LANGUAGE,
        "timeout": whole(1),
        "statementLimit": whole(1),
        "allowedLanguages": list_of(LANGUAGE),
    },
)
LOGS = obj({}, {"level-control": flag, "stream": flag, "max-subscribers": whole(1, 20)})
MANAGEMENT = obj(
    {},
    {
        "health": flag,
        "info": flag,
        "reload": flag,
        "validate": flag,
        "logs": by_kind("true, false or a mapping", {bool: anything, dict: LOGS}),
        "scripting": SCRIPTING,
    },
)
TRACES = obj(
    {},
    {
        "sampling": number(0, 1),
        "propagation": word("w3c", "b3"),
        "local": obj({}, {"enabled": flag, "buffer-size": whole(10, 10000)}),
    },
)
OBSERVABILITY = obj(
    {},
    {
        "enabled": flag,
        "metrics": obj({}, {"local": obj({}, {"enabled": flag})}),
        "traces": TRACES,
        "exporters": obj({}, {"otlp": obj({"endpoint": TEXT})}),
    },
)
CONTROL = obj(
    {"type": TYPE, "port": PORT},
    {
        "address": ADDRESS,
        "authentication": AUTHENTICATION,
        "management": MANAGEMENT,
        "observability": OBSERVABILITY,
    },
)
