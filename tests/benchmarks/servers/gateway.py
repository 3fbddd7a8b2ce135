"""A common gateway stack: Starlette, uvicorn and httpx, in its own environment."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

HEADERS = {"Authorization": f"Bearer {os.environ['TOKEN']}"}


async def mapped(request: Request) -> JSONResponse:
    given = await request.json()
    order = {"sku": given["sku"], "quantity": given["quantity"], "note": given["note"]}
    response = await request.app.state.client.post("/orders", json=order, headers=HEADERS)
    found = response.json()
    if response.status_code != 200:
        return JSONResponse(found, status_code=response.status_code)
    order_status = {
        "id": found["id"],
        "status": found["status"],
        "customer": found["customer"]["name"],
        "total": found["total"],
        "items": [{"sku": item["sku"], "quantity": item["quantity"]} for item in found["items"]],
    }
    return JSONResponse(order_status)


def main(port: str, upstream: str) -> None:
    @asynccontextmanager
    async def client(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=upstream) as app.state.client:
            yield

    app = Starlette(routes=[Route("/mapped", mapped, methods=["POST"])], lifespan=client)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)


main(*sys.argv[1:])
