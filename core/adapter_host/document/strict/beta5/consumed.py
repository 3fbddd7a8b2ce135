"""What a capability consumes."""

from adapter_host.document.strict.grammar import list_of, map_of, obj, typed, word
from adapter_host.document.strict.parts import BODY, importable
from adapter_host.document.strict.terms import (
    AUTHENTICATION,
    BASE_URI,
    BINARY_SIZE,
    METHOD,
    NAME,
    OUTPUT_TYPE,
    SECRET,
    TEXT,
    TEXTS,
    TYPE,
)

from .units import BY_NAME, by_name, by_wide_name

CONSUMED_INPUTS = by_wide_name(
    obj({"in": word("query", "header", "path", "cookie", "body", "environment")}, {"value": SECRET})
)
CONSUMED_OUTPUT = obj({"type": OUTPUT_TYPE, "value": TEXT})
CONSUMED_OPERATION = obj(
    {"method": METHOD},
    {
        "display": TEXT,
        "tags": TEXTS,
        "description": TEXT,
        "inputParameters": CONSUMED_INPUTS,
        "body": BODY,
        "outputRawFormat": word(
            "json", "xml", "avro", "protobuf", "csv", "tsv", "psv", "yaml", "html", "markdown", "binary"
        ),
        "outputMediaType": TEXT,
        "maxBinarySize": BINARY_SIZE,
        "outputSchema": TEXT,
        "outputParameters": map_of(CONSUMED_OUTPUT, wanted=BY_NAME),
    },
)
CONSUMED_RESOURCE = obj(
    {"path": TEXT, "operations": by_name(CONSUMED_OPERATION)},
    {"display": TEXT, "tags": TEXTS, "description": TEXT, "inputParameters": CONSUMED_INPUTS},
)
ZITI = obj({"type": TYPE, "service": TEXT, "identity": TEXT}, {"fallback": word("fail", "direct")})
CONSUMES_HTTP = obj(
    {"namespace": NAME, "type": word("http"), "baseUri": BASE_URI},
    {
        "description": TEXT,
        "inputParameters": CONSUMED_INPUTS,
        "authentication": AUTHENTICATION,
        "tunnel": typed({"ziti": ZITI}),
        "resources": by_name(CONSUMED_RESOURCE),
    },
)
IMPORT = obj({"from": TEXT, "import": NAME}, {"as": NAME, "description": TEXT})
CONSUMES = list_of(importable(CONSUMES_HTTP, IMPORT, mark="type"), least=1)
