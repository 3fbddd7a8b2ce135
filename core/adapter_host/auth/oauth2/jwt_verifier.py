"""Verify JSON Web Tokens by their signature (RFC 7519, RFC 9068)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import orjson

from adapter_host.errors import UnavailableError
from adapter_host.operation.callers import Principal

from .authorization_server import AuthorizationServer
from .claims import ExpectedClaims, InvalidTokenError
from .key_set import ALGORITHMS, Key, KeySet

_MALFORMED = "the token is malformed"


class JwtVerifier:
    """Accepts tokens signed with a key of the authorization server."""

    def __init__(self, server: AuthorizationServer, audience: str, clock: Callable[[], float] = time.time) -> None:
        self._server = server
        self._expected = ExpectedClaims(audience, required=("exp", "iss"))
        self._clock = clock
        self._keys = KeySet(self._fetch)
        self._jws = jwt.PyJWS()

    def verify_cached(self, token: str) -> Principal | None:
        """Return the client of a token signed with a cached key; None when the keys must be fetched."""
        keys = self._keys.find(*self._signing_key(token))
        return self._verify_with(token, keys) if keys else None

    async def verify(self, token: str) -> Principal:
        """Return the client of a token with fetched keys; raise `InvalidTokenError` or `UnavailableError`."""
        keys = await self._keys.find_or_fetch(*self._signing_key(token))
        if not keys:
            raise InvalidTokenError("the token is signed with an unknown key")
        return self._verify_with(token, keys)

    async def stop(self) -> None:
        await self._keys.stop()

    async def _fetch(self) -> Mapping[str, Any]:
        url = await self._server.endpoint("jwks_uri")
        try:
            return await self._server.request_json(url)
        except UnavailableError:
            self._server.forget_metadata()
            raise

    def _signing_key(self, token: str) -> tuple[str, str | None]:
        """Return the algorithm and the key id in the header of a token."""
        try:
            header = self._jws.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError) as error:
            raise InvalidTokenError(_MALFORMED) from error
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise InvalidTokenError("the signing algorithm of the token is not accepted")
        return algorithm, key_id

    def _verify_with(self, token: str, keys: list[Key]) -> Principal:
        for key in keys:
            try:
                payload = self._jws.decode(token, key, algorithms=[key.algorithm_name])
            except jwt.InvalidSignatureError:
                continue
            except jwt.PyJWTError as error:
                raise InvalidTokenError(_MALFORMED) from error
            return self._expected.principal(_claims(payload), self._server.issuer, token, self._clock())
        raise InvalidTokenError("the signature of the token is invalid")


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise InvalidTokenError(_MALFORMED) from error
    if not isinstance(claims, dict):
        raise InvalidTokenError(_MALFORMED)
    return claims
