"""Tests of the frame of HTML pages, and of the files that browsers load."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from adapter_host import PageFrame, read_browser_files, shared_browser_files


def directives(frame: PageFrame) -> dict[str, str]:
    """Return the Content-Security-Policy of a frame."""
    policy = frame.headers["Content-Security-Policy"]
    return {name: value for name, _, value in (each.partition(" ") for each in policy.split("; "))}


def test_a_page_may_do_nothing_that_it_does_not_need() -> None:
    none = dict.fromkeys(("default-src", "base-uri", "frame-ancestors", "form-action"), "'none'")
    assert directives(PageFrame()) == none
    assert PageFrame().headers["Referrer-Policy"] == "no-referrer"
    application = PageFrame("a{}", stylesheets=("x.css",), scripts=("x.js",), icon="x.svg", sends_forms=True)
    digest = b64encode(sha256(b"a{}").digest()).decode()
    assert directives(application) == {
        **none,
        "form-action": "'self'",
        "style-src": f"'self' 'sha256-{digest}'",
        "img-src": "'self'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "require-trusted-types-for": "'script'",
    }
    assert application.headers["Referrer-Policy"] == "same-origin"
    assert "Content-Type" not in application.security_headers


def test_the_values_of_a_page_are_escaped() -> None:
    frame = PageFrame(stylesheets=("x.css?a='",), scripts=("x.js",))
    page = frame.render("<b>\ud800'", "<p>content</p>", head="<meta name='a'>", body_class="plain").decode()
    assert "<title>&lt;b&gt;?&#x27;</title>" in page
    assert "<link rel='stylesheet' href='x.css?a=&#x27;'>" in page
    assert "<meta name='a'></head><body class='plain'><p>content</p></body>" in page
    assert "<style>" not in page


@pytest.mark.parametrize("name", [name for name in shared_browser_files() if name.endswith(".js")])
def test_shared_scripts_import_what_is_served(name: str) -> None:
    files = shared_browser_files()
    for imported in re.findall(r'from "\./([^"]+)"', files[name].body.decode()):
        assert imported in files


def test_only_files_for_browsers_are_read(tmp_path: Path) -> None:
    for path in ("a.js", "vendor/b.mjs", "c.svg", "d.py", "e", "vendor/f.css"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path)
    files = read_browser_files(tmp_path)
    assert {name: file.content_type for name, file in files.items()} == {
        "a.js": "text/javascript; charset=utf-8",
        "vendor/b.mjs": "text/javascript; charset=utf-8",
        "c.svg": "image/svg+xml; charset=utf-8",
        "vendor/f.css": "text/css; charset=utf-8",
    }
    assert files["vendor/b.mjs"].body == b"vendor/b.mjs"
