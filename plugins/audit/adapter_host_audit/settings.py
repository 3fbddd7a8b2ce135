"""The settings of the plugin."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from adapter_host import ListField, Model

PLUGIN: Final = "audit"
"""The name of the plugin, under which its settings are."""


class AuditSettings(Model):
    """`--plugin-setting audit.KEY=VALUE`, or `plugins: {audit: {...}}` in the host configuration file.

    Without `file` nothing is recorded. `arguments` is how the values of arguments are recorded; those in
    `allowed_arguments` always are. `when_unavailable` is what happens to calls while the file cannot be written.
    """

    file: str | None = None
    arguments: Literal["hashes", "whole", "names"] = "hashes"
    allowed_arguments: ListField[str] = Field(default=())
    when_unavailable: Literal["refuse", "continue"] = "refuse"
