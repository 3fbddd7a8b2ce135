"""Rules of `consumes`."""

from adapter_host.document.strict.grammar import array_of, by_type_key, enum, mapping_of, object_of
from adapter_host.document.strict.parts import BODY, importable
from adapter_host.document.strict.terms import (
    AUTHENTICATION,
    BASE_URI,
    BINARY_SIZE,
    METHOD,
    NAME,
    OUTPUT_TYPE,
    SECRET,
    STRING,
    STRINGS,
    TYPE,
)

from .units import BY_NAME, by_name, by_wide_name

CONSUMED_INPUTS = by_wide_name(
    object_of({"in": enum("query", "header", "path", "cookie", "body", "environment")}, {"value": SECRET})
)
CONSUMED_OUTPUT = object_of({"type": OUTPUT_TYPE, "value": STRING})
CONSUMED_OPERATION = object_of(
    {"method": METHOD},
    {
        "display": STRING,
        "tags": STRINGS,
        "description": STRING,
        "inputParameters": CONSUMED_INPUTS,
        "body": BODY,
        "outputRawFormat": enum(
            "json", "xml", "avro", "protobuf", "csv", "tsv", "psv", "yaml", "html", "markdown", "binary"
        ),
        "outputMediaType": STRING,
        "maxBinarySize": BINARY_SIZE,
        "outputSchema": STRING,
        "outputParameters": mapping_of(CONSUMED_OUTPUT, expected=BY_NAME),
    },
)
CONSUMED_RESOURCE = object_of(
    {"path": STRING, "operations": by_name(CONSUMED_OPERATION)},
    {"display": STRING, "tags": STRINGS, "description": STRING, "inputParameters": CONSUMED_INPUTS},
)
ZITI = object_of({"type": TYPE, "service": STRING, "identity": STRING}, {"fallback": enum("fail", "direct")})
CONSUMES_HTTP = object_of(
    {"namespace": NAME, "type": enum("http"), "baseUri": BASE_URI},
    {
        "description": STRING,
        "inputParameters": CONSUMED_INPUTS,
        "authentication": AUTHENTICATION,
        "tunnel": by_type_key({"ziti": ZITI}),
        "resources": by_name(CONSUMED_RESOURCE),
    },
)
IMPORT = object_of({"from": STRING, "import": NAME}, {"as": NAME, "description": STRING})
CONSUMES = array_of(importable(CONSUMES_HTTP, IMPORT, own_key="type"), minimum=1)
