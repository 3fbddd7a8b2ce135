"""With `--log-format json`, every line on standard error is a JSON object."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import DOCUMENT, Serve

JSON = ("--log-format", "json")


def lines_of(text: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    return lines


async def test_start_and_stop(serve: Serve) -> None:
    unused = DOCUMENT.replace("      resources:\n", "      unheard: 1\n      resources:\n", 1)
    async with serve(*JSON, document=unused) as served:
        served.process.send_signal(signal.SIGTERM)
        code, err = await served.wait_until_exit()
    assert code == 0
    problem, shop, tools, *others = lines_of(err)
    assert (problem["level"], problem["file"], problem["code"]) == ("warning", "shop.yaml", "unknown-key")
    assert problem["line"] > 1
    assert (shop["exposer"], shop["exposer_type"], shop["operations"]) == ("shop", "rest", 1)
    assert (shop["capability"], shop["authentication"], shop["url"]) == ("Shop", "none", served.urls["shop"])
    assert tools["message"] == f"exposer 'tools' (mcp) is served at {served.urls['tools']}"
    assert [line["message"] for line in others] == ["serving", "draining: 0 calls in flight", "stopped"]


@pytest.mark.parametrize(
    ("document", "options", "code", "message"),
    [
        (DOCUMENT.replace("call: api.list}", "call: api.lst}", 1), (), 1, "api.lst"),
        (DOCUMENT, (), 1, "SHOP_TOKEN"),
        (DOCUMENT, ("--port", "none=1"), 2, "--port: unknown namespace"),
        (DOCUMENT, ("--stdio", "--workers", "2", "--mock"), 1, "--workers cannot be used"),
    ],
    ids=["problem", "secret", "usage", "start"],
)
def test_failed_start(document: str, options: tuple[str, ...], code: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(document)
    ended = subprocess.run(
        [sys.executable, "-m", "adapter_host", "serve", "shop.yaml", *JSON, *options],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == code
    lines = lines_of(ended.stderr)
    assert any(message in line["message"] and line["level"] == "error" for line in lines)
