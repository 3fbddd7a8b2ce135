"""Host names and addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

_NAME: Final = r"[A-Za-z0-9_.~!$&'()*+,;=%-]*"
_PORT: Final = r"(?::[0-9]{0,5})?"
_HOST: Final = re.compile(rf"(?:{_NAME}|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\]){_PORT}")
_ORIGIN: Final = re.compile(rf"null|[A-Za-z][A-Za-z0-9+.-]*://(?:{_NAME}|\[[0-9A-Fa-f:.]+\]){_PORT}")


def is_loopback(host: str) -> bool:
    """Return True if a host name or address is this machine's loopback."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """Return the name or address of a Host header, without its port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0].lower()


def join_port(address: str, port: int) -> str:
    """Return an address and a port as in a URL (RFC 3986, section 3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def address_check(networks: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that returns whether a text is an IP address in one of some addresses and networks."""
    parsed = [ipaddress.ip_network(network, strict=False) for network in networks]

    # Clients invent addresses in headers; the limit bounds the memory for them.
    @lru_cache(maxsize=1024)
    def is_in(text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in parsed)

    return is_in


def is_host(text: str) -> bool:
    """Return True for a valid `Host` header, which may be empty (RFC 9110, section 7.2; RFC 3986, section 3.2.2)."""
    return _HOST.fullmatch(text) is not None


def is_origin(text: str) -> bool:
    """Return True for the `Origin` header of one origin (RFC 6454, section 7.1)."""
    return _ORIGIN.fullmatch(text) is not None
