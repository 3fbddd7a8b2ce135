"""Addresses and ports of exposers, and exposers that cannot be served together. Imports no server."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from adapter_host.capability.spec import ExposerConfig
from adapter_host.compiler.plan import ExposerPlan, Plan
from adapter_host.errors import Problem
from adapter_host.hosts import join_port
from adapter_host.plugin.exposer import Exposer, HttpExposer
from adapter_host.settings import Settings

_ADDRESSES: Final = {"localhost": "127.0.0.1", "[::]": "::", "[::1]": "::1"}
"""Addresses in the form of sockets, so that exposers share a listener however they write the address."""

_ALL: Final = "::"
_ALL_IPV4: Final = "0.0.0.0"


class Clash(NamedTuple):
    """An exposer that cannot be served together with others, and its problem; `other` is one of those on its port."""

    exposer: Exposer[Any]
    problem: Problem
    other: Exposer[Any] | None = None


class Served(Protocol):
    """An exposer of a plan."""

    @property
    def plan(self) -> Plan:
        """The plan."""

    @property
    def exposer(self) -> Exposer[Any]:
        """The exposer."""

    @property
    def exposer_plan(self) -> ExposerPlan:
        """The exposer with what was compiled for it."""

    @property
    def config(self) -> ExposerConfig:
        """The model that has the address and port."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An exposer, and the address and port that it listens on, or the path; port 0 is any free one.

    `inherited` is the socket if another process has bound it.
    """

    plan: Plan
    exposer_plan: ExposerPlan
    address: str
    port: int
    path: str | None = None
    inherited: socket.socket | None = None

    @property
    def exposer(self) -> Exposer[Any]:
        """The exposer."""
        return self.exposer_plan.exposer

    @property
    def config(self) -> ExposerConfig:
        """The model that has the address and port."""
        return listening_config(self.exposer)

    @property
    def socket(self) -> str:
        """The address and port, as in a URL, or the path."""
        return join_port(self.address, self.port) if self.path is None else self.path

    def excludes(self, other: Placed) -> bool:
        """Return whether only one of two exposers can listen."""
        share = isinstance(self.exposer, HttpExposer) and isinstance(other.exposer, HttpExposer)
        if self.path is not None or other.path is not None:
            return self.path == other.path and not share
        if not self.port or self.port != other.port:
            return False
        if self.address == other.address:
            return not share
        addresses = {self.address, other.address}
        return _ALL in addresses or (_ALL_IPV4 in addresses and not any(":" in address for address in addresses))


def place(plans: Iterable[Plan], settings: Settings) -> Iterator[Placed]:
    """Yield the exposers that listen on a port or path."""
    plans = tuple(plans)
    sharing = sharing_exposers(plans)
    for plan in plans:
        for exposer_plan in plan.exposers:
            exposer = exposer_plan.exposer
            config = listening_config(exposer)
            elsewhere = _elsewhere(plan, exposer_plan, settings, shares=exposer in sharing)
            if elsewhere is not None:
                yield elsewhere
                continue
            if (path := getattr(config, "unix_socket", None)) is not None and exposer.context.sockets:
                folder = os.path.dirname(plan.loaded.source.position_of(plan.loaded.loc(config, "unixSocket"))[0])
                yield Placed(plan, exposer_plan, "", 0, os.path.abspath(os.path.join(folder, path)))
                continue
            port = settings.ports.get(exposer.config.namespace, getattr(config, "port", None))
            if isinstance(port, int) and not exposer.stdio:
                address = str(settings.address or getattr(config, "address", "localhost"))
                yield Placed(plan, exposer_plan, _ADDRESSES.get(address, address), port)


def sharing_exposers(plans: Iterable[Plan]) -> Sequence[Exposer[Any]]:
    """Return the exposers that a socket or path without a namespace is for.

    They are the HTTP exposers, but no control exposers, or the only exposer with a socket if there are none.
    """
    exposers = [exposer_plan.exposer for plan in plans for exposer_plan in plan.exposers]
    # A proxy that publishes the shared socket must not publish control ports.
    http = [each for each in exposers if isinstance(each, HttpExposer) and not each.monitors_host and not each.stdio]
    others = [each for each in exposers if each.context.sockets and not each.stdio]
    return http or (others if len(others) == 1 else [])


def can_listen(exposer: Exposer[Any]) -> bool:
    """Return whether the host opens a socket for an exposer."""
    return not exposer.stdio and (isinstance(exposer, HttpExposer) or bool(exposer.context.sockets))


def _elsewhere(plan: Plan, exposer_plan: ExposerPlan, settings: Settings, *, shares: bool) -> Placed | None:
    """Return where an exposer listens if the settings name a socket or path; None without one."""
    exposer = exposer_plan.exposer
    if not (settings.sockets or settings.unix_sockets) or not can_listen(exposer):
        return None
    for name in (exposer.config.namespace, *([""] if shares else [])):
        if (inherited := settings.sockets.get(name)) is not None:
            if inherited.family not in (socket.AF_INET, socket.AF_INET6):
                return Placed(plan, exposer_plan, "", 0, inherited.getsockname(), inherited)
            address, port = inherited.getsockname()[:2]
            return Placed(plan, exposer_plan, address, port, None, inherited)
        if (path := settings.unix_sockets.get(name)) is not None:
            return Placed(plan, exposer_plan, "", 0, os.path.abspath(path))
    return None


def listening_config(exposer: Exposer[Any]) -> ExposerConfig:
    """Return the model that has the address and port of an exposer."""
    config: ExposerConfig = next((socket.config for socket in exposer.context.sockets), exposer.config)
    return config


def url_clashes(exposers: Sequence[Served], location: str) -> list[Clash]:
    """Return a problem for each exposer that would have a URL of another."""
    return [*_namespace_clashes(exposers, location), *_origin_clashes(exposers, location)]


def _namespace_clashes(exposers: Sequence[Served], location: str) -> list[Clash]:
    clashes = []
    first: dict[str, Plan] = {}
    for item in exposers:
        namespace = item.exposer.config.namespace
        other = first.setdefault(namespace, item.plan)
        if other is not item.plan:
            message = (
                f"namespace '{namespace}' is already served {location} by {other.loaded.source.file};"
                " rename one, or serve it by another host"
            )
            clashes.append(_clash(item, "namespace", message, "namespace-clash"))
    return clashes


def _origin_clashes(exposers: Sequence[Served], location: str) -> list[Clash]:
    clashes = []
    first: dict[str, str] = {}
    for item in exposers:
        namespace = item.exposer.config.namespace
        for path in sorted(item.exposer_plan.origin_paths):
            if (owner := first.setdefault(path, namespace)) != namespace:
                message = f"{path} is already served {location} by '{owner}'; choose another port"
                clashes.append(_clash(item, "port", message, "origin-clash"))
    return clashes


def port_clashes(plans: Iterable[Plan], settings: Settings) -> list[Clash]:
    """Return a problem for each exposer that would have the URL of another on its port."""
    sharing: dict[tuple[str, int | str], list[Placed]] = {}
    for item in place(plans, settings):
        if (item.port or item.path) and isinstance(item.exposer, HttpExposer):
            sharing.setdefault((item.address, item.path or item.port), []).append(item)
    return [
        clash
        for (_, place), exposers in sharing.items()
        for clash in url_clashes(exposers, f"on port {place}" if isinstance(place, int) else f"on {place}")
    ]


def process_clashes(plans: Sequence[Plan], settings: Settings) -> list[Clash]:
    """Return a problem for each exposer that one process cannot serve together with the others."""
    return [*listening_clashes(list(place(plans, settings))), *_stdio_clashes(plans)]


def listening_clashes(placed: Sequence[Placed]) -> list[Clash]:
    """Return a problem for each exposer on the port or path of another."""
    clashes = []
    for index, item in enumerate(placed):
        other = next((other for other in placed[:index] if other.excludes(item)), None)
        if other is not None:
            kind, key = ("port", "port") if item.path is None else ("path", "unixSocket")
            message = (
                f"cannot listen on {item.socket}: '{other.exposer.config.namespace}' listens on {other.socket};"
                f" choose another {kind}"
            )
            clashes.append(_clash(item, key, message, "cannot-listen")._replace(other=other.exposer))
    return clashes


def _stdio_clashes(plans: Sequence[Plan]) -> list[Clash]:
    declared = [
        Placed(plan, exposer_plan, "", 0)
        for plan in plans
        for exposer_plan in plan.exposers
        if exposer_plan.exposer.stdio
    ]
    return [
        _clash(
            item,
            "transport",
            f"standard input and output serve '{declared[0].exposer.config.namespace}';"
            " serve this exposer over HTTP, or by another host",
            "stdio-clash",
        )
        for item in declared[1:]
    ]


def _clash(item: Served, key: str, message: str, code: str) -> Clash:
    loaded = item.plan.loaded
    return Clash(item.exposer, loaded.source.problem(loaded.loc(item.config, key), message, code=code))
