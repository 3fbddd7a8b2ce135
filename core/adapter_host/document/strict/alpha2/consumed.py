"""Rules of `consumes`."""

from adapter_host.document.strict.grammar import array_of, enum, object_of
from adapter_host.document.strict.parts import BODY, importable
from adapter_host.document.strict.terms import (
    AUTHENTICATION,
    BASE_URI,
    METHOD,
    NAME,
    OUTPUT_TYPE,
    SECRET,
    STRING,
    WIDE_NAME,
)

CONSUMED_INPUT = object_of(
    {"name": WIDE_NAME, "in": enum("query", "header", "path", "cookie", "body", "environment")},
    {"value": SECRET},
)
CONSUMED_INPUTS = array_of(CONSUMED_INPUT)
CONSUMED_OUTPUT = object_of({"name": WIDE_NAME, "type": OUTPUT_TYPE, "value": STRING})
CONSUMED_OPERATION = object_of(
    {"name": NAME, "method": METHOD},
    {
        "label": STRING,
        "description": STRING,
        "inputParameters": CONSUMED_INPUTS,
        "body": BODY,
        "outputRawFormat": enum("json", "xml", "avro", "protobuf", "csv", "tsv", "psv", "yaml", "html", "markdown"),
        "outputSchema": STRING,
        "outputParameters": array_of(CONSUMED_OUTPUT),
    },
)
CONSUMED_RESOURCE = object_of(
    {"name": NAME, "path": STRING, "operations": array_of(CONSUMED_OPERATION, minimum=1)},
    {"label": STRING, "description": STRING, "inputParameters": CONSUMED_INPUTS},
)
CONSUMES_HTTP = object_of(
    {"namespace": NAME, "type": enum("http"), "baseUri": BASE_URI},
    {
        "description": STRING,
        "inputParameters": CONSUMED_INPUTS,
        "authentication": AUTHENTICATION,
        "resources": array_of(CONSUMED_RESOURCE, minimum=1),
    },
)
CONSUMES_IMPORT = object_of({"location": STRING, "import": NAME}, {"as": NAME, "description": STRING})
CONSUMES = array_of(importable(CONSUMES_HTTP, CONSUMES_IMPORT, own_key="type", file_key="location"), minimum=1)
