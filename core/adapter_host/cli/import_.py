"""`adapter-host import openapi`: create a capability from an OpenAPI document."""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from adapter_host.cli import UsageError
from adapter_host.document.messages import count_noun
from adapter_host.document.source import Source
from adapter_host.openapi import (
    Documents,
    Fetcher,
    WarningCollector,
    is_url,
    origin_of,
    read_api,
    suggestions,
    write_capability,
)
from adapter_host.openapi.model import Api
from adapter_host.openapi.source.documents import Cursor
from adapter_host.openapi.update.capability import make_record, update_capability
from adapter_host.openapi.update.record import SUFFIX, Options, Record, record_path

from .output.escapes import escape
from .output.output_file import add_output_options, check_output, is_device, replace_file, write_output

_MOST_SUGGESTIONS: Final = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("format", choices=("openapi",), help="input format")
    parser.add_argument(
        "source", metavar="SRC", help="OpenAPI document: a JSON or YAML file, or a URL with --allow-remote"
    )
    add_output_options(parser)
    parser.add_argument(
        "--update", type=Path, metavar="FILE",
        help="update this capability, which was imported before: keep its edits, and apply the changes of the document",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="TAG|ID",
        help="import only operations with this tag or operationId (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--namespace", metavar="NAME", type=namespace, help="namespace of the API (default: made from its title)"
    )
    parser.add_argument(
        "--security", action="append", default=[], metavar="SCHEME",
        help="security scheme to prefer where an operation accepts several, or 'none' (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--overlay", action="append", default=[], metavar="FILE",
        help="OpenAPI Overlay to apply to the document before it is imported (repeatable)",
    )  # fmt: skip
    _add_reference_options(parser.add_argument_group("references"))


def _add_reference_options(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--reference-folder", action="append", default=[], type=_folder, metavar="DIR",
        help="folder of files that references may read, in addition to that of SRC (repeatable)",
    )  # fmt: skip
    group.add_argument(
        "--allow-remote", action="store_true", help="fetch SRC if it is a URL, and references to its host"
    )
    group.add_argument(
        "--allow-host", action="append", default=[], type=_origin, metavar="HOST",
        help="host that references and redirects may fetch from, over https; or http://HOST (repeatable)",
    )  # fmt: skip
    group.add_argument(
        "--allow-private", action="store_true", help="let references and redirects fetch from private addresses"
    )


def namespace(text: str) -> str:
    """Return a namespace; raise `ArgumentTypeError` if it is invalid."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a valid namespace; use letters, digits and '-'")
    return text


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' is not a folder")
    return path


def _origin(text: str) -> str:
    url = text if is_url(text) else f"https://{text}"
    origin = origin_of(url)
    if origin is None or not re.fullmatch(r"(?i:https?)://[^/?#@\s]+/?", url):
        raise argparse.ArgumentTypeError(f"'{text}' is not a host; write HOST, HOST:PORT or http://HOST:PORT")
    return origin


def run(options: argparse.Namespace) -> int:
    """Write or update the capability; report everything that it cannot express on standard error."""
    if is_url(options.source) and not options.allow_remote:
        raise UsageError("SRC is a URL; add --allow-remote to fetch it")
    if options.update is not None:
        if options.output is not None or options.force:
            raise UsageError("--update cannot be combined with --output or --force; it writes the file that it updates")
        return _update(options, options.update)
    check_output(options, beside=SUFFIX)
    choices = Options(options.namespace, tuple(options.only), tuple(options.security), tuple(options.overlay))
    api = _read(options, choices)
    text = write_capability(api, _name(options.source))
    write_output(text, options)
    for suggestion in itertools.islice(suggestions(api), _MOST_SUGGESTIONS):
        print(escape(f"note: {suggestion}"), file=sys.stderr)
    output: Path | None = options.output
    if output is not None and not is_device(output):
        replace_file(record_path(output), make_record(api, text, options.source, _chosen(choices, api)).to_json())
    return 0


def _read(options: argparse.Namespace, choices: Options) -> Api:
    fetcher = Fetcher(frozenset(options.allow_host), allows_private=options.allow_private)
    documents = Documents(WarningCollector(), fetcher, options.reference_folder, choices.overlays)
    return read_and_warn(documents.open(options.source), choices)


def read_and_warn(root: Cursor, choices: Options) -> Api:
    """Return the API of a document; print warnings for everything that a capability cannot express."""
    try:
        return read_api(root, only=choices.only, namespace=choices.namespace, security=choices.security)
    finally:
        for problem in root.documents.warnings.problems:
            print(escape(str(problem)), file=sys.stderr)


def _update(options: argparse.Namespace, file: Path) -> int:
    """Update a file; return 1 if there are conflicts that a person must look at."""
    source = Source.read(file)
    record = Record.read(file)
    old = record.options
    choices = Options(
        options.namespace or old.namespace,
        tuple(options.only) or old.only,
        tuple(options.security) or old.security,
        tuple(options.overlay) or old.overlays,
    )
    api = _read(options, choices)
    newer = make_record(api, write_capability(api, _name(options.source)), options.source, _chosen(choices, api))
    with file.open(encoding="utf-8", newline="") as stream:
        text = stream.read()
    update = update_capability(source, text, record, newer, api)
    for problem in update.problems:
        print(escape(str(problem)), file=sys.stderr)
    if update.text != text:
        replace_file(file, update.text)
    replace_file(record_path(file), update.record.to_json())
    conflicts = sum(not problem.warning for problem in update.problems)
    print(f"{file}: {count_noun(update.changes, 'change')}, {count_noun(conflicts, 'conflict')}")
    return 1 if conflicts else 0


def _chosen(choices: Options, api: Api) -> Options:
    """Return the options with the namespace that was made from the title, which may change."""
    return replace(choices, namespace=api.namespace)


def _name(source: str) -> str:
    return PurePosixPath(urlsplit(source).path).name or source if is_url(source) else Path(source).name
