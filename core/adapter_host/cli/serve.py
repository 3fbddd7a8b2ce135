"""`adapter-host serve`: run capabilities until a signal comes."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from adapter_host.adapters import Exposer
from adapter_host.errors import StartError
from adapter_host.host import Exposure, Host

from . import UsageError
from .logs import LEVELS, set_up
from .options import add_upstream_options, network, port_pair, seconds, settings
from .text import table

_log = logging.getLogger("adapter_host")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("paths", nargs="*", metavar="FILE_OR_DIR", help="a directory means every capability in it")
    parser.add_argument("--capability", action="append", default=[], metavar="FILE_OR_DIR", help="as FILE_OR_DIR")
    add_upstream_options(parser)
    parser.add_argument(
        "--port", action="append", default=[], type=port_pair, metavar="NAMESPACE=PORT",
        help="serve an exposer on another port; 0 takes any free one (repeatable)",
    )  # fmt: skip
    parser.add_argument("--address", help="listen here instead of where the documents say (default: loopback)")
    parser.add_argument("--allowed-host", action="append", default=[], metavar="NAME", help="accept this Host header")
    parser.add_argument("--allowed-origin", action="append", default=[], metavar="URL", help="accept this Origin")
    parser.add_argument(
        "--trusted-proxy", action="append", default=[], type=network, metavar="ADDRESS",
        help="believe X-Forwarded-Host from this address or network (repeatable)",
    )  # fmt: skip
    parser.add_argument("--stdio", action="store_true", help="serve one client over standard input and output")
    parser.add_argument("--call-limit", type=int, default=1000, metavar="N", help="calls at once of one exposer (1000)")
    parser.add_argument("--skip-invalid", action="store_true", help="leave out what cannot run, with a warning")
    parser.add_argument("--drain-timeout", type=seconds, default=30.0, metavar="SECONDS", help="default 30")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--log-level", choices=LEVELS, default="info")
    parser.add_argument("--ready-file", metavar="PATH", help="written whole once serving: JSON with the URLs")


def run(options: argparse.Namespace) -> int:
    """Serve; 0 after a drain that a signal asked for."""
    paths = [*options.capability, *options.paths]
    if not paths:
        raise UsageError("serve: name a capability (adapter-host serve --capability FILE_OR_DIR)")
    set_up(options.log_format, options.log_level)
    host = Host(
        *paths,
        settings=settings(
            options,
            ports=dict(options.port),
            address=options.address,
            skip_invalid=options.skip_invalid,
            drain_timeout=options.drain_timeout,
            allowed_hosts=frozenset(name.lower() for name in options.allowed_host),
            allowed_origins=frozenset(options.allowed_origin),
            trusted_proxies=tuple(options.trusted_proxy),
            call_limit=options.call_limit,
        ),
    )
    if not host.exposures:
        raise StartError(f"nothing is exposed by {', '.join(paths)}")
    talker = _talker(host, wanted=options.stdio)
    _refuse_unknown_namespaces(host, options)
    for problem in dict.fromkeys(host.warnings):
        print(problem, file=sys.stderr)
    ready = _ReadyFile(options.ready_file)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(host, ready, talker, listen=not options.stdio))
    return 0


def _talker(host: Host, *, wanted: bool) -> Exposer[Any] | None:
    """The one exposer to serve over standard input and output, if any."""
    exposers = [exposure.exposer for exposure in host.exposures]
    able = [each for each in exposers if each.stdio or (wanted and type(each).serve_stdio is not Exposer.serve_stdio)]
    if len(able) > 1 or (wanted and not able):
        names = ", ".join(each.config.namespace for each in able) or "none"
        raise StartError(f"one exposer can be served over standard input and output (there are: {names})")
    return able[0] if able else None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where it is installed (it does not exist everywhere), else asyncio's own."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


def _refuse_unknown_namespaces(host: Host, options: argparse.Namespace) -> None:
    """An override that meets nothing is a typing error, and would go unseen."""
    exposers = {exposure.namespace for exposure in host.exposures}
    consumers = {consumer.config.namespace for plan in host.plans for consumer in plan.consumers}
    for option, given, known in (
        ("--port", options.port, exposers),
        ("--base-uri", options.base_uri, consumers),
    ):
        for namespace, _ in given:
            if namespace not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise UsageError(f"{option}: there is no namespace '{namespace}' (there are: {listed})")


async def _serve(host: Host, ready: _ReadyFile, talker: Exposer[Any] | None, *, listen: bool) -> None:
    stopped = _first_signal()
    await host.start(listen=listen)
    # What is compiled stays for good: the garbage collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    talk = asyncio.ensure_future(talker.serve_stdio()) if talker else asyncio.get_running_loop().create_future()
    try:
        exposures = host.exposures
        print(_summary(exposures), file=sys.stderr, flush=True)
        ready.write(exposures)
        _log.info("serving")
        await asyncio.wait((stopped, talk), return_when=asyncio.FIRST_COMPLETED)
        ready.remove()
        _log.info("draining: %d calls in progress", host.calls)
        await host.drain()
    finally:
        ready.remove()
        try:
            await _end(talk)
        finally:
            await host.stop()
    _log.info("stopped")


async def _end(talk: asyncio.Future[None]) -> None:
    """End the talk over standard input and output; an error that ended it by itself is raised."""
    if not talk.cancel():
        talk.result()
        return
    with contextlib.suppress(asyncio.CancelledError):
        await talk


def _first_signal() -> asyncio.Future[None]:
    """Done at the first SIGTERM or SIGINT; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def received(number: int) -> None:
        if stopped.done():
            os._exit(128 + number)
        stopped.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received, number)
    return stopped


class _ReadyFile:
    """The file that tells scripts that the host serves, and where."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self.remove()

    def write(self, exposures: Sequence[Exposure]) -> None:
        """Write it whole: whoever sees the file sees all of it."""
        if self._path is None:
            return
        listing = [{"namespace": each.namespace, "type": each.type, "url": each.url} for each in exposures]
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            partial.write_bytes(orjson.dumps({"exposers": listing}, option=orjson.OPT_INDENT_2) + b"\n")
            partial.replace(self._path)
        except OSError as error:
            raise StartError(f"--ready-file: cannot write '{self._path}': {error.strerror}") from error

    def remove(self) -> None:
        """Take it away: one from before would lie."""
        try:
            if self._path is not None:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise StartError(f"--ready-file: cannot replace '{self._path}': {error.strerror}") from error


def _summary(exposures: Sequence[Exposure]) -> str:
    """The table of what is served, and one line of each type to try it with."""
    head = ("capability", "exposer", "type", "url", "authentication", "operations")
    rows = [
        (
            each.capability,
            each.namespace,
            each.type,
            each.url or "-",
            each.authentication,
            str(each.operations),
        )
        for each in exposures
    ]
    usages = {}
    for each in exposures:
        if each.type not in usages and each.url and (usage := each.exposer.usage(each.url)):
            usages[each.type] = usage
    return "\n\n".join([table(head, rows), *usages.values()]) + "\n"
