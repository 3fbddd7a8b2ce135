"""`adapter-host export openapi`: the OpenAPI document of what a capability exposes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from adapter_host.cli import UsageError
from adapter_host.document.messages import did_you_mean
from adapter_host.host.host import Host
from adapter_host.server.layout import plan_listeners
from adapter_host.settings import Settings

from .table import deliver


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("form", choices=("openapi",), help="what is written")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write it (default standard output)")
    parser.add_argument("--exposer", metavar="NAMESPACE", help="which exposer's, when several have one")


def run(options: argparse.Namespace) -> int:
    """Write the document."""
    found = _documents(Host(options.file, settings=Settings()))
    document = _chosen(found, options.exposer, options.file)
    deliver(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n", options.output)
    return 0


def _documents(host: Host) -> dict[str, Mapping[str, Any]]:
    """Return the documents of the exposers that have one, by namespace."""
    found = {}
    for listener in plan_listeners(host.plans, host.settings):
        for mount in listener.mounts:
            # A port that is taken when the host starts is nothing to write down.
            url = listener.url(mount) if listener.port else mount.prefix or "/"
            if (document := mount.exposer.openapi(url)) is not None:
                found[mount.exposer.config.namespace] = document
    return found


def _chosen(found: Mapping[str, Mapping[str, Any]], wanted: str | None, file: str) -> Mapping[str, Any]:
    if wanted is None and len(found) == 1:
        return next(iter(found.values()))
    if wanted is not None and wanted in found:
        return found[wanted]
    if not found:
        raise UsageError(f"export: '{file}' exposes nothing that OpenAPI describes (type rest does)")
    names = ", ".join(found)
    if wanted is None:
        raise UsageError(f"export: '{file}' has several exposers (choose one with --exposer: {names})")
    hint = did_you_mean(wanted, found) or f" (there are: {names})"
    raise UsageError(f"export: no exposer with a document is '{wanted}'{hint}")
