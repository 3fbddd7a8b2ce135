"""The walks of docs/explanation.md name functions that really run, in the order of the page."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import aiohttp
import pytest
from mcp import Client

from adapter_host import Host, Settings
from tests.support.paths import ROOT

PAGE = ROOT / "docs/explanation.md"
EXAMPLE = ROOT / "capabilities/netbird-checkout.yaml"
ORDER = {"baseURL": "https://app.example.com/plans/success", "priceID": "price_team"}
CHECKOUT = "/v1/api/integrations/billing/checkout"
LONGEST = 12

Function = tuple[str, str]
"""The end of a file's path, and the qualified name of a function in it."""


def walk(name: str) -> list[Function]:
    """Return the functions of one walk of the page."""
    text = PAGE.read_text().partition(f"<!-- walk: {name} -->")[2].lstrip().split("\n\n")[0]
    return re.findall(r"^\d+\. `([^`]+)`: `([^`]+)`", text, re.MULTILINE)


def is_function(code: CodeType, function: Function) -> bool:
    """Return True for the function itself, or for one that it defines and returns."""
    file, name = function
    in_file = code.co_filename.endswith(file if file.startswith("adapter_host_") else f"/adapter_host/{file}")
    return in_file and (code.co_qualname == name or code.co_qualname.startswith(f"{name}.<locals>."))


@contextmanager
def traced() -> Iterator[list[CodeType]]:
    """Record the functions of adapter-host that this thread and new ones enter, in order."""
    entered: list[CodeType] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and "adapter_host" in frame.f_code.co_filename:
            entered.append(frame.f_code)

    sys.setprofile(profile)
    threading.setprofile(profile)
    try:
        yield entered
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def check(functions: list[Function], entered: list[CodeType]) -> None:
    """Each function was entered after the one before it on the page."""
    assert 5 < len(functions) <= LONGEST
    remaining = iter(entered)
    for function in functions:
        assert any(is_function(code, function) for code in remaining), f"{function} is not entered in this order"


@pytest.fixture
def settings() -> Settings:
    ports = {"netbird-checkout-rest": 0, "netbird-checkout-mcp": 0}
    return Settings(mock=True, environment={}, ports=ports)


async def test_from_a_document_to_a_running_host(settings: Settings) -> None:
    with traced() as entered:
        async with Host(EXAMPLE, settings=settings):
            pass
    check(walk("load"), entered)


async def test_from_a_rest_request_to_its_response(settings: Settings) -> None:
    async with Host(EXAMPLE, settings=settings) as host, aiohttp.ClientSession() as session:
        (url,) = [status.url for status in host.status() if status.type == "rest"]
        with traced() as entered:
            async with session.post(f"{url}{CHECKOUT}", json=ORDER) as response:
                assert response.status == 200
    check(walk("rest"), entered)


async def test_from_a_tool_call_to_its_result(settings: Settings) -> None:
    async with Host(EXAMPLE, settings=settings) as host:
        (url,) = [status.url for status in host.status() if status.type == "mcp"]
        assert url is not None
        async with Client(url) as client:
            (tool,) = (await client.list_tools()).tools
            with traced() as entered:
                result = await client.call_tool(tool.name, {"body": ORDER})
        assert not result.is_error
    check(walk("mcp"), entered)


@pytest.mark.parametrize("name", ["load", "rest", "mcp"])
def test_each_file_exists(name: str) -> None:
    for file, _ in walk(name):
        assert list(ROOT.glob(f"core/adapter_host/{file}")) or list(ROOT.glob(f"plugins/*/{file}")), file


def test_the_page_is_read() -> None:
    assert Path(PAGE).read_text().count("<!-- walk:") == 3
