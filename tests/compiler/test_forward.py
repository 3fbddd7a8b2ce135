"""Forward: requests to the API, and responses to the client."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict
from yarl import URL

from adapter_host import Host, Settings, attach, end_to_end_headers
from tests.support.forward_gateway import forwarding, gateway
from tests.support.upstream import send_raw, serving_api

BEARER = {"type": "bearer", "token": "for-the-api"}


async def test_only_trusted_headers_are_forwarded() -> None:
    sent = {"X-Trace": "1", "x-TENANT": "acme", "X-Other": "2", "Authorization": "Bearer mine", "Cookie": "a=b"}
    async with forwarding("x-trace", "X-Tenant", "Accept") as gateway:
        assert (await gateway("GET", "/things", headers={**sent, "Accept": "text/csv"})).data == {"ok": True}
        seen = gateway.api.last.headers
    assert (seen["X-Trace"], seen["X-Tenant"], seen["Accept"]) == ("1", "acme", "text/csv")
    assert not {"X-Other", "Authorization", "Cookie"} & set(seen)
    assert seen["User-Agent"].startswith("adapter-host/")
    assert seen["Via"] == "1.1 adapter-host"


async def test_no_header_is_trusted_by_default() -> None:
    async with forwarding() as gateway:
        await gateway(
            "GET", "/things", headers={"Authorization": "Bearer mine", "Accept": "text/csv", "Accept-Encoding": "br"}
        )
        seen = gateway.api.last.headers
    assert (seen["Accept"], seen["Accept-Encoding"]) == ("*/*", "identity")
    assert "Authorization" not in seen


async def test_hop_by_hop_headers_are_never_forwarded() -> None:
    """Headers named in `Connection` are hop-by-hop, too (RFC 9110, 7.6.1)."""
    async with forwarding("X-Trace", "X-Kept") as gateway:
        request = (
            b"GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close, X-Trace\r\nX-Trace: 1\r\nX-Kept: 2\r\n"
            b"TE: trailers\r\nKeep-Alive: 5\r\nProxy-Authorization: Basic eDp5\r\n\r\n"
        )
        assert b"200 OK" in await send_raw(gateway.url, request)
        seen = gateway.api.last.headers
    assert seen["X-Kept"] == "2"
    assert not {"X-Trace", "TE", "Keep-Alive", "Proxy-Authorization"} & set(seen)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_method_path_query_and_body_are_forwarded(method: str) -> None:
    body = None if method == "GET" else b"\x00 any bytes \xff"
    target = "/a%2Fb/c;v=1/caf%C3%A9:x@y?q=%20a+b&&empty=&flag&q=2&j=%7B%22%7D"
    async with forwarding(below="/v1", path="/gate/{path}") as gateway:
        await gateway(method, f"/gate{target}", data=body, headers={"Content-Type": "application/x-own; v=2"})
        seen = gateway.api.last
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
async def test_remaining_path_is_appended_to_the_base(path: str, target: str) -> None:
    async with forwarding(below="/v1", path="/gate/{{path}}") as gateway:
        assert (await gateway("GET", path)).status == 200
        assert gateway.api.last.target == target


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
async def test_path_cannot_escape_the_base(path: str) -> None:
    async with forwarding(below="/v1", path="/gate/{path}") as gateway:
        response = await send_raw(
            gateway.url, f"GET {path} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n\r\n".encode()
        )
        assert response.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
        assert gateway.api.seen == []


async def test_unencoded_path_is_encoded() -> None:
    async with forwarding() as gateway:
        request = b"GET /a|b?q=<> HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert b"200 OK" in await send_raw(gateway.url, request)
        assert gateway.api.last.target == "/a%7Cb?q=%3C%3E"


async def test_upstream_credentials_and_constants_take_precedence() -> None:
    consumer = {
        "authentication": BEARER,
        "inputParameters": [
            {"name": "X-Version", "in": "header", "value": "7"},
            {"name": "tenant", "in": "query", "value": "acme"},
            {"name": "session", "in": "cookie", "value": "ours"},
            {"name": "page", "in": "query"},
        ],
    }
    async with forwarding("Authorization", "X-Version", "Cookie", consumer=consumer) as gateway:
        sent = {"Authorization": "Bearer mine", "X-Version": "1", "Cookie": "session=mine"}
        await gateway("GET", "/a?tenant=evil&x=1&%54ENANT=2;tenant=3&page=4", headers=sent)
        seen = gateway.api.last
        messages = [warning.message.partition(": ")[2] for warning in gateway.host.warnings]
    assert seen.target == "/a?x=1&page=4&tenant=acme"
    assert seen.headers.getall("Authorization") == ["Bearer for-the-api"]
    assert (seen.headers.getall("X-Version"), seen.headers["Cookie"]) == (["7"], "session=ours")
    assert messages == [
        f"header '{name}' is not forwarded: 'api' sets it itself" for name in ("Authorization", "X-Version", "Cookie")
    ]


async def test_query_api_key_of_the_host_is_not_overridden() -> None:
    key = {"type": "apikey", "key": "key", "value": "for the api&", "placement": "query"}
    async with forwarding(consumer={"authentication": key}) as gateway:
        await gateway("GET", "/a?key=mine&b=1")
        assert gateway.api.last.target == "/a?b=1&key=for%20the%20api%26"


async def test_client_credentials_are_not_forwarded() -> None:
    key = {"type": "apikey", "key": "gate-key", "value": "open sesame", "placement": "query"}
    async with forwarding(exposer={"authentication": key}) as gateway:
        assert (await gateway("GET", "/a?b=1")).status == 401
        assert (await gateway("GET", "/a?gate-key=open%20sesame&b=1")).status == 200
        assert [seen.target for seen in gateway.api.seen] == ["/a?b=1"]


async def test_trusted_authorization_is_forwarded_with_a_warning() -> None:
    own = {"type": "bearer", "token": "for the host"}
    async with forwarding("Authorization", exposer={"authentication": own}) as gateway:
        await gateway("GET", "/a", headers={"Authorization": "Bearer for the host"})
        assert gateway.api.last.headers["Authorization"] == "Bearer for the host"
        (warning,) = gateway.host.warnings
    assert warning.code == "trusted-header"
    assert "credentials of clients for 'gate' are forwarded in 'Authorization'" in warning.message


@pytest.mark.parametrize("status", [200, 201, 206, 304, 307, 404, 429, 500, 503])
async def test_response_is_returned_unchanged(status: int) -> None:
    async def reply(_: web.Request) -> web.Response:
        headers = [("X-Own", "1"), ("Link", "<a>"), ("Link", "<b>"), ("Retry-After", "7"), ("Server", "theirs")]
        hop = [("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "5"), ("Proxy-Authenticate", "Basic")]
        origin = [("Alt-Svc", 'h3=":443"'), ("Strict-Transport-Security", "max-age=9")]
        body = b"" if status == 304 else b"a;b"
        return web.Response(
            status=status, body=body, headers=[*headers, *hop, *origin, ("Content-Type", "text/csv; header=absent")]
        )

    async with forwarding() as gateway:
        gateway.api.reply = reply
        response = await gateway("GET", "/a")
    assert (response.status, response.body) == (status, b"" if status == 304 else b"a;b")
    assert (response.headers["X-Own"], response.headers.getall("Link")) == ("1", ["<a>", "<b>"])
    assert (response.headers["Retry-After"], response.headers["Server"]) == ("7", "adapter-host")
    assert not {"X-Hop", "Keep-Alive", "Proxy-Authenticate", "Alt-Svc", "Strict-Transport-Security"} & set(
        response.headers
    )
    if status != 304:
        assert response.headers["Content-Type"] == "text/csv; header=absent"
        assert response.headers["Content-Length"] == "3"


async def test_encoded_response_stays_encoded() -> None:
    packed = gzip.compress(b"hello" * 100)

    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip", "ETag": '"1"'})

    async with forwarding("Accept-Encoding") as gateway:
        gateway.api.reply = reply
        response = await gateway("GET", "/a", headers={"Accept-Encoding": "gzip;q=1"})
        assert gateway.api.last.headers["Accept-Encoding"] == "gzip;q=1"
    assert (response.body, response.headers["Content-Encoding"]) == (packed, "gzip")
    assert response.headers["Content-Length"] == str(len(packed))


async def test_encoded_request_body_is_forwarded() -> None:
    async with forwarding() as gateway:
        packed = gzip.compress(b"hello" * 100)
        await gateway("POST", "/a", data=packed, headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"})
        assert gateway.api.last.body == b"hello" * 100


async def test_non_utf8_headers_do_not_break_a_response() -> None:
    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(headers={"X-Name": "caf\u00e9"})

    async with forwarding("X-Name") as gateway:
        gateway.api.reply = reply
        assert (await gateway("GET", "/a")).headers["X-Name"] == "caf\u00e9"
        request = b"GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Name: caf\xe9\r\n\r\n"
        assert b"header 'X-Name' must be UTF-8 text" in await send_raw(gateway.url, request)


@pytest.mark.parametrize(("trusted", "cookies"), [((), []), (("Cookie",), ["a=1; Path=/", "b=2; Secure"])])
async def test_set_cookie_is_returned_only_with_trusted_cookies(trusted: tuple[str, ...], cookies: list[str]) -> None:
    async def reply(_: web.Request) -> web.Response:
        headers = [("Set-Cookie", "a=1; Domain=api.example.com; Path=/"), ("Set-Cookie", "b=2; Secure; domain=.x.org")]
        return web.Response(headers=headers)

    async with forwarding(*trusted) as gateway:
        gateway.api.reply = reply
        assert (await gateway("GET", "/a")).headers.getall("Set-Cookie", []) == cookies


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
async def test_redirects_within_the_api_are_rewritten(path: str, location: str, seen: str) -> None:
    async with forwarding(below="/v1", path="/gate/{path}") as gateway:

        async def reply(_: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": location.replace("{api}", gateway.api.url)})

        gateway.api.reply = reply
        response = await gateway("GET", f"/gate{path}")
    assert (response.status, response.headers["Location"]) == (302, seen)


async def test_head_requests() -> None:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1234, content_type="text/plain")

    async with forwarding() as gateway:
        gateway.api.reply = reply
        response = await gateway("HEAD", "/a")
        assert gateway.api.last.method == "HEAD"
    assert (response.status, response.body, response.headers["Content-Length"]) == (200, b"", "1234")


async def test_options_is_handled_by_the_host() -> None:
    async with forwarding() as gateway:
        response = await gateway("OPTIONS", "/a")
        assert (response.status, response.headers["Allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
        assert (await gateway("PROPFIND", "/a")).status == 405
        assert gateway.api.seen == []


async def test_operations_take_precedence_over_forward() -> None:
    mocked = [{"type": "string", "value": "ours"}]
    resources = [
        {"path": "/gate/status", "operations": [{"method": "GET", "outputParameters": mocked}]},
        {"path": "/plain", "operations": [{"method": "GET", "outputParameters": mocked}]},
    ]
    own = {"operations": [{"method": "GET", "outputParameters": mocked}]}
    async with forwarding(path="/gate/{path}", resource=own, resources=resources) as gateway:
        responses = {
            (method, path): (await gateway(method, path)).status
            for method in ("GET", "POST")
            for path in ("/gate/status", "/gate/x", "/gate/x/y", "/plain", "/elsewhere")
        }
        seen = [(request.method, request.target) for request in gateway.api.seen]
    # A resource handles its own paths; the resource of the forward forwards its other methods.
    assert seen == [("GET", "/x/y"), ("POST", "/x"), ("POST", "/x/y")]
    assert [key for key, status in responses.items() if status == 405] == [("POST", "/gate/status"), ("POST", "/plain")]
    assert [key for key, status in responses.items() if status == 404] == [
        ("GET", "/elsewhere"),
        ("POST", "/elsewhere"),
    ]


async def test_longest_matching_path_forwards() -> None:
    def forward(base: str) -> Any:
        return {"targetNamespace": "api", "trustedHeaders": [base]}

    resources = [
        {"path": "/a/{path}", "forward": forward("A")},
        {"path": "/a/b/{path}", "forward": forward("B")},
        {"path": "/a/exact", "forward": forward("C")},
    ]
    async with forwarding("Root", resources=resources) as gateway:
        sent = {"Root": "1", "A": "1", "B": "1", "C": "1"}
        targets = {}
        for path in ("/x", "/a", "/a/x", "/a/b", "/a/b/c", "/a/exact"):
            await gateway("GET", path, headers=sent)
            seen = gateway.api.last
            targets[path] = ("".join(name[0] for name in sent if name in seen.headers), seen.target)
    assert targets == {
        "/x": ("R", "/x"),
        "/a": ("A", "/"),
        "/a/x": ("A", "/x"),
        "/a/b": ("B", "/"),
        "/a/b/c": ("B", "/c"),
        "/a/exact": ("C", "/"),
    }


async def test_websocket_upgrade_is_rejected() -> None:
    async with forwarding() as gateway:
        sent = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "x",
        }
        response = await gateway("GET", "/a", headers=sent)
        assert (response.status, response.data["detail"]) == (501, "WebSocket requests cannot be forwarded")
        assert gateway.api.seen == []


async def test_forward_below_a_prefix() -> None:
    async with serving_api() as api:
        app = web.Application()
        attach(app, Host(gateway(base=f"{api.url}/v1", path="/gate/{path}")), prefix="/inner")
        async with TestClient(TestServer(app)) as client:
            for path in ("/inner/gate/gate/a%2Fb?c=1", "/inner/gate/gate", "/inner/gate/a"):
                await client.get(URL(path, encoded=True))
        assert [seen.target for seen in api.seen] == ["/v1/a%2Fb?c=1", "/v1"]


async def test_mock_server_handles_known_operations() -> None:
    operation = {"name": "read", "method": "GET", "x-example": {"celsius": 4}}
    consumer = {"authentication": BEARER, "resources": [{"path": "/stations/{id}", "operations": [operation]}]}
    async with forwarding(consumer=consumer, below="/v1", settings={"mock": True}) as gateway:
        assert (await gateway("GET", "/stations/7")).data == {"celsius": 4}
        assert ((await gateway("DELETE", "/stations/7")).status, (await gateway("GET", "/x")).status) == (405, 404)
        assert gateway.api.seen == []


async def test_forward_is_not_in_openapi() -> None:
    async with forwarding(path="/gate/{path}") as gateway:
        assert (await gateway("GET", "/openapi.json")).data["paths"] == {}
        exposer = gateway.host.plans[0].exposers[0].exposer
        assert [offer.title for offer in exposer.catalog()] == ["ANY /gate/{path}"]


async def test_forward_can_be_called_as_an_operation() -> None:
    async with forwarding("X-Own") as gateway:
        headers = {"X-Own": "1", "X-Other": "2"}
        arguments = {"method": "POST", "path": "/a", "query": "b=1", "headers": headers, "body": {"c": 2}}
        result = await gateway.host.call("gate.forward-api", arguments)
        seen = gateway.api.last
    assert (result.data, seen.target, seen.body) == ({"ok": True}, "/a?b=1", b'{"c":2}')
    assert (seen.headers["X-Own"], seen.headers["Content-Type"]) == ("1", "application/json")
    assert "X-Other" not in seen.headers


def test_preview_masks_secrets() -> None:
    document = gateway("X-Own", consumer={"authentication": {"type": "bearer", "token": "{{TOKEN}}"}})
    host = Host(document, settings=Settings(environment={"TOKEN": "s3cr3t"}))
    (operation,) = host.plans[0].exposers[0].exposer.operations.values()
    preview = operation.preview({"method": "GET", "path": "/a", "headers": {"X-Own": "1"}})
    assert (preview["method"], preview["url"]) == ("GET", "http://127.0.0.1:1/a")
    assert (preview["headers"]["Authorization"], preview["headers"]["X-Own"]) == ("Bearer {{TOKEN}}", "1")


def test_headers_that_a_proxy_may_pass_on() -> None:
    headers = CIMultiDict([("Connection", "X-Hop, close"), ("x-hop", "1"), ("TE", "trailers"), ("A", "1"), ("a", "2")])
    assert list(end_to_end_headers(headers).items()) == [("A", "1"), ("a", "2")]
