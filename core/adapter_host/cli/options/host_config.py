"""The host configuration file (`--config`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from adapter_host.capability.model import ListField, Model, known_keys
from adapter_host.capability.validation_errors import validation_problems
from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.document.source import Source
from adapter_host.errors import ProblemsError


class HostConfig(Model):
    """The configuration of a host, apart from its capabilities; paths are relative to the file."""

    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict)
    allow_plugins: tuple[str, ...] | None = None
    deny_plugins: ListField[str] = ()
    plugin_files: ListField[str] = ()
    state: str | None = None


def read_config(path: str) -> tuple[HostConfig, Source]:
    """Return the configuration in a file, and the file; raise `ProblemsError`."""
    source = Source.read(path)
    data = {} if source.data is None else source.data
    try:
        config = HostConfig.model_validate(data)
    except ValidationError as error:
        raise ProblemsError(validation_problems(error, source, ())) from None
    known = known_keys(HostConfig)
    problems = []
    for key in config.model_extra or ():
        hint = did_you_mean(key, known) or f" (known: {join_words(known, 'and')})"
        problems.append(source.problem((key,), f"unknown key '{key}'{hint}", code="unknown-key", key=True))
    if problems:
        raise ProblemsError(problems)
    folder = Path(path).parent
    files = tuple(str(folder / file) for file in config.plugin_files)
    return config.model_copy(update={"plugin_files": files}), source
