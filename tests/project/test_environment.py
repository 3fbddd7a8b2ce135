"""Tests of the test environment: no network but loopback, and no variables of the user."""

from __future__ import annotations

import os
import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "example.com", "2001:db8::1"])
def test_network_is_blocked(host: str) -> None:
    with pytest.raises(PermissionError, match="may not reach"):
        socket.create_connection((host, 80), timeout=1)


def test_datagrams_are_blocked() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(PermissionError, match="may not reach"):
        datagrams.sendto(b"x", ("192.0.2.1", 53))


def test_loopback_is_allowed() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        socket.create_connection(("localhost", listening.getsockname()[1]), timeout=1).close()


def test_environment_is_clean() -> None:
    assert "PATH" in os.environ
    assert not [name for name in os.environ if name.startswith("ADAPTER_HOST") or name.lower().endswith("_proxy")]
    assert not [name for name in os.environ if name.endswith(("_TOKEN", "_SECRET", "_PASSWORD", "_API_KEY"))]
