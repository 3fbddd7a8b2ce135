"""Locations: only plain files below the folder are served, for any path."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_host import Location, NotFoundError, RefusedError, guess_media_type
from adapter_host.plugin.files import parse_location

SECRET = b"outside"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield create_files(Path(name).resolve())


def create_files(root: Path) -> Path:
    """Create a folder to serve, with hidden files, links and files outside of it."""
    served = root / "served"
    for path in ("a.txt", "sub/b.md", "sub/c d.txt", "sub/.hidden/x.txt", ".env", "sub/.git"):
        (served / path).parent.mkdir(parents=True, exist_ok=True)
        (served / path).write_bytes(b"inside " + path.encode() if "/." not in path and path[0] != "." else SECRET)
    (root / "outside.txt").write_bytes(SECRET)
    (root / "served-too").mkdir()
    (root / "served-too" / "a.txt").write_bytes(SECRET)
    (served / "within").symlink_to(served / "sub" / "b.md")
    (served / "out").symlink_to(root / "outside.txt")
    (served / "out-folder").symlink_to(root)
    (served / "to-hidden").symlink_to(served / ".env")
    (served / "loop").symlink_to(served / "loop")
    (served / "nowhere").symlink_to(served / "nothing")
    os.mkfifo(served / "pipe")
    return served


def at(path: Path, limit: int = 1000) -> Location:
    return Location(path, limit)


def test_only_plain_files_are_listed(folder: Path) -> None:
    (folder / "a.txt").chmod(0o755)
    assert [(item.path, item.size, item.executable) for item in at(folder).files()] == [
        ("a.txt", 12, True),
        ("within", 15, False),
        ("sub/b.md", 15, False),
        ("sub/c d.txt", 18, False),
    ]
    assert at(folder).files()[0].modified == (folder / "a.txt").stat().st_mtime_ns


def test_listing_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(Location, "MOST", 2)
    assert [item.path for item in at(folder).files()] == ["a.txt", "within"]
    assert "only the first 2 files are listed" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_not_found(folder: Path) -> None:
    (folder / "locked.txt").write_text("inside")
    (folder / "locked.txt").chmod(0)
    try:
        with pytest.raises(NotFoundError):
            at(folder).read("locked.txt")
    finally:
        (folder / "locked.txt").unlink()


def test_listed_files_can_be_read(folder: Path) -> None:
    served = at(folder)
    for item in served.files():
        assert len(served.read(item.path)) == item.size
    assert served.read("within") == b"inside sub/b.md"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "../outside.txt",
        "sub/../a.txt",
        "sub/../../outside.txt",
        "sub//b.md",
        "/etc/passwd",
        "sub",
        "sub/",
        ".env",
        "sub/.git",
        "sub/.hidden/x.txt",
        "out",
        "out-folder/outside.txt",
        "out-folder/served/a.txt/x",
        "to-hidden",
        "loop",
        "nowhere",
        "pipe",
        "a.txt/",
        "a.txt/b",
        "a.txt\0",
        "..\\outside.txt",
        "\udcff",
        "x" * 5000,
    ],
)
def test_other_paths_are_not_found(folder: Path, path: str) -> None:
    with pytest.raises(NotFoundError, match=r"^file not found$"):
        at(folder).read(path)
    assert not at(folder).has(path)


NAMES = ["a.txt", "sub", "b.md", "within", "served-too", "out", "out-folder", "outside.txt"]
SEGMENTS = st.sampled_from([*NAMES, "", ".", "..", ".env", "\\", "\0"])
PATHS = st.lists(SEGMENTS | st.text(max_size=4), max_size=6).map("/".join)


@settings(max_examples=500, deadline=None)
@given(path=PATHS)
def test_paths_cannot_escape_the_folder(folder: Path, path: str) -> None:
    served = at(folder)
    try:
        body = served.read(path)
    except NotFoundError:
        assert not served.has(path)
        return
    assert served.has(path)
    assert body.startswith(b"inside ")
    assert path in {item.path for item in served.files()}


def test_location_of_one_file(folder: Path) -> None:
    only = at(folder / "a.txt")
    assert [(item.path, item.size) for item in only.files()] == [("", 12)]
    assert only.read() == b"inside a.txt"
    with pytest.raises(NotFoundError):
        only.read("a.txt")


def test_missing_location_is_empty(tmp_path: Path) -> None:
    missing = at(tmp_path / "missing")
    assert (missing.exists(), missing.is_folder(), missing.files()) == (False, False, [])
    with pytest.raises(NotFoundError):
        missing.read("")


def test_file_over_the_limit_is_rejected(folder: Path) -> None:
    assert at(folder, limit=12).read("a.txt") == b"inside a.txt"
    with pytest.raises(RefusedError, match="the file is larger than 11 bytes"):
        at(folder, limit=11).read("a.txt")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("file:///srv/docs", "/srv/docs"),
        ("file://localhost/srv/docs", "/srv/docs"),
        ("file:///srv/a%20b", "/srv/a b"),
        ("file:///./docs", "/home/me/docs"),
        ("file://./docs/a.md", "/home/me/docs/a.md"),
        ("file:///./../docs", "/home/me/../docs"),
        ("file:///./", "/home/me"),
        ("file://", None),
        ("file:///", None),
        ("file://elsewhere/docs", None),
        ("http://example.com/docs", None),
        ("docs", None),
        ("file:///a%00b", None),
    ],
)
def test_parse_location(location: str, path: str | None) -> None:
    if path is not None:
        assert parse_location(location, "/home/me/capability.yaml") == Path(path)
        return
    with pytest.raises(ValueError, match=r"^'location' (must be file:///path|has no path)"):
        parse_location(location, "/home/me/capability.yaml")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.md", "text/markdown"),
        ("a.JSON", "application/json"),
        ("a.yaml", "application/yaml"),
        ("a.png", "image/png"),
        ("README", None),
    ],
)
def test_guess_media_type(path: str, kind: str | None) -> None:
    assert guess_media_type(path) == kind
