"""Rules of `exposes`: REST, MCP and skills."""

from typing import Any

from adapter_host.document.nodes import Loc
from adapter_host.document.strict.control import CONTROL
from adapter_host.document.strict.grammar import (
    Findings,
    any_of,
    anything,
    array_of,
    boolean,
    by_type_key,
    by_value_type,
    enum,
    integer,
    mapping_of,
    object_of,
    one_of,
    string,
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
    MIME_DESCRIPTION,
    MIME_PATTERN,
    MIME_TYPE,
    NAME,
    PORT,
    REFERENCE,
    STRING,
    STRINGS,
    TYPE,
)

from .consumed import IMPORT
from .units import EXECUTION, FROM_STEPS_BY_NAME, MOCKS_BY_NAME, TOOL_INPUTS, by_name, by_wide_name

# Exposed as REST

EXPOSED_INPUTS = by_wide_name(
    object_of(
        {"in": enum("query", "header", "path", "cookie", "body"), "type": INPUT_TYPE, "description": STRING},
        {"pattern": STRING, "value": STRING},
    )
)
CONTENT = object_of({}, {"binary": boolean, "schema": mapping_of(anything)})
RESPONSE = object_of(
    {},
    {
        "description": STRING,
        "content": mapping_of(CONTENT, pattern=MIME_PATTERN, description=MIME_DESCRIPTION, minimum=1),
    },
)
RESPONSES = mapping_of(RESPONSE, pattern=r"[1-5][0-9X]{2}", description="a status or a range, such as 200 or 2XX")
RESPONSE_BINARY = object_of({"mediaType": MIME_TYPE}, {"status": integer(100, 599), "description": STRING})


def rest_outputs(value: Any, loc: Loc, findings: Findings) -> None:
    """Validate a list as mapped outputs; the official schema accepts anything else."""
    if isinstance(value, list):
        MAPPED_LIST(value, loc, findings)


def one_binary_response(value: dict[str, Any], loc: Loc, findings: Findings) -> None:
    """Reject `responses` together with `responseBinary`."""
    if "responses" in value and "responseBinary" in value:
        findings.conflict(loc, "responses", "responseBinary")


EXPOSED_OPERATION = object_of(
    {"method": METHOD},
    {
        "display": STRING,
        "tags": STRINGS,
        "description": STRING,
        "inputParameters": EXPOSED_INPUTS,
        "ref": REFERENCE,
        "responses": RESPONSES,
        "responseBinary": RESPONSE_BINARY,
        **EXECUTION,
    },
    modes(Mode("ref"), Mode("", outputs=rest_outputs)),
    one_binary_response,
)
EXPOSED_RESOURCE = object_of(
    {"path": STRING},
    {
        "display": STRING,
        "tags": STRINGS,
        "description": STRING,
        "inputParameters": EXPOSED_INPUTS,
        "operations": by_name(EXPOSED_OPERATION),
        "forward": FORWARD,
    },
    any_of("operations", "forward"),
)
REST = object_of(
    {"type": TYPE, "port": PORT, "namespace": NAME},
    {
        "address": ADDRESS,
        "authentication": AUTHENTICATION,
        "maxBinarySize": BINARY_SIZE,
        "resources": by_name(EXPOSED_RESOURCE),
    },
)

# Exposed as MCP

TOOL = object_of(
    {},
    {
        "display": STRING,
        "tags": STRINGS,
        "description": STRING,
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
        none_message="the tool needs 'ref', 'call', 'steps' or 'outputParameters'",
    ),
)
MCP_RESOURCE = object_of(
    {"display": STRING, "uri": STRING, "description": STRING},
    {"mimeType": MIME_TYPE, "binary": boolean, "location": FILE_URI, **EXECUTION},
    modes(
        Mode("call", outputs=MAPPED_LIST, excludes=("location",)),
        Mode("steps", outputs=FROM_STEPS_BY_NAME, excludes=("location",)),
        Mode(
            "location",
            outputs=by_value_type("a list or a mapping", {list: anything, dict: anything}),
            excludes=("call", "steps"),
        ),
        none_message="the resource needs 'call', 'steps' or 'location'",
        exclusive=True,
    ),
)
PROMPT_ARGUMENT = object_of({"description": STRING}, {"display": STRING, "required": boolean})
PROMPT = object_of(
    {"display": STRING, "description": STRING},
    {
        "arguments": by_wide_name(PROMPT_ARGUMENT),
        "template": array_of(PROMPT_MESSAGE, minimum=1),
        "location": FILE_URI,
    },
    one_of("template", "location"),
)
MCP = object_of(
    {"type": TYPE, "namespace": NAME, "tools": by_name(TOOL)},
    {
        "transport": enum("http", "stdio"),
        "address": ADDRESS,
        "port": PORT,
        "description": STRING,
        "maxBinarySize": BINARY_SIZE,
        "ttlMs": integer(),
        "cacheScope": enum("public", "private"),
        "authentication": AUTHENTICATION,
        "resources": by_name(MCP_RESOURCE),
        "prompts": by_name(PROMPT),
    },
    mcp_port,
)

# Exposed as skills

SKILL_TOOL = object_of(
    {"description": STRING},
    {"from": SKILL_TOOL_SOURCE, "instruction": STRING},
    one_of("from", "instruction"),
)
EXPOSED_SKILL = object_of({"description": string(maximum=1024)}, {**SKILL_KEYS, "tools": by_name(SKILL_TOOL)})
SKILL = object_of(
    {"type": TYPE, "port": PORT, "namespace": NAME, "skills": by_name(EXPOSED_SKILL)},
    {"address": ADDRESS, "description": STRING, "authentication": AUTHENTICATION},
)

EXPOSED = by_type_key({"rest": REST, "mcp": MCP, "skill": SKILL, "control": CONTROL})
EXPOSES = array_of(importable(EXPOSED, IMPORT, own_key="type"), minimum=1)
