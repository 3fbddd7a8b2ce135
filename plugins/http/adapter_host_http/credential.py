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
    """What a handshake may send requests of its own with; `mock_server` takes the place of every server."""

    session: aiohttp.ClientSession
    proxy: Callable[[URL], str | None]
    seconds: float
    mock_server: str | None = None


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
    async def again(self, method: str, target: str, refused: str | None, challenges: Sequence[str]) -> str | None:
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

    def takes(self, place: str | None, name: str) -> bool:
        """Whether a parameter is the very one that carries the credential."""
        if place != self.in_:
            return False
        return name == self.name or (place == "header" and name.lower() == self.name.lower())


def declared_secret(
    declared: Authentication, key: str, context: BuildContext, *, ascii_only: bool = True
) -> Template | None:
    """Return the text that a key of an authentication holds, or None with a problem reported."""
    text: str | None = getattr(declared, key)
    if text is None:
        message = f"'{key}' is missing (authentication '{declared.type}' needs it)"
        context.problem(message, declared, key, code="missing-key")
        return None
    return secret(text, declared, (key,), context, ascii_only=ascii_only)


def declared_account(
    declared: Authentication, context: BuildContext, *, ascii_only: bool
) -> tuple[Template, Template] | None:
    """Return the user name (in ASCII or not) and the password of an authentication, or None with a problem reported."""
    user = declared_secret(declared, "username", context, ascii_only=ascii_only)
    password = declared_secret(declared, "password", context, ascii_only=False)
    if user is None or password is None:
        return None
    if ":" in (user.constant or ""):
        context.problem("a user name may hold no ':'", declared, "username", code="credential")
        return None
    return user, password


def secret(
    text: str, declared: Authentication, keys: Sequence[str], context: BuildContext, *, ascii_only: bool = True
) -> Template | None:
    """Return the text at a place of an authentication, or None with a problem reported."""
    template = context.secret(text, declared, *keys)
    named = ", ".join(f"secret '{name}'" for name in template.secrets) or f"'{keys[-1]}'"
    value = template.constant or ""
    flaw = None
    if CONTROL.search(value):
        flaw = f"{named} holds a control character"
    elif not value.isascii() and ascii_only:
        flaw = f"{named} may hold only ASCII characters"
    elif not value and not template.secrets:
        flaw = f"'{keys[-1]}' is empty"
    if flaw is None:
        return template
    context.problem(flaw, declared, *keys, code="credential")
    return None
