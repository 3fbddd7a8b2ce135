"""Roles of sessions, and the role that the handler of a request needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from aiohttp import web

from adapter_host import Principal

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])

_ROLES: Final = "adapter_host_console_roles"
"""The attribute of a handler with the roles that may use it; handlers without it are for operators."""


class Role(StrEnum):
    """The rights of a session: a read-only one sees everything, and changes, calls and decides nothing."""

    READ_ONLY = "read-only"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Person:
    """The person of a session, with the name in the credentials of the login; a login link has none."""

    role: Role
    name: str | None = None


def principal_of(person: Person) -> Principal:
    """Return a principal without a subject: the names of a document's approvers are those of its own pages."""
    return Principal(client=f"{person.name}, in the console" if person.name else "an operator in the console")


PERSON: Final = web.RequestKey("adapter_host_console_person", Person)
"""The key of the person in a request; absent if nobody is logged in."""

ROLE: Final = web.RequestKey("adapter_host_console_role", Role)
"""The key of the role in a request; absent if nobody is logged in."""


def for_everybody(handler: HandlerT) -> HandlerT:
    """Let a handler be used without a login."""
    setattr(handler, _ROLES, frozenset({None, *Role}))
    return handler


def for_read_only(handler: HandlerT) -> HandlerT:
    """Let a handler be used by read-only sessions too: it changes nothing, and sends nothing to an API."""
    setattr(handler, _ROLES, frozenset(Role))
    return handler


def may_use(role: Role | None, request: web.Request) -> bool:
    """Return whether a session may make a request; a path without a handler is for all sessions."""
    match = request.match_info
    if match.http_exception is not None:
        return role is not None
    return role is Role.OPERATOR or role in getattr(match.handler, _ROLES, ())
