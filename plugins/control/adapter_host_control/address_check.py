"""Report a control exposer that others than this machine can reach; apart from the guard, which needs aiohttp."""

from __future__ import annotations

from adapter_host import BuildContext, is_loopback

from .config import ControlConfig


def check_address(config: ControlConfig, context: BuildContext) -> None:
    """Report what is open to others than this machine."""
    address = context.settings.address or config.address
    if is_loopback(address):
        return
    if config.authentication is None and config.mutating_endpoints:
        message = (
            f"whoever reaches {address} could use {' and '.join(config.mutating_endpoints)}"
            " (give the control exposer 'authentication', or leave its address at localhost)"
        )
        context.problem(message, config, "authentication", code="open-control")
    elif not is_loopback(config.address):
        message = f"the control exposer listens on {address}, for others than this machine (mind who can reach it)"
        context.warn(message, config, "address", code="open-control")
