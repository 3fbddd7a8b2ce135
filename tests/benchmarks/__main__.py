"""The benchmark: adapter-host and its alternatives, in one run on one machine.

The measured server has one core, the load generator and the upstream API have the other. Ratios hold on any machine;
figures are those of this machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from tests.support.paths import ROOT

from . import machine, report, table
from .comparing import Effort, api, compare
from .contenders import contenders, without
from .growing import grow
from .results import Run
from .server import UnfitError
from .streams import measure_streams

WHOLE: Final = Effort(rounds=5, seconds=2, connections=(1, 16, 64), starts=3)
QUICK: Final = Effort(rounds=2, seconds=1, connections=(1, 16, 64), starts=1)


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes, and less certain")
    parser.add_argument("--growth", action="store_true", help="let the work grow, instead of comparing")
    parser.add_argument("--streams", action="store_true", help="measure first events of streams, instead of comparing")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="contenders (repeatable)")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--seconds", type=int, help="how long at a time")
    parser.add_argument("--connections", type=int, nargs="+", help="with so many connections")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the run")
    parser.add_argument("--read", type=Path, metavar="FILE", help="show a run that was kept, instead of measuring")
    parser.add_argument("--report", action="store_true", help=f"write it into {report.PAGE.relative_to(ROOT)}")
    parser.add_argument("--install", action="store_true", help="install wrk and nginx first, where apt-get may")
    return parser.parse_args()


def effort(given: argparse.Namespace) -> Effort:
    """Return the sizes of the benchmark."""
    usual = QUICK if given.quick else WHOLE
    return Effort(
        rounds=given.rounds or usual.rounds,
        seconds=given.seconds or usual.seconds,
        connections=tuple(given.connections or usual.connections),
        starts=usual.starts,
    )


def measure(given: argparse.Namespace) -> Run:
    """Run the benchmark."""
    machine.refuse_elsewhere()
    if given.install and machine.missing():
        machine.install(machine.missing())
    if missing := machine.missing():
        print(f"without {' and '.join(missing)} (apt-get install {' '.join(missing)})", file=sys.stderr)
    chosen = effort(given)
    left = [] if given.streams else without()
    run = Run(time.strftime("%Y-%m-%d", time.gmtime()), machine.described(), asdict(chosen), left)
    for left_out in run.without:
        print(f"left out: {left_out}", file=sys.stderr)
    if given.streams:
        with tempfile.TemporaryDirectory() as name:
            measure_streams(run, Path(name), quick=given.quick)
        return run
    with tempfile.TemporaryDirectory() as name, api(Path(name)) as upstream:
        folder = Path(name)
        if given.growth:
            grow(run, folder, upstream, quick=given.quick)
        else:
            wanted = given.only or ["*"]
            all_of_them = contenders(folder, upstream)
            taken = [each for each in all_of_them if any(fnmatch(each.name, f"*{one}*") for one in wanted)]
            compare(run, taken, chosen, folder)
    return run


def main() -> None:
    """Measure or load a run, then print, save and report it."""
    given = options()
    try:
        run = Run.read(given.read) if given.read else measure(given)
    except UnfitError as error:
        sys.exit(str(error))
    if given.json:
        run.write(given.json)
    if run.samples:
        print(table.comparison(run))
    if run.growth:
        print(table.growth(run.growth))
    if run.streams:
        print(table.growth(run.streams))
    if given.report:
        report.write(run)


main()
