"""The minimum with aiohttp: read a body, send a response."""

import json
import sys

import uvloop
from aiohttp import web

RESPONSE = json.dumps({"id": 7, "customer": "Ada Lovelace"}).encode()


async def respond(request: web.Request) -> web.Response:
    json.loads(await request.read())
    return web.Response(body=RESPONSE, content_type="application/json")


def main(port: str) -> None:
    app = web.Application()
    app.router.add_post("/orders", respond)
    web.run_app(
        app, host="127.0.0.1", port=int(port), access_log=None, print=lambda _: None, loop=uvloop.new_event_loop()
    )


main(*sys.argv[1:])
