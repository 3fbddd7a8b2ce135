"""Proxies of consumed APIs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from yarl import URL

SOCKS: Final = "socks5h"


@dataclass(frozen=True, slots=True)
class ClientProxy:
    """A proxy with `http`, `https` or `socks5h`.

    `label` names it in errors and logs, without its credentials and with secrets by name.
    """

    url: URL = field(repr=False)
    label: str

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS5, and not HTTP."""
        return self.url.scheme == SOCKS

    @staticmethod
    def label_of(url: str) -> str:
        """Return a URL without user and password; it need not be valid."""
        user, at, rest = url.rpartition("@")
        scheme, slashes, _ = user.partition("//")
        return f"{scheme}{slashes}{rest}" if at and slashes else rest
