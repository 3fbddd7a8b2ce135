"""ASGI servers on real sockets, and applications that a host is mounted in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import hypercorn
import uvicorn
from fastapi import FastAPI
from hypercorn.asyncio import serve
from starlette.applications import Starlette
from starlette.routing import Mount

from adapter_host import AsgiApplication, Host

Application = Callable[..., Any]


@asynccontextmanager
async def uvicorn_serving(app: Application, root_path: str = "") -> AsyncIterator[str]:
    config = uvicorn.Config(app, lifespan="on", log_config=None, root_path=root_path, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def hypercorn_serving(app: Application, root_path: str = "") -> AsyncIterator[str]:
    config = hypercorn.Config()
    config.root_path, config.graceful_timeout = root_path, 5
    stop = asyncio.Event()

    async def wait_for_stop() -> None:
        await stop.wait()

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    # The server closes it.
    config.bind = [f"fd://{listening.detach()}"]
    serving: Any = app
    running = asyncio.create_task(serve(serving, config, shutdown_trigger=wait_for_stop))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        await running


SERVERS: Mapping[str, Callable[..., Any]] = {"uvicorn": uvicorn_serving, "hypercorn": hypercorn_serving}


def bare(app: AsgiApplication) -> Application:
    return app


def in_starlette(app: AsgiApplication) -> Application:
    return Starlette(routes=[Mount("/apis", app)], lifespan=app.lifespan)


def in_fastapi(app: AsgiApplication) -> Application:
    outer = FastAPI(lifespan=app.lifespan)

    @outer.get("/own")
    async def own() -> dict[str, str]:
        return {"own": "application"}

    outer.mount("/apis", app)
    return outer


PLACES: Mapping[str, tuple[Callable[[AsgiApplication], Application], str]] = {
    "alone": (bare, ""),
    "starlette": (in_starlette, "/apis"),
    "fastapi": (in_fastapi, "/apis"),
}
"""Where a host is mounted, and its path there."""


@asynccontextmanager
async def asgi_serving(host: Host, server: str = "uvicorn", place: str = "alone", **options: Any) -> AsyncIterator[str]:
    """Serve a host; yield its URL."""
    mount, path = PLACES[place]
    async with SERVERS[server](mount(host.asgi()), **options) as url:
        yield f"{url}{path}"
