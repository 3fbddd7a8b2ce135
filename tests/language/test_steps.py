"""Steps: calls, lookups and mappings of their results."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Serve
from .served import API, parsed

FLEET = {
    "/fleet": {"flagship": "F-2", "all": ["F-1", "F-9", "F-2"]},
    "/ships": [{"imo": "F-1", "name": "Fram", "size": "39"}, {"imo": "F-2", "name": "Gjøa", "size": "21"}],
    "/yard": [{"imo": "F-1", "name": "In dock"}],
    "/ships/F-2": {"imo": "F-2", "port": "Oslo"},
}


def steps(*operations: str) -> dict[str, Any]:
    """Return a document whose operations, each as YAML, are called by `GET /NUMBER`."""
    resources = [
        {"path": f"/{index}", "operations": [{"method": "GET", "name": f"n-{index}", **parsed(item)}]}
        for index, item in enumerate(operations)
    ]
    consumed = parsed("""
      resources:
        - {name: fleet, path: /fleet, operations: [{name: fleet, method: GET}]}
        - {name: ships, path: /ships, operations: [{name: ships, method: GET}]}
        - {name: ship, path: '/ships/{{imo}}', operations: [{name: ship, method: GET}]}
        - {name: yard, path: /yard, operations: [{name: yard, method: GET}]}
        - {name: other, path: /other, operations: [{name: other, method: POST, inputParameters: [{name: q, in: body}]}]}
    """)
    capability = {
        "consumes": [{"type": "http", "namespace": "api", "baseUri": API, **consumed}],
        "exposes": [{"type": "rest", "namespace": "web", "port": 0, "resources": resources}],
    }
    return {"naftiko": "1.0.0-alpha2", "capability": capability}


@pytest.mark.shows("OperationStep")
@pytest.mark.shows("OperationStepBase", "name")
@pytest.mark.shows("OperationStepCall", "name", "call", "with")
async def test_call_uses_earlier_results(serve: Serve) -> None:
    document = steps(
        """
        steps:
          - {type: call, name: first, call: api.fleet}
          - {type: call, name: second, call: api.ship, with: {imo: $.first.flagship}}
        """,
        """
        steps:
          - {type: call, name: first, call: api.fleet}
          - {type: call, name: second, call: api.other, with: {q: 'is {{first.flagship}}'}}
        """,
        "steps: [{type: call, name: first, call: api.fleet}]",
    )
    async with serve(document, responses=FLEET) as served:
        assert (await served.rest("GET /0")).data == FLEET["/ships/F-2"]
        assert [sent["path"] for sent in served.api.seen] == ["/fleet", "/ships/F-2"]
        assert (await served.rest("GET /1")).data["body"] == '{"q":"is F-2"}'
        assert (await served.rest("GET /2")).data == FLEET["/fleet"]


@pytest.mark.shows("OperationStepLookup", "name", "index", "match", "lookupValue", "outputParameters")
async def test_lookup(serve: Serve) -> None:
    def looked_up(**changes: str) -> str:
        matches = {"index": "ships", "match": "imo", "lookupValue": "$.fleet.flagship", "outputParameters": "[name]"}
        keys = ", ".join(f"{key}: {value}" for key, value in {**matches, **changes}.items())
        return f"""
          steps:
            - {{type: call, name: fleet, call: api.fleet}}
            - {{type: call, name: ships, call: api.ships}}
            - {{type: call, name: yard, call: api.yard}}
            - {{type: lookup, name: found, {keys}}}
          mappings: [{{targetName: match, value: $.found}}]
        """

    document = steps(
        looked_up(),
        looked_up(outputParameters="[name, size]"),
        looked_up(lookupValue="$.fleet.all"),
        looked_up(match="name"),
        looked_up(match="name", lookupValue="Fram"),
        looked_up(index="yard", lookupValue="F-1"),
    )
    async with serve(document, responses=FLEET) as served:
        matches = [(await served.rest(f"GET /{index}")).data.get("match") for index in range(6)]
    assert matches == [
        {"name": "Gjøa"},
        {"name": "Gjøa", "size": "21"},
        [{"name": "Fram"}, {"name": "Gjøa"}],
        None,
        {"name": "Fram"},
        {"name": "In dock"},
    ]


@pytest.mark.shows("OperationStepBase", "type")
@pytest.mark.shows("OperationStepCall", "type")
@pytest.mark.shows("OperationStepLookup", "type")
async def test_step_types(serve: Serve) -> None:
    def step(kind: str) -> str:
        keys = f"type: {kind}, call: api.fleet, index: ships, match: imo, lookupValue: F-1, outputParameters: [name]"
        return f"steps: [{{type: call, name: ships, call: api.ships}}, {{name: last, {keys}}}]"

    async with serve(steps(step("call"), step("lookup")), responses=FLEET) as served:
        assert (await served.rest("GET /0")).data == FLEET["/fleet"]
        assert (await served.rest("GET /1")).data == {"name": "Fram"}


@pytest.mark.shows("StepOutputMapping", "targetName", "value")
@pytest.mark.shows("OrchestratedOutputParameter")
@pytest.mark.shows("OrchestratedOutputParameterBase", "name", "type")
@pytest.mark.shows("OrchestratedOutputParameterScalar", "name", "type")
@pytest.mark.shows("OrchestratedOutputParameterObject", "name", "type", "properties")
@pytest.mark.shows("OrchestratedOutputParameterArray", "name", "type", "items")
async def test_mappings(serve: Serve) -> None:
    calls = """
        steps:
          - {type: call, name: fleet, call: api.fleet}
          - {type: call, name: ships, call: api.ships}
        mappings:
          - {targetName: flagship, value: $.fleet.flagship}
          - {targetName: size, value: '$.ships[0].size'}
          - {targetName: first.name, value: '$.ships[0].name'}
          - {targetName: first.size, value: '$.ships[0].size'}
          - {targetName: ships, value: $.ships}
    """
    outputs = """
        outputParameters:
          - {name: flagship, type: string}
          - {name: size, type: number}
          - name: first
            type: object
            properties: {name: {name: name, type: string}, size: {name: size, type: number}}
          - {name: ships, type: array, items: [{name: size, type: number}, {name: imo, type: string}]}
          - {name: nowhere, type: string}
    """
    document = steps(calls, calls + outputs)
    async with serve(document, responses=FLEET) as served:
        plain, typed = [(await served.rest(f"GET /{index}")).data for index in range(2)]
        content = (await served.openapi())["paths"]["/1"]["get"]["responses"]["2XX"]["content"]
    described = content["application/json"]["schema"]["properties"]
    assert {name: schema["type"][0] for name, schema in described.items()} == {
        "flagship": "string",
        "size": "number",
        "first": "object",
        "ships": "array",
        "nowhere": "string",
    }
    first = {"name": "Fram", "size": "39"}
    assert plain == {"flagship": "F-2", "size": "39", "first": first, "ships": FLEET["/ships"]}
    assert typed == {
        "flagship": "F-2",
        "size": 39,
        "first": {"name": "Fram", "size": 39},
        "ships": [{"size": 39, "imo": "F-1"}, {"size": 21, "imo": "F-2"}],
        "nowhere": None,
    }
