"""A hand-written proxy: aiohttp on both sides, uvloop and orjson, without any extra checks."""

import os
import sys
from collections.abc import AsyncIterator

import orjson
import uvloop
from aiohttp import ClientSession, DummyCookieJar, web

HEADERS = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"}
SESSION = web.AppKey("session", ClientSession)
URL = web.AppKey("url", str)


async def passed(request: web.Request) -> web.Response:
    body = await request.read()
    async with request.app[SESSION].post(request.app[URL], data=body, headers=HEADERS) as response:
        body = await response.read()
        return web.Response(status=response.status, body=body, content_type=response.content_type)


async def mapped(request: web.Request) -> web.Response:
    given = orjson.loads(await request.read())
    order = orjson.dumps({"sku": given["sku"], "quantity": given["quantity"], "note": given["note"]})
    async with request.app[SESSION].post(request.app[URL], data=order, headers=HEADERS) as response:
        found = orjson.loads(await response.read())
        if response.status != 200:
            return web.Response(status=response.status, body=orjson.dumps(found), content_type="application/json")
    order_status = {
        "id": found["id"],
        "status": found["status"],
        "customer": found["customer"]["name"],
        "total": found["total"],
        "items": [{"sku": item["sku"], "quantity": item["quantity"]} for item in found["items"]],
    }
    return web.Response(body=orjson.dumps(order_status), content_type="application/json")


def main(port: str, upstream: str) -> None:
    async def session(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession(cookie_jar=DummyCookieJar()) as app[SESSION]:
            yield

    app = web.Application()
    app[URL] = f"{upstream}/orders"
    app.cleanup_ctx.append(session)
    app.router.add_post("/passed", passed)
    app.router.add_post("/mapped", mapped)
    web.run_app(
        app, host="127.0.0.1", port=int(port), access_log=None, print=lambda _: None, loop=uvloop.new_event_loop()
    )


main(*sys.argv[1:])
