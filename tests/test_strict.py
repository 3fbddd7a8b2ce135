"""The strict checker: the same verdicts as the official schema, in better words."""

import copy
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any

import jsonschema
import pytest

from adapter_host.document import Loc, Source
from adapter_host.document.strict import VERSION, check_strict

SHARED = Path(__file__).parents[2] / "shared"
SCHEMA = SHARED / "spec/naftiko-1.0.0-alpha2.schema.json"
MUTATIONS = 3000

HEAD = f"""
naftiko: {VERSION}
info:
  label: Ships
  description: All about ships
  tags: [ships]
  created: '2026-01-31'
  modified: 2026-12-01
  stakeholders:
    - {{role: owner, fullName: Ann Onym, email: ann.onym@example.org}}
binds:
  - namespace: env
    description: secrets
    location: file:///secrets.yaml
    keys: {{TOKEN: token_1, OTHER_2: other-*}}
"""

CONSUMES = """
  consumes:
    - namespace: registry
      type: http
      description: The registry
      baseUri: https://example.org/v1
      inputParameters:
        - {name: Api_Version, in: header, value: '1'}
        - {name: token, in: environment}
      authentication: {type: bearer, token: '{{TOKEN}}'}
      resources:
        - name: ships
          label: Ships
          description: The ships
          path: /ships/{{id}}
          inputParameters: [{name: id, in: path}]
          operations:
            - name: get
              method: GET
              label: Get
              description: Get a ship
              inputParameters: [{name: q, in: query}, {name: c, in: cookie}, {name: b, in: body}]
              outputRawFormat: xml
              outputSchema: ships.xsd
              outputParameters: [{name: ship, type: object, value: $.ship}]
            - {name: raw, method: POST, body: '{"a": 1}'}
            - {name: json, method: PUT, body: {type: json, data: {a: [1]}}}
            - {name: json-list, method: PUT, body: {type: json, data: [1, {}]}}
            - {name: json-text, method: PUT, body: {type: json, data: '{}'}}
            - {name: xml, method: PATCH, body: {type: xml, data: <a/>}}
            - {name: sparql, method: PATCH, body: {type: sparql, data: ask}}
            - {name: text, method: DELETE, body: {type: text, data: a}}
            - {name: form, method: POST, body: {type: formUrlEncoded, data: {a: b}}}
            - {name: form-text, method: POST, body: {type: formUrlEncoded, data: a=b}}
            - name: multipart
              method: POST
              body:
                type: multipartForm
                data: [{name: a, value: b, filename: c.txt, contentType: text/plain}]
    - {location: ./legacy.yaml, import: legacy, as: old, description: The old one}
    - namespace: one
      type: http
      baseUri: http://{{HOST}}
      authentication: {type: basic, username: a, password: b}
    - namespace: two
      type: http
      baseUri: http://b
      authentication: {type: apikey, key: k, value: v, placement: query}
    - namespace: three
      type: http
      baseUri: http://c
      authentication: {type: digest, username: a, password: b}
"""

UNITS = """
      - name: called
        description: One call
        inputParameters: [{name: id, type: integer, description: The id, required: false}]
        call: registry.get
        with: {id: ships.id, depth: 2, ratio: 0.5}
        outputParameters:
          - {type: string, mapping: $.name}
          - {type: number, value: '1'}
          - {type: boolean, mapping: $.ok, const: true}
          - type: object
            mapping: $.
            properties:
              flag: {type: string, value: x, const: x}
              deep: {type: object, properties: {}}
          - type: array
            mapping: $.all
            items: {type: object, properties: {a: {type: string, mapping: $.a}}}
      - name: stepped
        description: Some steps
        steps:
          - {type: call, name: first, call: registry.get, with: {id: '1'}}
          - {type: lookup, name: second, index: first, match: id, lookupValue: $.x, outputParameters: [a, b]}
          - type: script
            name: third
            file: a.js
            language: javascript
            location: file:///scripts
            dependencies: [b.js]
            with: {a: 1}
        mappings: [{targetName: a.b_c, value: $.first}]
        outputParameters:
          - {name: a, type: string}
          - {name: n, type: number}
          - {name: b, type: object, properties: {c: {name: c, type: boolean}}}
          - {name: d, type: array, items: [{name: e, type: string}]}
      - name: made-up
        description: A mock
        outputParameters: [{name: a, type: string, value: b}, {name: n, type: number, value: '2'}]
"""

AGGREGATES = f"""
  aggregates:
    - label: Fleet
      namespace: fleet
      functions:{UNITS}
      - name: meaning
        description: with semantics
        semantics: {{safe: true, idempotent: true, cacheable: false}}
        call: registry.get
"""

REST = """
  exposes:
    - type: rest
      address: 127.0.0.1
      port: 8080
      namespace: ships
      authentication:
        type: oauth2
        authorizationServerUri: https://auth.example.org
        resource: https://ships.example.org
        scopes: [read]
        audience: ships
        tokenEndpoint: https://auth.example.org/token
        tokenValidation: introspection
      resources:
        - path: /ships
          name: ships
          label: Ships
          description: All ships
          inputParameters: [{name: id, in: path, type: string, description: The id}]
          operations:
            - method: GET
              name: list
              label: List
              description: List ships
              inputParameters:
                - {name: q, in: query, type: array, description: words, pattern: '^a', value: $.q}
              call: registry.get
              with: {q: ships.q}
              outputParameters: [{type: array, items: {type: string, mapping: $.n}}]
            - {method: POST, ref: fleet.called}
            - method: PUT
              name: stepped
              steps: [{type: call, name: a, call: registry.get}]
              mappings: []
              outputParameters: [{name: a, type: string}]
            - {method: DELETE, outputParameters: [{type: string, value: gone}]}
            - {method: PATCH}
        - path: /raw
          forward: {targetNamespace: registry, trustedHeaders: [Accept]}
"""

MCP = f"""
  exposes:
    - type: mcp
      transport: http
      address: '::1'
      port: 9090
      namespace: tools
      description: Tools
      authentication: {{type: apikey, key: X-Key, value: '{{{{TOKEN}}}}', placement: header}}
      tools:{indent(UNITS, "  ")}
        - ref: fleet.called
          label: Called
          hints: {{readOnly: true, destructive: false, idempotent: true, openWorld: false}}
      resources:
        - name: ship_1
          label: Ship
          uri: ships://{{id}}
          description: A ship
          mimeType: application/json; charset=utf-8
          call: registry.get
          with: {{id: '1'}}
          outputParameters: [{{type: string, mapping: $.}}]
        - name: steps
          label: Steps
          uri: ships://steps
          description: Some steps
          steps: [{{type: call, name: a, call: registry.get}}]
          mappings: [{{targetName: a, value: $.a}}]
          outputParameters: [{{name: a, type: string}}]
        - {{name: file, label: File, uri: 'ships://file', description: A file, location: 'file:///data'}}
      prompts:
        - name: ask
          label: Ask
          description: Ask for a ship
          arguments: [{{name: id, label: Id, description: The id, required: true}}]
          template: [{{role: user, content: 'Which?'}}, {{role: assistant, content: 'That.'}}]
        - {{name: filed, label: Filed, description: From a file, location: 'file:///ask.md'}}
    - type: mcp
      transport: stdio
      namespace: local
      tools: [{{ref: fleet.called}}]
"""

OTHERS = """
  exposes:
    - type: skill
      address: ships.example.org
      port: 7070
      namespace: skills
      description: Skills
      authentication: {type: basic, username: a, password: b}
      skills:
        - name: sail
          description: How to sail
          license: MIT
          compatibility: all
          metadata: {author: Ann}
          allowed-tools: Read
          argument-hint: '[ship]'
          user-invocable: true
          disable-model-invocation: false
          location: file:///skills/sail
          tools:
            - {name: get, description: Get, from: {sourceNamespace: tools, action: called}}
            - {name: read, description: Read, instruction: read.md}
    - type: control
      address: localhost
      port: 6060
      authentication: {type: bearer, token: a}
      management:
        health: true
        info: false
        reload: true
        validate: true
        logs: {level-control: true, stream: true, max-subscribers: 20}
        scripting:
          enabled: true
          defaultLocation: file:///scripts
          defaultLanguage: groovy
          timeout: 1000
          statementLimit: 5
          allowedLanguages: [python]
      observability:
        enabled: true
        metrics: {local: {enabled: true}}
        traces: {sampling: 0.5, propagation: b3, local: {enabled: true, buffer-size: 10}}
        exporters: {otlp: {endpoint: 'http://localhost:4317'}}
    - {type: control, port: 6061, management: {logs: false}, observability: {traces: {sampling: 1}}}
"""

SEEDS = [
    HEAD + "capability:" + CONSUMES + AGGREGATES,
    HEAD + "capability:" + CONSUMES + REST,
    HEAD + "capability:" + MCP,
    HEAD + "capability:" + OTHERS,
    HEAD + CONSUMES.replace("\n  ", "\n"),
]


@cache
def official() -> Any:
    if not SCHEMA.exists():
        pytest.skip("no official schema beside the repository")
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def verdicts(data: Any) -> tuple[bool, bool]:
    """Whether the schema and whether we find a document valid."""
    return official().is_valid(data), not check_strict(Source.of(data))


def published() -> list[Path]:
    return sorted(
        [*SHARED.glob("corpus/**/*.y*ml"), *SHARED.glob("tutorial/*.y*ml"), *SHARED.glob("tutorial/shared/*")]
    )


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_every_part_of_the_language_is_known(seed: int) -> None:
    source = Source.parse(SEEDS[seed], "seed.yaml")
    assert [str(problem) for problem in check_strict(source)] == []
    assert official().is_valid(source.data)


def test_published_documents() -> None:
    paths = published()
    if not paths:
        pytest.skip("no published documents beside the repository")
    for path in paths:
        source = Source.read(path)
        assert (path, official().is_valid(source.data)) == (path, not check_strict(source))


def places(data: Any, loc: Loc = ()) -> Iterator[Loc]:
    yield loc
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for part, value in items:
        yield from places(value, (*loc, part))


WORDS = (
    "a A-1 a.b a.b.c {{x}} é object array string integer call script json text basic oauth2 rest mcp skill stdio "
    "http GET path 2026-13-01 2026-01-01 https://x/{a} https://x file:///x text/plain"
)
VALUES: list[Any] = [
    *WORDS.split(),
    *(None, True, False, 0, 1, -1, 3.0, 0.5, 70000, "", "a b", "x" * 1100),
    *([], ["a"], [1], [{}], {}, {"a": 1}, {"a": "b"}),
    {"type": "string", "value": "x"},
    [{"name": "a", "type": "string"}],
    [{"type": "string", "mapping": "$."}],
    [{"name": "a", "type": "string", "value": "b"}],
    [{"type": "call", "name": "a", "call": "a.b"}],
]
KEYS = (
    "name description label type value mapping const properties items in required port call steps ref with "
    "mappings outputParameters location template from instruction import consumes exposes operations forward "
    "transport data body unknown Name namespace pattern"
)


def thinned(data: Any, choice: random.Random) -> Any:
    """A copy with one entry in place of each list: as valid, and sooner judged."""
    if isinstance(data, dict):
        return {key: thinned(value, choice) for key, value in data.items()}
    if isinstance(data, list) and data:
        return [thinned(choice.choice(data), choice)]
    return data


def mutate(data: dict[str, Any], choice: random.Random) -> dict[str, Any]:
    """A part of the document with a few things dropped, added, exchanged or changed."""
    changed: dict[str, dict[str, Any]] = {"document": thinned(data, choice)}
    for _ in range(choice.choice([1, 1, 1, 2, 3])):
        every = [loc for loc in places(changed) if loc]
        *above, last = choice.choice(every)
        parent: Any = changed
        for part in above:
            parent = parent[part]
        mutate_at(parent, last, changed, choice)
    return changed["document"]


def mutate_at(parent: Any, part: Any, everything: Any, choice: random.Random) -> None:
    act = choice.randrange(5)
    value = parent[part]
    if act == 0 and isinstance(value, (dict, list)) and value:
        del value[choice.choice(list(value) if isinstance(value, dict) else range(len(value)))]
    elif act <= 2 and isinstance(value, dict):
        value[choice.choice(KEYS.split())] = copy.deepcopy(choice.choice(VALUES))
    elif act == 3:
        *above, last = choice.choice([loc for loc in places(everything) if loc])
        other = everything
        for key in above:
            other = other[key]
        parent[part] = copy.deepcopy(other[last])
    else:
        parent[part] = copy.deepcopy(choice.choice(VALUES))


def test_mutations_have_the_same_verdict() -> None:
    choice = random.Random(20260430)
    seeds = [Source.parse(seed, "seed.yaml").data for seed in SEEDS]
    seeds += [Source.read(path).data for path in published() if "tutorial" in path.parts]
    seeds = [data for data in seeds if official().is_valid(data)]
    valid = 0
    for _ in range(MUTATIONS):
        data = mutate(choice.choice(seeds), choice)
        theirs, ours = verdicts(data)
        assert theirs == ours, f"{'valid' if theirs else 'invalid'} by the schema: {json.dumps(data)}"
        valid += theirs
    assert MUTATIONS / 20 < valid < MUTATIONS * 19 / 20
