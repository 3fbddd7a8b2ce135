"""Property tests of portable schemas: nothing is refused, and every valid instance stays valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from adapter_host.schemas.portable.names import NameMap, property_names
from adapter_host.schemas.portable.render import portable_schema
from tests.support.examples import examples
from tests.support.tool_rules import input_violations, output_violations

Json = dict[str, Any]

NAMES = ["id", "name", "$filter", "a[b]", "x<", "x>", "größe", "n" * 70, "filter", "with space", "日本"]
FREE_NAMES = ["free1", "free2"]
PATTERNS = ["^[a-z]*$", r"^(?!x)", r"\p{L}+", "(?P<n>a)", r"^\d{0,3}$", "a{,3}", "[", r"\-", "a++"]
DEFINITIONS = ["Tree", "Pair", "Text"]

lengths = st.integers(0, 4)
numbers = st.integers(-5, 5)


Draw = Callable[[st.SearchStrategy[Any]], Any]


def keywords(**possible: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=possible)


@st.composite
def string_schemas(draw: st.DrawFn) -> Json:
    words = draw(
        keywords(
            minLength=st.integers(0, 2),
            maxLength=st.integers(2, 4),
            pattern=st.sampled_from(PATTERNS),
            format=st.sampled_from(["uuid", "date-time", "int64", ""]),
            enum=st.lists(st.sampled_from(["", "a", "bb", "ccc"]), min_size=1, unique=True),
            examples=st.just(["a"]),
            contentEncoding=st.just("base64"),
        )
    )
    return {"type": "string", **words}


@st.composite
def number_schemas(draw: st.DrawFn) -> Json:
    words = draw(
        keywords(
            minimum=numbers | st.just(-(2**70)),
            maximum=numbers | st.just(2**64),
            exclusiveMinimum=numbers | st.just(-0.5),
            exclusiveMaximum=numbers | st.just(1.5),
            multipleOf=st.just(1),
            enum=st.lists(numbers, min_size=1, unique=True),
        )
    )
    return {"type": draw(st.sampled_from(["integer", "number"])), **words}


def array_schemas(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    words = keywords(
        items=children | st.just({}) | st.just(True),
        prefixItems=st.lists(children, min_size=1, max_size=2),
        minItems=st.integers(0, 1),
        maxItems=st.integers(1, 3),
        uniqueItems=st.booleans(),
    )
    return words.map(lambda found: {"type": "array", **found})


@st.composite
def object_schemas(draw: st.DrawFn, children: st.SearchStrategy[Any]) -> Json:
    words = draw(
        keywords(
            properties=st.dictionaries(st.sampled_from(NAMES), children, max_size=4),
            required=st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
            additionalProperties=children | st.booleans(),
            patternProperties=st.just({"^free": {"type": "string"}}),
            maxProperties=st.integers(2, 9),
        )
    )
    return {"type": "object", **words}


@st.composite
def compositions(draw: st.DrawFn, children: st.SearchStrategy[Any]) -> Json:
    keyword = draw(st.sampled_from(["allOf", "anyOf", "oneOf"]))
    words = draw(keywords(description=st.just("Some text"), title=st.just("Title"), deprecated=st.just(True)))
    base = draw(st.just({}) | object_schemas(children)) if keyword != "oneOf" else {}
    return {**base, keyword: draw(st.lists(children, min_size=1, max_size=3)), **words}


def several_types(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    types = st.lists(st.sampled_from(["string", "integer", "null", "object", "array"]), min_size=1, unique=True)
    return st.builds(
        lambda names, items, enum: {"type": names, "items": items, **enum},
        types,
        children,
        st.just({}) | st.just({"enum": [None, "a", 1, {}]}),
    )


references = st.sampled_from(DEFINITIONS).map(lambda name: {"$ref": f"#/$defs/{name}"})
leaves = st.one_of(
    string_schemas(),
    number_schemas(),
    references,
    st.sampled_from([{}, True, {"type": "boolean"}, {"type": "null"}, {"const": "k"}, {"enum": [1, "one", None]}]),
)
parts = st.recursive(
    leaves,
    lambda children: st.one_of(
        array_schemas(children), object_schemas(children), compositions(children), several_types(children)
    ),
    max_leaves=12,
)


@st.composite
def schemas(draw: st.DrawFn) -> Json:
    definitions = {name: draw(parts) for name in DEFINITIONS}
    definitions["Tree"] = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}, "$value": draw(parts)},
    }
    root = draw(object_schemas(parts))
    root.setdefault("properties", {})["body"] = draw(parts)
    return {**root, "$defs": definitions}


class Instances:
    """Draws values that a schema may accept, without fields of one alternative in another one."""

    def __init__(self, draw: Draw, root: Json) -> None:
        self._draw = draw
        self._root = root

    def value(self, schema: Any, levels: int) -> Any:
        if not isinstance(schema, dict) or not (schema.keys() - {"description", "title", "deprecated"}):
            return self._draw(st.sampled_from([None, 1, "a", True, {}, {"free1": 1}, [], ["a", {"free1": []}]]))
        if levels < -20:  # a reference to itself
            return None
        if "$ref" in schema:
            return self.value(self._root["$defs"][schema["$ref"].rpartition("/")[2]], levels - 1)
        found = [self._own(schema, levels)] if schema.keys() & {"type", "enum", "const"} else []
        found += [self.value(option, levels - 1) for option in schema.get("allOf", ())]
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                found.append(self.value(self._draw(st.sampled_from(schema[keyword])), levels - 1))
        if all(isinstance(each, dict) for each in found):
            return {name: item for each in found for name, item in each.items()}
        return found[0]

    def _own(self, schema: Json, levels: int) -> Any:
        if "const" in schema or "enum" in schema:
            return self._draw(st.sampled_from(schema.get("enum") or [schema["const"]]))
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        kind = self._draw(st.sampled_from(kinds))
        if kind == "object":
            return self._object(schema, levels)
        if kind == "array":
            first = [self.value(item, levels - 1) for item in schema.get("prefixItems", ())]
            more = self._draw(st.integers(0, 2)) if levels > 0 else 0
            return first + [self.value(schema.get("items", True), levels - 1) for _ in range(more)]
        scalars: dict[str, st.SearchStrategy[Any]] = {
            "string": st.sampled_from(["", "a", "bb", "12", "abcd"]),
            "integer": numbers,
            "number": numbers | st.sampled_from([0.5, -1.5]),
            "boolean": st.booleans(),
            "null": st.none(),
        }
        return self._draw(scalars[kind])

    def _object(self, schema: Json, levels: int) -> Json:
        properties = schema.get("properties", {})
        names = [n for n in properties if n in schema.get("required", ()) or (levels > 0 and self._draw(st.booleans()))]
        found = {name: self.value(properties[name], levels - 1) for name in names}
        for name in schema.get("required", ()):
            found.setdefault(name, self.value(schema.get("additionalProperties", True), levels - 1))
        additional = schema.get("additionalProperties", True)
        if additional is not False and not found and self._draw(st.booleans()):
            found["free1"] = self.value(additional, levels - 1)
        return found


def sent(value: Any, names: Json) -> Any:
    """Return a value as a client sends it, with the legal names of properties."""
    if isinstance(value, dict):
        return {names.get(name, name): sent(item, names) for name, item in value.items()}
    return [sent(item, names) for item in value] if isinstance(value, list) else value


def array_levels(value: Any) -> int:
    """Return how many arrays are directly in one another."""
    if isinstance(value, dict):
        return max(map(array_levels, value.values()), default=0)
    if not isinstance(value, list):
        return 0
    return max(
        1 + max((array_levels(item) for item in value if isinstance(item, list)), default=0),
        max(map(array_levels, value), default=0),
    )


def is_known(schema: Json, value: Any) -> bool:
    if array_levels(value) > 2:  # the portable form describes two levels of arrays of unknown values
        return False
    try:
        return Draft202012Validator(schema).is_valid(value)
    except Exception:  # a pattern that Python's `re` cannot compile
        return False


slow = settings(
    max_examples=examples(50),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # examples are small, and shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@slow
@given(schema=schemas())
def test_portable_schemas_follow_the_rules(schema: Json) -> None:
    assert input_violations(portable_schema(schema)) == []
    assert output_violations(portable_schema(schema, is_output=True)) == []


@slow
@given(data=st.data())
def test_portable_schemas_accept_what_the_schema_accepts(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    value = Instances(data.draw, schema).value({k: v for k, v in schema.items() if k != "$defs"}, 5)
    assume(is_known(schema, value))
    event(f"size {len(str(value)) // 40}")
    names = property_names(schema)
    assert list(Draft202012Validator(portable_schema(schema)).iter_errors(sent(value, names))) == []
    assert list(Draft202012Validator(portable_schema(schema, is_output=True)).iter_errors(value)) == []
    assert NameMap(schema, names).restore(sent(value, names)) == value
