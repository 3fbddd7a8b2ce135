"""Digest authentication as RFC 7616 says, `auth` alone: with SHA-256 where the API offers it, else MD5."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Final

from adapter_host import TOKEN, Authentication, BuildContext
from adapter_host_http.credential import AUTHORIZATION, AuthFlow, AuthTransport, Credential, declared_account

_LOG: Final = logging.getLogger("adapter_host.http")

_PARAMETER: Final = re.compile(rf'({TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME: Final = re.compile(rf"({TOKEN})(?=\s|,|$)")
_BETWEEN: Final = re.compile(r"[\s,]*")
_ESCAPED: Final = re.compile(r"\\(.)")
_PRINTABLE: Final = re.compile(r"[ -~]*")

# The strongest first; a name with `-sess` means the same hash.
_HASHES: Final[dict[str, Callable[[bytes], hashlib._Hash]]] = {"sha-256": hashlib.sha256, "md5": hashlib.md5}
_SESSION: Final = "-sess"


def compile_digest(declared: Authentication, context: BuildContext) -> Credential | None:
    """Return the credential of a name and a password; None with a problem reported."""
    given = declared_account(declared, context, ascii_only=True)
    if given is None:
        return None
    user, password = given
    account = Account(user.constant or "", password.constant or "")
    masked = f"Digest {user.masked()}:{password.masked()}"
    return Credential("header", AUTHORIZATION, "", masked, auth_flow=Digest(account, context.namespace))


@dataclass(frozen=True, slots=True)
class Account:
    """Who proves what."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What an API asks for, understood; `qop` is `auth`, or nothing as in the days before it."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str = ""
    opaque: str | None = None
    hides_user: bool = False
    stale: bool = False

    def header(self, account: Account, method: str, target: str, count: int, cnonce: str) -> str:
        """Return the `Authorization` header that answers it."""
        hidden = self._hash(f"{account.user}:{self.realm}") if self.hides_user else account.user
        quoted = {"username": hidden, "realm": self.realm, "nonce": self.nonce, "uri": target}
        quoted["response"] = self.response(account, method, target, f"{count:08x}", cnonce)
        if self.opaque is not None:
            quoted["opaque"] = self.opaque
        bare = {"algorithm": self.algorithm}
        if self.qop or self.algorithm.lower().endswith(_SESSION):
            quoted["cnonce"] = cnonce
        if self.qop:
            bare |= {"qop": self.qop, "nc": f"{count:08x}"}
        if self.hides_user:
            bare["userhash"] = "true"
        pairs = [f'{name}="{_escape(value)}"' for name, value in quoted.items()]
        return f"Digest {', '.join([*pairs, *(f'{name}={value}' for name, value in bare.items())])}"

    def response(self, account: Account, method: str, target: str, count: str, cnonce: str) -> str:
        """Return the proof that the account's password is known."""
        who = self._hash(f"{account.user}:{self.realm}:{account.password}")
        if self.algorithm.lower().endswith(_SESSION):
            who = self._hash(f"{who}:{self.nonce}:{cnonce}")
        what = self._hash(f"{method}:{target}")
        middle = f"{self.nonce}:{count}:{cnonce}:{self.qop}" if self.qop else self.nonce
        return self._hash(f"{who}:{middle}:{what}")

    def _hash(self, text: str) -> str:
        return _HASHES[self.algorithm.lower().removesuffix(_SESSION)](text.encode()).hexdigest()


class Digest(AuthFlow):
    """Answers the last challenge; each use of its nonce is counted."""

    def __init__(self, account: Account, namespace: str) -> None:
        self.account = account
        self._namespace = namespace
        self._challenge: Challenge | None = None
        self._count = 0

    def open(self, wire: AuthTransport) -> None:
        """Wait for the API's first challenge."""
        self._challenge = None

    async def close(self) -> None:
        """Nothing is in progress between calls."""

    async def header(self, method: str, target: str) -> str | None:
        """Return the answer to the last challenge, if there was one."""
        return None if self._challenge is None else self._answer(self._challenge, method, target)

    async def again(self, method: str, target: str, refused: str | None, challenges: Sequence[str]) -> str | None:
        """Return the answer to a new challenge; a refusal of the right nonce is one of the password."""
        challenge = choose(challenges)
        if challenge is None:
            _LOG.warning(
                "upstream '%s': it asks for no digest that is supported (auth; SHA-256 or MD5)", self._namespace
            )
            return None
        known = self._challenge
        if known is None or known.nonce != challenge.nonce:
            self._challenge, self._count = challenge, 0
        elif refused and not challenge.stale:
            return None
        return self._answer(challenge, method, target)

    def _answer(self, challenge: Challenge, method: str, target: str) -> str:
        self._count += 1
        return challenge.header(self.account, method, target, self._count, token_hex(16))


def choose(headers: Iterable[str]) -> Challenge | None:
    """Return strongest of the digest challenges that `WWW-Authenticate` headers hold, of those that can be answered."""
    offered = (parameters for text in headers for scheme, parameters in parse(text) if scheme == "digest")
    usable = [challenge for parameters in offered if (challenge := _challenge(parameters)) is not None]
    strengths = list(_HASHES)
    return min(usable, key=lambda each: strengths.index(each.algorithm.lower().removesuffix(_SESSION)), default=None)


def parse(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the schemes and their parameters of a header, all names in lower case."""
    scheme, parameters, at = "", dict[str, str](), 0
    while at < len(text):
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        if found := _PARAMETER.match(text, at):
            name, quoted, bare = found.groups()
            parameters[name.lower()] = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
            at = found.end()
        elif found := _SCHEME.match(text, at):
            if scheme:
                yield scheme, parameters
            scheme, parameters, at = found[1].lower(), {}, found.end()
        else:
            at += 1
    if scheme:
        yield scheme, parameters


def _challenge(parameters: Mapping[str, str]) -> Challenge | None:
    algorithm = parameters.get("algorithm", "MD5")
    offered = [each.strip().lower() for each in parameters.get("qop", "").split(",") if each.strip()]
    known = algorithm.lower().removesuffix(_SESSION) in _HASHES and (not offered or "auth" in offered)
    if not known or not parameters.get("nonce") or "realm" not in parameters:
        return None
    # It comes back in our own header, which can hold no more.
    if not all(_PRINTABLE.fullmatch(value) for value in parameters.values()):
        return None
    return Challenge(
        realm=parameters["realm"],
        nonce=parameters["nonce"],
        algorithm=algorithm,
        qop="auth" if offered else "",
        opaque=parameters.get("opaque"),
        hides_user=parameters.get("userhash", "").lower() == "true",
        stale=parameters.get("stale", "").lower() == "true",
    )


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
