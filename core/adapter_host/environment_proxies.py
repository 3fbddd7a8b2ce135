"""Proxies of the environment, and the hosts that are called without those of the environment."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from yarl import URL

from .client_proxy import ClientProxy
from .errors import StartError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def environment_proxy(base: URL, environment: Mapping[str, str]) -> ClientProxy | None:
    """Return the proxy of the environment for a base URL, if there is one."""
    text = proxy_of(base, environment)
    if text is None:
        return None
    label = ClientProxy.label_of(text)
    try:
        return ClientProxy(URL(text), label)
    except ValueError:
        message = f"the proxy of the environment '{label}' is not a valid URL; correct {base.scheme}_proxy"
        raise StartError(message) from None


def proxy_of(base: URL, environment: Mapping[str, str]) -> str | None:
    """Return the proxy for a base URL, if there is one (`http_proxy`, `https_proxy`, `no_proxy`; also in capitals)."""
    proxy, excluded = (
        environment.get(name) or environment.get(name.upper()) for name in (f"{base.scheme}_proxy", "no_proxy")
    )
    return proxy if proxy and not _is_excluded(base, excluded or "") else None


def _is_excluded(base: URL, excluded: str) -> bool:
    host = (base.raw_host or "").rstrip(".").lower()
    address = _address(host)
    entries = [entry.strip().lower() for entry in excluded.split(",") if entry.strip()]
    return any(entry == "*" or _matches(entry, host, base.port, address) for entry in entries)


def _matches(entry: str, host: str, port: int | None, address: Address | None) -> bool:
    """Return whether an entry is the host, a domain above it or a network with it; an entry may have a port."""
    if "/" in entry:
        return address is not None and _contains(entry, address)
    name, entry_port = _split_port(entry)
    if entry_port is not None and entry_port != str(port):
        return False
    if address is not None:
        return _address(name) == address
    name = name.strip(".")
    return host == name or host.endswith(f".{name}")


def _split_port(entry: str) -> tuple[str, str | None]:
    """Return host and port of an entry: `host`, `host:80`, `::1`, `[::1]` or `[::1]:80`."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest[1:] if rest.startswith(":") else None
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, None


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _contains(network: str, address: Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
