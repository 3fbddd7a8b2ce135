"""Forms of all versions, and their normalized form: data, positions and problems."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.document import Source
from adapter_host.document.dialects import import_file_key, normalize, read_version, version_key
from adapter_host.document.nodes import Loc, MappingNode, Node, SequenceNode


def lines(node: Node, loc: Loc = ()) -> Iterator[str]:
    """Yield each value in a tree: its path, the position of its key, its own position, and the value of a scalar."""
    assert isinstance(node, MappingNode | SequenceNode) or not isinstance(node.value, dict | list)
    value = "" if isinstance(node, MappingNode | SequenceNode) else f" {node.value!r}"
    yield f"{'.'.join(map(str, loc)) or '(root)'} @ {node.line}:{node.column}{value}"
    if isinstance(node, MappingNode):
        assert node.value == {name: child.value for name, child in node.entries.items()}
        assert list(node.value) == list(node.entries)
        assert sorted(node.keys) == sorted(node.entries)
        for name, child in node.entries.items():
            line, column = node.keys[name]
            yield from (
                item if index else item.replace(" @ ", f" @ {line}:{column} ", 1)
                for index, item in enumerate(lines(child, (*loc, name)))
            )
    elif isinstance(node, SequenceNode):
        assert node.value == [child.value for child in node.items]
        for index, child in enumerate(node.items):
            yield from lines(child, (*loc, index))


FORMS = {
    "api-key": """\
consumes:
  - type: http
    authentication: {type: apiKey, name: X-Key, in: header, value: v}
  - type: http
    auth: {type: APIKEY, key: X-Key, placement: query}
  - type: http
    authentication: {type: bearer, name: n, in: header}
  - type: http
    authentication: bearer
  - type: http
    authentication: {name: n, in: header}
  - type: custom
    auth: {type: apikey, name: n}
""",
    "headers": """\
consumes:
  - type: http
    headers: {X-One: a, X-Two: 2}
    resources:
      - path: /
        headers:
          - {name: X-Three, value: c}
          - {name: X-Four, value: d}
        inputParameters:
          - {name: x-four, in: query}
        operations:
          - method: GET
            headers: {X-Five: e}
            inputParameters:
              - {name: X-Six, in: header}
          - method: POST
            inputParameters: {X-Seven: {in: header}}
            headers: {X-Eight: g}
""",
    "wrong-headers": """\
consumes:
  - type: http
    headers:
      X-Null:
      X-List: [a]
      X-Mapping: {a: b}
      x-declared: a
      X-Fine: a
    inputParameters: [{name: X-Declared, in: header}, text, {in: header}]
  - type: http
    headers: [{name: X-A, value: a}, {name: x-a, value: b}, {name: X-None}]
  - type: http
    headers: [text]
  - type: http
    headers: [{name: 5, value: a}]
  - type: http
    headers: text
  - type: http
    headers:
  - type: http
    headers: {A: a}
    inputParameters: text
  - type: other
    headers: {A: a}
""",
    "names-of-a-later-version": """\
consumes:
  - type: http
    resources:
      all:
        path: /
        label: All
        display: Display
        operations:
          list: {method: GET, inputParameters: {q: {in: query, const: 1}, p: }}
          none:
          text: hello
          other: {name: another, method: GET}
          same: {name: same, method: GET}
aggregates:
  sums:
    label: Sums
    functions:
      add: {outputParameters: {a: {type: number, value: 1}}}
    flows:
      sub: {}
""",
    "mappings-and-steps": """\
exposes:
  - type: api
    namespace: a
    resources:
      - operations:
          - steps: {one: {type: call, call: a.b}, two: }
            mappings: [{targetName: t, value: v}, {target: u}, text]
            outputParameters:
              - {name: o, type: object, properties: {p: {type: string, value: v}}}
              - {name: l, type: array, items: {type: string, value: v}}
              - {name: n, type: array, items: {p: {type: string}, q: {type: string, value: w}}}
              - {name: e, type: array, items: {}}
              - {name: i, type: array, items: [{type: string, value: v}]}
              - {name: m, type: object, mapping: {properties: {p: {type: string, value: x}}, type: array}}
              - {name: t, type: array, mapping: {items: {type: string, value: x}}, value: c}
              - {name: r, type: object, properties: [{name: p, type: string}, {name: q, type: string, value: 1}]}
              - {name: d, type: object, properties: [{name: p, type: string}, {name: p, type: number}]}
              - {name: u, type: object, properties: [{type: string}, {name: 7}]}
              - {name: w, type: array, items: {type: string, value: v, const: c}}
              - {name: x, type: object, properties: {p: {type: string, const: c, value: v}}}
              - {name: y, type: array, items: {p: {type: string, value: v, const: c}}}
              - text
  - type: mcp
    tools:
      say: {label: Say, outputParameters: {a: {type: string, value: v}}}
    prompts:
      p: {label: P, arguments: {x: {label: X}}}
    resources:
      - {name: r, label: R, uri: u}
  - type: skill
    skills:
      s: {tools: {t: {from: a.b}}}
  - type: of-a-plugin
    auth: {type: apikey, name: n}
    deeds:
      - {label: D, inputParameters: {a: {const: 1}}}
    tools:
      say: {label: Say}
    more: {deeds: [{label: D}]}
  - text
  - {type: 7, tools: {a: }}
""",
    "external-refs": """\
externalRefs:
  - {name: a, type: file, resolution: file, uri: secrets.yaml, keys: {A: a}}
  - {name: b, uri: /etc/secrets.yaml, keys: {A: a}}
  - {name: c, uri: vault://x, keys: {A: a}}
  - {namespace: d, location: plain.yaml, keys: {A: a}}
  - {name: e, uri: 5}
  - text
""",
    "binds-beside-external-refs": """\
externalRefs:
  - {name: a, keys: {A: a}}
binds:
  - {namespace: b, keys: {B: b}}
""",
    "imports": """\
binds:
  - {import: a, location: a.yaml}
  - {import: a, from: a.yaml}
consumes:
  - {import: b, location: b.yaml, as: c}
  - {import: b, type: http, location: b.yaml}
  - {import: b, type: http, label: L, headers: {A: a}}
  - {import: b, baseUri: https://b.example, headers: {A: a}}
  - {location: both.yaml, from: other.yaml, import: b}
aggregates:
  - {import: d, from: d.yaml, label: D}
capability:
  exposes:
    - {import: e, location: e.yaml}
    - {import: e, keys: {a: b}}
""",
    "constants": """\
capability:
  consumes:
    - type: http
      inputParameters: [{name: a, in: header, const: 1}, {name: b, in: header, value: 2}, {const: 1, value: 2}]
  exposes:
    - type: rest
      inputParameters: [{name: a, const: 1}]
      resources: [{label: R, display: S, operations: [{display: D}, {display: D, label: E}]}]
info: {display: I}
""",
}

HEADERS = ["naftiko: '0.4'", "naftiko: 1.0.0-alpha1", "naftiko: 1.0.0-alpha2", "ikanos: 1.0.0-beta5"]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("name", FORMS)
def test_normalized_form(name: str, header: str, snapshot: SnapshotAssertion) -> None:
    source = Source.parse(f"{header}\n{FORMS[name]}", "a.yaml")
    problems = normalize(source)
    assert {item.file for item in problems} <= {"a.yaml"}
    assert "\n".join(lines(source.root)) == snapshot(name="nodes")
    assert [
        f"{item.line}:{item.column}: {'warning: ' if item.warning else ''}{item.code}: {item.message}"
        for item in problems
    ] == snapshot(name="problems")


@pytest.mark.parametrize("name", FORMS)
def test_normalized_forms_stay_as_they_are(name: str) -> None:
    source = Source.parse(f"naftiko: 1.0.0-alpha2\n{FORMS[name]}", "a.yaml")
    normalize(source)
    root = source.root
    assert [problem for problem in normalize(source) if problem.code in ("outdated", "duplicate-header")] == []
    assert list(lines(source.root)) == list(lines(root))


@pytest.mark.parametrize(
    "text",
    [
        "naftiko: 1.0.0-alpha2",
        "naftiko: 1.0.0-alpha2\nikanos: 1.0.0-beta5",
        "ikanos: 1.0.0-beta5",
        "ikanos: 1.0.0-beta5\nnaftiko: 1.0.0-alpha2",
        "naftiko: 0.5",
        "naftiko: v0.5.0",
        "naftiko: '0.3'",
        "naftiko: 0.6.1",
        "naftiko: 1.0.0",
        "naftiko: 1.0.0-alpha",
        "naftiko: 1.0.0-alpha9",
        "naftiko: 1.0.0.beta.2",
        "naftiko: 1.0.0-rc1",
        "naftiko: 2.0.0-alpha1",
        "naftiko: 1.1.0-alpha1",
        "naftiko: 1.0.1-alpha1",
        "naftiko: [1]",
        "naftiko: latest",
        "ikanos: latest",
        "capability: {}",
        "info: {}",
    ],
)
def test_version(text: str, snapshot: SnapshotAssertion) -> None:
    source = Source.parse(text, "a.yaml")
    version, problems = read_version(source)
    assert {
        "key": version_key(source.data),
        "version": version,
        "import_file_key": import_file_key(source),
        "problems": [
            f"{item.line}:{item.column}: {'warning: ' if item.warning else ''}{item.code}: {item.message}"
            for item in problems
        ],
    } == snapshot
