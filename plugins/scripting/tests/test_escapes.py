"""Tests of the sandbox: forbidden scripts are rejected when they are loaded, or when they run."""

from __future__ import annotations

import re
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, OperationError, Plugins, ProblemsError

from .conftest import Serve, Write, build_document

OUT_OF_TIME = "timeout after|statementLimit of"
STOPPED = f"{OUT_OF_TIME}|memory limit of|too deep|process crashed"
Scripts = dict[str, tuple[str, str]]

JAVASCRIPT = {
    "constructor": ("result = (() => 1).constructor('return 1')()", "EvalError: code from strings is not allowed"),
    "constructors": ("[].constructor.constructor('return 1')()", "EvalError: code from strings is not allowed"),
    "generator": ("(function* () {}).constructor('yield 1')", "EvalError: code from strings is not allowed"),
    "async": ("(async () => {}).constructor('1')", "EvalError: code from strings is not allowed"),
    "function": ("new Function('return 1')()", "EvalError: code from strings is not allowed"),
    "eval": ("eval('1')", "EvalError: code from strings is not allowed"),
    "reflect": ("Reflect.construct(Function, ['1'])", "EvalError: code from strings is not allowed"),
    "std": ("std.open('/etc/passwd', 'r')", "ReferenceError: std is not defined"),
    "os": ("os.exec(['id'])", "ReferenceError: os is not defined"),
    "require": ("require('fs')", "ReferenceError: require is not defined"),
    "process": ("process.env", "ReferenceError: process is not defined"),
    "fetch": ("fetch('http://127.0.0.1')", "ReferenceError: fetch is not defined"),
    "host": ("limitReached()", "ReferenceError: limitReached is not defined"),
    "worker": ("new Worker('x.js')", "ReferenceError: Worker is not defined"),
    "timer": ("setTimeout(() => 1, 1)", "ReferenceError: setTimeout is not defined"),
    "loop": ("for (;;);", "statementLimit"),
    "loops": ("while (true) { for (;;) {} }", "statementLimit"),
    "caught": ("for (;;) { try { for (;;) {} } catch (error) {} }", OUT_OF_TIME),
    "finally": ("function f() { try { for (;;); } finally { f() } } f()", STOPPED),
    "recursion": ("(function f() { f() })()", "recursion or nesting too deep"),
    "nesting": ("JSON.parse('['.repeat(1e6))", "recursion or nesting too deep"),
    "array": ("new Array(2 ** 30).fill(0)", "memory limit of 64 MiB exceeded"),
    "text": ("result = 'x'.repeat(2 ** 29)", "memory limit of 64 MiB exceeded"),
    "growing": ("let s = 'x'; for (;;) s += s", "script 'growing.js'"),
    "buffer": ("new ArrayBuffer(2 ** 30)", "script 'buffer.js'"),
    "bigint": ("result = String(2n ** (2n ** 40n))", "script 'bigint.js'"),
    "getter": ("result = {get a() { for (;;); }}", "statementLimit"),
    "tojson": ("result = {toJSON() { for (;;); }}", "statementLimit"),
}

ENDLESS_JAVASCRIPT = {
    "unseen": ("[1].sort.call({length: 2 ** 32})", "timeout after 200 ms"),
    "expression": ("const f = n => n ? f(n - 1) + f(n - 1) : 0; f(60)", "timeout after 200 ms"),
    "regex": ("result = /^(a+)+$/.test('a'.repeat(50) + 'b')", "timeout after 200 ms"),
    "shared": ("let a = [1]; for (let i = 0; i < 40; i++) a = [a, a]; result = a", STOPPED),
}

PYTHON = {
    "bases": ("result = ().__class__.__bases__", "AttributeError"),
    "subclasses": ("result = int.__subclasses__()", "AttributeError"),
    "getattr": ("result = getattr((), '__class__')", "AttributeError"),
    "getattrs": ("result = getattr(int, '__sub' + 'classes__')()", "AttributeError"),
    "globals": ("result = (lambda: 0).__globals__", "AttributeError"),
    "code": ("def f():\n    pass\nresult = f.__code__", "AttributeError"),
    "frame": (
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    result = error.__traceback__.tb_frame.f_globals",
        "AttributeError",
    ),
    "module": ("import json\nresult = json.codecs", "AttributeError"),
    "builtins": ("import math\nresult = math.__builtins__", "AttributeError"),
    "loader": ("import json\nresult = json.__loader__", "AttributeError"),
    "breakpoint": ("breakpoint()", "NameError"),
    "format": ("result = '{0.__class__}'.format(1)", "script 'format.py'"),
    "loop": ("while True:\n    pass", "statementLimit"),
    "loops": ("while True:\n    while False:\n        pass", "statementLimit"),
    "caught": (
        "while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass",
        OUT_OF_TIME,
    ),
    "finally": ("def f():\n    try:\n        while True: pass\n    finally:\n        f()\nf()", STOPPED),
    "expression": ("result = sum(i for i in range(10 ** 12))", "memory limit of 64 MiB exceeded"),
    "recursion": ("def f():\n    f()\nf()", "recursion or nesting too deep"),
    "power": ("result = 10 ** 10 ** 10", "memory limit of 64 MiB exceeded"),
    "text": ("result = 'x' * 10 ** 10", "memory limit of 64 MiB exceeded"),
    "list": ("result = [0] * 10 ** 9", "memory limit of 64 MiB exceeded"),
    "growing": ("s = 'x'\nwhile True:\n    s += s", "memory limit of 64 MiB exceeded"),
    "padding": ("result = 'x'.ljust(10 ** 10)", "memory limit of 64 MiB exceeded"),
    "shift": ("result = 1 << 10 ** 11", "script 'shift.py'"),
    "shared": ("a = [1]\nfor i in range(40):\n    a = [a, a]\nresult = a", STOPPED),
    "regex": ("import re\nresult = bool(re.match(r'(a|aa)+\\1$', 'a' * 200 + 'b'))", "script 'regex.py'"),
    "backtracking": ("import re\nresult = bool(re.match(r'^(?=(a+)+$)', 'a' * 60 + 'b'))", ""),
}

ENDLESS_PYTHON = {
    "calls": ("f = lambda n: n and f(n - 1) + f(n - 1)\nresult = f(60)", "timeout after 200 ms"),
}


async def unexpected_results(served: Any, scripts: Scripts) -> dict[str, str]:
    """Run the scripts, and return the outcomes that do not match the expected error."""
    wrong = {}
    for name, (_, message) in scripts.items():
        try:
            actual = f"gave {(await served.host.call(f'tools.{name}')).data!r}"
        except OperationError as error:
            actual = error.message
        if not re.search(message, actual) or (message and actual.startswith("gave")):
            wrong[name] = actual
    return wrong


async def sandbox(serve_each: Serve, steps: dict[str, dict[str, Any]], scripts: Scripts, milliseconds: int) -> None:
    """Run the scripts, and then the step `fine` in the same host."""
    async with serve_each(steps, {"timeout": milliseconds, "statementLimit": 20_000}) as served:
        assert await unexpected_results(served, scripts) == {}
        served.host.step_types["script"][0].adjust({"timeout": 60_000})
        assert (await served.host.call("tools.fine")).data == "fine"


@pytest.mark.parametrize(
    ("scripts", "milliseconds"), [(JAVASCRIPT, 5000), (ENDLESS_JAVASCRIPT, 200)], ids=["all", "endless"]
)
async def test_javascript_sandbox(serve_each: Serve, write: Write, scripts: Scripts, milliseconds: int) -> None:
    steps = {name: write(text, name=name) for name, (text, _) in scripts.items()}
    await sandbox(serve_each, {**steps, "fine": write("result = 'fine'", name="fine")}, scripts, milliseconds)


@pytest.mark.parametrize(("scripts", "milliseconds"), [(PYTHON, 5000), (ENDLESS_PYTHON, 200)], ids=["all", "endless"])
async def test_python_sandbox(serve_each: Serve, write: Write, scripts: Scripts, milliseconds: int) -> None:
    steps = {name: write(text, "python", name) for name, (text, _) in scripts.items()}
    await sandbox(serve_each, {**steps, "fine": write("result = 'fine'", "python", "fine")}, scripts, milliseconds)


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "def f():\n    from os.path import join",
        "import json, subprocess",
        "import importlib",
        "import asyncio",
        "from . import main",
        "x = 1; open('/etc/passwd')",
        "run = eval",
        "exec('import os')",
        "__import__('os')",
        "locals()",
        "globals()['x']",
        "vars()",
        "__builtins__",
    ],
)
def test_forbidden_python(script_plugins: Plugins, write: Write, text: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        Host(build_document(write(text, "python")), plugins=script_plugins)
    problem = caught.value.problems[0]
    assert problem.code == "script"
    assert problem.message == snapshot


@pytest.mark.parametrize(
    "text",
    [
        "import fs from 'fs'",
        "const os = import('qjs:os')",
        "if (import.meta) {}",
        "export const a = 1",
    ],
)
def test_forbidden_javascript(script_plugins: Plugins, write: Write, text: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        Host(build_document(write(text)), plugins=script_plugins)
    problem = caught.value.problems[0]
    assert problem.code == "script"
    assert problem.message == snapshot


async def test_javascript_promises_never_run(serve: Serve, write: Write) -> None:
    text = "(function again() { Promise.resolve().then(again); })(); result = 1"
    async with serve(write(text), scripting={"timeout": 1000}) as served:
        assert (await served.host.call("front.run")).data == 1
