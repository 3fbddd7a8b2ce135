"""What a capability exposes: REST, MCP and skills."""

from adapter_host.document.strict.grammar import any_of, flag, list_of, obj, one_of, text, word
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
    TEXT,
    TYPE,
    WIDE_NAME,
)

from .units import ANY_LIST, EXECUTION, FROM_STEPS_LIST, MOCK_LIST, TOOL_INPUT

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
        Mode("ref", outputs=ANY_LIST),
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
        "forward": FORWARD,
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
        "hints": HINTS,
        **EXECUTION,
    },
    modes(
        Mode("ref", outputs=ANY_LIST),
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
        Mode("location", outputs=ANY_LIST, excludes=("call", "steps")),
        without="the resource needs 'call', 'steps' or 'location'",
        single=True,
    ),
)
PROMPT_ARGUMENT = obj({"name": WIDE_NAME, "description": TEXT}, {"label": TEXT, "required": flag})
PROMPT = obj(
    {"name": WIDE_NAME, "label": TEXT, "description": TEXT},
    {
        "arguments": list_of(PROMPT_ARGUMENT, least=1),
        "template": list_of(PROMPT_MESSAGE, least=1),
        "location": FILE_URI,
    },
    one_of("template", "location"),
)
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
    {"from": SKILL_TOOL_SOURCE, "instruction": TEXT},
    one_of("from", "instruction"),
)
EXPOSED_SKILL = obj(
    {"name": NAME, "description": text(most=1024)},
    {**SKILL_KEYS, "tools": list_of(SKILL_TOOL, least=1)},
)
SKILL = obj(
    {"type": TYPE, "port": PORT, "namespace": NAME, "skills": list_of(EXPOSED_SKILL, least=1)},
    {"address": ADDRESS, "description": TEXT, "authentication": AUTHENTICATION},
)
