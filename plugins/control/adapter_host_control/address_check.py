"""Checks the address of a control exposer; apart from the guard because it must not import aiohttp."""

from __future__ import annotations

from adapter_host import BuildContext, is_loopback

from .config import ControlConfig


def check_address(config: ControlConfig, context: BuildContext) -> None:
    """Report a control exposer that other machines can reach."""
    address = context.settings.address or config.address
    if is_loopback(address):
        return
    if config.authentication is None and config.mutating_endpoints:
        message = (
            f"anyone who can reach {address} can use {' and '.join(config.mutating_endpoints)};"
            " set 'authentication', or listen on localhost"
        )
        context.problem(message, config, "authentication", code="open-control")
    elif not is_loopback(config.address):
        message = f"the control exposer listens on {address}, which other machines can reach; restrict access to it"
        context.warn(message, config, "address", code="open-control")
