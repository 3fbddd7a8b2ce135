"""Loading a document in an editor reads nothing but files of the workspace, fetches nothing, and reads no secret."""

from __future__ import annotations

import http.server
from pathlib import Path

import pytest

from adapter_host import read_regular_file
from adapter_host.binds.binds import BindSource, CachedSource
from adapter_host.errors import Problem
from adapter_host.openapi.source.fetch import Fetcher, FetchError
from adapter_host.restricted_reads import RestrictedReads, restrict_reads, restricted_reads


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "inside.txt").write_text("inside")
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "link.txt").symlink_to(folder / "inside.txt")
    return folder


def test_files_of_folders_are_read_and_no_others(folder: Path) -> None:
    with restrict_reads(RestrictedReads([folder])):
        assert read_regular_file(folder / "inside.txt", 100) == b"inside"
        assert read_regular_file(folder.parent / "link.txt", 100) == b"inside"
        for path in ("../outside.txt", "link.txt", "../missing.txt", "/etc/hostname"):
            with pytest.raises(PermissionError, match="it is outside of the workspace folder"):
                read_regular_file(folder / path, 100)
    assert restricted_reads() is None
    assert read_regular_file(folder / "link.txt", 100) == b"outside"


def test_texts_are_read_in_the_place_of_files(folder: Path) -> None:
    texts = {(folder / "inside.txt").resolve(): "büffer", (folder / "unsaved.txt").resolve(): "new"}
    with restrict_reads(RestrictedReads([folder], texts)):
        assert read_regular_file(folder / "x/../inside.txt", 3) == "bü".encode()
        assert read_regular_file(folder / "unsaved.txt", 100) == b"new"


def test_nothing_is_read_without_a_folder(folder: Path) -> None:
    with restrict_reads(RestrictedReads()), pytest.raises(PermissionError):
        read_regular_file(folder / "inside.txt", 100)


def test_nothing_is_fetched() -> None:
    # The server never accepts: a request would end with another error, a timeout.
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        url = f"http://127.0.0.1:{server.server_port}/openapi.json"
        with restrict_reads(RestrictedReads()):
            for fetch in (Fetcher().fetch_first, Fetcher().fetch):
                with pytest.raises(FetchError, match="nothing is fetched for a document that is open in an editor"):
                    fetch(url, 100)


class VaultSource(BindSource):
    def value(self, key: str) -> str | None:
        raise AssertionError("a secret was read")

    def hint(self, key: str) -> str:
        raise AssertionError("a secret was read")


def test_sources_of_secrets_are_not_read() -> None:
    source = CachedSource("bind 'vault'", VaultSource("vault://x", Path(), {}), Problem)
    with restrict_reads(RestrictedReads()):
        assert source.value("KEY") is None
        assert source.missing_message("KEY") == "bind 'vault'"
