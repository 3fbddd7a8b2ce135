"""One process of `adapter-host serve --workers N`: it serves, and goes by what comes over its link."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from adapter_host.errors import AdapterHostError, ProblemsError, StartError
from adapter_host.host.host import Host

from .reloading import CommandReloader

_log = logging.getLogger("adapter_host")

RELOAD: Final = b"r"
READY: Final = b"y"

RELOAD_TIMEOUT: Final = 60.0
"""Seconds that a worker waits for the reload that it has asked for."""


async def run_worker(host: Host, link: socket.socket, env_file: str | None) -> None:
    """Serve as a worker until the link or SIGTERM says to drain."""
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
        reloader.fail_pending(StartError("the host drains"))
        if host.calls:
            _log.info("draining: %d calls in progress", host.calls)
        await host.drain()
    finally:
        await host.stop()


class WorkerReloader(CommandReloader):
    """The reloader of a worker: it asks for a reload over the link, and reloads when the link says so."""

    def __init__(self, host: Host, link: socket.socket, env_file: str | None) -> None:
        super().__init__(env_file)
        self._host = host
        self._link = link
        self._pending_reloads: list[asyncio.Future[None]] = []

    async def process_messages(self) -> None:
        """Do what the link says, to its end."""
        while messages := await asyncio.get_running_loop().sock_recv(self._link, 64):
            if RELOAD in messages:
                await self._reload()

    async def _reload(self) -> None:
        futures, self._pending_reloads = self._pending_reloads, []
        try:
            await self._host.reload_here()
            _log.info("reloaded")
            _complete(futures, None)
        except AdapterHostError as error:
            _log.error("not reloaded, what was served goes on:\n%s", error)
            _complete(futures, error)

    async def reload(self, reload_here: Callable[[], Awaitable[None]]) -> None:
        """Have every worker reload, and wait for this one; raise what keeps it from that."""
        problems = await asyncio.to_thread(self._host.check)
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
            raise StartError("no reload has come of it (the log may say why)") from None

    def fail_pending(self, reason: AdapterHostError) -> None:
        """Let nobody wait any longer."""
        futures, self._pending_reloads = self._pending_reloads, []
        _complete(futures, reason)


def _complete(futures: Iterable[asyncio.Future[None]], error: AdapterHostError | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
