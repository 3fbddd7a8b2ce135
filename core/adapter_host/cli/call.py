"""`adapter-host call`: call one operation without a server."""

from __future__ import annotations

import argparse
import asyncio
import codecs
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_host.capability.media_types import is_text
from adapter_host.cli import UsageError, print_error, print_problems
from adapter_host.document.messages import did_you_mean
from adapter_host.errors import SKIPPED, ArgumentError, OperationError, ProblemsError, UpstreamStatusError
from adapter_host.host.host import Host
from adapter_host.json_nesting import parse_json
from adapter_host.operation.callers import CallSite
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments, Call

from .options.plugins import add_plugin_options, build_plugins
from .options.shared import (
    add_openapi_options,
    add_skip_option,
    add_upstream_options,
    build_settings,
    check_namespaces,
    pair,
)
from .output.escapes import escape, to_json


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("file", metavar="FILE", help="capability file, or OpenAPI document")
    parser.add_argument(
        "operation",
        metavar="OPERATION",
        help="operation name, or NAMESPACE.NAME with the namespace of an exposer or consumed API",
    )
    parser.add_argument(
        "arguments",
        nargs="*",
        default=[],
        type=pair,
        metavar="key=value",
        help="argument of the operation (repeatable)",
    )
    parser.add_argument("--body", metavar="JSON|@FILE|-", help="request body: JSON, @FILE, or - for standard input")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the upstream request, with masked secrets, instead of sending it"
    )
    add_skip_option(parser)
    add_openapi_options(parser)
    add_upstream_options(parser)
    add_plugin_options(parser)


@dataclass(frozen=True, slots=True)
class CallTarget:
    """An exposed or consumed operation that can be called."""

    names: tuple[str, ...]
    inputs: tuple[Input, ...]
    call: Call
    preview: Callable[[Arguments], Mapping[str, Any]]
    upstream: tuple[int, ...]


def run(options: argparse.Namespace) -> int:
    """Call the operation; return 3 if the response is an error."""
    settings = build_settings(options, skip_invalid=options.skip_invalid)
    host = Host(options.file, plugins=build_plugins(options), settings=settings)
    check_namespaces(options, host.plans)
    target = _find_target(options.operation, host)
    try:
        arguments = _arguments(options, target.inputs)
        if options.dry_run:
            print(to_json(target.preview(arguments), indent=True))
            return 0
        return asyncio.run(_call(host, target, arguments))
    except ArgumentError as error:
        raise UsageError("; ".join(each.message for each in error.errors)) from error
    except UpstreamStatusError as error:
        print_error(error)
        _write_body(error.body, error.media_type)
    except OperationError as error:
        print_error(error)
    return 3


async def _call(host: Host, target: CallTarget, arguments: Arguments) -> int:
    await host.start(listen=False)
    try:
        with CallSite(host.plans[0].loaded.capability.label).call("cli"):
            result = await target.call(arguments)
            if result.stream is None:
                _write_body(result.body, result.media_type)
            else:
                await _write_stream(result.stream, result.media_type)
    finally:
        await host.stop()
    return 0


def _write_body(body: bytes, media_type: str) -> None:
    if body:
        write = _body_writer()
        write(body + _line_end(body, media_type))
        sys.stdout.flush()


async def _write_stream(stream: AsyncIterator[bytes], media_type: str) -> None:
    write = _body_writer()
    last = b""
    async for last in stream:
        write(last)
    write(_line_end(last, media_type))
    sys.stdout.flush()


def _body_writer() -> Callable[[bytes], object]:
    """Return a function that writes a body in parts: as it is, or to a terminal without control characters."""
    sys.stdout.flush()
    if not sys.stdout.isatty():
        return sys.stdout.buffer.write
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    return lambda part: sys.stdout.write(escape(decoder.decode(part).replace("\r\n", "\n"), keep="\n\t"))


def _line_end(body: bytes, media_type: str) -> bytes:
    """Return the bytes to write after a body: a line end after text, nothing after other bytes."""
    return b"" if body.endswith(b"\n") or not (is_text(media_type) or sys.stdout.isatty()) else b"\n"


def _call_targets(host: Host) -> Sequence[CallTarget]:
    targets = []
    for plan in host.plans:
        for exposer_plan in plan.exposers:
            exposer = exposer_plan.exposer
            for operation in exposer.operations.values():
                names = (operation.name, f"{exposer.config.namespace}.{operation.name}")
                # Operations without an upstream are distinct, even if they have the same name.
                declared = operation.spec if operation.origin is None else operation.origin.spec
                upstream = tuple(id(target) for target in operation.upstream) or (id(declared),)
                targets.append(CallTarget(names, operation.inputs, operation.call, operation.preview, upstream))
        for consumed in plan.consumed if plan.is_served else ():
            targets.append(
                CallTarget(consumed.names, consumed.inputs, consumed.call, consumed.preview, (id(consumed),))
            )
    return targets


def _find_target(name: str, host: Host) -> CallTarget:
    targets = _call_targets(host)
    matches = [target for target in targets if name in target.names]
    if not matches:
        print_problems(ProblemsError(warning for warning in host.warnings if warning.message.startswith(SKIPPED)))
        for reason in (plan.refusals[name] for plan in host.plans if name in plan.refusals):
            raise UsageError(f"operation '{name}' {reason}")
        hint = did_you_mean(name, (each for target in targets for each in target.names))
        form = -1 if "." in name else 0
        choices = ", ".join(list(dict.fromkeys(target.names[form] for target in targets))[:10])
        raise UsageError(f"unknown operation '{name}'{hint or f' (known: {choices})'}")
    if len({target.upstream for target in matches}) > 1:
        qualified_names = ", ".join(target.names[-1] for target in matches[:10])
        raise UsageError(f"operation '{name}' is ambiguous; use one of: {qualified_names}")
    return matches[0]


def _arguments(options: argparse.Namespace, inputs: Sequence[Input]) -> dict[str, Any]:
    by_name = {parameter.name: parameter for parameter in inputs}
    arguments: dict[str, Any] = {}
    for name, text in options.arguments:
        arguments[name] = by_name[name].parse(text) if name in by_name else text
    if options.body is not None:
        arguments.update(_read_body(options.body, inputs))
    return arguments


def _read_body(option: str, inputs: Sequence[Input]) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if option == "-" else Path(option[1:]).read_text() if option.startswith("@") else option
        body = parse_json(text)
    except OSError as error:
        raise UsageError(f"--body: cannot read '{option[1:]}': {error.strerror}") from error
    except ValueError as error:
        raise UsageError("--body is not valid JSON") from error
    body_input = next((parameter for parameter in inputs if parameter.whole), None)
    if body_input is not None:
        return {body_input.name: body}
    if not isinstance(body, dict):
        raise UsageError("--body is not a JSON object")
    return body
