"""The document reader: values, positions and errors."""

import math
import os
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.document import Loc, Source, did_you_mean, format_value, join_words
from adapter_host.document.messages import suggestion_in
from adapter_host.document.nodes import MAX_DEPTH
from adapter_host.document.source import MAX_BYTES
from adapter_host.document.yaml_reader import MAX_NODES, MAX_PROBLEMS
from adapter_host.errors import Problem, ProblemsError


def parse_problems(text: str | bytes, file: str = "a.yaml") -> list[Problem]:
    with pytest.raises(ProblemsError) as caught:
        Source.parse(text, file)
    assert {problem.file for problem in caught.value.problems} == {file}
    return list(caught.value.problems)


def parse_messages(text: str | bytes) -> list[str]:
    return [str(problem) for problem in parse_problems(text)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("12", 12),
        ("-012", -12),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1e3", -1000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("2026-04-30", "2026-04-30"),
        ("12:30:00", "12:30:00"),
        ("1.0.0-alpha2", "1.0.0-alpha2"),
        (".", "."),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("! 12", 12),
        ("!!float 3", 3.0),
        ("!!int '3'", 3),
        ("!!bool true", True),
        ("!!null ''", None),
        ("!!map {b: 1}", {"b": 1}),
        ("!!seq [1]", [1]),
        ("|\n  x\n  y", "x\ny"),
    ],
)
def test_scalar(text: str, value: object) -> None:
    parsed = Source.parse(f"a: {text}", "a.yaml").data["a"]
    assert (parsed, type(parsed)) == (value, type(value))


def test_not_a_number() -> None:
    assert math.isnan(Source.parse("a: .nan", "a.yaml").data["a"])


def test_position_of() -> None:
    source = Source.parse("name: x\nlist:\n  - a: 1\n  - b:\n      c: two\n", "a.yaml")
    assert source.data == {"name": "x", "list": [{"a": 1}, {"b": {"c": "two"}}]}
    assert source.position_of(()) == ("a.yaml", 1, 1)
    assert source.position_of(("name",)) == ("a.yaml", 1, 7)
    assert source.position_of(("name",), key=True) == ("a.yaml", 1, 1)
    assert source.position_of(("list", 1)) == ("a.yaml", 4, 5)
    assert source.position_of(("list", 1), key=True) == ("a.yaml", 4, 5)
    assert source.position_of(("list", 1, "b", "c")) == ("a.yaml", 5, 10)
    assert source.position_of(("list", 1, "b", "c"), key=True) == ("a.yaml", 5, 7)


@pytest.mark.parametrize("loc", [("list", 7, "x"), ("list", -1), ("list", "0"), ("list", "x", "y")])
def test_position_of_missing_loc(loc: Loc) -> None:
    source = Source.parse("list:\n  - a: 1\n", "a.yaml")
    assert source.position_of(loc) == source.position_of(loc, key=True) == ("a.yaml", 2, 3)


def test_problem() -> None:
    problem = Source.parse("a: 1", "a.yaml").problem(("a",), "odd", code="odd", warning=True, key=True)
    assert problem == Problem("odd", "a.yaml", 1, 1, "odd", True)


def test_alias_has_position_of_its_anchor() -> None:
    source = Source.parse("a: &x\n  k: 1\nb: *x\n", "a.yaml")
    assert source.data["b"] == {"k": 1}
    assert source.position_of(("b", "k")) == ("a.yaml", 2, 6)
    assert source.position_of(("b",), key=True) == ("a.yaml", 3, 1)


def test_anchor_can_be_redefined() -> None:
    assert Source.parse("a: &x 1\nb: *x\nc: &x [&x 2, *x]\nd: *x", "a.yaml").data == {
        "a": 1,
        "b": 1,
        "c": [2, 2],
        "d": 2,
    }


def test_alias_as_key() -> None:
    source = Source.parse("a: &x name\n*x : 1\n", "a.yaml")
    assert source.data == {"a": "name", "name": 1}
    assert source.position_of(("name",), key=True) == ("a.yaml", 2, 1)


def test_merge() -> None:
    source = Source.parse(
        "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nthree:\n  <<: [*one, *two]\n  a: 3\n", "a.yaml"
    )
    assert source.data["three"] == {"a": 3, "b": 1, "c": 2}
    assert source.data["one"] == {"a": 1, "b": 1}
    assert source.position_of(("three", "c")) == ("a.yaml", 2, 21)
    assert source.position_of(("three", "c"), key=True) == ("a.yaml", 2, 18)


def test_tag_of_a_mapping_is_its_type() -> None:
    source = Source.parse(
        "a: !<http>\n  b: 1\nc: !bearer {type: bearer}\nd: &d !<call> {e: 1}\nf: *d\ng: !<x>\n  <<: {type: x}\n",
        "a.yaml",
    )
    assert source.data == {
        "a": {"b": 1, "type": "http"},
        "c": {"type": "bearer"},
        "d": {"e": 1, "type": "call"},
        "f": {"e": 1, "type": "call"},
        "g": {"type": "x"},
    }
    assert source.position_of(("a", "type")) == ("a.yaml", 1, 4)


def test_byte_order_mark() -> None:
    source = Source.parse(b"\xef\xbb\xbfa: 1", "a.yaml")
    assert source.position_of(("a",), key=True) == ("a.yaml", 1, 1)
    assert source.data == Source.parse("\ufeffa: 1", "a.yaml").data == {"a": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: 1\nb: 2\na: 3\nc:\n  d: 1\n  d: 2\na: 4\n",
            [(3, 1, "duplicate-key"), (6, 3, "duplicate-key"), (7, 1, "duplicate-key")],
        ),
        ("2.5: ok\ntrue: 1\n~: 2\n", [(1, 1, "key-not-text"), (2, 1, "key-not-text"), (3, 1, "key-not-text")]),
        ("a: {{x}}\n", [(1, 5, "key-not-text")]),
        ("a: !secret x", [(1, 4, "tag")]),
        ("a: !!set {b}", [(1, 4, "tag")]),
        ("a: !!map [b]", [(1, 4, "tag")]),
        ("a: !secret [x]", [(1, 4, "tag")]),
        ("a: !<python/object> {b: 1}", [(1, 4, "tag")]),
        ("a: !<basic> {type: bearer}", [(1, 4, "tag")]),
        ("a: !!int x", [(1, 4, "invalid-scalar")]),
        ("a: !!bool yes", [(1, 4, "invalid-scalar")]),
        ("a: 1" + "0" * 5000, [(1, 4, "invalid-scalar")]),
        ("a: 0x" + "0" * 5000, [(1, 4, "invalid-scalar")]),
        ("a: *b", [(1, 4, "unknown-alias")]),
        ("a: &x\n  - *x", [(2, 5, "recursive-alias")]),
        ("a: &x\n  <<: *x", [(2, 7, "recursive-alias"), (2, 3, "invalid-merge")]),
        ("a:\n  <<: [{b: 1}, 1]", [(2, 3, "invalid-merge")]),
        ("a:\n  <<: {b: 1}\n  <<: {c: 1}", [(3, 3, "duplicate-key")]),
        ("", [(0, 0, "empty")]),
        ("# nothing\n", [(0, 0, "empty")]),
        ("---\n", [(0, 0, "empty")]),
        ("- a\n", [(1, 1, "not-a-mapping")]),
        ("\n  text\n", [(2, 3, "not-a-mapping")]),
        ("a: 1\n---\nb: 2\n", [(2, 1, "many-documents")]),
        ("a: 1\na: 2\nb: [\n", [(2, 1, "duplicate-key"), (4, 1, "syntax")]),
        (b"a: 1\nb: \xc3\xa4\xff", [(2, 5, "not-utf-8")]),
        ("a: 1".encode("utf-16"), [(1, 1, "not-utf-8")]),
        ("a: 1\nb: x\0y\x07\n", [(2, 5, "unprintable"), (2, 7, "unprintable")]),
        ("a: \ud800", [(1, 4, "unprintable")]),
        (b"x" * (MAX_BYTES + 1), [(0, 0, "too-large")]),
    ],
    ids=lambda value: ascii(value)[:30] if isinstance(value, str | bytes) else "",
)
def test_problems(text: str | bytes, expected: list[tuple[int, int, str]], snapshot: SnapshotAssertion) -> None:
    problems = parse_problems(text)
    assert [(problem.line, problem.column, problem.code) for problem in problems] == expected
    assert [problem.message for problem in problems] == snapshot


def test_codes() -> None:
    text = "a: 1\na: 2\n2.5: !x 4\nc: 5\n\tb: 1"
    assert [problem.code for problem in parse_problems(text)] == ["duplicate-key", "key-not-text", "tag", "tab"]


def test_number_of_problems_is_limited() -> None:
    assert len(parse_problems("k: 1\n" * 100_000)) == MAX_PROBLEMS


def test_depth() -> None:
    opened = "[" * (MAX_DEPTH - 1)
    assert Source.parse(f"a: {opened}{']' * (MAX_DEPTH - 1)}", "a.yaml").position_of(("a", 0)) == ("a.yaml", 1, 5)
    assert parse_messages(f"a: {opened}[") == [f"a.yaml:1:{MAX_DEPTH + 3}: nested more than {MAX_DEPTH} levels deep"]
    (problem,) = parse_problems(f"a: {'[' * 1_000_000}")
    # The column depends on the reader: libyaml has a limit too, and reads ahead.
    assert (problem.line, problem.message, problem.code) == (1, f"nested more than {MAX_DEPTH} levels deep", "too-deep")


def test_depth_counts_aliases() -> None:
    half = MAX_DEPTH // 2
    text = f"a: &x {'[' * half}{']' * half}\nb: {'[' * half}*x{']' * half}"
    assert parse_messages(text) == [f"a.yaml:2:{half + 4}: nested more than {MAX_DEPTH} levels deep"]


def test_alias_bomb() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    began = process_time()
    (problem,) = parse_problems("\n".join(lines))
    assert (problem.line, problem.code) == (7, "too-many-values")
    assert f"{MAX_NODES:,}" in problem.message
    assert process_time() - began < 1


def test_merges_count_as_aliases() -> None:
    names = ", ".join(f"k{n}: 1" for n in range(1000))
    text = f"a: &a {{{names}}}\n" + "".join(f"b{n}: {{<<: *a}}\n" for n in range(1000))
    assert [problem.code for problem in parse_problems(text)] == ["too-many-values"]


def test_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\r\nb: \xc3\xa4\r\n")
    assert Source.read(str(path)).data == Source.read(path).data == {"a": 1, "b": "ä"}
    assert Source.read(path).position_of(("b",)) == (str(path), 2, 4)


def unreadable(path: Path) -> str:
    with pytest.raises(ProblemsError) as caught:
        Source.read(path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.code) == (str(path), "unreadable")
    return problem.message


def test_unreadable(tmp_path: Path) -> None:
    assert unreadable(tmp_path / "none.yaml") == "cannot read: No such file or directory"
    assert unreadable(tmp_path) == "cannot read: Is a directory"
    assert unreadable(tmp_path / "a\0b") == "cannot read: a path cannot contain a NUL character"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.touch(mode=0)
    assert unreadable(path) == "cannot read: Permission denied"


def test_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES * 1000)
    with pytest.raises(ProblemsError, match="larger than 10 MiB"):
        Source.read(path)


def test_endless_file_is_not_read() -> None:
    with pytest.raises(ProblemsError, match="not a regular file"):
        Source.read("/dev/zero")


def test_from_data() -> None:
    given_data: dict[str, Any] = {"a": [{"b": 1}], "c": ("x", None)}
    source = Source.from_data(given_data)
    assert source.data == {"a": [{"b": 1}], "c": ["x", None]}
    assert source.position_of(("a", 0, "b"), key=True) == ("<capability>", 0, 0)
    assert str(source.problem(("a",), "odd", code="odd")) == "<capability>: a: odd"
    given_data["a"] = []
    assert source.data["a"] == [{"b": 1}]


def test_integer_key_is_text() -> None:
    source = Source.parse("200: ok\n'404': gone\n", "a.yaml")
    assert source.data == {"200": "ok", "404": "gone"}
    assert source.position_of(("200",), key=True) == ("a.yaml", 1, 1)
    with pytest.raises(ProblemsError, match=r"a\.yaml:2:1: duplicate key '200'"):
        Source.parse("200: ok\n'200': again\n", "a.yaml")


def test_from_data_rejects_other_types() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    endless_list: list[Any] = []
    endless_list.append(endless_list)
    too_deep = f"<capability>: nested more than {MAX_DEPTH} levels deep"
    broken: list[tuple[Any, str, str]] = [
        ({1: 2}, "<capability>: a key must be text, not a number", "key-not-text"),
        ({None: 2}, "<capability>: a key must be text, not nothing", "key-not-text"),
        ({"a": {1, 2}}, "<capability>: a document cannot contain a set", "invalid-scalar"),
        (endless, too_deep, "too-deep"),
        ({"a": endless_list}, too_deep, "too-deep"),
    ]
    for data, message, code in broken:
        with pytest.raises(ProblemsError) as caught:
            Source.from_data(data)
        assert str(caught.value) == message
        assert [problem.code for problem in caught.value.problems] == [code]


def test_deepest_data() -> None:
    deepest: Any = "text"
    for _ in range(MAX_DEPTH - 1):
        deepest = [deepest]
    assert Source.from_data({"a": deepest}).data == {"a": deepest}
    with pytest.raises(ProblemsError):
        Source.from_data({"a": [deepest]})


def test_replace_from() -> None:
    source = Source.parse("consumes:\n  - import: x\n  - keep: 1\nother: 1\n", "a.yaml")
    other = Source.parse("\n\nconsumes:\n  - namespace: x\n", "b.yaml")
    before = source.data
    source.replace_from(("consumes", 0), other, ("consumes", 0))
    assert source.data == {"consumes": [{"namespace": "x"}, {"keep": 1}], "other": 1}
    assert before["consumes"][0] == {"import": "x"}
    assert source.position_of(("consumes", 0, "namespace")) == ("b.yaml", 4, 16)
    assert source.position_of(("consumes", 0, "namespace"), key=True) == ("b.yaml", 4, 5)
    assert source.position_of(("consumes", 0, "missing")) == ("b.yaml", 4, 5)
    assert source.position_of(("consumes",), key=True) == ("a.yaml", 1, 1)
    assert source.position_of(("consumes", 1, "keep")) == ("a.yaml", 3, 11)
    source.replace_from(("other",), other, ())
    assert source.position_of(("other",)) == ("b.yaml", 3, 1)
    source.replace_from((), other, ("consumes",))
    assert source.data == [{"namespace": "x"}]


def test_replace_from_keeps_aliases() -> None:
    source = Source.parse("a: &x {b: 1}\nc: *x\n", "a.yaml")
    source.replace_from(("a", "b"), Source.parse("d: 2", "b.yaml"), ("d",))
    assert source.data == {"a": {"b": 2}, "c": {"b": 1}}


@pytest.mark.parametrize(("loc", "other_loc"), [(("b",), ()), (("a", 2), ()), (("a", "x"), ()), (("a",), ("a", 0))])
def test_replace_from_missing_loc(loc: Loc, other_loc: Loc) -> None:
    source = Source.parse("a: [1, 2]", "a.yaml")
    with pytest.raises(LookupError):
        source.replace_from(loc, Source.parse("a: 1", "b.yaml"), other_loc)


@pytest.mark.parametrize("text", ["1", "[1]", "{a: 1}"])
@pytest.mark.parametrize("part", ["b", 1])
def test_with_child_needs_a_child(text: str, part: str | int) -> None:
    node = Source.parse(f"a: {text}", "a.yaml").nodes_to(("a",))[-1]
    with pytest.raises(LookupError):
        node.with_child(part, node)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1.5, "1.5"),
        (10**500, "a very long number"),
        ("it's\x1b", '"it\'s\\x1b"'),
        ("x" * 100, f"'{'x' * 57}...'"),
        (None, "nothing"),
        ([1], "a list"),
        ({}, "a mapping"),
    ],
)
def test_format_value(value: object, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("words", "expected"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_join_words(words: list[str], expected: str) -> None:
    assert join_words(words) == expected


def test_did_you_mean() -> None:
    words = ["timeout", "baseUri", "namespace"]
    assert did_you_mean("timeot", words) == "; did you mean 'timeout'?"
    assert did_you_mean("BASEURI", words) == "; did you mean 'baseUri'?"
    assert did_you_mean("colour", words) == ""
    assert did_you_mean("timeout" * 1000, words) == ""


def test_suggestions_are_read_from_messages() -> None:
    hint = did_you_mean("raed", ["read", "write"])
    assert suggestion_in(f"unknown operation 'raed'{hint}") == ("raed", "read")
    assert suggestion_in(f"it is unknown{hint}") is None
    assert suggestion_in("unknown operation 'raed' (known: 'read')") is None
