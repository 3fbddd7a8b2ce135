"""What a capability exposes: REST, MCP, skills and control."""

from typing import Any

from adapter_host.document.nodes import Loc

from .grammar import (
    Findings,
    any_of,
    anything,
    by_kind,
    flag,
    list_of,
    map_of,
    number,
    obj,
    one_of,
    text,
    whole,
    word,
)
from .modes import Mode, modes
from .terms import (
    ADDRESS,
    AUTHENTICATION,
    FILE_URI,
    INPUT_TYPE,
    LANGUAGE,
    METHOD,
    MIME_TYPE,
    NAME,
    PORT,
    REFERENCE,
    TEXT,
    TYPE,
    WIDE_NAME,
)
from .units import EXECUTION, FROM_STEPS_LIST, MAPPED_LIST, MOCK_LIST, TOOL_INPUT

# Exposed as REST

EXPOSED_INPUT = obj(
    {
        "name": WIDE_NAME,
        "in": word("query", "header", "path", "cookie", "body"),
        "type": INPUT_TYPE,
        "description": TEXT,
    },
    {"pattern": TEXT, "value": TEXT},
)
EXPOSED_OPERATION = obj(
    {"method": METHOD},
    {
        "name": NAME,
        "label": TEXT,
        "description": TEXT,
        "inputParameters": list_of(EXPOSED_INPUT),
        "ref": REFERENCE,
        **EXECUTION,
    },
    modes(
        Mode("ref"),
        Mode("steps", ("name",), FROM_STEPS_LIST),
        Mode("", outputs=MAPPED_LIST),
    ),
)
EXPOSED_RESOURCE = obj(
    {"path": TEXT},
    {
        "name": NAME,
        "label": TEXT,
        "description": TEXT,
        "inputParameters": list_of(EXPOSED_INPUT),
        "operations": list_of(EXPOSED_OPERATION),
        "forward": obj({"targetNamespace": NAME}, {"trustedHeaders": list_of(TEXT, least=1)}),
    },
    any_of("operations", "forward"),
)
REST = obj(
    {"type": TYPE, "port": PORT, "namespace": NAME},
    {"address": ADDRESS, "authentication": AUTHENTICATION, "resources": list_of(EXPOSED_RESOURCE, least=1)},
)

# Exposed as MCP

TOOL = obj(
    {},
    {
        "name": NAME,
        "label": TEXT,
        "description": TEXT,
        "inputParameters": list_of(TOOL_INPUT),
        "ref": REFERENCE,
        "hints": obj({}, {"readOnly": flag, "destructive": flag, "idempotent": flag, "openWorld": flag}),
        **EXECUTION,
    },
    modes(
        Mode("ref"),
        Mode("call", ("name", "description"), MAPPED_LIST),
        Mode("steps", ("name", "description"), FROM_STEPS_LIST),
        Mode("outputParameters", ("name", "description"), MOCK_LIST),
        without="the tool needs 'ref', 'call', 'steps' or 'outputParameters'",
    ),
)
MCP_RESOURCE = obj(
    {"name": WIDE_NAME, "label": TEXT, "uri": TEXT, "description": TEXT},
    {"mimeType": MIME_TYPE, "location": FILE_URI, **EXECUTION},
    modes(
        Mode("call", outputs=MAPPED_LIST, excludes=("location",)),
        Mode("steps", outputs=FROM_STEPS_LIST, excludes=("location",)),
        Mode("location", excludes=("call", "steps")),
        without="the resource needs 'call', 'steps' or 'location'",
        single=True,
    ),
)
PROMPT_ARGUMENT = obj({"name": WIDE_NAME, "description": TEXT}, {"label": TEXT, "required": flag})
PROMPT_MESSAGE = obj({"role": word("user", "assistant"), "content": TEXT})
PROMPT = obj(
    {"name": WIDE_NAME, "label": TEXT, "description": TEXT},
    {
        "arguments": list_of(PROMPT_ARGUMENT, least=1),
        "template": list_of(PROMPT_MESSAGE, least=1),
        "location": FILE_URI,
    },
    one_of("template", "location"),
)


def mcp_port(value: dict[str, Any], at: Loc, findings: Findings) -> None:
    """A port belongs to the transport http, and to it alone."""
    transport = value.get("transport", "http")
    if transport == "stdio" and "port" in value:
        findings.add((*at, "port"), "'port' has no use with 'transport: stdio'", "conflicting-keys", key=True)
    elif transport == "http" and "port" not in value:
        findings.missing(at, "port", " (needed unless 'transport' is 'stdio')")


MCP = obj(
    {"type": TYPE, "namespace": NAME, "tools": list_of(TOOL, least=1)},
    {
        "transport": word("http", "stdio"),
        "address": ADDRESS,
        "port": PORT,
        "description": TEXT,
        "authentication": AUTHENTICATION,
        "resources": list_of(MCP_RESOURCE, least=1),
        "prompts": list_of(PROMPT, least=1),
    },
    mcp_port,
)

# Exposed as skills

SKILL_TOOL = obj(
    {"name": NAME, "description": TEXT},
    {"from": obj({"sourceNamespace": TEXT, "action": TEXT}), "instruction": TEXT},
    one_of("from", "instruction"),
)
EXPOSED_SKILL = obj(
    {"name": NAME, "description": text(most=1024)},
    {
        "license": TEXT,
        "compatibility": text(most=500),
        "metadata": map_of(TEXT),
        "allowed-tools": text(most=1024),
        "argument-hint": TEXT,
        "user-invocable": flag,
        "disable-model-invocation": flag,
        "location": FILE_URI,
        "tools": list_of(SKILL_TOOL, least=1),
    },
)
SKILL = obj(
    {"type": TYPE, "port": PORT, "namespace": NAME, "skills": list_of(EXPOSED_SKILL, least=1)},
    {"address": ADDRESS, "description": TEXT, "authentication": AUTHENTICATION},
)

# Control

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
