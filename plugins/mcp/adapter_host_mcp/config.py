"""Configuration of `type: mcp` in a document."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from adapter_host import (
    BinarySize,
    IncludingConfig,
    InputConstraints,
    InputSpec,
    ListField,
    Model,
    OperationSpec,
    parse_size,
)

from .budget_config import BudgetSetting
from .card_config import McpServerCardSpec
from .task_config import McpTaskSpec
from .tool_names import unique_names
from .uri_templates import parse_uri

Results = Literal["both", "text", "structured"]
"""Contents of results: text, structured content, or both."""

_MODES: Final = ("call", "ref", "steps", "outputParameters")


class McpHints(Model):
    """Hints about a tool's behaviour, for clients; they grant nothing."""

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


class McpInputSpec(InputSpec):
    """An input of a tool; required by default."""

    required: bool | None = True


class McpToolSpec(OperationSpec):
    """An operation exposed as a tool."""

    reads_events = True

    input_parameters: ListField[McpInputSpec] = ()
    hints: McpHints | None = None
    x_pinned: bool = Field(False, alias="x-pinned")
    x_task: McpTaskSpec | None = Field(None, alias="x-task")
    x_budget: BudgetSetting = Field(None, alias="x-budget")


def _parseable_uri(uri: str) -> str:
    parse_uri(uri)
    return uri


class McpResourceSpec(OperationSpec):
    """An operation exposed as a resource; the variables of its `uri` are inputs."""

    uri: str
    mime_type: str | None = None
    binary: bool = False

    _validate_uri = field_validator("uri")(_parseable_uri)

    @model_validator(mode="before")
    @classmethod
    def _declare_variables(cls, data: Any) -> Any:
        declared = data.get("inputParameters") or []
        if not isinstance(declared, list):
            return data
        names = [item.get("name") for item in declared if isinstance(item, dict)]
        added = [{"name": name, "in": "path"} for name in _variables(data.get("uri")) if name not in names]
        return {**data, "inputParameters": [*declared, *added]}


def _variables(uri: Any) -> tuple[str, ...]:
    try:
        return parse_uri(str(uri)).variables
    except ValueError:  # reported by the validator of `uri`
        return ()


class McpFileSpec(Model):
    """A file, or a folder of files, exposed as resources."""

    name: str | None = None
    label: str | None = None
    uri: str
    description: str | None = None
    mime_type: str | None = None
    binary: bool = False
    location: str | None = None

    _validate_uri = field_validator("uri")(_parseable_uri)


def _entry_kind(entry: Any) -> str:
    calls = isinstance(entry, dict) and not entry.get("location") and any(entry.get(mode) for mode in _MODES)
    return "operation" if calls else "file"


ResourceSpec = Annotated[
    Annotated[McpResourceSpec, Tag("operation")] | Annotated[McpFileSpec, Tag("file")], Discriminator(_entry_kind)
]


class McpArgumentSpec(InputConstraints):
    """An argument of a prompt; `type`, `values` and `pattern` provide its completions."""

    name: str
    label: str | None = None
    description: str | None = None
    required: bool = True


class McpMessageSpec(Model):
    """One message of a prompt; `{{name}}` is replaced by an argument."""

    role: Literal["user", "assistant"]
    content: str


class McpPromptSpec(Model):
    """A prompt: a template of messages, or a file with the text of a single message."""

    name: str
    label: str | None = None
    description: str | None = None
    arguments: ListField[McpArgumentSpec] = ()
    template: ListField[McpMessageSpec] = ()
    location: str | None = None


class McpConfig(IncludingConfig):
    """An entry of `exposes` with `type: mcp`; `port` is required over HTTP.

    `x_schema_profile` is the form of tools' names and schemas; model providers' APIs accept `portable` ones.
    `x_discovery` is how clients find tools: all are listed, or search finds them; `auto` chooses by their tokens.
    `x_skills` are namespaces of exposers of type `skill`, whose skills it serves as well.
    `x_budget` is the size of results that its tools return, unless they declare one themselves.
    """

    transport: Literal["http", "stdio"] = "http"
    port: int = Field(0, ge=0, le=65535)
    tools: ListField[McpToolSpec] = ()
    resources: ListField[ResourceSpec] = ()
    prompts: ListField[McpPromptSpec] = ()
    max_binary_size: BinarySize | None = None
    ttl_ms: int = Field(0, ge=0)
    cache_scope: Literal["public", "private"] = "private"
    x_results: Results = Field("both", alias="x-results")
    x_convert_texts: bool = Field(True, alias="x-convert-texts")
    x_schema_profile: Literal["portable", "full"] = Field("portable", alias="x-schema-profile")
    x_discovery: Literal["all", "search", "auto"] = Field("all", alias="x-discovery")
    x_skills: ListField[str] = Field((), alias="x-skills")
    x_server_card: McpServerCardSpec | None = Field(None, alias="x-server-card")
    x_budget: BudgetSetting = Field(None, alias="x-budget")

    @property
    def binary_limit(self) -> int | None:
        return parse_size(self.max_binary_size) if self.max_binary_size else None

    @property
    def converts_texts(self) -> bool:
        return self.x_convert_texts

    @property
    def is_portable(self) -> bool:
        """True with `x-schema-profile: portable`."""
        return self.x_schema_profile == "portable"

    def named_operations(self) -> list[tuple[str, OperationSpec]]:
        """Return the tools by their names as clients see them; resources and prompts are named separately in MCP."""
        return [(name, spec) for spec, name in unique_names(self.tools, self.is_portable)]
