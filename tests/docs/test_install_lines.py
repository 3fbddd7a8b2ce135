"""The documentation installs from a checkout, as nothing is published yet."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from tests.support.pages import PAGES
from tests.support.paths import ROOT

COMMAND = re.compile(r"pip install [^`\n]+")
PUBLISHED_LATER = {"docs/contributing/release.md", "docs/writing-a-plugin.md", "plugins/echo/README.md"}
"""Pages about releases, and about plugins outside of the checkout."""


def test_every_installed_package_is_in_the_checkout() -> None:
    found = 0
    for page in (Path(page) for page in PAGES):
        if str(page.relative_to(ROOT)) in PUBLISHED_LATER:
            continue
        for command in COMMAND.findall(page.read_text()):
            for requirement in shlex.split(command)[2:]:
                folder, _, extra = requirement.rstrip("]").partition("[")
                project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
                assert not extra or extra in project["optional-dependencies"], (page, command)
                found += 1
    assert found >= 20


def test_readme_installs_every_plugin() -> None:
    command = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("$ pip install"))
    installed = set(shlex.split(command)[3:])
    plugins = {f"./{path.parent.relative_to(ROOT)}" for path in ROOT.glob("plugins/*/pyproject.toml")}
    assert installed == plugins - {"./plugins/echo"} | {"./core", "."}


@pytest.mark.parametrize("name", ["README.md", "docs/how-to/resilience.md", "docs/writing-a-plugin.md"])
def test_pages_state_that_nothing_is_published(name: str) -> None:
    text = " ".join((ROOT / name).read_text().split())
    assert "othing is published" in text
