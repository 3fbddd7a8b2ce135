"""Models of `type: script`, and of `management.scripting` of a control exposer."""

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
    """A step that runs a script; `management.scripting` has the defaults of missing keys."""

    file: str = Field(min_length=1)
    language: LanguageName | None = None
    location: Location | None = None
    dependencies: Annotated[tuple[str, ...], EmptyIsDefault] = ()


class ScriptingConfig(Model):
    """`management.scripting`: settings of all scripts of a document. `timeout` is in milliseconds."""

    enabled: bool = True
    default_location: Location | None = None
    default_language: LanguageName | None = None
    timeout: int = Field(60_000, ge=1)
    statement_limit: int = Field(100_000, ge=1)
    allowed_languages: tuple[LanguageName, ...] | None = None

    def with_changes(self, changes: Mapping[str, Any]) -> ScriptingConfig:
        """Return a copy with changed values, by the keys of the document; raises `ValueError`."""
        keys = [field.alias or name for name, field in type(self).model_fields.items()]
        for key in changes:
            if key not in keys:
                raise ValueError(f"unknown key '{key}' (known: {', '.join(keys)})")
        current = self.model_dump(by_alias=True, exclude_unset=True)
        try:
            # Validated strictly as JSON: "5" is not a number.
            return type(self).model_validate_json(orjson.dumps({**current, **changes}), strict=True)
        except ValidationError as error:
            details = error.errors(include_url=False)[0]
            raise ValueError(f"'{details['loc'][0]}': {details['msg']}") from None
