"""Credentials of imported operations: which alternative is sent, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter_host import ProblemsError
from tests.support.imported import import_document

SCHEMES = {
    "user": {"type": "http", "scheme": "bearer"},
    "root": {"type": "http", "scheme": "basic"},
    "key": {"type": "apiKey", "in": "query", "name": "k"},
    "seal": {"type": "apiKey", "in": "header", "name": "X-Seal"},
    "tls": {"type": "mutualTLS"},
}


def consumers(
    folder: Path, *accepted: Any, general: Any = None, **options: Any
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Import operations `/0`, `/1`, ... with these alternatives (None: those of the API); return their consumers."""
    paths = {
        f"/{number}": {"get": {"operationId": f"o{number}", **({} if each is None else {"security": each})}}
        for number, each in enumerate(accepted)
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Bill", "version": "1"},
        "servers": [{"url": "https://bill.example.com"}],
        "paths": paths,
        "components": {"securitySchemes": SCHEMES},
        **({} if general is None else {"security": general}),
    }
    capability, warnings = import_document(document, folder, **options)
    found = {
        operation["name"]: consumer
        for consumer in capability["capability"]["consumes"]
        for resource in consumer["resources"]
        for operation in resource["operations"]
    }
    assert {each["call"] for each in capability["capability"]["exposes"][-1]["tools"]} == {
        f"{consumer['namespace']}.{name}" for name, consumer in found.items()
    }
    return found, warnings


def types_of(found: dict[str, dict[str, Any]]) -> list[str | None]:
    return [found[name].get("authentication", {}).get("type") for name in sorted(found)]


@pytest.mark.parametrize(
    ("security", "general", "expected"),
    [
        # The alternative that most operations accept, although it is the second of one.
        ([[{"root": []}, {"user": []}], [{"user": []}]], None, ["bearer", "bearer"]),
        # The first of equally common ones.
        ([[{"root": []}, {"user": []}]], None, ["basic"]),
        # One with a scheme that is not supported, or not declared, is not chosen.
        ([[{"tls": []}, {"user": []}]], None, ["bearer"]),
        ([[{"user": [], "missing": []}, {"root": []}]], None, ["basic"]),
        # Two authentications are not sent together.
        ([[{"user": [], "root": []}, {"key": []}]], None, ["apikey"]),
        # Credentials are sent where they are optional, but not where none are accepted.
        ([[{}, {"user": []}], [{}], []], None, ["bearer", None, None]),
        ([None, []], [{"user": []}], ["bearer", None]),
    ],
)
def test_chosen_alternative(security: Any, general: Any, expected: Any, tmp_path: Path) -> None:
    found, warnings = consumers(tmp_path, *security, general=general)
    assert types_of(found) == expected
    assert warnings == []


def test_operation_without_supported_alternative(tmp_path: Path) -> None:
    found, warnings = consumers(tmp_path, [{"tls": []}], [{"user": []}])
    assert types_of(found) == [None, "bearer"]
    assert warnings == [
        "#/components/securitySchemes/tls: authentication 'mutualTLS' is not supported; skipped "
        "(known: basic, digest, bearer, apiKey, oauth2 and openIdConnect)",
        "#/paths/~10/get/security: no credentials are sent, as tls is not supported",
    ]


def test_schemes_of_one_requirement(tmp_path: Path) -> None:
    found, _ = consumers(tmp_path, [{"key": [], "user": [], "seal": []}])
    consumer = found["o0"]
    assert consumer["authentication"] == {"type": "bearer", "token": "{{env.BILL_TOKEN}}"}
    assert consumer["inputParameters"] == [
        {"name": "k", "in": "query", "value": "{{env.BILL_KEY}}"},
        {"name": "X-Seal", "in": "header", "value": "{{env.BILL_SEAL}}"},
    ]


def test_a_scheme_has_one_secret(tmp_path: Path) -> None:
    found, _ = consumers(tmp_path, [{"user": []}], [{"user": []}], [{"user": [], "seal": []}], [{"root": []}], [])
    namespaces = [found[name]["namespace"] for name in sorted(found)]
    assert namespaces == ["bill", "bill", "bill-user-seal", "bill-root", "bill-public"]
    assert found["o0"]["authentication"] == found["o2"]["authentication"]
    assert found["o3"]["authentication"]["username"] == "{{env.BILL_ROOT_USERNAME}}"


def preferring(folder: Path, *preferred: str) -> list[str | None]:
    """Return the credentials of three operations if these schemes are preferred."""
    both: list[dict[str, list[str]]] = [{"user": []}, {"root": []}]
    found, _ = consumers(folder, both, [{"user": []}], [*both, {"root": [], "key": []}, {}], security=preferred)
    return types_of(found)


@pytest.mark.parametrize(
    ("preferred", "expected"),
    [
        ([], ["bearer", "bearer", "bearer"]),
        (["root"], ["basic", "bearer", "basic"]),
        (["key"], ["bearer", "bearer", "basic"]),
        (["none"], ["bearer", "bearer", None]),
        (["none", "root"], ["basic", "bearer", None]),
        (["root", "none"], ["basic", "bearer", "basic"]),
    ],
)
def test_a_preferred_scheme_is_chosen(preferred: list[str], expected: list[str | None], tmp_path: Path) -> None:
    assert preferring(tmp_path, *preferred) == expected


def test_preferred_schemes_are_sent_together(tmp_path: Path) -> None:
    accepted: list[dict[str, list[str]]] = [{"root": []}, {"root": [], "key": []}]
    found, _ = consumers(tmp_path, accepted, security=["root", "key"])
    assert [item["name"] for item in found["o0"]["inputParameters"]] == ["k"]


@pytest.mark.parametrize(
    ("preferred", "message"),
    [
        ("boss", "unknown security scheme 'boss' (known: user, root, key, seal, none)"),
        ("tls", "security scheme 'tls' is not supported (known: user, root, key, seal, none)"),
    ],
)
def test_a_preferred_scheme_must_be_supported(preferred: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ProblemsError) as caught:
        consumers(tmp_path, [{"user": []}], security=[preferred])
    assert str(caught.value) == f"{tmp_path / 'api.json'}: {message}"
