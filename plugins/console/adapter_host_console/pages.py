"""The pages without scripts: the login, and the files of the application."""

from __future__ import annotations

from html import escape
from importlib import resources
from math import ceil
from typing import Final

from aiohttp import web

from adapter_host import Refusal

_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
_CREDENTIALS: Final = "<form method='post' action='/login/credentials'><button>Log in with credentials</button></form>"
_FILES: Final = resources.files(__package__).joinpath("static")


def static_files() -> dict[str, tuple[bytes, str]]:
    """Return the content and the media type of each file of the application, by its path below `/static/`."""
    found: dict[str, tuple[bytes, str]] = {}
    for folder in ("", "vendor/"):
        for file in (_FILES / folder if folder else _FILES).iterdir():
            suffix = file.name[file.name.rfind(".") :]
            if file.is_file() and suffix in _TYPES:
                found[f"{folder}{file.name}"] = (file.read_bytes(), _TYPES[suffix])
    return found


def _page(title: str, content: str, head: str = "") -> str:
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{title} · adapter-host</title><link rel='icon' href='/static/icon.svg'>"
        f"<link rel='stylesheet' href='/static/style.css'>{head}</head>"
        f"<body class='plain'><main class='card'><h1>{title}</h1>{content}</main></body></html>\n"
    )


LINK_REFUSED: Final = "This login link is not valid: it was used already, or is older than ten minutes."


def login_page(failure: str = "", *, with_credentials: bool) -> web.Response:
    """Return the page for everybody without a session."""
    reason = (
        f"<p role='alert'>{failure}</p>"
        if failure
        else "<p>Open the login link that <code>adapter-host serve --console</code> has printed.</p>"
    )
    form = "<form method='post' action='/login'><button>Print a new link in the terminal</button></form>"
    return _html(_page("Log in", reason + form + (_CREDENTIALS if with_credentials else "")), 403 if failure else 200)


def refused_page(refusal: Refusal) -> web.Response:
    """Return the page after credentials were refused; a browser asks for them by its challenge."""
    text = f"<p role='alert'>Not logged in: {escape(refusal.detail)}.</p>"
    response = _html(_page("Log in", text + _CREDENTIALS), refusal.status)
    for challenge in refusal.challenges:
        response.headers.add("WWW-Authenticate", challenge)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, ceil(refusal.retry_after)))
    return response


def link_page(*, printed: bool) -> web.Response:
    """Return the page after a new link was asked for."""
    text = "A new link is in the terminal of the host." if printed else "Wait ten seconds before the next link."
    return _html(_page("Log in", f"<p role='status'>{text}</p>"), 200 if printed else 429)


def entered_page() -> web.Response:
    """Return the page that leads to the application.

    A redirect would be part of the navigation that another program began, to which the cookie does not belong.
    """
    head = "<meta http-equiv='refresh' content='0;url=/'>"
    return _html(_page("Welcome", "<p><a href='/'>Continue to the console</a></p>", head), 200)


def _html(text: str, status: int) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html")
