"""Steps: calls, lookups, mappings, concurrency and failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import (
    ArgumentError,
    Host,
    Operation,
    OperationError,
    Problem,
    ProblemsError,
    Result,
    Settings,
    UnavailableError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamUnreachableError,
)
from adapter_host.testing import FakeConsumer, Running, running
from tests.support.adapters import document, plain, plain_plugins

SHIPS = [{"imo": "1", "name": "Star", "crew": [7, 9]}, {"imo": 2, "name": "Dawn"}]
CREW = [{"id": 9, "name": "Aiko", "role": "cook"}, {"id": "7", "name": "Erik"}, {"name": "Nobody"}, "x", {"id": None}]


def takes(*names: str, **more: Any) -> dict[str, Any]:
    """Return a consumed operation with optional inputs of these names."""
    return {"inputParameters": [{"name": name, "in": "query"} for name in names], **more}


def api(**operations: dict[str, Any]) -> dict[str, Any]:
    specs = [{"name": name, **spec} for name, spec in operations.items()]
    return {"type": "fake", "namespace": "api", "operations": specs}


API = api(
    ship={"inputParameters": [{"name": "imo", "in": "path", "type": "string", "required": True}]},
    ships=takes("status", "limit"),
    crew=takes("ids", "note"),
    book=takes("seat", "ship", method="POST"),
    cancel=takes("seat", method="DELETE"),
)


def call(name: str, operation: str | None = None, **with_: Any) -> dict[str, Any]:
    return {"name": name, "type": "call", "call": f"api.{operation or name}", **({"with": with_} if with_ else {})}


def lookup(name: str, index: str, value: Any, *fields: str, match: str = "id") -> dict[str, Any]:
    return {
        "name": name,
        "type": "lookup",
        "index": index,
        "match": match,
        "lookupValue": value,
        "outputParameters": list(fields) or ["name"],
    }


def mapped(**values: Any) -> list[dict[str, Any]]:
    return [{"targetName": name.replace("__", "."), "value": value} for name, value in values.items()]


def host(*steps: dict[str, Any], consumes: dict[str, Any] = API, **operation: Any) -> Host:
    exposed = plain({"name": "go", "steps": list(steps), **operation})
    settings = Settings(environment={"VAR": "v"})
    return Host(document(exposed, consumes=[consumes]), plugins=plain_plugins(), settings=settings)


def operation_of(built: Host) -> Operation:
    (operation,) = built.status()[0].exposer.operations.values()
    return operation


@asynccontextmanager
async def started(built: Host, **responses: Any) -> AsyncIterator[FakeConsumer]:
    """Start a host whose consumed operations return these results (data, a Result or an exception)."""
    fake = Running(built).fake("api")
    for name, response in responses.items():
        fake.responses[name] = giving(response)
    await built.start(listen=False)
    try:
        yield fake
    finally:
        await built.stop()


def giving(response: Any) -> Any:
    def give(arguments: dict[str, Any]) -> Any:
        if isinstance(response, Exception):
            raise response
        return response

    return response if callable(response) else give


async def result_of(built: Host, arguments: dict[str, Any] | None = None, **responses: Any) -> Any:
    async with started(built, **responses):
        return (await built.call("front.go", arguments or {})).data


async def sent(built: Host, arguments: dict[str, Any] | None = None, **responses: Any) -> list[Any]:
    async with started(built, **responses) as fake:
        await built.call("front.go", arguments or {})
        return fake.calls


def problems(*steps: dict[str, Any], **operation: Any) -> list[Problem]:
    with pytest.raises(ProblemsError) as caught:
        host(*steps, **operation)
    return [problem for problem in caught.value.problems if not problem.warning]


async def test_step_uses_the_result_of_an_earlier_step() -> None:
    built = host(call("ship", imo="{{imo}}"), call("crew", ids="$.ship.crew", note="{{ship.name}} of {{imo}}"))
    assert await sent(built, {"imo": "1"}, ship=SHIPS[0]) == [
        ("ship", {"imo": "1"}),
        ("crew", {"ids": [7, 9], "note": "Star of 1"}),
    ]


@pytest.mark.parametrize(
    ("value", "sent_value"),
    [
        ("$.ships[0].name", "Star"),
        ("$.ships[*].name", ["Star", "Dawn"]),
        ("$.ships[?(@.imo == 2)].name", ["Dawn"]),
        ("$['ships'][1]['imo']", 2),
        ("$.ships.length()", 2),
        ("$.ships", SHIPS),
        ("$.ships[0].crew[-1]", 9),
        ("{{ships.0.crew.1}}", 9),
        ("{{ships}}", SHIPS),
        ("{{$.ships[0].name}}", "Star"),
        ("{{ships.0.name}}/{{ships.1.name}}", "Star/Dawn"),
        ("{{ships.0.crew}}!", "[7,9]!"),
        ("{{ships.0.none}}!", "!"),
        ("front.word", "w"),
        ("tools.word", "w"),
        ("{{word}}-{{VAR}}", "w-v"),
        ("VAR", "VAR"),
        (5, 5),
        ([{"a": "b"}], [{"a": "b"}]),
    ],
)
async def test_with_values_of_a_step(value: Any, sent_value: Any) -> None:
    declared = [{"name": "word", "type": "string"}]
    built = host(call("ships"), call("crew", note=value), inputParameters=declared)
    calls = await sent(built, {"word": "w"}, ships=SHIPS)
    assert calls[-1] == ("crew", {"note": sent_value})


@pytest.mark.parametrize(
    "value", ["$.ships[5].name", "$.ships[1].crew", "{{ships.0.none}}", "$.ships[0].nothing.at.all"]
)
async def test_missing_values_are_not_sent(value: str) -> None:
    built = host(call("ships"), call("crew", note=value), inputParameters=[{"name": "word"}])
    ships = [{"nothing": None}, SHIPS[1]]
    assert (await sent(built, {}, ships=ships))[-1] == ("crew", {})


@pytest.mark.parametrize("result", [None, [], "text", 5, {"imo": None}])
async def test_step_results_of_any_json_type(result: Any) -> None:
    built = host(
        call("ship", imo="1"),
        lookup("found", "ship", "$.ship.crew"),
        lookup("each", "$.ship.crew", [1, 2]),
        mappings=mapped(imo="$.ship.imo", found="$.found.name", each="$.each"),
    )
    assert await result_of(built, ship=result) == {"each": []}


async def test_empty_step_response() -> None:
    built = host(call("ship", imo="1"), call("crew", ids="$.ship.crew"))
    assert await sent(built, ship=Result(status=204, body=b"")) == [("ship", {"imo": "1"}), ("crew", {})]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (9, {"name": "Aiko", "role": "cook"}),
        ("9", {"name": "Aiko", "role": "cook"}),
        ("$.ships[0].crew[0]", {"name": "Erik", "role": None}),
        ("{{id}}", {"name": "Aiko", "role": "cook"}),
        ("$.ships[0].crew", [{"name": "Erik", "role": None}, {"name": "Aiko", "role": "cook"}]),
        ([9, 8, 9], [{"name": "Aiko", "role": "cook"}] * 2),
        ([8], []),
        (8, None),
        ("", None),
        ("$.ships[1].crew", None),
    ],
)
async def test_lookup_values(value: Any, expected: Any) -> None:
    built = host(
        call("ships"),
        call("crew"),
        lookup("found", "crew", value, "name", "role"),
        inputParameters=[{"name": "id"}],
        outputParameters=[{"name": "found"}],
        mappings=mapped(found="$.found"),
    )
    assert await result_of(built, {"id": "9"}, ships=SHIPS, crew=CREW) == {"found": expected}


async def test_lookup_index_may_be_an_object_or_a_path() -> None:
    one = host(call("crew"), lookup("found", "crew", "7"))
    assert await result_of(one, crew={"id": 7, "name": "Erik"}) == {"name": "Erik"}
    part = host(call("crew"), lookup("found", "$.crew.people", "7"))
    assert await result_of(part, crew={"people": CREW}) == {"name": "Erik"}


NESTED = [{"id": 1, "of": {"id": 7, "name": "Erik", "@rank": 3}}, {"of": None}, {"of.id": 9, "of.name": "Aiko"}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", {"id": 1, "of": {"name": "Erik", "none": None}}),
        (9, {"id": None, "of.name": "Aiko", "of": {"none": None}}),
        (1, None),
    ],
)
@pytest.mark.parametrize("index", ["crew", "crew.all.people", "$.crew.all.people"])
async def test_nested_fields_of_lookups(index: str, value: Any, expected: Any) -> None:
    found = lookup("found", index, value, "id", "of.name", "of.none", match="of.id")
    data = NESTED if index == "crew" else {"all": {"people": NESTED}}
    assert await result_of(host(call("crew"), found), crew=data) == expected


async def test_nested_fields_of_a_lookup_are_used_by_later_steps() -> None:
    found = lookup("found", "crew", [9, 7], "of.name", match="of.id")
    built = host(call("crew"), found, call("ships", status="{{found.1.of.name}}", limit="$.found[1].of.name"))
    assert (await sent(built, crew=NESTED))[1] == ("ships", {"status": "Erik", "limit": "Erik"})


@pytest.mark.parametrize("name", ["@rank", "xml:lang", "a, b", "$ref", "_x", "a-b"])
async def test_names_of_fields_in_tags(name: str) -> None:
    note = f"{{{{ship.{name}}}}} {{{{ship.in.{name}}}}} {{{{ship.all.0.{name}}}}}"
    built = host(call("ship", imo="1"), call("crew", ids=f"{{{{ship.in.{name}}}}}", note=note))
    ship = {name: 1, "in": {name: 2}, "all": [{name: 3}]}
    assert (await sent(built, ship=ship))[1] == ("crew", {"ids": 2, "note": "1 2 3"})


async def test_fields_of_a_declared_object_have_their_own_mappings() -> None:
    field = {"type": "integer", "mapping": "$.in.v"}
    outputs = [
        {"name": "top", **field},
        {
            "name": "o",
            "type": "object",
            "properties": {"v": field, "p": {"type": "object", "properties": {"v": field}}},
        },
        {"name": "in", "type": "object", "properties": {"v": {"type": "integer"}}},
        {"name": "none", "type": "object", "properties": {"v": {"type": "integer"}}},
    ]
    built = host(call("ship", imo="1"), outputParameters=outputs)
    expected = {"top": 5, "o": {"v": 5, "p": {"v": 5}}, "in": {"v": 5}, "none": None}
    assert await result_of(built, ship={"in": {"v": 5}}) == expected


async def test_lookup_returns_the_first_match() -> None:
    twice = [{"id": 1, "name": "first"}, {"id": 1, "name": "second"}]
    for value, result in ((1, {"name": "first"}), ([1], [{"name": "first"}])):
        assert await result_of(host(call("crew"), lookup("found", "crew", value)), crew=twice) == result


async def test_lookup_result_is_used_by_later_steps() -> None:
    built = host(call("crew"), lookup("found", "crew", 9), call("ships", status="{{found.name}}"))
    assert (await sent(built, crew=CREW))[-1] == ("ships", {"status": "Aiko"})


async def test_nested_mappings() -> None:
    built = host(
        call("ships"),
        mappings=mapped(first__name="$.ships[0].name", first__of="{{count}} ships", n=2, names="$.ships[*].name"),
    )
    assert await result_of(built, {"count": 2}, ships=SHIPS) == {
        "first": {"name": "Star", "of": "2 ships"},
        "n": 2,
        "names": ["Star", "Dawn"],
    }


async def test_last_mapping_with_a_value_wins() -> None:
    twice = [*mapped(name="$.ships[0].name"), *mapped(name="$.ships[0].nickname")]
    built = host(call("ships"), mappings=twice)
    assert await result_of(built, ships=SHIPS) == {"name": "Star"}
    assert await result_of(host(call("ships"), mappings=twice), ships=[{"name": "a", "nickname": "b"}]) == {"name": "b"}


async def test_declared_outputs_are_coerced_and_always_present() -> None:
    built = host(
        call("ships"),
        mappings=mapped(imo="$.ships[1].imo", crew="$.ships", at__port="$.ships[0].name", at__more=1, extra="5"),
        outputParameters=[
            {"name": "imo", "type": "string", "description": "Its number"},
            {"name": "missing", "type": "number"},
            {"name": "at", "type": "object", "properties": {"port": {"name": "port", "type": "string"}}},
            {
                "name": "crew",
                "type": "array",
                "items": [{"name": "imo", "type": "number"}, {"name": "name", "type": "string"}],
            },
            {"name": "kind", "type": "string", "value": "list"},
        ],
    )
    assert await result_of(built, ships=SHIPS) == {
        "imo": "2",
        "missing": None,
        "at": {"port": "Star", "more": 1},
        "crew": [{"imo": 1, "name": "Star"}, {"imo": 2, "name": "Dawn"}],
        "kind": "list",
        "extra": "5",
    }
    assert operation_of(built).output_schema == {
        "type": "object",
        "properties": {
            "imo": {"type": ["string", "null"], "description": "Its number"},
            "missing": {"type": ["number", "null"]},
            "at": {"type": ["object", "null"], "properties": {"port": {"type": ["string", "null"]}}},
            "crew": {
                "type": ["array", "null"],
                "items": {
                    "type": ["object", "null"],
                    "properties": {"imo": {"type": ["number", "null"]}, "name": {"type": ["string", "null"]}},
                },
            },
            "kind": {"type": ["string", "null"]},
        },
    }


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ({"type": "string"}, ["1", "2"]),
        ([{"name": "imo", "type": "string"}], ["1", "2"]),
        ([{"type": "string"}], ["1", "2"]),
    ],
)
async def test_arrays_of_scalars(items: Any, expected: Any) -> None:
    outputs = [{"name": "imos", "type": "array", "items": items}]
    built = host(call("ships"), mappings=mapped(imos="$.ships[*].imo"), outputParameters=outputs)
    assert await result_of(built, ships=SHIPS) == {"imos": expected}


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([], SHIPS[1]),
        ([{"type": "object", "mapping": "$."}], SHIPS[1]),
        ([{"name": "all", "type": "object", "mapping": "$."}], SHIPS[1]),
        ([{"type": "object", "properties": {"n": {"type": "string", "mapping": "$.imo"}}}], {"n": "2"}),
        ([{"name": "imo", "type": "string"}, {"name": "none", "type": "string"}], {"imo": "2", "none": None}),
        ([{"name": "title", "type": "string", "mapping": "$.name"}], {"title": "Dawn"}),
    ],
)
async def test_last_step_result_is_returned_without_mappings(outputs: list[Any], expected: Any) -> None:
    built = host(call("ships"), call("ship", imo="2"), outputParameters=outputs)
    assert await result_of(built, ships=SHIPS, ship=SHIPS[1]) == expected


async def test_last_response_is_returned_unchanged() -> None:
    built = host(call("ships"), call("ship", imo="2"))
    async with started(built, ship=Result(status=201, body=b"<a/>", media_type="application/xml")):
        result = await built.call("front.go")
    assert (result.status, result.body, result.media_type) == (201, b"<a/>", "application/xml")


async def test_mapped_result_has_its_own_status() -> None:
    built = host(call("book", seat="1"), mappings=mapped(seat="$.book.seat"))
    async with started(built, book=Result(status=201, data={"seat": "1"})):
        result = await built.call("front.go")
    assert (result.status, result.data) == (200, {"seat": "1"})


async def test_values_of_steps_within_lists_and_mappings() -> None:
    built = host(
        call("ships"),
        call("crew", ids={"of": ["$.ships[0].imo", "{{wanted}}"], "none": "$.ships[9]"}),
        lookup("found", "ships", ["{{wanted}}", "2"], "name", match="imo"),
        mappings=mapped(all={"names": ["$.found[0].name", "{{found.1.name}}"], "fixed": 1}),
    )
    assert {item.name for item in operation_of(built).inputs} == {"status", "limit", "note", "wanted"}
    async with started(built, ships=SHIPS) as fake:
        result = await built.call("front.go", {"wanted": "1"})
        assert ("crew", {"ids": {"of": ["1", "1"]}}) in fake.calls
    assert result.data == {"all": {"names": ["Star", "Dawn"], "fixed": 1}}


def test_inputs_default_to_those_the_steps_use() -> None:
    built = host(
        call("ship"),
        call("ships", status="{{state}}", limit="$.ship.limit"),
        lookup("found", "ships", "{{wanted}}"),
        mappings=mapped(note="{{note}}"),
    )
    inputs = {item.name: item for item in operation_of(built).inputs}
    assert list(inputs) == ["imo", "state", "note", "wanted"]
    assert (inputs["imo"].type, inputs["imo"].required) == ("string", True)
    assert not inputs["state"].required


def test_declared_inputs_exclude_optional_target_inputs() -> None:
    built = host(call("ship"), call("ships"), inputParameters=[{"name": "LIMIT", "type": "integer"}])
    inputs = {item.name: item for item in operation_of(built).inputs}
    assert set(inputs) == {"imo", "LIMIT"}


async def test_declared_constant_in_steps() -> None:
    declared = [{"name": "limit", "value": 3}]
    built = host(
        call("ships"),
        call("crew", ids="{{limit}}", note="{{limit}} {{x}}"),
        inputParameters=declared,
        mappings=mapped(limit="front.limit"),
    )
    async with started(built) as fake:
        result = await built.call("front.go", {"x": "x"})
        assert fake.calls == [("ships", {"limit": 3}), ("crew", {"ids": 3, "note": "3 x"})]
    assert result.data == {"limit": 3}


async def test_operation_with_is_visible_in_steps() -> None:
    values = {"imo": "front.number", "limit": 3, "word": "{{number}}-{{VAR}}", "none": "{{left_out}}"}
    built = host(
        call("ship"),
        call("ships", status="{{imo}}"),
        call("crew", ids="front.word", note="{{none}}"),
        mappings=mapped(text="{{limit}} {{word}}"),
        **{"with": values},
    )
    assert {item.name for item in operation_of(built).inputs} == {"number", "left_out"}
    async with started(built) as fake:
        result = await built.call("front.go", {"number": "1"})
        assert sorted(fake.calls, key=str) == [
            ("crew", {"ids": "1-v"}),
            ("ship", {"imo": "1"}),
            ("ships", {"status": "1", "limit": 3}),
        ]
    assert result.data == {"text": "3 1-v"}
    preview = operation_of(built).preview({"number": "1"})["steps"]
    assert [step["arguments"] for step in preview] == [{"imo": "1"}, {"status": "1", "limit": 3}, {"ids": "1-{{VAR}}"}]


def test_warning_for_an_unmapped_output() -> None:
    outputs = [{"name": "a"}, {"name": "b"}, {"name": "c", "const": 1}, {"name": "d", "mapping": "$.a"}]
    built = host(call("ships"), mappings=mapped(a__x="$.ships"), outputParameters=outputs)
    (warning,) = built.warnings
    assert (warning.code, "outputParameters.1.name: output 'b' " in warning.message) == ("unmapped-output", True)


def test_warning_for_an_unused_input() -> None:
    built = host(call("ships", status="{{used}}"), inputParameters=[{"name": "used"}, {"name": "idle"}])
    (warning,) = built.warnings
    assert (warning.code, "inputParameters.1.name: input 'idle' " in warning.message) == ("idle-input", True)


async def test_consumed_outputs_shape_a_step_result() -> None:
    outputs = [{"name": "number", "type": "string", "value": "$.imo"}, {"name": "all", "type": "object", "value": "$."}]
    consumed = api(ship={"outputParameters": outputs}, ships={"outputParameters": outputs})
    built = host(call("ship"), call("ships"), mappings=mapped(one="$.ship", each="$.ships"), consumes=consumed)
    assert await result_of(built, ship={"imo": 5, "x": 1}, ships=[{"imo": 6, "x": 2}, "text"]) == {
        "one": {"number": "5"},
        "each": [{"imo": 6, "x": 2, "number": "6"}, "text"],
    }


async def test_consumed_outputs_without_mappings_change_nothing() -> None:
    outputs = [{"name": "result", "type": "object", "value": "$."}]
    built = host(call("ship"), mappings=mapped(x="$.ship.x"), consumes=api(ship={"outputParameters": outputs}))
    assert await result_of(built, ship={"x": 1}) == {"x": 1}


async def test_independent_steps_run_concurrently() -> None:
    built = host(call("ships"), call("crew"), lookup("found", "crew", "$.ships.id"), mappings=mapped(f="$.found.name"))
    async with started(built) as fake:
        ships, crew = fake.hold("ships"), fake.hold("crew")
        running_call = asyncio.create_task(built.call("front.go"))
        async with asyncio.timeout(5):
            await ships.entered.wait()
            await crew.entered.wait()
            crew.release.set()
            ships.release.set()
            assert (await running_call).data == {}


async def test_step_waits_only_for_its_dependencies() -> None:
    built = host(call("ships"), call("ship", imo="1"), call("crew", ids="$.ship.crew"))
    async with started(built) as fake:
        ships, crew = fake.hold("ships"), fake.hold("crew")
        running_call = asyncio.create_task(built.call("front.go"))
        async with asyncio.timeout(5):
            await ships.entered.wait()
            await crew.entered.wait()
            crew.release.set()
            ships.release.set()
            await running_call


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_writes_keep_their_order(method: str) -> None:
    consumed = api(ships={}, book={"method": method}, crew={})
    built = host(call("ships"), call("book"), call("crew"), consumes=consumed)
    async with started(built) as fake:
        ships, book = fake.hold("ships"), fake.hold("book")
        running_call = asyncio.create_task(built.call("front.go"))
        async with asyncio.timeout(5):
            await ships.entered.wait()
            assert [name for name, _ in fake.calls] == ["ships"]
            ships.release.set()
            await book.entered.wait()
            assert [name for name, _ in fake.calls] == ["ships", "book"]
            book.release.set()
            await running_call
            assert [name for name, _ in fake.calls] == ["ships", "book", "crew"]


async def test_failure_cancels_concurrent_steps() -> None:
    built = host(call("ships"), call("crew"), call("ship", imo="$.crew.x"))
    async with started(built, crew=UpstreamStatusError(503, b"{}", "application/json")) as fake:
        ships = fake.hold("ships")
        async with asyncio.timeout(5):
            with pytest.raises(UpstreamStatusError) as caught:
                await built.call("front.go")
            await ships.cancelled.wait()
        assert (caught.value.step, caught.value.upstream_status, caught.value.body) == ("crew", 503, b"{}")
        assert [name for name, _ in fake.calls] == ["ships", "crew"]


async def test_cancelled_call_cancels_all_steps() -> None:
    built = host(call("ships"), call("crew"))
    async with started(built) as fake:
        ships, crew = fake.hold("ships"), fake.hold("crew")
        running_call = asyncio.create_task(built.call("front.go"))
        async with asyncio.timeout(5):
            await ships.entered.wait()
            await crew.entered.wait()
            running_call.cancel()
            await ships.cancelled.wait()
            await crew.cancelled.wait()
            with pytest.raises(asyncio.CancelledError):
                await running_call


@pytest.mark.parametrize("beside", [(), (call("crew"),)], ids=["alone", "beside another"])
@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (UpstreamStatusError(404, b"no", "text/plain"), "step 'ships': the upstream returned 404"),
        (Result(status=404, body=b"no", media_type="text/plain"), "step 'ships': the upstream returned 404"),
        (
            UpstreamUnreachableError("the upstream 'api' cannot be reached"),
            "step 'ships': the upstream 'api' cannot be reached; the request was not sent",
        ),
        (UnavailableError("busy", retry_after=3), "step 'ships': busy"),
        (ArgumentError("limit", "'limit' is too much"), "step 'ships': 'limit' is too much"),
        (
            Result(body=b"{", media_type="application/json"),
            "step 'ships': the upstream response is not in the declared format",
        ),
    ],
)
async def test_failure_names_its_step(failure: Any, message: str, beside: tuple[Any, ...]) -> None:
    built = host(call("ships"), *beside, mappings=mapped(x="$.ships.x"))
    kind = UpstreamInvalidError if isinstance(failure, Result) and failure.status == 200 else UpstreamStatusError
    async with started(built, ships=failure):
        with pytest.raises(type(failure) if isinstance(failure, Exception) else kind) as caught:
            await built.call("front.go")
    error = caught.value
    assert isinstance(error, OperationError)
    assert (error.step, error.message, str(error)) == ("ships", message, message)
    if isinstance(error, UpstreamStatusError):
        assert (error.upstream_status, error.body, error.media_type) == (404, b"no", "text/plain")
    if isinstance(error, UnavailableError):
        assert error.retry_after == 3
    if isinstance(failure, Exception):
        assert not hasattr(failure, "__notes__")
        assert failure.step is None  # type: ignore[attr-defined]


async def test_unexpected_exception_is_not_wrapped() -> None:
    async with started(built := host(call("ships"), call("crew")), crew=RuntimeError("own mistake")):
        with pytest.raises(RuntimeError, match="own mistake"):
            await built.call("front.go")


async def test_invalid_value_from_a_step_is_an_upstream_error() -> None:
    built = host(call("ships"), call("ship", imo="$.ships.imo"))
    async with started(built, ship=ArgumentError("imo", "'imo' is required")):
        with pytest.raises(UpstreamInvalidError) as caught:
            await built.call("front.go")
    assert (caught.value.step, "'imo' is required" in caught.value.message) == ("ship", True)
    built = host(call("ships"), call("ship", imo="{{imo}}"))
    async with started(built, ship=ArgumentError("imo", "'imo' climbs")):
        with pytest.raises(ArgumentError):
            await built.call("front.go", {"imo": ".."})


async def test_failed_step_over_rest() -> None:
    operation = {"method": "GET", "name": "go", "steps": [call("ships"), call("ship", imo="1")]}
    rest = {"type": "rest", "namespace": "front", "port": 0, "resources": [{"path": "/go", "operations": [operation]}]}
    async with running(document(rest, consumes=[API])) as served, aiohttp.ClientSession() as session:
        fake = served.fake("api")
        fake.responses["ship"] = giving(UpstreamStatusError(404, b'{"error":"none"}', "application/json"))
        async with session.get(f"{served.url('front')}/go") as response:
            assert (response.status, await response.json()) == (404, {"error": "none"})
            assert response.headers["X-Failed-Step"] == "ship"
        fake.responses["ship"] = giving(UpstreamUnreachableError("the upstream 'api' cannot be reached"))
        async with session.get(f"{served.url('front')}/go") as response:
            expected = await response.json()
        assert (response.status, expected["step"]) == (502, "ship")
        assert expected["detail"] == "step 'ship': the upstream 'api' cannot be reached; the request was not sent"
        fake.responses["ship"] = giving({"imo": "1"})
        async with session.get(f"{served.url('front')}/go") as response:
            assert (await response.json(), "X-Failed-Step" in response.headers) == ({"imo": "1"}, False)


def test_preview_of_steps() -> None:
    built = host(
        call("ships", status="{{status}}", limit="{{VAR}}"),
        lookup("found", "ships", 1),
        call("ship", imo="$.found.imo"),
        call("book", seat="1"),
        call("crew"),
        inputParameters=[{"name": "status"}],
    )
    operation = operation_of(built)
    assert [target.name for target in operation.upstream] == ["ships", "ship", "book", "crew"]
    assert operation.preview({"status": "active"}) == {
        "steps": [
            {"step": "ships", "operation": "api.ships", "arguments": {"status": "active", "limit": "{{VAR}}"}},
            {"step": "ship", "operation": "api.ship", "waits_for": ["found"]},
            {"step": "book", "operation": "api.book", "arguments": {"seat": "1"}},
            {"step": "crew", "operation": "api.crew", "arguments": {}},
        ]
    }
    with pytest.raises(ArgumentError):
        operation.preview({"other": 1})


@pytest.mark.parametrize(
    ("steps", "operation", "codes"),
    [
        (
            (call("ships", status="$.ships.x"), call("ships", limit="$.crew.n"), call("crew")),
            {},
            ["unknown-step", "duplicate-step", "unknown-step"],
        ),
        ((call("ships"), call("crew", note="{{shps.x}} {{$.}}")), {}, ["template", "step-path"]),
        ((call("ships"), lookup("found", "shps", "$.ships[")), {}, ["unknown-step", "jsonpath"]),
        ((call("ships"),), {"mappings": mapped(a="$.ships", a__b="$.none")}, ["mapping-target", "unknown-step"]),
        ((call("ships"),), {"call": "api.ships"}, ["modes"]),
        (({"name": "s", "type": "script", "file": "s.py"},), {}, ["unknown-type"]),
    ],
    ids=["order", "templates", "lookup", "mappings", "modes", "type"],
)
def test_invalid_steps(
    steps: tuple[dict[str, Any], ...], operation: dict[str, Any], codes: list[str], snapshot: SnapshotAssertion
) -> None:
    found = problems(*steps, **operation)
    assert [problem.code for problem in found] == codes
    assert [problem.message for problem in found] == snapshot


def test_step_type_is_inferred_from_its_keys() -> None:
    steps = [
        {key: value for key, value in step.items() if key != "type"}
        for step in (call("ships"), lookup("f", "ships", 1))
    ]
    assert operation_of(host(*steps)).upstream[0].name == "ships"


async def test_a_null_in_with_leaves_the_input_out() -> None:
    built = host(call("crew", ids="{{ids}}", note="{{note}}"), **{"with": {"ids": None, "note": "x"}})
    assert await sent(built) == [("crew", {"note": "x"})]


async def test_a_null_of_a_step_leaves_the_input_out() -> None:
    built = host(call("ship", imo="1"), call("crew", ids="$.ship.captain", note="$.ship.name"))
    found = await sent(built, ship={"name": "Star", "captain": None})
    assert found[-1] == ("crew", {"note": "Star"})
