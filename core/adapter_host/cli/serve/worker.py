"""One process of `adapter-host serve --workers N`: it serves, and goes by what comes over its link."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Iterable
from typing import Final

from adapter_host.errors import AdapterHostError, ProblemsError, StartError

from .host import ServedHost

_log = logging.getLogger("adapter_host")

RELOAD: Final = b"r"
READY: Final = b"y"

RELOAD_PATIENCE: Final = 60.0
"""Seconds that a worker waits for the reload that it has asked for."""


async def work(host: ServedHost, link: socket.socket) -> None:
    """Serve as a worker until the link or SIGTERM says to drain."""
    loop = asyncio.get_running_loop()
    link.setblocking(False)
    drain = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, drain.set)
    follower = _Follower(host, link)
    host.pass_on = follower.ask
    await host.start()
    try:
        await loop.sock_sendall(link, READY)
        follow = asyncio.ensure_future(follower.follow())
        stop = asyncio.ensure_future(drain.wait())
        await asyncio.wait((follow, stop), return_when=asyncio.FIRST_COMPLETED)
        for task in (follow, stop):
            task.cancel()
        follower.end(StartError("the host drains"))
        if host.calls:
            _log.info("draining: %d calls in progress", host.calls)
        await host.drain()
    finally:
        await host.stop()


class _Follower:
    """A worker's end of the link: does what is said there, and asks there for what concerns every worker."""

    def __init__(self, host: ServedHost, link: socket.socket) -> None:
        self._host = host
        self._link = link
        self._waiting: list[asyncio.Future[None]] = []

    async def follow(self) -> None:
        """Do what the link says, to its end."""
        while heard := await asyncio.get_running_loop().sock_recv(self._link, 64):
            if RELOAD in heard:
                await self._reload()

    async def _reload(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            await self._host.reload_here()
            _log.info("reloaded")
            _answer(waiting, None)
        except AdapterHostError as error:
            _log.error("not reloaded, what was served goes on:\n%s", error)
            _answer(waiting, error)

    async def ask(self) -> None:
        """Have every worker reload, and wait for this one; raises what keeps it from that."""
        problems = await asyncio.to_thread(self._host.check)
        if not all(problem.warning for problem in problems):
            raise ProblemsError(problems)
        loop = asyncio.get_running_loop()
        reloaded: asyncio.Future[None] = loop.create_future()
        self._waiting.append(reloaded)
        await loop.sock_sendall(self._link, RELOAD)
        try:
            async with asyncio.timeout(RELOAD_PATIENCE):
                await reloaded
        except TimeoutError:
            raise StartError("no reload has come of it (the log may say why)") from None

    def end(self, reason: AdapterHostError) -> None:
        """Let nobody wait any longer."""
        waiting, self._waiting = self._waiting, []
        _answer(waiting, reason)


def _answer(waiting: Iterable[asyncio.Future[None]], error: AdapterHostError | None) -> None:
    for each in waiting:
        if each.done():
            continue
        if error is None:
            each.set_result(None)
        else:
            each.set_exception(error)
