"""The settings of the plugin."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from adapter_host import ListField, Model, is_loopback

PLUGIN: Final = "console"
"""The name of the plugin, under which its settings are."""


class ConsoleSettings(Model):
    """`serve --console [PORT]`, `--plugin-setting console.KEY=VALUE`, or `plugins: {console: {...}}`.

    Without `port` there is no console; 0 is any free port. `authentication` is the namespace of the exposer whose
    callers may log in, with the credentials that it accepts. They are read-only, but for `operators`, which are names
    of callers, and for tokens with all `operator_scopes`. With `edit`, operators may change the files that are
    served.
    """

    port: int | None = Field(None, ge=0, le=65535)
    address: str = "127.0.0.1"
    authentication: str | None = None
    operators: ListField[str] = ()
    operator_scopes: ListField[str] = ()
    edit: bool = False

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str) -> str:
        if not is_loopback(address):
            raise ValueError("the console listens on loopback only; forward its port with ssh -L instead")
        return address

    @model_validator(mode="after")
    def _check_operators(self) -> Self:
        if self.authentication is None and (self.operators or self.operator_scopes):
            raise ValueError("'operators' and 'operatorScopes' need an 'authentication', the namespace of an exposer")
        return self
