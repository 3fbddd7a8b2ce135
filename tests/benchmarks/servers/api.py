"""The upstream API if nginx is missing; slower, so that rates are less conclusive."""

import os
import sys
from pathlib import Path

import uvloop
from aiohttp import web


def main(port: str, folder: str, body: str) -> None:
    expected = f"Bearer {os.environ['TOKEN']}"

    async def order(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != expected:
            return web.Response(status=401)
        await request.read()
        return web.Response(body=body.encode(), content_type="application/json")

    app = web.Application()
    app.router.add_post("/orders", order)
    app.router.add_static("/files", Path(folder) / "files")
    web.run_app(
        app, host="127.0.0.1", port=int(port), access_log=None, print=lambda _: None, loop=uvloop.new_event_loop()
    )


main(*sys.argv[1:])
