"""Imports of entries from other files: the resulting nodes and their positions, and the files that belong to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.document import Source
from adapter_host.document.dialects import normalize
from adapter_host.document.imports import ImportResolver, is_fragment
from tests.document.test_normalized_forms import lines

SHARED = """\
ikanos: 1.0.0-beta5
binds:
  - {namespace: env, keys: {TOKEN: TOKEN}}
  - {namespace: vault, description: Theirs, keys: {A: B}}
consumes:
  - {type: http, namespace: api, description: Theirs, baseUri: 'https://api.example'}
  - {type: http, namespace: other, baseUri: 'https://other.example'}
exposes:
  - {type: control, port: 9000}
  - {type: rest, namespace: front, port: 9001}
aggregates:
  sums: {display: Sums, flows: {}}
"""
NESTED = """\
ikanos: 1.0.0-beta5
binds:
  - {from: shared.yaml, import: env, as: inner}
capability:
  binds:
    - {from: shared.yaml, import: missing}
  consumes:
    - {from: shared.yaml, import: api}
    - {type: http, namespace: own, baseUri: 'https://own.example'}
"""
DOCUMENTS = {
    "names": """\
ikanos: 1.0.0-beta5
binds:
  - {from: shared.yaml, import: vault, as: mine, description: Ours}
  - {from: ./shared.yaml, import: env}
capability:
  consumes:
    - {from: shared.yaml, import: api, description: Ours}
    - from: file://shared.yaml
      import: api
      as: again
    - {from: shared.yaml, import: other, namespace: third}
  exposes:
    - {from: shared.yaml, import: control}
    - {from: shared.yaml, import: front, as: back}
  aggregates:
    - {from: shared.yaml, import: sums, description: Ours}
""",
    "nested": """\
ikanos: 1.0.0-beta5
capability:
  consumes:
    - {from: nested.yaml, import: own}
    - {from: nested.yaml, import: api}
""",
    "wrong": """\
ikanos: 1.0.0-beta5
binds:
  - {from: shared.yaml, import: vault}
  - {from: shared.yaml, import: env, as: vault}
  - {from: shared.yaml, import: valt}
capability:
  consumes:
    - {from: shared.yaml, import: apy}
    - {import: api, from: ''}
    - {import: api, from: 5}
    - {import: api, from: 'https://a.example/b.yaml'}
    - {import: api, from: absent.yaml}
    - {import: api, from: broken.yaml}
    - {import: api, from: empty.yaml}
  exposes:
    - {from: shared.yaml, import: control, as: watch}
    - {from: shared.yaml, import: 5}
  aggregates:
    - {from: shared.yaml, import: sums}
    - {from: shared.yaml, import: sums}
    - {from: shared.yaml, import: sums, as: more}
""",
    "not-below-capability": """\
ikanos: 1.0.0-beta5
consumes:
  - {from: shared.yaml, import: api}
exposes:
  - {from: shared.yaml, import: front}
binds:
  - {from: shared.yaml, import: env}
capability: {}
""",
    "fragment": """\
ikanos: 1.0.0-beta5
consumes:
  - {from: shared.yaml, import: api}
  - {type: http, namespace: own, baseUri: 'https://own.example'}
""",
}


@pytest.mark.parametrize("skip_invalid", [False, True])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_imports(
    name: str, *, skip_invalid: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shared.yaml").write_text(SHARED)
    Path("nested.yaml").write_text(NESTED)
    Path("broken.yaml").write_text("a: [\n")
    Path("empty.yaml").write_text("\n")
    source = Source.parse(DOCUMENTS[name], "a.yaml")
    normalize(source)
    resolver = ImportResolver(source, skip_invalid=skip_invalid)
    resolver.resolve()
    assert {
        "nodes": list(lines(source.root)),
        "files": {
            f"{section}.{index}": source.position_of((*path, section, index))[0]
            for path, data in (((), source.data), (("capability",), source.data.get("capability", {})))
            for section, entries in data.items()
            for index in range(len(entries) if isinstance(entries, list) else 0)
        },
        "imported": sorted(resolver.files),
        "with binds": sorted(resolver.bind_files),
        "original namespaces": sorted(resolver.original_namespaces),
        "binds of files": {
            file: [entry.get("namespace") for entry in other.data.get("binds", ())]
            for file, other in sorted(resolver.bind_files.items())
        },
        "problems": [f"{item} [{item.code}]" for item in resolver.problems],
    } == snapshot


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, False),
        ({"naftiko": "1.0.0-alpha2"}, False),
        ({"binds": []}, True),
        ({"consumes": []}, True),
        ({"exposes": []}, True),
        ({"aggregates": []}, True),
        ({"binds": [], "capability": {}}, False),
    ],
)
def test_fragment(data: dict[str, Any], *, expected: bool) -> None:
    assert is_fragment(data) is expected
