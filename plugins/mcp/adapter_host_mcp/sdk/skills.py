"""Handlers of the Skills extension (SEP-2640): `skills/list`, `skills/get` and `resources/directory/read`."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Final, TypeVar

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from adapter_host import UnavailableError
from adapter_host_mcp.discovery import ServerIdentity
from adapter_host_mcp.skills.served_skills import SkillFiles

from .server import PaginatedList

Context = ServerRequestContext[None]
ReadT = TypeVar("ReadT")

SKILLS_PER_PAGE: Final = 100
"""Entries per page of `skills/list`; an entry has up to 512 files."""

_MAX_SHOWN: Final = 200


class ReadDirectoryParams(types.PaginatedRequestParams):
    """Parameters of `resources/directory/read`."""

    uri: str


def add_skills(server: Server[None], skills: Sequence[SkillFiles], identity: ServerIdentity) -> None:
    """Add the handlers of the extension, which is declared with 2026-07-28."""
    by_uri = {skill.uri_of_skill: skill for skill in skills}
    cache = {"ttlMs": identity.ttl_ms, "cacheScope": identity.cache_scope}

    async def list_skills(context: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        _check_version(context)
        entries = [entry for skill in skills if (entry := await _available(skill.skill())) is not None]
        page, cursor = PaginatedList(entries, [entry["uri"] for entry in entries], SKILLS_PER_PAGE).page(params)
        return {"skills": page, **_next(cursor), **cache}

    async def get_skill(context: Context, params: types.ReadResourceRequestParams) -> dict[str, Any]:
        _check_version(context)
        skill = by_uri.get(params.uri)
        entry = None if skill is None else await _available(skill.skill())
        if entry is None:
            raise MCPError(types.INVALID_PARAMS, f"no skill is served at {params.uri[:_MAX_SHOWN]}")
        return {"skill": entry, **cache}

    async def read_directory(context: Context, params: ReadDirectoryParams) -> dict[str, Any]:
        _check_version(context)
        entries = await _read_directory(skills, params.uri)
        if entries is None:
            raise MCPError(types.INVALID_PARAMS, f"{params.uri[:_MAX_SHOWN]} is not a directory")
        page, cursor = PaginatedList(entries, [entry["uri"] for entry in entries]).page(params)
        return {"resources": page, **_next(cursor)}

    server.add_request_handler("skills/list", types.PaginatedRequestParams, list_skills)
    server.add_request_handler("skills/get", types.ReadResourceRequestParams, get_skill)
    server.add_request_handler("resources/directory/read", ReadDirectoryParams, read_directory)


async def _read_directory(skills: Sequence[SkillFiles], uri: str) -> list[dict[str, Any]] | None:
    # The directory above those of the skills of an exposer has nothing else.
    roots = [skill.directory_entry() for skill in skills if skill.uri.text.rpartition("/")[0] == uri]
    if roots:
        return roots
    for skill in skills:
        if (entries := await _available(skill.directory(uri))) is not None:
            return entries
    return None


async def _available(reading: Awaitable[ReadT]) -> ReadT:
    """Return what is read from the disk; raise `MCPError` if that is too slow."""
    try:
        return await reading
    except UnavailableError as error:
        raise MCPError(types.INTERNAL_ERROR, error.message) from None


def _check_version(context: Context) -> None:
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(types.METHOD_NOT_FOUND, "the Skills extension needs MCP 2026-07-28")


def _next(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"nextCursor": cursor}
