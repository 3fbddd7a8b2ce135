"""Forwarding: what of a request goes on, and what of the answer comes back."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from adapter_host import Host, Settings, attach
from tests.support.forward_gateway import forwarding, gateway
from tests.support.upstream import send_raw, serving_api

BEARER = {"type": "bearer", "token": "for-the-api"}


async def test_trusted_headers_alone_go_on() -> None:
    sent = {"X-Trace": "1", "x-TENANT": "acme", "X-Other": "2", "Authorization": "Bearer mine", "Cookie": "a=b"}
    async with forwarding("x-trace", "X-Tenant", "Accept") as limiter:
        assert (await limiter("GET", "/things", headers={**sent, "Accept": "text/csv"})).data == {"ok": True}
        seen = limiter.api.last.headers
    assert (seen["X-Trace"], seen["X-Tenant"], seen["Accept"]) == ("1", "acme", "text/csv")
    assert not {"X-Other", "Authorization", "Cookie"} & set(seen)
    assert seen["User-Agent"].startswith("adapter-host/")
    assert seen["Via"] == "1.1 adapter-host"


async def test_no_header_is_trusted_by_default() -> None:
    async with forwarding() as limiter:
        await limiter(
            "GET", "/things", headers={"Authorization": "Bearer mine", "Accept": "text/csv", "Accept-Encoding": "br"}
        )
        seen = limiter.api.last.headers
    assert (seen["Accept"], seen["Accept-Encoding"]) == ("*/*", "identity")
    assert "Authorization" not in seen


async def test_headers_of_the_connection_never_go_on() -> None:
    """A caller names `X-Trace` as one too (RFC 9110, 7.6.1)."""
    async with forwarding("X-Trace", "X-Kept") as limiter:
        request = (
            b"GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close, X-Trace\r\nX-Trace: 1\r\nX-Kept: 2\r\n"
            b"TE: trailers\r\nKeep-Alive: 5\r\nProxy-Authorization: Basic eDp5\r\n\r\n"
        )
        assert b"200 OK" in await send_raw(limiter.url, request)
        seen = limiter.api.last.headers
    assert seen["X-Kept"] == "2"
    assert not {"X-Trace", "TE", "Keep-Alive", "Proxy-Authorization"} & set(seen)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_method_path_query_and_body_are_kept(method: str) -> None:
    body = None if method == "GET" else b"\x00 any bytes \xff"
    target = "/a%2Fb/c;v=1/caf%C3%A9:x@y?q=%20a+b&&empty=&flag&q=2&j=%7B%22%7D"
    async with forwarding(below="/v1", path="/gate/{path}") as limiter:
        await limiter(method, f"/gate{target}", data=body, headers={"Content-Type": "application/x-own; v=2"})
        seen = limiter.api.last
    assert (seen.method, seen.target, seen.body) == (method, f"/v1{target}", body or b"")
    assert seen.headers["Content-Type"] == "application/x-own; v=2"
    assert seen.headers.get("Content-Length") == (str(len(body)) if body else None)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/gate", "/v1"),
        ("/gate/", "/v1/"),
        ("/gate?a=1", "/v1?a=1"),
        ("/gate/a/", "/v1/a/"),
        ("/gate/a%5Cb", "/v1/a%5Cb"),
        ("/gate/100%25", "/v1/100%25"),
        ("/gate/...", "/v1/..."),
    ],
)
async def test_the_rest_of_the_path_comes_after_the_base(path: str, target: str) -> None:
    async with forwarding(below="/v1", path="/gate/{{path}}") as limiter:
        assert (await limiter("GET", path)).status == 200
        assert limiter.api.last.target == target


@pytest.mark.parametrize(
    "path",
    [
        "/gate/..",
        "/gate/../admin",
        "/gate/a/../../admin",
        "/gate/%2e%2e/admin",
        "/gate/.%2E/admin",
        "/gate/%252e%252e/admin",
        "/gate/..%2fadmin",
        "/gate/..%5cadmin",
        "/gate/..\\admin",
        "/gate/..;/admin",
        "/gate//admin",
        "/gate//other.example/admin",
        "/gate/a%0d%0aX:1",
        "/gate/a%00b",
        "/gate/%ff",
    ],
)
async def test_no_path_leads_out_of_the_base(path: str) -> None:
    async with forwarding(below="/v1", path="/gate/{path}") as limiter:
        answer = await send_raw(
            limiter.url, f"GET {path} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n\r\n".encode()
        )
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
        assert limiter.api.seen == []


async def test_what_is_not_encoded_gets_encoded() -> None:
    async with forwarding() as limiter:
        request = b"GET /a|b?q=<> HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert b"200 OK" in await send_raw(limiter.url, request)
        assert limiter.api.last.target == "/a%7Cb?q=%3C%3E"


async def test_the_apis_own_credentials_and_constants_win() -> None:
    consumer = {
        "authentication": BEARER,
        "inputParameters": [
            {"name": "X-Version", "in": "header", "value": "7"},
            {"name": "tenant", "in": "query", "value": "acme"},
            {"name": "session", "in": "cookie", "value": "ours"},
            {"name": "page", "in": "query"},
        ],
    }
    async with forwarding("Authorization", "X-Version", "Cookie", consumer=consumer) as limiter:
        sent = {"Authorization": "Bearer mine", "X-Version": "1", "Cookie": "session=mine"}
        await limiter("GET", "/a?tenant=evil&x=1&%54ENANT=2;tenant=3&page=4", headers=sent)
        seen = limiter.api.last
        messages = [warning.message.partition(": ")[2] for warning in limiter.host.warnings]
    assert seen.target == "/a?x=1&page=4&tenant=acme"
    assert seen.headers.getall("Authorization") == ["Bearer for-the-api"]
    assert (seen.headers.getall("X-Version"), seen.headers["Cookie"]) == (["7"], "session=ours")
    assert messages == [
        f"'api' sets the header '{name}' itself, so callers' is not sent on"
        for name in ("Authorization", "X-Version", "Cookie")
    ]


async def test_an_api_key_in_the_query_is_the_hosts_own() -> None:
    key = {"type": "apikey", "key": "key", "value": "for the api&", "placement": "query"}
    async with forwarding(consumer={"authentication": key}) as limiter:
        await limiter("GET", "/a?key=mine&b=1")
        assert limiter.api.last.target == "/a?b=1&key=for%20the%20api%26"


async def test_callers_credentials_for_the_exposer_stay_here() -> None:
    key = {"type": "apikey", "key": "gate-key", "value": "open sesame", "placement": "query"}
    async with forwarding(exposer={"authentication": key}) as limiter:
        assert (await limiter("GET", "/a?b=1")).status == 401
        assert (await limiter("GET", "/a?gate-key=open%20sesame&b=1")).status == 200
        assert [seen.target for seen in limiter.api.seen] == ["/a?b=1"]


async def test_a_trusted_authorization_goes_on_with_a_warning() -> None:
    own = {"type": "bearer", "token": "for the host"}
    async with forwarding("Authorization", exposer={"authentication": own}) as limiter:
        await limiter("GET", "/a", headers={"Authorization": "Bearer for the host"})
        assert limiter.api.last.headers["Authorization"] == "Bearer for the host"
        (warning,) = limiter.host.warnings
    assert warning.message.endswith(
        ": callers' credentials for 'gate' are sent on in 'Authorization' (authenticate 'api' on its own)"
    )


@pytest.mark.parametrize("status", [200, 201, 206, 304, 307, 404, 429, 500, 503])
async def test_an_answer_comes_back_as_it_is(status: int) -> None:
    async def reply(_: web.Request) -> web.Response:
        headers = [("X-Own", "1"), ("Link", "<a>"), ("Link", "<b>"), ("Retry-After", "7"), ("Server", "theirs")]
        hop = [("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "5"), ("Proxy-Authenticate", "Basic")]
        origin = [("Alt-Svc", 'h3=":443"'), ("Strict-Transport-Security", "max-age=9")]
        body = b"" if status == 304 else b"a;b"
        return web.Response(
            status=status, body=body, headers=[*headers, *hop, *origin, ("Content-Type", "text/csv; header=absent")]
        )

    async with forwarding() as limiter:
        limiter.api.reply = reply
        answer = await limiter("GET", "/a")
    assert (answer.status, answer.body) == (status, b"" if status == 304 else b"a;b")
    assert (answer.headers["X-Own"], answer.headers.getall("Link")) == ("1", ["<a>", "<b>"])
    assert (answer.headers["Retry-After"], answer.headers["Server"]) == ("7", "adapter-host")
    assert not {"X-Hop", "Keep-Alive", "Proxy-Authenticate", "Alt-Svc", "Strict-Transport-Security"} & set(
        answer.headers
    )
    if status != 304:
        assert answer.headers["Content-Type"] == "text/csv; header=absent"
        assert answer.headers["Content-Length"] == "3"


async def test_an_encoded_answer_stays_encoded() -> None:
    packed = gzip.compress(b"hello" * 100)

    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip", "ETag": '"1"'})

    async with forwarding("Accept-Encoding") as limiter:
        limiter.api.reply = reply
        answer = await limiter("GET", "/a", headers={"Accept-Encoding": "gzip;q=1"})
        assert limiter.api.last.headers["Accept-Encoding"] == "gzip;q=1"
    assert (answer.body, answer.headers["Content-Encoding"]) == (packed, "gzip")
    assert answer.headers["Content-Length"] == str(len(packed))


async def test_an_encoded_body_arrives_whole() -> None:
    async with forwarding() as limiter:
        packed = gzip.compress(b"hello" * 100)
        await limiter("POST", "/a", data=packed, headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"})
        assert limiter.api.last.body == b"hello" * 100


async def test_bytes_that_are_no_utf8_do_not_break_an_answer() -> None:
    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(headers={"X-Name": "caf\u00e9"})

    async with forwarding("X-Name") as limiter:
        limiter.api.reply = reply
        assert (await limiter("GET", "/a")).headers["X-Name"] == "caf\u00e9"
        request = b"GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Name: caf\xe9\r\n\r\n"
        assert b"header 'X-Name' must be UTF-8 text" in await send_raw(limiter.url, request)


@pytest.mark.parametrize(("trusted", "cookies"), [((), []), (("Cookie",), ["a=1; Path=/", "b=2; Secure"])])
async def test_cookies_are_set_only_where_callers_cookies_go_on(trusted: tuple[str, ...], cookies: list[str]) -> None:
    async def reply(_: web.Request) -> web.Response:
        headers = [("Set-Cookie", "a=1; Domain=api.example.com; Path=/"), ("Set-Cookie", "b=2; Secure; domain=.x.org")]
        return web.Response(headers=headers)

    async with forwarding(*trusted) as limiter:
        limiter.api.reply = reply
        assert (await limiter("GET", "/a")).headers.getall("Set-Cookie", []) == cookies


@pytest.mark.parametrize(
    ("path", "location", "seen"),
    [
        ("/a/b", "{api}/v1/c/d?x=1#f", "../c/d?x=1#f"),
        ("/a/b", "/v1/a/b/", "b/"),
        ("/a", "/v1/a", "a"),
        ("/a/b", "/v1/a/", "./"),
        ("/a/b", "/v1", "../"),
        ("/a", "/v1/x:y", "./x:y"),
        ("/a", "https://elsewhere.example/v1/c", "https://elsewhere.example/v1/c"),
        ("/a", "/v2/c", "/v2/c"),
        ("/a", "/v1extra", "/v1extra"),
        ("/a", "../c", "../c"),
        ("/a", "http://[broken", "http://[broken"),
    ],
)
async def test_a_redirect_within_the_api_leads_through_the_gateway(path: str, location: str, seen: str) -> None:
    async with forwarding(below="/v1", path="/gate/{path}") as limiter:

        async def reply(_: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": location.replace("{api}", limiter.api.url)})

        limiter.api.reply = reply
        answer = await limiter("GET", f"/gate{path}")
    assert (answer.status, answer.headers["Location"]) == (302, seen)


async def test_head_is_head() -> None:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1234, content_type="text/plain")

    async with forwarding() as limiter:
        limiter.api.reply = reply
        answer = await limiter("HEAD", "/a")
        assert limiter.api.last.method == "HEAD"
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "1234")


async def test_options_is_answered_here() -> None:
    async with forwarding() as limiter:
        answer = await limiter("OPTIONS", "/a")
        assert (answer.status, answer.headers["Allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
        assert (await limiter("PROPFIND", "/a")).status == 405
        assert limiter.api.seen == []


async def test_operations_win() -> None:
    mocked = [{"type": "string", "value": "ours"}]
    resources = [
        {"path": "/gate/status", "operations": [{"method": "GET", "outputParameters": mocked}]},
        {"path": "/plain", "operations": [{"method": "GET", "outputParameters": mocked}]},
    ]
    own = {"operations": [{"method": "GET", "outputParameters": mocked}]}
    async with forwarding(path="/gate/{path}", resource=own, resources=resources) as limiter:
        answers = {
            (method, path): (await limiter(method, path)).status
            for method in ("GET", "POST")
            for path in ("/gate/status", "/gate/x", "/gate/x/y", "/plain", "/elsewhere")
        }
        seen = [(request.method, request.target) for request in limiter.api.seen]
    # A path that a resource declares is that resource's; one that its own resource declares is forwarded for the rest.
    assert seen == [("GET", "/x/y"), ("POST", "/x"), ("POST", "/x/y")]
    assert [key for key, status in answers.items() if status == 405] == [("POST", "/gate/status"), ("POST", "/plain")]
    assert [key for key, status in answers.items() if status == 404] == [("GET", "/elsewhere"), ("POST", "/elsewhere")]


async def test_the_longest_path_forwards() -> None:
    def forward(base: str) -> Any:
        return {"targetNamespace": "api", "trustedHeaders": [base]}

    resources = [
        {"path": "/a/{path}", "forward": forward("A")},
        {"path": "/a/b/{path}", "forward": forward("B")},
        {"path": "/a/exact", "forward": forward("C")},
    ]
    async with forwarding("Root", resources=resources) as limiter:
        sent = {"Root": "1", "A": "1", "B": "1", "C": "1"}
        targets = {}
        for path in ("/x", "/a", "/a/x", "/a/b", "/a/b/c", "/a/exact"):
            await limiter("GET", path, headers=sent)
            seen = limiter.api.last
            targets[path] = ("".join(name[0] for name in sent if name in seen.headers), seen.target)
    assert targets == {
        "/x": ("R", "/x"),
        "/a": ("A", "/"),
        "/a/x": ("A", "/x"),
        "/a/b": ("B", "/"),
        "/a/b/c": ("B", "/c"),
        "/a/exact": ("C", "/"),
    }


async def test_a_websocket_is_refused() -> None:
    async with forwarding() as limiter:
        sent = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "x",
        }
        answer = await limiter("GET", "/a", headers=sent)
        assert (answer.status, answer.data["detail"]) == (501, "WebSockets are not forwarded")
        assert limiter.api.seen == []


async def test_below_a_prefix_it_forwards_the_same() -> None:
    async with serving_api() as api:
        app = web.Application()
        attach(app, Host(gateway(base=f"{api.url}/v1", path="/gate/{path}")), prefix="/inner")
        async with TestClient(TestServer(app)) as client:
            for path in ("/inner/gate/gate/a%2Fb?c=1", "/inner/gate/gate", "/inner/gate/a"):
                await client.get(URL(path, encoded=True))
        assert [seen.target for seen in api.seen] == ["/v1/a%2Fb?c=1", "/v1"]


async def test_the_stand_in_answers_what_it_knows() -> None:
    operation = {"name": "read", "method": "GET", "x-example": {"celsius": 4}}
    consumer = {"authentication": BEARER, "resources": [{"path": "/stations/{id}", "operations": [operation]}]}
    async with forwarding(consumer=consumer, below="/v1", settings={"mock": True}) as limiter:
        assert (await limiter("GET", "/stations/7")).data == {"celsius": 4}
        assert ((await limiter("DELETE", "/stations/7")).status, (await limiter("GET", "/x")).status) == (405, 404)
        assert limiter.api.seen == []


async def test_it_is_not_in_the_description() -> None:
    async with forwarding(path="/gate/{path}") as limiter:
        assert (await limiter("GET", "/openapi.json")).data["paths"] == {}
        exposer = limiter.host.plans[0].exposers[0].exposer
        assert [offer.title for offer in exposer.catalog()] == ["ANY /gate/{path}"]


async def test_it_can_be_called_like_any_operation() -> None:
    async with forwarding("X-Own") as limiter:
        headers = {"X-Own": "1", "X-Other": "2"}
        given = {"method": "POST", "path": "/a", "query": "b=1", "headers": headers, "body": {"c": 2}}
        result = await limiter.host.call("gate.forward-api", given)
        seen = limiter.api.last
    assert (result.data, seen.target, seen.body) == ({"ok": True}, "/a?b=1", b'{"c":2}')
    assert (seen.headers["X-Own"], seen.headers["Content-Type"]) == ("1", "application/json")
    assert "X-Other" not in seen.headers


def test_a_preview_shows_no_secret() -> None:
    document = gateway("X-Own", consumer={"authentication": {"type": "bearer", "token": "{{TOKEN}}"}})
    host = Host(document, settings=Settings(environment={"TOKEN": "s3cr3t"}))
    (operation,) = host.plans[0].exposers[0].exposer.operations.values()
    shown = operation.preview({"method": "GET", "path": "/a", "headers": {"X-Own": "1"}})
    assert (shown["method"], shown["url"]) == ("GET", "http://127.0.0.1:1/a")
    assert (shown["headers"]["Authorization"], shown["headers"]["X-Own"]) == ("Bearer {{TOKEN}}", "1")
