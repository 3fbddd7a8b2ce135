"""core/man/adapter-host.1 is generated from the parser of the command; `ADAPTER_HOST_REWRITE=1` rewrites it."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from adapter_host import cli
from adapter_host.plugin.command import Command
from tests.support.man_page import man_page, parsers
from tests.support.paths import ROOT

PAGE = ROOT / "core/man/adapter-host.1"
# Read at import, because a fixture clears the environment of tests.
REWRITE = bool(os.environ.get("ADAPTER_HOST_REWRITE"))
DATE = re.compile(r"(?m)^\.TH \S+ 1 (\S+)")


def expected() -> str:
    """Return the page with the date of the one that is there."""
    found = DATE.search(PAGE.read_text()) if PAGE.exists() else None
    return man_page(found[1] if found else "1970-01-01")


def test_page_matches_the_parser() -> None:
    if REWRITE and (not PAGE.exists() or PAGE.read_text() != expected()):
        PAGE.write_text(man_page(datetime.now(UTC).date().isoformat()))
    assert PAGE.read_text() == expected(), "set ADAPTER_HOST_REWRITE=1 to write the page again"


@pytest.mark.parametrize(("name", "parser"), [pytest.param(*each, id=each[0]) for each in parsers()])
def test_every_option_of_a_command_is_in_its_section(name: str, parser: argparse.ArgumentParser) -> None:
    section = PAGE.read_text().partition(f"\n.SS {name}\n")[2]
    section = re.split(r"\n\.S[HS] ", section)[0].replace("\\-", "-")
    lines = re.findall(r"(?m)^\.B (-.*)", section)
    named = {option for line in lines for option in re.findall(r"-{1,2}[a-z][a-z-]*", line)}
    options = {option for action in parser._actions for option in action.option_strings}
    assert "--help" in options
    assert options - named == set()


def test_another_option_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    own = cli._own_command

    def add_option(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--new", help="is new")

    def with_option(name: str, summary: str) -> Command:
        return Command(summary, own(name, summary).run, add_option)

    monkeypatch.setattr(cli, "_own_command", with_option)
    assert "\\-\\-new" in expected()


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(("mandoc", "-T", "lint"), id="mandoc"),
        pytest.param(("groff", "-man", "-Tutf8", "-wall", "-z"), id="groff"),
    ],
)
def test_formatters_find_nothing(check: tuple[str, ...]) -> None:
    if shutil.which(check[0]) is None:
        pytest.skip(f"{check[0]} is not installed")
    done = subprocess.run([*check, str(PAGE)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
