"""Decoding of request bodies: bounds, pieces and errors."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.server.request_body import (
    BodyTooLargeError,
    UnreadableBodyError,
    UnsupportedCodingError,
    _decode,
)

PIECE = 64 * 1024
NOISE = random.Random(1).randbytes(5 * PIECE + 7)
"""Bytes that do not compress, so that they are several pieces of input too."""


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


async def decoded(body: bytes, coding: str = "gzip", limit: int = 10**9) -> bytes:
    return await _decode(body, coding, limit)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, len(NOISE)])
async def test_decoded_bytes(size: int) -> None:
    data = NOISE[:size]
    assert await decoded(gzip.compress(data)) == data
    assert await decoded(gzip.compress(bytes(size))) == bytes(size)
    assert await decoded(zlib.compress(data), "deflate") == data
    assert await decoded(raw_deflate(data), "deflate") == data
    assert await decoded(gzip.compress(data) + gzip.compress(NOISE)) == data + NOISE


@pytest.mark.parametrize("size", [1, PIECE, len(NOISE)])
async def test_limit(size: int) -> None:
    for body, coding in ((gzip.compress(NOISE[:size]), "gzip"), (raw_deflate(NOISE[:size]), "deflate")):
        assert len(await decoded(body, coding, limit=size)) == size
        with pytest.raises(BodyTooLargeError):
            await decoded(body, coding, limit=size - 1)


async def test_members() -> None:
    member = gzip.compress(b"a" * 100)
    assert await decoded(member * 1000) == b"a" * 100_000
    with pytest.raises(UnreadableBodyError):
        await decoded(gzip.compress(b"") * 10_000)
    with pytest.raises(UnreadableBodyError):
        await decoded(zlib.compress(b"a") * 2, "deflate")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_incomplete_body(coding: str) -> None:
    for data in (NOISE, bytes(4 * PIECE)):
        body = gzip.compress(data) if coding == "gzip" else zlib.compress(data)
        for end in (1, 5, 100, len(body) // 2, len(body) - 1):
            with pytest.raises(UnreadableBodyError):
                await decoded(body[:end], coding)


def test_errors(snapshot: SnapshotAssertion) -> None:
    errors = (UnreadableBodyError(), BodyTooLargeError(5), UnsupportedCodingError("gzip"))
    assert [(error.status, error.title, error.parameter, error.message) for error in errors] == snapshot
