"""What a document says of scripts: a step of `type: script`, and `management.scripting` of a control exposer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import BeforeValidator, Field, ValidationError

from adapter_host import Model, StepSpec

LanguageName = Literal["javascript", "python", "groovy"]
Location = Annotated[str, Field(pattern="^file:///")]
EmptyIsDefault = BeforeValidator(lambda value: () if value is None else value)


class ScriptStepSpec(StepSpec):
    """A step that runs a script; what it leaves out, `management.scripting` says."""

    file: str = Field(min_length=1)
    language: LanguageName | None = None
    location: Location | None = None
    dependencies: Annotated[tuple[str, ...], EmptyIsDefault] = ()


class ScriptingConfig(Model):
    """`management.scripting`: what holds for all scripts of a document. `timeout` is in milliseconds."""

    enabled: bool = True
    default_location: Location | None = None
    default_language: LanguageName | None = None
    timeout: int = Field(60_000, ge=1)
    statement_limit: int = Field(100_000, ge=1)
    allowed_languages: tuple[LanguageName, ...] | None = None

    def with_changes(self, changes: Mapping[str, Any]) -> ScriptingConfig:
        """The same with other values under the document's keys; raises `ValueError`, which names a wrong one."""
        keys = [field.alias or name for name, field in type(self).model_fields.items()]
        for key in changes:
            if key not in keys:
                raise ValueError(f"there is no '{key}' to change (known: {', '.join(keys)})")
        current = self.model_dump(by_alias=True, exclude_unset=True)
        try:
            # As JSON, strictly: "5" is no number here, and a list is a list.
            return type(self).model_validate_json(orjson.dumps({**current, **changes}), strict=True)
        except ValidationError as error:
            details = error.errors(include_url=False)[0]
            raise ValueError(f"'{details['loc'][0]}': {details['msg']}") from None
