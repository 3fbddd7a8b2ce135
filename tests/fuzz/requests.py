"""Strategies for HTTP requests, from valid ones to bytes that only begin like one."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

METHODS: Final = (b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH")
ODD_METHODS: Final = (b"TRACE", b"CONNECT", b"get", b"PRI", b"M-SEARCH", b"G\tT", b"", b"\xff", b"X" * 300)
VERSIONS: Final = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.10", b"http/1.1", b"", b"HTTP/1.1 ")

SEGMENTS: Final = (
    b"1", b"..", b".", b"%2e%2e", b"%2f", b"%2F%2F", b"%00", b"%0d%0a", b"%ff", b"%ed%a0%80", b"%", b"%zz", b"%u0041",
    b"a;b=c", b"a b", b"a@b", b"\\", b":", b"*", b"~", b"{id}", b"a" * 2000, b"\xc3\xa9", b"\xff", b"-1", b"1e400",
    b"99999999999999999999", b"true", b"null", b"",
)  # fmt: skip
QUERIES: Final = (
    b"", b"?", b"?q=1", b"?q=1&q=2", b"?q", b"?q=%ff", b"?q=%00", b"?n=1e400", b"?n=NaN", b"?flag=yes", b"?unknown=1",
    b"?q=a+b%20c", b"?=1", b"?&&&", b"?q=" + b"a" * 5000, b"?" + b"&".join(b"q=%d" % i for i in range(500)), b"?q=\xff",
    b"?q[]=1", b"?list=1,2,3", b"#fragment",
)  # fmt: skip
PATHS: Final = {
    "rest": (b"/things/%b", b"/things", b"/typed/%b", b"/echo", b"/steps/%b", b"/openapi.json", b"/docs", b"/%b"),
    "forward": (b"/forward/%b", b"/forward/%b/x", b"/forward/"),
    "mcp": (b"/mcp",),
    "control": (
        b"/health/live", b"/health/ready", b"/status", b"/config", b"/config/validate", b"/config/reload", b"/logs",
        b"/logs/%b", b"/logs/stream", b"/metrics", b"/traces", b"/traces/%b", b"/scripting", b"/%b",
    ),
}  # fmt: skip
"""The paths of each exposer; `%b` is a segment."""

HEADERS: Final = (
    b"Accept: application/json, text/event-stream", b"Accept: */*", b"Accept: ;;,,", b"Accept: text/html;q=2",
    b"Content-Type: application/json", b"Content-Type: application/json; charset=utf-16", b"Content-Type: ;",
    b"Content-Type: text/plain", b"Content-Type: application/x-www-form-urlencoded", b"Content-Type: application/xml",
    b"Content-Type: multipart/form-data", b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Encoding: gzip", b"Content-Encoding: br", b"Content-Encoding: deflate", b"Content-Encoding: x, gzip",
    b"Content-Encoding: identity", b"Accept-Encoding: gzip, br", b"Expect: 100-continue", b"Expect: x",
    b"Range: bytes=0-0", b"Range: bytes=9-1", b"If-None-Match: *", b"If-None-Match: W/\"x\"",
    b"If-Modified-Since: yesterday", b"Upgrade: websocket", b"Upgrade: h2c", b"Connection: upgrade",
    b"Connection: keep-alive", b"Keep-Alive: timeout=99", b"Authorization: Bearer x", b"Authorization: Basic !!!",
    b"Authorization: Digest nonce=", b"Authorization:", b"Cookie: a=b; c", b"Cookie: =;;", b"Origin: null",
    b"Origin: http://[", b"Origin: http://localhost", b"Referer: \xff", b"X-Key: \xff\xfe", b"X-Key:", b"X-Tr: 1",
    b"X-Forwarded-Host: evil.example, localhost", b"X-Forwarded-For: 1.2.3.4", b"Forwarded: for=\"[::1",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"traceparent: 00-x",
    b"tracestate: \xff", b"baggage: a=b", b"X-Request-Id: " + b"x" * 500, b"Mcp-Session-Id: x",
    b"Mcp-Session-Id: " + b"A" * 200, b"MCP-Protocol-Version: 2025-11-25", b"MCP-Protocol-Version: 2026-07-28",
    b"MCP-Protocol-Version: 1", b"Mcp-Method: tools/call", b"Mcp-Method: tools/list", b"Mcp-Name: read",
    b"Mcp-Name: =?utf-8?B?!?=", b"Last-Event-ID: 1", b"Sec-Fetch-Site: cross-site", b"TE: trailers",
    b"Trailer: X-T", b"Max-Forwards: 0", b"X-Long: " + b"y" * 7000,
)  # fmt: skip
MALFORMED_HEADERS: Final = (
    b"Host: localhost", b"Host:", b"Host: a b", b"Host: [::1", b"Host: localhost:99999", b"Host: \xff", b"Host: a,b",
    b"No colon", b": no name", b"Space : x", b" folded", b"\tfolded", b"Nul: \x00", b"Cr: a\rb", b"Lf: a\nB: c",
    b"\x7f: x",
    b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: +1", b"Content-Length: 0x1", b"Content-Length: 1, 1",
    b"Content-Length: 99999999999999999999", b"Content-Length:", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding:", b"X-Long: " + b"y" * 70_000,
)  # fmt: skip

NUMBERS: Final = (0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, 10**400, 1e308, -0.0)
TEXTS: Final = ("", "a", "\x00", "\r\n", "é", "\U0001f600", "{{x}}", "{{", "'\"<&", "../..", "a" * 3000, "1\n", "null")
RAW_JSON: Final = (
    b"", b"{", b"[]", b"null", b"1", b'"a"', b"{}", b"{}{}", b"NaN", b"[Infinity]", b"1e999", b'"\\ud800"',
    b'{"a":1,"a":2}', b"\xef\xbb\xbf{}", b'{"\xff":1}', b"\xff\xfe{\x00}\x00", b"[" * 99 + b"]" * 99,
    b"[" * 400 + b"]" * 400, b"[" * 100_000, b'{"value":' * 200 + b"1" + b"}" * 200, b"0" * 5000, b"-", b"\x00",
)  # fmt: skip
RPC_METHODS: Final = (
    "initialize", "ping", "tools/list", "tools/call", "resources/list", "resources/read", "resources/templates/list",
    "prompts/list", "prompts/get", "completion/complete", "logging/setLevel", "subscriptions/listen",
    "server/discover", "notifications/initialized", "notifications/cancelled", "notifications/progress",
    "resources/subscribe", "sampling/createMessage", "tasks/get", "", "a\x00b", "__class__",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes of a request, in the pieces in which they are sent, to the exposer with a namespace.

    `complete` says that it is one request with a valid frame, after which the connection is to be closed.
    """

    namespace: str
    pieces: tuple[bytes, ...]
    complete: bool

    @property
    def is_head(self) -> bool:
        return b"".join(self.pieces).startswith(b"HEAD ")


def values() -> st.SearchStrategy[Any]:
    """Return JSON values, with those that have caused trouble elsewhere."""
    scalars = st.one_of(
        st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.integers(), st.text(max_size=20)
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.sampled_from(("id", "value", "n", "flag", "items", "_meta", "name", "")), inner, max_size=4
            ),
        ),
        max_leaves=8,
    )


def _rpc_message(draw: st.DrawFn) -> Any:
    arguments = draw(st.dictionaries(st.sampled_from(("id", "q", "n", "flag", "list")), values(), max_size=3))
    member = {
        "name": st.sampled_from(("read", "echo", "greet", "no such tool", "")),
        "arguments": st.one_of(st.just(arguments), values()),
        "uri": st.sampled_from(("shop://things/1", "shop://things/%2e%2e", "file:///etc/passwd", "x", "")),
        "protocolVersion": st.sampled_from(("2025-11-25", "2026-07-28", "2024-11-05", "1", "")),
        "capabilities": values(),
        "clientInfo": st.one_of(st.just({"name": "t", "version": "1"}), values()),
        "requestId": values(),
        "level": st.sampled_from(("debug", "error", "loud")),
        "cursor": st.text(max_size=12),
        "requestState": st.text(max_size=12),
        "ref": st.one_of(st.just({"type": "ref/prompt", "name": "greet"}), values()),
        "argument": st.one_of(st.just({"name": "who", "value": ""}), values()),
        "_meta": st.one_of(st.just({"progressToken": 1}), values()),
    }
    params = draw(st.fixed_dictionaries({}, optional=member))
    message: dict[str, Any] = {"jsonrpc": draw(st.sampled_from(("2.0", "2.0", "2.0", "1.0", 2)))}
    message["method"] = draw(st.one_of(st.sampled_from(RPC_METHODS), values()))
    if draw(st.booleans()):
        message["id"] = draw(st.one_of(st.integers(0, 9), values()))
    if draw(st.booleans()):
        message["params"] = draw(st.one_of(st.just(params), values()))
    return draw(
        st.sampled_from((message, [message], {**message, "result": {}}, {"jsonrpc": "2.0", "id": 1, "result": {}}))
    )


rpc_messages = st.composite(_rpc_message)


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


@st.composite
def bodies(draw: st.DrawFn, namespace: str) -> bytes:
    structured = rpc_messages() if namespace == "mcp" else values()
    body = draw(
        st.one_of(structured.map(_encode), structured.map(_encode), st.sampled_from(RAW_JSON), st.binary(max_size=64))
    )
    coding = draw(st.integers(0, 9))
    if coding == 0:
        return gzip.compress(body, mtime=0)
    return gzip.compress(body, mtime=0)[:-6] if coding == 1 else body


@st.composite
def targets(draw: st.DrawFn, namespace: str) -> bytes:
    path = draw(st.sampled_from(PATHS[namespace]))
    if b"%b" in path:
        segment = st.one_of(st.sampled_from(SEGMENTS), st.binary(min_size=1, max_size=6).map(_percent_encode))
        path = path.replace(b"%b", draw(segment))
    target = path + draw(st.sampled_from(QUERIES))
    form = draw(st.integers(0, 19))
    return {0: b"http://localhost" + target, 1: b"*", 2: b"//evil.example" + target, 3: target[1:]}.get(form, target)


def _percent_encode(data: bytes) -> bytes:
    return b"".join(b"%%%02x" % byte for byte in data)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Return requests to all exposers: most have one valid frame, some a malformed head, some are mutilated."""
    namespace = draw(st.sampled_from(sorted(PATHS)))
    usual = (b"POST",) * 8 if namespace == "mcp" else ()
    valid = draw(st.integers(0, 3)) > 0
    method = draw(st.sampled_from((*METHODS, *usual) if valid else (*METHODS, *ODD_METHODS)))
    version = b"HTTP/1.1" if valid else draw(st.sampled_from(VERSIONS))
    lines = [b"%b %b %b" % (method, draw(targets(namespace)), version), b"Host: localhost"]
    if namespace == "mcp" and draw(st.integers(0, 4)):
        lines += HEADERS[0], b"Content-Type: application/json"
    lines += draw(st.lists(st.sampled_from(HEADERS), max_size=5))
    if not valid:
        lines += draw(st.lists(st.sampled_from(MALFORMED_HEADERS), max_size=2))
    body = draw(st.one_of(st.just(b""), bodies(namespace)))
    framing, framed = _frame(draw, body)
    lines += framing
    # The last one of several is not certain to count, so others are left out of valid requests.
    kept = [line for line in lines if not (valid and line.startswith(b"Connection:"))]
    data = b"\r\n".join((*kept, b"Connection: close", b"", framed))
    if not valid and draw(st.booleans()):
        data = _mutilate(draw, data)
    return Request(namespace, _pieces(draw, data), complete=valid)


def _frame(draw: st.DrawFn, body: bytes) -> tuple[list[bytes], bytes]:
    if not body and draw(st.booleans()):
        return [], b""
    if draw(st.integers(0, 3)):
        return [b"Content-Length: %d" % len(body)], body
    half = len(body) // 2
    chunks = [chunk for chunk in (body[:half], body[half:]) if chunk]
    extension = draw(st.sampled_from((b"", b"", b";a=b", b';a="b"')))
    return [b"Transfer-Encoding: chunked"], b"".join(
        (*(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks), b"0\r\n\r\n")
    )


def _mutilate(draw: st.DrawFn, data: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        inserted = draw(st.one_of(st.just(b""), st.just(data[start:end] * 2), st.binary(max_size=8), st.just(b"\r\n")))
        data = data[:start] + inserted + data[end:]
    return data


def _pieces(draw: st.DrawFn, data: bytes) -> tuple[bytes, ...]:
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=2)))
    ends = [*cuts, len(data)]
    return tuple(data[start:end] for start, end in zip([0, *cuts], ends, strict=True) if start < end)
