"""The pages for people: self-contained HTML without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from adapter_host import PageFrame

from .records import Approval

_STYLE: Final = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow: auto; padding: .75rem; border: 1px solid; border-radius: .25rem; white-space: pre-wrap }
dt { font-weight: 600 }
dd { margin: 0 0 .75rem; overflow-wrap: anywhere }
button { font: inherit; padding: .5rem 1.5rem; margin-right: 1rem }
"""


FRAME: Final = PageFrame(_STYLE, sends_forms=True)


def render_form(approval: Approval, token: str) -> bytes:
    """Return the page of a call that waits; `token` is the sealed token of its form."""
    form = (
        f"<form method='post'><input type='hidden' name='token' value='{escape(token)}'>"
        "<button name='decision' value='approve'>Approve</button>"
        "<button name='decision' value='deny'>Deny</button></form>"
    )
    return _render("Approve a call?", _details(approval) + form)


def render_decided(approval: Approval) -> bytes:
    """Return the page of a call after the decision."""
    if approval.state == "approved":
        return _render("Approved", f"<p>The caller can repeat the call, once, until {_time(approval.expires)}.</p>")
    return _render("Denied", "<p>The call will not be made.</p>")


def render_list(approvals: Sequence[Approval]) -> bytes:
    """Return the page of all calls that wait."""
    items = "".join(
        f"<li><a href='{escape(each.id)}'>{escape(each.operation)}</a>, called by {escape(each.caller)}, "
        f"until {_time(each.expires)}</li>"
        for each in approvals
    )
    return _render("Calls that wait for a decision", f"<ul>{items}</ul>" if items else "<p>No call waits.</p>")


def render_message(title: str, text: str) -> bytes:
    """Return a page with one sentence."""
    return _render(title, f"<p>{escape(text)}</p>")


def _details(approval: Approval) -> str:
    entries = {
        "Operation": f"{approval.operation} ({approval.capability})",
        "Requests": ", ".join(approval.upstream) or "none",
        "Caller": approval.caller,
    }
    items = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in entries.items())
    until = f"<dt>Waits until</dt><dd>{_time(approval.expires)}</dd>"
    return f"<dl>{items}{until}<dt>Arguments</dt><dd><pre>{escape(approval.arguments)}</pre></dd></dl>"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _render(title: str, content: str) -> bytes:
    return FRAME.render(title, f"<h1>{escape(title)}</h1>{content}")
