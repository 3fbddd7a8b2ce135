"""Tests of `adapter-host plugins new`: the package installs, passes its tests and meets the project's standards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import API_VERSION, Plugins
from adapter_host.cli import main
from adapter_host.cli.scaffold import KINDS
from tests.support.paths import ROOT

pytestmark = pytest.mark.early

ECHO = ROOT / "plugins/echo"
ECHOS_OWN = {"LICENSE"}
"""Files of the project's own plugin only: the author of another plugin chooses the license."""
INDEX_METADATA = re.compile(
    r"^(?:(?:license|keywords)\b.*\n|\[project\.urls\]\n(?:.+\n)+\n"
    r'|    "(?:Intended Audience|Topic|Programming Language :: Python :: (?:3\.\d+|Implementation)) ?.*\n)',
    re.MULTILINE,
)
"""Lines of its pyproject.toml that the author of another plugin chooses."""
SERVING = """
import asyncio
import sys
from adapter_host.testing import running

async def serve():
    for file in sys.argv[1:]:
        async with running(file) as served:
            print(served.host.status()[0].url, len(served.host.warnings))

asyncio.run(serve())
"""


def files(folder: Path) -> dict[str, Path]:
    ignored = ("__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache")
    found = (path for path in folder.rglob("*") if path.is_file() and not any(part in ignored for part in path.parts))
    return {str(path.relative_to(folder)): path for path in found}


def run(*words: object, cwd: Path, **environment: str) -> str:
    """Run a command that must succeed, and return its output."""
    command = [sys.executable, "-m", *map(str, words)]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Create a package of each kind in adjacent folders."""
    folder = tmp_path_factory.mktemp("packages")
    # mypy distinguishes modules of the same name by their folders, if those are identifiers.
    folders = {kind: folder / kind.replace("-", "_") for kind in KINDS}
    for kind, into in folders.items():
        assert main(["plugins", "new", f"my-{kind}", "--kind", kind, "--into", str(into)]) == 0
    return folders


@pytest.fixture(params=KINDS)
def package(request: pytest.FixtureRequest, packages: Mapping[str, Path]) -> Path:
    return packages[request.param]


def test_echo_plugin_matches_the_template(tmp_path: Path) -> None:
    assert main(["plugins", "new", "echo", "--kind", "exposer", "--into", str(tmp_path / "echo")]) == 0
    written, own = files(tmp_path / "echo"), files(ECHO)
    assert own.keys() - written.keys() == ECHOS_OWN
    for name, path in written.items():
        text = own[name].read_text()
        if name == "pyproject.toml":
            text = INDEX_METADATA.sub("", text)
            text = re.sub(r'^version = ".*"$', 'version = "0.1.0"', text, flags=re.MULTILINE)
        assert path.read_text() == text, f"{name} is not as the template writes it"


def test_ruff_passes(packages: Mapping[str, Path]) -> None:
    folder = packages["exposer"].parent
    run("ruff", "check", "--no-cache", cwd=folder)
    run("ruff", "format", "--check", "--no-cache", cwd=folder)


@pytest.mark.timeout(300)
def test_mypy_passes(packages: Mapping[str, Path]) -> None:
    settings = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", ROOT / ".mypy_cache/scaffold"]
    run(
        "mypy",
        *settings,
        "--explicit-package-bases",
        *(path.name for path in packages.values()),
        cwd=packages["exposer"].parent,
    )


def test_tool_settings_match_the_project(package: Path) -> None:
    own, written = (tomllib.loads((folder / "pyproject.toml").read_text()) for folder in (ROOT, package))
    assert written["build-system"]["build-backend"] == own["build-system"]["build-backend"]
    assert set(written["build-system"]["requires"]) < set(own["build-system"]["requires"])
    for tool in ("ruff", "mypy", "pytest"):
        expected = own["tool"][tool]
        for path, value in leaves(written["tool"][tool]):
            if path != ("ini_options", "testpaths"):
                assert value == leaf(expected, path), (tool, *path)


def leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = []
    for key, value in table.items():
        found += leaves(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]
    return found


def leaf(table: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        table = table[key]
    return table


@pytest.fixture(scope="module")
def installed(packages: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Install all packages into one folder; return the environment that has them."""
    target = tmp_path_factory.mktemp("installed")
    install = ["uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--no-build-isolation"]
    run(*install, "--python", sys.executable, "--target", target, *packages.values(), cwd=target)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(target), os.environ.get("PYTHONPATH"))))}


def test_installed_packages_are_listed(packages: Mapping[str, Path], installed: Mapping[str, str]) -> None:
    listing = run("adapter_host", "plugins", cwd=packages["exposer"], **installed)
    for kind in packages:
        assert re.search(rf"^my-{kind} +adapter-host-my-{kind} +0\.1\.0 ", listing, re.MULTILINE)


@pytest.mark.timeout(300)
def test_tests_of_installed_packages_pass(packages: Mapping[str, Path], installed: Mapping[str, str]) -> None:
    """The settings of pytest are the same in all packages, so that one run covers all of them."""
    settings = packages["exposer"] / "pyproject.toml"
    folder = packages["exposer"].parent
    folders = [path / "tests" for path in packages.values()]
    options = ["-v", "-p", "no:cacheprovider", "-c", settings, "--rootdir", folder]
    output = run("pytest", *options, *folders, cwd=folder, **installed)
    for path in packages.values():
        for file in (path / "tests").glob("test_*.py"):
            assert f"{path.name}/tests/{file.name}::" in output
    assert "FAILED" not in output


def test_examples_of_installed_packages_are_served(
    packages: Mapping[str, Path], installed: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "serving.py").write_text(SERVING)
    (tmp_path / "weather-token").write_text("a-secret")
    for kind, path in packages.items():
        example = (path / "example.yaml").read_text().replace("/run/secrets", str(tmp_path))
        (tmp_path / f"{kind}.yaml").write_text(example)
        for definitions in path.glob("example.*.discovered.json"):
            (tmp_path / f"{kind}{definitions.name.removeprefix('example')}").write_text(definitions.read_text())
    lines = run("serving", *(f"{kind}.yaml" for kind in packages), cwd=tmp_path, **installed).splitlines()
    assert len(lines) == len(packages)
    for line in lines:
        assert re.fullmatch(r"(http|tcp)://127\.0\.0\.1:\d+ 0", line), line


def test_ci_runs_the_commands_of_the_readme(package: Path) -> None:
    ci = yaml.safe_load((package / ".github/workflows/ci.yml").read_text())
    commands = [step["run"] for step in ci["jobs"]["test"]["steps"] if "run" in step]
    readme = (package / "README.md").read_text()
    assert commands[0].startswith("pip install")
    for command in commands:
        assert command in readme


def test_requires_api(package: Path) -> None:
    (module,) = package.glob("adapter_host_*/__init__.py")
    assert f'requires_api = "{API_VERSION}"' in module.read_text()


def test_no_placeholders_remain(package: Path) -> None:
    for path in files(package).values():
        assert not re.search(r"<<|>>|TODO|FIXME", path.read_text()), path


def test_output_lists_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", "timing", "--kind", "wrapper"]) == 0
    printed = capsys.readouterr()
    assert set(printed.out.split()) == {f"timing/{name}" for name in files(tmp_path / "timing")}
    assert printed.err.startswith("next: pip install --editable 'timing[dev]'")


@pytest.mark.parametrize("name", ["Lines", "2lines", "my_lines", "my--lines", "../lines", "lines-"])
def test_invalid_name(name: str, tmp_path: Path, capsys: Any) -> None:
    assert main(["plugins", "new", name, "--kind", "wrapper", "--into", str(tmp_path / "x")]) == 2
    assert f"'{name}' is not a valid plugin name" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_existing_files_are_not_overwritten(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert main(["plugins", "new", "lines", "--kind", "wrapper", "--into", str(tmp_path)]) == 2
    assert "already exists and is not empty" in capsys.readouterr().err
    assert files(tmp_path).keys() == {"README.md"}


def test_empty_folder_is_used(tmp_path: Path) -> None:
    assert main(["plugins", "new", "lines", "--kind", "wrapper", "--into", str(tmp_path)]) == 0
    assert (tmp_path / "pyproject.toml").exists()


def test_folder_that_cannot_be_created(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("")
    assert main(["plugins", "new", "lines", "--kind", "wrapper", "--into", str(tmp_path / "file/lines")]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("installed", "range"), [("0.1.0", ">=0.1,<0.2"), ("0.12.3", ">=0.12,<0.13"), ("2.3.4", ">=2.3,<3")]
)
def test_core_version_range(installed: str, range: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: installed)
    assert main(["plugins", "new", "lines", "--kind", "wrapper", "--into", str(tmp_path)]) == 0
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == [f"adapter-host-core{range}"]


def test_plugins_without_action_lists(capsys: Any) -> None:
    assert main(["plugins"]) == (1 if Plugins.installed().failed else 0)
    assert capsys.readouterr().out.startswith("plugin ")


def test_unusable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether a folder cannot be looked up, or has a file in its path, there is one line and no traceback."""
    (tmp_path / "file").write_text("")
    for folder, reason in (
        (tmp_path / "file" / "new", "Not a directory"),
        (tmp_path / ("n" * 300), "File name too long"),
    ):
        assert main(["plugins", "new", "wire", "--kind", "exposer", "--into", str(folder)]) == 2
        message, hint = capsys.readouterr().err.splitlines()
        assert message.startswith("adapter-host plugins")
        assert message.endswith(reason)
        assert hint.startswith("Run ")
