"""Worker process that runs JavaScript: reads requests from standard input, writes responses to standard output.

It is started as a file and does not import its package, which would dominate its start-up time. Each run has its own
instance of the engine. The parent process kills a worker that takes too long.
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

# Runs before any script: sets up the statement counter, `context` and a console, and disables evaluation of strings,
# whose statements would not be counted.
_PRELUDE: Final = """
(() => {
  const limitReached = globalThis.limitReached;
  delete globalThis.limitReached;
  let remaining = %(statements)d;
  const tick = () => { if (--remaining < 0) limitReached(); };
  Object.defineProperty(globalThis, %(tick)s, {value: tick});
  const refuse = function () { throw new EvalError("code from strings is not allowed in scripts"); };
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
    if (typeof value.then === "function") throw new TypeError("result is a promise; promises are not awaited");
    const text = write(value);
    if (text === undefined) throw new TypeError("result is a " + typeof value + ", which is not JSON");
    return text;
  }});
})()
"""


class _StatementLimitError(Exception):
    """The script has exceeded its statement limit."""


def main() -> None:
    """Handle requests until standard input is closed."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Keeps other output out of the stream of responses.
    sys.stdout = sys.stderr
    warm_up = {"tick": "tick", "context": "null", "statements": 1, "seconds": 1, "memory": 1 << 24, "result_bytes": 1}
    run({**warm_up, "sources": []})
    _write(sink, b"")
    while request := _read(source):
        limit_process(request["seconds"], request["process_memory"])
        _write(sink, json.dumps(run(request)).encode())


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run a script and return its result, or how it failed."""
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
                # Discards the value of the script's last expression.
                context.eval(text + "\n;undefined")
            result = context.eval(f"{names['write']}(result)")
            printed = context.eval(f"{names['lines']}.join('\\n')")
    except Exception as error:
        # Every exception of the engine is reported as a failure of the script.
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
    # The engine itself has trapped.
    return {"failed": "depth" if "call stack exhausted" in str(error) else "crash"}


def limit_process(seconds: float, memory: int) -> None:
    """Set system limits of CPU time, memory and files, in case those of the engine fail."""
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


def _write(sink: BinaryIO, response: bytes) -> None:
    sink.write(LENGTH.pack(len(response)) + response)
    sink.flush()


if __name__ == "__main__":
    main()
