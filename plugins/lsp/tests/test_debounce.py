"""Only the last of several requests runs, after a pause on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable

from adapter_host_lsp.debounce import Debouncer


class Clock:
    """A clock that runs calls when it is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[ScheduledCall] = []

    def call_later(self, delay: float, action: Callable[[], object]) -> ScheduledCall:
        call = ScheduledCall(self.now + delay, action)
        self._calls.append(call)
        return call

    def move(self, seconds: float) -> None:
        self.now += seconds
        due = [call for call in self._calls if call.time <= self.now]
        self._calls = [call for call in self._calls if call.time > self.now]
        for call in due:
            if not call.is_cancelled:
                call.action()


class ScheduledCall:
    def __init__(self, time: float, action: Callable[[], object]) -> None:
        self.time = time
        self.action = action
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


def test_the_last_of_several_runs_once_after_a_pause() -> None:
    clock, runs = Clock(), list[str]()
    debouncer = Debouncer(1, clock.call_later)
    for text in ("a", "b", "c"):
        debouncer.schedule("file", lambda text=text: runs.append(text))  # type: ignore[misc]
        clock.move(0.9)
    assert runs == []
    clock.move(0.1)
    assert runs == ["c"]
    clock.move(5)
    assert runs == ["c"]


def test_keys_are_independent_and_can_be_cancelled() -> None:
    clock, runs = Clock(), list[str]()
    debouncer = Debouncer(1, clock.call_later)
    for key in ("a", "b"):
        debouncer.schedule(key, lambda key=key: runs.append(key))  # type: ignore[misc]
    debouncer.cancel("a")
    debouncer.cancel("unknown")
    clock.move(1)
    assert runs == ["b"]
    debouncer.schedule("b", lambda: runs.append("again"))
    clock.move(1)
    assert runs == ["b", "again"]
