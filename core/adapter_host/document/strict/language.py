"""The language of capabilities, version 1.0.0-alpha2, as its official schema has it."""

from .consumed import CONSUMES
from .exposed import CONTROL, MCP, REST, SKILL
from .grammar import any_of, flag, list_of, map_of, obj, one_of, text, typed, word
from .modes import Mode, modes
from .terms import DATE, EMAIL, NAME, TEXT, TEXTS, URI
from .units import EXECUTION, FROM_STEPS_LIST, MAPPED_LIST, MOCK_LIST, TOOL_INPUT

VERSION = "1.0.0-alpha2"

# Information and binds

PERSON = obj({"role": TEXT, "fullName": TEXT}, {"email": EMAIL})
INFO = obj(
    {"label": TEXT, "description": TEXT},
    {"tags": TEXTS, "created": DATE, "modified": DATE, "stakeholders": list_of(PERSON)},
)
# Secret, since some will write the secret itself where the name of its place belongs.
BOUND_KEY = text(r"[a-zA-Z0-9_*-]+", "letters, digits, '-', '_' and '*'", secret=True)
BIND_KEYS = map_of(BOUND_KEY, pattern=r"[A-Z][A-Z0-9_]*", says="capital letters, digits and '_'")
BIND = obj({"namespace": NAME, "keys": BIND_KEYS}, {"description": TEXT, "location": URI})
BINDS = list_of(BIND, least=1)

FUNCTION = obj(
    {"name": NAME, "description": TEXT},
    {
        "semantics": obj({}, {"safe": flag, "idempotent": flag, "cacheable": flag}),
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
