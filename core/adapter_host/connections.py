"""TLS settings of client connections, and checks of what arrived on them."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable


def client_tls_context(authorities: str | None = None) -> ssl.SSLContext:
    """Return a TLS context that verifies servers by the authorities of the system, or of `SSL_CERT_FILE`.

    With `authorities`, a PEM file, it verifies them only by those. The common name of a certificate is not a host name
    (RFC 9110, 4.3.4).
    """
    context = ssl.create_default_context(cafile=authorities)
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    return context


def unread_data_check(transport: asyncio.BaseTransport) -> Callable[[], bool]:
    """Return a check for data, or the end of the connection, that the event loop has not read yet.

    The check is fast, as it precedes each reuse of a connection; do not call it on a closed connection.
    """
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return lambda: bool(poll.poll(0))


def ended_cleanly(transport: asyncio.BaseTransport) -> bool:
    """Return whether a connection whose end was received is complete: with TLS, after a close_notify (RFC 8446, 6.1).

    Without it, somebody on the way may have cut the connection.
    """
    ssl_object = transport.get_extra_info("ssl_object")
    if ssl_object is None:
        return True
    try:
        return not ssl_object.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False
