"""The credential of a consumer: a fixed value, or an authentication flow that computes a header for each request."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from adapter_host.capability.spec import Authentication
from adapter_host.expressions.template import Template
from adapter_host.plugin.context import BuildContext

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

AUTHORIZATION: Final = "Authorization"
"""The header of a credential of HTTP (RFC 9110, section 11.6.2)."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class AuthTransport:
    """Means of an authentication flow to send its own requests; `mock_url` replaces the authorization server.

    `options` returns those of a request to a URL: its proxy and its TLS.
    """

    session: aiohttp.ClientSession
    options: Callable[[URL], dict[str, Any]]
    timeout: float
    mock_url: str | None = None


class AuthFlow(ABC):
    """Computes the `Authorization` header of each request; its state lasts while the consumer is started."""

    @abstractmethod
    def open(self, transport: AuthTransport) -> None:
        """Start without state."""

    @abstractmethod
    async def close(self) -> None:
        """Cancel requests in progress."""

    @abstractmethod
    async def header(self, method: str, target: str) -> str | None:
        """Return the header of a request, or None if there is none yet; raise `UpstreamError`."""

    @abstractmethod
    async def retry_header(
        self, method: str, target: str, rejected: str | None, challenges: Sequence[str]
    ) -> str | None:
        """Return the header of a second attempt after a 401, or None to keep the 401; raise `UpstreamError`."""


@dataclass(frozen=True, slots=True)
class UpstreamCredential:
    """A header or query parameter of every request; `masked` is its value with secrets by name.

    `in_` is `header` or `query`, `kind` the type in the document, and `secrets` are the names of those that are the
    value itself. With an `auth_flow` the value is empty: the flow computes it for each request (see `Authorizer`), for
    the `account`, which is a secret text of its own for each account.
    """

    in_: str
    name: str
    value: str = field(repr=False)
    masked: str
    secrets: tuple[str, ...] = ()
    auth_flow: AuthFlow | None = None
    account: str = field(default="", repr=False)
    kind: str = ""

    @property
    def description(self) -> str:
        """The authentication in words, with secrets by name."""
        if self.kind == "apikey":
            return f"apikey {self.masked} as {self.in_} '{self.name}'"
        return f"{self.kind} {self.masked.partition(' ')[2]}"

    def matches(self, in_: str | None, name: str) -> bool:
        """Return whether a parameter carries the credential."""
        if in_ != self.in_:
            return False
        return name == self.name or (in_ == "header" and name.lower() == self.name.lower())


def read_secret(
    authentication: Authentication,
    key: str,
    context: BuildContext,
    *,
    ascii_only: bool = True,
    may_be_empty: bool = False,
) -> Template | None:
    """Return the value of an authentication's key, or None after reporting a problem."""
    text: str | None = getattr(authentication, key)
    if text is None:
        message = f"'{key}' is missing; authentication '{authentication.type}' needs it"
        context.problem(message, authentication, key, code="missing-key")
        return None
    return compile_secret(text, authentication, (key,), context, ascii_only=ascii_only, may_be_empty=may_be_empty)


def read_account(
    authentication: Authentication, context: BuildContext, *, ascii_only: bool
) -> tuple[Template, Template] | None:
    """Return user name and password of an authentication, or None after reporting a problem.

    One of them may be empty: some APIs have a key in the place of the other.
    """
    user_is_empty, password_is_empty = authentication.username == "", authentication.password == ""
    user = read_secret(authentication, "username", context, ascii_only=ascii_only, may_be_empty=not password_is_empty)
    password = read_secret(authentication, "password", context, ascii_only=False, may_be_empty=not user_is_empty)
    if user is None or password is None:
        return None
    if ":" in (user.constant or ""):
        context.problem("a user name must not contain ':'", authentication, "username", code="credential")
        return None
    return user, password


def compile_secret(
    text: str,
    authentication: Authentication,
    keys: Sequence[str],
    context: BuildContext,
    *,
    ascii_only: bool = True,
    may_be_empty: bool = False,
) -> Template | None:
    """Return a text of an authentication as a template without inputs, or None after reporting a problem."""
    template = context.secret(text, authentication, *keys)
    return check_secret(template, authentication, keys, context, ascii_only=ascii_only, may_be_empty=may_be_empty)


def check_secret(
    template: Template,
    authentication: Authentication,
    keys: Sequence[str],
    context: BuildContext,
    *,
    ascii_only: bool = True,
    may_be_empty: bool = False,
) -> Template | None:
    """Return a template of an authentication, or None after reporting a problem of its value."""
    label = ", ".join(f"secret '{name}'" for name in template.secrets) or f"'{keys[-1]}'"
    value = template.constant or ""
    error = None
    if _CONTROL.search(value):
        error = f"{label} contains a control character"
    elif not value.isascii() and ascii_only:
        error = f"{label} must be ASCII text"
    elif not value and not template.secrets and not may_be_empty:
        error = f"'{keys[-1]}' is empty"
    if error is None:
        return template
    context.problem(error, authentication, *keys, code="credential")
    return None
