"""Configuration of `x-task` of a tool."""

from __future__ import annotations

from pydantic import Field

from adapter_host import ListField, Model, OperationSpec

MAX_EXPIRES = 7 * 24 * 3600
"""Maximum seconds for which a task can be polled."""


class McpTaskCallSpec(OperationSpec):
    """The call that reads the state of a task, or cancels it."""


class McpTaskSpec(Model):
    """How the host follows a call to which the API responds 202.

    `with_` has the inputs of `poll` and `cancel` that are in that response: a JSONPath into its body, or the name of a
    header, of which the last segment of the path is used. Of the response of `poll`, `status` and `result` are
    JSONPaths. `interval` and `expires` are seconds. With `required`, clients without the extension are refused.
    """

    poll: McpTaskCallSpec
    cancel: McpTaskCallSpec | None = None
    with_: dict[str, str] = Field(alias="with", min_length=1)
    status: str | None = None
    done: ListField[str] = ()
    failed: ListField[str] = ()
    cancelled: ListField[str] = ()
    result: str | None = None
    interval: float = Field(5.0, ge=0.1, le=3600)
    expires: float = Field(24 * 3600.0, ge=1, le=MAX_EXPIRES)
    required: bool = False
