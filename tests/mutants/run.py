"""Mutation testing of one package: change the code in many small ways and count the changes that no test notices.

mutmut expects the code below `src`, so this script copies the package, its tests and their data into a folder of
`.cache/mutants`, and runs mutmut there. mutmut forks a process that has imported everything, so a mutant of code that
runs at import has no effect; the script runs such a mutant again in a new process. It does the same, one at a time,
with a mutant whose process mutmut ended, since other processes on the machine may have slowed that process down.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CORE: Final = ROOT / "core/adapter_host"
SEED: Final = 1
MOST: Final = 300
UNNOTICED: Final = ("survived", "no tests")
UNCLEAR: Final = ("timeout", "segfault", "suspicious")
"""The outcomes of a process that was ended, which other processes on the machine may have caused."""
READ_BY_TESTS: Final = ("capabilities", "docs", "tests", "README.md", "pyproject.toml")

FURTHER_TESTS: Final = {
    "auth": ("tests/auth", "tests/server/test_access.py"),
    "binds": ("tests/binds", "tests/document"),
    "capability": ("tests/compiler", "tests/document", "tests/binds"),
    "compiler": ("tests/compiler", "tests/language", "tests/host/test_skip_invalid.py"),
    "document": (
        "tests/document/test_strict_messages.py",
        "tests/document",
        "tests/compiler/test_codes_of_invalid_documents.py",
        "tests/compiler/test_invalid_documents.py",
        "tests/host/test_skip_invalid.py",
    ),
    "http": (
        "plugins/http/tests",
        "tests/attacks/test_encodings.py",
        "tests/attacks/test_upstream_responses.py",
    ),
    "mcp": (
        "plugins/mcp/tests",
        "tests/language/test_mcp.py",
        "tests/auth/test_oauth2_mcp_client.py",
        "tests/attacks/test_mcp_sessions.py",
    ),
    "server": (
        "tests/server",
        "tests/host",
        "tests/auth",
        "tests/cli/test_same_verdict.py",
        "tests/attacks/test_connections.py",
        "tests/attacks/test_malformed_requests.py",
        "tests/attacks/test_request_bodies.py",
        "tests/attacks/test_slow_readers.py",
    ),
}
"""The tests of packages that are also tested outside of their folder."""

NOT_MUTATED: Final = {"http": ("conversions",)}
"""Folders of packages whose modules run in processes of their own, which do not import mutmut."""

CONFIGURATION: Final = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["{package}/*"]
do_not_mutate = {excluded}
pytest_add_cli_args = {options}
pytest_add_cli_args_test_selection = {tests}
also_copy = ["capabilities", "conftest.py", "docs", "plugins", "README.md"]
timeout_multiplier = 5.0
timeout_constant = 5.0
track_dependencies = false
use_git_change_detection = false
"""


OPTIONS: Final = (
    "-p",
    "no:cacheprovider",
    # The same examples in each run, and no limit of their time.
    "--hypothesis-profile=ci",
    # The snapshots are those of tests that are left out.
    "--snapshot-warn-unused",
    # It compares the documents with all tests, of which only some are here.
    "--ignore=tests/language/test_schema_coverage.py",
    # The client keeps the standard error of the first of several runs of pytest in one process.
    "--deselect=tests/language/test_mcp.py::test_stdio_transport",
)

CONFTEST: Final = """
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    # pytest keeps the ids of the first of several runs in one process, and escapes them again in the next ones.
    for mark in metafunc.definition.iter_markers("parametrize"):
        for owner in filter(None, (mark, mark._param_ids_from)):
            object.__setattr__(owner, "_param_ids_generated", None)
"""

FRESH: Final = """
import sys
import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
set_mutant_under_test(sys.argv[1])
sys.exit(pytest.main(sys.argv[2:]))
"""

AT_IMPORT: Final = """
import sys
from importlib import import_module
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
set_mutant_under_test("stats")
for name in sys.argv[1:]:
    import_module(name)
print(*state()._stats, sep="\\n")
"""

LONGEST: Final = 600.0
"""Seconds after which a process that runs all tests is ended; many times what the slowest selection takes."""


@dataclass(frozen=True, slots=True)
class Package:
    """The folder of a package below `src`, the folder that has it in the checkout, and its tests."""

    name: str
    below_src: Path
    source: Path
    tests: tuple[str, ...]


def find(name: str) -> Package:
    """Return the package of the core or the plugin of that name; raises `SystemExit`."""
    if (CORE / name).is_dir():
        return Package(name, Path("adapter_host") / name, CORE, FURTHER_TESTS.get(name, (f"tests/{name}",)))
    plugin = ROOT / "plugins" / name / f"adapter_host_{name}"
    if plugin.is_dir():
        return Package(name, Path(plugin.name), plugin, FURTHER_TESTS.get(name, (f"plugins/{name}/tests",)))
    known = sorted(path.parent.name for path in [*CORE.glob("*/__init__.py"), *ROOT.glob("plugins/*/pyproject.toml")])
    raise SystemExit(f"no package is named '{name}'; use one of: {', '.join(known)}")


def stage(package: Package) -> Path:
    """Copy the files for mutmut and the tests to a new folder, and return it."""
    folder = ROOT / ".cache/mutants" / package.name
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "mutants")
    shutil.copytree(package.source, folder / "src" / package.source.name, ignore=ignored)
    for name in (*READ_BY_TESTS, *(path for path in package.tests if path.startswith("plugins/"))):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    if (shared := ROOT.parent / "shared").is_dir():
        # The tests look for it beside the checkout, which is `mutants` here.
        (folder / "shared").symlink_to(shared)
    text = CONFIGURATION.format(
        package=Path("src") / package.below_src,
        excluded=[f"src/{package.below_src}/{folder}/*" for folder in NOT_MUTATED.get(package.name, ())],
        tests=list(package.tests),
        options=list(OPTIONS),
    )
    (folder / "conftest.py").write_text(CONFTEST)
    with (folder / "pyproject.toml").open("a") as file:
        file.write(text.replace("'", '"'))
    return folder


def modules_of(package: Package) -> list[Path]:
    """Return the files to mutate; the current folder is that of `stage`."""
    root = Path("src") / package.below_src
    excluded = [root / folder for folder in NOT_MUTATED.get(package.name, ())]
    return sorted(path for path in root.rglob("*.py") if not any(map(path.is_relative_to, excluded)))


def mutants_of(package: Package) -> Iterator[str]:
    """Yield the name of every mutant, in a fixed order; the current folder is that of `stage`."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    for path in modules_of(package):
        for name in mutate_file_contents(str(path), path.read_text()).mutant_names:
            yield get_mutant_name(path, name)


def outcomes(package: Package) -> dict[str, tuple[Path, str]]:
    """Return the file and the outcome of each mutant that was run."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.stats import status_by_exit_code

    found = {}
    for path in modules_of(package):
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            if code is not None:
                found[name] = path, status_by_exit_code[code]
    return found


def run_fresh(package: Package, found: dict[str, tuple[Path, str]]) -> None:
    """Run unclear mutants, and survivors in code that runs at import, again in a new process with all tests."""
    environment = {**os.environ, "PYTHONPATH": str(Path("mutants/src").resolve())}
    modules = [".".join(path.with_suffix("").parts[1:]).removesuffix(".__init__") for path, _ in found.values()]

    def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd="mutants", env=environment, capture_output=True, text=True, timeout=LONGEST, check=False,
        )  # fmt: skip

    def rerun(name: str) -> str:
        try:
            return "survived" if python(FRESH, name, "-x", "-q", *OPTIONS, *package.tests).returncode == 0 else "killed"
        except subprocess.TimeoutExpired:
            return "timeout"

    listed = python(AT_IMPORT, *dict.fromkeys(modules))
    listed.check_returncode()
    at_import = set(listed.stdout.split())
    again = [
        name for name, (_, was) in found.items() if was in UNNOTICED and name.partition("__mutmut_")[0] in at_import
    ]
    unclear = [name for name, (_, was) in found.items() if was in UNCLEAR]
    if (again or unclear) and rerun("none") != "survived":
        raise SystemExit("the tests fail in a new process without any mutant; see why before you trust a score")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, now in zip(again, pool.map(rerun, again), strict=True):
            found[name] = found[name][0], now
    for name in unclear:
        found[name] = found[name][0], rerun(name)


def report(package: Package, total: int, seed: int) -> None:
    """Print the mutants that no test noticed, and the score."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    found = outcomes(package)
    run_fresh(package, found)
    for name, (path, outcome) in found.items():
        if outcome in UNNOTICED:
            print(f"\n{name} ({outcome})")
            lines = get_diff_for_mutant(name, path=path).splitlines()[2:]
            print("\n".join(line for line in lines if line.startswith(("-", "+"))))
    counts = Counter(outcome for _, outcome in found.values())
    unnoticed = sum(counts[outcome] for outcome in UNNOTICED)
    print(f"\nmutmut {version('mutmut')}, {package.name}: {len(found)} of {total} mutants run (seed {seed})")
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    print(f"score: {(len(found) - unnoticed) / max(len(found), 1):.1%} of the mutants were noticed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run mutmut over one package."""
    parser = argparse.ArgumentParser(description="Count the small changes to a package that no test notices.")
    parser.add_argument("package", help="a package of the core, such as compiler, or a plugin, such as http")
    parser.add_argument(
        "--most",
        type=int,
        default=MOST,
        help="run a sample of at most so many mutants, 0 for all (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=SEED, help="the seed of the sample (default: %(default)s)")
    parser.add_argument("--only", default="", help="run those whose name contains this text")
    given = parser.parse_args(arguments)
    package = find(given.package)
    os.chdir(stage(package))
    every = list(mutants_of(package))
    names = [name for name in every if given.only in name]
    if 0 < given.most < len(names):
        # A larger sample of the same seed contains a smaller one.
        random.Random(given.seed).shuffle(names)
        names = sorted(names[: given.most])
    mutmut = Path(sys.executable).with_name("mutmut")
    with Path("run.log").open("wb") as log:
        done = subprocess.run([mutmut, "run", *names], stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print(Path("run.log").read_text()[-5000:], file=sys.stderr)
        return done.returncode
    report(package, len(every), given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
