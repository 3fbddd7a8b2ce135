"""`adapter-host serve --workers N`: processes that share the ports, and the one that looks after them.

Workers are forked from a process that has read and compiled everything, and go by what it says over a socket of their
own: a letter asks for a reload, its end for a drain; a worker asks by the same letter for a reload of all. It serves
nothing, and has neither threads nor an event loop, which would not survive a fork.
"""

from __future__ import annotations

import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from adapter_host.errors import AdapterHostError, StartError
from adapter_host.host.host import Host

from .file_watcher import INTERVAL, snapshot
from .ready_file import ReadyFile, announce_reload, startup_message
from .worker import READY, RELOAD

_log = logging.getLogger("adapter_host")

EXIT_GRACE: Final = 10.0
"""Seconds beyond the drain timeout after which a worker that has not ended is killed."""

MAX_RESTART_DELAY: Final = 30.0
"""Seconds between two attempts to replace a worker that keeps ending before it serves."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(slots=True)
class WorkerProcess:
    """One process, as the one that looks after it knows it; `failures` counts the ends before it served."""

    number: int
    pid: int = 0
    link: socket.socket | None = None
    ready: bool = False
    failures: int = 0
    next_start: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What `serve` is asked for: how a host is built, how a process serves it, and the files whose change reloads it.

    `build` raises `AdapterHostError` for what cannot run. `serve` gives the exit code of the worker of a number.
    """

    build: Callable[[], Host]
    serve: Callable[[Host, int, socket.socket], int]
    watched_files: Callable[[Host], Iterable[str]]
    ready: ReadyFile


@dataclass(slots=True)
class Supervisor:
    """Starts workers, replaces those that end, reloads and drains them."""

    host: Host
    spec: WorkerSpec
    workers: list[WorkerProcess]
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _announced: bool = False
    _stopping: bool = False

    def run(self) -> int:
        """Serve until a signal comes; gives the exit code. Raises `StartError` when a worker cannot begin to serve."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            # The number that arrives at `wake` is all that is wanted of a signal.
            signal.signal(number, lambda *_: None)
        self._selector.register(wake, selectors.EVENT_READ, None)
        # Pages that no process writes are shared: a collection in a worker must not touch what is there already.
        gc.collect()
        gc.freeze()
        try:
            return self._supervise(wake)
        finally:
            self.spec.ready.remove()
            self._kill()

    def _supervise(self, wake: socket.socket) -> int:
        state = snapshot(self.spec.watched_files(self.host))
        next_check = time.monotonic() + INTERVAL
        # The first one tells whether it can be done at all; what is wrong is told by one process, once.
        self._start(self.workers[0])
        while not self._stopping:
            self._start_due()
            self._process_events(wake, self._on_message)
            if time.monotonic() >= next_check:
                next_check = time.monotonic() + INTERVAL
                now = snapshot(self.spec.watched_files(self.host))
                if now != state:
                    state = now
                    self._reload()
        return self._drain(wake)

    def _process_events(self, wake: socket.socket, on_message: Callable[[WorkerProcess], None]) -> None:
        """Take what comes in a moment: signals, what workers say, and their ends."""
        for key, _ in self._selector.select(INTERVAL / 4):
            if key.data is None:
                self._handle_signals(wake.recv(4096))
            else:
                on_message(key.data)
        self._reap()

    def _start_due(self) -> None:
        if not self.workers[0].ready and not self._announced:
            return
        for worker in self.workers:
            # One whose link has ended may not have: it is replaced once it has.
            if not worker.pid and time.monotonic() >= worker.next_start:
                self._start(worker)

    def _start(self, worker: WorkerProcess) -> None:
        link, child_link = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            link.close()
            self._run_child(worker, child_link)
        child_link.close()
        worker.pid, worker.link, worker.ready = pid, link, False
        self._selector.register(link, selectors.EVENT_READ, worker)

    def _run_child(self, worker: WorkerProcess, link: socket.socket) -> None:
        """Be a worker from here on; does not return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            # A terminal's Ctrl-C and hang-up reach every process; what they mean is said over the link.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            self._selector.close()
            for other in self.workers:
                if other.link is not None:
                    other.link.close()
            code = self.spec.serve(self.host, worker.number, link)
        except AdapterHostError as error:
            print(f"adapter-host: {error}", file=sys.stderr)
        except BaseException:
            _log.exception("a worker failed")
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _on_message(self, worker: WorkerProcess) -> None:
        assert worker.link is not None
        messages = worker.link.recv(64)
        if messages == b"":
            self._close_link(worker)  # it has ended, or is about to: `_reap` says so
            return
        if RELOAD in messages:
            self._reload()
        if READY in messages:
            self._on_ready(worker)

    def _on_ready(self, worker: WorkerProcess) -> None:
        worker.ready, worker.failures = True, 0
        if not self._announced and all(other.ready for other in self.workers):
            self._announced = True
            statuses = self.host.status()
            print(startup_message(statuses, mock=self.host.settings.mock), file=sys.stderr, flush=True)
            self.spec.ready.write(statuses)
            _log.info("serving with %d workers", len(self.workers))

    def _reap(self) -> None:
        for worker in self.workers:
            if not worker.pid or not os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                continue
            _, status = os.waitpid(worker.pid, 0)
            pid, worker.pid = worker.pid, 0
            self._close_link(worker)
            if self._stopping:
                continue
            if not self._announced:
                raise StartError(f"worker {worker.number} ended before it served ({_describe_exit(status)})")
            worker.failures = 0 if worker.ready else worker.failures + 1
            delay = min(MAX_RESTART_DELAY, 2.0**worker.failures) if worker.failures else 0.0
            worker.next_start = time.monotonic() + delay
            action = f"replaced in {delay:g} s" if delay else "replaced"
            _log.error("worker %d (process %d) ended: %s; it is %s", worker.number, pid, _describe_exit(status), action)

    def _close_link(self, worker: WorkerProcess) -> None:
        if worker.link is not None:
            self._selector.unregister(worker.link)
            worker.link.close()
            worker.link = None

    def _handle_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                if self._stopping:
                    self._kill()
                    os._exit(128 + number)
                self._stopping = True
            elif number == signal.SIGHUP and not self._stopping:
                self._reload()

    def _reload(self) -> None:
        """Have everything read anew, first here: what cannot run leaves the old serving."""
        try:
            self.host = self.spec.build()
        except AdapterHostError as error:
            _log.error("not reloaded, what was served goes on:\n%s", error)
            return
        gc.collect()
        gc.freeze()
        for worker in self.workers:
            if worker.link is not None:
                with suppress(OSError):  # one that has just ended is replaced, from what is new
                    worker.link.send(RELOAD)
        announce_reload(self.host.status(), self.spec.ready, "reloading")

    def _drain(self, wake: socket.socket) -> int:
        self.spec.ready.remove()
        _log.info("draining")
        for worker in self.workers:
            if worker.link is not None:
                # Only our side: what a worker still says is read to its end.
                worker.link.shutdown(socket.SHUT_WR)
        settings = self.host.settings
        deadline = time.monotonic() + settings.drain_delay + settings.drain_timeout + EXIT_GRACE
        while any(worker.pid for worker in self.workers) and time.monotonic() < deadline:
            self._process_events(wake, self._on_message_while_draining)
        cut_off = [worker.number for worker in self.workers if worker.pid]
        if cut_off:
            _log.warning("workers that did not end are killed: %s", ", ".join(map(str, cut_off)))
        _log.info("stopped")
        return 1 if cut_off else 0

    def _on_message_while_draining(self, worker: WorkerProcess) -> None:
        assert worker.link is not None
        if worker.link.recv(64) == b"":
            self._close_link(worker)

    def _kill(self) -> None:
        for worker in self.workers:
            if worker.pid:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
                worker.pid = 0


def _describe_exit(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
