"""What proves to an API who is calling: fixed text, or what has to be worked out with its help."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapter_host import Authentication, BuildContext, Template

from .encoding import CONTROL

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

AUTHORIZATION: Final = "Authorization"


@dataclass(frozen=True, slots=True)
class AuthTransport:
    """What a handshake may send requests of its own with; `mock_url` takes the place of every server."""

    session: aiohttp.ClientSession
    proxy: Callable[[URL], str | None]
    timeout: float
    mock_url: str | None = None


class AuthFlow(ABC):
    """Gives the `Authorization` header of each request; what it learns is kept while its consumer is started."""

    @abstractmethod
    def open(self, wire: AuthTransport) -> None:
        """Begin, knowing nothing."""

    @abstractmethod
    async def close(self) -> None:
        """End what is in progress."""

    @abstractmethod
    async def header(self, method: str, target: str) -> str | None:
        """Return the header for a request, or None while there is none; raises `UpstreamError`."""

    @abstractmethod
    async def retry_header(
        self, method: str, target: str, rejected: str | None, challenges: Sequence[str]
    ) -> str | None:
        """Return the header to try once more with after a 401, or None to leave it at that; raises `UpstreamError`."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What goes into one header or query parameter of every request; `masked` names its secrets only.

    With a `auth_flow` the value is nothing: that gives one to each request.
    """

    in_: str
    name: str
    value: str = field(repr=False)
    masked: str
    secrets: tuple[str, ...] = ()
    auth_flow: AuthFlow | None = None

    def matches(self, in_: str | None, name: str) -> bool:
        """Whether a parameter is the very one that carries the credential."""
        if in_ != self.in_:
            return False
        return name == self.name or (in_ == "header" and name.lower() == self.name.lower())


def read_secret(
    authentication: Authentication, key: str, context: BuildContext, *, ascii_only: bool = True
) -> Template | None:
    """Return the text that a key of an authentication holds, or None with a problem reported."""
    text: str | None = getattr(authentication, key)
    if text is None:
        message = f"'{key}' is missing (authentication '{authentication.type}' needs it)"
        context.problem(message, authentication, key, code="missing-key")
        return None
    return compile_secret(text, authentication, (key,), context, ascii_only=ascii_only)


def read_account(
    authentication: Authentication, context: BuildContext, *, ascii_only: bool
) -> tuple[Template, Template] | None:
    """Return the user name (in ASCII or not) and the password of an authentication, or None with a problem reported."""
    user = read_secret(authentication, "username", context, ascii_only=ascii_only)
    password = read_secret(authentication, "password", context, ascii_only=False)
    if user is None or password is None:
        return None
    if ":" in (user.constant or ""):
        context.problem("a user name may hold no ':'", authentication, "username", code="credential")
        return None
    return user, password


def compile_secret(
    text: str, authentication: Authentication, keys: Sequence[str], context: BuildContext, *, ascii_only: bool = True
) -> Template | None:
    """Return the text at a place of an authentication, or None with a problem reported."""
    template = context.secret(text, authentication, *keys)
    label = ", ".join(f"secret '{name}'" for name in template.secrets) or f"'{keys[-1]}'"
    value = template.constant or ""
    error = None
    if CONTROL.search(value):
        error = f"{label} holds a control character"
    elif not value.isascii() and ascii_only:
        error = f"{label} may hold only ASCII characters"
    elif not value and not template.secrets:
        error = f"'{keys[-1]}' is empty"
    if error is None:
        return template
    context.problem(error, authentication, *keys, code="credential")
    return None
