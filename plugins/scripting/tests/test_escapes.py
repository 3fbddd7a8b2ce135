"""What a script must not do is refused: when it is loaded where its text shows it, else when it is run."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_host import Host, OperationError, Plugins, ProblemsError

from .conftest import Serve, Write, build_document

QUICK = {"timeout": 1000, "statementLimit": 20_000}

JAVASCRIPT = {
    "constructor": ("result = (() => 1).constructor('return 1')()", "EvalError: code from text is not possible"),
    "constructors": ("[].constructor.constructor('return 1')()", "EvalError: code from text is not possible"),
    "generator": ("(function* () {}).constructor('yield 1')", "EvalError: code from text is not possible"),
    "async": ("(async () => {}).constructor('1')", "EvalError: code from text is not possible"),
    "function": ("new Function('return 1')()", "EvalError: code from text is not possible"),
    "eval": ("eval('1')", "EvalError: code from text is not possible"),
    "reflect": ("Reflect.construct(Function, ['1'])", "EvalError: code from text is not possible"),
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
    "caught": ("for (;;) { try { for (;;) {} } catch (error) {} }", "stopped after"),
    "finally": ("function f() { try { for (;;); } finally { f() } } f()", "stopped"),
    "unseen": ("[1].sort.call({length: 2 ** 32})", "stopped after 1000 ms, its timeout"),
    "expression": ("const f = n => n ? f(n - 1) + f(n - 1) : 0; f(60)", "stopped after 1000 ms, its timeout"),
    "regex": ("result = /^(a+)+$/.test('a'.repeat(50) + 'b')", "stopped after 1000 ms, its timeout"),
    "recursion": ("(function f() { f() })()", "calls or nests too deep"),
    "nesting": ("JSON.parse('['.repeat(1e6))", "calls or nests too deep"),
    "array": ("new Array(2 ** 30).fill(0)", "more than 64 MiB of memory"),
    "text": ("result = 'x'.repeat(2 ** 29)", "more than 64 MiB of memory"),
    "growing": ("let s = 'x'; for (;;) s += s", "script 'growing.js'"),
    "buffer": ("new ArrayBuffer(2 ** 30)", "script 'buffer.js'"),
    "bigint": ("result = String(2n ** (2n ** 40n))", "script 'bigint.js'"),
    "getter": ("result = {get a() { for (;;); }}", "statementLimit"),
    "tojson": ("result = {toJSON() { for (;;); }}", "statementLimit"),
    "shared": ("let a = [1]; for (let i = 0; i < 40; i++) a = [a, a]; result = a", "stopped"),
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
        "stopped after",
    ),
    "finally": ("def f():\n    try:\n        while True: pass\n    finally:\n        f()\nf()", "stopped"),
    "expression": ("result = sum(i for i in range(10 ** 12))", "more than 64 MiB of memory"),
    "calls": ("f = lambda n: n and f(n - 1) + f(n - 1)\nresult = f(60)", "stopped after 1000 ms, its timeout"),
    "recursion": ("def f():\n    f()\nf()", "calls or nests too deep"),
    "power": ("result = 10 ** 10 ** 10", "more than 64 MiB of memory"),
    "text": ("result = 'x' * 10 ** 10", "more than 64 MiB of memory"),
    "list": ("result = [0] * 10 ** 9", "more than 64 MiB of memory"),
    "growing": ("s = 'x'\nwhile True:\n    s += s", "more than 64 MiB of memory"),
    "padding": ("result = 'x'.ljust(10 ** 10)", "more than 64 MiB of memory"),
    "shift": ("result = 1 << 10 ** 11", "script 'shift.py'"),
    "shared": ("a = [1]\nfor i in range(40):\n    a = [a, a]\nresult = a", "stopped"),
    "regex": ("import re\nresult = bool(re.match(r'(a|aa)+\\1$', 'a' * 200 + 'b'))", "script 'regex.py'"),
    "backtracking": ("import re\nresult = bool(re.match(r'^(?=(a+)+$)', 'a' * 60 + 'b'))", ""),
}


async def unexpected_results(served: Any, scripts: dict[str, tuple[str, str]]) -> dict[str, str]:
    """What was not refused in the expected words."""
    wrong = {}
    for name, (_, message) in scripts.items():
        try:
            actual = f"gave {(await served.host.call(f'tools.{name}')).data!r}"
        except OperationError as error:
            actual = error.message
        if message not in actual or (message and actual.startswith("gave")):
            wrong[name] = actual
    return wrong


async def test_javascript_sandbox(serve_each: Serve, write: Write) -> None:
    steps = {name: write(text, name=name) for name, (text, _) in JAVASCRIPT.items()}
    steps["fine"] = write("result = 'fine'", name="fine")
    async with serve_each(steps, QUICK) as served:
        assert await unexpected_results(served, JAVASCRIPT) == {}
        assert (await served.host.call("tools.fine")).data == "fine"


async def test_python_sandbox(serve_each: Serve, write: Write) -> None:
    steps = {name: write(text, "python", name) for name, (text, _) in PYTHON.items()}
    steps["fine"] = write("result = 'fine'", "python", "fine")
    async with serve_each(steps, QUICK) as served:
        assert await unexpected_results(served, PYTHON) == {}
        assert (await served.host.call("tools.fine")).data == "fine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os", "a script cannot import 'os' (it can: base64, bisect, "),
        ("def f():\n    from os.path import join", "a script cannot import 'os.path'"),
        ("import json, subprocess", "a script cannot import 'subprocess'"),
        ("import importlib", "a script cannot import 'importlib'"),
        ("import asyncio", "a script cannot import 'asyncio'"),
        ("from . import main", "a script cannot import '.'"),
        ("x = 1; open('/etc/passwd')", "'open' is not possible in a script"),
        ("run = eval", "'eval' is not possible in a script"),
        ("exec('import os')", "'exec' is not possible in a script"),
        ("__import__('os')", "'__import__' is not possible in a script"),
        ("locals()", "'locals' is not possible in a script"),
        ("globals()['x']", "'globals' is not possible in a script"),
        ("vars()", "'vars' is not possible in a script"),
        ("__builtins__", "'__builtins__' is not possible in a script"),
    ],
)
def test_forbidden_python(script_plugins: Plugins, write: Write, text: str, message: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        Host(build_document(write(text, "python")), plugins=script_plugins)
    assert message in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import fs from 'fs'", "'import' is not possible in a script"),
        ("const os = import('qjs:os')", "'import' is not possible in a script"),
        ("if (import.meta) {}", "'import' is not possible in a script"),
        ("export const a = 1", "'export' is not possible in a script"),
    ],
)
def test_forbidden_javascript(script_plugins: Plugins, write: Write, text: str, message: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        Host(build_document(write(text)), plugins=script_plugins)
    assert message in caught.value.problems[0].message


async def test_javascript_promises_never_run(serve: Serve, write: Write) -> None:
    text = "(function again() { Promise.resolve().then(again); })(); result = 1"
    async with serve(write(text), scripting=QUICK) as served:
        assert (await served.host.call("front.run")).data == 1
