"""Attributes of files as resources, contents of unknown types, and the log of failed calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import ArgumentError, Host, OperationError, Result, UnavailableError
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.features.resources import FileResource

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list-items", "arguments": {}}}


@pytest.mark.parametrize(
    ("name", "declared", "media_type"),
    [("terms.txt", None, "text/plain"), ("terms.txt", "text/markdown", "text/markdown"), ("LICENSE", None, None)],
)
async def test_file_resource(name: str, declared: str | None, media_type: str | None, tmp_path: Path) -> None:
    (tmp_path / name).write_text("Be nice.")
    spec = {"label": "Terms", "uri": "docs://terms", "description": "Rules", "location": f"file:///./{name}"}
    exposer = {"type": "mcp", "namespace": "shop", "port": 0, "resources": [{**spec, "mimeType": declared}]}
    document = {"naftiko": "1.0.0-alpha2", "info": {"label": "Shop"}, "capability": {"exposes": [exposer]}}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(document))
    served = Host(tmp_path / "shop.yaml").status()[0].exposer
    assert isinstance(served, McpExposer)
    (resource,) = served.resources
    assert isinstance(resource, FileResource)
    assert (resource.name, resource.title, resource.description) == ("Terms", "Terms", "Rules")
    assert (resource.mime_type, resource.binary, resource.uri.text) == (media_type, False, "docs://terms")
    operation = resource.operation
    assert (operation.name, operation.description, operation.spec.name) == ("Terms", "Rules", "Terms")
    assert [(item.name, item.type, item.required) for item in operation.inputs] == [("path", "string", False)]
    assert (await operation.call({})).body == b"Be nice."


@pytest.mark.parametrize(
    ("body", "text"),
    [(b"plain text\n", "plain text\n"), ("é".encode(), "é"), (b"\xff", None), (b"a\x00b", None), (b"\x1b[1m", None)],
)
async def test_bytes_of_unknown_content(shop: Any, body: bytes, text: str | None) -> None:
    shop.stock.responses["list"] = lambda _: Result(body=body, media_type="application/octet-stream")
    _, response = await shop.post(CALL)
    (content,) = response["result"]["content"]
    assert content.get("text") == text
    assert content["type"] == ("resource" if text is None else "text")


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (OperationError("broken"), True),
        (UnavailableError("later"), True),
        (ArgumentError("id", "'id' is wrong"), False),
    ],
    ids=str,
)
async def test_logged_failures(
    shop: Any, error: OperationError, *, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    shop.stock.responses["list"] = _raise(error)
    _, response = await shop.post(CALL)
    assert response["result"]["isError"] is True
    records = [record for record in caplog.records if record.name == "adapter_host.mcp"]
    assert [record.args[1:] for record in records if isinstance(record.args, tuple)] == (
        [("list-items", error.message)] if logged else []
    )


def _raise(error: OperationError) -> Callable[[Any], Result]:
    def respond(_: Any) -> Result:
        raise error

    return respond
