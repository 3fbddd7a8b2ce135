"""A shop whose refunds need an approval, served over REST and with approval pages."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from adapter_host.testing import Running, running

BASIC = {"type": "basic", "username": "boss", "password": "b0ss"}
BOSS = {"Authorization": aiohttp.encode_basic_auth("boss", "b0ss")}
INPUTS = [{"name": "order", "type": "string"}, {"name": "amount", "type": "number"}]
OPERATION = {"name": "refund", "method": "POST", "inputParameters": INPUTS}
API = {"type": "fake", "namespace": "shop", "operations": [OPERATION]}
APPROVED = {"x-approval": True}
PAGE = {"type": "approval", "namespace": "page", "port": 0, "authentication": BASIC}
OPEN_PAGE = {"type": "approval", "namespace": "page", "port": 0}
REFUND = {"order": "A-1", "amount": 250}


def rest(keys: Mapping[str, Any] = APPROVED, **config: Any) -> dict[str, Any]:
    """Return a REST exposer of the refunds; `keys` are those of the operation."""
    inputs = [{**each, "in": "body"} for each in INPUTS]
    refund = {"method": "POST", "name": "refund", "call": "shop.refund", "inputParameters": inputs, **keys}
    resources = [{"path": "/refunds", "operations": [refund]}]
    return {"type": "rest", "namespace": "rest", "port": 0, "resources": resources, **config}


def document(*exposers: Mapping[str, Any], consumed: Mapping[str, Any] = API) -> dict[str, Any]:
    """Return a document with these exposers."""
    capability = {"consumes": [consumed], "exposes": list(exposers)}
    return copy.deepcopy({"naftiko": "1.0.0-alpha2", "info": {"label": "Shop"}, "capability": capability})


class Shop:
    """A served document, with a client."""

    def __init__(self, served: Running, session: aiohttp.ClientSession) -> None:
        self.served = served
        self.session = session

    @property
    def calls(self) -> list[Any]:
        """The arguments of the calls that reached the API."""
        return [arguments for _, arguments in self.served.fake("shop").calls]

    async def refund(self, arguments: Mapping[str, Any] = REFUND, **options: Any) -> tuple[int, dict[str, Any]]:
        """Call the operation over REST; return the status and the body."""
        url = f"{self.served.url('rest')}/refunds"
        async with self.session.post(url, json=arguments, **options) as response:
            return response.status, await response.json(content_type=None)

    async def ask(self, arguments: Mapping[str, Any] = REFUND, **options: Any) -> str:
        """Call the operation, which needs an approval; return the URL of its page."""
        status, problem = await self.refund(arguments, **options)
        assert (status, problem["title"]) == (403, "Approval required"), problem
        url: str = problem["approval"]["url"]
        return url

    async def decide(self, url: str, decision: str = "approve", auth: Mapping[str, str] = BOSS) -> int:
        """Decide as a program does; return the status."""
        async with self.session.post(url, json={"decision": decision}, headers=auth) as response:
            return response.status

    async def page(self, url: str, auth: Mapping[str, str] = BOSS) -> tuple[str, str, str]:
        """Open a page in a browser; return its HTML, the token of its form, and its cookie."""
        async with self.session.get(url, headers={"Accept": "text/html", **auth}) as response:
            html = await response.text()
            assert response.status == 200, html
            token = re.search(r"name='token' value='([^']*)'", html)
            assert token is not None
            return html, token[1], response.cookies["adapter-host-approval"].value

    async def submit(
        self, url: str, token: str, cookie: str, decision: str = "approve", auth: Mapping[str, str] = BOSS
    ) -> tuple[int, str]:
        """Submit the form of a page; return the status and the next page."""
        headers = {"Accept": "text/html", "Cookie": f"adapter-host-approval={cookie}", **auth}
        data = {"token": token, "decision": decision}
        async with self.session.post(url, data=data, headers=headers) as response:
            return response.status, await response.text()


@asynccontextmanager
async def serving(*exposers: Mapping[str, Any], **settings: Any) -> AsyncIterator[Shop]:
    """Serve a document."""
    jar = aiohttp.DummyCookieJar()
    async with running(document(*exposers), **settings) as served, aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Shop(served, session)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """Serve refunds, each with an approval, and the pages."""
    async with serving(rest(), PAGE) as shop:
        yield shop


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Return the messages that the plugin logs."""
    messages: list[str] = []

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, recorder = logging.getLogger("adapter_host.approval"), Recorder()
    logger.addHandler(recorder)
    yield messages
    logger.removeHandler(recorder)
