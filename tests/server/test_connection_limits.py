"""The limits and time limits of connections, and their log lines, without connections."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator

import pytest
from aiohttp import http_exceptions, web
from syrupy.assertion import SnapshotAssertion

from adapter_host import Settings
from adapter_host.server.connection import log
from adapter_host.server.connection.limits import AddressCounter, address_reader, descriptor_limits
from adapter_host.server.connection.log import ConnectionLog
from adapter_host.server.connection.progress import Progress, check_interval, is_send_stalled
from adapter_host.server.connection.protocol_errors import malformation
from adapter_host.server.connection.rate_limited_log import INTERVAL, RateLimitedLog


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Restore the limit of descriptors."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize(
    ("limit", "ceiling", "backlog"), [(400, 300, 50), (1024, 768, 128), (4096, 3072, 512), (4100, 3076, 512)]
)
def test_descriptor_limits(limit: int, ceiling: int, backlog: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < limit:
        pytest.skip(f"the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    found = descriptor_limits()
    assert (found.ceiling, found.backlog) == (ceiling, backlog)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::5", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("10.1.2.3", None),
        ("::ffff:10.1.2.3", None),
        ("2001:db8:5::1", None),
        ("10.1.2.256", "10.1.2.256"),
        ("", ""),
        ("/run/socket", "/run/socket"),
    ],
)
def test_counted_addresses(address: str, counted: str | None) -> None:
    assert address_reader(("10.1.0.1/16", "2001:db8:5::/48"))(address) == counted


def test_address_counter() -> None:
    counter = AddressCounter(2)
    assert not counter.is_full("a")
    counter.add("a")
    assert not counter.is_full("a")
    counter.add("a")
    counter.add("b")
    assert (counter.is_full("a"), counter.is_full("b")) == (True, False)
    counter.remove("a")
    assert not counter.is_full("a")
    counter.remove("a")
    counter.remove("b")
    assert not counter._counts
    unlimited = AddressCounter(0)
    unlimited.add("a")
    assert not unlimited.is_full("a")


@pytest.mark.parametrize(
    ("timeouts", "interval"),
    [((8, 8, 8, 8), 1.0), ((2, 8, 8, 8), 0.5), ((8, 2, 8, 8), 0.5), ((8, 8, 2, 8), 0.5), ((8, 8, 8, 2), 0.5),
     ((0, 2, 0, 0), 0.5), ((0, 0, 0, 0), 0.25), ((0.01, 8, 8, 8), 0.02), ((4.4, 8, 8, 8), 1.0),
     ((0.1, 8, 8, 8), 0.025)],
)  # fmt: skip
def test_check_interval(timeouts: tuple[float, float, float, float], interval: float) -> None:
    header, body, send, keep_alive = timeouts
    settings = Settings(header_timeout=header, body_timeout=body, send_timeout=send, keep_alive_timeout=keep_alive)
    assert check_interval(settings) == interval


def test_progress() -> None:
    progress = Progress()

    def stalled(now: float, count: int, required: float = 10) -> bool:
        return progress.is_stalled(now, count, timeout=5.0, required=required)

    assert not stalled(100.0, 0)
    assert not stalled(104.9, 0)
    assert not stalled(105.0, 10)
    assert not stalled(109.9, 10)
    assert stalled(110.0, 19)
    progress.pause()
    assert not stalled(200.0, 19)
    assert not stalled(204.0, 5), "a lower count starts another transfer"
    assert not stalled(208.9, 5)
    assert stalled(209.0, 14, required=1), "the amount is that of the beginning of the window"
    assert not Progress().is_stalled(0.0, 0, timeout=5.0, required=1)


def test_progress_from_the_start_of_the_clock() -> None:
    progress = Progress()
    assert not progress.is_stalled(0.0, 0, timeout=5.0, required=1)
    assert progress.is_stalled(5.0, 0, timeout=5.0, required=1)


def test_progress_without_a_timeout() -> None:
    progress = Progress()
    for now in (0.0, 1e6, 2e6):
        assert not progress.is_stalled(now, 0, timeout=0, required=1)


@pytest.mark.parametrize(
    ("pending", "sent", "stalled"),
    [(1000, 49, True), (1000, 50, False), (20, 19, True), (20, 20, False), (1, 0, True), (1, 1, False)],
)
def test_slow_reader(pending: int, sent: int, stalled: bool) -> None:
    settings = Settings(send_timeout=5.0, minimum_rate=10)
    progress = Progress()
    assert not is_send_stalled(progress, 100.0, 5000, pending, settings)
    assert not is_send_stalled(progress, 104.9, 5000, pending, settings)
    assert is_send_stalled(progress, 105.0, 5000, pending - sent, settings) is stalled


def test_log_lines_of_connections(caplog: pytest.LogCaptureFixture, snapshot: SnapshotAssertion) -> None:
    caplog.set_level(logging.INFO)
    lines = ConnectionLog("127.0.0.1:80")
    kinds = [kind for kind in vars(log).values() if isinstance(kind, log.Kind)]
    assert len(kinds) == 10
    for kind in kinds:
        for last in (1, 2, 3):
            lines.report(kind, f"192.0.2.{last}")
    assert len(caplog.records) == len(kinds), "the first of each kind"
    lines.flush()
    assert len(caplog.records) == len(kinds)
    lines.flush(force=True)
    lines.flush(force=True)
    assert [f"{record.levelname}: {record.getMessage()}" for record in caplog.records] == snapshot


def test_rate_limited_log(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    limited = RateLimitedLog(logging.getLogger("adapter_host"), lambda: now)
    limited.warning("one %s", "a")
    now = INTERVAL - 0.1
    limited.warning("two")
    limited.warning("three")
    now = INTERVAL
    limited.warning("four %s", "b")
    now = 2 * INTERVAL
    limited.warning("five")
    assert caplog.messages == ["one a", "four b (and 2 more before)", "five"]


@pytest.mark.parametrize(
    "error",
    [
        http_exceptions.LineTooLong(b"s3cr3t", 5),
        http_exceptions.InvalidHeader("s3cr3t"),
        http_exceptions.TransferEncodingError("s3cr3t"),
        http_exceptions.ContentLengthError("s3cr3t"),
        http_exceptions.PayloadEncodingError("s3cr3t"),
        web.RequestPayloadError("s3cr3t"),
        http_exceptions.InvalidURLError("s3cr3t"),
        http_exceptions.BadHttpMethod("s3cr3t"),
        http_exceptions.BadStatusLine("s3cr3t"),
        http_exceptions.BadHttpMessage("s3cr3t"),
        http_exceptions.BadHttpMessage("Duplicate 'Host' header found: s3cr3t"),
        http_exceptions.BadHttpMessage("Missing 'Host' header in request: s3cr3t"),
        http_exceptions.BadHttpMessage("Too many headers received: s3cr3t"),
        http_exceptions.BadHttpMessage("Invalid character in chunk size:\n\n  b's3cr3t'\n    ^"),
        http_exceptions.BadHttpMessage("Bad status line:\n Invalid HTTP version:\n\n  b's3cr3t'"),
        http_exceptions.BadHttpMessage("s3cr3t:\n\n  b's3cr3t'"),
        ValueError("s3cr3t"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_malformation(error: Exception, snapshot: SnapshotAssertion) -> None:
    assert "s3cr3t" not in malformation(error)
    assert malformation(error) == snapshot
