"""The pages without scripts: the login, and the files of the application."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib import resources
from math import ceil
from typing import Final

from aiohttp import web

from adapter_host import BrowserFile, PageFrame, Refusal, read_browser_files, shared_browser_files

FRAME: Final = PageFrame(stylesheets=("/static/style.css",), icon="/static/icon.svg", sends_forms=True)
"""The frame of the pages without scripts."""

APPLICATION: Final = PageFrame(
    stylesheets=(
        "/static/style.css",
        "/static/operations.css",
        "/static/views.css",
        "/static/files.css",
        "/static/live.css",
        "/static/vendor/uplot.css",
    ),
    scripts=("/static/app.js",),
    icon="/static/icon.svg",
    sends_forms=True,
)
"""The frame of the application."""

_CREDENTIALS: Final = "<form method='post' action='/login/credentials'><button>Log in with credentials</button></form>"


def static_files() -> Mapping[str, BrowserFile]:
    """Return the files of the application, by their path below `/static/`."""
    own = read_browser_files(resources.files(__package__).joinpath("static"))
    return {**shared_browser_files(), **own}


def application_page() -> bytes:
    """Return the page of the application."""
    content = "<div id='app'></div><noscript>The console needs JavaScript.</noscript>"
    return APPLICATION.render("Console · adapter-host", content)


def _page(title: str, content: str, head: str = "") -> bytes:
    card = f"<main class='card'><h1>{title}</h1>{content}</main>"
    return FRAME.render(f"{title} · adapter-host", card, head=head, body_class="plain")


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


def _html(page: bytes, status: int) -> web.Response:
    return web.Response(status=status, body=page, headers=FRAME.headers)
