"""Digest authentication (RFC 7616) with `qop=auth`: SHA-256 if the API offers it, else MD5."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from adapter_host.capability.spec import Authentication
from adapter_host.http_syntax import TOKEN
from adapter_host.plugin.context import BuildContext

from .credential import AUTHORIZATION, AuthFlow, AuthTransport, UpstreamCredential, read_account

_LOG: Final = logging.getLogger("adapter_host.auth")

_PARAMETER: Final = re.compile(rf'({TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME: Final = re.compile(rf"({TOKEN})(?=\s|,|$)")
_BETWEEN: Final = re.compile(r"[\s,]*")
# A whole word or text, so that what is no challenge is read once.
_OTHER: Final = re.compile(rf'{TOKEN}|"(?:[^"\\]|\\.)*"?|.|$', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)")
_PRINTABLE: Final = re.compile(r"[ -~]*")

# Strongest first; names with `-sess` use the same hash.
_HASHES: Final[dict[str, Callable[[bytes], hashlib._Hash]]] = {"sha-256": hashlib.sha256, "md5": hashlib.md5}
_SESSION: Final = "-sess"


def compile_digest(authentication: Authentication, context: BuildContext) -> UpstreamCredential | None:
    """Return the credential of a user name and password, or None after reporting a problem."""
    account_templates = read_account(authentication, context, ascii_only=True)
    if account_templates is None:
        return None
    user, password = account_templates
    account = Account(user.constant or "", password.constant or "")
    masked = f"Digest {user.masked()}:{password.masked()}"
    flow = DigestFlow(account, context.namespace)
    return UpstreamCredential(
        "header", AUTHORIZATION, "", masked, auth_flow=flow, account=f"{account.user}:{account.password}"
    )


@dataclass(frozen=True, slots=True)
class Account:
    """Credentials of a user."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A parsed challenge; `qop` is `auth`, or empty for servers that follow RFC 2069."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str = ""
    opaque: str | None = None
    userhash: bool = False
    stale: bool = False

    def header(self, account: Account, method: str, target: str, count: int, cnonce: str) -> str:
        """Return the `Authorization` header for a request."""
        username = self._hash(f"{account.user}:{self.realm}") if self.userhash else account.user
        quoted = {"username": username, "realm": self.realm, "nonce": self.nonce, "uri": target}
        quoted["response"] = self.response(account, method, target, f"{count:08x}", cnonce)
        if self.opaque is not None:
            quoted["opaque"] = self.opaque
        bare = {"algorithm": self.algorithm}
        if self.qop or self.algorithm.lower().endswith(_SESSION):
            quoted["cnonce"] = cnonce
        if self.qop:
            bare |= {"qop": self.qop, "nc": f"{count:08x}"}
        if self.userhash:
            bare["userhash"] = "true"
        pairs = [f'{name}="{_escape(value)}"' for name, value in quoted.items()]
        return f"Digest {', '.join([*pairs, *(f'{name}={value}' for name, value in bare.items())])}"

    def response(self, account: Account, method: str, target: str, count: str, cnonce: str) -> str:
        """Return the `response` parameter, which proves knowledge of the password."""
        a1 = self._hash(f"{account.user}:{self.realm}:{account.password}")
        if self.algorithm.lower().endswith(_SESSION):
            a1 = self._hash(f"{a1}:{self.nonce}:{cnonce}")
        a2 = self._hash(f"{method}:{target}")
        nonce_part = f"{self.nonce}:{count}:{cnonce}:{self.qop}" if self.qop else self.nonce
        return self._hash(f"{a1}:{nonce_part}:{a2}")

    def _hash(self, text: str) -> str:
        return _HASHES[self.algorithm.lower().removesuffix(_SESSION)](text.encode()).hexdigest()


class DigestFlow(AuthFlow):
    """Authorizes requests with the last challenge; counts the uses of its nonce."""

    def __init__(self, account: Account, namespace: str) -> None:
        self.account = account
        self._namespace = namespace
        self._challenge: Challenge | None = None
        self._count = 0

    def open(self, transport: AuthTransport) -> None:
        """Discard the challenge of an earlier start."""
        self._challenge = None

    async def close(self) -> None:
        """Do nothing: no request is in progress between calls."""

    async def header(self, method: str, target: str) -> str | None:
        """Return the header for the last challenge, or None before the first."""
        return None if self._challenge is None else self._authorize(self._challenge, method, target)

    async def retry_header(
        self, method: str, target: str, rejected: str | None, challenges: Sequence[str]
    ) -> str | None:
        """Return the header for a new challenge, or None if the server rejected the password."""
        challenge = choose_challenge(challenges)
        if challenge is None:
            _LOG.warning(
                "upstream '%s': no supported digest challenge (needs qop=auth with SHA-256 or MD5)", self._namespace
            )
            return None
        current = self._challenge
        if current is None or current.nonce != challenge.nonce:
            self._challenge, self._count = challenge, 0
        elif rejected and not challenge.stale:
            return None
        return self._authorize(challenge, method, target)

    def _authorize(self, challenge: Challenge, method: str, target: str) -> str:
        self._count += 1
        return challenge.header(self.account, method, target, self._count, token_hex(16))


def choose_challenge(headers: Iterable[str]) -> Challenge | None:
    """Return the strongest supported digest challenge of `WWW-Authenticate` headers, or None."""
    offered = (parameters for text in headers for scheme, parameters in parse_challenges(text) if scheme == "digest")
    usable = [challenge for parameters in offered if (challenge := _parse_challenge(parameters)) is not None]
    strengths = list(_HASHES)
    return min(
        usable, key=lambda challenge: strengths.index(challenge.algorithm.lower().removesuffix(_SESSION)), default=None
    )


def parse_challenges(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each scheme of a header with its parameters, names in lower case."""
    scheme, parameters, position = "", dict[str, str](), 0
    while position < len(text):
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        if match := _PARAMETER.match(text, position):
            name, quoted, bare = match.groups()
            parameters[name.lower()] = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
            position = match.end()
        elif match := _SCHEME.match(text, position):
            if scheme:
                yield scheme, parameters
            scheme, parameters, position = match[1].lower(), {}, match.end()
        else:
            position = _OTHER.match(text, position).end()  # type: ignore[union-attr]
    if scheme:
        yield scheme, parameters


def _parse_challenge(parameters: Mapping[str, str]) -> Challenge | None:
    algorithm = parameters.get("algorithm", "MD5")
    offered = [option.strip().lower() for option in parameters.get("qop", "").split(",") if option.strip()]
    current = algorithm.lower().removesuffix(_SESSION) in _HASHES and (not offered or "auth" in offered)
    if not current or not parameters.get("nonce") or "realm" not in parameters:
        return None
    # The values are repeated in the Authorization header, which allows printable ASCII only.
    if not all(_PRINTABLE.fullmatch(value) for value in parameters.values()):
        return None
    return Challenge(
        realm=parameters["realm"],
        nonce=parameters["nonce"],
        algorithm=algorithm,
        qop="auth" if offered else "",
        opaque=parameters.get("opaque"),
        userhash=parameters.get("userhash", "").lower() == "true",
        stale=parameters.get("stale", "").lower() == "true",
    )


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
