"""A low limit of open files ends in one message, or not at all."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

LIMIT = 64


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def _capabilities(folder: Path, ports: dict[str, int]) -> None:
    for name, port in ports.items():
        operation = {"name": "get", "method": "GET"}
        exposed = {"path": "/r", "operations": [{"method": "GET", "call": f"api-{name}.get"}]}
        document = {
            "naftiko": "1.0.0-alpha2",
            "capability": {
                "consumes": [
                    {
                        "type": "http",
                        "namespace": f"api-{name}",
                        "baseUri": "https://api.example.com",
                        "resources": [{"name": "r", "path": "/r", "operations": [operation]}],
                    }
                ],
                "exposes": [{"type": "rest", "namespace": name, "port": port, "resources": [exposed]}],
            },
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))


@pytest.mark.parametrize("options", [[], ["--workers", "2"]])
def test_too_many_ports(tmp_path: Path, options: list[str]) -> None:
    _capabilities(tmp_path, {f"r{number}": 0 for number in range(2 * LIMIT)})
    command = [sys.executable, "-m", "adapter_host", "serve", "--mock", *options, str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=_limit, env={"PATH": os.defpath}
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "too many open files; raise the limit of open files (ulimit -n)" in done.stderr.splitlines()[-1]


def test_many_mocked_apis_on_one_port(tmp_path: Path) -> None:
    _capabilities(tmp_path, {f"r{number}": 8080 for number in range(2 * LIMIT)})
    script = f"""
import asyncio
from adapter_host import Host, Settings
settings = Settings(mock=True, environment={{}}, ports={{f"r{{n}}": 0 for n in range({2 * LIMIT})}})
async def main():
    host = Host({str(tmp_path)!r}, settings=settings)
    await host.start(listen=False)
    print(len({{consumer.base_uri.rpartition("/")[0] for plan in host.plans for consumer in plan.consumers}}))
    await host.stop()
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, preexec_fn=_limit
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
