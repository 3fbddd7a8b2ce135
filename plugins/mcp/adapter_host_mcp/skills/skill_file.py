"""`SKILL.md`: its frontmatter, and one made from the declared keys for a skill without that file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final, Protocol

import orjson

from adapter_host import Model, ProblemsError, Source

SKILL_FILE: Final = "SKILL.md"

MAX_DESCRIPTION: Final = 1024
"""Maximum characters of a description, in the Agent Skills specification."""

_FRONTMATTER: Final = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_NAME: Final = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")

_DECLARED: Final = frozenset(
    {
        "name",
        "description",
        "license",
        "compatibility",
        "metadata",
        "allowed_tools",
        "argument_hint",
        "user_invocable",
        "disable_model_invocation",
    }
)
"""The fields of a declared skill that are keys of the frontmatter."""


class InvalidSkillError(Exception):
    """A skill that clients would refuse; the message says why."""


class SkillSource(Protocol):
    """The tool of another exposer that a skill refers to."""

    source_namespace: str
    action: str


class SkillTool(Protocol):
    """A declared tool of a skill."""

    name: str | None
    description: str | None
    from_: SkillSource | None
    instruction: str | None


def is_skill_name(name: str) -> bool:
    """Return True for a name that the Agent Skills specification allows."""
    return _NAME.fullmatch(name) is not None


def parse_frontmatter(body: bytes) -> dict[str, Any]:
    """Return the frontmatter of a `SKILL.md`, with at least `name` and `description`; raise `InvalidSkillError`."""
    try:
        match = _FRONTMATTER.match(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidSkillError(f"{SKILL_FILE} is not UTF-8") from None
    if match is None:
        raise InvalidSkillError(f"{SKILL_FILE} has no frontmatter; begin it with the line '---'")
    try:
        data: dict[str, Any] = Source.parse(match[1], SKILL_FILE).data
    except ProblemsError as error:
        problem = error.problems[0]
        # The line above the frontmatter is the first of the file.
        line = f" at line {problem.line + 1}" if problem.line else ""
        raise InvalidSkillError(f"the frontmatter of {SKILL_FILE} is invalid{line}: {problem.message}") from None
    _check_texts(data)
    if not _is_json(data):
        raise InvalidSkillError(f"the frontmatter of {SKILL_FILE} has a number that JSON lacks")
    return data


def _check_texts(frontmatter: dict[str, Any]) -> None:
    for key in ("name", "description"):
        value = frontmatter.get(key)
        if not isinstance(value, str) or not value.strip():
            raise InvalidSkillError(f"the frontmatter of {SKILL_FILE} has no text for '{key}'")
    if len(frontmatter["description"]) > MAX_DESCRIPTION:
        raise InvalidSkillError(f"the description in {SKILL_FILE} has more than {MAX_DESCRIPTION:,} characters")


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return not isinstance(value, float) or isfinite(value)


def write_skill_file(spec: Any) -> bytes:
    """Return a `SKILL.md` made from a declared skill: its keys as frontmatter, and a list of its tools."""
    return "\n".join(_lines(spec)).encode()


def _lines(spec: Any) -> Iterator[str]:
    declared: Model = spec
    yield "---"
    for key, value in declared.model_dump(by_alias=True, exclude_defaults=True, include=set(_DECLARED)).items():
        # JSON is YAML, and needs no rules for what to quote.
        yield f"{key}: {orjson.dumps(value).decode()}"
    yield from ("---", "", f"# {spec.name}", "", spec.description, "")
    if spec.tools:
        yield from ("## Tools", "")
        yield from (_describe_tool(tool) for tool in spec.tools)
        yield ""


def _describe_tool(tool: SkillTool) -> str:
    description = f": {tool.description}" if tool.description else ""
    if tool.from_ is None:
        return f"- [{tool.name}]({tool.instruction}){description}"
    source = f"`{tool.from_.action}` of `{tool.from_.source_namespace}`"
    return f"- `{tool.name or tool.from_.action}` ({source}){description}"
