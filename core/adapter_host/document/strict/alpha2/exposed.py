"""Rules of `exposes`: REST, MCP and skills."""

from adapter_host.document.strict.grammar import any_of, array_of, boolean, enum, object_of, one_of, string
from adapter_host.document.strict.modes import Mode, modes
from adapter_host.document.strict.outputs import MAPPED_LIST
from adapter_host.document.strict.parts import FORWARD, HINTS, PROMPT_MESSAGE, SKILL_KEYS, SKILL_TOOL_SOURCE, mcp_port
from adapter_host.document.strict.terms import (
    ADDRESS,
    AUTHENTICATION,
    FILE_URI,
    INPUT_TYPE,
    METHOD,
    MIME_TYPE,
    NAME,
    PORT,
    REFERENCE,
    STRING,
    TYPE,
    WIDE_NAME,
)

from .units import ANY_LIST, EXECUTION, FROM_STEPS_LIST, MOCK_LIST, TOOL_INPUT

# Exposed as REST

EXPOSED_INPUT = object_of(
    {
        "name": WIDE_NAME,
        "in": enum("query", "header", "path", "cookie", "body"),
        "type": INPUT_TYPE,
        "description": STRING,
    },
    {"pattern": STRING, "value": STRING},
)
EXPOSED_OPERATION = object_of(
    {"method": METHOD},
    {
        "name": NAME,
        "label": STRING,
        "description": STRING,
        "inputParameters": array_of(EXPOSED_INPUT),
        "ref": REFERENCE,
        **EXECUTION,
    },
    modes(
        Mode("ref", outputs=ANY_LIST),
        Mode("steps", ("name",), FROM_STEPS_LIST),
        Mode("", outputs=MAPPED_LIST),
    ),
)
EXPOSED_RESOURCE = object_of(
    {"path": STRING},
    {
        "name": NAME,
        "label": STRING,
        "description": STRING,
        "inputParameters": array_of(EXPOSED_INPUT),
        "operations": array_of(EXPOSED_OPERATION),
        "forward": FORWARD,
    },
    any_of("operations", "forward"),
)
REST = object_of(
    {"type": TYPE, "port": PORT, "namespace": NAME},
    {"address": ADDRESS, "authentication": AUTHENTICATION, "resources": array_of(EXPOSED_RESOURCE, minimum=1)},
)

# Exposed as MCP

TOOL = object_of(
    {},
    {
        "name": NAME,
        "label": STRING,
        "description": STRING,
        "inputParameters": array_of(TOOL_INPUT),
        "ref": REFERENCE,
        "hints": HINTS,
        **EXECUTION,
    },
    modes(
        Mode("ref", outputs=ANY_LIST),
        Mode("call", ("name", "description"), MAPPED_LIST),
        Mode("steps", ("name", "description"), FROM_STEPS_LIST),
        Mode("outputParameters", ("name", "description"), MOCK_LIST),
        none_message="the tool needs 'ref', 'call', 'steps' or 'outputParameters'",
    ),
)
MCP_RESOURCE = object_of(
    {"name": WIDE_NAME, "label": STRING, "uri": STRING, "description": STRING},
    {"mimeType": MIME_TYPE, "location": FILE_URI, **EXECUTION},
    modes(
        Mode("call", outputs=MAPPED_LIST, excludes=("location",)),
        Mode("steps", outputs=FROM_STEPS_LIST, excludes=("location",)),
        Mode("location", outputs=ANY_LIST, excludes=("call", "steps")),
        none_message="the resource needs 'call', 'steps' or 'location'",
        exclusive=True,
    ),
)
PROMPT_ARGUMENT = object_of({"name": WIDE_NAME, "description": STRING}, {"label": STRING, "required": boolean})
PROMPT = object_of(
    {"name": WIDE_NAME, "label": STRING, "description": STRING},
    {
        "arguments": array_of(PROMPT_ARGUMENT, minimum=1),
        "template": array_of(PROMPT_MESSAGE, minimum=1),
        "location": FILE_URI,
    },
    one_of("template", "location"),
)
MCP = object_of(
    {"type": TYPE, "namespace": NAME, "tools": array_of(TOOL, minimum=1)},
    {
        "transport": enum("http", "stdio"),
        "address": ADDRESS,
        "port": PORT,
        "description": STRING,
        "authentication": AUTHENTICATION,
        "resources": array_of(MCP_RESOURCE, minimum=1),
        "prompts": array_of(PROMPT, minimum=1),
    },
    mcp_port,
)

# Exposed as skills

SKILL_TOOL = object_of(
    {"name": NAME, "description": STRING},
    {"from": SKILL_TOOL_SOURCE, "instruction": STRING},
    one_of("from", "instruction"),
)
EXPOSED_SKILL = object_of(
    {"name": NAME, "description": string(maximum=1024)},
    {**SKILL_KEYS, "tools": array_of(SKILL_TOOL, minimum=1)},
)
SKILL = object_of(
    {"type": TYPE, "port": PORT, "namespace": NAME, "skills": array_of(EXPOSED_SKILL, minimum=1)},
    {"address": ADDRESS, "description": STRING, "authentication": AUTHENTICATION},
)
