"""Limits of the number of connections: of a listener, of a client address, and of the process's descriptors."""

from __future__ import annotations

import ipaddress
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

if sys.platform != "win32":
    import resource

_MAX_RESERVE: Final = 256
"""Maximum number of descriptors that connections of clients leave for everything else."""


def descriptor_ceiling() -> int | None:
    """Return the first descriptor that a connection of a client must not have, or None without a limit.

    A quarter of the process's descriptors, at most 256, stays for the control port, upstreams and files.
    """
    if sys.platform == "win32":
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit - min(_MAX_RESERVE, limit // 4)


def address_reader(trusted_proxies: Sequence[str]) -> Callable[[str], str | None]:
    """Return a function that returns the client address to count, or None for a trusted proxy.

    An IPv6 client usually has a /64 network, so its addresses count as one.
    """
    networks = [ipaddress.ip_network(proxy, strict=False) for proxy in trusted_proxies]

    @lru_cache(maxsize=1024)
    def read(text: str) -> str | None:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return text
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if any(address in network for network in networks):
            return None
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address)

    return read


class AddressCounter:
    """Counts the connections of each client address; 0 is no limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._counts: Counter[str] = Counter()

    def is_full(self, address: str) -> bool:
        """Return True if the address has no connection left."""
        return bool(self.limit) and self._counts[address] >= self.limit

    def add(self, address: str) -> None:
        """Count a connection."""
        self._counts[address] += 1

    def remove(self, address: str) -> None:
        """Stop counting a connection."""
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
