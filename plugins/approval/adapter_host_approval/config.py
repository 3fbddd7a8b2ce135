"""Models of `x-approval` and of `type: approval`. Times are in seconds."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from adapter_host import HttpExposerConfig, ListField, Model

KEY: Final = "x-approval"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _in_upper_case(value: Any) -> Any:
    return [each.upper() if isinstance(each, str) else each for each in _listed(value)]


class Hints(Model):
    """Hints about an operation, as those of an MCP tool; an undeclared one follows from its semantics and methods."""

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


class Condition(Model):
    """A condition that holds if all of its parts hold.

    `method` and `tag` are lists of which the operation has one. `argument` is the name of an argument, or a JSONPath of
    values in the arguments. `over` and `under` are limits of numbers; a value that is missing, or no number, is beyond
    them. `equals` is a list of values. Without these, the argument need only be present.
    """

    method: Annotated[tuple[str, ...], BeforeValidator(_in_upper_case, json_schema_input_type=str | list[str])] = ()
    tag: Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])] = ()
    hint: Hints | None = None
    argument: str | None = None
    over: int | float | None = Field(None, allow_inf_nan=False)
    under: int | float | None = Field(None, allow_inf_nan=False)
    equals: ListField[Any] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("a condition is empty; set 'method', 'tag', 'hint' or 'argument'")
        compared = {"over", "under", "equals"} & self.model_fields_set
        if compared and self.argument is None:
            raise ValueError(f"'{min(compared)}' needs an 'argument'")
        if len(compared) > 1:
            raise ValueError("'over', 'under' and 'equals' exclude each other; use two conditions")
        return self


class ApprovalPolicy(Model):
    """Which calls need an approval, and whose.

    Without conditions in `when`, all calls do; otherwise those for which one condition holds. `ask: client` accepts the
    decision of the person at an MCP client, and `page` only that of an approval page. With `approvers`, the person has
    one of these names on the page, and is not the caller.
    """

    required: bool = True
    when: ListField[Condition] = ()
    ask: Literal["client", "page"] = "client"
    approvers: ListField[str] = ()
    expires_in: float = Field(600.0, ge=10, le=86_400)

    @model_validator(mode="before")
    @classmethod
    def _expand_boolean(cls, value: Any) -> Any:
        return {"required": value} if isinstance(value, bool) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler.resolve_ref_schema(handler(core_schema)), "type": ["object", "boolean"]}

    @property
    def client_decides(self) -> bool:
        """Whether the decision of the person at a client counts."""
        return self.ask == "client" and not self.approvers


class ApprovalConfig(HttpExposerConfig):
    """An entry of `exposes` with `type: approval`: the pages where people approve the calls of the document."""
