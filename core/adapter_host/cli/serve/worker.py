"""A worker process of `adapter-host serve --workers N`, controlled over its link."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from adapter_host.document.messages import count_noun
from adapter_host.errors import AdapterHostError, ProblemsError, StartError
from adapter_host.host.host import Host
from adapter_host.host.reloads import log_failed_reload

from .reloading import CommandReloader

_log = logging.getLogger("adapter_host")

RELOAD: Final = b"r"
READY: Final = b"y"

RELOAD_TIMEOUT: Final = 60.0
"""Seconds until a requested reload fails."""


async def run_worker(host: Host, link: socket.socket, env_file: str | None) -> None:
    """Serve until the link is closed or SIGTERM arrives, then drain."""
    loop = asyncio.get_running_loop()
    link.setblocking(False)
    drain = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, drain.set)
    reloader = WorkerReloader(host, link, env_file)
    await host.start(reloader=reloader)
    try:
        await loop.sock_sendall(link, READY)
        messages = asyncio.ensure_future(reloader.process_messages())
        stop = asyncio.ensure_future(drain.wait())
        await asyncio.wait((messages, stop), return_when=asyncio.FIRST_COMPLETED)
        for task in (messages, stop):
            task.cancel()
        reloader.fail_pending(StartError("the host is draining"))
        if host.calls:
            _log.info("draining: %s in flight", count_noun(host.calls, "call"))
        await host.drain()
    finally:
        await host.stop()


class WorkerReloader(CommandReloader):
    """The reloader of a worker: requests reloads over the link, and reloads when the supervisor says so."""

    def __init__(self, host: Host, link: socket.socket, env_file: str | None) -> None:
        super().__init__(env_file)
        self._host = host
        self._link = link
        self._pending_reloads: list[asyncio.Future[None]] = []

    async def process_messages(self) -> None:
        """Reload on each message, until the link is closed."""
        while messages := await asyncio.get_running_loop().sock_recv(self._link, 64):
            if RELOAD in messages:
                await self._reload()

    async def _reload(self) -> None:
        futures, self._pending_reloads = self._pending_reloads, []
        try:
            await self._host.reload_here()
            _log.info("reloaded")
            _complete(futures, None)
        except Exception as error:
            # An error of a plugin must not end the worker.
            log_failed_reload(error)
            _complete(futures, error)

    async def reload(self, reload_here: Callable[[], Awaitable[None]]) -> None:
        """Request a reload of all workers and wait for this one; raise `ProblemsError` or `StartError`."""
        problems = await self._host.check_in_thread()
        if not all(problem.warning for problem in problems):
            raise ProblemsError(problems)
        loop = asyncio.get_running_loop()
        reloaded: asyncio.Future[None] = loop.create_future()
        self._pending_reloads.append(reloaded)
        await loop.sock_sendall(self._link, RELOAD)
        try:
            async with asyncio.timeout(RELOAD_TIMEOUT):
                await reloaded
        except TimeoutError:
            raise StartError("the reload did not complete; see the log") from None

    def fail_pending(self, reason: AdapterHostError) -> None:
        """Fail all requested reloads."""
        futures, self._pending_reloads = self._pending_reloads, []
        _complete(futures, reason)


def _complete(futures: Iterable[asyncio.Future[None]], error: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
