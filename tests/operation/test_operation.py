"""Results, the call limiter and errors of operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import adapter_host
from adapter_host import (
    ApprovalRequiredError,
    ArgumentError,
    BodyTooLargeError,
    OperationError,
    Operations,
    OperationSpec,
    Problem,
    Result,
    UnsupportedCodingError,
    UpstreamInvalidError,
    UpstreamStatusError,
)
from adapter_host.errors import UnavailableError
from adapter_host.operation.limiter import CallLimiter
from adapter_host.operation.operation import Operation


def test_result_of_data() -> None:
    result = Result(data={"a": [1, "é"]})
    assert result.body == '{"a":[1,"é"]}'.encode()
    assert result.body is result.body
    assert (result.status, result.media_type, result.headers, result.stream) == (200, "application/json", {}, None)
    assert Result(data=None).body == b"null"


def test_result_of_bytes() -> None:
    result = Result(body=b'{"a": 1}', status=201, media_type="application/hal+json", headers={"ETag": "x"})
    assert result.data == {"a": 1}
    assert result.data is result.data
    assert result.body == b'{"a": 1}'
    assert Result(body=b"").data is None
    assert Result(body=b"a,b", decode=lambda body: body.split(b",")).data == [b"a", b"b"]


def test_deeply_nested_data_with_a_long_integer() -> None:
    body = b"[" * 1000 + b"1" * 20 + b"]" * 1000
    data = Result(body=body).data
    while isinstance(data, list):
        (data,) = data
    assert data in (11111111111111111111, float(b"1" * 20))


def test_result_in_an_unexpected_format() -> None:
    result = Result(body=b"<html>secret</html>")
    for _ in range(2):
        with pytest.raises(UpstreamInvalidError, match="not in the declared format") as caught:
            _ = result.data
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None


class Chunks(AsyncIterator[bytes]):
    """A stream without `aclose`."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


async def test_hold_reads_a_stream() -> None:
    result = Result(data=1)
    assert await result.hold(0) is result
    result = await Result(stream=Chunks(b"[1,", b"2]")).hold(5)
    assert (result.body, result.data, result.stream) == (b"[1,2]", [1, 2], None)
    assert (await Result(stream=Chunks()).hold(5)).data is None
    with pytest.raises(UpstreamInvalidError, match="larger than 4 bytes"):
        await Result(stream=Chunks(b"[1,", b"2]")).hold(4)


async def test_call_limiter() -> None:
    limiter = CallLimiter(2)
    limiter.enter()
    limiter.enter()
    with pytest.raises(UnavailableError, match="concurrency limit reached"):
        limiter.enter()
    limiter.leave()
    limiter.close()
    idle = asyncio.create_task(limiter.idle())
    with pytest.raises(UnavailableError, match="shutting down"):
        limiter.enter()
    await asyncio.sleep(0)
    assert not idle.done()
    limiter.leave()
    await idle
    limiter.open()
    limiter.enter()
    assert limiter.calls == 1
    limiter.leave()
    limiter.close()
    await limiter.idle()


def test_operations_are_found_by_spec_identity() -> None:
    async def call(_: object) -> Result:
        return Result()

    one, two = OperationSpec(name="same"), OperationSpec(name="same")
    assert one == two
    first = Operation("same", None, (), call, one)
    operations = Operations([first])
    assert operations[one] is first
    assert one in operations
    assert two not in operations
    with pytest.raises(KeyError):
        operations[two]
    assert (list(operations), len(operations), list(operations.values())) == ([one], 1, [first])


ERRORS = [
    error
    for error in (getattr(adapter_host, name) for name in adapter_host.__all__)
    if isinstance(error, type) and issubclass(error, OperationError)
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_has_a_status_and_a_title(error: type[OperationError]) -> None:
    assert 400 <= error.status <= 599
    assert error.title
    arguments: dict[type[OperationError], tuple[Any, ...]] = {
        ApprovalRequiredError: ("a person must approve it",),
        ArgumentError: ("x", "bad"),
        BodyTooLargeError: (10,),
        UnsupportedCodingError: ("gzip",),
        UpstreamStatusError: (404,),
    }
    raised = error(*arguments.get(error, ()))
    assert raised.message == str(raised) != ""


def test_docstring_lists_the_error_classes() -> None:
    drawn = adapter_host.errors.__doc__ or ""
    for error in ERRORS:
        line = next(line for line in drawn.splitlines() if f" {error.__name__} " in f"{line} ")
        if error not in (OperationError, UpstreamStatusError):
            assert str(error.status) in line


def test_problem_text_has_its_position() -> None:
    assert str(Problem("bad", "a.yaml", 3, 5)) == "a.yaml:3:5: bad"
    assert str(Problem("bad", "a.yaml")) == "a.yaml: bad"
    assert str(Problem("bad")) == "bad"
    assert str(Problem("odd", "a.yaml", 3, 5, warning=True)) == "a.yaml:3:5: warning: odd"
