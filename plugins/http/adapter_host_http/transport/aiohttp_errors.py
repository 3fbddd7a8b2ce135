"""Translate errors of aiohttp, which do not say whether a request was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import aiohttp
from aiohttp.http import HttpProcessingError

from adapter_host import ClientConnector, RefusedByProxyError, SocksConnector, TunnelConnector

from .base import (
    ConnectDeadlineError,
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    IncompleteResponseError,
    MalformedResponseError,
    ProxyError,
)


class Progress:
    """How far a request has come: an error of aiohttp does not say whether it was sent."""

    __slots__ = ("connected", "connecting", "responded")

    def __init__(self) -> None:
        self.connected = self.connecting = self.responded = False


PROGRESS: Final[ContextVar[Progress]] = ContextVar("adapter_host_http_progress")


class ProgressConnector(ClientConnector):
    """Records whether a request has a connection."""

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        progress = PROGRESS.get()
        progress.connecting = True
        connection = await super().connect(*args, **kwargs)
        progress.connecting = False
        progress.connected = True
        return connection


class ProgressTunnelConnector(ProgressConnector, TunnelConnector):
    """Records the same for requests through an HTTP proxy."""


class ProgressSocksConnector(ProgressConnector, SocksConnector):
    """Records the same for requests through a SOCKS proxy."""


@contextmanager
def translate_errors(progress: Progress) -> Iterator[None]:
    """Raise the transport's error for an error of aiohttp, without details of the request."""
    try:
        yield
    except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
        if progress.connecting or not progress.connected:
            raise _connect_error(error, sent=progress.connected) from error
        if isinstance(error, TimeoutError):
            raise
        if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
            raise MalformedResponseError(type(error).__name__) from error
        if progress.responded:
            raise IncompleteResponseError(
                f"the connection was closed within the response ({type(error).__name__})"
            ) from error
        raise DisconnectedError(f"the connection was closed before the response ({type(error).__name__})") from error


def _connect_error(error: Exception, *, sent: bool) -> ConnectError:
    failure: ConnectError
    if isinstance(error, RefusedByProxyError):
        failure = ProxyError(str(error))
    elif isinstance(error, aiohttp.ConnectionTimeoutError):
        failure = ConnectTimeoutError("no connection in time")
    elif isinstance(error, TimeoutError):
        failure = ConnectDeadlineError("no connection before the deadline")
    elif isinstance(error, aiohttp.ClientConnectorError):
        failure = ConnectError(f"{type(error).__name__}: {error}")
    else:
        failure = ConnectError(type(error).__name__)
    failure.sent = sent
    return failure
