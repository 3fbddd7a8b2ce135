"""Proxies of one consumer or of the environment, and the hosts that are called without those of the environment."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final

from yarl import URL

from adapter_host import BuildContext, StartError

from .config import HttpConfig

SOCKS: Final = "socks5h"
_SCHEMES: Final = ("http", "https", SOCKS)
_KEY: Final = "x-proxy"
_PORTS: Final = {"http": 80, "https": 443, SOCKS: 1080}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `label` names it in errors and logs, without its credentials and with secrets by name."""

    url: URL = field(repr=False)
    label: str
    is_socks: bool = False


def compile_proxy(config: HttpConfig, context: BuildContext) -> Proxy | None:
    """Return the `x-proxy` of a consumer, or None without it, without its secrets, or after reporting a problem."""
    if config.proxy is None:
        return None
    template = context.secret(config.proxy, config, _KEY)
    if not context.has_value(template):
        return None
    label = _without_user(template.masked())
    error = None
    try:
        url = URL(template.constant or "")
        if url.scheme not in _SCHEMES or not url.host or (url.path.strip("/") or url.query_string or url.fragment):
            error = "must be http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT, with USER:PASSWORD@ if needed"
        elif not ((url.user or "") + (url.password or "")).isascii():
            error = "must have an ASCII user and password"
        elif url.scheme == SOCKS and find_spec("python_socks") is None:
            error = "is a SOCKS proxy, which needs a library; run pip install 'adapter-host-http[socks]'"
    except ValueError:
        error = "is not a valid URL; encode reserved characters of its user and password, such as %40 for @"
    if error is not None:
        context.problem(f"the proxy '{label}' {error}", config, _KEY, code="proxy")
        return None
    return Proxy(url if url.port else url.with_port(_PORTS[url.scheme]), label, url.scheme == SOCKS)


def environment_proxy(base: URL, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy of the environment for a base URL, if there is one."""
    text = proxy_of(base, environment)
    if text is None:
        return None
    label = _without_user(text)
    try:
        return Proxy(URL(text), label)
    except ValueError:
        message = f"the proxy of the environment '{label}' is not a valid URL; correct {base.scheme}_proxy"
        raise StartError(message) from None


def _without_user(url: str) -> str:
    user, at, rest = url.rpartition("@")
    scheme, slashes, _ = user.partition("//")
    return f"{scheme}{slashes}{rest}" if at and slashes else rest


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
