"""The settings of the plugin."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from adapter_host import ListField, Model

PLUGIN: Final = "audit"
"""The name of the plugin, under which its settings are."""


class AuditSettings(Model):
    """`--plugin-setting audit.KEY=VALUE`, or `plugins: {audit: {...}}` in the host configuration file.

    Without `file` and `otlp` nothing is recorded. `otlp` is the URL of a collector, without `/v1/logs`. `arguments` is
    how the values of arguments are recorded; those in `allowed_arguments` always are. `when_unavailable` is what
    happens to calls while records cannot be written. `refusals_per_second` is the number of records of refused
    requests; further ones are only counted.
    """

    file: str | None = None
    otlp: str | None = Field(None, pattern=r"^https?://[^/?#]+")
    arguments: Literal["hashes", "whole", "names"] = "hashes"
    allowed_arguments: ListField[str] = Field(default=())
    when_unavailable: Literal["refuse", "continue"] = "refuse"
    refusals_per_second: int = Field(100, ge=1, le=100_000)

    @property
    def is_on(self) -> bool:
        """Whether anything is recorded."""
        return self.file is not None or self.otlp is not None
