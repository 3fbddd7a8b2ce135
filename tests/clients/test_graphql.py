"""Tests with the audits and the client of the package `graphql-http`, which checks GraphQL over HTTP."""

from __future__ import annotations

import os
from typing import Final

import pytest

from adapter_host.testing import running

from .test_clients import NODE_PACKAGES, node, output_of

DOCUMENT: Final = {
    "naftiko": "1.0.0-alpha2",
    "capability": {
        "exposes": [
            {
                "type": "graphql",
                "namespace": "greeting",
                "port": 0,
                "operations": [
                    {"name": "greet", "outputParameters": [{"type": "string", "value": "Hello, {{name}}!"}]}
                ],
            }
        ]
    },
}


@pytest.mark.skipif(os.environ.get("CLIENTS") != "required", reason="`make clients` installs and runs it")
async def test_audits_and_client() -> None:
    async with running(DOCUMENT) as served:
        query = '{ greet(name: "Ada") }'
        found = await output_of(node(), str(NODE_PACKAGES / "graphql.mjs"), served.url("greeting"), query)
    assert found["failed"] == []
    assert found["audits"] > 50
    assert found["result"] == {"data": {"greet": "Hello, Ada!"}}
