"""Tests of URLs, credentials and TLS: no secret is in a message or a log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trustme

from adapter_host import Host, Plugins, ProblemsError, Settings, StoreUnavailableError
from adapter_host.testing import FakePlugin
from adapter_host_redis import RedisStateStore
from adapter_host_redis.server_url import ServerUrl

from .conftest import Server

SECRET = "s3cr3t/+#"
QUOTED = "s3cr3t%2F%2B%23"


def test_parts() -> None:
    url = ServerUrl.parse(f"valkeys://ada:{QUOTED}@cache.example:7000/3?ca=/etc/ca.pem", {})
    assert (url.host, url.port, url.database, url.tls) == ("cache.example", 7000, 3, True)
    assert (url.username, url.password, url.files) == ("ada", SECRET, {"ca": "/etc/ca.pem"})
    assert SECRET not in repr(url)
    assert url.name == "cache.example:7000/3"


def test_defaults() -> None:
    environment = {"ADAPTER_HOST_REDIS_PASSWORD": SECRET}
    url = ServerUrl.parse("redis://[::1]", environment)
    assert (url.host, url.port, url.database, url.tls) == ("::1", 6379, 0, False)
    assert (url.username, url.password) == (None, SECRET)
    assert ServerUrl.parse("redis://:own@host", environment).password == "own"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"redis://:{SECRET}@host", "percent-encode"),
        (f"redis://:{QUOTED}@host:99999", "port up to 65535"),
        (f"redis://:{QUOTED}@[host", "percent-encode"),
        (f"redis://:{QUOTED}@/1", "no host"),
        (f"redis://:{QUOTED}@host/one", "number of a database"),
        (f"redis://:{QUOTED}@host#x", "fragment"),
        (f"redis://:{QUOTED}@host?ca=file", "for TLS"),
        (f"rediss://:{QUOTED}@host?verify=no", r"'verify' is unknown \(known: ca, cert, key\)"),
    ],
)
def test_invalid_url(url: str, message: str) -> None:
    plugins = Plugins({"fake": FakePlugin(), "redis": __import__("adapter_host_redis")})
    with pytest.raises(ProblemsError, match=message) as caught:
        Host(plugins=plugins, settings=Settings(state=url))
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in repr(Settings(state=url))


async def test_password(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(tmp_path, "--requirepass", SECRET)
    server.start()
    try:
        address = f"127.0.0.1:{server.port}"
        store = RedisStateStore(f"redis://:{QUOTED}@{address}", {})
        await store.set("key", "value")
        await store.stop()
        wrong = RedisStateStore(f"redis://:{QUOTED}x@{address}", {})
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                await wrong.get("key")
        await wrong.stop()
    finally:
        server.stop()
    assert "AuthenticationError" in caplog.text
    assert "s3cr3t" not in caplog.text + repr(store) + repr(wrong)


async def test_tls(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "adapter_host")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    ca, cert, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    certificate.cert_chain_pems[0].write_to_path(str(cert))
    certificate.private_key_pem.write_to_path(str(key))
    files = ("--tls-cert-file", str(cert), "--tls-key-file", str(key), "--tls-ca-cert-file", str(ca))
    server = Server(tmp_path, "--tls-auth-clients", "yes", *files)
    server.start("--port", "0", "--tls-port", str(server.port))
    try:
        address = f"127.0.0.1:{server.port}"
        store = RedisStateStore(f"rediss://{address}?ca={ca}&cert={cert}&key={key}", {})
        await store.set("key", "value")
        assert await store.get("key") == b"value"
        await store.stop()
        for query in (f"?cert={cert}&key={key}", f"?ca={ca}"):
            refused = RedisStateStore(f"valkeys://{address}{query}", {})
            with pytest.raises(StoreUnavailableError):
                await refused.get("key")
            await refused.stop()
    finally:
        server.stop()
