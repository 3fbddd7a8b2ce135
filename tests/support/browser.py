"""Chromium of the system, and a record of its pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from .paths import ROOT

AXE = ROOT / "tests/conformance/node_modules/axe-core/axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def launch() -> Iterator[Browser]:
    """Run the browser; skip the test if it is not installed."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


class Watched:
    """A page, with its errors and the hosts of its requests."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.hosts: set[str | None] = set()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.errors.append(text)

    def _request(self, request: Request) -> None:
        self.hosts.add(urlsplit(request.url).hostname)


def axe_script() -> str:
    """Return the script of axe-core; skip the test if it is not installed."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed (make tests/conformance/node_modules/.package-lock.json)")
    return AXE.read_text()


def serious_violations(page: Page, script: str) -> list[Any]:
    """Return the serious and critical violations that axe-core finds."""
    page.evaluate(script)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (each["id"], [node["html"][:200] for node in each["nodes"][:3]])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
