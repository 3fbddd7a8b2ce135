"""What every version of the language says in the same words."""

from typing import Any

from adapter_host.document.nodes import Loc

from .grammar import Findings, Rule, Rules, anything, by_kind, flag, list_of, map_of, obj, text, typed, word
from .terms import (
    EMAIL,
    FILE_URI,
    FILLED,
    LANGUAGE,
    NAME,
    REFERENCE,
    TEXT,
    TYPE,
    URI,
    WIDE_NAME_PATTERN,
    WIDE_NAME_SAYS,
)

# About the document, and its binds

PERSON = obj({"role": TEXT, "fullName": TEXT}, {"email": EMAIL})
# Secret, since some will write the secret itself where the name of its place belongs.
BOUND_KEY = text(WIDE_NAME_PATTERN, WIDE_NAME_SAYS, secret=True)
BIND_KEYS = map_of(BOUND_KEY, pattern=r"[A-Z][A-Z0-9_]*", says="capital letters, digits and '_'")
BIND = obj({"namespace": NAME, "keys": BIND_KEYS}, {"description": TEXT, "location": URI})

# What is sent

FORM_PART = obj({"name": TEXT, "value": TEXT}, {"filename": TEXT, "contentType": TEXT})
TEXT_BODY = obj({"type": TYPE, "data": TEXT})
JSON_DATA = by_kind("text, a mapping or a list", {str: anything, dict: anything, list: anything})
FORM_DATA = by_kind("text or a mapping", {str: anything, dict: map_of(TEXT)})
STRUCTURED_BODY = typed(
    {
        "json": obj({"type": TYPE, "data": JSON_DATA}),
        "text": TEXT_BODY,
        "xml": TEXT_BODY,
        "sparql": TEXT_BODY,
        "formUrlEncoded": obj({"type": TYPE, "data": FORM_DATA}),
        "multipartForm": obj({"type": TYPE, "data": list_of(FORM_PART)}),
    }
)
BODY = by_kind("text or a mapping", {str: anything, dict: STRUCTURED_BODY})
WITH = map_of(by_kind("text or a number", {str: anything, int: anything, float: anything}))


def step(named: Rules) -> Rule:
    """Return a step; `named` is how it is named where it stands in a list."""
    lookup = {"index": NAME, "match": NAME, "lookupValue": TEXT, "outputParameters": list_of(TEXT, least=1)}
    script = {"language": LANGUAGE, "location": FILE_URI, "dependencies": list_of(FILLED, least=1), "with": WITH}
    return typed(
        {
            "call": obj({"type": TYPE, **named, "call": REFERENCE}, {"with": WITH}),
            "lookup": obj({"type": TYPE, **named, **lookup}),
            "script": obj({"type": TYPE, **named, "file": FILLED}, script),
        }
    )


# What is offered

FORWARD = obj({"targetNamespace": NAME}, {"trustedHeaders": list_of(TEXT, least=1)})
HINTS = obj({}, {"readOnly": flag, "destructive": flag, "idempotent": flag, "openWorld": flag})
SEMANTICS = obj({}, {"safe": flag, "idempotent": flag, "cacheable": flag})
PROMPT_MESSAGE = obj({"role": word("user", "assistant"), "content": TEXT})
SKILL_TOOL_SOURCE = obj({"sourceNamespace": TEXT, "action": TEXT})
SKILL_KEYS = {
    "license": TEXT,
    "compatibility": text(most=500),
    "metadata": map_of(TEXT),
    "allowed-tools": text(most=1024),
    "argument-hint": TEXT,
    "user-invocable": flag,
    "disable-model-invocation": flag,
    "location": FILE_URI,
}


def mcp_port(value: dict[str, Any], at: Loc, findings: Findings) -> None:
    """Check that a port is declared with the transport http only."""
    transport = value.get("transport", "http")
    if transport == "stdio" and "port" in value:
        findings.add((*at, "port"), "'port' has no use with 'transport: stdio'", "conflicting-keys", key=True)
    elif transport == "http" and "port" not in value:
        findings.missing(at, "port", " (needed unless 'transport' is 'stdio')")


def importable(own: Rule, imported: Rule, *, mark: str, place: str = "from") -> Rule:
    """Return an entry of its own, which has the key `mark`, or one imported from the file at the key `place`."""

    def check(value: Any, at: Loc, findings: Findings) -> None:
        foreign = isinstance(value, dict) and not value.keys().isdisjoint({"import", place}) and mark not in value
        (imported if foreign else own)(value, at, findings)

    return check
