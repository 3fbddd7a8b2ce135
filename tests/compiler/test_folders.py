"""The capability files of a folder."""

from __future__ import annotations

from pathlib import Path

from adapter_host.compiler.loading.loader import find_documents
from adapter_host.document import Source

CAPABILITY = "naftiko: 1.0.0-alpha2\ncapability: {exposes: []}\n"
CONSUMED = "naftiko: 1.0.0-alpha2\ncapability: {consumes: []}\n"


def test_capability_files_of_a_folder(tmp_path: Path) -> None:
    texts = {
        "b.yaml": CAPABILITY,
        "a.yml": CAPABILITY,
        "c.txt": CAPABILITY,
        "below/d.yml": CONSUMED,
        "below/e.yaml": "capability: text\n",
        "below/f.yaml": "consumes: []\n",
        "below/broken.yaml": "a: [\n",
        "below/.hidden.yaml": CAPABILITY,
        ".hidden/g.yaml": CAPABILITY,
        "shared/h.yaml": CONSUMED,
        "shared/i.yaml": CAPABILITY,
        "shared/below/j.yaml": CONSUMED,
        "folder.yaml/k.txt": CAPABILITY,
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    missing = tmp_path / "missing.yaml"
    found = list(find_documents([tmp_path / "b.yaml", tmp_path, str(missing)]))
    assert [
        (Path(item.file if isinstance(item, Source) else item).relative_to(tmp_path).as_posix(), type(item) is Source)
        for item in found
    ] == [
        ("b.yaml", False),
        ("a.yml", True),
        ("b.yaml", True),
        ("below/broken.yaml", False),
        ("below/d.yml", True),
        ("below/e.yaml", True),
        ("shared/i.yaml", True),
        ("missing.yaml", False),
    ]
