"""Worker process that converts responses: reads requests from standard input, writes responses to standard output.

It is started as a file and imports neither the host nor its plugin, which would dominate its start-up time. The host
kills a worker that takes too long.
"""

from __future__ import annotations

import contextlib
import signal
import struct
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

LENGTH: Final = struct.Struct(">I")
GRACE: Final = 3
"""Seconds of CPU time that a conversion may take beyond its timeout, in case the host is gone."""

DATA, INVALID, REJECTED, TOO_LARGE, OUT_OF_MEMORY = b"d", b"i", b"r", b"l", b"m"
"""The first byte of a response; the JSON of the data, or the reason of the rejection, follows."""


def main() -> None:
    """Handle requests until standard input is closed."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Keeps other output out of the stream of responses.
    sys.stdout = sys.stderr
    # Ctrl-C in a terminal reaches every process; the host ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path.insert(0, str(Path(__file__).parents[1]))
    conversion, errors, _ = (import_module(f"conversions.{name}") for name in ("conversion", "errors", "text"))
    del sys.path[0]
    compiled = lru_cache(maxsize=64)(conversion.compile_converter)
    _write(sink, b"")
    while (head := _read(source)) is not None and (body := _read(source)) is not None:
        request = orjson.loads(head)
        _limit_process(request["seconds"], request["memory"])
        try:
            convert = compiled(request["module"], request["options"].encode())
            data = convert(body, request["charset"], request["limit"])
            response = DATA + conversion.encode_data(data, request["limit"])
        except errors.FormatError as error:
            response = REJECTED + str(error).encode()
        except errors.TooLargeError:
            response = TOO_LARGE
        except MemoryError:
            response = OUT_OF_MEMORY
        except ValueError:
            response = INVALID
        data = body = None
        _write(sink, response)


def _limit_process(seconds: float, memory: int) -> None:
    """Set system limits of CPU time, memory and the size of files."""
    try:
        import resource
    except ImportError:
        return  # Windows has no such limits
    used = resource.getrusage(resource.RUSAGE_SELF)
    limits: dict[str, int] = {
        "RLIMIT_CPU": int(used.ru_utime + used.ru_stime + seconds) + GRACE,
        "RLIMIT_DATA": memory,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
    }
    for name, value in limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            kind = getattr(resource, name)
            resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def _read(source: BinaryIO) -> Any:
    head = source.read(LENGTH.size)
    return source.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else None


def _write(sink: BinaryIO, response: bytes) -> None:
    sink.write(LENGTH.pack(len(response)) + response)
    sink.flush()


if __name__ == "__main__":
    main()
