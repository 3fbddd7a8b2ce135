"""Tests of the lines of the access log, and of the options that control it."""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import replace

import pytest

from adapter_host.cli.output.access_lines import access_formatter
from adapter_host.cli.output.log_writer import LogWriter, Loss
from adapter_host.operation.call_record import CallRecord
from adapter_host.operation.callers import CallSite
from tests.support.command import Serve

FULL = CallRecord(
    site=CallSite("My Shop", "shop", "rest", "bearer"),
    request_id="ab12",
    method="GET",
    path="/things/{id}",
    operation="get-thing",
    calls=1,
    status=502,
    error="upstream-timeout",
    duration=0.01234,
    upstream_status="upstream-timeout",
    upstream_duration=0.01,
    upstream_calls=2,
    size=321,
    authentication="bearer",
    client_address="192.0.2.7",
    cached="stale",
)
EMPTY = CallRecord(request_id="ab12", status=400)
STDIO = CallRecord(site=CallSite("Shop", "tools", "mcp"), transport="stdio", request_id="1", message="tools/list")
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (
            FULL,
            "GET /things/{id} 502 12.3ms request_id=ab12 exposer=shop operation=get-thing error=upstream-timeout"
            " upstream=upstream-timeout upstream_ms=10.0 bytes=321 auth=bearer client=192.0.2.7"
            ' capability="My Shop" cached=stale',
        ),
        (
            EMPTY,
            "http - 400 0.0ms request_id=ab12 exposer=- operation=- error=- upstream=- upstream_ms=- bytes=- auth=-"
            " client=- capability=- cached=-",
        ),
        (
            STDIO,
            "stdio tools/list ok 0.0ms request_id=1 exposer=tools operation=- error=- upstream=- upstream_ms=- bytes=-"
            " auth=- client=- capability=Shop cached=-",
        ),
        (
            replace(STDIO, error="-32602"),
            "stdio tools/list error 0.0ms request_id=1 exposer=tools operation=- error=-32602 upstream=- upstream_ms=-"
            " bytes=- auth=- client=- capability=Shop cached=-",
        ),
    ],
    ids=["full", "empty", "stdio", "error"],
)
def test_text(record: CallRecord, text: str) -> None:
    line = access_formatter("text", None)(record)
    assert re.fullmatch(TIME, line[:23])
    assert line[23:] == f" INFO adapter_host.access: {text}"
    assert " adapter_host.access[2]: " in access_formatter("text", 2)(record)


def test_json() -> None:
    line = json.loads(access_formatter("json", 2)(FULL))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "adapter_host.access",
        "message": "GET /things/{id} 502",
        "worker": 2,
        "request_id": "ab12",
        "capability": "My Shop",
        "exposer": "shop",
        "exposer_type": "rest",
        "transport": "http",
        "method": "GET",
        "path": "/things/{id}",
        "operation": "get-thing",
        "calls": 1,
        "status": 502,
        "error": "upstream-timeout",
        "duration_ms": 12.34,
        "upstream_status": "upstream-timeout",
        "upstream_duration_ms": 10.0,
        "upstream_calls": 2,
        "cached": "stale",
        "bytes": 321,
        "authentication": "bearer",
        "client_address": "192.0.2.7",
    }


@pytest.mark.parametrize("format_name", ["text", "json"])
def test_control_characters_are_escaped(format_name: str) -> None:
    record = replace(FULL, operation="a\n2026 INFO forged\x9b31m\x7f")
    line = access_formatter(format_name, None)(record)
    assert line.isprintable()


def test_lines_that_are_not_urgent_are_written_together() -> None:
    reader, sink = os.pipe()
    writer = LogWriter(sink, 10_000, lambda loss: b"lost")
    for number in range(100):
        writer.put(b"%d\n" % number, urgent=False)
    # One write, as the thread waits for further lines.
    assert os.read(reader, 10_000) == b"".join(b"%d\n" % number for number in range(100))
    writer.put(b"rest\n", urgent=False)
    writer.stop(5)
    assert os.read(reader, 10_000) == b"rest\n"
    for descriptor in (reader, sink):
        os.close(descriptor)


def test_lines_for_a_slow_reader_are_dropped_and_counted() -> None:
    reader, sink = os.pipe()
    writer = LogWriter(sink, 1000, describe)
    for _ in range(2000):
        writer.put(b"x" * 99 + b"\n", urgent=False)
    writer.stop(5)
    text = os.read(reader, 100_000).decode()
    lost = sum(int(count) for count in re.findall(r"lost (\d+)", text))
    assert lost > 0
    assert lost + text.count("x\n") == 2000
    for descriptor in (reader, sink):
        os.close(descriptor)


def describe(loss: Loss) -> bytes:
    return b"lost %d\n" % loss.lines


async def test_access_log_can_be_left_out(serve: Serve) -> None:
    async with serve("--no-access-log") as served:
        assert (await served.get())[0] == 200
        served.process.send_signal(signal.SIGTERM)
        _, err = await served.wait_until_exit()
    assert "serving" in err
    assert "adapter_host.access" not in err
