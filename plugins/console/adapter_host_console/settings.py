"""The settings of the plugin."""

from __future__ import annotations

from typing import Final

from pydantic import Field, field_validator

from adapter_host import Model, is_loopback

PLUGIN: Final = "console"
"""The name of the plugin, under which its settings are."""


class ConsoleSettings(Model):
    """`serve --console [PORT]`, `--plugin-setting console.KEY=VALUE`, or `plugins: {console: {...}}`.

    Without `port` there is no console; 0 is any free port.
    """

    port: int | None = Field(None, ge=0, le=65535)
    address: str = "127.0.0.1"

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str) -> str:
        if not is_loopback(address):
            raise ValueError("the console listens on loopback only; forward its port with ssh -L instead")
        return address
