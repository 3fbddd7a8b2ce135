"""Attacks by paths: encodings that a recipient could read as another path than the one that was checked."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_host import ArgumentError
from adapter_host_http.request.url import forwarded_path
from tests.support.forward_gateway import forwarding
from tests.support.raw_http import CLOSE, exchange, status_of
from tests.support.rest_and_mcp import offering, operation, resource

SLASHES = ["//", "%2f%2f", "%2F/", "/%2f", "%252f%252f", "%2f%5c", "\\\\", "/\\", "/;/", "/;x=1/", "%2f%3b%2f"]
DOTS = ["..", "%2e%2e", ".%2e", "%252e%252e", "..%2f", "%2e%2e%5c", "..;", "..;x", "%2e%2e%3b", ".", "%2e", ".%20"]
OVERLONG = ["%c0%ae%c0%ae", "%c0%af", "%C1%9C", "%e0%80%af", "%f0%80%80%af"]
MALFORMED = ["%", "%2", "%zz", "%u002e"]
CONTROLS = ["%00", "%0d%0a", "%7f"]


def port_of(url: str) -> int:
    return int(url.split(":")[2].split("/")[0])


async def test_no_encoding_leads_out_of_the_base_of_a_forward() -> None:
    async with forwarding(below="/v1") as gate:
        port = port_of(gate.url)
        for attack in [*SLASHES, *DOTS, *OVERLONG, *MALFORMED, *CONTROLS]:
            for path in (f"/{attack}", f"/a/{attack}/b", f"/a{attack}b" if attack in SLASHES else f"/{attack}/b"):
                request = f"GET {path} HTTP/1.1\r\n".encode() + CLOSE + b"\r\n"
                assert status_of(await exchange(port, request)) in (400, 404), path
        assert gate.api.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a/",
        "/a%2Fb",
        "/a%20b",
        "/10.1000%2Fx;v=1/y",
        "/...",
        "/.a",
        "/a..b",
        "/%C3%A9",
        "/100%25",
        "/a%252Fb",
    ],
)
async def test_ordinary_paths_are_forwarded_as_they_came(path: str) -> None:
    async with forwarding(below="/v1") as gate:
        request = f"GET {path} HTTP/1.1\r\n".encode() + CLOSE + b"\r\n"
        assert status_of(await exchange(port_of(gate.url), request)) == 200
        assert gate.api.last.target == f"/v1{path}"


@pytest.mark.parametrize("attack", [*SLASHES, *(each for each in DOTS if each != "%252e%252e"), *OVERLONG, *MALFORMED])
def test_the_forward_checks_paths_of_every_exposer(attack: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        forwarded_path(f"/a/{attack}/b")
    assert caught.value.parameter == "path"


@pytest.mark.parametrize("mode", ["one segment", "part of a segment"])
async def test_no_value_of_a_path_leaves_its_segment(mode: str) -> None:
    path = "/things/{id}/end" if mode == "one segment" else "/things/x-{id}/end"
    inputs: list[Any] = [{"name": "id", "in": "path", "type": "string"}]
    exposed = {"method": "GET", "call": "api.do", "inputParameters": inputs}
    async with offering(
        resource(path, operation(inputParameters=inputs)), rest=[resource("/do/{id}", exposed)]
    ) as offered:
        port = port_of(offered.served.url("site"))
        for attack in [
            *SLASHES,
            *DOTS,
            *OVERLONG,
            *MALFORMED,
            *CONTROLS,
            "a%2F..%2Fb",
            "%3F",
            "%23",
            "%25",
            "@x",
            "%5C",
        ]:
            request = f"GET /do/{attack} HTTP/1.1\r\n".encode() + CLOSE + b"\r\n"
            if status_of(await exchange(port, request)) == 200:
                segments = offered.api.last.target.split("/")
                assert len(segments) == 4, attack
                assert segments[2] not in ("", ".", ".."), attack
                assert set(segments[2]).isdisjoint("?#;@\\"), attack
