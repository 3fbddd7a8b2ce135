"""A shop whose refunds wait for a person, with an audit log, a circuit breaker and an API that can fail."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REFUND = {"order": "A-1", "amount": 250}

DOCUMENT = """\
naftiko: 1.0.0-alpha2
info: {label: Refunds}
capability:
  consumes:
    - type: http
      namespace: bank
      baseUri: @API@
      x-resilience: {breaker: {failures: 3, openFor: 3600}}
      resources:
        - name: refunds
          path: /refunds
          operations:
            - name: refund
              method: POST
              inputParameters: [{name: order, in: body}, {name: amount, in: body, type: number}]
        - name: status
          path: /status/{{code}}
          operations:
            - name: status
              method: GET
              inputParameters: [{name: code, in: path}]
  exposes:
    - type: rest
      namespace: desk
      port: 0
      resources:
        - path: /refunds
          operations:
            - name: refund
              method: POST
              call: bank.refund
              inputParameters: &refund
                - {name: order, in: body, type: string}
                - {name: amount, in: body, type: number}
              x-approval: {when: [{argument: amount, over: 100}]}
        - path: /payouts
          operations:
            - {name: payout, method: POST, call: bank.refund, inputParameters: *refund, x-approval: {approvers: [boss]}}
        - path: /status/{{code}}
          operations:
            - name: status
              method: GET
              call: bank.status
              inputParameters: [{name: code, in: path, type: string}]
    - type: approval
      namespace: desk-approvals
      port: 0
      authentication: {type: basic, username: boss, password: b0ss}
"""


class Bank:
    """The API: `/status/CODE` responds with this status, and `received` counts requests by path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: Counter[str] = Counter()
        self.bodies: list[Any] = []


@contextmanager
def bank() -> Iterator[Bank]:
    """Serve the API on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            served.received[self.path] += 1
            self._respond(int(self.path.rpartition("/")[2]), {"path": self.path})

        def do_POST(self) -> None:
            served.received[self.path] += 1
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.bodies.append(body)
            self._respond(200, {"refunded": body["amount"]})

        def _respond(self, status: int, data: Any) -> None:
            body = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Bank(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
