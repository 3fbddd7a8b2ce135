"""The credential of one call, as metadata."""

from __future__ import annotations

import asyncio

import grpc
from adapter_host import Authorizer

Metadata = tuple[tuple[str, str], ...]


class CallCredential:
    """The value of a credential for one call until its deadline; if the API rejects it, one other value."""

    __slots__ = ("_authorizer", "_deadline", "_is_replaced", "_value")

    def __init__(self, authorizer: Authorizer | None, deadline: float) -> None:
        self._authorizer = authorizer
        self._deadline = deadline
        self._value: str | None = None
        self._is_replaced = False

    async def metadata(self) -> Metadata:
        """Return the metadata of the next attempt; raise `UpstreamError` if a token is not issued."""
        if self._authorizer is None or self._authorizer.credential is None:
            return ()
        if self._value is None:
            self._value = await self._authorizer.value(self._deadline)
        return () if self._value is None else ((self._authorizer.credential.name.lower(), self._value),)

    async def replaces(self, error: grpc.aio.AioRpcError) -> bool:
        """Return whether there is another value after an error of a call that was not executed; once for each call.

        Raise `UpstreamError` if a token is not issued.
        """
        if self._authorizer is None or self._is_replaced or error.code() is not grpc.StatusCode.UNAUTHENTICATED:
            return False
        self._is_replaced = True
        value = await self._authorizer.value_after(self._value, self._deadline)
        if value is not None:
            self._value = value
        return value is not None

    def remaining(self) -> float:
        """Return the seconds until the deadline."""
        return max(0.0, self._deadline - asyncio.get_running_loop().time())
