"""A transport on asyncio protocols that does only what HTTP/1.1 requires for a request."""

from .transport import NativeTransport

__all__ = ["NativeTransport"]
