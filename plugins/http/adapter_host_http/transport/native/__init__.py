"""A transport of our own: HTTP/1.1 on asyncio protocols, and no more work for a request than it needs."""

from .transport import NativeTransport

__all__ = ["NativeTransport"]
