"""Addresses in the place of those of consumed APIs: by namespace, by origin, and for all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapter_host import Settings
from adapter_host.base_uris import split_address
from adapter_host.cli import main
from adapter_host.testing import running
from tests.support.upstream import send, serving_api

ADDRESSES = {
    "orders": "https://API.example.com:443/v1",
    "prices": "https://api.example.com/v2/",
    "tenant": "https://{tenant}.example.com",
    "bare": None,
}
"""The `baseUri` of each consumed API; one has none."""


def document() -> dict[str, Any]:
    consumes = [
        {
            "type": "http",
            "namespace": name,
            **({} if address is None else {"baseUri": address}),
            "resources": [{"path": f"/{name}", "operations": [{"name": "read", "method": "GET"}]}],
        }
        for name, address in ADDRESSES.items()
    ]
    resources = [{"path": f"/{name}", "operations": [{"method": "GET", "call": f"{name}.read"}]} for name in ADDRESSES]
    exposes = [{"type": "rest", "namespace": "front", "port": 0, "resources": resources}]
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": consumes, "exposes": exposes}}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "shop.yaml"
    path.write_text(json.dumps(document()))
    return str(path)


@pytest.mark.parametrize(
    ("base_uris", "targets"),
    [
        pytest.param(
            {"*": "/all"}, ["/all/orders", "/all/prices", "/all/tenant", "/all/bare"], id="all, without their paths"
        ),
        pytest.param(
            {"*": "/all", "https://api.example.com": "/mock/"},
            ["/mock/v1/orders", "/mock/v2/prices", "/all/tenant", "/all/bare"],
            id="an origin keeps the paths and comes before all",
        ),
        pytest.param(
            {"*": "/all", "HTTPS://Api.Example.com:443/": "", "prices": "/own"},
            ["/v1/orders", "/own/prices", "/all/tenant", "/all/bare"],
            id="a namespace comes before an origin",
        ),
        pytest.param(
            {"https://{ tenant }.example.com": "/t", "*": "/all"},
            ["/all/orders", "/all/prices", "/t/tenant", "/all/bare"],
            id="a placeholder as it is in the document",
        ),
    ],
)
async def test_requests_go_to_the_addresses_of_the_settings(base_uris: Mapping[str, str], targets: list[str]) -> None:
    async with serving_api() as api:
        replaced = {key: api.url + path for key, path in base_uris.items()}
        async with (
            running(document(), base_uris=replaced, environment={}) as host,
            aiohttp.ClientSession() as session,
        ):
            for name in ADDRESSES:
                assert (await send(session, "GET", f"{host.url('front')}/{name}")).status == 200
        assert [seen.target for seen in api.seen] == targets


@pytest.mark.parametrize("key", ["https://api.example.com/v1", "https://", "https://user@api.example.com", "a://b?c"])
def test_keys_that_are_no_origins(key: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        Settings(base_uris={key: "http://127.0.0.1:9"})
    assert main(["validate", file, "--base-uri", f"{key}=http://127.0.0.1:9"]) == 2
    assert f"--base-uri: '{key}' is not an origin; write SCHEME://HOST[:PORT]" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["validate", "inspect", "call", "serve", "discover"])
def test_an_origin_that_no_api_has(command: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [command, file, *(["bare.read"] if command == "call" else [])]
    all_apis = ["--base-uri", "*=http://127.0.0.1:9"]
    for key, message in (
        (
            "https://other.example.com",
            "unknown origin 'https://other.example.com' (known: https://api.example.com, "
            "https://{{tenant}}.example.com)",
        ),
        ("order", "unknown namespace 'order' (known: bare, orders, prices, tenant)"),
    ):
        assert main([*arguments, *all_apis, "--base-uri", f"{key}=http://127.0.0.1:9"]) == 2
        assert capsys.readouterr().err.splitlines()[0] == f"adapter-host {command}: --base-uri: {message}"


def test_all_apis_do_not_include_what_has_no_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tools.yaml"
    consumes = [{"type": "mcp", "namespace": "tools", "command": "nothing-of-this-name"}]
    path.write_text(json.dumps({"naftiko": "1.0.0-alpha2", "capability": {"consumes": consumes}}))
    messages = []
    for key in ("*", "tools"):
        assert main(["validate", str(path), "--base-uri", f"{key}=http://127.0.0.1:9"]) == 1
        messages.append(capsys.readouterr().err)
    assert ["a base URI replaces a 'url'" in message for message in messages] == [False, True]


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("http://Host:80", ("http://host", "")),
        ("http://host:8080/a/B?c", ("http://host:8080", "/a/B?c")),
        ("grpc://[::1]:443", ("grpc://[::1]:443", "")),
        ("https://{Region}.API.com/{x}", ("https://{{Region}}.api.com", "/{x}")),
        ("{{BASE}}/v1", ("", "{{BASE}}/v1")),
        ("https://ada:s3cr3t@api.example.com/v1", ("", "https://ada:s3cr3t@api.example.com/v1")),
        ("sqlite:./shop.db", ("", "sqlite:./shop.db")),
    ],
)
def test_origins_of_addresses(address: str, parts: tuple[str, str]) -> None:
    assert split_address(address) == parts
