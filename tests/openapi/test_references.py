"""References to other folders and other hosts, which the user allows one by one."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host.openapi.source.fetch import Fetcher, FetchError, is_private
from tests.conftest import Command
from tests.support.raw_http import Connection, RawUpstream, raw_upstream, response

SECRET = {"name": "found", "in": "query", "schema": {"type": "string"}}


def document(*references: str) -> bytes:
    """Return a document with references to parameters."""
    operation = {"operationId": "read", "parameters": [{"$ref": reference} for reference in references]}
    info = {"title": "Things", "version": "1"}
    servers = [{"url": "https://things.example.com"}]
    return json.dumps(
        {"openapi": "3.1.0", "info": info, "servers": servers, "paths": {"/x": {"get": operation}}}
    ).encode()


@asynccontextmanager
async def serving(content: bytes, *, location: str | None = None) -> AsyncIterator[RawUpstream]:
    """Serve one document, or redirects to a URL."""

    async def handle(connection: Connection) -> None:
        await connection.read_request()
        head = b"" if location is None else b"Location: " + location.encode()
        await connection.send(response(content, *([head] if head else []), status=b"302 F" if head else b"200 OK"))

    async with raw_upstream(handle) as upstream:
        yield upstream


async def run(command: Command, *arguments: str) -> Any:
    return await asyncio.to_thread(command, "import", "openapi", *arguments)


# Folders


def test_a_reference_reads_an_allowed_folder(command: Command, tmp_path: Path) -> None:
    (tmp_path / "apis").mkdir()
    (tmp_path / "parts").mkdir()
    (tmp_path / "apis/api.json").write_bytes(document("../parts/found.json", "../outside.json"))
    for name in ("parts/found.json", "outside.json"):
        (tmp_path / name).write_text(json.dumps(SECRET))
    refused = command("import", "openapi", "apis/api.json")
    assert "name: found" not in refused.stdout
    assert "it is outside the document's folder; add --reference-folder" in refused.stderr
    allowed = command("import", "openapi", "apis/api.json", "--reference-folder", "parts")
    assert "name: found\n" in allowed.stdout
    assert "parts/found.json" not in allowed.stderr
    assert "'../outside.json' cannot be resolved: it is outside the document's folder" in allowed.stderr
    missing = command("import", "openapi", "apis/api.json", "--reference-folder", "none")
    assert (missing.returncode, missing.stderr.splitlines()[0].split(": ", 1)[1]) == (
        2,
        "--reference-folder: 'none' is not a folder",
    )


def test_a_link_does_not_lead_out_of_an_allowed_folder(command: Command, tmp_path: Path) -> None:
    for name in ("apis", "parts", "secrets"):
        (tmp_path / name).mkdir()
    (tmp_path / "apis/api.json").write_bytes(document("../parts/found.json"))
    (tmp_path / "secrets/found.json").write_text(json.dumps(SECRET))
    (tmp_path / "parts/found.json").symlink_to("../secrets/found.json")
    result = command("import", "openapi", "apis/api.json", "--reference-folder", "parts")
    assert "name: found" not in result.stdout
    assert "it is outside the document's folder" in result.stderr


# Hosts


async def test_a_file_refers_to_an_allowed_host_only(command: Command, tmp_path: Path) -> None:
    async with serving(json.dumps(SECRET).encode()) as part:
        (tmp_path / "api.json").write_bytes(document(f"{part.url}/found.json"))
        refused = await run(command, "api.json", "--allow-remote", "--allow-host", "things.example.com")
        assert f"{part.url} is not an allowed host; add --allow-host" in refused.stderr
        private = await run(command, "api.json", "--allow-host", part.url)
        assert f"cannot fetch: {part.url} has the private address 127.0.0.1; add --allow-private" in private.stderr
        assert part.connections == []
        allowed = await run(command, "api.json", "--allow-host", part.url, "--allow-private")
        assert allowed.stderr == ""
        assert "name: found\n" in allowed.stdout


async def test_a_redirect_leads_to_an_allowed_host_that_is_public(command: Command, tmp_path: Path) -> None:
    async with (
        serving(json.dumps(SECRET).encode()) as internal,
        serving(b"", location=f"{internal.url}/found.json") as moved,
        serving(document(f"{moved.url}/found.json")) as first,
    ):
        options = ("--allow-remote", "--allow-host", moved.url, "--allow-private")
        refused = await run(command, f"{first.url}/api.json", *options)
        assert f"it redirects to another host ({internal.url}); use a URL without redirects, or add" in refused.stderr
        assert internal.connections == []
        allowed = await run(command, f"{first.url}/api.json", *options, "--allow-host", internal.url)
        assert "name: found\n" in allowed.stdout


async def test_the_first_document_may_have_a_private_address_and_others_not(command: Command) -> None:
    async with (
        serving(json.dumps(SECRET).encode()) as internal,
        serving(document("./again.json#/paths/~1x/get/parameters/0", f"{internal.url}/found.json")) as first,
    ):
        result = await run(command, f"{first.url}/api.json", "--allow-remote", "--allow-host", internal.url)
        assert result.returncode == 0
        assert len(first.connections) == 2
        assert f"{internal.url} has the private address 127.0.0.1; add --allow-private" in result.stderr
        assert internal.connections == []


async def test_a_redirect_of_the_first_document_does_not_lead_to_a_private_address(command: Command) -> None:
    async with serving(document()) as internal, serving(b"", location=f"{internal.url}/api.json") as first:
        result = await run(command, f"{first.url}/api.json", "--allow-remote", "--allow-host", internal.url)
        assert result.returncode == 1
        assert f"{internal.url} has the private address 127.0.0.1" in result.stderr
        assert internal.connections == []


async def test_the_address_that_is_connected_to_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may have another address at each look-up."""
    resolved: list[str] = []
    original = asyncio.BaseEventLoop.getaddrinfo

    async def resolve(self: Any, host: str, port: int, **options: Any) -> Any:
        resolved.append(host)
        return await original(self, "127.0.0.1", port, **{**options, "family": socket.AF_INET})

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    async with serving(b"{}") as upstream:
        url = f"http://parts.example.com:{upstream.url.rpartition(':')[2]}"
        for fetcher, count in ((Fetcher(frozenset({url})), 0), (Fetcher(frozenset({url}), allows_private=True), 1)):
            try:
                await asyncio.to_thread(fetcher.fetch, f"{url}/a.json", 1000)
                message = ""
            except FetchError as error:
                message = str(error)
            assert message == (
                "" if count else f"cannot fetch: {url} has the private address 127.0.0.1; add --allow-private"
            )
            assert len(upstream.connections) == count
    assert resolved == ["parts.example.com"] * 2


async def test_a_proxy_does_not_hide_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(b"{}") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        for host in ("10.0.0.1", "[::1]", "localhost", "localhost."):
            with pytest.raises(FetchError, match="has the private address"):
                await asyncio.to_thread(Fetcher(frozenset()).fetch, f"http://{host}/a.json", 1000)
        assert proxy.connections == []
        assert await asyncio.to_thread(Fetcher(frozenset()).fetch, "http://parts.example.com/a.json", 1000) == b"{}"
        assert len(proxy.connections) == 1


@pytest.mark.parametrize(
    "text", ["a b", "ftp://x.example", "https://x.example/path", "x.example/path", "u@x.example", ""]
)
def test_an_allowed_host_is_a_host(text: str, command: Command) -> None:
    result = command("import", "openapi", "api.json", "--allow-host", text)
    assert result.returncode == 2
    assert f"--allow-host: '{text}' is not a host; write HOST, HOST:PORT or http://HOST:PORT" in result.stderr


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1", "224.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]
)
def test_public_addresses(address: str) -> None:
    assert not is_private(address)


@given(st.ip_addresses(v=4))
def test_an_address_within_one_of_ipv6_is_the_same(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:", "64:ff9b::"):
        assert is_private(f"{prefix}{address}") is is_private(str(address))
