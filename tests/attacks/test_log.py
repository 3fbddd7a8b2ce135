"""Attacks on the log: readers that stall, full disks, forged lines, and escape sequences for terminals."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pty
import re
import resource
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from aiohttp import web

from adapter_host import Host, attach
from adapter_host.cli import main
from adapter_host.cli.output.escapes import escape, to_json
from adapter_host.cli.output.log_writer import LogWriter, Loss
from adapter_host.cli.output.logging import _JsonLines, _Text
from tests.support.command import wait_for_file
from tests.support.host_process import host_process
from tests.support.raw_http import CLOSE, exchange, status_of

pytestmark = pytest.mark.early

FORGED = "x\n2026-11-30 00:00:00.000 WARNING adapter_host: FORGED\x1b[31m\x9b31m\u202e"
ESCAPED = r"x\n2026-11-30 00:00:00.000 WARNING adapter_host: FORGED\x1b[31m\x9b31m\u202e"

DOCUMENT = """
naftiko: 1.0.0-alpha2
info: {label: Logged}
capability:
  exposes:
    - type: rest
      namespace: rest
      port: 0
      resources:
        - {path: /constant, operations: [{method: GET, outputParameters: [{type: string, value: hello}]}]}
"""
ACCEPTED = b"GET /constant HTTP/1.1\r\n" + CLOSE + b"\r\n"
REFUSED = b"GET /constant HTTP/1.1\r\nHost: %b\r\nConnection: %b\r\n\r\n"
REFUSALS = 400
"""Requests whose lines exceed what a pipe and the smallest buffer hold: 64 KiB and one byte."""


@asynccontextmanager
async def served_to(log: int, folder: Path, *options: str) -> AsyncIterator[tuple[Process, int]]:
    """Serve with the log on a file descriptor; yield the process and the port of its exposer."""
    (folder / "capability.yaml").write_text(DOCUMENT)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapter_host", "serve", "capability.yaml", "--ready-file", "ready.json", *options,
        stdout=log, stderr=log, cwd=folder,
    )  # fmt: skip
    os.close(log)
    try:
        await wait_for_file(folder / "ready.json", process)
        url = json.loads((folder / "ready.json").read_text())["exposers"][0]["url"]
        yield process, int(url.split(":")[2].split("/")[0])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def terminate(process: Process) -> int:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        return await process.wait()


async def refuse(port: int, times: int = REFUSALS) -> None:
    name = b"a" * 200
    requests = REFUSED % (name, b"keep-alive") * (times - 1) + REFUSED % (name, b"close")
    assert (await exchange(port, requests)).count(b"HTTP/1.1 421") == times


@pytest.mark.parametrize("options", [(), ("--log-format", "json"), ("--workers", "2")], ids=" ".join)
async def test_stalled_reader_stops_neither_requests_nor_shutdown(options: tuple[str, ...], tmp_path: Path) -> None:
    reader, log = os.pipe()
    try:
        async with served_to(log, tmp_path, "--log-buffer", "4096", *options) as (process, port):
            await refuse(port)
            assert status_of(await exchange(port, ACCEPTED)) == 200
            assert await terminate(process) == 0
    finally:
        os.close(reader)


async def test_lost_lines_are_counted(tmp_path: Path) -> None:
    reader, log = os.pipe()
    async with served_to(log, tmp_path, "--log-buffer", "4096") as (process, port):
        await refuse(port)
        with os.fdopen(reader, "rb") as stream:
            reading = asyncio.create_task(asyncio.to_thread(stream.read))
            assert await terminate(process) == 0
            text = (await reading).decode()
    lost = [int(number) for number in re.findall(r"WARNING adapter_host: (\d+) log lines? w(?:as|ere) lost", text)]
    written = len(re.findall(r"^[\d -]+[\d:.]+ [A-Z]+ adapter_host(?:\.access)?: ", text, re.MULTILINE)) - len(lost)
    # Each request has a warning and a line of the access log; the others are "serving", "draining" and "stopped".
    assert sum(lost) + written == 2 * REFUSALS + 3
    assert lost
    assert text.endswith("stopped\n")


async def test_closed_reader_stops_neither_requests_nor_shutdown(tmp_path: Path) -> None:
    reader, log = os.pipe()
    async with served_to(log, tmp_path) as (process, port):
        os.close(reader)
        await refuse(port, 3)
        assert status_of(await exchange(port, ACCEPTED)) == 200
        assert await terminate(process) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=" ".join)
async def test_full_disk_stops_neither_requests_nor_shutdown(options: tuple[str, ...], tmp_path: Path) -> None:
    async with served_to(os.open("/dev/full", os.O_WRONLY), tmp_path, *options) as (process, port):
        await refuse(port, 3)
        assert status_of(await exchange(port, ACCEPTED)) == 200
        assert await terminate(process) == 0


def describe(loss: Loss) -> bytes:
    return f"{loss.lines} lost: {loss.reason}\n".encode()


def test_lines_are_written_again_when_the_disk_has_space(tmp_path: Path) -> None:
    file = tmp_path / "log"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with file.open("ab", buffering=0) as log:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
            writer = LogWriter(log.fileno(), 1000, describe)
            writer.put(b"first\n")
            writer.put(b"second\n")
            writer.stop(20)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert file.read_bytes() == b"first\nse"
        with writer.paused():
            writer.put(b"third\n")
        writer.stop(20)
    # Both lines of a failed write are counted, as part of them may be missing.
    assert file.read_text() in (
        "first\nse\n2 lost: file too large\nthird\n",
        "first\nse\n1 lost: file too large\nthird\n",
    )


def test_lines_wait_while_the_writer_is_paused() -> None:
    reader, log = os.pipe()
    writer = LogWriter(log, 8, describe)
    with writer.paused():
        for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
            writer.put(line)
    writer.stop(20)
    os.close(log)
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == b"one\ntwo\n2 lost: more than 8 bytes were waiting to be read\n"


def test_stop_is_bounded_and_a_writer_continues() -> None:
    reader, log = os.pipe()
    lines = b"".join(b"%07d\n" % number for number in range(20_000))
    writer = LogWriter(log, len(lines), describe)
    writer.put(lines)
    writer.stop(0)
    with os.fdopen(reader, "rb") as stream:
        writer.start()
        assert stream.read(len(lines)) == lines
    writer.stop(0)
    os.close(log)


async def test_embedding_leaves_logging_and_standard_error() -> None:
    root, standard_error = logging.getLogger(), sys.stderr
    before = (root.level, tuple(root.handlers))
    app = web.Application()
    attach(app, Host(yaml.safe_load(DOCUMENT)))
    runner = web.AppRunner(app)
    await runner.setup()
    assert (root.level, tuple(root.handlers)) == before
    assert sys.stderr is standard_error
    await runner.cleanup()


SCRIPTS = """
naftiko: 1.0.0-alpha2
info: {label: Scripts}
capability:
  exposes:
    - type: rest
      namespace: rest
      port: 0
      resources:
"""
SCRIPT = """
        - path: /%s
          operations:
            - method: GET
              name: %s
              inputParameters: [{name: a, in: query, type: string}]
              steps: [{name: s, type: script, language: %s, location: "file:///./", file: %s}]
"""


@pytest.mark.parametrize("format_name", ["text", "json"])
async def test_callers_forge_no_lines(format_name: str, tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("throw new Error('no such boat: ' + context.a)")
    (tmp_path / "a.py").write_text("raise ValueError('no such boat: ' + context['a'])")
    document = SCRIPTS + SCRIPT % ("js", "js", "javascript", "a.js") + SCRIPT % ("py", "py", "python", "a.py")
    async with host_process(tmp_path, document, "--log-format", format_name) as served:
        for path in ("js", "py"):
            request = f"GET /{path}?a={quote(FORGED)} HTTP/1.1\r\n".encode() + CLOSE + b"\r\n"
            assert status_of(await exchange(served.port("rest"), request)) == 500
        assert await served.terminate() == 0
        assert_safe(served.log)
        lines = [line for line in served.log.splitlines() if "no such boat" in line]
    messages = [json.loads(line)["message"] for line in lines] if format_name == "json" else lines
    assert [message.partition("boat: ")[2].partition(" (request_id=")[0] for message in messages] == [
        FORGED if format_name == "json" else ESCAPED
    ] * 2


def assert_safe(text: str) -> None:
    """Check that a text has no control characters but line ends, and no forged line."""
    assert [char for char in text if not char.isprintable() and char not in "\n\u3000\xa0"] == []
    assert not re.search("^(2026-11-30 00:00:00.000|FAKE)", text, re.MULTILINE)


def failing_record(text: str) -> logging.LogRecord:
    try:
        raise ValueError(text)
    except ValueError:
        return logging.LogRecord("adapter_host", logging.ERROR, "", 0, "%s", (text,), sys.exc_info())


@pytest.mark.parametrize("formatter", [_Text("%(levelname)s %(message)s"), _JsonLines(None)], ids=["text", "json"])
def test_tracebacks_forge_no_lines(formatter: logging.Formatter) -> None:
    text = formatter.format(failing_record(FORGED + "\udcff"))
    assert_safe(text)
    assert all(line.startswith("    ") for line in text.splitlines()[1:])


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain é 漢 \u3000\xa0", "plain é 漢 \u3000\xa0"),
        ("\n\r\t\x00\x7f", r"\n\r\t\x00\x7f"),
        ("\x85\x9b\u2028\u2029", r"\x85\x9b\u2028\u2029"),
        ("\u202e\u200f\ufeff", r"\u202e\u200f\ufeff"),
        ("\udc80\U000e0001", r"\udc80\U000e0001"),
    ],
)
def test_escapes(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    assert json.loads(to_json(text)) == text
    assert_safe(to_json([text], indent=True))


HOSTILE = {
    "naftiko": "1.0.0-alpha2",
    "info": {"label": "T\x1b[31m\nFAKE LINE", "description": "d\x1b[31m"},
    "capability": {
        "consumes": [
            {
                "type": "http",
                "namespace": "up",
                "baseUri": "http://127.0.0.1:1/",
                "description": "FAKE\x9b31m",
                "resources": [{"path": "/u\u202e", "operations": [{"name": "read", "method": "GET"}]}],
            }
        ],
        "exposes": [
            {
                "type": "rest",
                "namespace": "r",
                "port": 0,
                "bad\x1b]0;pwned\x07": 1,
                "resources": [
                    {
                        "path": "/a\x1b[2J",
                        "operations": [
                            {
                                "method": "GET",
                                "name": "constant",
                                "outputParameters": [{"type": "string", "value": "x\x1b[2J\x9b2J\u202e"}],
                            },
                            {"method": "PUT", "name": "none\x1b[31m", "call": "up.read"},
                        ],
                    }
                ],
            }
        ],
    },
}


ARGUMENTS = {
    "anywhere": [
        ("validate", "h.yaml"),
        ("validate", "h.yaml", "--format", "json"),
        ("validate", "--strict", "h.yaml"),
        ("inspect", "h.yaml"),
        ("inspect", "h.yaml", "--format", "json"),
        ("call", "h.yaml", "nothing\x1b[31m"),
        ("call", "h.yaml", "up.read", "--dry-run"),
        ("export", "openapi", "h.yaml"),
        ("import", "openapi", "h.yaml"),
        ("plugins", "new", "bad\x1b[31m", "--kind", "exposer"),
    ],
    "on a terminal": [("call", "h.yaml", "constant"), ("serve", "h.yaml", "--port", "none\x1b[31m=1")],
}


@pytest.mark.parametrize("arguments", ARGUMENTS["anywhere"], ids=lambda arguments: escape(" ".join(arguments)))
def test_commands_print_no_escape_sequences(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("h.yaml").write_text(yaml.safe_dump(HOSTILE))
    main(arguments)
    printed = capsys.readouterr()
    assert_safe(printed.out)
    assert_safe(printed.err)
    assert printed.out + printed.err


@pytest.mark.parametrize("arguments", ARGUMENTS["on a terminal"], ids=lambda arguments: escape(" ".join(arguments)))
async def test_commands_print_no_escape_sequences_on_a_terminal(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "h.yaml").write_text(yaml.safe_dump(HOSTILE))
    text = await on_terminal(arguments, tmp_path)
    assert re.search(r"\\x[19]b", text)
    assert_safe(text)


async def on_terminal(arguments: tuple[str, ...], folder: Path) -> str:
    """Run the command on a terminal, and return its output."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapter_host", *arguments, stdout=theirs, stderr=theirs, stdin=theirs, cwd=folder
    )
    os.close(theirs)

    def read() -> bytes:
        data = b""
        try:
            while part := os.read(ours, 65536):
                data += part
        except OSError:  # the other side is closed
            pass
        return data

    output = await asyncio.to_thread(read)
    os.close(ours)
    await process.wait()
    return output.decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=" ".join)
async def test_hang_up_before_serving_reloads(options: tuple[str, ...], tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    (tmp_path / "capability.yaml").write_text(DOCUMENT)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapter_host", "serve", "capability.yaml", "--ready-file", "ready.json", *options,
        stderr=asyncio.subprocess.PIPE, cwd=tmp_path,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        await wait_for_handler(process.pid, signal.SIGHUP)
        assert not ready.exists()
        process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while b"INFO adapter_host: reload" not in (line := await process.stderr.readline()):
                assert line
        assert ready.exists()
        assert await terminate(process) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def wait_for_handler(process: int, number: signal.Signals) -> None:
    """Wait until a process handles a signal, for which there is no event."""
    status = Path(f"/proc/{process}/status")
    async with asyncio.timeout(20):
        while not int(status.read_text().partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1:  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.001)
