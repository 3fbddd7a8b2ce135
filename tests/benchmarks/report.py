"""The report page: the results of the latest run are between markers, everything else is written by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.support.paths import ROOT

from . import table
from .chart import chart
from .results import Run

PAGE: Final = ROOT / "docs/explanation/performance.md"


def write(run: Run, page: Path = PAGE) -> None:
    """Write a run to the page; sections that it did not measure stay unchanged."""
    text = page.read_text()
    if run.samples:
        page.with_suffix(".svg").write_text(chart(run))
        text = replaced(text, "comparison", _comparison(run, page.with_suffix(".svg").name))
    if run.growth:
        text = replaced(text, "growth", f"{table.growth(run.growth)}\n{_conditions(run)}")
    if run.streams:
        text = replaced(text, "streams", f"{table.growth(run.streams)}\n{_conditions(run)}")
    page.write_text(text)


def replaced(text: str, section: str, content: str) -> str:
    """Return a page with a section replaced; raise `ValueError` unless its markers occur once."""
    begin, end = f"<!-- measured: {section} -->", f"<!-- end of {section} -->"
    found, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{content}\n{end}", text, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"the page must have {begin} and {end} once")
    return found


def _comparison(run: Run, picture: str) -> str:
    return f"![The costs of a request]({picture})\n\n{table.comparison(run)}\n{_conditions(run)}"


def _conditions(run: Run) -> str:
    said = "; ".join(f"{name}: {value}" for name, value in run.machine.items())
    left_out = f" Left out: {', '.join(run.without)}." if run.without else ""
    rounds = f"{run.settings['rounds']} rounds of {run.settings['seconds']} s" if run.samples else "one round"
    return f"Measured on {run.date} ({rounds}). {said[0].upper()}{said[1:]}.{left_out}\n"
