"""What a capability consumes."""

from adapter_host.document.strict.grammar import list_of, obj, word
from adapter_host.document.strict.parts import BODY, importable
from adapter_host.document.strict.terms import (
    AUTHENTICATION,
    BASE_URI,
    METHOD,
    NAME,
    OUTPUT_TYPE,
    SECRET,
    TEXT,
    WIDE_NAME,
)

CONSUMED_INPUT = obj(
    {"name": WIDE_NAME, "in": word("query", "header", "path", "cookie", "body", "environment")},
    {"value": SECRET},
)
CONSUMED_INPUTS = list_of(CONSUMED_INPUT)
CONSUMED_OUTPUT = obj({"name": WIDE_NAME, "type": OUTPUT_TYPE, "value": TEXT})
CONSUMED_OPERATION = obj(
    {"name": NAME, "method": METHOD},
    {
        "label": TEXT,
        "description": TEXT,
        "inputParameters": CONSUMED_INPUTS,
        "body": BODY,
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
CONSUMES = list_of(importable(CONSUMES_HTTP, CONSUMES_IMPORT, mark="type", place="location"), least=1)
