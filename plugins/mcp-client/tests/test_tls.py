"""TLS to MCP servers: verified by the authorities of `SSL_CERT_FILE`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trustme

from adapter_host import Settings, UpstreamUnreachableError, discover

Serve = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.mark.parametrize(("host", "trusted"), [("localhost", True), ("localhost", False), ("example.com", True)])
async def test_certificate(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool
) -> None:
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert(host)
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    (authority if trusted else other).cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    async with serve(certificate=tmp_path / "server.pem") as station:
        url = station.url.replace("http://127.0.0.1", "https://localhost")
        entry = {"type": "mcp", "namespace": "api", "url": url}
        document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [entry]}}
        if trusted and host == "localhost":
            assert "say" in (await discover(document, settings=Settings(environment={})))["api"]["tools"]
        else:
            with pytest.raises(UpstreamUnreachableError):
                await discover(document, settings=Settings(environment={}))
