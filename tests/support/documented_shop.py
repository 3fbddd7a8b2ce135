"""A capability whose documentation is opened in a browser, the API that it consumes, and a thread that serves both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapter_host.testing import running

SHOP = """\
naftiko: 1.0.0-alpha2
info: {label: Shop, description: Sells books and toys., version: "2.1"}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: {{URL}}
      resources:
        - name: order
          path: /orders/{{number}}
          operations:
            - name: find
              method: GET
              inputParameters: [{name: number, in: path}, {name: fields, in: query}, {name: X-Trace, in: header}]
        - name: orders
          path: /orders
          operations:
            - name: create
              method: POST
              inputParameters:
                - name: body
                  in: body
                  type: object
                  description: The order
                  x-schema:
                    type: object
                    properties:
                      customer:
                        type: object
                        description: Who buys
                        properties:
                          name: {type: string, description: The full name}
                          address:
                            type: object
                            properties: {street: {type: string}, city: {type: string}}
                            required: [city]
                        required: [name, address]
                      items:
                        type: array
                        items:
                          type: object
                          properties: {article: {type: string}, count: {type: integer, minimum: 1}}
                          required: [article, count]
                      priority: {type: string, enum: [normal, express]}
                    required: [customer, items]
        - name: photos
          path: /photos
          operations:
            - name: upload
              method: POST
              inputParameters:
                - name: photo
                  in: body
                  required: true
                  description: A picture of the article
                  x-schema: {type: string, contentEncoding: base64, contentMediaType: image/png}
                - {name: caption, in: body, type: string}
              body:
                type: multipartForm
                data: [{name: photo, value: "{{photo}}"}, {name: caption, value: "{{caption}}"}]
        - name: news
          path: /news
          operations:
            - {name: news, method: GET, outputMediaType: text/event-stream}
        - name: label
          path: /label
          operations:
            - {name: label, method: GET}
  exposes:
    - type: rest
      namespace: shop
      port: 0
      resources:
        - path: /orders/{{number}}
          tags: [orders]
          operations:
            - method: GET
              name: find-order
              label: Find an order
              description: Finds an order by its number.
              call: api.find
              inputParameters:
                - {name: number, in: path, type: string, description: The number of the order}
                - {name: fields, in: query, type: array, description: What to return}
                - {name: X-Trace, in: header, type: string}
              with: {number: number, fields: fields, X-Trace: X-Trace}
        - path: /orders
          tags: [orders]
          operations:
            - {method: POST, name: create-order, label: Place an order, call: api.create}
        - path: /photos
          tags: [pictures]
          operations:
            - {method: POST, name: upload-photo, label: Add a picture, call: api.upload}
        - path: /news
          operations:
            - {method: GET, name: follow-news, label: Follow the news, call: api.news}
        - path: /label
          operations:
            - {method: GET, name: print-label, label: Print a label, call: api.label}
"""


def catalog(operations: int) -> dict[str, Any]:
    """Return a document with many operations."""
    resources = [
        {
            "path": f"/things/{number:05}/{{id}}",
            "tags": [f"group-{number % 100:02}"],
            "operations": [
                {
                    "method": "GET",
                    "name": f"get-thing-{number:05}",
                    "label": f"Read the {'red' if number % 3 else 'blue'} thing number {number}",
                    "call": "api.get",
                    "inputParameters": [{"name": "id", "in": "path", "type": "integer"}],
                    "with": {"id": "id"},
                }
            ],
        }
        for number in range(operations)
    ]
    consumed = {"name": "get", "method": "GET", "inputParameters": [{"name": "id", "in": "path"}]}
    api = {
        "type": "http",
        "namespace": "api",
        "baseUri": "https://api.example.com",
        "resources": [{"name": "things", "path": "/things/{{id}}", "operations": [consumed]}],
    }
    exposer = {"type": "rest", "namespace": "things", "port": 0, "resources": resources}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Things"},
        "capability": {"consumes": [api], "exposes": [exposer]},
    }


def consumed_api(events: asyncio.Event) -> web.Application:
    """Return the API: it echoes requests, and sends the second event of its stream once `events` is set."""

    async def echo(request: web.Request) -> web.Response:
        seen: dict[str, Any] = {"method": request.method, "path": request.path, "query": list(request.query.items())}
        seen["trace"] = request.headers.get("X-Trace")
        if request.content_type == "multipart/form-data":
            form = await request.post()
            photo = form["photo"]
            assert isinstance(photo, web.FileField)
            seen |= {"file": photo.filename, "size": len(photo.file.read()), "caption": form.get("caption")}
        elif request.can_read_body:
            seen["body"] = await request.json()
        return web.json_response(seen, status=201 if request.method == "POST" else 200)

    async def news(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'event: news\ndata: {"title": "first"}\n\n')
        await events.wait()
        await response.write(b'data: {"title": "second"}\n\n')
        return response

    async def label(_: web.Request) -> web.Response:
        disposition = {"Content-Disposition": 'attachment; filename="label.png"'}
        return web.Response(body=b"\x89PNG\xff\x00", content_type="image/png", headers=disposition)

    app = web.Application()
    app.router.add_get("/news", news)
    app.router.add_get("/label", label)
    app.router.add_route("*", "/{path:.*}", echo)
    return app


def shop(api: str, **keys: Any) -> dict[str, Any]:
    """Return the document of the shop, whose API is at a URL; `keys` are those of its exposer."""
    document: dict[str, Any] = yaml.safe_load(SHOP.replace("{{URL}}", api))
    document["capability"]["exposes"][0] |= keys
    return document


@dataclass
class Served:
    """A host and its API in a thread."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    events: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def send_event(self) -> None:
        """Let the stream of news send its second event, and end."""
        self.loop.call_soon_threadsafe(self.events.set)


@contextmanager
def serving(document: dict[str, Any] | None = None, **keys: Any) -> Iterator[Served]:
    """Serve a document, or else the shop with keys of its exposer, until the block ends."""
    served = Served()
    started = threading.Event()
    stop = asyncio.Event()
    failures: list[BaseException] = []

    async def serve() -> None:
        async with TestServer(consumed_api(served.events)) as api:
            given = document or shop(str(api.make_url("")).rstrip("/"), **keys)
            namespace = given["capability"]["exposes"][0]["namespace"]
            async with running(given, ports={namespace: 0}) as host:
                served.url = host.url(namespace)
                started.set()
                await stop.wait()

    def run() -> None:
        try:
            served.loop.run_until_complete(serve())
        except BaseException as error:
            failures.append(error)
        finally:
            started.set()
            served.loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    try:
        if failures:
            raise failures[0]
        yield served
    finally:
        if thread.is_alive():
            served.loop.call_soon_threadsafe(stop.set)
        thread.join()
