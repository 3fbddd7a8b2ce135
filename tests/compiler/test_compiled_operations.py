"""The operations that documents are compiled to: inputs, schemas, previews and upstream operations, in golden files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from adapter_host import ArgumentError, Host, Input, Operation, Plugins, ProblemsError, Settings

PLUGINS = Plugins.installed()
CAPABILITIES = Path(__file__).parents[2] / "capabilities"
DOCUMENTS = {path.name: str(path) for path in sorted(CAPABILITIES.glob("*.yaml"))}

API = """
naftiko: 1.0.0-alpha2
binds:
  - {namespace: env, keys: {TOKEN: TOKEN}}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: http://127.0.0.1:9/base
      inputParameters: [{name: X-Client, in: header, value: tests}, {name: lang, in: query}]
      resources:
        - name: item
          path: /items/{id}
          operations:
            - method: GET
              name: read
              description: Read an item
              inputParameters:
                - {name: id, in: path, type: string, description: The id}
                - {name: Depth, in: query, type: integer, required: true}
                - {name: tags, in: query, type: array, values: [a, b]}
              outputParameters:
                - {name: title, type: string, description: Its title, value: $.data.title}
                - {name: size, type: number, value: $.size}
            - method: POST
              name: write
              inputParameters: [{name: text, in: body, type: string, maxLength: 5}, {name: body, in: body}]
            - {method: PUT, name: put, inputParameters: [{name: body, in: body, type: object, required: true}]}
            - {method: DELETE, name: remove}
        - path: /search
          operations: [{method: GET, name: search, inputParameters: [{name: q, in: query}, {name: id, in: query}]}]
  aggregates:
    - label: Items
      namespace: items
      functions:
        - name: get-item
          description: Get an item
          semantics: {safe: true, idempotent: true, cacheable: true}
          inputParameters: [{name: id, type: string, description: Which}]
          call: api.read
          with: {id: '{{id}}', depth: 2}
          mappings: [{targetName: title, value: $.title}]
          outputParameters: [{name: title, type: string}]
  exposes:
    - type: rest
      port: 0
      namespace: front
      inputParameters: [{name: X-Trace, in: header}]
      resources:
        - path: /items/{id}
          name: entry
          operations:
            - {method: GET, call: api.read}
            - {method: POST, call: api.write, with: {text: 'Hello {{front.text}}', id: front.path.id}}
            - method: PUT
              call: api.put
              with: {body: {id: front.id, nested: ['{{front.query.n}}', 1], s: '{{env.TOKEN}}'}}
            - {method: DELETE, name: gone, call: api.remove, with: {id: x, lang: front.header.Accept-Language}}
        - path: /search
          operations:
            - method: GET
              call: api.search
              inputParameters:
                - {name: q, in: query, type: string, required: true}
                - {name: page, in: query, type: integer}
              with: {q: '{{q}} page {{page}}'}
              outputParameters:
                - {name: first, type: object, mapping: '$[0]', properties: {title: {type: string, mapping: $.title}}}
                - name: all
                  type: array
                  mapping: $
                  items: {type: object, properties: {n: {type: number, mapping: $.n}}}
                - {name: by-name, type: array, mapping: $, items: {type: string, mapping: $.x, description: An x}}
            - method: POST
              description: Find and read
              inputParameters: [{name: q, in: body, type: string}]
              steps:
                - {type: call, name: found, call: api.search, with: {q: '{{q}}'}}
                - {type: call, name: read, call: api.read, with: {id: $.found.id, Depth: 1}}
                - {type: lookup, name: one, index: found, match: id, lookupValue: $.read.id, outputParameters: [title]}
              mappings: [{targetName: title, value: $.one.title}, {targetName: q, value: '{{q}}'}]
              outputParameters: [{name: title, type: string}, {name: q, type: string, description: Sought}]
            - method: PUT
              inputParameters: [{name: deep, in: body, type: integer, value: $.a.b, required: true, description: Deep},
                {name: flat, in: body, value: $.c}, {name: more, in: body, value: '$.a.d'}, {name: q, in: query}]
              call: api.search
              with: {q: '{{deep}} {{flat}}', id: '{{more}}'}
            - method: PATCH
              inputParameters:
                - {name: first, in: body, type: string, value: '$[0].a', description: First, required: true}
                - {name: rest, in: body, type: array, value: '$[1]'}
                - {name: lang, value: 'in {{front.header.Accept-Language}}'}
                - {name: whole, in: body, value: $}
              call: api.search
              with: {q: '{{first}} {{rest}} {{whole}}'}
            - method: DELETE
              outputParameters:
                - {name: said, type: string, value: 'hi {{q}}'}
                - {name: list, type: array, items: {type: string, value: x}}
                - {name: obj, type: object, properties: {n: {type: number, value: '5'}}}
    - type: mcp
      port: 0
      namespace: tools
      tools:
        - {name: get-item, description: Get, ref: items.get-item}
        - {name: get-other, ref: items.get-item, with: {id: x}}
        - name: both
          description: Both
          steps: [{type: call, name: a, call: api.read}, {type: call, name: b, call: api.search}]
          outputParameters: [{name: a, type: object, mapping: $.a}, {name: b, type: array, mapping: $.b}]
        - {name: hello, description: Hello, outputParameters: [{type: string, value: 'Hello {{name}}'}]}
"""


def line(operation: Operation) -> Iterator[str]:
    """Yield the name, inputs, schemas, upstream operations and preview of an operation."""
    yield f"{operation.name}: {operation.description}"
    for item in operation.inputs:
        yield f"  {item.name}: {differences(item)}"
    yield f"  input schema: {operation.input_schema}"
    yield f"  output schema: {operation.output_schema}"
    yield f"  upstream: {[f'{item.namespace}.{item.resource}.{item.name}' for item in operation.upstream]}"
    semantics = operation.semantics
    yield f"  identity: {operation.identity}, binary: {operation.binary}, media type: {operation.media_type}"
    yield f"  semantics: {semantics and semantics.model_dump()}"
    yield f"  preview: {preview(operation)}"


def differences(item: Input) -> dict[str, Any]:
    """Return the attributes of an input that are not those of an input with a name only."""
    plain = Input(item.name)
    return {
        field.name: getattr(item, field.name)
        for field in fields(item)
        if field.compare and getattr(item, field.name) != getattr(plain, field.name)
    }


def preview(operation: Operation) -> str:
    """Return the request of a call with a value of the right type for each input; else the error."""
    by_type = {"integer": 2, "number": 1.5, "boolean": True, "array": ["a"], "object": {"key": "value"}}
    arguments = {item.name: by_type.get(item.type or "", f"<{item.name}>") for item in operation.inputs}
    try:
        return str(dict(operation.preview(arguments))).replace(version("adapter-host-core"), "VERSION")
    except ArgumentError as error:
        return f"{error.parameter}: {error.message}"


def described(host: Host) -> list[str]:
    return [
        text
        for status in host.status()
        for operation in status.exposer.operations.values()
        for text in (f"{status.exposer.config.namespace}:", *line(operation))
    ]


@pytest.mark.parametrize("path", DOCUMENTS.values(), ids=DOCUMENTS)
def test_operations_of_the_capabilities(path: str, snapshot: SnapshotAssertion) -> None:
    host = Host(path, plugins=PLUGINS, settings=Settings(environment={}))
    assert described(host) == snapshot


def test_operations(snapshot: SnapshotAssertion) -> None:
    settings = Settings(environment={"TOKEN": "s3cr3t"})
    host = Host(yaml.safe_load(API), plugins=PLUGINS, settings=settings)
    assert "s3cr3t" not in str(described(host))
    assert described(host) == snapshot(name="operations")
    assert [f"{item.code}: {item.message}" for item in host.warnings] == snapshot(name="warnings")


def test_skipped_operations(snapshot: SnapshotAssertion) -> None:
    """A consumed operation with an error is left out, with the operations that call it."""
    data: Any = yaml.safe_load(API)
    data["capability"]["consumes"][0]["resources"][0]["operations"][0]["method"] = 5
    data["capability"]["consumes"][0]["resources"][1]["operations"][0]["outputRawFormat"] = "none"
    with pytest.raises(ProblemsError) as raised:
        Host(data, plugins=PLUGINS)
    assert [f"{item.code}: {item.message}" for item in raised.value.problems] == snapshot(name="problems")
    host = Host(data, plugins=PLUGINS, settings=Settings(skip_invalid=True))
    assert described(host) == snapshot(name="operations")
    assert [f"{item.code}: {item.message}" for item in host.warnings] == snapshot(name="warnings")
