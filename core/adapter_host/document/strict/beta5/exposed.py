"""What a capability exposes: REST, MCP and skills."""

from typing import Any

from adapter_host.document.nodes import Loc
from adapter_host.document.strict.control import CONTROL
from adapter_host.document.strict.grammar import (
    Findings,
    any_of,
    anything,
    by_kind,
    flag,
    list_of,
    map_of,
    obj,
    one_of,
    text,
    typed,
    whole,
    word,
)
from adapter_host.document.strict.modes import Mode, modes
from adapter_host.document.strict.outputs import MAPPED_LIST
from adapter_host.document.strict.parts import (
    FORWARD,
    HINTS,
    PROMPT_MESSAGE,
    SKILL_KEYS,
    SKILL_TOOL_SOURCE,
    importable,
    mcp_port,
)
from adapter_host.document.strict.terms import (
    ADDRESS,
    AUTHENTICATION,
    BINARY_SIZE,
    FILE_URI,
    INPUT_TYPE,
    METHOD,
    MIME_PATTERN,
    MIME_SAYS,
    MIME_TYPE,
    NAME,
    PORT,
    REFERENCE,
    TEXT,
    TEXTS,
    TYPE,
)

from .consumed import IMPORT
from .units import EXECUTION, FROM_STEPS_BY_NAME, MOCKS_BY_NAME, TOOL_INPUTS, by_name, by_wide_name

# Exposed as REST

EXPOSED_INPUTS = by_wide_name(
    obj(
        {"in": word("query", "header", "path", "cookie", "body"), "type": INPUT_TYPE, "description": TEXT},
        {"pattern": TEXT, "value": TEXT},
    )
)
CONTENT = obj({}, {"binary": flag, "schema": map_of(anything)})
RESPONSE = obj({}, {"description": TEXT, "content": map_of(CONTENT, pattern=MIME_PATTERN, says=MIME_SAYS, least=1)})
RESPONSES = map_of(RESPONSE, pattern=r"[1-5][0-9X]{2}", says="a status or a range of them, as 200 and 2XX")
RESPONSE_BINARY = obj({"mediaType": MIME_TYPE}, {"status": whole(100, 599), "description": TEXT})


def rest_outputs(value: Any, at: Loc, findings: Findings) -> None:
    """Where they are a list they are mapped; of anything else the official schema asks nothing."""
    if isinstance(value, list):
        MAPPED_LIST(value, at, findings)


def one_answer(value: dict[str, Any], at: Loc, findings: Findings) -> None:
    """Check that a binary response is declared in one of the two ways."""
    if "responses" in value and "responseBinary" in value:
        findings.conflict(at, "responses", "responseBinary")


EXPOSED_OPERATION = obj(
    {"method": METHOD},
    {
        "display": TEXT,
        "tags": TEXTS,
        "description": TEXT,
        "inputParameters": EXPOSED_INPUTS,
        "ref": REFERENCE,
        "responses": RESPONSES,
        "responseBinary": RESPONSE_BINARY,
        **EXECUTION,
    },
    modes(Mode("ref"), Mode("", outputs=rest_outputs)),
    one_answer,
)
EXPOSED_RESOURCE = obj(
    {"path": TEXT},
    {
        "display": TEXT,
        "tags": TEXTS,
        "description": TEXT,
        "inputParameters": EXPOSED_INPUTS,
        "operations": by_name(EXPOSED_OPERATION),
        "forward": FORWARD,
    },
    any_of("operations", "forward"),
)
REST = obj(
    {"type": TYPE, "port": PORT, "namespace": NAME},
    {
        "address": ADDRESS,
        "authentication": AUTHENTICATION,
        "maxBinarySize": BINARY_SIZE,
        "resources": by_name(EXPOSED_RESOURCE),
    },
)

# Exposed as MCP

TOOL = obj(
    {},
    {
        "display": TEXT,
        "tags": TEXTS,
        "description": TEXT,
        "inputParameters": TOOL_INPUTS,
        "ref": REFERENCE,
        "hints": HINTS,
        **EXECUTION,
    },
    modes(
        Mode("ref"),
        Mode("call", ("description",), MAPPED_LIST),
        Mode("steps", ("description",), FROM_STEPS_BY_NAME),
        Mode("outputParameters", ("description",), MOCKS_BY_NAME),
        without="the tool needs 'ref', 'call', 'steps' or 'outputParameters'",
    ),
)
MCP_RESOURCE = obj(
    {"display": TEXT, "uri": TEXT, "description": TEXT},
    {"mimeType": MIME_TYPE, "binary": flag, "location": FILE_URI, **EXECUTION},
    modes(
        Mode("call", outputs=MAPPED_LIST, excludes=("location",)),
        Mode("steps", outputs=FROM_STEPS_BY_NAME, excludes=("location",)),
        Mode(
            "location",
            outputs=by_kind("a list or a mapping", {list: anything, dict: anything}),
            excludes=("call", "steps"),
        ),
        without="the resource needs 'call', 'steps' or 'location'",
        single=True,
    ),
)
PROMPT_ARGUMENT = obj({"description": TEXT}, {"display": TEXT, "required": flag})
PROMPT = obj(
    {"display": TEXT, "description": TEXT},
    {
        "arguments": by_wide_name(PROMPT_ARGUMENT),
        "template": list_of(PROMPT_MESSAGE, least=1),
        "location": FILE_URI,
    },
    one_of("template", "location"),
)
MCP = obj(
    {"type": TYPE, "namespace": NAME, "tools": by_name(TOOL)},
    {
        "transport": word("http", "stdio"),
        "address": ADDRESS,
        "port": PORT,
        "description": TEXT,
        "maxBinarySize": BINARY_SIZE,
        "ttlMs": whole(),
        "cacheScope": word("public", "private"),
        "authentication": AUTHENTICATION,
        "resources": by_name(MCP_RESOURCE),
        "prompts": by_name(PROMPT),
    },
    mcp_port,
)

# Exposed as skills

SKILL_TOOL = obj(
    {"description": TEXT},
    {"from": SKILL_TOOL_SOURCE, "instruction": TEXT},
    one_of("from", "instruction"),
)
EXPOSED_SKILL = obj({"description": text(most=1024)}, {**SKILL_KEYS, "tools": by_name(SKILL_TOOL)})
SKILL = obj(
    {"type": TYPE, "port": PORT, "namespace": NAME, "skills": by_name(EXPOSED_SKILL)},
    {"address": ADDRESS, "description": TEXT, "authentication": AUTHENTICATION},
)

EXPOSED = typed({"rest": REST, "mcp": MCP, "skill": SKILL, "control": CONTROL})
EXPOSES = list_of(importable(EXPOSED, IMPORT, mark="type"), least=1)
