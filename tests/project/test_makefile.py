"""Tests of the Makefile's installations where the certificate of the index is not a public one."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.paths import ROOT

WHEEL: Final = "parcel-1.0-py3-none-any.whl"
LOCK: Final = Path("tests/benchmarks/gateway.lock")


def make(*arguments: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the Makefile in another folder, with this environment instead of a `.venv` there."""
    command = ["make", "--no-print-directory", f"--file={ROOT / 'Makefile'}", f"VENV={sys.prefix}"]
    return subprocess.run(
        [*command, f"--old-file={sys.prefix}/.installed", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return a distribution, whose lock is in the place of the lock of the gateway."""
    wheel = tmp_path / WHEEL
    with ZipFile(wheel, "w") as archive:
        archive.writestr("parcel.py", "")
        archive.writestr("parcel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n")
        archive.writestr("parcel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("parcel-1.0.dist-info/RECORD", "")
    lock = tmp_path / LOCK
    lock.parent.mkdir(parents=True)
    lock.write_text(f"parcel==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return wheel


@pytest.fixture
async def index(wheel: Path) -> AsyncIterator[Any]:
    """Serve the distribution over TLS; yield the environment of its clients, and the certificate of its authority."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=f'<a href="/{WHEEL}">{WHEEL}</a>', content_type="text/html")

    async def file(_: web.Request) -> web.FileResponse:
        return web.FileResponse(wheel)

    app = web.Application()
    app.add_routes([web.get("/simple/parcel/", page), web.get(f"/{WHEEL}", file)])
    server = TestServer(app, scheme="https", host="localhost")
    await server.start_server(ssl=context)
    certificate = wheel.with_name("authority.pem")
    authority.cert_pem.write_to_path(certificate)
    settings = {"UV_DEFAULT_INDEX": f"https://localhost:{server.port}/simple/", "UV_NO_CONFIG": "1"}
    yield {**settings, "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}, certificate
    await server.close()


@pytest.mark.parametrize("setting", ["SSL_CERT_FILE", "PIP_CERT", "PIP_CONFIG_FILE", "REQUESTS_CA_BUNDLE", None])
async def test_certificates_that_pip_trusts(tmp_path: Path, index: Any, setting: str | None) -> None:
    environment, certificate = index
    if setting == "PIP_CONFIG_FILE":
        (tmp_path / "pip.conf").write_text(f"[global]\ncert = {certificate}\n")
        environment[setting] = str(tmp_path / "pip.conf")
    elif setting is not None:
        environment[setting] = str(certificate)
    done = await asyncio.to_thread(make, ".cache/gateway/.installed", folder=tmp_path, environment=environment)
    if setting is None:
        assert "UnknownIssuer" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert list((tmp_path / ".cache/gateway").glob("lib*/python3*/site-packages/parcel.py"))


@pytest.mark.parametrize(
    ("given", "certificates", "effective"),
    [({}, "authority.pem", "true"), ({}, "missing.pem", "false"), ({"UV_SYSTEM_CERTS": "0"}, "authority.pem", "0")],
)
def test_system_certificates(tmp_path: Path, given: dict[str, str], certificates: str, effective: str) -> None:
    (tmp_path / "authority.pem").touch()
    arguments = ["--eval=show: ; @printenv UV_SYSTEM_CERTS", f"SYSTEM_CERTIFICATES={certificates}", "show"]
    assert make(*arguments, folder=tmp_path, environment=given).stdout.split() == [effective]
