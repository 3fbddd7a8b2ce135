"""`adapter-host serve`: serve capabilities until a signal."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from shlex import quote
from typing import Any

from adapter_host.cli import GC_WHILE_SERVING, UsageError, print_error, print_problems
from adapter_host.cli.clients.formats import CLIENTS
from adapter_host.cli.clients.servers import client_entries, http_servers, stdio_server
from adapter_host.cli.options.mcp_endpoint import mcp_endpoint
from adapter_host.cli.options.plugins import build_plugins, configured_state, configured_tls
from adapter_host.cli.options.shared import build_settings, check_namespaces
from adapter_host.cli.output.escapes import escape
from adapter_host.cli.output.events import Event, announce, problem_event
from adapter_host.cli.output.logging import Log
from adapter_host.cli.tokens import expensive_exposers
from adapter_host.document.messages import count_noun
from adapter_host.errors import AdapterHostError, ProblemsError, StartError
from adapter_host.host.host import Host
from adapter_host.plugin.exposer import Exposer
from adapter_host.server.addresses import process_clashes, sharing_exposers
from adapter_host.server.shared_ports import SharedPorts

from .console_option import check_console
from .inherited import assign_sockets, take_sockets
from .options import add_options as add_options
from .ready_file import ReadyFile, startup_events, startup_message
from .reloading import HeldHangUp, ProcessReloader, ReloadTriggers
from .stdio import find_stdio_exposer, serve_stdio
from .supervisor import Supervisor, WorkerProcess, WorkerSpec, check_workers
from .worker import run_worker

_log = logging.getLogger("adapter_host")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal; return 0 after the drain."""
    paths = [*options.capability, *options.paths]
    if not paths:
        raise UsageError("no capability; run adapter-host serve FILE_OR_DIR")
    if options.print_config is not None:
        return _print_config(paths, options)
    log = Log(options.log_format, options.log_level, options.log_buffer)
    log.open()
    hang_up = HeldHangUp()
    try:
        return _run(paths, options, log, hang_up)
    except Exception as error:
        if options.log_format != "json" or options.traceback:
            raise
        return _log_failure(error)
    finally:
        log.close()


def _log_failure(error: Exception) -> int:
    """Log why the command failed, as a line of the JSON log; return its exit code."""
    if isinstance(error, ProblemsError):
        print_problems(error)
    elif isinstance(error, AdapterHostError):
        print_error(error)
    else:
        _log.error("unexpected error", exc_info=error)
    return 2 if isinstance(error, UsageError) else 1


def _run(paths: Sequence[str], options: argparse.Namespace, log: Log, hang_up: HeldHangUp) -> int:
    sockets = take_sockets(os.environ)
    host = _build_host(paths, options, sockets, log)
    if not host.status():
        raise StartError(f"no exposer in {', '.join(paths)}; add one under 'exposes'")
    if clashes := process_clashes(host.plans, host.settings):
        raise ProblemsError([*host.warnings, *(clash.problem for clash in clashes)])
    if "" in host.settings.sockets and not sharing_exposers(host.plans):
        message = "the socket applies to no exposer of these files; name one with FileDescriptorName=NAMESPACE"
        raise UsageError(f"socket activation: {message} in the .socket unit")
    stdio_exposer = find_stdio_exposer(host, required=options.stdio)
    check_namespaces(options, host.plans)
    for problem in dict.fromkeys((*host.warnings, *expensive_exposers(host.plans))):
        announce(escape(str(problem)), [problem_event(problem)])
    for file in dict.fromkeys(plan.loaded.source.file for plan in host.plans if plan.loaded.source.converted_from):
        command = f"adapter-host import openapi {quote(file)} -o capability.yaml"
        message = f"{file}: served as an OpenAPI document; to edit what is served: {command}"
        announce(escape(message), [Event(message, members={"file": file})])
    ready = ReadyFile(options.ready_file)
    if options.workers > 1:
        check_workers(stdio_exposer)
        host.require_secrets()
        with contextlib.closing(SharedPorts(options.workers)) as ports:
            return _supervise(host, sockets, paths, options, ready, log, hang_up, ports)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        triggers = ReloadTriggers(host, lambda: _watched_files(host, paths, options), options.watch_interval, hang_up)
        reloader = ProcessReloader(options.env_file, ready)
        runner.run(_serve(host, triggers, reloader, ready, stdio_exposer, listen=not options.stdio))
    return 0


def _print_config(paths: Sequence[str], options: argparse.Namespace) -> int:
    """Print the configuration of an MCP client for what would be served."""
    client = CLIENTS[options.print_config]
    host = _build_host(paths, options)
    check_namespaces(options, host.plans)
    is_stdio = options.stdio or client.url_key is None
    servers = [stdio_server(host, paths)] if is_stdio else http_servers(host)
    sys.stdout.write(client_entries(client, servers))
    return 0


def _build_host(
    paths: Sequence[str],
    options: argparse.Namespace,
    sockets: Mapping[str, socket.socket] | None = None,
    log: Log | None = None,
) -> Host:
    plugins = build_plugins(options)
    check_console(options, plugins)
    logs_calls = options.access_log and options.log_level in ("debug", "info")
    host = Host(
        *paths,
        plugins=plugins,
        settings=build_settings(
            options,
            ports=dict(options.port),
            unix_sockets=dict(options.uds),
            sockets=sockets or {},
            public_urls=dict(options.public_url),
            address=options.address,
            mcp_endpoint=mcp_endpoint(options),
            state=options.state or configured_state(options),
            state_prefix=options.state_prefix,
            tls=configured_tls(options),
            workers=options.workers,
            watch_interval=options.watch_interval,
            skip_invalid=options.skip_invalid,
            drain_timeout=options.drain_timeout,
            drain_delay=options.drain_delay,
            allowed_hosts=frozenset(name.lower() for name in options.allowed_host),
            allowed_origins=frozenset(options.allowed_origin),
            trusted_proxies=tuple(options.trusted_proxy),
            call_limit=options.call_limit,
            header_timeout=options.header_timeout,
            body_timeout=options.body_timeout,
            send_timeout=options.send_timeout,
            keep_alive_timeout=options.keep_alive_timeout,
            minimum_rate=options.minimum_rate,
            connection_limit=options.connection_limit,
            connection_limit_per_address=options.connection_limit_per_address,
            response_limit=options.response_limit,
            conversion_workers=options.conversion_workers,
            conversion_timeout=options.conversion_timeout,
            access_log=log.write_access if log is not None and logs_calls else None,
        ),
    )
    if sockets:
        namespaces = {status.namespace for status in host.status()}
        host.settings = replace(host.settings, sockets=assign_sockets(sockets, namespaces))
    return host


def _supervise(
    host: Host,
    sockets: Mapping[str, socket.socket],
    paths: Sequence[str],
    options: argparse.Namespace,
    ready: ReadyFile,
    log: Log,
    hang_up: HeldHangUp,
    ports: SharedPorts,
) -> int:
    for namespace, ports_of_workers in host.reserve_ports(ports).items():
        _log.info("exposer '%s' has a port for each worker: %s", namespace, ", ".join(map(str, ports_of_workers)))

    def build() -> Host:
        host = _build_host(paths, options, sockets, log)
        host.require_secrets()
        host.reserve_ports(ports)
        return host

    def serve(host: Host, number: int, link: socket.socket) -> int:
        ports.worker = number
        host.settings = replace(host.settings, worker=number)
        gc.set_threshold(*GC_WHILE_SERVING)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run_worker(host, link, options.env_file))
        return 0

    def watched_files(host: Host) -> list[str]:
        return _watched_files(host, paths, options)

    spec = WorkerSpec(build, serve, watched_files, ready, log, hang_up, options.watch_interval)
    return Supervisor(host, spec, [WorkerProcess(number) for number in range(1, options.workers + 1)]).run()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the event loop factory of uvloop if installed, else None for asyncio's own."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


async def _serve(
    host: Host,
    triggers: ReloadTriggers,
    reloader: ProcessReloader,
    ready: ReadyFile,
    stdio_exposer: Exposer[Any] | None,
    *,
    listen: bool,
) -> None:
    stop_requested = _stop_signal()
    await host.start(listen=listen, reloader=reloader)
    # Compiled plans stay, so exclude them from garbage collection.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_WHILE_SERVING)
    stdio_session = (
        asyncio.ensure_future(serve_stdio(stdio_exposer))
        if stdio_exposer
        else asyncio.get_running_loop().create_future()
    )
    try:
        statuses = [status for status in host.status() if status.url or status.exposer is stdio_exposer]
        announce(startup_message(statuses, mock=host.settings.mock), startup_events(statuses))
        ready.write(statuses)
        _log.info("serving")
        triggers.start()
        await asyncio.wait((stop_requested, stdio_session), return_when=asyncio.FIRST_COMPLETED)
        triggers.stop()
        ready.remove()
        _log.info("draining: %s in flight", count_noun(host.calls, "call"))
        await host.drain()
    finally:
        ready.remove()
        try:
            await _end_session(stdio_session)
        finally:
            await host.stop()
    _log.info("stopped")


def _watched_files(host: Host, paths: Sequence[str], options: argparse.Namespace) -> list[str]:
    """Return the files whose change triggers a reload."""
    capabilities = [plan.loaded for plan in host.plans]
    files = [file for capability in capabilities for file in capability.secret_files]
    if options.env_file:
        files.append(options.env_file)
    if options.reload:
        files += [*paths, *(file for capability in capabilities for file in capability.files)]
    return files


async def _end_session(stdio_session: asyncio.Future[None]) -> None:
    """Cancel the session over standard input and output, or raise the error that ended it."""
    if not stdio_session.cancel():
        stdio_session.result()
        return
    with contextlib.suppress(asyncio.CancelledError):
        await stdio_session


def _stop_signal() -> asyncio.Future[None]:
    """Return a future that the first SIGTERM or SIGINT completes; a second one exits immediately."""
    loop = asyncio.get_running_loop()
    stop_requested: asyncio.Future[None] = loop.create_future()

    def on_signal(number: int) -> None:
        if stop_requested.done():
            os._exit(128 + number)
        stop_requested.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stop_requested
