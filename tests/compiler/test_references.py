"""Resolution of `call` references."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Arguments, ConsumedOperation, Input, Result
from adapter_host.compiler.references import (
    Caller,
    OperationIndex,
    ambiguous_operation_message,
    best_matches,
    normalize_name,
    placeholders,
    unknown_operation_message,
)


class Consumed(ConsumedOperation):
    """A consumed operation that is never called."""

    def __init__(self, name: str, resource: str | None = None, inputs: str = "", **more: Any) -> None:
        self.namespace, _, self.name = name.rpartition(".")
        self.resource = resource
        self.inputs = tuple(Input(item.strip("/"), in_="path" if "/" in item else "query") for item in inputs.split())
        for key, value in more.items():
            setattr(self, key, value)

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        raise NotImplementedError


def test_operation_names() -> None:
    assert Consumed("api.get").names == ("api.get",)
    assert Consumed("api.get", "users").names == ("api.get", "api.users.get")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("api.get", ["users", "groups"]),
        ("api.users.get", ["users"]),
        ("api/groups/get", ["groups"]),
        ("other.get", [None]),
        ("other.None.get", []),
        ("api.put", []),
        ("api.users", ["users"]),
        ("api.groups", []),
        ("other.None", []),
        ("get", []),
        ("", []),
        ("API.get", []),
    ],
)
def test_matches(call: str, expected: list[str | None]) -> None:
    consumed = [Consumed("api.get", "users"), Consumed("api.get", "groups"), Consumed("other.get")]
    if call == "api.groups":
        consumed.append(Consumed("api.list", "groups"))
    assert [operation.resource for operation in OperationIndex(consumed).find(call)] == expected


ALL = Consumed("api.get", "all", "limit", path="/users", description="Lists", method="GET")
ONE = Consumed("api.get", "one", "/user-id", path="/users/{user-id}", description="Reads", method="GET")
KEYS = Consumed("api.get", "keys", "/user-id /key", path="/users/{user-id}/keys/{key}", method="DELETE")


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (Caller(keys=frozenset({"limit"})), [ALL]),
        (Caller(keys=frozenset({"userId"})), [ONE]),
        (Caller(keys=frozenset({"USER_ID", "key"})), [KEYS]),
        (Caller(paths=("/people/{userid}",)), [ONE]),
        (Caller(description="Reads"), [ONE]),
        (Caller(resource_names=("Keys",)), [KEYS]),
        (Caller(paths=("/v2/users/",)), [ALL]),
        (Caller(method="DELETE"), [KEYS]),
        (Caller(), [ALL]),
        (Caller(keys=frozenset({"nothing"})), [ALL, ONE, KEYS]),
        (Caller(description="Other", method="PATCH"), [ALL]),
        (Caller(description="Reads", resource_names=("all",)), [ONE]),
    ],
)
def test_best_matches(caller: Caller, expected: list[Consumed]) -> None:
    assert list(best_matches([ALL, ONE, KEYS], caller)) == expected


SNIPPET = Consumed("api.post", "snippets", "body", path="/snippets", description="Create", method="POST")
COMMENT = Consumed(
    "api.post", "comments", "/id body", path="/snippets/{id}/comments", description="Comment", method="POST"
)
LISTED = Consumed("api.get", "list", "", path="/snippets", method="GET")
READ = Consumed("api.get", "read", "/id", path="/snippets/{id}", method="GET")


@pytest.mark.parametrize(
    ("candidates", "caller", "expected"),
    [
        # Keys are those of the other operation, but the description is identical.
        ([SNIPPET, COMMENT], Caller(keys=frozenset({"body"}), description="Comment"), [COMMENT]),
        ([SNIPPET, COMMENT], Caller(keys=frozenset({"body"}), description="Create"), [SNIPPET]),
        ([SNIPPET, COMMENT], Caller(keys=frozenset({"body", "id"})), [COMMENT]),
        # Path variables that a caller does not mention are no evidence, and no write is inferred.
        ([SNIPPET, COMMENT], Caller(keys=frozenset({"body"})), [SNIPPET, COMMENT]),
        ([SNIPPET, COMMENT], Caller(), [SNIPPET, COMMENT]),
        ([LISTED, READ], Caller(), [LISTED]),
        ([LISTED, READ], Caller(keys=frozenset({"id"})), [READ]),
        # The path names one operation, the keys another.
        ([SNIPPET, COMMENT], Caller(keys=frozenset({"id", "body"}), paths=("/snippets",)), [SNIPPET, COMMENT]),
    ],
)
def test_evidence_decides_or_nothing_does(candidates: Any, caller: Caller, expected: Any) -> None:
    assert list(best_matches(candidates, caller)) == expected


def test_single_match_is_returned() -> None:
    assert best_matches([ALL], Caller(keys=frozenset({"nothing"}), method="POST")) == [ALL]


@pytest.mark.parametrize(("name", "folded"), [("user-ID", "userid"), ("user_id", "userid"), ("UserId", "userid")])
def test_normalize_name(name: str, folded: str) -> None:
    assert normalize_name(name) == folded


@pytest.mark.parametrize(
    ("path", "names"), [("/a", ()), ("/{a}/{{ b-c }}", ("a", "b-c")), ("/{a}.{b}", ("a", "b")), ("/{}", ())]
)
def test_placeholder_names(path: str, names: tuple[str, ...]) -> None:
    assert placeholders(path) == names


def test_reference_messages(snapshot: SnapshotAssertion) -> None:
    consumed = [Consumed(f"api.op{index}", "things") for index in range(10)]
    assert {
        "similar": unknown_operation_message("api.op", consumed[:1]),
        "known operations": unknown_operation_message("api.entirely-else", consumed),
        "known namespaces": unknown_operation_message("x.y", consumed),
        "nothing is consumed": unknown_operation_message("x.y", []),
        "several resources": ambiguous_operation_message("api.get", [ONE, ALL]),
        "one name": ambiguous_operation_message("api.get", [Consumed("api.get"), Consumed("api.get")]),
    } == snapshot
