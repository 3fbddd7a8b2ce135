"""Limits of the number of connections: of a listener, of a client address, and of the process's descriptors."""

from __future__ import annotations

import ipaddress
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

if sys.platform != "win32":
    import resource

_MAX_RESERVE: Final = 1024
"""Maximum number of descriptors that connections of clients leave for everything else."""


@dataclass(frozen=True, slots=True)
class DescriptorLimits:
    """Limits that keep descriptors for the control port, upstreams and files.

    `ceiling` is the first descriptor that a connection of a client must not have, None without a limit. `backlog` is
    the number of connections that wait to be accepted: the event loop accepts all of them before any is refused.
    """

    ceiling: int | None
    backlog: int


def descriptor_limits() -> DescriptorLimits:
    """Return the limits for this process, which keep a quarter of its descriptors, at most 1024."""
    if sys.platform == "win32":
        return DescriptorLimits(None, _MAX_RESERVE // 2)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return DescriptorLimits(None, _MAX_RESERVE // 2)
    reserve = min(_MAX_RESERVE, limit // 4)
    return DescriptorLimits(limit - reserve, max(1, reserve // 2))


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
