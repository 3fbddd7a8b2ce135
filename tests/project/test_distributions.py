"""Wheels and sdists: their metadata and content are complete, and each installs without a checkout.

`make wheels` checks them with twine.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import pytest
from markdown_it import MarkdownIt
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from trove_classifiers import classifiers

from tests.project.sync_metadata import PROJECTS, project_urls, synced
from tests.support.clean_environment import CleanEnvironment
from tests.support.paths import ROOT

pytestmark = pytest.mark.early

UV: Final = str(Path(sys.executable).with_name("uv"))
BUILD: Final = (UV, "build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable)
BUILD_TOOLS: Final = ("hatchling", "hatch-fancy-pypi-readme")


def project(path: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(path.read_text())["project"]
    return table


FOLDERS: Final = {project(path)["name"]: path.parent for path in PROJECTS}
"""The folder of each distribution, by name."""
EVERYTHING: Final = "adapter-host[all]"


@dataclass(frozen=True)
class Artifacts:
    """Folders of sdists and of wheels, both built from the checkout."""

    sdists: Path
    wheels: Path

    def sdist(self, name: str) -> Path:
        (found,) = self.sdists.glob(f"{name.replace('-', '_')}-[0-9]*.tar.gz")
        return found

    def wheel(self, name: str) -> Path:
        (found,) = self.wheels.glob(f"{name.replace('-', '_')}-[0-9]*.whl")
        return found


def run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    built = Artifacts(tmp_path_factory.mktemp("sdists"), tmp_path_factory.mktemp("wheels"))
    for kind, folder in (("--sdist", built.sdists), ("--wheel", built.wheels)):
        run(*BUILD, kind, "--all-packages", "--out-dir", folder)
    return built


def test_the_manual_page_is_where_man_looks(artifacts: Artifacts) -> None:
    with ZipFile(artifacts.wheel("adapter-host-core")) as wheel:
        (path,) = (each for each in wheel.namelist() if each.endswith(".data/data/share/man/man1/adapter-host.1"))
        assert wheel.read(path) == (ROOT / "core/man/adapter-host.1").read_bytes()


@pytest.fixture(params=FOLDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def metadata(artifacts: Artifacts, name: str) -> Metadata:
    with ZipFile(artifacts.wheel(name)) as wheel:
        (path,) = (each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
        return Metadata.from_email(wheel.read(path))


# Metadata


def test_version_and_urls_are_in_step(name: str) -> None:
    path = FOLDERS[name] / "pyproject.toml"
    assert path.read_text() == synced(path), "run `make metadata`"


def test_metadata_is_complete(metadata: Metadata) -> None:
    assert metadata.summary
    assert metadata.keywords
    assert metadata.license_expression == "Apache-2.0"
    assert metadata.license_files == ["LICENSE"]
    assert str(metadata.requires_python) == ">=3.11"
    assert metadata.project_urls
    assert metadata.project_urls == project_urls(metadata.project_urls["Source"])


def test_classifiers_are_those_of_an_index(metadata: Metadata) -> None:
    found = metadata.classifiers or []
    assert set(found) <= classifiers
    version = f"Programming Language :: Python :: {sys.version_info.major}.{sys.version_info.minor}"
    assert version in found
    for group in ("Development Status", "Framework", "Intended Audience", "Topic", "Typing"):
        assert [each for each in found if each.startswith(f"{group} :: ")], group


def links(text: str) -> Iterator[str]:
    for token in MarkdownIt().enable("table").parse(text):
        for child in token.children or ():
            if child.type in ("link_open", "image"):
                yield str(child.attrs.get("href") or child.attrs["src"])


def test_the_long_description_has_no_relative_link(name: str, metadata: Metadata) -> None:
    readme, description = (FOLDERS[name] / "README.md").read_text(), metadata.description or ""
    assert metadata.description_content_type == "text/markdown"
    written, shown = list(links(readme)), list(links(description))
    assert len(shown) == len(written)
    for before, after in zip(written, shown, strict=True):
        if re.match(r"[a-z]+:|#", before):
            assert after == before
        else:
            folder = FOLDERS[name].relative_to(ROOT).as_posix()
            assert metadata.project_urls
            tag = f"{metadata.project_urls['Source']}/blob/v{metadata.version}"
            assert after == "/".join([tag, *([] if folder == "." else [folder]), before])


def test_the_long_description_keeps_code(name: str, metadata: Metadata) -> None:
    def code(text: str) -> list[str]:
        return [token.content for token in MarkdownIt().parse(text) if token.type in ("fence", "code_block")]

    assert code(metadata.description or "") == code((FOLDERS[name] / "README.md").read_text())


# Content


def test_the_sdist_builds_the_same_wheel(artifacts: Artifacts, name: str, tmp_path: Path) -> None:
    run(*BUILD, "--wheel", "--out-dir", tmp_path, artifacts.sdist(name))
    (rebuilt,) = tmp_path.glob("*.whl")
    assert rebuilt.name == artifacts.wheel(name).name
    assert content(rebuilt) == content(artifacts.wheel(name))


def content(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


def test_the_sdist_has_license_and_readme(artifacts: Artifacts, name: str) -> None:
    with tarfile.open(artifacts.sdist(name)) as archive:
        top = archive.getnames()[0].split("/")[0]
        license, readme = (archive.extractfile(f"{top}/{file}") for file in ("LICENSE", "README.md"))
        assert license
        assert license.read() == (ROOT / "LICENSE").read_bytes()
        assert readme
        assert readme.read() == (FOLDERS[name] / "README.md").read_bytes()
        assert [member.name for member in archive if not member.isfile()] == []


def test_the_wheel_has_every_file_of_its_packages(artifacts: Artifacts, name: str) -> None:
    found = set(content(artifacts.wheel(name)))
    for package in FOLDERS[name].glob("adapter_host*/"):
        files = {path.relative_to(FOLDERS[name]) for path in package.rglob("*") if path.is_file()}
        kept = {path.as_posix() for path in files if "__pycache__" not in path.parts}
        assert f"{package.name}/py.typed" in kept
        assert kept <= found


# Installation


def plugins_of(requirement: Requirement) -> set[str]:
    """Return the distributions with a plugin that a first-party requirement installs."""
    table = project(FOLDERS[requirement.name] / "pyproject.toml")
    own = {requirement.name} if "adapter_host" in table.get("entry-points", {}) else set()
    extras = table.get("optional-dependencies", {})
    further = [*table["dependencies"], *(each for extra in requirement.extras for each in extras[extra])]
    return own.union(*(plugins_of(each) for each in map(Requirement, further) if each.name in FOLDERS))


# An sdist builds the same wheel, which another test compares, so all of them are installed at once.
@pytest.mark.parametrize(
    ("name", "kind"), [*((name, "wheel") for name in FOLDERS), (EVERYTHING, "wheel"), (EVERYTHING, "sdist")]
)
def test_it_installs_on_its_own(artifacts: Artifacts, name: str, kind: str, tmp_path: Path) -> None:
    """In an environment with the third-party packages that it declares.

    Building an sdist needs more packages, so only the wheel shows that a dependency is not declared.
    """
    folder, tools = (artifacts.wheels, ["uv"]) if kind == "wheel" else (artifacts.sdists, ["uv", *BUILD_TOOLS])
    made = CleanEnvironment(tmp_path, [name, *tools], folder)
    made.run(f"uv pip install --quiet '{name}'")
    listed = re.findall(r" (adapter-host-[a-z0-9-]+) +[0-9]", made.run("adapter-host plugins"))
    assert set(listed) == plugins_of(Requirement(name))
