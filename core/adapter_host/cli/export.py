"""`adapter-host export openapi`: write the OpenAPI document of an exposer."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from adapter_host.cli import UsageError
from adapter_host.document.messages import did_you_mean
from adapter_host.host.host import Host
from adapter_host.server.layout import plan_listeners
from adapter_host.settings import Settings

from .escapes import to_json
from .output_file import add_output_options, check_output, write_output
from .plugin_options import add_plugin_options, build_plugins, setting_values


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("format", choices=("openapi",), help="output format")
    parser.add_argument("file", metavar="FILE", help="capability file")
    add_output_options(parser)
    parser.add_argument("--exposer", metavar="NAMESPACE", help="exposer to export, if the capability has several")
    add_plugin_options(parser)


def run(options: argparse.Namespace) -> int:
    """Write the document."""
    check_output(options)
    documents = _openapi_documents(
        Host(options.file, plugins=build_plugins(options), settings=Settings(plugins=setting_values(options)))
    )
    document = _select(documents, options.exposer, options.file)
    write_output(to_json(document, indent=True) + "\n", options)
    return 0


def _openapi_documents(host: Host) -> dict[str, Mapping[str, Any]]:
    """Return the OpenAPI documents of the exposers that have one, by namespace."""
    documents = {}
    for listener in plan_listeners(host.plans, host.settings):
        for mount in listener.mounts:
            # The port is unknown before the start if it is 0, so write a relative URL.
            url = listener.url(mount) if listener.port else mount.prefix or "/"
            if (document := mount.exposer.openapi(url)) is not None:
                documents[mount.exposer.config.namespace] = document
    return documents


def _select(documents: Mapping[str, Mapping[str, Any]], namespace: str | None, file: str) -> Mapping[str, Any]:
    if namespace is None and len(documents) == 1:
        return next(iter(documents.values()))
    if namespace is not None and namespace in documents:
        return documents[namespace]
    if not documents:
        raise UsageError(f"'{file}' has no exposer with an OpenAPI document; add one of type rest")
    names = ", ".join(documents)
    if namespace is None:
        raise UsageError(f"'{file}' has several exposers; choose one with --exposer: {names}")
    hint = did_you_mean(namespace, documents) or f" (known: {names})"
    raise UsageError(f"unknown exposer '{namespace}'{hint}")
