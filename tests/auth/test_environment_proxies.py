"""Hosts that are called without the proxy of the environment."""

from __future__ import annotations

import pytest
from yarl import URL

from adapter_host import StartError
from adapter_host.environment_proxies import environment_proxy, proxy_of


@pytest.mark.parametrize(
    ("base", "excluded", "proxied"),
    [
        ("http://10.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3", "10.1.2.3/8", False),
        ("http://11.1.2.3", "10.0.0.0/8", True),
        ("http://10.1.2.3", "10.0.0.0/33, fd00::/8", True),
        ("http://ten.example", "10.0.0.0/8", True),
        ("http://[fd00::1]", "fd00::/8", False),
        ("http://[fd00::1]:8080", "10.0.0.0/8, fd00::/8", False),
        ("http://[::1]", "[::1]", False),
        ("http://[::1]", "::1", False),
        ("http://[::1]", "0:0:0:0:0:0:0:1", False),
        ("http://[::1]:8080", "[::1]:8080", False),
        ("http://[::1]:8081", "[::1]:8080", True),
        ("http://[::2]", "[::1]", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", False),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", True),
        ("http://a.example.com", ".example.com", False),
        ("http://a.example.com:8080", "example.com:8080", False),
        ("http://A.Example.com.", "example.com", False),
        ("http://badexample.com", "example.com", True),
        ("http://a.example.com", " , :80", True),
    ],
)
def test_hosts_without_a_proxy(base: str, excluded: str, proxied: bool) -> None:
    environment = {"http_proxy": "http://proxy.example", "no_proxy": excluded}
    assert proxy_of(URL(base), environment) == ("http://proxy.example" if proxied else None)


def test_invalid_proxy_of_the_environment() -> None:
    with pytest.raises(StartError) as caught:
        environment_proxy(URL("http://api.example"), {"http_proxy": "http://robot:secret@proxy.example:99999"})
    label = "http://proxy.example:99999"
    assert str(caught.value) == f"the proxy of the environment '{label}' is not a valid URL; correct http_proxy"
