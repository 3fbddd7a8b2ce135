"""The messages of requests, for the access log."""

from __future__ import annotations

from typing import Any, Final

from adapter_host import note_call

METHODS: Final = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "notifications/cancelled",
        "notifications/initialized",
        "notifications/progress",
        "notifications/roots/list_changed",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "subscriptions/listen",
        "tools/call",
        "tools/list",
    }
)
"""The methods of clients in all revisions; the log has no other text of a message."""

OTHER: Final = "other"
RESPONSE: Final = "response"
"""Of a client, to a request of the server."""


def method_name(method: Any) -> str:
    """Return a method for the log."""
    return method if isinstance(method, str) and method in METHODS else OTHER


def note_message(decoded: Any) -> None:
    """Add the method of a message to the line of its request in the access log."""
    if isinstance(decoded, dict):
        is_response = "method" not in decoded and ("result" in decoded or "error" in decoded)
        note_call(message=RESPONSE if is_response else method_name(decoded.get("method")))
