"""`adapter-host discover`: write the definitions of consumed APIs that describe themselves."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from adapter_host.cli import UsageError, print_error
from adapter_host.document.messages import did_you_mean
from adapter_host.errors import AdapterHostError, OperationError
from adapter_host.host.discovery import Discovery
from adapter_host.plugin.snapshots import Snapshot, SnapshotError, find_changes

from .options.plugins import add_plugin_options, build_plugins
from .options.shared import add_upstream_options, build_settings, check_base_uris
from .output.escapes import escape


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("file", metavar="FILE", help="capability file")
    parser.add_argument(
        "namespace", nargs="*", metavar="NAMESPACE", help="consumed API (default: all that describe themselves)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the definitions of an API have changed"
    )
    add_upstream_options(parser, mock=False)
    add_plugin_options(parser)
    parser.set_defaults(mock=False, openapi=(), only=(), overlay=())


def run(options: argparse.Namespace) -> int:
    """Write the definitions; return 1 if an API fails or, with `--check`, if its definitions have changed."""
    discovery = Discovery(options.file, build_plugins(options), build_settings(options))
    check_base_uris(options.base_uri, {config.namespace for config in discovery.consumers}, discovery.addresses)
    failed = False
    for namespace in _selected(discovery, options.namespace, options.file):
        try:
            snapshot = asyncio.run(discovery.run(namespace))
        except OperationError as error:
            print_error(AdapterHostError(f"cannot discover '{namespace}': {error}"))
            failed = True
            continue
        changed = _report(discovery, namespace, snapshot, check=options.check)
        failed |= changed and options.check
    return 1 if failed else 0


def _selected(discovery: Discovery, names: Sequence[str], file: str) -> Sequence[str]:
    discoverable = discovery.namespaces
    for name in names:
        consumers = {config.namespace: config.type for config in discovery.consumers}
        if name not in consumers:
            hint = did_you_mean(name, discoverable) or f" (known: {', '.join(discoverable) or 'none'})"
            raise UsageError(f"unknown consumed API '{name}'{hint}")
        if name not in discoverable:
            raise UsageError(f"'{name}' is of type '{consumers[name]}', whose operations are in the document")
    if not discoverable:
        raise UsageError(f"'{file}' consumes no API that describes itself")
    return names or discoverable


def _report(discovery: Discovery, namespace: str, snapshot: Snapshot, *, check: bool) -> bool:
    """Print how definitions differ from those in the file, and write them; return whether they do."""
    path = discovery.path(namespace)
    try:
        old = Snapshot.read(path)
    except SnapshotError as error:
        print(escape(str(error)) if check else f"{path}: written ({snapshot.digest})")
    else:
        if (old.type, old.digest) == (snapshot.type, snapshot.digest):
            print(f"{path}: unchanged ({snapshot.digest})")
            return False
        print(f"{path}: {'changed' if check else 'updated'} ({old.digest} -> {snapshot.digest})")
        for change in find_changes(old.definitions, snapshot.definitions):
            print(f"  {escape(change)}")
    if not check:
        _write(path, snapshot)
    return True


def _write(path: Path, snapshot: Snapshot) -> None:
    try:
        snapshot.write(path)
    except OSError as error:
        raise AdapterHostError(f"cannot write '{path}': {error.strerror}") from error
    except ValueError as error:
        raise AdapterHostError(f"cannot write '{path}': {error}") from error
