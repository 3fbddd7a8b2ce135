"""The audit log for other plugins of the host: its newest records, and events."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapter_host import AuditService, CallSite, InternalError, Principal, UnavailableError
from adapter_host.testing import Running
from adapter_host_audit.service import MAX_NEWEST, MAX_READ

from .test_records import Log, log, serving

__all__ = ["log"]


def service_of(served: Running) -> AuditService:
    (service,) = served.host.services.find(AuditService)
    return service


async def test_newest_records(log: Log) -> None:
    log.path.write_text('{"operation": "before the start"}\n')
    async with serving(log) as served:
        audit = service_of(served)
        for number in (1, 2):
            await served.host.call("rest.get", {"id": number})
        trail = audit.newest()
        assert (list(trail.records), trail.is_complete) == (log.records, True)
        assert audit.newest().records is trail.records
        await served.host.call("rest.get", {"id": 3})
        assert len(audit.newest().records) == 4
        log.path.rename(log.path.with_suffix(".1"))
        assert audit.newest().records == ()
        await served.host.call("rest.get", {"id": 4})
        assert len(audit.newest().records) == 1


@pytest.mark.parametrize(("size", "count"), [(10, MAX_NEWEST + 1), (MAX_READ // 4, 5)])
async def test_older_records_are_left_out(log: Log, size: int, count: int) -> None:
    lines = [f'{{"operation": "{number}", "reason": "{"x" * size}"}}\n' for number in range(count)]
    log.path.write_text("".join(lines))
    async with serving(log) as served:
        trail = service_of(served).newest()
    assert not trail.is_complete
    assert [int(each["operation"]) for each in trail.records] == list(range(count))[-len(trail.records) :]
    assert len(trail.records) == min(MAX_NEWEST, (MAX_READ - 1) // len(lines[-1]))


async def test_lines_that_are_cut_off_are_no_records(log: Log) -> None:
    log.path.write_bytes(b'{"operation": "a"}\n{"opera\n\n[]\n\xff\n{"operation": "b"}\n{"operation": "c"')
    async with serving(log) as served:
        trail = service_of(served).newest()
    assert [each["operation"] for each in trail.records] == ["a", "b"]


async def test_a_file_that_cannot_be_read(log: Log) -> None:
    async with serving(log) as served:
        audit = service_of(served)
        log.path.unlink()
        os.mkfifo(log.path)
        with pytest.raises(UnavailableError, match="not a regular file"):
            audit.newest()
        log.path.unlink()
        target = log.path.with_suffix(".other")
        target.write_text("{}\n")
        log.path.symlink_to(target)
        with pytest.raises(UnavailableError, match="cannot be read"):
            audit.newest()
        log.path.unlink()


async def test_events(log: Log) -> None:
    async with serving(log) as served:
        with CallSite().call("console", principal=Principal(client="an operator"), request_id="r1"):
            service_of(served).record("edit", {"capability": "Shop", "file": "shop.yaml"})
    record = log.only
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "request_id": "r1",
        "capability": "Shop",
        "exposer": None,
        "exposer_type": None,
        "transport": "console",
        "principal": {"client": "an operator"},
        "authentication": None,
        "client_address": None,
        "event": "edit",
        "file": "shop.yaml",
    }


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
async def test_events_of_a_full_disk() -> None:
    async with serving(Log(Path("/dev/full"))) as served:
        audit = service_of(served)
        with pytest.raises(InternalError, match="the edit was made, but it cannot be recorded"):
            audit.record("edit", {})
        with pytest.raises(UnavailableError):
            audit.check()
    async with serving(Log(Path("/dev/full")), whenUnavailable="continue") as served:
        audit = service_of(served)
        audit.record("edit", {})
        audit.check()
