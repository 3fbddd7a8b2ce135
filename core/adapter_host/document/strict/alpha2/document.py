"""A document of 1.0.0-alpha2, as its official schema has it."""

from adapter_host.document.strict.control import CONTROL
from adapter_host.document.strict.grammar import any_of, list_of, obj, one_of, typed, word
from adapter_host.document.strict.modes import Mode, modes
from adapter_host.document.strict.outputs import MAPPED_LIST
from adapter_host.document.strict.parts import BIND, PERSON, SEMANTICS
from adapter_host.document.strict.terms import DATE, NAME, TEXT, TEXTS

from .consumed import CONSUMES
from .exposed import MCP, REST, SKILL
from .units import EXECUTION, FROM_STEPS_LIST, MOCK_LIST, TOOL_INPUT

VERSION = "1.0.0-alpha2"

INFO = obj(
    {"label": TEXT, "description": TEXT},
    {"tags": TEXTS, "created": DATE, "modified": DATE, "stakeholders": list_of(PERSON)},
)
BINDS = list_of(BIND, least=1)
FUNCTION = obj(
    {"name": NAME, "description": TEXT},
    {
        "semantics": SEMANTICS,
        "inputParameters": list_of(TOOL_INPUT),
        **EXECUTION,
    },
    modes(
        Mode("call", outputs=MAPPED_LIST),
        Mode("steps", outputs=FROM_STEPS_LIST),
        Mode("outputParameters", outputs=MOCK_LIST),
        without="the function needs 'call', 'steps' or 'outputParameters'",
    ),
)
AGGREGATE = obj({"label": TEXT, "namespace": NAME, "functions": list_of(FUNCTION, least=1)})

# The document

CAPABILITY = obj(
    {},
    {
        "binds": BINDS,
        "exposes": list_of(typed({"rest": REST, "mcp": MCP, "skill": SKILL, "control": CONTROL}), least=1),
        "consumes": CONSUMES,
        "aggregates": list_of(AGGREGATE, least=1),
    },
    any_of("exposes", "consumes"),
)
DOCUMENT = obj(
    {"naftiko": word(VERSION)},
    {"info": INFO, "consumes": CONSUMES, "binds": BINDS, "capability": CAPABILITY},
    one_of("capability", "consumes"),
)
