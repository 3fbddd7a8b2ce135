"""Models of `type: a2a`."""

from __future__ import annotations

from pydantic import Field

from adapter_host import HttpExposerConfig, ListField, OperationSpec


class A2aSkillSpec(OperationSpec):
    """An operation exposed as a skill; `examples` are texts for the agent card."""

    reads_events = True

    examples: ListField[str] = ()


class A2aConfig(HttpExposerConfig):
    """An entry of `exposes` with `type: a2a`.

    At most `max_tasks` tasks with `max_stored_bytes` in total are kept, each for `task_seconds` after its last change.
    """

    skills: ListField[A2aSkillSpec] = ()
    max_tasks: int = Field(1_000, ge=1, le=100_000)
    max_stored_bytes: int = Field(64 * 2**20, ge=1_000, le=2**34)
    task_seconds: float = Field(3_600, gt=0, le=30 * 86_400)
