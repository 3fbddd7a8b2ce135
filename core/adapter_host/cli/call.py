"""`adapter-host call`: one operation, without a server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from adapter_host.capability.media_types import is_text
from adapter_host.cli import UsageError
from adapter_host.document.messages import did_you_mean
from adapter_host.errors import ArgumentError, OperationError, UpstreamStatusError
from adapter_host.host.host import Host
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments, Call

from .options import add_upstream_options, pair, settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("file", metavar="FILE")
    parser.add_argument(
        "operation", metavar="OPERATION", help="its name, or NAMESPACE.NAME of an exposer or a consumed API"
    )
    parser.add_argument("arguments", nargs="*", default=[], type=pair, metavar="key=value")
    parser.add_argument("--body", metavar="JSON|@FILE|-", help="the request's whole body")
    parser.add_argument("--dry-run", action="store_true", help="print the upstream request, secrets masked")
    add_upstream_options(parser)


@dataclass(frozen=True, slots=True)
class Target:
    """Something of a capability that can be called."""

    names: tuple[str, ...]
    inputs: tuple[Input, ...]
    call: Call
    preview: Callable[[Arguments], Mapping[str, Any]]
    upstream: tuple[int, ...]


def run(options: argparse.Namespace) -> int:
    """Call; 3 when the answer is an error."""
    host = Host(options.file, settings=settings(options))
    target = _find(options.operation, list(_targets(host)))
    try:
        arguments = _arguments(options, target.inputs)
        if options.dry_run:
            print(orjson.dumps(target.preview(arguments), option=orjson.OPT_INDENT_2).decode())
            return 0
        return asyncio.run(_call(host, target, arguments))
    except ArgumentError as error:
        raise UsageError(f"call: {error.message}") from error
    except UpstreamStatusError as error:
        print(f"adapter-host: {error.message}", file=sys.stderr)
        _show(error.body, error.media_type)
    except OperationError as error:
        print(f"adapter-host: {error.message}", file=sys.stderr)
    return 3


async def _call(host: Host, target: Target, arguments: Arguments) -> int:
    await host.start(listen=False)
    try:
        result = await target.call(arguments)
        if result.stream is None:
            _show(result.body, result.media_type)
        else:
            await _pass_on(result.stream, result.media_type)
    finally:
        await host.stop()
    return 0


def _show(body: bytes, media_type: str) -> None:
    if body:
        sys.stdout.flush()
        sys.stdout.buffer.write(body + _end(body, media_type))
        sys.stdout.flush()


async def _pass_on(stream: AsyncIterator[bytes], media_type: str) -> None:
    sys.stdout.flush()
    last = b""
    async for last in stream:
        sys.stdout.buffer.write(last)
    sys.stdout.buffer.write(_end(last, media_type))
    sys.stdout.flush()


def _end(body: bytes, media_type: str) -> bytes:
    """Return the bytes to write after a body: a line end after text, nothing after other bytes."""
    return b"" if body.endswith(b"\n") or not (is_text(media_type) or sys.stdout.isatty()) else b"\n"


def _targets(host: Host) -> Sequence[Target]:
    found = []
    for plan in host.plans:
        for each in plan.exposers:
            for operation in each.exposer.operations.values():
                names = (operation.name, f"{each.exposer.config.namespace}.{operation.name}")
                # Without an upstream, each is its own: two of one name are two different things.
                upstream = tuple(id(target) for target in operation.upstream) or (id(operation),)
                found.append(Target(names, operation.inputs, operation.call, operation.preview, upstream))
        for consumed in plan.consumed:
            found.append(Target(consumed.names, consumed.inputs, consumed.call, consumed.preview, (id(consumed),)))
    return found


def _find(name: str, targets: Sequence[Target]) -> Target:
    found = [target for target in targets if name in target.names]
    if not found:
        known = [known for target in targets for known in target.names[:1]]
        listed = ", ".join(dict.fromkeys(known[:10]))
        raise UsageError(
            f"call: there is no operation '{name}'{did_you_mean(name, known) or f' (there are: {listed})'}"
        )
    if len({target.upstream for target in found}) > 1:
        full = ", ".join(target.names[-1] for target in found[:10])
        raise UsageError(f"call: several operations are named '{name}' (name one of: {full})")
    return found[0]


def _arguments(options: argparse.Namespace, inputs: Sequence[Input]) -> dict[str, Any]:
    known = {given.name: given for given in inputs}
    arguments: dict[str, Any] = {}
    for name, text in options.arguments:
        arguments[name] = known[name].parse(text) if name in known else text
    if options.body is not None:
        arguments.update(_body(options.body, inputs))
    return arguments


def _body(given: str, inputs: Sequence[Input]) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if given == "-" else Path(given[1:]).read_text() if given.startswith("@") else given
        body = orjson.loads(text)
    except OSError as error:
        raise UsageError(f"call: --body: cannot read '{given[1:]}': {error.strerror}") from error
    except ValueError as error:
        raise UsageError("call: --body is not JSON") from error
    whole = next((each for each in inputs if each.whole), None)
    if whole is not None:
        return {whole.name: body}
    if not isinstance(body, dict):
        raise UsageError("call: --body is not a JSON object")
    return body
