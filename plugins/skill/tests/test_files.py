"""Tests of the files of skills: contents, list and archive."""

from __future__ import annotations

import asyncio
import io
import shutil
import zipfile
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Location

from .conftest import Serve

FILES = {
    "LICENSE": "application/octet-stream",
    "SKILL.md": "text/markdown",
    "latin.txt": "text/plain",
    "page.html": "text/html",
    "references/beds.md": "text/markdown",
    "scripts/plan.py": "text/x-python",
}


def skill(folder: Path) -> dict[str, str]:
    return {"name": "sowing", "description": "Plans", "location": folder.as_uri()}


async def test_list_files(serve: Serve, folder: Path) -> None:
    async with serve(skill(folder)) as client:
        listing = (await client("/skills/sowing/contents")).data
    assert listing == {
        "name": "sowing",
        "files": [
            {"path": path, "size": (folder / path).stat().st_size, "type": media_type}
            for path, media_type in FILES.items()
        ],
    }


@pytest.mark.parametrize("path", FILES)
async def test_file_contents(serve: Serve, folder: Path, path: str) -> None:
    async with serve(skill(folder)) as client:
        response = await client(f"/skills/sowing/contents/{path}")
        assert (response.status, response.body) == (200, (folder / path).read_bytes())
        charset = "; charset=utf-8" if FILES[path].startswith("text/") and path != "latin.txt" else ""
        assert response.headers["Content-Type"] == FILES[path] + charset
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        cached = await client(f"/skills/sowing/contents/{path}", headers={"If-None-Match": response.headers["ETag"]})
        assert (cached.status, cached.body) == (304, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("../outside.md", 400),
        ("%2e%2e/outside.md", 400),
        ("..%2foutside.md", 400),
        ("references/../SKILL.md", 400),
        ("references//beds.md", 400),
        ("/etc/passwd", 400),
        ("%2fetc%2fpasswd", 400),
        ("..%5coutside.md", 400),
        ("SKILL.md%00", 400),
        ("./SKILL.md", 400),
        (".env", 404),
        (".git/config", 404),
        ("references/.draft.md", 404),
        ("out.md", 404),
        ("out/outside.md", 404),
        ("references", 404),
        ("other.md", 404),
        ("%ff", 404),
    ],
)
async def test_other_paths_are_not_served(serve: Serve, folder: Path, path: str, status: int) -> None:
    async with serve(skill(folder)) as client:
        response = await client(f"/skills/sowing/contents/{path}")
    assert response.status == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert b"secret" not in response.body
    assert str(folder).encode() not in response.body


async def test_file_name_with_special_characters(serve: Serve, folder: Path) -> None:
    (folder / "a b+é%.md").write_text("here")
    async with serve(skill(folder)) as client:
        assert (await client("/skills/sowing/contents/a%20b+%C3%A9%25.md")).body == b"here"


async def test_archive(serve: Serve, folder: Path) -> None:
    async with serve(skill(folder)) as client:
        response = await client("/skills/sowing/download")
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/zip"
    assert response.headers["Content-Disposition"] == 'attachment; filename="sowing.zip"'
    with zipfile.ZipFile(io.BytesIO(response.body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(FILES)
        for entry in archive.infolist():
            assert archive.read(entry) == (folder / entry.filename).read_bytes()
            assert entry.external_attr >> 16 == (0o100755 if entry.filename == "scripts/plan.py" else 0o100644)


async def test_archive_is_reproducible(serve: Serve, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, symlinks=True)
    (copy / "SKILL.md").touch()
    async with serve(skill(folder), {**skill(copy), "name": "copy"}) as client:
        assert (await client("/skills/sowing/download")).body == (await client("/skills/copy/download")).body


async def test_changed_files_are_served_immediately(serve: Serve, folder: Path) -> None:
    async with serve(skill(folder)) as client:
        before = await client("/skills/sowing/download")
        (folder / "SKILL.md").write_text("another text\n")
        (folder / "new.md").write_text("new")
        assert (await client("/skills/sowing/contents/SKILL.md")).body == b"another text\n"
        assert "new.md" in [file["path"] for file in (await client("/skills/sowing/contents")).data["files"]]
        after = await client("/skills/sowing/download", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status == 200
    with zipfile.ZipFile(io.BytesIO(after.body)) as archive:
        assert archive.read("SKILL.md") == b"another text\n"


async def test_concurrent_downloads_share_an_archive(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = Location.read

    def recording_read(location: Location, path: str = "") -> bytes:
        read.append(path)
        return original(location, path)

    monkeypatch.setattr(Location, "read", recording_read)
    async with serve(skill(folder)) as client:
        responses = await asyncio.gather(*(client("/skills/sowing/download") for _ in range(8)))
    assert len({response.body for response in responses}) == 1
    assert sorted(read) == sorted(FILES)


async def test_size_limits(serve: Serve, folder: Path, snapshot: SnapshotAssertion) -> None:
    (folder / "large.bin").write_bytes(bytes(1001))
    async with serve(skill(folder), settings={"response_limit": 1000}) as client:
        one, all_of_them = await client("/skills/sowing/contents/large.bin"), await client("/skills/sowing/download")
        assert (one.status, all_of_them.status) == (403, 403)
        assert [one.data["detail"], all_of_them.data["detail"]] == snapshot(name="one file")
        (folder / "large.bin").write_bytes(bytes(990))
        all_of_them = await client("/skills/sowing/download")
        assert all_of_them.status == 403
        assert all_of_them.data["detail"] == snapshot(name="total")


async def test_file_count_limit(serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Location, "MOST", 3)
    async with serve(skill(folder)) as client:
        assert len((await client("/skills/sowing/contents")).data["files"]) == 3
        response = await client("/skills/sowing/download")
    assert (response.status, "3 files or more" in response.data["detail"]) == (403, True)


async def test_folder_created_later(serve: Serve, folder: Path, tmp_path: Path) -> None:
    async with serve(skill(tmp_path / "later")) as client:
        (warning,) = client.host.warnings
        assert warning.code == "missing-file"
        for path in ("contents", "contents/SKILL.md", "download"):
            assert (await client(f"/skills/sowing/{path}")).status == 404
        await asyncio.to_thread(folder.rename, tmp_path / "later")
        for path in ("contents", "contents/SKILL.md", "download"):
            assert (await client(f"/skills/sowing/{path}")).status == 200
