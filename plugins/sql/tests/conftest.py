"""Databases to call: a file of SQLite, and a server of PostgreSQL that runs during the tests."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
import trustme

NOBODY: Final = 65534

SCHEMA: Final = """
CREATE TABLE boats (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price NUMERIC(30, 10), built DATE, photo {bytes}
);
INSERT INTO boats VALUES (1, 'Heron', {price}, '2026-05-19', {photo});
INSERT INTO boats VALUES (2, 'Tern', NULL, NULL, NULL);
"""


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    file = tmp_path / "boats.db"
    connection = sqlite3.connect(file)
    connection.executescript(SCHEMA.format(bytes="BLOB", price="12.5", photo="x'89504e47'"))
    connection.close()
    return file


def _find(program: str) -> str | None:
    folders = [os.environ.get("PATH", ""), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    return shutil.which(program, path=os.pathsep.join(folders))


class Server:
    """A server of PostgreSQL."""

    def __init__(self, folder: Path, programs: dict[str, str], user: list[str]) -> None:
        self.folder, self._programs, self._user = folder, programs, user
        self.port = _free_port()

    def run(self, program: str, *arguments: str) -> None:
        command = [*self._user, self._programs[program], *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", "fsync=off", "ssl=on"]
        options = " ".join([f"-p {self.port}", *(f"-c {setting}" for setting in settings)])
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", mode, "stop")

    def keys(self, database: str = "postgres") -> dict[str, Any]:
        """Return the keys of a consumer of a database."""
        url = f"postgresql://127.0.0.1:{self.port}/{database}"
        return {"database": url, "username": "tester", "password": "s3cr3t"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    programs = {name: path for name in ("initdb", "pg_ctl") if (path := _find(name)) is not None}
    if len(programs) < 2:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    user = []
    # Not a folder of pytest: other users cannot enter these.
    with TemporaryDirectory(prefix="adapter-host-postgresql-") as name:
        folder = Path(name)
        (folder / "password").write_text("s3cr3t")
        if os.geteuid() == 0:
            # The server refuses to run as root.
            user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            for owned in (folder, folder / "password"):
                os.chown(owned, NOBODY, NOBODY)
        found = Server(folder, programs, user)
        options = ["-U", "tester", "-A", "scram-sha-256", f"--pwfile={folder}/password", "-E", "UTF8"]
        found.run("initdb", "-D", f"{folder}/data", *options)
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        authority.cert_pem.write_to_path(folder / "authority.pem")
        certificate.cert_chain_pems[0].write_to_path(folder / "data/server.crt")
        certificate.private_key_pem.write_to_path(folder / "data/server.key")
        for owned in (folder / "data/server.crt", folder / "data/server.key"):
            owned.chmod(0o600)
            if user:
                os.chown(owned, NOBODY, NOBODY)
        found.start()
        try:
            yield found
        finally:
            found.stop("immediate")


@pytest.fixture
async def postgresql(server: Server) -> dict[str, Any]:
    """Return the keys of a consumer of a fresh database."""
    import asyncpg

    connection = await asyncpg.connect(
        host="127.0.0.1", port=server.port, user="tester", password="s3cr3t", database="postgres"
    )
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.execute(
        SCHEMA.format(bytes="bytea", price="12345678901234567890.1234567891", photo="'\\x89504e47'")
    )
    await connection.close()
    return server.keys()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the keys of a consumer of each engine."""
    if request.param == "sqlite":
        return {"database": f"sqlite:{request.getfixturevalue('sqlite_file')}"}
    keys: dict[str, Any] = request.getfixturevalue("postgresql")
    return keys
