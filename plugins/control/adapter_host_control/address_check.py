"""Checks the address of a control exposer; apart from the guard because it must not import aiohttp."""

from __future__ import annotations

import socket

from adapter_host import BuildContext, Settings, is_loopback

from .config import ControlConfig


def check_address(config: ControlConfig, context: BuildContext) -> None:
    """Report a control exposer that other machines can reach."""
    address = _address(config, context.settings)
    if address is None or is_loopback(address):
        return
    if config.authentication is None and config.mutating_endpoints:
        message = (
            f"anyone who can reach {address} can use {' and '.join(config.mutating_endpoints)};"
            " set 'authentication', or listen on localhost"
        )
        context.problem(message, config, "authentication", code="open-control")
    elif not is_loopback(config.address) or config.namespace in context.settings.sockets:
        message = f"the control exposer listens on {address}, which other machines can reach; restrict access to it"
        context.warn(message, config, "address", code="open-control")


def _address(config: ControlConfig, settings: Settings) -> str | None:
    """Return the address that the exposer will listen on; None for a Unix socket."""
    inherited = settings.sockets.get(config.namespace)
    if inherited is not None:
        is_unix = inherited.family not in (socket.AF_INET, socket.AF_INET6)
        return None if is_unix else str(inherited.getsockname()[0])
    return None if config.namespace in settings.unix_sockets else settings.address or config.address
