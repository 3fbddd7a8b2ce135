"""Messages of the strict checker."""

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.document import Source
from adapter_host.document.strict import ALPHA2, BETA5, check_strict

WRONG = """\
naftiko: 1.0.0-alpha9
info:
  label: 5
  created: 2026-13-01
  stakeholders: [{role: a, fullName: b, emial: x}]
binds: []
capability:
  consumes:
    - namespace: a b
      type: htp
      baseuri: https://x/{a}
      authentication: {type: bearer, token: 12345}
      resources:
        - name: r
          path: /
          operations:
            - {name: get, method: get, body: 5}
            - {name: get, method: GET, body: {type: jsn}, outputRawFormat: [a]}
    - 17
  exposes:
    - type: rest
      port: "8080"
      namespace: x
      resources:
        - path: /
        - path: /a
          operations:
            - method: GET
              call: a.b.c
              with: {a: [1]}
              outputParameters:
                - {name: x, type: string, value: $.}
                - {type: object, mapping: $.}
                - {type: string}
                - {type: string, mapping: $., value: x}
    - type: mcp
      namespace: m
      tools:
        - {name: a}
        - {name: a, call: a.b}
        - {name: a, description: d, steps: [{type: cal, name: x}, {name: y}, {type: lookup, name: z}]}
      resources:
        - {name: a, label: a, uri: u, description: d, call: a.b, location: 'file:///x'}
        - {name: a, label: a, uri: u, description: d, call: a.b, steps: [{type: call, name: x, call: a.b}]}
      prompts:
        - {name: a, label: a, description: d}
        - {name: a, label: a, description: d, template: [], location: 'file://x'}
    - {type: mcp, transport: stdio, port: 0, namespace: m, tools: [{ref: a.b}]}
    - {type: grpc}
    - {type: control, port: 99999, observability: {traces: {sampling: 2}}}
"""


def test_messages(snapshot: SnapshotAssertion) -> None:
    problems = check_strict(Source.parse(WRONG, "wrong.yaml"))
    assert len(problems) == 44
    assert [str(problem) for problem in problems] == snapshot


LATER = """\
ikanos: 1.0.0-beta5
info: {display: a, description: b, version: 5, label: c}
binds: [{from: a.yaml}]
exposes: []
capability:
  consumes:
    - {location: a.yaml, import: b}
    - namespace: n
      type: http
      baseUri: https://x
      tunnel: {type: ziti, service: a, fallback: no}
      resources:
        r:
          path: /
          operations:
            get thing: {method: GET}
            get: {method: GET, maxBinarySize: 10MB, inputParameters: [{name: q, in: query}]}
  aggregates:
    - {display: a, namespace: n, flows: {f: {description: d}}}
  exposes:
    - type: rest
      port: 80
      namespace: x
      resources:
        r:
          path: /
          operations:
            a: {method: GET, responses: {'20': {content: {text: {}}}}, responseBinary: {status: 600}}
            b: {method: GET, outputParameters: [{type: string}]}
            c: {method: GET, steps: {}}
    - type: mcp
      port: 81
      namespace: m
      ttlMs: 1.5
      cacheScope: all
      tools:
        t: {description: d, call: n.get, outputParameters: {a: {type: string, value: b}}}
        u: {description: d, steps: {s: {type: call, call: n.get}}, outputParameters: {a: {type: array, items: {}}}}
        v: {description: d, outputParameters: {}}
      resources:
        r: {display: a, uri: u, description: d, location: 'file:///x', outputParameters: 5}
      prompts: {}
"""


def test_messages_of_the_later_language(snapshot: SnapshotAssertion) -> None:
    problems = check_strict(Source.parse(LATER, "later.yaml"))
    assert len(problems) == 25
    assert [str(problem) for problem in problems] == snapshot


def test_sections_of_the_later_language() -> None:
    def messages(**sections: object) -> list[str]:
        return [problem.message for problem in check_strict(Source.from_data({"ikanos": BETA5.version, **sections}))]

    binds = [{"from": "a.yaml", "import": "b"}]
    assert messages(binds=binds) == []
    assert messages() == [
        "'capability' is missing (or, in a file to import from, 'binds', 'consumes', 'exposes' or 'aggregates')"
    ]
    assert messages(binds=binds, consumes=binds) == [
        "consumes: 'binds' and 'consumes' are mutually exclusive; remove one"
    ]


def test_codes() -> None:
    sources = [Source.parse(WRONG, "wrong.yaml"), Source.parse(LATER, "later.yaml")]
    codes = {problem.code for source in sources for problem in check_strict(source)}
    assert codes == {
        "conflicting-keys",
        "empty-list",
        "empty-mapping",
        "invalid-key",
        "invalid-value",
        "missing-key",
        "no-mode",
        "unknown-key",
        "wrong-type",
    }


def test_document_without_lines() -> None:
    problems = check_strict(
        Source.from_data({"naftiko": ALPHA2.version, "capability": {"consumes": [{"import": "a"}]}})
    )
    assert [str(problem) for problem in problems] == ["<capability>: capability.consumes.0: 'location' is missing"]


@pytest.mark.parametrize(
    "entry",
    [
        "authentication: 'S3cret!'",
        "authentication: {type: basic, password: 53000, username: [S3cret!]}",
        "authentication: {type: bearer, token: 53000}",
        "authentication: {type: apikey, value: 53000}",
        "inputParameters: [{name: a, in: header, value: 53000}]",
        "baseUri: https://me:S3cret!@example.org/{a}",
    ],
)
def test_secrets_are_not_shown(entry: str) -> None:
    text = f"naftiko: {ALPHA2.version}\nbinds: [{{namespace: a, keys: {{A: S3cret!}}}}]\nconsumes:\n  - {entry}"
    messages = "\n".join(map(str, check_strict(Source.parse(text, "a.yaml"))))
    assert "'A' must be" in messages
    assert "S3cret" not in messages
    assert "53000" not in messages


def test_too_long() -> None:
    skill = {"name": "a", "description": "x" * 1025}
    exposes = {"type": "skill", "namespace": "a", "port": 1, "skills": [skill]}
    problems = check_strict(Source.from_data({"naftiko": ALPHA2.version, "capability": {"exposes": [exposes]}}))
    assert [problem.message for problem in problems] == [
        "capability.exposes.0.skills.0.description: 'description' is longer than 1024 characters (1025)"
    ]


@pytest.mark.parametrize("count", [1023, 1024])
def test_longest_text(count: int) -> None:
    skill = {"name": "a", "description": "x" * count}
    exposes = {"type": "skill", "namespace": "a", "port": 1, "skills": [skill]}
    assert check_strict(Source.from_data({"naftiko": ALPHA2.version, "capability": {"exposes": [exposes]}})) == []


STEPS = """\
naftiko: 1.0.0-alpha2
capability:
  exposes:
    - type: mcp
      port: 65535
      namespace: m
      tools:
        - name: valid
          description: d
          steps:
            - {type: call, name: a, call: a.b, with: {x: text, y: 1, z: 1.5}}
            - {type: lookup, name: b, index: a, match: m, lookupValue: v, outputParameters: [o]}
            - {type: script, name: c, file: f, language: python, location: 'file:///x', dependencies: [d], with: {x: 1}}
        - name: wrong
          description: d
          steps:
            - {type: call, name: 'a b', call: ab, with: {x: [1], y: true}, more: 1}
            - {type: call}
            - {type: lookup, name: b, index: [], match: '', lookupValue: 1, outputParameters: []}
            - {type: lookup, outputParameters: [1, o]}
            - {type: script, name: c, file: '', language: perl, location: x, dependencies: ['', 1], with: []}
            - {type: script, dependencies: []}
            - {name: c}
            - {type: 5}
            - text
          outputParameters: [{type: string, value: v}]
        - {name: hints, description: d, call: a.b, hints: {readOnly: 1, idempotent: true, other: true}}
        - {name: body, description: d, ref: a}
      prompts:
        - {name: a, label: l, description: d, template: [{role: user, content: c}, {role: system}]}
    - {type: mcp, transport: stdio, namespace: m, tools: [{name: a, description: d, call: a.b}]}
    - {type: mcp, transport: other, namespace: m, tools: []}
    - {type: mcp, namespace: m, port: 65536, tools: [{name: a, description: d, call: a.b}]}
    - {type: mcp, namespace: m, port: 0, tools: [{name: a, description: d, call: a.b}]}
    - {type: mcp, namespace: m, port: 1.0, tools: [{name: a, description: d, call: a.b}]}
    - {type: mcp, namespace: m, port: 1.5, tools: [{name: a, description: d, call: a.b}]}
    - {type: control, port: 1, management: {scripting: {timeout: 1, statementLimit: 0}, logs: {max-subscribers: 1}}}
    - {type: control, port: 1, management: {logs: {max-subscribers: 20}}, observability: {traces: {sampling: 0}}}
    - {type: control, port: 1, management: {logs: {max-subscribers: 21}}, observability: {traces: {sampling: 1}}}
    - {type: control, port: 1, management: {logs: {max-subscribers: 0}}, observability: {traces: {sampling: 1.1}}}
    - {type: control, port: 1, management: {logs: {max-subscribers: true}}, observability: {traces: {sampling: true}}}
    - {type: control, port: 1, management: {logs: {max-subscribers: a}}, observability: {traces: {sampling: -1}}}
    - {type: control, port: 1, authentication: {type: oauth2, scopes: [1], tokenValidation: jwt}}
"""


def test_steps_and_limits(snapshot: SnapshotAssertion) -> None:
    problems = check_strict(Source.parse(STEPS, "steps.yaml"))
    assert [f"{problem} [{problem.code}]" for problem in problems] == snapshot
