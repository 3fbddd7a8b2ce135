"""Credentials that metadata cannot carry are mistakes of the document."""

from __future__ import annotations

from typing import Any

import pytest
from adapter_host import ProblemsError, Settings, discover

KEY = {"type": "apikey", "key": "X-Key", "value": "v"}


@pytest.mark.parametrize(
    ("authentication", "code", "key"),
    [
        ({"type": "digest", "username": "me", "password": "p"}, "unsupported", "type"),
        ({**KEY, "placement": "query"}, "unsupported", "placement"),
        ({**KEY, "key": "x-key-bin"}, "header-name", "key"),
        ({**KEY, "key": "x!key"}, "header-name", "key"),
        ({**KEY, "value": "é"}, "credential", "value"),
    ],
)
async def test_mistakes(authentication: dict[str, Any], code: str, key: str) -> None:
    consumed = {"type": "grpc", "namespace": "shop", "baseUri": "grpc://127.0.0.1:1", "authentication": authentication}
    document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed]}}
    with pytest.raises(ProblemsError) as caught:
        await discover(document, settings=Settings(environment={}))
    (problem,) = caught.value.problems
    assert problem.code == code
    assert problem.message.startswith(f"capability.consumes.0.authentication.{key}: ")
