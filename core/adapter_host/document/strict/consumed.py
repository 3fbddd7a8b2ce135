"""What a capability consumes."""

from typing import Any

from adapter_host.document.nodes import Loc

from .grammar import Findings, anything, by_kind, list_of, map_of, obj, typed, word
from .terms import AUTHENTICATION, BASE_URI, METHOD, NAME, OUTPUT_TYPE, SECRET, TEXT, TYPE, WIDE_NAME

CONSUMED_INPUT = obj(
    {"name": WIDE_NAME, "in": word("query", "header", "path", "cookie", "body", "environment")},
    {"value": SECRET},
)
CONSUMED_INPUTS = list_of(CONSUMED_INPUT)
CONSUMED_OUTPUT = obj({"name": WIDE_NAME, "type": OUTPUT_TYPE, "value": TEXT})
FORM_PART = obj({"name": TEXT, "value": TEXT}, {"filename": TEXT, "contentType": TEXT})
TEXT_BODY = obj({"type": TYPE, "data": TEXT})
JSON_DATA = by_kind("text, a mapping or a list", {str: anything, dict: anything, list: anything})
FORM_DATA = by_kind("text or a mapping", {str: anything, dict: map_of(TEXT)})
STRUCTURED_BODY = typed(
    {
        "json": obj({"type": TYPE, "data": JSON_DATA}),
        "text": TEXT_BODY,
        "xml": TEXT_BODY,
        "sparql": TEXT_BODY,
        "formUrlEncoded": obj({"type": TYPE, "data": FORM_DATA}),
        "multipartForm": obj({"type": TYPE, "data": list_of(FORM_PART)}),
    }
)
CONSUMED_OPERATION = obj(
    {"name": NAME, "method": METHOD},
    {
        "label": TEXT,
        "description": TEXT,
        "inputParameters": CONSUMED_INPUTS,
        "body": by_kind("text or a mapping", {str: anything, dict: STRUCTURED_BODY}),
        "outputRawFormat": word("json", "xml", "avro", "protobuf", "csv", "tsv", "psv", "yaml", "html", "markdown"),
        "outputSchema": TEXT,
        "outputParameters": list_of(CONSUMED_OUTPUT),
    },
)
CONSUMED_RESOURCE = obj(
    {"name": NAME, "path": TEXT, "operations": list_of(CONSUMED_OPERATION, least=1)},
    {"label": TEXT, "description": TEXT, "inputParameters": CONSUMED_INPUTS},
)
CONSUMES_HTTP = obj(
    {"namespace": NAME, "type": word("http"), "baseUri": BASE_URI},
    {
        "description": TEXT,
        "inputParameters": CONSUMED_INPUTS,
        "authentication": AUTHENTICATION,
        "resources": list_of(CONSUMED_RESOURCE, least=1),
    },
)
CONSUMES_IMPORT = obj({"location": TEXT, "import": NAME}, {"as": NAME, "description": TEXT})


def consumes_entry(value: Any, at: Loc, findings: Findings) -> None:
    """An upstream declared here, or imported from another file."""
    imported = isinstance(value, dict) and value.keys() & {"location", "import"} and "type" not in value
    (CONSUMES_IMPORT if imported else CONSUMES_HTTP)(value, at, findings)


CONSUMES = list_of(consumes_entry, least=1)
