"""Create the package of a plugin from templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from adapter_host.cli import UsageError
from adapter_host.plugin.loading.api_version import API_VERSION

KINDS: Final = {
    "exposer": "Exposes adapter-host capabilities line by line over TCP",
    "consumer": "Lets adapter-host capabilities consume line-based services over TCP",
    "discovering-consumer": "Lets adapter-host capabilities consume services that describe themselves",
    "http-exposer": "Exposes operations of adapter-host capabilities over HTTP",
    "wrapper": "Logs the calls of adapter-host capabilities",
    "step": "Splits texts in steps of adapter-host capabilities",
    "binds": "Reads secrets of adapter-host capabilities from a folder of files",
}
"""The kinds of plugins, with the description of their distribution."""

_DECLARED: Final = {
    "exposer": "exposes",
    "http-exposer": "exposes",
    "consumer": "consumes",
    "discovering-consumer": "consumes",
    "step": "steps",
    "binds": "binds",
}
"""The kinds of types by kinds of plugins; others have hooks only."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SUFFIX: Final = ".tmpl"


def write_plugin(name: str, kind: str, folder: Path) -> list[Path]:
    """Write the package of a plugin and return its files; raise `UsageError`."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is not a valid plugin name; use lower-case letters and digits, with '-' between words"
        )
    try:
        occupied = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise UsageError(f"cannot write '{folder}': {error.strerror}") from error
    if occupied:
        raise UsageError(f"'{folder}' already exists and is not empty; choose another folder with --into")
    values = _template_values(name, kind)
    files = {folder / target: _fill(text, values) for target, text in _templates(kind, values["package"])}
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write '{error.filename}': {error.strerror}") from error
    return sorted(files)


def _template_values(name: str, kind: str) -> Mapping[str, str]:
    return {
        "name": name,
        "Name": "".join(map(str.capitalize, name.split("-"))),
        "package": f"adapter_host_{name.replace('-', '_')}",
        "distribution": f"adapter-host-{name}",
        "description": KINDS[kind],
        "core": _compatible_versions(metadata.version("adapter-host-core")),
        "api": API_VERSION,
        "declaration": f'"{_DECLARED[kind]}.{name}"' if kind in _DECLARED else "hooks",
    }


def _compatible_versions(version: str) -> str:
    """Return the version range of compatible cores, from this one on."""
    major, minor = map(int, version.split(".")[:2])
    return f">={major}.{minor},<{major + 1}" if major else f">=0.{minor},<0.{minor + 1}"


def _templates(kind: str, package: str) -> Iterator[tuple[str, str]]:
    folder = resources.files(__package__) / "templates"
    for name in ("common", kind):
        for template in (folder / name).iterdir():
            yield _target_path(template, package), template.read_text(encoding="utf-8")
    yield f"{package}/py.typed", ""


def _target_path(template: Traversable, package: str) -> str:
    name = template.name.removesuffix(_SUFFIX)
    if name == "gitignore":
        return ".gitignore"
    if name == "ci.yml":
        return f".github/workflows/{name}"
    if name.startswith("test_"):
        return f"tests/{name}"
    return f"{package}/{name}" if name.endswith(".py") else name


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub("<<([A-Za-z]+)>>", lambda tag: values[tag[1]], text)
