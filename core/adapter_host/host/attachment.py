"""The place of a host in the application of somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapter_host.compiler.plan import Plan
from adapter_host.errors import ProblemsError
from adapter_host.server.addresses import url_clashes
from adapter_host.server.layout import plan_sockets
from adapter_host.server.mounts import ExposerMount, mounts, set_prefixes
from adapter_host.server.router import RootRouter
from adapter_host.server.socket_listener import SocketListener
from adapter_host.settings import Settings


@dataclass(frozen=True, slots=True)
class Attachment:
    """The router of an outer application, and the prefix of the host in it.

    With `listens`, exposers with sockets of their own are served too.
    """

    router: RootRouter
    prefix: str
    listens: bool = False

    def mounts(self, plans: Sequence[Plan]) -> list[ExposerMount]:
        """Return a mount below its namespace for each HTTP exposer; raise `ProblemsError` for clashes."""
        http_mounts = mounts(plans)
        if clashes := url_clashes(http_mounts, "in one application"):
            raise ProblemsError(problem for _, problem in clashes)
        set_prefixes(http_mounts, self.prefix)
        return http_mounts

    def sockets(self, plans: Sequence[Plan], settings: Settings) -> list[SocketListener]:
        """Return the endpoints of exposers with sockets; raise `ProblemsError` if there are any, without `listens`."""
        listeners = plan_sockets(plans, settings)
        if listeners and not self.listens:
            raise ProblemsError(listener.refusal() for listener in listeners)
        return listeners
