"""Messages from schemas: the `.proto` file, its descriptors, and values on their way through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from adapter_host import ProblemsError
from adapter_host.testing import running
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapter_host_grpc.conversion import converter_of
from adapter_host_grpc.descriptors import file_descriptor, load
from adapter_host_grpc.exposer import GrpcExposer
from adapter_host_grpc.model import Message, Method, ProtoFile
from adapter_host_grpc.names import UniqueNames
from adapter_host_grpc.proto_text import proto_text
from adapter_host_grpc.schemas import SchemaCompiler
from adapter_host_grpc.values import FormError

from .conftest import build, compile_descriptor, document

PET: dict[str, Any] = {
    "type": "object",
    "description": "An animal",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "status": {"enum": ["available", "sold out"]},
        "parents": {"type": "array", "items": {"$ref": "#/$defs/Pet"}},
    },
}
EVERYTHING: dict[str, Any] = {
    "type": "object",
    "required": ["id", "tags", "deletedAt", "ratio"],
    "properties": {
        "id": {"type": "integer"},
        "serial": {"type": "integer", "format": "uint64"},
        "ratio": {"type": "number"},
        "active": {"type": "boolean"},
        "deletedAt": {"type": ["string", "null"]},
        "nick": {"type": ["string", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "grid": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "lists": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "number"}}},
        "anything": {},
        "open": {"type": "object"},
        "choice": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "maybe": {"anyOf": [{"$ref": "#/$defs/Pet"}, {"type": "null"}]},
        "pet": {"allOf": [{"$ref": "#/$defs/Pet"}, {"properties": {"age": {"type": "integer"}}}]},
        "friend": {"$ref": "#/$defs/Pet"},
        "nested": {"properties": {"x": {"type": "integer"}}, "additionalProperties": {"type": "integer"}},
        "the-odd name!": {"type": "string"},
        "mixed": {"type": "array", "items": {"type": ["string", "null"]}},
    },
    "$defs": {"Pet": PET},
}


def compiled(schema: dict[str, Any], *, is_input: bool = True) -> tuple[ProtoFile, Message]:
    file = ProtoFile("acme.v1", "Service")
    names = UniqueNames()
    names.add("Service")
    compiler = SchemaCompiler(file, names, is_input=is_input)
    message = compiler.object("Thing", schema, {}) if is_input else compiler.result("Thing", schema, {})
    file.methods.append(Method("Get", message, message))
    return file, message


def there_and_back(schema: dict[str, Any], data: Any, *, is_input: bool = True) -> Any:
    file, message = compiled(schema, is_input=is_input)
    pool = load(file_descriptor(file))
    made = GetMessageClass(pool.FindMessageTypeByName("acme.v1.Thing"))
    converter = converter_of(message, {})
    sent = made()
    converter.fill(data, sent)
    return converter.read(made.FromString(sent.SerializeToString()))


@pytest.mark.parametrize("is_input", [True, False])
def test_text_and_descriptors_are_equal(is_input: bool, tmp_path: Path) -> None:
    file, _ = compiled(EVERYTHING, is_input=is_input)
    assert_equal(compile_descriptor(proto_text(file), tmp_path), file_descriptor(file))


def assert_equal(compiled: FileDescriptorProto, made: FileDescriptorProto) -> None:
    """Check a descriptor against that of the compiler, which adds the names in JSON that are not declared."""
    for message, other in zip(made.message_type, compiled.message_type, strict=True):
        for field, expected in zip(message.field, other.field, strict=True):
            if not field.HasField("json_name"):
                expected.ClearField("json_name")
        for entry in other.nested_type:
            for expected in entry.field:
                expected.ClearField("json_name")
    made.name = compiled.name
    assert made == compiled


def test_names_in_json_are_the_declared_ones(tmp_path: Path) -> None:
    file, _ = compiled(EVERYTHING)
    descriptor = compile_descriptor(proto_text(file), tmp_path)
    (thing,) = [each for each in descriptor.message_type if each.name == "Thing"]
    declared = set(EVERYTHING["properties"])
    assert {field.json_name for field in thing.field if field.type_name != ".acme.v1.Blank"} == declared


def test_proto_file(snapshot: Any) -> None:
    file, _ = compiled(EVERYTHING)
    assert proto_text(file) == snapshot


VALUES: list[dict[str, Any]] = [
    {"id": 2**63 - 1, "tags": ["a", ""], "deletedAt": None, "ratio": 0.1},
    {"id": -(2**63), "tags": [], "deletedAt": "", "ratio": -1.5e300, "serial": 2**64 - 1, "active": False},
    {"id": 0, "tags": ["x"], "deletedAt": "z", "ratio": 7, "nick": None, "labels": {}, "grid": []},
    {"id": 1, "tags": [], "deletedAt": None, "ratio": 0, "nick": "", "grid": [[1], [], [2**60]], "lists": {"a": [0.5]}},
    {"id": 1, "tags": [], "deletedAt": None, "ratio": 0, "anything": {"a": [None, True, {"b": 1.5}]}, "open": {"x": 1}},
    {"id": 1, "tags": [], "deletedAt": None, "ratio": 0, "anything": None, "choice": 7, "mixed": ["a", None]},
    {"id": 1, "tags": [], "deletedAt": None, "ratio": 0, "maybe": None, "friend": {"name": "é", "status": "sold out"}},
    {
        "id": 1,
        "tags": [],
        "deletedAt": None,
        "ratio": 0,
        "maybe": {"name": "a", "parents": [{"name": "b", "parents": []}]},
        "pet": {"name": "c", "age": 3},
        "nested": {"x": 1, "y": 2},
        "the-odd name!": "ok",
    },
]


@pytest.mark.parametrize("data", VALUES)
def test_arguments_keep_their_values(data: dict[str, Any]) -> None:
    assert there_and_back(EVERYTHING, data) == data


def test_whole_numbers_stay_integers() -> None:
    data = {"id": 1, "tags": [], "deletedAt": None, "ratio": 7.0, "anything": 7.0}
    result = there_and_back(EVERYTHING, data)
    assert [type(result[key]) for key in ("id", "ratio", "anything")] == [int, int, int]


def test_large_integers_of_any_type_are_texts() -> None:
    data = {"id": 2**53 + 1, "tags": [], "deletedAt": None, "ratio": 0, "anything": [2**53, 2**53 + 1, -(2**64)]}
    assert there_and_back(EVERYTHING, data)["anything"] == [2**53, "9007199254740993", "-18446744073709551616"]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"id": 2**63}, ("id",)),
        ({"id": 1.5}, ("id",)),
        ({"id": True}, ("id",)),
        ({"serial": -1}, ("serial",)),
        ({"ratio": 10**400}, ("ratio",)),
        ({"ratio": "1"}, ("ratio",)),
        ({"active": 1}, ("active",)),
        ({"tags": "x"}, ("tags",)),
        ({"tags": ["x", None]}, ("tags", 1)),
        ({"tags": ["\ud800"]}, ("tags", 0)),
        ({"grid": [[1], ["x"]]}, ("grid", 1, "items", 0)),
        ({"labels": {"a": None}}, ("labels", "a")),
        ({"friend": {"name": "a", "status": "lost"}}, ("friend", "status")),
        ({"friend": {"name": "a", "parents": [{"name": 1}]}}, ("friend", "parents", 0, "name")),
        ({"open": []}, ("open",)),
        ({"anything": float("inf")}, ("anything",)),
    ],
)
def test_values_without_a_form_are_named(data: Any, path: tuple[str | int, ...]) -> None:
    with pytest.raises(FormError) as raised:
        there_and_back(EVERYTHING, data, is_input=False)
    assert raised.value.path == path


def test_results_leave_out_null_and_need_no_companion() -> None:
    data = {"id": 1, "tags": [], "deletedAt": None, "ratio": 0.5, "nick": None, "grid": [], "maybe": None}
    expected = {"id": 1, "tags": [], "deletedAt": None, "ratio": 0.5}
    assert there_and_back(EVERYTHING, data, is_input=False) == expected
    file, _ = compiled(EVERYTHING, is_input=False)
    assert not file.uses_blank


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({"type": "array", "items": {"type": "string"}}, ["a", "b"]),
        ({"type": "string"}, "a"),
        ({"type": "integer"}, 0),
        ({}, [1, {"a": None}]),
        ({"type": "object"}, {"a": 1}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}),
        ({"type": "array", "items": {"type": "array"}}, [[], [1]]),
    ],
)
def test_results_that_are_no_objects_are_wrapped(schema: dict[str, Any], data: Any) -> None:
    _, message = compiled(schema, is_input=False)
    assert [field.name for field in message.fields] == ["result"]
    assert there_and_back(schema, data, is_input=False) == data


def test_numbers_follow_the_declaration_and_pins() -> None:
    properties = {"a": {}, "b": {"x-grpc": {"number": 2}}, "c": {}, "d": {"x-grpc": {"number": 50}}, "e": {}}
    _, message = compiled({"type": "object", "properties": properties})
    assert {field.key: field.number for field in message.fields} == {"a": 1, "b": 2, "c": 3, "d": 50, "e": 4}


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ({"id": 1, "note": 1}, "the number 1 of 'note' is used twice; choose another"),
        ({"id": 0}, "the number 0 of 'id' is not possible"),
        ({"id": 19_500}, "the number 19500 of 'id' is not possible"),
        ({"id": 100_000}, "the number 100000 of 'id' is not possible"),
    ],
)
def test_impossible_numbers_are_problems(numbers: dict[str, int], problem: str) -> None:
    inputs = [{"name": "id", "type": "integer"}, {"name": "note", "type": "string"}]
    operation = {"call": "api.read", "x-grpc": {"numbers": numbers}}
    with pytest.raises(ProblemsError, match=problem):
        build(document(operation, consumed=[{"name": "read", "inputParameters": inputs}]))


def exposer_of(host: Any) -> GrpcExposer:
    exposer = host.plans[0].exposers[0].exposer
    assert isinstance(exposer, GrpcExposer)
    return exposer


def test_methods_have_legal_and_unique_names() -> None:
    operations = [{"name": name, "call": "api.read"} for name in ("list-pets", "listPets", "2nd", "été", "!")]
    host = build(document(*operations, consumed=[{"name": "read"}]))
    file = exposer_of(host).file
    (warning,) = [warning.message for warning in host.warnings if warning.code == "renamed"]
    assert "method 'ListPets' is renamed to 'ListPets_2'; another method of this exposer" in warning
    assert [method.name for method in file.methods] == ["ListPets", "ListPets_2", "Method2nd", "Ete", "Method"]
    assert (file.package, file.service) == ("front_door", "FrontDoor")


async def test_package_and_service_are_settings(tmp_path: Path) -> None:
    keys = {"package": "acme.pets.v1", "service": "Pets"}
    async with running(document({"call": "api.read"}, consumed=[{"name": "read"}], **keys)) as served:
        file = exposer_of(served.host).file
        descriptor = compile_descriptor(proto_text(file), tmp_path)
        assert (descriptor.package, descriptor.service[0].name, descriptor.service[0].method[0].name) == (
            "acme.pets.v1",
            "Pets",
            "Read",
        )


NAMES = st.one_of(
    st.sampled_from(["a", "A", "a_b", "aB", "a-b", "1", "é", "message", "oneof", "_", ""]), st.text(max_size=5)
)
LEAVES = st.sampled_from(
    [
        {},
        True,
        False,
        {"type": "string"},
        {"type": ["integer", "null"]},
        {"type": "number"},
        {"enum": ["a", "A", "a b", "1", ""]},
        {"enum": ["a", "A", "a b", "1"]},
        {"const": "x"},
        {"$ref": "#/$defs/Pet"},
        {"$ref": "#/$defs/self"},
        {"type": "null"},
        {"type": ["string", "integer"]},
    ]
)


def _grown(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, children, max_size=4)},
        optional={"additionalProperties": children, "required": st.lists(NAMES, max_size=2)},
    )
    lists = st.fixed_dictionaries({"type": st.just("array")}, optional={"items": children})
    choices = st.fixed_dictionaries({"anyOf": st.lists(children, min_size=1, max_size=3)})
    joined = st.fixed_dictionaries({"allOf": st.lists(children, min_size=1, max_size=3)})
    return objects | lists | choices | joined


SCHEMAS = st.recursive(LEAVES, _grown, max_leaves=12)


@settings(max_examples=200, deadline=None)
@example(properties={"a": {"type": "object", "properties": {"_a": {"type": "string"}}}}, is_input=False)
@given(properties=st.dictionaries(NAMES, SCHEMAS, max_size=5), is_input=st.booleans())
def test_any_schema_has_descriptors(
    properties: dict[str, Any], is_input: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    defs = {"Pet": PET, "self": {"allOf": [{"$ref": "#/$defs/self"}]}}
    file, message = compiled({"type": "object", "properties": properties, "$defs": defs}, is_input=is_input)
    pool = load(file_descriptor(file))
    made = GetMessageClass(pool.FindMessageTypeByName(f"acme.v1.{message.name}"))
    assert converter_of(message, {}).read(made()) is not None or message.wraps
    assert_equal(compile_descriptor(proto_text(file), tmp_path_factory.getbasetemp()), file_descriptor(file))
