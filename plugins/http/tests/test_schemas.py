"""Formats that a schema beside the document describes: Avro and Protocol Buffers."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapter_host import Host, ProblemsError, UpstreamInvalidError

SHIP = {
    "type": "record",
    "name": "Ship",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "crew", "type": {"type": "array", "items": {"type": "record", "name": "Person", "fields": [
            {"name": "name", "type": "string"},
            {"name": "photo", "type": ["null", "bytes"]},
        ]}}},
        {"name": "built", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "tons", "type": {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 2}},
        {"name": "ports", "type": {"type": "map", "values": "double"}},
    ],
}  # fmt: skip
FRAM = {
    "name": "Fram",
    "crew": [{"name": "Nansen", "photo": b"\0\xff"}, {"name": "Johansen", "photo": None}],
    "built": datetime(1892, 10, 26, tzinfo=UTC),
    "tons": Decimal("402.50"),
    "ports": {"Larvik": 1.5},
}
FRAM_DATA = {
    "name": "Fram",
    "crew": [{"name": "Nansen", "photo": b64encode(b"\0\xff").decode()}, {"name": "Johansen", "photo": None}],
    "built": "1892-10-26T00:00:00+00:00",
    "tons": "402.50",
    "ports": {"Larvik": 1.5},
}
PROTO = """
/* ships */ syntax = "proto3";
package fleet.v1;
import public "parts/crew.proto";
import "google/protobuf/timestamp.proto";
option (file).x = { a: "}" b: [1, 2] };  // ignored
message Ship {
  reserved 40, 50 to max; reserved "old";
  string name = 1 [deprecated = true, (note) = "];"];
  repeated sint64 logs = 2;
  map<bool, .fleet.v1.Ship.Berth> berths = 3;
  oneof power { double sail = 4; Engine engine = 5; }
  optional int32 tons = 6;
  optional int32 draught = 7;
  google.protobuf.Timestamp built = 8;
  parts.Crew crew = 9;
  Rig rig = 10;
  message Berth { int32 number = 1; bytes mark = 2; }
  message Engine { float power = 1; }
  enum Rig { NONE = 0; BARK = 0x1; OTHER = -1; }
  repeated Berth spare = 11;
}
service Fleet { rpc Find (Ship) returns (stream Ship) { option (http) = { get: "/" }; } }
"""
CREW = 'syntax = "proto2"; package parts; message Crew { required string captain = 1; extensions 100 to 199; }'
SHIP_DATA = {
    "name": "Fram",
    "logs": [-(2**53) - 1],
    "berths": {"true": {"number": 3, "mark": b64encode(b"\0\xff").decode()}},
    "engine": {"power": 1.5},
    "tons": 0,
    "built": "1892-10-26T00:00:00Z",
    "crew": {"captain": "Nansen"},
    "rig": "BARK",
    "spare": [],
}

Serve = Callable[..., Any]


@pytest.fixture
def serve(load: Any, api: Any, tmp_path: Path) -> Serve:
    """Return a function that creates the host of a document in a folder with schemas."""

    def serve(format: str, schema: str | None, files: dict[str, str], **settings: Any) -> Host:
        folder = tmp_path / "document"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        folder.mkdir(exist_ok=True)
        operation = {"name": "do", "method": "GET", "outputRawFormat": format}
        if schema is not None:
            operation["outputSchema"] = schema
        resource = {"name": "things", "path": "/things", "operations": [operation]}
        consumes = [{"type": "http", "namespace": "api", "baseUri": api.url, "resources": [resource]}]
        exposes = [{"type": "silent", "namespace": "none"}]
        document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": consumes, "exposes": exposes}}
        file = folder / "ships.yaml"
        file.write_text(json.dumps(document))
        host: Host = load(file, **settings)
        return host

    return serve


async def answer(host: Host, api: Any, body: bytes) -> Any:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=body)

    api.reply = reply
    async with host:
        (operation,) = host.plans[0].consumers[0].operations()
        return (await operation.call({})).data


def avro(data: Any, schema: Any) -> bytes:
    fastavro = pytest.importorskip("fastavro")
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, data)
    return out.getvalue()


@pytest.mark.shows("ConsumedHttpOperation", "outputSchema", "outputRawFormat")
async def test_an_avro_record(serve: Serve, api: Any) -> None:
    pytest.importorskip("fastavro")
    host = serve("avro", "schemas/ship.avsc", {"schemas/ship.avsc": json.dumps(SHIP)})
    assert await answer(host, api, avro(FRAM, SHIP)) == FRAM_DATA
    assert api.last.headers["Accept"] == "application/avro, avro/binary, */*;q=0.1"


@pytest.mark.parametrize("cut", [slice(3), slice(-1), slice(0, 0)])
async def test_what_is_no_such_record(serve: Serve, api: Any, cut: slice) -> None:
    pytest.importorskip("fastavro")
    host = serve("Avro", "ship.avsc", {"ship.avsc": json.dumps(SHIP)})
    body = avro(FRAM, SHIP)[cut] or avro(FRAM, SHIP) + b"x"
    with pytest.raises(UpstreamInvalidError, match="did not answer Avro"):
        await answer(host, api, body)


async def test_a_message(serve: Serve, api: Any) -> None:
    pytest.importorskip("google.protobuf")
    from adapter_host_http.formats.protobuf import to_protobuf

    host = serve("protobuf", "ship.proto", {"ship.proto": PROTO, "parts/crew.proto": CREW})
    (operation,) = host.plans[0].consumers[0].operations()
    kind = operation.format.encode.keywords["message"]
    assert kind.DESCRIPTOR.full_name == "fleet.v1.Ship"
    body = to_protobuf(SHIP_DATA, kind)
    assert b"Nansen" in body
    assert await answer(host, api, body) == SHIP_DATA


async def test_a_message_of_no_bytes_has_its_defaults(serve: Serve, api: Any) -> None:
    pytest.importorskip("google.protobuf")
    host = serve("protobuf", "ship.proto", {"ship.proto": PROTO, "parts/crew.proto": CREW})
    assert await answer(host, api, b"") == {"name": "", "logs": [], "berths": {}, "rig": "NONE", "spare": []}


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05ab", b"\x5a\x00" * 400_000])
async def test_what_is_no_such_message(serve: Serve, api: Any, body: bytes) -> None:
    pytest.importorskip("google.protobuf")
    host = serve("protobuf", "ship.proto", {"ship.proto": PROTO, "parts/crew.proto": CREW})
    if body.startswith(b"\x5a"):
        body += b"\x5a\x00" * 200_000
    with pytest.raises(UpstreamInvalidError, match="did not answer Protobuf"):
        await answer(host, api, body)


@pytest.mark.parametrize(
    ("format", "schema", "files", "message"),
    [
        ("avro", None, {}, "'outputSchema' is missing (a .avsc file, relative to the document)"),
        ("protobuf", "", {}, "'outputSchema' is missing (a .proto file, relative to the document)"),
        ("avro", "none.avsc", {}, "cannot read 'none.avsc': there is no such file"),
        ("avro", "../x.avsc", {"../x.avsc": "{}"}, "a schema stands in the document's folder or below"),
        ("avro", "/etc/hostname", {}, "a schema stands in the document's folder or below"),
        ("avro", "a/../../x.avsc", {"../x.avsc": "{}"}, "a schema stands in the document's folder or below"),
        ("avro", "x.avsc", {"x.avsc": " " * 2**21}, "it is larger than 1048576 bytes"),
        ("avro", "x.avsc", {"x.avsc": "no"}, "'x.avsc' is no Avro schema (JSONDecodeError: "),
        ("avro", "x.avsc", {"x.avsc": '{"type": "ship"}'}, "'x.avsc' is no Avro schema (UnknownType: "),
        ("avro", "x.avsc", {"x.avsc": '{"type": "record"}'}, "'x.avsc' is no Avro schema ("),
        ("avro", "x.avsc", {"x.avsc": '{"type": "array", "items": "null"}'}, "an array of what takes no bytes"),
        (
            "avro",
            "x.avsc",
            {"x.avsc": json.dumps({**SHIP, "fields": [{"name": "next", "type": ["null", "Ship"]}]})},
            "'x.avsc': 'Ship' holds itself, which is not supported",
        ),
        ("protobuf", "x.proto", {"x.proto": "message A {"}, "'x.proto' cannot be used: line 1: the end is not"),
        ("protobuf", "x.proto", {"x.proto": "\n@"}, "line 2: '@' is not understood"),
        ("protobuf", "x.proto", {"x.proto": 'edition = "2023";'}, "line 1: edition is not understood"),
        ("protobuf", "x.proto", {"x.proto": 'syntax = "proto3";'}, "it declares no message"),
        ("protobuf", "x.proto", {"x.proto": "message A { optional B b = 1; }"}, "couldn't resolve name 'B'"),
        ("protobuf", "x.proto", {"x.proto": "message A { optional group B = 1 {} }"}, "group is not understood"),
        ("protobuf", "x.proto", {"x.proto": "message A { " * 40}, "nested deeper than 30 levels"),
        ("protobuf", "x.proto", {"x.proto": 'import "y.proto"; message A {}'}, "cannot read 'y.proto': there is no"),
        ("protobuf", "x.proto", {"x.proto": 'import "../y.proto"; message A {}'}, "a schema stands in the document's"),
        ("protobuf", "x.proto", {"x.proto": 'import "google/protobuf/no.proto";'}, "there is no 'google/protobuf/no."),
        ("protobuf", "x.proto", {"x.proto": 'import "x.proto"; message A {}'}, "'x.proto' imports itself"),
    ],
)
def test_problems(serve: Serve, format: str, schema: str | None, files: dict[str, str], message: str) -> None:
    pytest.importorskip({"avro": "fastavro", "protobuf": "google.protobuf"}[format])
    with pytest.raises(ProblemsError) as caught:
        serve(format, schema, files)
    (found,) = caught.value.problems
    assert message in found.message
    assert (found.file.endswith("ships.yaml"), found.line) == (True, 1)


def test_a_link_leads_nowhere_else(serve: Serve, tmp_path: Path) -> None:
    pytest.importorskip("fastavro")
    (tmp_path / "secret.avsc").write_text('"string"')
    (tmp_path / "document").mkdir()
    (tmp_path / "document" / "x.avsc").symlink_to(tmp_path / "secret.avsc")
    with pytest.raises(ProblemsError, match="a schema stands in the document's folder or below"):
        serve("avro", "x.avsc", {})


def test_a_schema_is_watched(serve: Serve) -> None:
    pytest.importorskip("fastavro")
    host = serve("avro", "x.avsc", {"x.avsc": '"string"'})
    assert [Path(file).name for file in host.plans[0].loaded.files] == ["ships.yaml", "x.avsc"]


@pytest.mark.parametrize(
    ("format", "files", "keys"),
    [
        ("avro", {"s": json.dumps(SHIP)}, set(FRAM)),
        ("protobuf", {"s": PROTO, "parts/crew.proto": CREW}, {"name", "logs", "berths", "rig", "spare"}),
    ],
)
async def test_the_stand_in_answers_in_the_schema(
    serve: Serve, format: str, files: dict[str, str], keys: set[str]
) -> None:
    pytest.importorskip({"avro": "fastavro", "protobuf": "google.protobuf"}[format])
    async with serve(format, "s", files, mock=True) as host:
        (operation,) = host.plans[0].consumers[0].operations()
        assert (await operation.call({})).data.keys() == keys
