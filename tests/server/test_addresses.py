"""Exposers that one process cannot serve together: their problems, and the listeners of those that it can."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Plugins, Settings
from adapter_host.compiler.plan import Plan
from adapter_host.host.loading import load_documents
from adapter_host.server.addresses import place, port_clashes, process_clashes
from adapter_host.server.layout import plan_listeners
from tests.support.exposer_entries import echo, rest, stdio

PLUGINS = Plugins.installed()


@pytest.fixture
def plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Sequence[Plan]:
    """Return the plans of a document for each list of exposers."""
    monkeypatch.chdir(tmp_path)
    names = []
    for name, exposes in zip("abc", request.param, strict=False):
        lines = (
            "naftiko: 1.0.0-alpha2",
            "capability:",
            "  consumes:",
            "    - {type: http, namespace: api, baseUri: 'http://127.0.0.1:9', resources: [{path: /a, operations: "
            "[{name: a, method: GET}]}]}",
            "  exposes:",
            *(f"    - {exposer}" for exposer in exposes),
        )
        Path(f"{name}.yaml").write_text("\n".join(lines))
        names.append(f"{name}.yaml")
    return load_documents(tuple(names), PLUGINS, Settings()).plans


CLASHES = {
    "one namespace": [[rest("site", 1)], [rest("site", 1)]],
    "one namespace three times": [[rest("site", 1), rest("site2", 1)], [rest("site", 1)], [rest("site", 1)]],
    "one namespace on two ports": [[rest("site", 1)], [rest("site", 2)]],
    "one namespace on free ports": [[rest("site", 0)], [rest("site", 0)]],
    "all IPv4 addresses and one": [[rest("site", 1, "0.0.0.0"), rest("other", 1)]],
    "one IPv4 address and all": [[rest("site", 1)], [rest("other", 1, "0.0.0.0")]],
    "all IPv4 addresses and one of IPv6": [[rest("site", 1, "0.0.0.0"), rest("other", 1, "::1")]],
    "all addresses and one": [[rest("site", 1, "[::]"), rest("other", 1, "127.0.0.2")]],
    "all addresses of both": [[rest("site", 1, "[::]"), rest("other", 1, "0.0.0.0")]],
    "two addresses": [[rest("site", 1), rest("other", 1, "127.0.0.2")]],
    "spellings of one IPv4 address": [[rest("a", 1), rest("b", 1, "127.0.0.1")]],
    "spellings of one IPv6 address": [[rest("c", 2, "[::1]"), rest("d", 2, "::1")]],
    "two protocols": [[rest("site", 1), echo("wire", 1)], [echo("wire2", 1)]],
    "two protocols on two ports": [[rest("site", 1), echo("wire", 2)]],
    "free ports": [[rest("site", 0), echo("wire", 0), echo("wire2", 0)]],
    "three on standard input": [[stdio("one"), rest("site", 1)], [stdio("two")], [stdio("three")]],
    "one on standard input": [[stdio("one"), rest("one2", 1)], [rest("one", 1)]],
}  # fmt: skip


@pytest.mark.parametrize("plans", CLASHES.values(), ids=CLASHES, indirect=True)
def test_clashes(plans: Sequence[Plan], snapshot: SnapshotAssertion) -> None:
    settings = Settings()
    clashes = [*port_clashes(plans, settings), *process_clashes(plans, settings)]
    assert [f"{item.exposer.config.namespace}: {item.problem} [{item.problem.code}]" for item in clashes] == snapshot


@pytest.mark.parametrize("plans", CLASHES.values(), ids=CLASHES, indirect=True)
def test_listeners(plans: Sequence[Plan], snapshot: SnapshotAssertion) -> None:
    assert [
        f"{listener.address} {listener.port} {listener.key}: "
        + ", ".join(f"{mount.exposer.config.namespace} at '{mount.prefix}'" for mount in listener.mounts)
        for listener in plan_listeners(plans, Settings())
    ] == snapshot


@pytest.mark.parametrize("plans", [[[rest("site", 1), rest("other", 2, "::1"), stdio("one")]]], indirect=True)
def test_overrides(plans: Sequence[Plan]) -> None:
    settings = Settings(address="::", ports={"site": 0, "one": 5})
    assert [(item.exposer.config.namespace, item.socket) for item in place(plans, settings)] == [
        ("site", "[::]:0"),
        ("other", "[::]:2"),
    ]
    assert [item.socket for item in place(plans, Settings())] == ["127.0.0.1:1", "[::1]:2"]
