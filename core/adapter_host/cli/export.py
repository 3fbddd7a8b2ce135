"""`adapter-host export FORMAT`: write the document of an exposer for its clients."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from adapter_host.cli import UsageError
from adapter_host.document.messages import did_you_mean
from adapter_host.host.host import Host
from adapter_host.server.layout import plan_listeners
from adapter_host.settings import Settings

from .options.plugins import add_plugin_options, build_plugins, setting_values
from .output.escapes import to_json
from .output.output_file import add_output_options, check_output, write_output

OPENAPI: Final = "openapi"

Document = Callable[[], str]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("format", metavar="FORMAT", help="output format: openapi, or one of an exposer's plugin")
    parser.add_argument("file", metavar="FILE", help="capability file")
    add_output_options(parser)
    parser.add_argument("--exposer", metavar="NAMESPACE", help="exposer to export, if the capability has several")
    add_plugin_options(parser)


def run(options: argparse.Namespace) -> int:
    """Write the document."""
    check_output(options)
    host = Host(options.file, plugins=build_plugins(options), settings=Settings(plugins=setting_values(options)))
    documents = {OPENAPI: _openapi_documents(host), **_documents_by_format(host)}
    known = documents.get(options.format)
    if known is None:
        hint = did_you_mean(options.format, documents) or f" (known: {', '.join(documents)})"
        raise UsageError(f"'{options.file}' has no exposer with the format '{options.format}'{hint}")
    document = _select(known, options)
    write_output(document(), options)
    return 0


def _documents_by_format(host: Host) -> dict[str, dict[str, Document]]:
    """Return the documents that exposers export, by format and namespace."""
    documents: dict[str, dict[str, Document]] = {}
    for plan in host.plans:
        for exposer_plan in plan.exposers:
            exposer = exposer_plan.exposer
            for name, document in exposer.exports().items():
                documents.setdefault(name, {})[exposer.config.namespace] = document
    return documents


def _openapi_documents(host: Host) -> dict[str, Document]:
    """Return the OpenAPI documents of the exposers that have one, by namespace."""
    documents: dict[str, Document] = {}
    for listener in plan_listeners(host.plans, host.settings):
        for mount in listener.mounts:
            # The port is unknown before the start if it is 0, so write a relative URL.
            url = listener.url(mount) if listener.port else mount.prefix or "/"
            if (document := mount.exposer.openapi(url)) is not None:
                documents[mount.exposer.config.namespace] = partial(_json, document)
    return documents


def _json(document: Mapping[str, object]) -> str:
    return to_json(document, indent=True) + "\n"


def _select(documents: Mapping[str, Document], options: argparse.Namespace) -> Document:
    namespace: str | None = options.exposer
    if namespace is None and len(documents) == 1:
        return next(iter(documents.values()))
    if namespace is not None and namespace in documents:
        return documents[namespace]
    if not documents:
        raise UsageError(f"'{options.file}' has no exposer with an OpenAPI document; add one of type rest")
    names = ", ".join(documents)
    if namespace is None:
        raise UsageError(f"'{options.file}' has several exposers; choose one with --exposer: {names}")
    hint = did_you_mean(namespace, documents) or f" (known: {names})"
    raise UsageError(f"unknown exposer '{namespace}'{hint}")
