"""adapter-host attached to an application, below a prefix."""

import sys
from pathlib import Path

import uvloop
from aiohttp import web

from adapter_host import Host, attach


async def home(_: web.Request) -> web.Response:
    return web.Response(text="an application")


def main(port: str, document: str) -> None:
    app = web.Application()
    app.router.add_get("/", home)
    attach(app, Host(Path(document)), prefix="/api")
    web.run_app(
        app, host="127.0.0.1", port=int(port), access_log=None, print=lambda _: None, loop=uvloop.new_event_loop()
    )


main(*sys.argv[1:])
