"""Compile base URLs, which decide where requests and credentials go."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from yarl import URL

from adapter_host import BuildContext, Template, text_of
from adapter_host_http.config import HttpConfig

from .url import PLACEHOLDER

_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)


def compile_base(config: HttpConfig, context: BuildContext) -> Template | None:
    """Return the base URL of `--base-uri` or the document, or None without one, or after reporting a problem.

    `{x}` and `{{x}}` are the same: a bound secret, a value that the API declares, or an environment variable.
    """
    declared = config.base_uri or None
    base_uri = context.base_uri or declared
    if base_uri is None:
        if not context.settings.mock:
            context.problem(
                f"'{config.namespace}' has no baseUri; set it or use --base-uri {config.namespace}=URL",
                config,
                code="no-base-uri",
            )
        return None
    template = context.secret(with_values(base_uri, config, context), config, "baseUri")
    if context.settings.mock and template.secrets:
        return template  # Secrets are made up, so they are not URLs, and the mock server replaces this one.
    if _is_unset(template, config, context):
        return template
    if error := _base_error(template):
        origin = "baseUri" if base_uri is declared else "--base-uri"
        context.problem(f"{origin} {error}", config, "baseUri", code="base-uri")
    return template


def with_values(text: str, config: HttpConfig, context: BuildContext) -> str:
    """Return the text with the values that the API declares, and its other placeholders as tags."""
    values = dict(config.variables)
    values |= {spec.name: text_of(spec.value) for spec in config.input_parameters if spec.value is not None}

    def replaced(tag: re.Match[str]) -> str:
        name = tag[1] or tag[2]
        return values[name] if name in values and context.loaded.binds.find(name) is None else "{{" + name + "}}"

    return PLACEHOLDER.sub(replaced, text)


def _is_unset(template: Template, config: HttpConfig, context: BuildContext) -> bool:
    """Return whether a secret of the base URL is not set; without a bind, its problem names the other way to set it."""
    unresolved = context.loaded.secrets.unresolved
    unset = [name for name in template.secrets if name in unresolved]
    for name in unset:
        problem, hint = unresolved[name], f"; or use --base-uri {config.namespace}=URL"
        if context.loaded.binds.find(name) is None and hint not in problem.message:
            unresolved[name] = replace(problem, message=problem.message + hint)
    return bool(unset)


def _base_error(template: Template) -> str | None:
    """Return the reason why a text is not a valid base URL, or None."""
    base = template.constant or ""
    quoted = f"(given {template.masked()})"
    try:
        url = URL(base)
    except ValueError:
        return f"is not a URL {quoted}"
    if not _SCHEME.match(base) or not url.raw_host or re.search(r"[\s\x00-\x1f\x7f\\{}]", base):
        return f"must be an http or https URL {quoted}"
    if "@" in base.split("/")[2]:
        return "must not contain a user or password; use 'authentication'"
    if "?" in base or "#" in base:
        return f"must not contain a query or fragment {quoted}"
    return None


def normalized_base(template: Template | None) -> str:
    """Return the base URL without a trailing slash, host and path encoded; empty without a valid base."""
    if template is None or _base_error(template) is not None:
        return ""
    return str(URL((template.constant or "").rstrip("/"))).rstrip("/")
