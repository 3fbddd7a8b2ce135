"""Documents with a console, and the command as a process that serves them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

SHOP = """\
naftiko: 1.0.0-alpha2
info: {label: Shop, description: Sells books and toys., version: "2.1"}
capability:
  binds:
    - namespace: env
      keys: {TOKEN: SHOP_TOKEN}
  consumes:
    - type: http
      namespace: api
      baseUri: https://api.example.com/v1
      authentication: {type: bearer, token: "{{env.TOKEN}}"}
      resources:
        - name: orders
          path: /orders
          operations:
            - name: create
              method: POST
              body: '{"customer": {{customer}}, "items": {{items}}, "priority": {{priority}}}'
              inputParameters:
                - {name: customer, in: body, type: object}
                - {name: items, in: body, type: array}
                - {name: priority, in: body, type: string}
              outputParameters:
                - {name: id, type: string, value: $.id}
        - name: order
          path: /orders/{{number}}
          operations:
            - name: find
              method: GET
              inputParameters: [{name: number, in: path}]
  aggregates:
    - label: Orders
      namespace: orders
      functions:
        - name: create-order
          description: Places an order. It is delivered within two days.
          semantics: {safe: false, idempotent: false}
          inputParameters: &create
            - name: customer
              type: object
              description: Who buys
              x-schema:
                type: object
                properties:
                  name: {type: string, description: The full name}
                  address:
                    type: object
                    properties: {street: {type: string}, city: {type: string}}
                    required: [city]
                required: [name, address]
            - name: items
              type: array
              description: What is bought
              x-schema:
                type: array
                minItems: 1
                items:
                  type: object
                  properties: {article: {type: string}, count: {type: integer, minimum: 1}}
                  required: [article, count]
            - name: priority
              type: string
              required: false
              description: How fast
              x-schema: {type: string, enum: [normal, express]}
          call: api.create
          with: {customer: customer, items: items, priority: priority}
        - name: find-order
          description: Finds an order by its number.
          semantics: {safe: true, idempotent: true}
          inputParameters: [{name: number, type: string, description: the number}]
          call: api.find
          with: {number: number}
  exposes:
    - type: rest
      namespace: shop
      port: 0
      resources:
        - path: /orders
          operations: [{method: POST, name: create-order, ref: orders.create-order}]
        - path: /orders/{{number}}
          operations: [{method: GET, name: find-order, ref: orders.find-order}]
    - type: mcp
      namespace: shop-tools
      port: 0
      tools:
        - {name: create-order, description: Places an order., ref: orders.create-order}
        - {name: find-order, description: Finds an order by its number., ref: orders.find-order}
"""
_LINK = re.compile(r"http://\S+/login\?token=\S+")


@dataclass
class Served:
    """A process that runs `adapter-host serve --console`, and its output."""

    process: subprocess.Popen[str]
    file: Path
    lines: list[str] = field(default_factory=list)
    printed: threading.Condition = field(default_factory=threading.Condition)

    def follow(self, stream: IO[str]) -> None:
        """Read the lines until the process ends."""
        for line in stream:
            with self.printed:
                self.lines.append(line)
                self.printed.notify_all()

    def link(self, number: int = 1) -> str:
        """Wait for a login link, and return it."""
        with self.printed:
            assert self.printed.wait_for(lambda: len(self._links()) >= number, 30), "".join(self.lines)
            return self._links()[number - 1]

    def _links(self) -> list[str]:
        return _LINK.findall("".join(self.lines))

    @property
    def url(self) -> str:
        """The URL of the console."""
        return self.link().partition("/login")[0]

    def url_of(self, exposer: str) -> str:
        """Return the URL of an exposer, from the table that the command prints."""
        rows = (line.split() for line in self.lines)
        return next(word for row in rows if exposer in row for word in row if word.startswith("http://"))


def serve(folder: Path, text: str, *options: str, mock: bool = True) -> Generator[Served, None, None]:
    """Serve a document with a console, and with a mock server unless its API is there."""
    file = folder / "shop.yaml"
    file.write_text(text)
    mocked = ["--mock"] if mock else []
    command = [sys.executable, "-m", "adapter_host", "serve", *mocked, file.name, "--console", "0", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTER_HOST_")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder) as process:
        served = Served(process, file)
        assert process.stderr is not None
        thread = threading.Thread(target=served.follow, args=[process.stderr])
        thread.start()
        try:
            served.link()
            yield served
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, "".join(served.lines)
            thread.join()


def warehouse(tools: int) -> str:
    """Return a document with many tools."""
    item = {"name": "id", "type": "integer", "description": "the thing"}
    listed = [
        {
            "name": f"get-thing-{number:05}",
            "description": f"Returns the {'red' if number % 3 else 'blue'} thing number {number}",
            "call": "api.get",
            "inputParameters": [item],
        }
        for number in range(tools)
    ]
    consumed = {"name": "get", "method": "GET", "inputParameters": [{"name": "id", "in": "path"}]}
    resources = [{"name": "things", "path": "/things/{{id}}", "operations": [consumed]}]
    api = {"type": "http", "namespace": "api", "baseUri": "https://api.example.com", "resources": resources}
    exposer = {"type": "mcp", "namespace": "warehouse", "port": 0, "tools": listed}
    document: dict[str, Any] = {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Warehouse"},
        "capability": {"consumes": [api], "exposes": [exposer]},
    }
    return json.dumps(document)
