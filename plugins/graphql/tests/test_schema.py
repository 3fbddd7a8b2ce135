"""The types of schemas, and the names of fields."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_client_schema, get_introspection_query, print_schema

from adapter_host import ProblemsError

from .conftest import Document, Serve, build_host

STATION = {
    "type": "object",
    "description": "A weather station",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "station-name": {"type": "string", "description": "Its name", "deprecated": True},
        "place": {"type": "string", "enum": ["sea-side", "inland", "null", None]},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "parent": {"anyOf": [{"$ref": "#/x-schemas/Station"}, {"type": "null"}]},
        "readings": {"type": "array", "items": {"$ref": "#/x-schemas/Reading"}},
        "height": {"type": "number"},
        "level": {"type": "integer", "minimum": 0, "maximum": 10},
        "owner": {"type": "object", "properties": {"name": {"type": "string"}}},
        "position": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}]},
        "note": {"type": ["string", "integer"]},
    },
}
READING = {
    "oneOf": [{"$ref": "#/x-schemas/Wind"}, {"$ref": "#/x-schemas/Rain"}],
    "discriminator": {"propertyName": "type", "mapping": {"w": "#/x-schemas/Wind"}},
}
WIND = {
    "allOf": [{"$ref": "#/x-schemas/Base"}, {"type": "object", "properties": {"speed": {"type": "number"}}}],
}
RAIN = {"type": "object", "properties": {"type": {"type": "string"}, "mm": {"type": "number"}}}
BASE = {"type": "object", "properties": {"type": {"type": "string"}}}
SCHEMAS = {"Station": STATION, "Reading": READING, "Wind": WIND, "Rain": RAIN, "Base": BASE}
REFERENCE = {"$ref": "#/x-schemas/Station"}
CONSUMED = [
    {
        "name": "list-stations",
        "method": "GET",
        "inputParameters": [
            {"name": "max-count", "type": "integer", "description": "How many at most"},
            {"name": "source", "x-schema": {"enum": ["a b", "c"]}},
        ],
        "outputParameters": [{"x-schema": {"type": "array", "items": REFERENCE}}],
    },
    {
        "name": "get-station",
        "method": "GET",
        "inputParameters": [{"name": "id", "required": True, "type": "integer"}],
        "outputParameters": [{"x-schema": REFERENCE}],
    },
    {
        "name": "add",
        "method": "POST",
        "inputParameters": [{"name": "body", "required": True, "x-schema": REFERENCE}],
        "outputParameters": [{"x-schema": REFERENCE}],
    },
]
OPERATIONS = [
    {"name": "list-stations", "description": "Lists stations"},
    {"name": "get-station"},
    {"name": "add", "deprecated": "use put"},
]


async def test_types_of_schemas(serve: Serve, snapshot: Any) -> None:
    async with serve(OPERATIONS, CONSUMED, schemas=SCHEMAS) as client:
        response = await client(get_introspection_query(input_value_deprecation=True))
        assert print_schema(build_client_schema(response.data)) == snapshot


async def test_names_are_mapped_back(serve: Serve) -> None:
    async with serve(OPERATIONS, CONSUMED, schemas=SCHEMAS) as client:
        client.api.responses["list-stations"] = lambda _: [{"station-name": "Eddystone", "place": "sea-side"}]
        query = "{ listStations(maxCount: 3, source: aB) { stationName place } }"
        assert (await client(query)).data == {"listStations": [{"stationName": "Eddystone", "place": "seaSide"}]}
        client.api.responses["add"] = lambda arguments: arguments["body"]
        station = '{id: 1, stationName: "Eddystone", place: null_, parent: {id: 2, place: seaSide}}'
        data = (await client(f"mutation {{ add(body: {station}) {{ place parent {{ place id }} }} }}")).data
        assert data == {"add": {"place": "null_", "parent": {"place": "seaSide", "id": 2}}}
        assert client.api.calls == [
            ("list-stations", {"max-count": 3, "source": "a b"}),
            (
                "add",
                {
                    "body": {
                        "id": 1,
                        "station-name": "Eddystone",
                        "place": "null",
                        "parent": {"id": 2, "place": "sea-side"},
                    }
                },
            ),
        ]


async def test_members_of_a_union_are_found_by_their_discriminator(serve: Serve) -> None:
    readings = [{"type": "w", "speed": 3}, {"type": "Rain", "mm": 0.5}, {"type": "Snow"}]
    async with serve(OPERATIONS, CONSUMED, schemas=SCHEMAS) as client:
        client.api.responses["get-station"] = lambda _: {"readings": readings}
        query = "{ getStation(id: 1) { readings { __typename ... on Wind { speed } ... on Rain { mm } } } }"
        response = await client(query)
    assert response.json["data"]["getStation"]["readings"] == [
        {"__typename": "Wind", "speed": 3},
        {"__typename": "Rain", "mm": 0.5},
        None,
    ]
    assert response.codes == ["UPSTREAM_INVALID"]
    assert response.errors[0]["path"] == ["getStation", "readings", 2]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"oneOf": [{"properties": {"a": {"const": "x"}}}, {"properties": {"a": {"enum": ["y"]}}}]}, "union"),
        ({"oneOf": [{"properties": {"a": {"const": "x"}}}, {"properties": {"a": {"const": "x"}}}]}, "JSON"),
        ({"oneOf": [{"properties": {"a": {"type": "string"}}}, {"type": "string"}]}, "JSON"),
        ({"type": "object"}, "JSON"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True}, "JSON"),
        ({"type": "array"}, "JSON"),
        ({"type": "integer", "format": "int32"}, "Int"),
        ({"type": "integer", "format": "int64"}, "Long"),
        ({"enum": [1, 2]}, "Int"),
        ({"const": "x"}, "String"),
        ({"allOf": [{"type": "string"}, {"minLength": 1}]}, "String"),
        ({}, "JSON"),
        (True, "JSON"),
    ],
)
async def test_types(serve: Serve, schema: Any, expected: str) -> None:
    consumed = [{"name": "read", "method": "GET", "outputParameters": [{"x-schema": schema}]}]
    async with serve([{"name": "read"}], consumed) as client:
        query = '{ __type(name: "Query") { fields { type { kind name } } } }'
        (field,) = (await client(query)).data["__type"]["fields"]
    assert field["type"]["kind" if expected == "union" else "name"] == ("UNION" if expected == "union" else expected)


async def test_no_digit_of_a_number_is_lost(serve: Serve) -> None:
    properties = {"count": {"type": "integer"}, "price": {"type": "number"}}
    consumed = [
        {
            "name": "read",
            "method": "GET",
            "inputParameters": [{"name": name, **each} for name, each in properties.items()],
            "outputParameters": [{"x-schema": {"type": "object", "properties": properties}}],
        }
    ]
    count, price = b"123456789012345678901234567890", b"1.2345678901234567890123"
    literal = b"{ read(count: %b, price: %b) { count price } }" % (count, price)
    variables = b"query ($c: Long, $p: Decimal) { read(count: $c, price: $p) { count price } }"
    async with serve([{"name": "read"}], consumed) as client:
        for query, values in ((literal, b"{}"), (variables, b'{"c":%b,"p":%b}' % (count, price))):
            body = b'{"query":"%b","variables":%b}' % (query, values)
            response = await client.send("POST", data=body, headers={"Content-Type": "application/json"})
            assert response.body == b'{"data":{"read":{"count":%b,"price":%b}}}' % (count, price)
        assert (await client('{ read(count: "7", price: 7) { count price } }')).body == (
            b'{"data":{"read":{"count":7,"price":7}}}'
        )


async def test_operations_that_only_read_are_queries(serve: Serve) -> None:
    consumed = [
        {"name": "get", "method": "GET"},
        {"name": "post", "method": "POST"},
        {"name": "search", "method": "POST"},
        {"name": "unknown"},
    ]
    operations = [{"name": "get"}, {"name": "post"}, {"name": "search", "kind": "query"}, {"name": "unknown"}]
    async with serve(operations, consumed) as client:
        query = "{ __schema { queryType { fields { name } } mutationType { fields { name } } } }"
        schema = (await client(query)).data["__schema"]
    assert [field["name"] for field in schema["queryType"]["fields"]] == ["get", "search"]
    assert [field["name"] for field in schema["mutationType"]["fields"]] == ["post", "unknown"]


def test_semantics_of_functions_decide(document: Document) -> None:
    consumed = [{"name": "search", "method": "POST"}, {"name": "touch", "method": "GET"}]
    operations = [{"name": "find", "ref": "f.find", "call": None}, {"name": "use", "ref": "f.use", "call": None}]
    made = document(operations, consumed)
    made["capability"]["aggregates"] = [
        {
            "namespace": "f",
            "functions": [
                {"name": "find", "call": "api.search", "semantics": {"safe": True}},
                {"name": "use", "call": "api.touch", "semantics": {"safe": False}},
            ],
        }
    ]
    catalog = build_host(made).status()[0].exposer.catalog()
    assert [entry.title for entry in catalog] == ["query find", "mutation use"]


async def test_capability_without_queries(serve: Serve) -> None:
    async with serve([{"name": "add"}], [{"name": "add", "method": "POST"}]) as client:
        assert (await client("{ capability }")).data == {"capability": "Stations"}


def test_duplicate_operations_are_errors(document: Document) -> None:
    with pytest.raises(ProblemsError, match="duplicate operation 'read'; rename one of them"):
        build_host(document([{"name": "read"}, {"name": "read"}], [{"name": "read"}]))
