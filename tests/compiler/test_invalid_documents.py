"""Invalid documents, one per file in `bad/`, each with its expected messages as comments below `# ---`.

`ADAPTER_HOST_REWRITE=1 pytest tests/compiler/test_invalid_documents.py` writes the current messages: review each.
Other documents import the files whose names begin with `_`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapter_host.cli import main

BAD = Path(__file__).parent / "bad"
MARK = b"\n# ---\n"
REWRITE = bool(os.environ.get("ADAPTER_HOST_REWRITE"))
FILES = sorted(path.name for path in BAD.glob("[a-z]*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_invalid_document(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(BAD)
    code = main(["validate", name])
    printed = capsys.readouterr()
    lines = [*printed.err.splitlines(), f"exit {code}"]
    wanted = "".join(f"# {line}\n" for line in lines).encode()
    text = (BAD / name).read_bytes()
    head, mark, expected = text.rpartition(MARK)
    if REWRITE:
        (BAD / name).write_bytes((head if mark else text.rstrip(b"\n")) + MARK + wanted)
        return
    assert expected.decode() == wanted.decode()
    assert len(lines) > 1
    assert "Traceback" not in printed.err
    assert "s3cr3t" not in printed.err


def test_number_of_invalid_documents() -> None:
    assert len(FILES) >= 40
