"""Tests of the names in warnings and errors of a call."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

import pytest

from adapter_host.cli.output.logging import _JsonLines, _Text
from adapter_host.operation.call_record import CURRENT_RECORD, CallRecord
from adapter_host.operation.callers import CallSite

SITE = CallSite("Shop", "shop", "rest")


@dataclass(frozen=True)
class Line:
    formatter: logging.Formatter

    def of(self, message: str) -> str:
        return self.formatter.format(logging.LogRecord("adapter_host", logging.WARNING, "", 0, message, None, None))


@pytest.fixture
def record() -> Any:
    token = CURRENT_RECORD.set(CallRecord(SITE, operation="list-things"))
    yield
    CURRENT_RECORD.reset(token)


def test_text(record: None) -> None:
    line = Line(_Text("%(levelname)s %(name)s: %(message)s"))
    with SITE.call(request_id="ab12"):
        text = line.of("failed\nreally")
    assert text == r"WARNING adapter_host: failed\nreally (request_id=ab12 exposer=shop operation=list-things)"
    assert line.of("failed") == "WARNING adapter_host: failed"


def test_json(record: None) -> None:
    line = Line(_JsonLines(None))
    with SITE.call(request_id="ab12"):
        members = json.loads(line.of("failed"))
    assert (members["request_id"], members["exposer"], members["operation"]) == ("ab12", "shop", "list-things")
    assert "request_id" not in json.loads(line.of("failed"))


def test_scope_of_many_calls_has_no_request_id() -> None:
    with SITE.calls("stdio"):
        assert Line(_Text("%(message)s")).of("failed") == "failed"
