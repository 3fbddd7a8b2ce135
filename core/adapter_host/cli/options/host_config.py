"""The host configuration file (`--config`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from adapter_host.capability.model import ListField, Model, known_keys
from adapter_host.capability.validation_errors import validation_problems
from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.document.source import Loc, Source
from adapter_host.errors import Problem, ProblemsError


class TlsConfig(Model):
    """The files of TLS on the ports of exposers."""

    certificate: str
    key: str
    client_ca: str | None = None


class HostConfig(Model):
    """The configuration of a host, apart from its capabilities; paths are relative to the file."""

    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict)
    allow_plugins: tuple[str, ...] | None = None
    deny_plugins: ListField[str] = ()
    plugin_files: ListField[str] = ()
    state: str | None = None
    tls: TlsConfig | None = None


def read_config(path: str) -> tuple[HostConfig, Source]:
    """Return the configuration in a file, and the file; raise `ProblemsError`."""
    source = Source.read(path)
    data = {} if source.data is None else source.data
    try:
        config = HostConfig.model_validate(data)
    except ValidationError as error:
        raise ProblemsError(validation_problems(error, source, ())) from None
    problems = [
        problem
        for section, loc in ((config, ()), *([(config.tls, ("tls",))] if config.tls else []))
        for problem in _unknown_keys(section, loc, source)
    ]
    if problems:
        raise ProblemsError(problems)
    folder = Path(path).parent
    files = tuple(str(folder / file) for file in config.plugin_files)
    tls = config.tls and config.tls.model_copy(
        update={key: str(folder / file) for key, file in config.tls if file is not None}
    )
    return config.model_copy(update={"plugin_files": files, "tls": tls}), source


def _unknown_keys(section: Model, loc: Loc, source: Source) -> Iterator[Problem]:
    known = known_keys(type(section))
    for key in section.model_extra or ():
        hint = did_you_mean(key, known) or f" (known: {join_words(known, 'and')})"
        yield source.problem((*loc, key), f"unknown key '{key}'{hint}", code="unknown-key", key=True)
