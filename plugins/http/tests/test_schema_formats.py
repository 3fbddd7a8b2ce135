"""Formats with a schema file next to the document: Avro and Protocol Buffers."""

from __future__ import annotations

import io
import json
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from syrupy.assertion import SnapshotAssertion

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

    def serve(raw_format: str, schema: str | None, files: dict[str, str], **settings: Any) -> Host:
        folder = tmp_path / "document"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        folder.mkdir(exist_ok=True)
        operation = {"name": "do", "method": "GET", "outputRawFormat": raw_format}
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


async def call_with_response(host: Host, api: Any, body: bytes) -> Any:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=body)

    api.reply = reply
    async with host:
        (operation,) = host.plans[0].consumers[0].operations()
        return (await operation.call({})).data


def without_library_text(message: str) -> str:
    """Return a message without the words of the schema parser, which differ between its versions."""
    message = re.sub(r"\((\w+): .*\)$", r"(\1: ...)", message)
    return re.sub(r"(usable: ).*(couldn't resolve name '\w+').*", r"\1... \2", message, flags=re.DOTALL)


def avro(data: Any, schema: Any) -> bytes:
    fastavro = pytest.importorskip("fastavro")
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, data)
    return out.getvalue()


@pytest.mark.shows("ConsumedHttpOperation", "outputSchema", "outputRawFormat")
async def test_avro_record(serve: Serve, api: Any) -> None:
    pytest.importorskip("fastavro")
    host = serve("avro", "schemas/ship.avsc", {"schemas/ship.avsc": json.dumps(SHIP)})
    assert await call_with_response(host, api, avro(FRAM, SHIP)) == FRAM_DATA
    assert api.last.headers["Accept"] == "application/avro, avro/binary, */*;q=0.1"


@pytest.mark.parametrize("cut", [slice(3), slice(-1), slice(0, 0)])
async def test_invalid_avro_records(serve: Serve, api: Any, cut: slice) -> None:
    pytest.importorskip("fastavro")
    host = serve("Avro", "ship.avsc", {"ship.avsc": json.dumps(SHIP)})
    body = avro(FRAM, SHIP)[cut] or avro(FRAM, SHIP) + b"x"
    with pytest.raises(UpstreamInvalidError, match="is not Avro "):
        await call_with_response(host, api, body)


async def test_protobuf_message(serve: Serve, api: Any) -> None:
    pytest.importorskip("google.protobuf")
    from adapter_host_http.formats.protobuf import to_protobuf

    host = serve("protobuf", "ship.proto", {"ship.proto": PROTO, "parts/crew.proto": CREW})
    (operation,) = host.plans[0].consumers[0].operations()
    kind = operation.format.encode.keywords["message"]
    assert kind.DESCRIPTOR.full_name == "fleet.v1.Ship"
    body = to_protobuf(SHIP_DATA, kind)
    assert b"Nansen" in body
    assert await call_with_response(host, api, body) == SHIP_DATA


async def test_empty_protobuf_message_has_defaults(serve: Serve, api: Any) -> None:
    pytest.importorskip("google.protobuf")
    host = serve("protobuf", "ship.proto", {"ship.proto": PROTO, "parts/crew.proto": CREW})
    assert await call_with_response(host, api, b"") == {
        "name": "",
        "logs": [],
        "berths": {},
        "rig": "NONE",
        "spare": [],
    }


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05ab", b"\x5a\x00" * 400_000])
async def test_invalid_protobuf_messages(serve: Serve, api: Any, body: bytes) -> None:
    pytest.importorskip("google.protobuf")
    host = serve("protobuf", "ship.proto", {"ship.proto": PROTO, "parts/crew.proto": CREW})
    if body.startswith(b"\x5a"):
        body += b"\x5a\x00" * 200_000
    with pytest.raises(UpstreamInvalidError, match="is not Protobuf "):
        await call_with_response(host, api, body)


def avro_file(schema: Any) -> dict[str, str]:
    return {"x.avsc": json.dumps(schema)}


def proto_file(text: str) -> dict[str, str]:
    return {"x.proto": text}


SELF = {**SHIP, "fields": [{"name": "next", "type": ["null", "Ship"]}]}
OUTSIDE = {"../x.avsc": "{}"}


@pytest.mark.parametrize(
    ("raw_format", "schema", "files", "code"),
    [
        pytest.param("avro", None, {}, "missing-key", id="avro: no schema"),
        pytest.param("protobuf", "", {}, "missing-key", id="protobuf: no schema"),
        pytest.param("avro", "none.avsc", {}, "output-schema", id="avro: no file"),
        pytest.param("avro", "../x.avsc", OUTSIDE, "output-schema", id="avro: parent folder"),
        pytest.param("avro", "/etc/hostname", {}, "output-schema", id="avro: absolute path"),
        pytest.param("avro", "file:///etc/hostname", {}, "output-schema", id="avro: absolute URI"),
        pytest.param("avro", "file:///./../x.avsc", OUTSIDE, "output-schema", id="avro: URI out of the folder"),
        pytest.param("avro", "file:x.avsc", {}, "output-schema", id="avro: invalid URI"),
        pytest.param("avro", "a/../../x.avsc", OUTSIDE, "output-schema", id="avro: path out of the folder"),
        pytest.param("avro", "x.avsc", {"x.avsc": " " * 2**21}, "output-schema", id="avro: large file"),
        pytest.param("avro", "x.avsc", {"x.avsc": "no"}, "output-schema", id="avro: not JSON"),
        pytest.param("avro", "x.avsc", avro_file({"type": "ship"}), "output-schema", id="avro: unknown type"),
        pytest.param("avro", "x.avsc", avro_file({"type": "record"}), "output-schema", id="avro: incomplete record"),
        pytest.param(
            "avro", "x.avsc", avro_file({"type": "array", "items": "null"}), "output-schema", id="avro: array of null"
        ),
        pytest.param("avro", "x.avsc", avro_file(SELF), "output-schema", id="avro: recursive record"),
        pytest.param("protobuf", "x.proto", proto_file("message A {"), "output-schema", id="protobuf: incomplete"),
        pytest.param("protobuf", "x.proto", proto_file("\n@"), "output-schema", id="protobuf: character"),
        pytest.param("protobuf", "x.proto", proto_file('edition = "2023";'), "output-schema", id="protobuf: edition"),
        pytest.param("protobuf", "x.proto", proto_file('syntax = "proto3";'), "output-schema", id="protobuf: empty"),
        pytest.param(
            "protobuf", "x.proto", proto_file("message A { optional B b = 1; }"), "output-schema", id="protobuf: type"
        ),
        pytest.param(
            "protobuf",
            "x.proto",
            proto_file("message A { optional group B = 1 {} }"),
            "output-schema",
            id="protobuf: group",
        ),
        pytest.param("protobuf", "x.proto", proto_file("message A { " * 40), "output-schema", id="protobuf: too deep"),
        pytest.param(
            "protobuf",
            "x.proto",
            proto_file('import "y.proto"; message A {}'),
            "output-schema",
            id="protobuf: missing import",
        ),
        pytest.param(
            "protobuf",
            "x.proto",
            proto_file('import "../y.proto"; message A {}'),
            "output-schema",
            id="protobuf: import out of the folder",
        ),
        pytest.param(
            "protobuf",
            "x.proto",
            proto_file('import "google/protobuf/no.proto";'),
            "output-schema",
            id="protobuf: missing bundled import",
        ),
        pytest.param(
            "protobuf",
            "x.proto",
            proto_file('import "x.proto"; message A {}'),
            "output-schema",
            id="protobuf: circular import",
        ),
    ],
)
def test_invalid_schemas(
    serve: Serve, raw_format: str, schema: str | None, files: dict[str, str], code: str, snapshot: SnapshotAssertion
) -> None:
    pytest.importorskip({"avro": "fastavro", "protobuf": "google.protobuf"}[raw_format])
    with pytest.raises(ProblemsError) as caught:
        serve(raw_format, schema, files)
    (problem,) = caught.value.problems
    assert (problem.code, problem.file.endswith("ships.yaml"), problem.line) == (code, True, 1)
    assert without_library_text(problem.message) == snapshot


@pytest.mark.parametrize("form", ["{folder}/schemas/x y", "file://{folder}/schemas/x%20y", "file:///./schemas/x%20y"])
@pytest.mark.parametrize("folder", ["document", "link"])
@pytest.mark.parametrize(
    ("raw_format", "suffix", "text"),
    [
        ("avro", ".avsc", '"string"'),
        ("protobuf", ".proto", 'syntax = "proto3"; import "y.proto"; message A { B b = 1; }'),
    ],
)
async def test_absolute_schema_in_the_folder(
    serve: Serve, api: Any, tmp_path: Path, form: str, folder: str, raw_format: str, suffix: str, text: str
) -> None:
    pytest.importorskip({"avro": "fastavro", "protobuf": "google.protobuf"}[raw_format])
    (tmp_path / "link").symlink_to(tmp_path / "document")
    files = {f"schemas/x y{suffix}": text, "schemas/y.proto": 'syntax = "proto3"; message B { string s = 1; }'}
    host = serve(raw_format, form.format(folder=tmp_path / folder) + suffix, files)
    body, data = (b"\x04ab", "ab") if raw_format == "avro" else (b"\x0a\x04\x0a\x02ab", {"b": {"s": "ab"}})
    assert await call_with_response(host, api, body) == data


def test_absolute_schema_is_a_link_out_of_the_folder(serve: Serve, tmp_path: Path) -> None:
    pytest.importorskip("fastavro")
    (tmp_path / "secret.avsc").write_text('"string"')
    (tmp_path / "document").mkdir()
    (tmp_path / "document" / "x.avsc").symlink_to(tmp_path / "secret.avsc")
    with pytest.raises(ProblemsError, match="a schema must be in the document's folder or below"):
        serve("avro", str(tmp_path / "document" / "x.avsc"), {})


def test_symbolic_link_out_of_the_folder_is_rejected(serve: Serve, tmp_path: Path) -> None:
    pytest.importorskip("fastavro")
    (tmp_path / "secret.avsc").write_text('"string"')
    (tmp_path / "document").mkdir()
    (tmp_path / "document" / "x.avsc").symlink_to(tmp_path / "secret.avsc")
    with pytest.raises(ProblemsError, match="a schema must be in the document's folder or below"):
        serve("avro", "x.avsc", {})


def test_schema_files_are_watched(serve: Serve) -> None:
    pytest.importorskip("fastavro")
    host = serve("avro", "x.avsc", {"x.avsc": '"string"'})
    assert [Path(file).name for file in host.plans[0].loaded.files] == ["ships.yaml", "x.avsc"]


@pytest.mark.parametrize(
    ("raw_format", "files", "keys"),
    [
        ("avro", {"s": json.dumps(SHIP)}, set(FRAM)),
        ("protobuf", {"s": PROTO, "parts/crew.proto": CREW}, {"name", "logs", "berths", "rig", "spare"}),
    ],
)
async def test_mock_server_responds_in_the_schema(
    serve: Serve, raw_format: str, files: dict[str, str], keys: set[str]
) -> None:
    pytest.importorskip({"avro": "fastavro", "protobuf": "google.protobuf"}[raw_format])
    async with serve(raw_format, "s", files, mock=True) as host:
        (operation,) = host.plans[0].consumers[0].operations()
        assert (await operation.call({})).data.keys() == keys
