"""Ports that worker processes share, and ports of monitoring exposers, of which each worker has its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import unused_port
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, RegisterExposer, Settings, StartError, hookimpl
from adapter_host.server.layout import plan_listeners, plan_sockets
from adapter_host.server.listener import Listener
from adapter_host.server.shared_ports import SharedPorts
from adapter_host.server.socket_listener import SocketListener
from tests.support.adapters import PlainExposer, document, plain, plain_plugins
from tests.support.lines import line_plugins


class Monitor(PlainExposer):
    """An exposer that monitors the host."""

    monitors_host = True


class MonitorPlugin:
    """The plugin of `type: monitor`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("monitor", Monitor)


def listeners(*exposed: dict[str, Any]) -> list[Listener]:
    host = Host(document(*exposed), plugins=plain_plugins(monitor=MonitorPlugin()))
    return plan_listeners(host.plans, Settings())


def monitor(namespace: str = "watch", port: int = 0) -> dict[str, Any]:
    return {**plain(namespace=namespace, port=port), "type": "monitor"}


@pytest.fixture
def ports() -> Iterator[SharedPorts]:
    with closing(SharedPorts(3)) as ports:
        yield ports


def is_free(port: int) -> bool:
    """Return whether nobody else has bound a port."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> int:
    """Return the first of `count` consecutive free ports."""
    return next(
        first
        for first in iter(unused_port, 0)
        if first + count <= 65_536 and all(map(is_free, range(first, first + count)))
    )


def test_workers_share_one_port(ports: SharedPorts) -> None:
    (front,) = listeners(plain())
    assert ports.reserve([front]) == {}
    assert front.port
    assert not is_free(front.port)
    reserved = front.port
    for worker in (1, 2, 3):
        ports.worker = worker
        (own,) = listeners(plain())
        own.key = front.key
        ports.open(own)
        assert own.port == reserved
        assert own._socket is not None
        assert own._socket.getsockname() == ("127.0.0.1", reserved)
        assert not own._socket.getblocking()
        own._socket.close()


def test_each_worker_has_a_port_of_a_monitoring_exposer(ports: SharedPorts) -> None:
    first = free_ports(3)
    front, watch = listeners(plain(), monitor(port=first))
    assert ports.reserve([front, watch]) == {"watch": [first, first + 1, first + 2]}
    assert [ports.port(watch), watch.port] == [first, first]
    assert not any(is_free(first + index) for index in range(3))
    for worker in (1, 2, 3):
        ports.worker = worker
        assert ports.port(watch) == first + worker - 1
        assert ports.port(front) == front.port


def test_free_ports_of_a_monitoring_exposer_differ(ports: SharedPorts) -> None:
    (watch,) = listeners(monitor())
    found = ports.reserve([watch])["watch"]
    assert len(set(found)) == 3
    assert watch.port == found[0]


def test_exposers_that_share_a_monitored_port(ports: SharedPorts) -> None:
    first = free_ports(3)
    (both,) = listeners(monitor("one", first), monitor("two", first))
    expected = [first, first + 1, first + 2]
    assert ports.reserve([both]) == {"one": expected, "two": expected}


def test_port_of_both_kinds_of_exposers_is_shared(ports: SharedPorts) -> None:
    first = free_ports(2)
    (both,) = listeners(monitor("one", first), plain(port=first))
    assert ports.reserve([both]) == {}
    assert is_free(first + 1)


def test_ports_are_kept_and_released(ports: SharedPorts) -> None:
    kept, left = listeners(plain(namespace="kept"), plain(namespace="left"))
    ports.reserve([kept, left])
    before, released = kept.port, left.port
    (again,) = listeners(plain(namespace="kept"))
    ports.reserve([again])
    assert again.port == before
    assert is_free(released)
    assert not is_free(before)
    ports.close()
    assert is_free(before)


def test_taken_port_of_a_later_worker(ports: SharedPorts) -> None:
    first = free_ports(3)
    (watch,) = listeners(monitor(port=first))
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", first + 1))
        taken.listen()
        with pytest.raises(StartError, match=f":{first + 1}: "):
            ports.reserve([watch])
        assert is_free(first)


def test_ports_of_a_reload(ports: SharedPorts, snapshot: SnapshotAssertion) -> None:
    ports.worker = 2
    first = free_ports(2)
    (front,), (watch,) = listeners(plain(port=first)), listeners(monitor(port=first))
    assert (ports.port(front), ports.port(watch)) == (first, first + 1)
    (free,) = listeners(plain())
    with pytest.raises(StartError) as raised:
        ports.port(free)
    assert str(raised.value) == snapshot


def wire(path: Path) -> list[SocketListener]:
    exposed = {"type": "streams", "namespace": "wire", "unixSocket": str(path)}
    return plan_sockets(Host(document(exposed), plugins=line_plugins()).plans, Settings())


def test_failed_reservation_keeps_the_reserved_ports(ports: SharedPorts) -> None:
    (kept,) = listeners(plain())
    ports.reserve([kept])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first, second = listeners(plain(namespace="new"), plain(port=taken.getsockname()[1], namespace="taken"))
        with pytest.raises(StartError, match="address already in use"):
            ports.reserve([first, second])
    assert is_free(first.port)
    assert not is_free(kept.port)


def test_workers_share_a_unix_socket(ports: SharedPorts, tmp_path: Path) -> None:
    path = tmp_path / "wire.sock"
    ports.reserve(wire(path))
    for worker in (1, 2):
        ports.worker = worker
        (own,) = wire(path)
        ports.open(own)
        with own.duplicate() as duplicate, socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            duplicate.setblocking(True)
            duplicate.accept()[0].close()
        own.close()
        assert path.exists(), "the file belongs to the parent"
    ports.close()
    assert not path.exists()


def test_reload_cannot_add_a_unix_socket(ports: SharedPorts, tmp_path: Path) -> None:
    (own,) = wire(tmp_path / "wire.sock")
    with pytest.raises(StartError, match="with --workers a reload cannot add a Unix socket; restart"):
        ports.open(own)
