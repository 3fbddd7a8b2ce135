"""A document of 1.0.0-beta5, as its official schema has it."""

from typing import Any

from adapter_host.document.nodes import Loc
from adapter_host.document.strict.grammar import Findings, any_of, list_of, obj, quoted, word
from adapter_host.document.strict.modes import Mode, modes
from adapter_host.document.strict.outputs import MAPPED_LIST
from adapter_host.document.strict.parts import BIND, PERSON, SEMANTICS, importable
from adapter_host.document.strict.terms import DATE, NAME, TEXT, TEXTS

from .consumed import CONSUMES, IMPORT
from .exposed import EXPOSES
from .units import EXECUTION, FROM_STEPS_BY_NAME, MOCKS_BY_NAME, TOOL_INPUTS, by_name

VERSION = "1.0.0-beta5"

INFO = obj(
    {"display": TEXT, "description": TEXT},
    {"tags": TEXTS, "created": DATE, "modified": DATE, "version": TEXT, "stakeholders": list_of(PERSON)},
)
BINDS = list_of(importable(BIND, IMPORT, mark="keys"), least=1)
FLOW = obj(
    {"description": TEXT},
    {
        "tags": TEXTS,
        "semantics": SEMANTICS,
        "outputMediaType": TEXT,
        "inputParameters": TOOL_INPUTS,
        **EXECUTION,
    },
    modes(
        Mode("call", outputs=MAPPED_LIST),
        Mode("steps", outputs=FROM_STEPS_BY_NAME),
        Mode("outputParameters", outputs=MOCKS_BY_NAME),
        without="the flow needs 'call', 'steps' or 'outputParameters'",
    ),
)
AGGREGATE = obj({"display": TEXT, "flows": by_name(FLOW)}, {"namespace": NAME})
AGGREGATES = list_of(importable(AGGREGATE, IMPORT, mark="flows"), least=1)
SECTIONS = {"binds": BINDS, "consumes": CONSUMES, "exposes": EXPOSES, "aggregates": AGGREGATES}
CAPABILITY = obj({}, SECTIONS, any_of("exposes", "consumes"))


def one_section(value: dict[str, Any], at: Loc, findings: Findings) -> None:
    """Check that a document is a capability, or shares exactly one section."""
    shared = [key for key in SECTIONS if key in value]
    if "capability" in value:
        return
    if not shared:
        findings.missing(at, "capability", f" (or, in a file to import from, {quoted(SECTIONS)})")
    elif len(shared) > 1:
        findings.conflict(at, *shared[:2])


DOCUMENT = obj({"ikanos": word(VERSION)}, {"info": INFO, **SECTIONS, "capability": CAPABILITY}, one_section)
