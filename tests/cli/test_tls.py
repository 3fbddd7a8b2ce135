"""TLS of the command: options, the configuration file, worker processes, and clients that are other programs."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapter_host.cli import main
from tests.conftest import Command
from tests.support.certificates import CLIENT_AUTHORITY, issue, write_authority
from tests.support.host_process import HostProcess, host_process

DOCUMENT = """
naftiko: 1.0.0-alpha2
capability:
  exposes:
    - type: rest
      namespace: front
      port: 0
      resources:
        - {path: /a, operations: [{method: GET, name: get-a, outputParameters: [{type: string, value: ok}]}]}
"""


def run(*command: str | Path) -> str:
    finished = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, input="")
    return finished.stdout + finished.stderr


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostProcess]:
    """Serve with two workers, whose event loop is the one of the command, not that of the tests."""
    folder = tmp_path_factory.mktemp("tls")
    issue(folder)
    write_authority(folder)
    (folder / "host.yaml").write_text("tls: {certificate: server.pem, key: server.key}\n")
    options = ["--config", "host.yaml", "--workers", "2", "--watch-interval", "0.05"]
    async with host_process(folder, DOCUMENT, *options) as process:
        yield process


async def curl(served: HostProcess, url: str | None = None) -> str:
    authority = served.folder / "ca.pem"
    return await asyncio.to_thread(
        run, "curl", "-sS", "--cacert", authority, url or f"{served.urls['front']}/a", "-w", " %{http_code}"
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_curl(served: HostProcess) -> None:
    assert served.urls["front"].startswith("https://")
    assert await curl(served) == '"ok" 200'
    plain = await curl(served, served.urls["front"].replace("https", "http"))
    assert plain == "this port has TLS; use a URL with https://\n 400"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("version", "cipher"), [("-tls1_2", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("-tls1_3", "TLS_AES")])
async def test_openssl(version: str, cipher: str, served: HostProcess) -> None:
    address = served.urls["front"].removeprefix("https://")
    authority = served.folder / "ca.pem"
    output = await asyncio.to_thread(
        run, "openssl", "s_client", "-connect", address, "-CAfile", authority, version, "-alpn", "h2,http/1.1"
    )
    assert "Verify return code: 0 (ok)" in output
    assert "ALPN protocol: http/1.1" in output
    assert cipher in output


@pytest.mark.asyncio(loop_scope="module")
async def test_workers_use_renewed_files(served: HostProcess) -> None:
    issue(served.folder)
    async with asyncio.timeout(20):
        while served.log.count("TLS files reloaded") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert "adapter_host[1]: TLS files reloaded" in served.log
    assert "adapter_host[2]: TLS files reloaded" in served.log
    assert await curl(served) == '"ok" 200'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    issue(tmp_path)
    write_authority(tmp_path, CLIENT_AUTHORITY)
    (tmp_path / "a.yaml").write_text(DOCUMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tls-cert", "server.pem"], "--tls-cert and --tls-key are used together; set both"),
        (["--tls-key", "server.key"], "--tls-cert and --tls-key are used together; set both"),
        (["--tls-client-ca", "clients.pem"], "--tls-client-ca needs a certificate of the server"),
    ],
)
def test_options_that_need_others(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "a.yaml", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("tls: {certificate: server.pem}", "host.yaml:1:6: 'key' is missing"),
        ("tls: {certificate: server.pem, key: a, cient: b}", "host.yaml:1:40: unknown key 'cient'"),
    ],
)
def test_problems_of_the_configuration_file(
    config: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "host.yaml").write_text(config)
    assert main(["serve", "a.yaml", "--config", "host.yaml"]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_unusable_files_are_a_start_error(workers: str, folder: Path, command: Command) -> None:
    (folder / "server.key").unlink()
    options = ["--tls-cert", "server.pem", "--tls-key", "server.key", "--workers", workers]
    finished = command("serve", "a.yaml", *options)
    assert finished.returncode == 1
    assert "TLS key 'server.key' cannot be read: no such file or directory; set a PEM file" in finished.stderr
    assert "Traceback" not in finished.stderr
