"""Tests of the key `x-resilience` in documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from adapter_host import ConsumedOperation, Host, Problem, ProblemsError, Settings
from adapter_host.testing import running

from .conftest import Api, Client, document, plugins

URL = "http://127.0.0.1:1"


def problems(capability: Mapping[str, Any] | Path) -> Sequence[Problem]:
    with pytest.raises(ProblemsError) as caught:
        Host(capability, plugins=plugins(), settings=Settings(environment={}))
    return caught.value.problems


@pytest.mark.parametrize(
    ("policy", "keys"),
    [
        ({"retyr": {}}, ".retyr"),
        ({"retry": {"max": 3}}, ".retry.max"),
        ({"idempotent": True}, ".idempotent"),
        ({"retry": {"attempts": "many"}}, ".retry.attempts"),
        ({"retry": {"attempts": 0}}, ".retry.attempts"),
        ({"retry": {"attempts": 21}}, ".retry.attempts"),
        ({"retry": 3}, ".retry"),
        ({"breaker": {"openFor": 0}}, ".breaker.openFor"),
        ({"rate": {"per": 60}}, ".rate"),
        ({"concurrency": None}, ".concurrency"),
        ({"deadline": "soon"}, ".deadline"),
        ([], ""),
    ],
    ids=str,
)
def test_invalid_policies(policy: Any, keys: str, snapshot: SnapshotAssertion) -> None:
    (problem,) = problems(document(URL, policy))
    path, _, message = problem.message.partition(": ")
    assert path == f"capability.consumes.0.x-resilience{keys}"
    assert message == snapshot


def test_all_problems_are_reported_with_positions(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    capability = document(
        URL,
        {"breaker": {"failures": "x"}},
        operations={"read": {"breaker": {}}, "other": {"rate": {"calls": 0}}},
        exposed={"write": {"retry": {}}},
    )
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(capability, sort_keys=False))
    lines = file.read_text().splitlines()

    def position(text: str, section: str) -> tuple[int, int]:
        (number,) = [index for index, line in enumerate(lines) if line.strip() == text]
        return number + 1, lines[number].index(section) + 1

    found = problems(file)
    assert {problem.file for problem in found} == {str(file)}
    assert [(problem.line, problem.column) for problem in found] == [
        position("failures: x", "x"),
        position("breaker: {}", "breaker"),
        position("calls: 0", "0"),
        position("retry: {}", "retry"),
    ]
    assert [problem.message for problem in found] == snapshot


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("capability",),
        ("info",),
        ("capability", "exposes", 0),
        ("capability", "consumes", 0, "resources", 0),
        ("capability", "consumes", 0, "resources", 0, "operations", 0, "inputParameters", 0),
        ("capability", "exposes", 0, "operations", 0, "outputParameters", 0),
        ("capability", "aggregates", 0, "functions", 0),
    ],
)
def test_misplaced_key(path: tuple[Any, ...], snapshot: SnapshotAssertion) -> None:
    capability = document(URL)
    capability["info"] = {"label": "Test"}
    functions = [{"name": "read", "call": "things.read"}]
    capability["capability"]["aggregates"] = [{"namespace": "group", "label": "Group", "functions": functions}]
    capability["capability"]["consumes"][0]["resources"][0]["operations"][0]["inputParameters"] = [
        {"name": "q", "in": "query"}
    ]
    capability["capability"]["exposes"][0]["operations"][0]["outputParameters"] = [{"name": "ok", "value": "$.ok"}]
    section: Any = capability
    for key in path:
        section = section[key]
    section["x-resilience"] = {"retry": {}}
    (problem,) = problems(capability)
    location, _, message = problem.message.partition(": ")
    assert (location, problem.code) == (".".join(map(str, (*path, "x-resilience"))), "misplaced")
    assert message == snapshot(name="message")


def test_skip_invalid() -> None:
    capability = document(URL, exposed={"read": {"retry": {}}})
    host = Host(capability, plugins=plugins(), settings=Settings(skip_invalid=True, environment={}))
    exposed_operations = [operation.name for operation in host.plans[0].exposers[0].exposer.operations.values()]
    assert "read" not in exposed_operations
    assert "other" in exposed_operations


@pytest.mark.parametrize("policy", [None, {}, {"retry": None}, {"retry": {"attempts": 1}}])
async def test_calls_without_policy_are_not_wrapped(api: Api, policy: Any) -> None:
    async with running(document(api.url, policy), plugins=plugins()) as served:
        exposed_operations = served.host.plans[0].consumers[0].operations()
        wrapped = [a is not b for a, b in zip(served.host.plans[0].consumed, exposed_operations, strict=True)]
        assert any(wrapped) is (policy == {"retry": None})
        assert await Client(served)() == {"ok": True}


async def test_empty_keys_use_defaults(api: Api) -> None:
    async with running(document(api.url, {"retry": None, "breaker": None}), plugins=plugins()) as served:
        call = Client(served)
        api.fail(503)
        assert await call() == {"ok": True}


async def test_imported_apis_keep_their_policies(api: Api, tmp_path: Path) -> None:
    shared = document(api.url, {"retry": {"backoff": 0.001}})
    main = document(api.url)
    shared["consumes"] = shared.pop("capability")["consumes"]
    (tmp_path / "shared.yaml").write_text(yaml.safe_dump(shared))
    main["capability"]["consumes"] = [{"import": "things", "location": "./shared.yaml"}]
    (tmp_path / "main.yaml").write_text(yaml.safe_dump(main))
    async with running(tmp_path / "main.yaml", plugins=plugins()) as served:
        api.fail(503)
        assert await Client(served)() == {"ok": True}
        assert len(api.received) == 2


async def test_directly_called_consumed_operation_is_wrapped(api: Api) -> None:
    async with running(document(api.url, {"retry": {"backoff": 0.001}}), plugins=plugins()) as served:
        api.fail(503)
        assert (await served.host.call("things.read", {})).data == {"ok": True}


def test_wrapping_does_not_change_the_preview() -> None:
    def consumed(policy: Any) -> ConsumedOperation:
        host = Host(document(URL, policy), plugins=plugins(), settings=Settings(environment={}))
        return host.plans[0].consumed[0]

    plain, wrapped = consumed(None), consumed({"retry": {}, "breaker": {}})
    assert wrapped.names == plain.names
    assert wrapped.describe() == plain.describe()
    assert wrapped.preview({}) == plain.preview({})
