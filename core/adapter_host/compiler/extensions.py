"""Keys that start with `x-` and have no effect: their plugin is missing, they are misplaced, or misspelt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model
from adapter_host.capability.pagination_spec import PAGINATION
from adapter_host.capability.spec import Authentication
from adapter_host.document.messages import closest_match
from adapter_host.document.source import Loc
from adapter_host.plugin.loading.manager import DISABLE, Plugins
from adapter_host.schemas.resolve import SCHEMAS


@dataclass(frozen=True, slots=True)
class _Extension:
    """The plugin that reads a key (empty for the core), its distribution, and where the key has an effect."""

    plugin: str
    distribution: str
    place: str


_CALLERS: Final = "the authentication of an exposer, of type oauth2 with 'tokenValidation: introspection'"
_KNOWN: Final = {
    "x-openapi": _Extension("", "adapter-host-core", "a consumed API"),
    "x-openapi-overlays": _Extension("", "adapter-host-core", "a consumed API with 'x-openapi'"),
    "x-resilience": _Extension("resilience", "adapter-host-resilience", "a consumed API or an operation"),
    "x-approval": _Extension("approval", "adapter-host-approval", "an exposer or one of its operations"),
    "x-timeout": _Extension("http", "adapter-host-http", "a consumed API of type http"),
    "x-proxy": _Extension("http", "adapter-host-http", "a consumed API of type http, mcp or grpc"),
    "x-tls": _Extension("http", "adapter-host-http", "a consumed API of type http, mcp or grpc"),
    "x-transport": _Extension("http", "adapter-host-http", "a consumed API of type http"),
    "x-request-id": _Extension("http", "adapter-host-http", "a consumed API of type http"),
    "x-cache": _Extension("http", "adapter-host-http", "a consumed API of type http, or one of its operations"),
    PAGINATION: _Extension("", "adapter-host-core", "an operation of a consumed API"),
    "x-example": _Extension("http", "adapter-host-http", "an operation of a consumed API of type http"),
    **dict.fromkeys(
        ("x-name", "x-style", "x-explode", "x-allow-reserved", "x-content-type"),
        _Extension("http", "adapter-host-http", "an input of a consumed API of type http"),
    ),
    "x-encoding": _Extension("http", "adapter-host-http", "a body of type formUrlEncoded or multipartForm"),
    "x-accept": _Extension("http", "adapter-host-http", "an operation of a consumed API of type http"),
    "x-client": _Extension("", "adapter-host-core", "the authentication of a consumed API, of type oauth2"),
    "x-include": _Extension("", "adapter-host-core", "an exposer of type mcp or rest"),
    "x-schema": _Extension("", "adapter-host-core", "an input or an output of an operation"),
    SCHEMAS: _Extension("", "adapter-host-core", "the top level of a document"),
    "x-client-id": _Extension("", "adapter-host-core", _CALLERS),
    "x-client-secret": _Extension("", "adapter-host-core", _CALLERS),
}
"""The keys of the core and of the first-party plugins."""

_REPORTED: Final = frozenset({"x-resilience", "x-approval"})
"""Keys whose plugin reports itself where they have no effect."""

_PROTECTING: Final = frozenset({"x-approval"})
"""Keys without whose plugin a document must not be served."""


def warn_ineffective_extensions(loaded: LoadedCapability, plugins: Plugins) -> None:
    """Report the keys that no plugin has read, if they are those of a known plugin or similar to one."""
    for model, key, loc in _keys(loaded):
        if (model is not None and loaded.is_extension_read(model, key)) or _is_read_late(model, key):
            continue
        known = _KNOWN.get(key)
        if known is None:
            if suggestion := closest_match(key, _KNOWN):
                message = f"unknown key '{key}' is ignored; did you mean {suggestion!r}?"
                loaded.problem(message, loc, code="unknown-key", warning=True, key=True)
        elif known.plugin and known.plugin not in plugins.names:
            message = f"'{key}' has no effect: {_missing(known, plugins)}"
            loaded.problem(message, loc, code="missing-plugin", warning=key not in _PROTECTING, key=True)
        elif key not in _REPORTED:
            message = f"'{key}' has no effect here; set it on {known.place}"
            loaded.problem(message, loc, code="misplaced", warning=True, key=True)


def _keys(loaded: LoadedCapability) -> Iterator[tuple[Model | None, str, Loc]]:
    for model, loc in loaded.models:
        for key in model.model_extra or ():
            if key.startswith("x-"):
                yield model, key, (*loc, key)
    document = loaded.source.data
    sections: dict[Loc, Any] = {(): document, ("capability",): document.get("capability")}
    for loc, section in sections.items():
        for key in section if isinstance(section, dict) else ():
            if isinstance(key, str) and key.startswith("x-") and (*loc, key) != (SCHEMAS,):
                yield None, key, (*loc, key)


def _is_read_late(model: Model | None, key: str) -> bool:
    """Return whether an authentication that cannot be compiled yet would read the key."""
    return isinstance(model, Authentication) and model.type == "oauth2" and key.startswith("x-client")


def _missing(known: _Extension, plugins: Plugins) -> str:
    if known.plugin in plugins.disabled:
        return f"its plugin '{known.plugin}' is disabled by {DISABLE}"
    failure = next((str(error) for error in plugins.failed if f"({known.distribution} " in str(error)), None)
    return failure or f"its plugin is not installed (pip install {known.distribution})"
