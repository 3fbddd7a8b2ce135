"""The place of a host in the application of somebody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapter_host.compiler.plan import Plan
from adapter_host.errors import Problem, ProblemsError
from adapter_host.server.addresses import url_clashes
from adapter_host.server.layout import plan_sockets
from adapter_host.server.mounts import ExposerMount, mounts, set_prefixes
from adapter_host.server.router import MountedApp, RootRouter
from adapter_host.server.socket_listener import SocketListener
from adapter_host.settings import Settings


@dataclass(slots=True, eq=False)
class Attachment:
    """The router of an outer application, and the prefix of the host in it.

    `siblings` are the attachments of all hosts to the application. With `listens`, exposers with sockets are served
    too; without `namespaces`, the only HTTP exposer is served at the prefix itself.
    """

    router: RootRouter
    prefix: str
    siblings: Sequence[Attachment] = ()
    listens: bool = False
    namespaces: bool = True
    served: Sequence[ExposerMount] = field(default=())

    def mounts(self, plans: Sequence[Plan]) -> list[ExposerMount]:
        """Return a mount for each HTTP exposer; raise `ProblemsError` for those that would have the same URL."""
        http_mounts = mounts(plans)
        if clashes := url_clashes(http_mounts, "in one application"):
            raise ProblemsError(clash.problem for clash in clashes)
        if self.namespaces:
            set_prefixes(http_mounts, self.prefix)
        else:
            for mount in http_mounts:
                mount.prefix = self.prefix
        if problems := list(self._clashes(http_mounts)):
            raise ProblemsError(problems)
        return http_mounts

    def _clashes(self, http_mounts: Sequence[ExposerMount]) -> list[Problem]:
        """Return a problem for each mount at the prefix of another, of this host or of another one."""
        problems = []
        taken = {mount.prefix: mount for other in self.siblings if other is not self for mount in other.served}
        for mount in http_mounts:
            other = taken.setdefault(mount.prefix, mount)
            if other is mount:
                continue
            loaded, config = mount.plan.loaded, mount.exposer.config
            place, holder = mount.prefix or "/", other.exposer.config.namespace
            message = (
                f"'{config.namespace}' would be served at '{place}', like '{holder}' of"
                f" {other.plan.loaded.source.file}; attach the host with another prefix, or with namespaces"
            )
            problems.append(loaded.source.problem(loaded.loc(config, "namespace"), message, code="namespace-clash"))
        return problems

    def sockets(self, plans: Sequence[Plan], settings: Settings) -> list[SocketListener]:
        """Return the endpoints of exposers with sockets; raise `ProblemsError` if there are any, without `listens`."""
        listeners = plan_sockets(plans, settings)
        if listeners and not self.listens:
            raise ProblemsError(listener.refusal() for listener in listeners)
        return listeners

    def serve(self, http_mounts: Sequence[ExposerMount], apps: Mapping[str, MountedApp]) -> None:
        """Serve other applications from now on."""
        self.served = http_mounts
        self.router.mount(apps)
