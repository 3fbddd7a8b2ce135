"""The requests of the protocol, and the call that a message asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from adapter_host import parse_json

from .errors import ContentTypeNotSupportedError, InvalidParamsError

IDEMPOTENCY_KEY: Final = "adapter-host/idempotencyKey"
"""The key of a caller's idempotency key in the metadata of a message or a request."""

_SAFE_INTEGERS: Final = 2.0**53
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.IGNORECASE)

State = Literal[
    "TASK_STATE_SUBMITTED",
    "TASK_STATE_WORKING",
    "TASK_STATE_COMPLETED",
    "TASK_STATE_FAILED",
    "TASK_STATE_CANCELED",
    "TASK_STATE_INPUT_REQUIRED",
    "TASK_STATE_REJECTED",
    "TASK_STATE_AUTH_REQUIRED",
]


class WireModel(BaseModel):
    """An object of the protocol; unknown fields are ignored (A2A 1.0, section 5.7)."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class Part(WireModel):
    """A part of a message: text, data or a file."""

    text: str | None = None
    data: Any = None
    raw: str | None = None
    url: str | None = None


class Message(WireModel):
    """A message of a client."""

    message_id: str = Field(min_length=1, max_length=1_000)
    context_id: str | None = Field(None, max_length=200)
    task_id: str | None = None
    role: Literal["ROLE_USER"]
    parts: tuple[Part, ...] = Field(min_length=1)
    metadata: dict[str, Any] = Field(default_factory=dict)


class Configuration(WireModel):
    """How a client wants the response."""

    history_length: int | None = Field(None, ge=0)
    return_immediately: bool = False
    task_push_notification_config: Any = None


class SendMessageRequest(WireModel):
    """The parameters of `SendMessage` and `SendStreamingMessage`."""

    message: Message
    configuration: Configuration = Configuration()
    metadata: dict[str, Any] = Field(default_factory=dict)


class TaskRequest(WireModel):
    """The parameters of requests for one task."""

    id: str = Field(min_length=1)
    history_length: int | None = Field(None, ge=0)


def _require_timestamp(value: Any) -> Any:
    """Refuse all but texts in the form of RFC 3339; pydantic also reads seconds since 1970."""
    if not isinstance(value, str) or not _TIMESTAMP.match(value):
        raise PydanticCustomError("timestamp", "must be a timestamp such as 2026-01-31T12:00:00Z")
    return value


class ListTasksRequest(WireModel):
    """The parameters of `ListTasks`."""

    context_id: str | None = None
    status: State | None = None
    page_size: int = Field(50, ge=1, le=100)
    page_token: str = ""
    history_length: int | None = Field(None, ge=0)
    status_timestamp_after: Annotated[datetime, BeforeValidator(_require_timestamp)] | None = None
    include_artifacts: bool = False


RequestT = TypeVar("RequestT", bound=WireModel)


def read_params(model: type[RequestT], params: Any) -> RequestT:
    """Return the parameters of a request; raise `InvalidParamsError`."""
    if not isinstance(params, Mapping):
        raise InvalidParamsError.of("params", "must be an object")
    try:
        return model.model_validate({key: value for key, value in params.items() if value is not None})
    except ValidationError as error:
        raise InvalidParamsError.from_validation(error) from None


@dataclass(frozen=True, slots=True)
class SkillCall:
    """The skill that a message names, the arguments, and the idempotency key, if there is one."""

    skill: str
    arguments: dict[str, Any]
    key: str | None = None


def read_call(request: SendMessageRequest) -> SkillCall | None:
    """Return the call of a message; None if it names no skill.

    The skill is named by a data part, by a text part that is JSON, or by the metadata of the message or the request.
    In the last case, the arguments may be a data part.
    """
    data: list[Mapping[str, Any]] = []
    for part in request.message.parts:
        if part.raw is not None or part.url is not None:
            raise ContentTypeNotSupportedError("files are not supported; send a part with 'data'")
        content = _parse(part.text) if part.data is None and part.text is not None else part.data
        if isinstance(content, Mapping):
            data.append(content)
    for source in (*data, request.message.metadata, request.metadata):
        if isinstance(skill := source.get("skill"), str):
            given = source.get("arguments")
            others = (each for each in data if each is not source)
            arguments = next(others, {}) if given is None else given
            if not isinstance(arguments, Mapping):
                raise InvalidParamsError.of("arguments", "must be an object")
            named = {name: _with_integers(value) for name, value in arguments.items()}
            return SkillCall(skill, named, _read_key(request))
    return None


def _read_key(request: SendMessageRequest) -> str | None:
    for metadata in (request.message.metadata, request.metadata):
        if IDEMPOTENCY_KEY in metadata:
            key = metadata[IDEMPOTENCY_KEY]
            # The empty key is an error where keys are used: the caller must not believe that another value is one.
            return key if isinstance(key, str) else ""
    return None


def _parse(text: str) -> Any:
    try:
        return parse_json(text) if text.lstrip().startswith("{") else None
    except ValueError:
        return None


def _with_integers(value: Any) -> Any:
    """Return JSON with `7` for `7.0`: clients with Protocol Buffers have no integers in their data."""
    if type(value) is float and value.is_integer() and abs(value) <= _SAFE_INTEGERS:
        return int(value)
    if isinstance(value, Mapping):
        return {name: _with_integers(each) for name, each in value.items()}
    return [_with_integers(each) for each in value] if isinstance(value, list) else value
