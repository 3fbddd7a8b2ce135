"""Rules of a 1.0.0-beta5 document, as in its official schema."""

from typing import Any

from adapter_host.document.nodes import Loc
from adapter_host.document.strict.grammar import Findings, any_of, array_of, enum, object_of, quote_all
from adapter_host.document.strict.modes import Mode, modes
from adapter_host.document.strict.outputs import MAPPED_LIST
from adapter_host.document.strict.parts import BIND, PERSON, SEMANTICS, importable
from adapter_host.document.strict.terms import DATE, NAME, STRING, STRINGS

from .consumed import CONSUMES, IMPORT
from .exposed import EXPOSES
from .units import EXECUTION, FROM_STEPS_BY_NAME, MOCKS_BY_NAME, TOOL_INPUTS, by_name

VERSION = "1.0.0-beta5"

INFO = object_of(
    {"display": STRING, "description": STRING},
    {"tags": STRINGS, "created": DATE, "modified": DATE, "version": STRING, "stakeholders": array_of(PERSON)},
)
BINDS = array_of(importable(BIND, IMPORT, own_key="keys"), minimum=1)
FLOW = object_of(
    {"description": STRING},
    {
        "tags": STRINGS,
        "semantics": SEMANTICS,
        "outputMediaType": STRING,
        "inputParameters": TOOL_INPUTS,
        **EXECUTION,
    },
    modes(
        Mode("call", outputs=MAPPED_LIST),
        Mode("steps", outputs=FROM_STEPS_BY_NAME),
        Mode("outputParameters", outputs=MOCKS_BY_NAME),
        none_message="the flow needs 'call', 'steps' or 'outputParameters'",
    ),
)
AGGREGATE = object_of({"display": STRING, "flows": by_name(FLOW)}, {"namespace": NAME})
AGGREGATES = array_of(importable(AGGREGATE, IMPORT, own_key="flows"), minimum=1)
SECTIONS = {"binds": BINDS, "consumes": CONSUMES, "exposes": EXPOSES, "aggregates": AGGREGATES}
CAPABILITY = object_of({}, SECTIONS, any_of("exposes", "consumes"))


def one_section(value: dict[str, Any], loc: Loc, findings: Findings) -> None:
    """Require `capability`, or a single section to import from."""
    shared = [key for key in SECTIONS if key in value]
    if "capability" in value:
        return
    if not shared:
        findings.missing(loc, "capability", f" (or, in a file to import from, {quote_all(SECTIONS)})")
    elif len(shared) > 1:
        findings.conflict(loc, *shared[:2])


DOCUMENT = object_of({"ikanos": enum(VERSION)}, {"info": INFO, **SECTIONS, "capability": CAPABILITY}, one_section)
