"""The errors of failed requests, which say whether the request was sent."""

from __future__ import annotations

from adapter_host import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamIncompleteError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)

from .transport.base import (
    ConnectDeadlineError,
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    IncompleteResponseError,
    MalformedResponseError,
    ProxyError,
    TransportError,
)


def upstream_error(
    error: TimeoutError | TransportError,
    name: str,
    connect_timeout: float,
    total_timeout: float,
    proxy: str | None = None,
) -> UpstreamError:
    """Return the error of a call for an error of its transport; `proxy` is the label of its proxy."""
    through = "" if proxy is None else f" through the proxy '{proxy}'"
    if isinstance(error, DisconnectedError) or (isinstance(error, ConnectError) and error.sent):
        return UpstreamDisconnectedError(f"the upstream '{name}' closed the connection before its response")
    if isinstance(error, IncompleteResponseError):
        return UpstreamIncompleteError(f"the response of the upstream '{name}' was cut off")
    if isinstance(error, MalformedResponseError):
        return UpstreamInvalidError(f"the upstream '{name}' did not respond in HTTP; the request was sent")
    if isinstance(error, ConnectTimeoutError):
        message = f"the upstream '{name}' did not accept a connection{through} within {connect_timeout:g} s"
        return UpstreamTimeoutError(message, sent=False)
    if isinstance(error, ConnectDeadlineError):
        message = f"no connection to the upstream '{name}' was available within {total_timeout:g} s"
        return UpstreamTimeoutError(message, sent=False)
    if isinstance(error, ConnectError):
        reason = f" ({error})" if isinstance(error, ProxyError) else ""
        return UpstreamUnreachableError(f"the upstream '{name}' cannot be reached{through}{reason}")
    if isinstance(error, TimeoutError):
        message = f"the upstream '{name}' did not respond within {total_timeout:g} s"
        return UpstreamTimeoutError(message, sent=True)
    return UpstreamError(f"the request to the upstream '{name}' was cut off", sent=True)
