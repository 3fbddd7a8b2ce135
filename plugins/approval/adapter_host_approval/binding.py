"""What an approval is bound to: one digest of the operation, its upstream, the caller and the arguments."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from adapter_host import Arguments, CallContext, ConsumedOperation, Operation, Sealer

PLACE_DIGITS: Final = 32
MAX_SHOWN: Final = 16 * 1024
"""Characters of the arguments that are kept to be shown."""

_CUT: Final = "… (the complete value is bound by its digest, SHA-256 {digest})"


@dataclass(frozen=True, slots=True)
class Site:
    """An operation as people and bindings know it.

    `upstream` are the requests that it makes, and `deciders` are who may approve its calls.
    """

    document: str
    capability: str
    exposer: str
    operation: str
    upstream: tuple[str, ...]
    deciders: tuple[str, ...] = ()


def canonical_json(value: Any) -> bytes:
    """Return the only serialization of plain data, with sorted keys and without spaces, as in RFC 8785.

    Other than there, numbers keep their digits: two integers that a double cannot distinguish differ. Bytes are their
    digests; raise `TypeError` for other types.
    """
    text = json.dumps(_tagged(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _tagged(value: Any) -> Any:
    """Return a value in which objects and bytes cannot be confused."""
    if isinstance(value, Mapping):
        return {"o": {str(key): _tagged(child) for key, child in value.items()}}
    if isinstance(value, list | tuple):
        return [_tagged(child) for child in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return {"b": sha256(value).hexdigest()}
    return value


def place_of(sealer: Sealer, site: Site, context: CallContext, arguments: Arguments) -> str:
    """Return the place in the store of a call's approval: a digest that nobody without the key can compute."""
    operation = [site.document, site.exposer, site.operation, list(site.upstream), list(site.deciders)]
    bound = [operation, caller_of(context), arguments]
    return sealer.sign(canonical_json(bound)).hex()[:PLACE_DIGITS]


def caller_of(context: CallContext) -> str:
    """Return the identity of a caller: its principal, or without authentication its address."""
    if context.principal is not None:
        return context.principal.identity
    return f"address {context.client_address}"


def caller_text(context: CallContext) -> str:
    """Return the caller for people."""
    principal = context.principal
    if principal is None:
        address = f" at {context.client_address}" if context.client_address else ""
        return f"a client without authentication{address}"
    return _visible(principal.subject or principal.client or "a client with a shared credential")


def arguments_text(arguments: Arguments) -> str:
    """Return the arguments for people, as JSON of a limited length."""
    text = _visible(json.dumps(arguments, indent=2, ensure_ascii=False, default=_described))
    if len(text) <= MAX_SHOWN:
        return text
    return text[:MAX_SHOWN] + _CUT.format(digest=sha256(canonical_json(arguments)).hexdigest())


def _visible(text: str) -> str:
    """Return a text in which characters that have no glyph, or change the direction of others, are escaped."""
    if text.isascii():
        return text
    return "".join(
        char if char == "\n" or unicodedata.category(char)[0] in "LMNPS" or char == " " else f"\\u{ord(char):04x}"
        for char in text
    )


def _described(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes with SHA-256 {sha256(value).hexdigest()}"
    return str(type(value).__name__)


def upstream_texts(operation: Operation) -> tuple[str, ...]:
    """Return the requests that an operation makes, such as `POST https://shop.example.com/refunds (shop.refund)`."""
    return tuple(map(_request_text, operation.upstream))


def _request_text(operation: ConsumedOperation) -> str:
    described = operation.describe()
    parts = (described.get("method") or operation.method, described.get("url"))
    return " ".join([*(str(part) for part in parts if part), f"({operation.namespace}.{operation.name})"])
