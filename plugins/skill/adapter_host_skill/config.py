"""Models of `type: skill`."""

from __future__ import annotations

from pydantic import Field

from adapter_host import HttpExposerConfig, ListField, Model


class SourceSpec(Model):
    """The operation or tool of another exposer that a derived tool refers to."""

    source_namespace: str
    action: str


class SkillToolSpec(Model):
    """One tool of a skill: that of another exposer (`from`), or a file with instructions (`instruction`).

    The name and the description of the former are by default those of its source.
    """

    name: str | None = None
    description: str | None = None
    from_: SourceSpec | None = Field(None, alias="from")
    instruction: str | None = None


class SkillSpec(Model):
    """One skill; keys with `-` are from the Agent Skills format."""

    name: str
    description: str = Field(max_length=1024)
    license: str | None = None
    compatibility: str | None = Field(None, max_length=500)
    metadata: dict[str, str] = Field(default_factory=dict)
    allowed_tools: str | None = Field(None, alias="allowed-tools", max_length=1024)
    argument_hint: str | None = Field(None, alias="argument-hint")
    user_invocable: bool = Field(True, alias="user-invocable")
    disable_model_invocation: bool = Field(False, alias="disable-model-invocation")
    location: str | None = None
    tools: ListField[SkillToolSpec] = ()


class SkillConfig(HttpExposerConfig):
    """An entry of `exposes` with `type: skill`."""

    skills: ListField[SkillSpec]
