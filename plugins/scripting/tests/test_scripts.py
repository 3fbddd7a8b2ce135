"""Tests of scripts as steps over REST and MCP."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from mcp import Client
from mcp_types import TextContent

from adapter_host import UnavailableError
from adapter_host_scripting.python_syntax import ALLOWED_MODULES

from .conftest import Serve, Write, call, get

ORDER = {"lines": [{"quantity": 2, "unit": 10.5}, {"quantity": 1, "unit": 4}], "note": "thé", "paid": None}
SUMS = {
    "javascript": """
        const order = context["get-order"];
        result = {
            total: order.lines.map(line => line.quantity * line.unit).reduce((a, b) => a + b, 0),
            note: order.note,
            given: context.given,
            a: context.a ?? "nothing",
        };
    """,
    "python": """
order = context["get-order"]
result = {
    "total": sum(line["quantity"] * line["unit"] for line in order["lines"]),
    "note": order["note"],
    "given": context["given"],
    "a": context.get("a", "nothing"),
}
""",
}
READ = {"type": "call", "name": "get-order", "call": "up.read"}

both = pytest.mark.parametrize("language", ["javascript", "python"])


@both
async def test_script_reads_inputs_steps_and_with(serve: Serve, write: Write, language: str) -> None:
    script = write(SUMS[language], language, "sum", **{"with": {"given": "{{b}}"}})
    put = {"type": "call", "name": "put", "call": "up.write", "with": {"total": "$.sum.total"}}
    async with serve(READ, script, put) as served:
        served.fake("up").responses["read"] = lambda arguments: ORDER
        assert await get(served, b="B") == (200, {"total": 25})
        assert served.fake("up").calls[-1] == ("write", {"total": 25})
        is_error, text = await call(served, a="x", b="B")
        assert not is_error
        assert text in ('{"total":25}', '{"total":25.0}')


@both
async def test_script_result_is_the_response(serve: Serve, write: Write, language: str) -> None:
    async with serve(READ, write(SUMS[language], language, **{"with": {"given": "front.b"}})) as served:
        served.fake("up").responses["read"] = lambda arguments: ORDER
        expected = {"total": 25, "note": "thé", "given": "B", "a": "nothing"}
        assert await get(served, b="B") == (200, expected)
        assert await get(served, b="B", a="1") == (200, {**expected, "a": "1"})


@both
async def test_dependencies_run_first_in_order(serve: Serve, write: Write, language: str) -> None:
    if language == "javascript":
        write("const base = 2;\nfunction twice(x) { return x * base; }", name="one")
        write("const four = twice(2);\nclass Box { value = four }", name="two")
        step = write("result = [base, four, twice(4), new Box().value]", dependencies=["one.js", "two.js"])
    else:
        write("base = 2\ndef twice(x):\n    return x * base", language, "one")
        write("four = twice(2)\nclass Box:\n    value = four", language, "two")
        step = write("result = [base, four, twice(4), Box.value]", language, dependencies=["one.py", "two.py"])
    async with serve(step) as served:
        assert await get(served) == (200, [2, 4, 8, 4])


NOTHING = {"javascript": ["", "result = null", "let a = 1"], "python": ["", "result = None", "a = 1"]}
RESULTS: dict[str, list[tuple[str, Any]]] = {
    "javascript": [
        ("let result = 0", 0),
        ("'use strict'; result = false", False),
        ("const result = ''", ""),
        ("result = {at: new Date(0), gone: undefined}", {"at": "1970-01-01T00:00:00.000Z"}),
    ],
    "python": [
        ("result = 0", 0),
        ("result = False", False),
        ("result: str = ''", ""),
        ("result = (1, {'a': [None]})", [1, {"a": [None]}]),
    ],
}
FAILURES = {
    "javascript": [
        ("let a;\nfunction fail() {\n  throw new TypeError('no such');\n}\nfail();", " line 3: TypeError: no such"),
        ("\nthrow 'a word'", ": Error: a word"),
        ("result = 1n", ": TypeError: BigInt are forbidden in JSON.stringify"),
        ("result = () => 1", ": TypeError: result is a function, which is not JSON"),
        ("result = (async () => 1)()", ": TypeError: result is a promise; promises are not awaited"),
        ("result = 1; for (let i = 0; i < 2000; i++) result = [result];", ": the result is not JSON: "),
    ],
    "python": [
        ("def fail():\n    return context['c']\n\nfail()", " line 2: KeyError: c"),
        ("\nraise ValueError('a word')", " line 2: ValueError: a word"),
        ("result = {1}", ": TypeError: Object of type set is not JSON serializable"),
        ("result = 1\nfor i in range(2000):\n    result = [result]", ""),
    ],
}


@both
async def test_script_without_result_is_204(serve_each: Serve, write: Write, language: str) -> None:
    steps = {f"s{index}": write(text, language, f"s{index}") for index, text in enumerate(NOTHING[language])}
    async with serve_each(steps) as served:
        for name in steps:
            result = await served.host.call(f"tools.{name}")
            assert (result.status, result.body, result.data) == (204, b"", None)


@both
async def test_results_can_be_any_json(serve_each: Serve, write: Write, language: str) -> None:
    steps = {f"s{index}": write(text, language, f"s{index}") for index, (text, _) in enumerate(RESULTS[language])}
    async with serve_each(steps) as served:
        results = [(await served.host.call(f"tools.{name}")).data for name in steps]
        assert results == [expected for _, expected in RESULTS[language]]


@both
async def test_error_names_step_script_and_line(serve_each: Serve, write: Write, language: str) -> None:
    steps = {f"s{index}": write(text, language, f"s{index}") for index, (text, _) in enumerate(FAILURES[language])}
    async with serve_each(steps) as served, Client(served.url("tools")) as client:
        for (name, step), (_, message) in zip(steps.items(), FAILURES[language], strict=True):
            result = await client.call_tool(name)
            (content,) = result.content
            assert isinstance(content, TextContent)
            assert result.is_error
            assert f"step '{name}': script '{step['file']}'{message}" in content.text
            assert "Traceback" not in content.text
            assert "/" not in content.text


@both
async def test_script_error_over_rest(serve: Serve, write: Write, language: str) -> None:
    text = {"javascript": "throw new Error(context.a)", "python": "raise ValueError(context['a'])"}[language]
    async with serve(write(text, language)) as served:
        status, problem = await get(served, a="thing")
    assert (status, problem["title"], problem["step"]) == (500, "Script failed", "main")
    assert problem["detail"].startswith("step 'main': script 'main.")
    assert problem["detail"].endswith("Error: thing")


async def test_error_in_a_dependency_names_it(serve: Serve, write: Write) -> None:
    write("\n\nfunction f() {\n  throw new Error('deep');\n}", name="lib")
    write("\n\ndef f():\n    raise ValueError('deep')", "python", "lib")
    async with serve(write("let a;\nf();", dependencies=["lib.js"])) as served:
        assert "script 'lib.js' line 4: Error: deep" in (await get(served))[1]["detail"]
    async with serve(write("a = 1\nf()", "python", dependencies=["lib.py"])) as served:
        assert "script 'lib.py' line 4: ValueError: deep" in (await get(served))[1]["detail"]


SHARING = {
    "javascript": """
        const seen = globalThis.seen ?? "nothing";
        globalThis.seen = Array.prototype.seen = context.a;
        context["a"] = "changed";
        result = seen;
    """,
    "python": """
import json
try:
    seen = kept
except NameError:
    seen = "nothing"
kept = context["a"]
try:
    seen = json.kept
except AttributeError:
    pass
try:
    json.kept = kept
except Exception:
    pass
context["a"] = "changed"
result = seen
""",
}


@both
async def test_runs_are_isolated(serve: Serve, write: Write, language: str) -> None:
    async with serve(write(SHARING[language], language)) as served:
        responses = await asyncio.gather(*(get(served, a=str(number)) for number in range(12)))
    assert responses == [(200, "nothing")] * 12


@both
async def test_calls_do_not_mix(serve: Serve, write: Write, language: str) -> None:
    text = {"javascript": "result = context.a + context.b", "python": "result = context['a'] + context['b']"}[language]
    async with serve(write(text, language)) as served:
        calls = (served.host.call("front.run", {"a": f"{number}-", "b": str(number)}) for number in range(20))
        assert [result.data for result in await asyncio.gather(*calls)] == [f"{n}-{n}" for n in range(20)]


async def test_printed_text_is_only_logged(
    serve: Serve, write: Write, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "adapter_host.scripting")
    async with serve(write("console.log('seen', {a: [1]}); result = 1")) as served:
        await get(served)
    async with serve(write("print('seen', 2)\nresult = 1", "python")) as served:
        await get(served)
    messages = [record.getMessage().strip() for record in caplog.records if record.name == "adapter_host.scripting"]
    assert messages == ["""script 'main.js': seen {"a":[1]}""", "script 'main.py': seen 2"]
    assert capfd.readouterr() == ("", "")


async def test_host_restarts(serve: Serve, write: Write) -> None:
    async with serve(write("result = 1"), write("result = context['main'] + 1", "python", "next")) as served:
        assert (await served.host.call("front.run")).data == 2
        await served.host.drain()
        await served.host.stop()
        with pytest.raises(UnavailableError):
            await served.host.call("front.run")
        await served.host.start()
        assert (await served.host.call("front.run")).data == 2


async def test_every_available_module_can_be_imported(serve: Serve, write: Write) -> None:
    imports = "\n".join(f"import {module}" for module in sorted(ALLOWED_MODULES))
    async with serve(write(f"{imports}\nresult = 1", "python")) as served:
        assert await get(served) == (200, 1)
