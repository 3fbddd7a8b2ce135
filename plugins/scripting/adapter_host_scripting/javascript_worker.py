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
from quickjs_rs import TimeoutError as EngineTimeoutError

LENGTH: Final = struct.Struct(">I")
_LINE: Final = re.compile(r":(\d+):\d+\)?$", re.MULTILINE)

# Before any script: the count of statements, `context`, a console, and no way from text to code, which nothing counts.
_PRELUDE: Final = """
(() => {
  const limitReached = globalThis.limitReached;
  delete globalThis.limitReached;
  let remaining = %(statements)d;
  const tick = () => { if (--remaining < 0) limitReached(); };
  Object.defineProperty(globalThis, %(tick)s, {value: tick});
  const refuse = function () { throw new EvalError("code from text is not possible in a script"); };
  const functions = [function () {}, function* () {}, async function () {}, async function* () {}];
  for (const example of functions) {
    Object.defineProperty(Object.getPrototypeOf(example), "constructor", {value: refuse});
  }
  globalThis.eval = refuse;
  globalThis.Function = refuse;
  const write = JSON.stringify;
  const format = (word) => typeof word === "object" ? write(word) : String(word);
  const lines = [];
  const print = (...words) => {
    if (lines.length < 100) lines.push(words.map(format).join(" ").slice(0, 1000));
  };
  globalThis.console = {log: print, info: print, warn: print, error: print, debug: print};
  Object.defineProperty(globalThis, %(lines)s, {value: lines});
  globalThis.context = JSON.parse(%(context)s);
  globalThis.result = undefined;
  Object.defineProperty(globalThis, %(write)s, {value: (value) => {
    if (value === undefined || value === null) return null;
    if (typeof value.then === "function") throw new TypeError("result is a promise, and nothing waits for it");
    const text = write(value);
    if (text === undefined) throw new TypeError("result is a " + typeof value + ", which is no JSON");
    return text;
  }});
})()
"""


class _StatementLimitError(Exception):
    """The script may do no more."""


def main() -> None:
    """Answer requests until there are no more."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Nothing else is to write between the answers.
    sys.stdout = sys.stderr
    warm_up = {"tick": "tick", "context": "null", "statements": 1, "seconds": 1, "memory": 1 << 24, "result_bytes": 1}
    run({**warm_up, "sources": []})
    _write(sink, {"ready": True})
    while request := _read(source):
        limit_process(request["seconds"], request["process_memory"])
        _write(sink, run(request))


def run(request: dict[str, Any]) -> dict[str, Any]:
    """What the script gives, or how it failed."""
    names = {"lines": request["tick"] + "_lines", "write": request["tick"] + "_write"}
    state = {"limit_reached": False, "index": 0}
    try:
        with (
            Runtime(memory_limit=request["memory"], transform_flags=SourceTransform.NONE) as runtime,
            runtime.new_context(timeout=request["seconds"]) as context,
        ):

            def limit_reached() -> None:
                state["limit_reached"] = True
                raise _StatementLimitError

            context.register("limitReached", limit_reached)
            quoted = {name: json.dumps(value) for name, value in {**names, **_script_arguments(request)}.items()}
            context.eval(_PRELUDE % {**quoted, "statements": request["statements"]})
            for state["index"], text in enumerate(request["sources"]):
                # As a value of its own, so that what the script's last line is does not matter.
                context.eval(text + "\n;undefined")
            result = context.eval(f"{names['write']}(result)")
            printed = context.eval(f"{names['lines']}.join('\\n')")
    except Exception as error:
        # Whatever the engine raises is the script's end, and told as such.
        if state["limit_reached"]:
            return {"failed": "statements"}
        return {**_describe_failure(error), "index": state["index"]}
    if state["limit_reached"]:
        return {"failed": "statements"}
    if result is not None and len(result) > request["result_bytes"]:
        return {"failed": "size"}
    return {"result": result, "printed": printed}


def _script_arguments(request: dict[str, Any]) -> dict[str, str]:
    return {"tick": request["tick"], "context": request["context"]}


def _describe_failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, EngineTimeoutError):
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


def limit_process(seconds: float, memory: int) -> None:
    """Let the system stop this process where the engine does not: its time, its memory, and files."""
    try:
        import resource
    except ImportError:
        return  # Windows has no such limits
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource_limits = {
        "RLIMIT_CPU": int(used.ru_utime + used.ru_stime + seconds) + 3,
        "RLIMIT_DATA": memory,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 0,
    }
    for name, value in resource_limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            kind = getattr(resource, name)
            resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def _read(source: BinaryIO) -> dict[str, Any] | None:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    request: dict[str, Any] = json.loads(source.read(LENGTH.unpack(head)[0]))
    return request


def _write(sink: BinaryIO, response: dict[str, Any]) -> None:
    body = json.dumps(response).encode()
    sink.write(LENGTH.pack(len(body)) + body)
    sink.flush()


if __name__ == "__main__":
    main()
