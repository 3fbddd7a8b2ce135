"""Tests of the key `x-resilience` in documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import ConsumedOperation, Host, ProblemsError, Settings
from adapter_host.testing import running

from .conftest import Api, Client, document, plugins

URL = "http://127.0.0.1:1"


def problems(capability: Mapping[str, Any] | Path, **settings: Any) -> list[str]:
    try:
        host = Host(capability, plugins=plugins(), settings=Settings(environment={}, **settings))
    except ProblemsError as error:
        return [str(problem).removeprefix("<capability>: ") for problem in error.problems]
    return [str(problem) for problem in host.warnings]


API = "capability.consumes.0.x-resilience"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"retyr": {}}, f"{API}.retyr: unknown key 'retyr'; did you mean 'retry'?"),
        ({"retry": {"max": 3}}, f"{API}.retry.max: unknown key 'max' (known: attempts, backoff and maxBackoff)"),
        (
            {"idempotent": True},
            f"{API}.idempotent: unknown key 'idempotent' (known: deadline, rate, concurrency, retry and breaker)",
        ),
        ({"retry": {"attempts": "many"}}, f"{API}.retry.attempts: 'attempts' must be a whole number (given 'many')"),
        ({"retry": {"attempts": 0}}, f"{API}.retry.attempts: 'attempts' must be at least 1 (given 0)"),
        ({"retry": {"attempts": 21}}, f"{API}.retry.attempts: 'attempts' must be at most 20 (given 21)"),
        ({"retry": 3}, f"{API}.retry: 'retry' must be a mapping (given 3)"),
        ({"breaker": {"openFor": 0}}, f"{API}.breaker.openFor: 'openFor' must be more than 0 (given 0)"),
        ({"rate": {"per": 60}}, f"{API}.rate: 'calls' is missing"),
        ({"concurrency": None}, f"{API}.concurrency: 'calls' is missing"),
        ({"deadline": "soon"}, f"{API}.deadline: 'deadline' must be a number (given 'soon')"),
        ([], f"{API}: 'x-resilience' must be a mapping (given a list)"),
    ],
)
def test_invalid_policies(policy: Any, expected: str) -> None:
    assert problems(document(URL, policy)) == [expected]


def test_all_problems_are_reported_with_positions(tmp_path: Path) -> None:
    capability = document(
        URL,
        {"breaker": {"failures": "x"}},
        operations={"read": {"breaker": {}}, "other": {"rate": {"calls": 0}}},
        exposed={"write": {"retry": {}}},
    )
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(capability, sort_keys=False))
    lines = file.read_text().splitlines()

    def position(text: str, section: str) -> str:
        (number,) = [index for index, line in enumerate(lines) if line.strip() == text]
        return f"{file}:{number + 1}:{lines[number].index(section) + 1}: "

    assert problems(file) == [
        position("failures: x", "x") + "'failures' must be a whole number (given 'x')",
        position("breaker: {}", "breaker")
        + "unknown key 'breaker' (known: deadline, rate, concurrency, retry and idempotent)",
        position("calls: 0", "0") + "'calls' must be at least 1 (given 0)",
        position("retry: {}", "retry") + "unknown key 'retry' (known: deadline, rate and concurrency)",
    ]


SAYS_NOTHING = "'x-resilience' has no effect here; set it on a consumed API or on an operation"


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
def test_misplaced_key(path: tuple[Any, ...]) -> None:
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
    assert problems(capability) == [".".join(map(str, (*path, f"x-resilience: {SAYS_NOTHING}")))]


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
