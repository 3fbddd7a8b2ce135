"""`adapter-host serve --workers N`: the supervisor of worker processes that share ports.

The supervisor loads and compiles everything and then forks the workers. It controls each worker over a socket pair, the
link: one byte requests a reload, closing the link requests a drain; a worker sends the same byte to request a reload of
all workers. The supervisor serves no requests and has no event loop, which would not survive a fork; its only thread is
that of the log, which is stopped for each fork.
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

from adapter_host.cli import print_error
from adapter_host.cli.output.events import announce
from adapter_host.cli.output.logging import Log
from adapter_host.errors import AdapterHostError, StartError
from adapter_host.file_watcher import snapshot
from adapter_host.host.host import Host
from adapter_host.host.reloads import log_failed_reload

from .ready_file import ReadyFile, announce_reload, startup_events, startup_message
from .reloading import HeldHangUp
from .worker import READY, RELOAD

_log = logging.getLogger("adapter_host")

EXIT_GRACE: Final = 10.0
"""Seconds after the drain timeout until workers that are still running are killed."""

MAX_RESTART_DELAY: Final = 30.0
"""Maximum seconds until the restart of a worker that repeatedly exits before it is ready."""

MAX_WAIT: Final = 0.25
"""Maximum seconds between two checks for restarts that are due."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(slots=True)
class WorkerProcess:
    """The supervisor's state of a worker; `failures` counts consecutive exits before it was ready."""

    number: int
    pid: int = 0
    link: socket.socket | None = None
    ready: bool = False
    failures: int = 0
    next_start: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """How to build a host, how to serve it in a worker, and which files to watch.

    `build` raises `AdapterHostError`. `serve` receives a host, the worker's number and its link, and returns the exit
    code. `watch_interval` is in seconds.
    """

    build: Callable[[], Host]
    serve: Callable[[Host, int, socket.socket], int]
    watched_files: Callable[[Host], Iterable[str]]
    ready: ReadyFile
    log: Log
    hang_up: HeldHangUp
    watch_interval: float


@dataclass(slots=True)
class Supervisor:
    """Starts, restarts, reloads and drains workers."""

    host: Host
    spec: WorkerSpec
    workers: list[WorkerProcess]
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _announced: bool = False
    _reload_when_ready: bool = False
    _stopping: bool = False

    def run(self) -> int:
        """Serve until a signal and return the exit code; raise `StartError` if a worker cannot start."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            # The signal number arrives at `wake`; the handler has nothing to do.
            signal.signal(number, lambda *_: None)
        self._reload_when_ready = self.spec.hang_up.received
        self._selector.register(wake, selectors.EVENT_READ, None)
        # Memory pages stay shared until a process writes to them, so exclude compiled plans from garbage collection.
        gc.collect()
        gc.freeze()
        try:
            return self._supervise(wake)
        finally:
            self.spec.ready.remove()
            self._kill()

    def _supervise(self, wake: socket.socket) -> int:
        state = snapshot(self.spec.watched_files(self.host))
        next_check = time.monotonic() + self.spec.watch_interval
        # Start one worker first, so that a failed start is reported once.
        self._start(self.workers[0])
        while not self._stopping:
            self._start_due()
            self._process_events(wake, self._on_message)
            if time.monotonic() >= next_check:
                next_check = time.monotonic() + self.spec.watch_interval
                now = snapshot(self.spec.watched_files(self.host))
                if now != state:
                    state = now
                    self._request_reload()
        return self._drain(wake)

    def _process_events(self, wake: socket.socket, on_message: Callable[[WorkerProcess], None]) -> None:
        """Handle signals, messages and exits of workers that arrive within a moment."""
        for key, _ in self._selector.select(min(MAX_WAIT, self.spec.watch_interval / 4)):
            if key.data is None:
                self._handle_signals(wake.recv(4096))
            else:
                on_message(key.data)
        self._reap()

    def _start_due(self) -> None:
        if not self.workers[0].ready and not self._announced:
            return
        for worker in self.workers:
            # A worker may still run after its link is closed; replace it after its exit.
            if not worker.pid and time.monotonic() >= worker.next_start:
                self._start(worker)

    def _start(self, worker: WorkerProcess) -> None:
        link, child_link = socket.socketpair()
        sys.stdout.flush()
        with self.spec.log.paused():
            pid = os.fork()
            if pid == 0:
                link.close()
                self._run_child(worker, child_link)
        child_link.close()
        worker.pid, worker.link, worker.ready = pid, link, False
        self._selector.register(link, selectors.EVENT_READ, worker)

    def _run_child(self, worker: WorkerProcess, link: socket.socket) -> None:
        """Run a worker in the forked process; does not return."""
        code = 1
        try:
            self.spec.log.open(worker.number)
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            # Ctrl-C and hang-up in a terminal reach every process; the supervisor forwards them over the link.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            self._selector.close()
            for other in self.workers:
                if other.link is not None:
                    other.link.close()
            code = self.spec.serve(self.host, worker.number, link)
        except AdapterHostError as error:
            print_error(error)
        except BaseException:
            _log.exception("worker failed")
        finally:
            self.spec.log.close()
            os._exit(code)

    def _on_message(self, worker: WorkerProcess) -> None:
        assert worker.link is not None
        messages = worker.link.recv(64)
        if messages == b"":
            self._close_link(worker)  # it has exited or will exit; `_reap` handles that
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
            announce(startup_message(statuses, mock=self.host.settings.mock), startup_events(statuses))
            self.spec.ready.write(statuses)
            _log.info("serving with %d workers", len(self.workers))
            if self._reload_when_ready:
                self._reload()

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
                raise StartError(f"worker {worker.number} exited before it was ready ({_describe_exit(status)})")
            worker.failures = 0 if worker.ready else worker.failures + 1
            delay = min(MAX_RESTART_DELAY, 2.0**worker.failures) if worker.failures else 0.0
            worker.next_start = time.monotonic() + delay
            action = f"restarting in {delay:g} s" if delay else "restarting"
            _log.error("worker %d (pid %d) exited: %s; %s", worker.number, pid, _describe_exit(status), action)

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
                self._request_reload()

    def _request_reload(self) -> None:
        """Reload, or as soon as all workers are ready."""
        if self._announced:
            self._reload()
        else:
            self._reload_when_ready = True

    def _reload(self) -> None:
        """Rebuild the host here, then reload all workers; a failed reload changes nothing."""
        try:
            self.host = self.spec.build()
        except Exception as error:
            log_failed_reload(error)
            return
        gc.collect()
        gc.freeze()
        for worker in self.workers:
            if worker.link is not None:
                with suppress(OSError):  # a worker that just exited restarts with the new host
                    worker.link.send(RELOAD)
        announce_reload(self.host.status(), self.spec.ready, "reloading")

    def _drain(self, wake: socket.socket) -> int:
        self.spec.ready.remove()
        _log.info("draining")
        for worker in self.workers:
            if worker.link is not None:
                # Close only this side, to still read messages of the worker.
                worker.link.shutdown(socket.SHUT_WR)
        settings = self.host.settings
        deadline = time.monotonic() + settings.drain_delay + settings.drain_timeout + EXIT_GRACE
        while any(worker.pid for worker in self.workers) and time.monotonic() < deadline:
            self._process_events(wake, self._on_message_while_draining)
        cut_off = [worker.number for worker in self.workers if worker.pid]
        if cut_off:
            _log.warning("killing workers that did not stop: %s", ", ".join(map(str, cut_off)))
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


def check_workers(stdio_exposer: object) -> None:
    """Raise `StartError` if several processes cannot serve."""
    if stdio_exposer is not None:
        raise StartError("--workers cannot be used with standard input and output; leave it out")
    if not hasattr(os, "fork") or not hasattr(socket, "SO_REUSEPORT"):
        raise StartError("--workers is not supported on this system; it needs fork and SO_REUSEPORT")


def _describe_exit(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
