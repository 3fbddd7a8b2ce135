"""What the whole language is spelled with: names, places, formats, authentication."""

from .grammar import anything, list_of, obj, text, typed, whole, word

TEXT = text()
SECRET = text(secret=True)
FILLED = text(r"[\s\S]+", "not empty")
TEXTS = list_of(TEXT)
TYPE = anything
NAME_PATTERN, NAME_SAYS = r"[a-zA-Z0-9-]+", "letters, digits and hyphens"
NAME = text(NAME_PATTERN, NAME_SAYS)
WIDE_NAME_PATTERN, WIDE_NAME_SAYS = r"[a-zA-Z0-9_*-]+", "letters, digits, '-', '_' and '*'"
WIDE_NAME = text(WIDE_NAME_PATTERN, WIDE_NAME_SAYS)
REFERENCE = text(r"[a-zA-Z0-9-]+\.[a-zA-Z0-9-]+", "two names with a dot between, as in 'namespace.operation'")
TARGET = text(r"[a-zA-Z0-9_.-]+", "letters, digits, '-', '_' and '.'")
DATE = text(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", "a date as in 2026-04-30")
EMAIL = text(r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}", "an e-mail address")
FILE_URI = text(r"file:///[\s\S]*", "a file:/// URI")
URI = text(r"[a-zA-Z][a-zA-Z0-9+.-]*://[\s\S]*", "a URI as in 'file:///path'")
BASE_URI = text(r"https?://[^/]+(/[^{]*)?", "an http:// or https:// URI without '{' in its path", secret=True)
MIME_TOKEN = r"[a-zA-Z0-9!#$&^_.+-]+"
MIME_PARAMETER = rf'\s*;\s*{MIME_TOKEN}=({MIME_TOKEN}|"[^"]*")'
MIME_PATTERN, MIME_SAYS = rf"{MIME_TOKEN}/{MIME_TOKEN}({MIME_PARAMETER})*", "a media type as in 'text/plain'"
MIME_TYPE = text(MIME_PATTERN, MIME_SAYS)
HOST_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
IP_V6 = r"([0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}"
ADDRESS = text(rf"{HOST_LABEL}(\.{HOST_LABEL})*|{IP_V6}", "a host name or an IP address")
BINARY_SIZE = text(r"[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB)", "a size as in 10MiB, in B, KiB, MiB or GiB")
PORT = whole(1, 65535)
METHOD = word("GET", "POST", "PUT", "PATCH", "DELETE")
LANGUAGE = word("javascript", "python", "groovy")
INPUT_TYPE = word("string", "number", "integer", "boolean", "array", "object")
OUTPUT_TYPE = word("string", "number", "boolean", "object", "array")

# Authentication, of callers and towards upstreams

LOGIN = obj({"type": TYPE}, {"username": TEXT, "password": SECRET})
AUTHENTICATION = typed(
    {
        "basic": LOGIN,
        "apikey": obj({"type": TYPE}, {"key": TEXT, "value": SECRET, "placement": word("header", "query")}),
        "bearer": obj({"type": TYPE}, {"token": SECRET}),
        "digest": LOGIN,
        "oauth2": obj(
            {"type": TYPE, "authorizationServerUri": TEXT, "resource": TEXT},
            {
                "scopes": TEXTS,
                "audience": TEXT,
                "tokenEndpoint": TEXT,
                "tokenValidation": word("jwks", "introspection"),
            },
        ),
    }
)
