"""Rules of a 1.0.0-alpha2 document, as in its official schema."""

from adapter_host.document.strict.control import CONTROL
from adapter_host.document.strict.grammar import any_of, array_of, by_type_key, enum, object_of, one_of
from adapter_host.document.strict.modes import Mode, modes
from adapter_host.document.strict.outputs import MAPPED_LIST
from adapter_host.document.strict.parts import BIND, PERSON, SEMANTICS
from adapter_host.document.strict.terms import DATE, NAME, STRING, STRINGS

from .consumed import CONSUMES
from .exposed import MCP, REST, SKILL
from .units import EXECUTION, FROM_STEPS_LIST, MOCK_LIST, TOOL_INPUT

VERSION = "1.0.0-alpha2"

INFO = object_of(
    {"label": STRING, "description": STRING},
    {"tags": STRINGS, "created": DATE, "modified": DATE, "stakeholders": array_of(PERSON)},
)
BINDS = array_of(BIND, minimum=1)
FUNCTION = object_of(
    {"name": NAME, "description": STRING},
    {
        "semantics": SEMANTICS,
        "inputParameters": array_of(TOOL_INPUT),
        **EXECUTION,
    },
    modes(
        Mode("call", outputs=MAPPED_LIST),
        Mode("steps", outputs=FROM_STEPS_LIST),
        Mode("outputParameters", outputs=MOCK_LIST),
        none_message="the function needs 'call', 'steps' or 'outputParameters'",
    ),
)
AGGREGATE = object_of({"label": STRING, "namespace": NAME, "functions": array_of(FUNCTION, minimum=1)})

# The document

CAPABILITY = object_of(
    {},
    {
        "binds": BINDS,
        "exposes": array_of(by_type_key({"rest": REST, "mcp": MCP, "skill": SKILL, "control": CONTROL}), minimum=1),
        "consumes": CONSUMES,
        "aggregates": array_of(AGGREGATE, minimum=1),
    },
    any_of("exposes", "consumes"),
)
DOCUMENT = object_of(
    {"naftiko": enum(VERSION)},
    {"info": INFO, "consumes": CONSUMES, "binds": BINDS, "capability": CAPABILITY},
    one_of("capability", "consumes"),
)
