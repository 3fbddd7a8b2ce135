"""Tests of the arithmetic and the report of the benchmark, not of its measurements."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.paths import ROOT

from . import report, table
from .chart import chart
from .contenders import LIMIT, MAPPED
from .results import Run, Sample, Standing, median, spread

OURS = "adapter-host, REST, mapped"
COSTS = {LIMIT: (20.0, 20.0, 20.0), MAPPED: (200.0, 400.0, 210.0), OURS: (220.0, 800.0, 200.0)}


@pytest.fixture
def run() -> Run:
    samples = [
        Sample(name, connections, number, rate=1e6 / cost, cpu=cost, p50=cost / 100, p99=cost / 10)
        for name, costs in COSTS.items()
        for connections in (1, 16, 64)
        for number, cost in enumerate(costs)
    ]
    standings = [Standing(name, MAPPED, (0.5, 0.25, 1.0), 40.0) for name in COSTS]
    settings = {"rounds": 3, "seconds": 1}
    grown = [{"kind": "Capabilities", "shown": {"": f"{count}", "MiB": "50"}} for count in (1, 100)]
    streamed = [{"kind": "First event", "shown": {"": "REST", "p50 ms": "1.00"}}]
    return Run("2026-01-02", {"processor": "P-1"}, settings, ["FastMCP"], samples, standings, grown, streamed)


def test_ratios_compare_the_same_rounds(run: Run) -> None:
    assert run.ratio(OURS, MAPPED, 16, attrgetter("cpu")) == pytest.approx(1.1)
    assert run.ratio(OURS, "absent", 16, attrgetter("cpu")) is None


def test_medians_and_spreads(run: Run) -> None:
    samples = run.of(OURS, 16)
    assert median(samples, attrgetter("cpu")) == 220.0
    assert spread(samples, attrgetter("cpu")) == pytest.approx(300 / 220)


def test_results_round_trip(run: Run, tmp_path: Path) -> None:
    run.write(tmp_path / "run.json")
    assert Run.read(tmp_path / "run.json") == run


def test_table_has_a_row_for_each_contender(run: Run) -> None:
    head, _, *lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.comparison(run).splitlines()]
    cells = [dict(zip(head, line, strict=True)) for line in lines]
    assert [each[""] for each in cells] == list(COSTS)
    assert cells[2] == {
        "": OURS, "CPU µs": "220", "CPU ±%": "136", "of proxy's": "1.10",
        "requests/s": "4,545", "rate ±%": "41", "of nginx's": "0.091",
        "of proxy's at 1": "0.91", "of proxy's at 16": "0.91", "of proxy's at 64": "0.91",
        "p50/p99 ms at 1": "2.20/22.00", "p50/p99 ms at 16": "2.20/22.00", "p50/p99 ms at 64": "2.20/22.00",
        "MiB": "40", "start s": "0.50",
    }  # fmt: skip


def test_chart_is_svg(run: Run) -> None:
    picture = ElementTree.fromstring(chart(run))
    names = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert [name for name in names if name in COSTS] == [LIMIT, MAPPED, OURS]


def test_report_keeps_other_text(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(report.PAGE.read_text())
    report.write(run, page)
    report.write(run, page)
    written, before = page.read_text(), report.PAGE.read_text()
    assert "| Capabilities" not in written
    assert "Capabilities:\n\n|     | MiB |" in written
    assert "First event:\n\n|      | p50 ms |" in written
    assert "Measured on 2026-01-02 (3 rounds of 1 s). Processor: P-1. Left out: FastMCP." in written
    assert (tmp_path / "performance.svg").exists()
    outside = [text.split("<!-- measured")[0] for text in (written, before)]
    assert outside[0] == outside[1]


def test_report_needs_markers(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n")
    with pytest.raises(ValueError, match="measured: comparison"):
        report.write(run, page)


def test_page_shows_the_chart() -> None:
    page = ROOT / "docs/explanation/performance.md"
    assert "(performance.svg)" in page.read_text()
    assert page.with_suffix(".svg").exists()
