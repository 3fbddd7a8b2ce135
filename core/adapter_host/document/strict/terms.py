"""Rules of names, formats and authentication."""

from .grammar import anything, array_of, by_type_key, enum, integer, object_of, string

STRING = string()
SECRET = string(secret=True)
NON_EMPTY = string(r"[\s\S]+", "not empty")
STRINGS = array_of(STRING)
TYPE = anything
NAME_PATTERN, NAME_DESCRIPTION = r"[a-zA-Z0-9-]+", "letters, digits and hyphens"
NAME = string(NAME_PATTERN, NAME_DESCRIPTION)
WIDE_NAME_PATTERN, WIDE_NAME_DESCRIPTION = r"[a-zA-Z0-9_*-]+", "letters, digits, '-', '_' and '*'"
WIDE_NAME = string(WIDE_NAME_PATTERN, WIDE_NAME_DESCRIPTION)
REFERENCE = string(r"[a-zA-Z0-9-]+\.[a-zA-Z0-9-]+", "two names with a dot between, as in 'namespace.operation'")
TARGET = string(r"[a-zA-Z0-9_.-]+", "letters, digits, '-', '_' and '.'")
DATE = string(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", "a date as in 2026-04-30")
EMAIL = string(r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}", "an e-mail address")
FILE_URI = string(r"file:///[\s\S]*", "a file:/// URI")
URI = string(r"[a-zA-Z][a-zA-Z0-9+.-]*://[\s\S]*", "a URI as in 'file:///path'")
BASE_URI = string(r"https?://[^/]+(/[^{]*)?", "an http:// or https:// URI without '{' in its path", secret=True)
MIME_TOKEN = r"[a-zA-Z0-9!#$&^_.+-]+"
MIME_PARAMETER = rf'\s*;\s*{MIME_TOKEN}=({MIME_TOKEN}|"[^"]*")'
MIME_PATTERN, MIME_DESCRIPTION = rf"{MIME_TOKEN}/{MIME_TOKEN}({MIME_PARAMETER})*", "a media type as in 'text/plain'"
MIME_TYPE = string(MIME_PATTERN, MIME_DESCRIPTION)
HOST_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
IP_V6 = r"([0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}"
ADDRESS = string(rf"{HOST_LABEL}(\.{HOST_LABEL})*|{IP_V6}", "a host name or an IP address")
BINARY_SIZE = string(r"[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB)", "a size as in 10MiB, in B, KiB, MiB or GiB")
PORT = integer(1, 65535)
METHOD = enum("GET", "POST", "PUT", "PATCH", "DELETE")
LANGUAGE = enum("javascript", "python", "groovy")
INPUT_TYPE = enum("string", "number", "integer", "boolean", "array", "object")
OUTPUT_TYPE = enum("string", "number", "boolean", "object", "array")

# Authentication of clients, and towards upstreams

LOGIN = object_of({"type": TYPE}, {"username": STRING, "password": SECRET})
AUTHENTICATION = by_type_key(
    {
        "basic": LOGIN,
        "apikey": object_of({"type": TYPE}, {"key": STRING, "value": SECRET, "placement": enum("header", "query")}),
        "bearer": object_of({"type": TYPE}, {"token": SECRET}),
        "digest": LOGIN,
        "oauth2": object_of(
            {"type": TYPE, "authorizationServerUri": STRING, "resource": STRING},
            {
                "scopes": STRINGS,
                "audience": STRING,
                "tokenEndpoint": STRING,
                "tokenValidation": enum("jwks", "introspection"),
            },
        ),
    }
)
