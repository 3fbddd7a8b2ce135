"""A process that runs JavaScript: a request on standard input, an answer on standard output, and so on.

It is started as a file and imports nothing of its package, which would cost its start more than all it needs.
Each run has an instance of the engine of its own. Whoever started it kills it when it takes too long.
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
import sys
from typing import Any, BinaryIO, Final

from quickjs_rs import JSError, MarshalError, MemoryLimitError, QuickJSError, Runtime, SourceTransform
from quickjs_rs import TimeoutError as OutOfTime

LENGTH: Final = struct.Struct(">I")
_LINE: Final = re.compile(r":(\d+):\d+\)?$", re.MULTILINE)

# Before any script: the count of statements, `context`, a console, and no way from text to code, which nothing counts.
_BEFORE: Final = """
(() => {
  const spent = globalThis.spent;
  delete globalThis.spent;
  let left = %(statements)d;
  const tick = () => { if (--left < 0) spent(); };
  Object.defineProperty(globalThis, %(tick)s, {value: tick});
  const refuse = function () { throw new EvalError("code from text is not possible in a script"); };
  const kinds = [function () {}, function* () {}, async function () {}, async function* () {}];
  for (const kind of kinds) {
    Object.defineProperty(Object.getPrototypeOf(kind), "constructor", {value: refuse});
  }
  globalThis.eval = refuse;
  globalThis.Function = refuse;
  const write = JSON.stringify;
  const shown = (word) => typeof word === "object" ? write(word) : String(word);
  const lines = [];
  const say = (...words) => {
    if (lines.length < 100) lines.push(words.map(shown).join(" ").slice(0, 1000));
  };
  globalThis.console = {log: say, info: say, warn: say, error: say, debug: say};
  Object.defineProperty(globalThis, %(lines)s, {value: lines});
  globalThis.context = JSON.parse(%(context)s);
  globalThis.result = undefined;
  Object.defineProperty(globalThis, %(write)s, {value: (given) => {
    if (given === undefined || given === null) return null;
    if (typeof given.then === "function") throw new TypeError("result is a promise, and nothing waits for it");
    const text = write(given);
    if (text === undefined) throw new TypeError("result is a " + typeof given + ", which is no JSON");
    return text;
  }});
})()
"""


class _Spent(Exception):
    """The script may do no more."""


def main() -> None:
    """Answer requests until there are no more."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Nothing else is to write between the answers.
    sys.stdout = sys.stderr
    first = {"tick": "tick", "context": "null", "statements": 1, "seconds": 1, "memory": 1 << 24, "answer": 1}
    run({**first, "sources": []})
    _write(sink, {"ready": True})
    while request := _read(source):
        limit(request["seconds"], request["process"])
        _write(sink, run(request))


def run(request: dict[str, Any]) -> dict[str, Any]:
    """What the script gives, or how it failed."""
    names = {"lines": request["tick"] + "_lines", "write": request["tick"] + "_write"}
    state = {"spent": False, "index": 0}
    try:
        with (
            Runtime(memory_limit=request["memory"], transform_flags=SourceTransform.NONE) as runtime,
            runtime.new_context(timeout=request["seconds"]) as context,
        ):

            def spent() -> None:
                state["spent"] = True
                raise _Spent

            context.register("spent", spent)
            quoted = {name: json.dumps(value) for name, value in {**names, **_texts(request)}.items()}
            context.eval(_BEFORE % {**quoted, "statements": request["statements"]})
            for state["index"], text in enumerate(request["sources"]):
                # As a value of its own, so that what the script's last line is does not matter.
                context.eval(text + "\n;undefined")
            answer = context.eval(f"{names['write']}(result)")
            printed = context.eval(f"{names['lines']}.join('\\n')")
    except Exception as error:
        # Whatever the engine raises is the script's end, and told as such.
        return {"failed": "statements"} if state["spent"] else {**_failure(error), "index": state["index"]}
    if state["spent"]:
        return {"failed": "statements"}
    if answer is not None and len(answer) > request["answer"]:
        return {"failed": "size"}
    return {"result": answer, "printed": printed}


def _texts(request: dict[str, Any]) -> dict[str, str]:
    return {"tick": request["tick"], "context": request["context"]}


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, OutOfTime):
        return {"failed": "time"}
    if isinstance(error, MemoryLimitError):
        return {"failed": "memory"}
    if isinstance(error, MarshalError):
        return {"failed": "script", "message": str(error), "line": None}
    if isinstance(error, JSError):
        if error.name == "RangeError" and "call stack" in error.message:
            return {"failed": "depth"}
        line = _LINE.search(error.stack or "")
        return {"failed": "script", "message": str(error)[:1000], "line": int(line[1]) if line else None}
    if isinstance(error, QuickJSError):
        return {"failed": "script", "message": str(error)[:1000], "line": None}
    # The engine itself has stopped.
    return {"failed": "depth" if "call stack exhausted" in str(error) else "crash"}


def limit(seconds: float, memory: int) -> None:
    """Let the system stop this process where the engine does not: its time, its memory, and files."""
    try:
        import resource
    except ImportError:
        return  # Windows has no such limits
    used = resource.getrusage(resource.RUSAGE_SELF)
    wanted = {
        "RLIMIT_CPU": int(used.ru_utime + used.ru_stime + seconds) + 3,
        "RLIMIT_DATA": memory,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 0,
    }
    for name, value in wanted.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            kind = getattr(resource, name)
            resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def _read(source: BinaryIO) -> dict[str, Any] | None:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    request: dict[str, Any] = json.loads(source.read(LENGTH.unpack(head)[0]))
    return request


def _write(sink: BinaryIO, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    sink.write(LENGTH.pack(len(body)) + body)
    sink.flush()


if __name__ == "__main__":
    main()
