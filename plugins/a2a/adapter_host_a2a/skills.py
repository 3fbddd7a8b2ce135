"""The operations as skills."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from pydantic.alias_generators import to_camel

from adapter_host import (
    BuildContext,
    Operation,
    OperationError,
    Operations,
    Result,
    UpstreamInvalidError,
    UpstreamStatusError,
    bare_media_type,
    current_call,
    decode_text,
    did_you_mean,
    encode_json,
    error_details,
    is_json,
    parse_json,
)

from .config import A2aConfig, A2aSkillSpec
from .errors import InvalidParamsError
from .messages import SkillCall, State

log = logging.getLogger("adapter_host.a2a")

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Skill:
    """An operation with the id of its skill."""

    id: str
    spec: A2aSkillSpec
    operation: Operation


def compile_skills(config: A2aConfig, operations: Operations, context: BuildContext) -> dict[str, Skill]:
    """Return the skills by their ids, in the document's order; report duplicates."""
    skills: dict[str, Skill] = {}
    for spec in config.skills:
        with context.section() as section:
            if spec.known_as in skills:
                message = f"duplicate skill '{spec.known_as}'; rename one of them"
                context.problem(message, spec, "name", code="duplicate-name")
        if spec in operations and not section.skipped and spec.known_as not in skills:
            skills[spec.known_as] = Skill(spec.known_as, spec, operations[spec])
    return skills


def find_skill(skills: Mapping[str, Skill], call: SkillCall) -> Skill:
    """Return the skill of a call; raise `InvalidParamsError`."""
    skill = skills.get(call.skill)
    if skill is None:
        hint = did_you_mean(call.skill, skills) or f"; use one of: {', '.join(skills)}"
        raise InvalidParamsError.of("skill", f"unknown skill '{call.skill}'{hint}")
    return skill


def usage_text(skills: Iterable[str]) -> str:
    """Return the message to a client whose message names no skill."""
    return (
        'Send a data part with a skill and its arguments, as in {"skill": "NAME", "arguments": {...}}. '
        f"The skills are: {', '.join(skills)}. The agent card has the schemas of their arguments."
    )


async def read_parts(result: Result, limit: int, *, binary: bool) -> AsyncIterator[tuple[dict[str, Any], bool]]:
    """Yield the parts of a result, and whether each is the last: one for each event of a stream, else one or none.

    Raise `UpstreamInvalidError` for events of more than `limit` bytes in total, as a task holds all of them.
    """
    if result.stream is None:
        part = _part(result, binary=binary)
        if part is not None:
            yield part, True
        return
    size = 0
    async with aclosing(result.iter_items()) as items:
        async for item in items:
            size += len(encode_json(item))
            if size > limit:
                raise UpstreamInvalidError(f"the upstream sent events of more than {limit} bytes")
            is_text = isinstance(item, str)
            part = {"text": item, "mediaType": "text/plain"} if is_text else {"data": item, "mediaType": JSON}
            yield part, False


def _part(result: Result, *, binary: bool) -> dict[str, Any] | None:
    """Return JSON as data, other text as text, and bytes as a file; None for an empty result."""
    media_type = bare_media_type(result.media_type)
    if result.holds_data or (not binary and (not media_type or is_json(media_type)) and result.body):
        return {"data": result.data, "mediaType": JSON}
    if not result.body:
        return None
    if not binary:
        try:
            return {"text": decode_text(result.body, result.media_type), "mediaType": media_type}
        except ValueError:
            pass
    return {"raw": b64encode(result.body).decode(), "mediaType": media_type or "application/octet-stream"}


def describe_error(error: OperationError, skill: str) -> tuple[State, list[dict[str, Any]]]:
    """Return the state of a task that an error ends, and the parts of its message; log errors of the upstream."""
    details = _in_camel_case(error_details(error))
    if error.status >= 500:
        details["requestId"] = current_call().request_id
        log.warning("request %s: %s: %s", details["requestId"], skill, error.message)
    if isinstance(error, UpstreamStatusError):
        details |= _upstream_body(error)
    state: State = "TASK_STATE_REJECTED" if 400 <= error.status < 500 else "TASK_STATE_FAILED"
    return state, [{"text": error.message}, {"data": {"error": details}, "mediaType": JSON}]


def _in_camel_case(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        to_camel(name): _in_camel_case(value) if isinstance(value, Mapping) else value
        for name, value in details.items()
    }


def _upstream_body(error: UpstreamStatusError) -> dict[str, Any]:
    media_type = bare_media_type(error.media_type)
    try:
        if error.body and is_json(media_type):
            return {"upstreamBody": parse_json(error.body)}
        return {"upstreamBody": decode_text(error.body, error.media_type)} if media_type.startswith("text/") else {}
    except ValueError:
        return {}
