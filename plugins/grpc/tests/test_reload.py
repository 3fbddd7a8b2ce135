"""Connections are kept across reloads, and no call fails."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import grpc
from adapter_host.testing import running

from .conftest import Document, channel_to, document

CONNECTIONS = 64
RELOADS = 50


def text_of(response: bytes) -> str:
    """Return the text in the field `result`, a `Value`, of a response."""
    return response[4:].decode()


def numbered(number: int) -> Document:
    """Return a document whose only operation returns a number."""
    outputs = [{"type": "string", "value": str(number)}]
    return document({"name": "read", "outputParameters": outputs})


async def test_reloads_under_load_fail_no_call() -> None:
    async with running(numbered(0)) as served:
        url = served.url("front-door")

        async def load() -> int:
            results: list[str] = []
            async with channel_to(url) as channel:
                invoke: Any = channel.unary_unary("/front_door.FrontDoor/Read")
                while str(RELOADS) not in results[-1:]:
                    results.append(text_of(await invoke(b"")))
            assert results == sorted(results, key=int)
            return len(results)

        tasks = [asyncio.ensure_future(load()) for _ in range(CONNECTIONS)]
        for number in range(1, RELOADS + 1):
            await served.host.reload(numbered(number))
            assert served.url("front-door") == url
        # Raises the first error of a call.
        assert min(await asyncio.gather(*tasks)) > 1


async def test_call_in_flight_completes_and_the_next_one_is_of_the_new_document() -> None:
    consumed = [{"name": "read"}]
    before = document({"name": "read", "call": "api.read"}, consumed=consumed)
    after = document({"name": "again", "call": "api.read"}, consumed=consumed)
    async with running(before) as served, channel_to(served.url("front-door")) as channel:
        hold = served.fake("api").hold("read")
        old: Any = channel.unary_unary("/front_door.FrontDoor/Read")
        call = old(b"")
        await hold.entered.wait()
        reloading = asyncio.ensure_future(served.host.reload(after))
        new: Any = channel.unary_unary("/front_door.FrontDoor/Again")
        while await code_of(new(b"")) is grpc.StatusCode.UNIMPLEMENTED:
            assert not call.done()
        hold.release.set()
        assert await call is not None
        await reloading
        assert await code_of(old(b"")) is grpc.StatusCode.UNIMPLEMENTED


async def code_of(call: Any) -> grpc.StatusCode:
    """Return the status of a call."""
    code: grpc.StatusCode = await call.code()
    return code


async def test_exposer_that_disappears_closes_its_connections() -> None:
    async with running(numbered(0)) as served, channel_to(served.url("front-door")) as channel:
        invoke: Any = channel.unary_unary("/front_door.FrontDoor/Read")
        await invoke(b"")
        other = document({"name": "read", "outputParameters": [{"type": "string", "value": "x"}]}, namespace="other")
        await served.host.reload(other)
        assert served.url("other")
        assert await code_of(invoke(b"")) is grpc.StatusCode.UNAVAILABLE


async def test_command_serves(tmp_path: Path) -> None:
    path = tmp_path / "capability.yaml"
    content = numbered(7)
    del content["capability"]["consumes"]
    path.write_text(json.dumps(content))
    # With uvloop where it is installed, as operators run it.
    options = ("-m", "adapter_host", "serve", str(path))
    process = await asyncio.create_subprocess_exec(sys.executable, *options, stderr=asyncio.subprocess.PIPE)
    try:
        assert process.stderr is not None
        output = ""
        while (found := re.search(r"grpc://[^ ]+", output)) is None:
            line = await process.stderr.readline()
            assert line, output
            output += line.decode()
        async with channel_to(found[0]) as channel:
            invoke: Any = channel.unary_unary("/front_door.FrontDoor/Read")
            assert text_of(await invoke(b"", wait_for_ready=True)) == "7"
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0


async def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    exposed = numbered(7)
    (entry,) = exposed["capability"]["exposes"]
    del entry["port"]
    entry["unixSocket"] = str(path)
    async with running(exposed), grpc.aio.insecure_channel(f"unix:{path}") as channel:
        invoke: Any = channel.unary_unary("/front_door.FrontDoor/Read")
        assert text_of(await invoke(b"")) == "7"
