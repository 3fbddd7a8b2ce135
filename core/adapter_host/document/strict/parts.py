"""Rules that all versions share."""

from typing import Any

from adapter_host.document.nodes import Loc

from .grammar import (
    Findings,
    Rule,
    Rules,
    anything,
    array_of,
    boolean,
    by_type_key,
    by_value_type,
    enum,
    mapping_of,
    object_of,
    string,
)
from .terms import (
    EMAIL,
    FILE_URI,
    LANGUAGE,
    NAME,
    NON_EMPTY,
    REFERENCE,
    STRING,
    TYPE,
    URI,
    WIDE_NAME_DESCRIPTION,
    WIDE_NAME_PATTERN,
)

# Document and binds

PERSON = object_of({"role": STRING, "fullName": STRING}, {"email": EMAIL})
# Marked secret, as some documents have the secret itself here instead of its key.
BOUND_KEY = string(WIDE_NAME_PATTERN, WIDE_NAME_DESCRIPTION, secret=True)
BIND_KEYS = mapping_of(BOUND_KEY, pattern=r"[A-Z][A-Z0-9_]*", description="capital letters, digits and '_'")
BIND = object_of({"namespace": NAME, "keys": BIND_KEYS}, {"description": STRING, "location": URI})

# Requests

FORM_PART = object_of({"name": STRING, "value": STRING}, {"filename": STRING, "contentType": STRING})
TEXT_BODY = object_of({"type": TYPE, "data": STRING})
JSON_DATA = by_value_type("text, a mapping or a list", {str: anything, dict: anything, list: anything})
FORM_DATA = by_value_type("text or a mapping", {str: anything, dict: mapping_of(STRING)})
STRUCTURED_BODY = by_type_key(
    {
        "json": object_of({"type": TYPE, "data": JSON_DATA}),
        "text": TEXT_BODY,
        "xml": TEXT_BODY,
        "sparql": TEXT_BODY,
        "formUrlEncoded": object_of({"type": TYPE, "data": FORM_DATA}),
        "multipartForm": object_of({"type": TYPE, "data": array_of(FORM_PART)}),
    }
)
BODY = by_value_type("text or a mapping", {str: anything, dict: STRUCTURED_BODY})
WITH = mapping_of(by_value_type("text or a number", {str: anything, int: anything, float: anything}))


def step(name_rules: Rules) -> Rule:
    """Return the rule of a step; `name_rules` are the keys that name it in a list."""
    lookup = {"index": NAME, "match": NAME, "lookupValue": STRING, "outputParameters": array_of(STRING, minimum=1)}
    script = {"language": LANGUAGE, "location": FILE_URI, "dependencies": array_of(NON_EMPTY, minimum=1), "with": WITH}
    return by_type_key(
        {
            "call": object_of({"type": TYPE, **name_rules, "call": REFERENCE}, {"with": WITH}),
            "lookup": object_of({"type": TYPE, **name_rules, **lookup}),
            "script": object_of({"type": TYPE, **name_rules, "file": NON_EMPTY}, script),
        }
    )


# Exposed operations

FORWARD = object_of({"targetNamespace": NAME}, {"trustedHeaders": array_of(STRING, minimum=1)})
HINTS = object_of({}, {"readOnly": boolean, "destructive": boolean, "idempotent": boolean, "openWorld": boolean})
SEMANTICS = object_of({}, {"safe": boolean, "idempotent": boolean, "cacheable": boolean})
PROMPT_MESSAGE = object_of({"role": enum("user", "assistant"), "content": STRING})
SKILL_TOOL_SOURCE = object_of({"sourceNamespace": STRING, "action": STRING})
SKILL_KEYS = {
    "license": STRING,
    "compatibility": string(maximum=500),
    "metadata": mapping_of(STRING),
    "allowed-tools": string(maximum=1024),
    "argument-hint": STRING,
    "user-invocable": boolean,
    "disable-model-invocation": boolean,
    "location": FILE_URI,
}


def mcp_port(value: dict[str, Any], loc: Loc, findings: Findings) -> None:
    """Require a port for the transport http, and reject it for stdio."""
    transport = value.get("transport", "http")
    if transport == "stdio" and "port" in value:
        findings.add((*loc, "port"), "'port' is not allowed with 'transport: stdio'", "conflicting-keys", key=True)
    elif transport == "http" and "port" not in value:
        findings.missing(loc, "port", " (needed unless 'transport' is 'stdio')")


def importable(own: Rule, imported: Rule, *, own_key: str, file_key: str = "from") -> Rule:
    """Return the rule of an entry with the key `own_key`, or of an import from the file at `file_key`."""

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        is_import = (
            isinstance(value, dict) and not value.keys().isdisjoint({"import", file_key}) and own_key not in value
        )
        (imported if is_import else own)(value, loc, findings)

    return check
