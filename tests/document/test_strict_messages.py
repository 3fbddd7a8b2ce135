"""Messages of the strict checker."""

import pytest

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

MESSAGES = """\
1:10: 'naftiko' must be '1.0.0-alpha2' (given '1.0.0-alpha9')
3:3: 'description' is missing
3:10: 'label' must be text, not a number (given 5)
4:12: 'created' must be a date as in 2026-04-30 (given '2026-13-01')
5:41: unknown key 'emial'; did you mean 'email'?
6:8: 'binds' must not be empty
9:7: 'baseUri' is missing
9:18: 'namespace' must be letters, digits and hyphens (given 'a b')
10:13: 'type' must be 'http' (given 'htp')
11:7: unknown key 'baseuri'; did you mean 'baseUri'?
12:45: 'token' must be text, not a number
17:35: 'method' must be 'GET', 'POST', 'PUT', 'PATCH' or 'DELETE' (given 'get'; did you mean 'GET'?)
17:46: 'body' must be text or a mapping, not a number (given 5)
18:53: 'type' must be 'json', 'text', 'xml', 'sparql', 'formUrlEncoded' or 'multipartForm' (given \
'jsn'; did you mean 'json'?)
18:76: 'outputRawFormat' must be 'json', 'xml', 'avro', 'protobuf', 'csv', 'tsv', 'psv', 'yaml', \
'html' or 'markdown', not a list
19:7: 'consumes[1]' must be a mapping, not a number
22:13: 'port' must be a whole number from 1 to 65535, not text (given '8080')
25:11: 'operations' or 'forward' is missing
29:21: 'call' must be two names with a dot between, as in 'namespace.operation' (given 'a.b.c')
30:25: 'a' must be text or a number, not a list
32:20: unknown key 'name' (known here: type, mapping, const and value)
33:19: 'properties' is missing
34:19: 'mapping' or 'value' is missing
35:47: 'mapping' and 'value' are mutually exclusive; remove one
36:7: 'port' is missing (needed unless 'transport' is 'stdio')
39:11: the tool needs 'ref', 'call', 'steps' or 'outputParameters'
40:11: 'description' is missing (needed with 'call')
41:52: 'type' must be 'call', 'lookup' or 'script' (given 'cal'; did you mean 'call'?)
41:67: 'type' is missing ('call', 'lookup' or 'script')
41:78: 'index' is missing
41:78: 'match' is missing
41:78: 'lookupValue' is missing
41:78: 'outputParameters' is missing
43:66: 'call' and 'location' are mutually exclusive; remove one
44:66: 'call' and 'steps' are mutually exclusive; remove one
46:11: 'template' or 'location' is missing
47:57: 'template' must not be empty
47:61: 'template' and 'location' are mutually exclusive; remove one
47:71: 'location' must be a file:/// URI (given 'file://x')
48:37: 'port' is not allowed with 'transport: stdio'
48:43: 'port' must be a whole number from 1 to 65535 (given 0)
49:14: 'type' must be 'rest', 'mcp', 'skill' or 'control' (given 'grpc')
50:29: 'port' must be a whole number from 1 to 65535 (given 99999)
50:71: 'sampling' must be a number from 0 to 1 (given 2)
"""


def test_messages() -> None:
    problems = check_strict(Source.parse(WRONG, "wrong.yaml"))
    assert [str(problem) for problem in problems] == [f"wrong.yaml:{line}" for line in MESSAGES.splitlines()]


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

LATER_MESSAGES = """\
2:45: 'version' must be text, not a number (given 5)
2:48: unknown key 'label' (known here: display, description, tags, created, modified, version and stakeholders)
3:9: 'import' is missing
4:10: 'exposes' must not be empty
7:7: 'from' is missing
7:8: unknown key 'location' (known here: from, import, as and description)
11:15: 'identity' is missing
11:50: 'fallback' must be 'fail' or 'direct' (given 'no')
16:13: key 'get thing' must be letters, digits and hyphens
17:47: 'maxBinarySize' must be a size as in 10MiB, in B, KiB, MiB or GiB (given '10MB')
17:70: 'inputParameters' must be a mapping by name, not a list
19:45: the flow needs 'call', 'steps' or 'outputParameters'
28:42: key '20' must be a status or a range, such as 200 or 2XX
28:59: key 'text' must be a media type as in 'text/plain'
28:72: 'responses' and 'responseBinary' are mutually exclusive; remove one
28:88: 'mediaType' is missing
28:97: 'status' must be a whole number from 100 to 599 (given 600)
29:49: 'mapping' or 'value' is missing
30:37: 'steps' must not be empty
34:14: 'ttlMs' must be a whole number (given 1.5)
35:19: 'cacheScope' must be 'public' or 'private' (given 'all')
38:111: 'items' must not be empty
39:47: 'outputParameters' must not be empty
41:90: 'outputParameters' must be a list or a mapping, not a number (given 5)
42:16: 'prompts' must not be empty
"""


def test_messages_of_the_later_language() -> None:
    problems = check_strict(Source.parse(LATER, "later.yaml"))
    assert [str(problem) for problem in problems] == [f"later.yaml:{line}" for line in LATER_MESSAGES.splitlines()]


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
