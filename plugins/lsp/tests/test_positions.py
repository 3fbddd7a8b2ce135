"""Positions of the protocol count code units, and only its own kinds of line ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from adapter_host_lsp.positions import TextPositions

UNITS = list(types.PositionEncodingKind)
TEXT = "a😀é\u2028b\r\ncd\re\n"


@pytest.mark.parametrize(
    ("units", "columns"),
    [
        (types.PositionEncodingKind.Utf8, [0, 1, 5, 7, 10, 11]),
        (types.PositionEncodingKind.Utf16, [0, 1, 3, 4, 5, 6]),
        (types.PositionEncodingKind.Utf32, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_columns(units: types.PositionEncodingKind, columns: list[int]) -> None:
    positions = TextPositions(TEXT, units)
    assert [positions.position(offset) for offset in range(6)] == [types.Position(0, column) for column in columns]
    assert positions.position(7) == types.Position(1, 0)
    assert positions.position(10) == types.Position(2, 0)
    assert positions.position(len(TEXT)) == types.Position(3, 0)


def test_positions_behind_the_end_are_the_end() -> None:
    positions = TextPositions("ab\ncd")
    assert positions.offset(types.Position(0, 99)) == 2
    assert positions.offset(types.Position(9, 0)) == 5


@given(st.text("ab😀é\u2028\r\n", max_size=20), st.sampled_from(UNITS))
def test_every_character_is_found_again(text: str, units: types.PositionEncodingKind) -> None:
    positions = TextPositions(text, units)
    for offset in range(len(text) + 1):
        if text[offset - 1 : offset + 1] != "\r\n":
            assert positions.offset(positions.position(offset)) == offset
