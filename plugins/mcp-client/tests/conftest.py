"""Servers to call: one of the official SDK over HTTP and as a process."""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

SERVER = Path(__file__).with_name("server.py")


def _module() -> Any:
    if "mcp_station" not in sys.modules:
        spec = importlib.util.spec_from_file_location("mcp_station", SERVER)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["mcp_station"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["mcp_station"]


@asynccontextmanager
async def serve_app(app: Any, certificate: Path | None = None, client_ca: Path | None = None) -> AsyncIterator[str]:
    """Serve an ASGI application on a free port, and yield its URL; with `client_ca`, require certificates."""
    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        ssl_certfile=certificate,
        ssl_ca_certs=None if client_ca is None else str(client_ca),
        ssl_cert_reqs=ssl.CERT_NONE if client_ca is None else ssl.CERT_REQUIRED,
        timeout_graceful_shutdown=0,
        ws="none",
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    serving = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        socket.close()


@asynccontextmanager
async def serve_station(
    certificate: Path | None = None, client_ca: Path | None = None, **options: Any
) -> AsyncIterator[Any]:
    """Serve a station over streamable HTTP; yield its state and the URL of its endpoint."""
    station = _module().Station()
    async with serve_app(station.server.streamable_http_app(**options), certificate, client_ca) as url:
        yield SimpleNamespace(station=station, url=f"{url}/mcp")


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractAsyncContextManager[Any]]:
    return serve_station


@pytest.fixture(scope="session")
def command() -> dict[str, Any]:
    """Return the keys of a consumer that runs the server as a process."""
    return {"command": sys.executable, "arguments": [str(SERVER)]}
