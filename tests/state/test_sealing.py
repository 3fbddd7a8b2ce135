"""Tests of the keys of the state store: sealed values, signatures, and errors of invalid keys."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host import BuildContext, Host, Operation, Plugins, ProblemsError, Settings, hookimpl
from adapter_host.state.sealing import SealingKeys
from adapter_host.testing import FakePlugin

KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(3)]


def sealer(*keys: str, purpose: str = "tokens") -> Any:
    return SealingKeys.parse(",".join(keys)).sealer(purpose)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_sealed_value_is_opened(value: bytes, place: str) -> None:
    sealed = sealer(KEYS[0]).seal(value, place)
    assert sealer(KEYS[0]).unseal(sealed, place) == value
    assert len(value) < 4 or value not in sealed


@given(st.integers(0, 32), st.integers(1, 255))
def test_changed_value_is_not_opened(position: int, change: int) -> None:
    sealed = bytearray(sealer(KEYS[0]).seal(b"hello", "place"))
    sealed[position] ^= change
    assert sealer(KEYS[0]).unseal(bytes(sealed), "place") is None


@pytest.mark.parametrize("value", [b"", b"x", b"x" * 12, b"x" * 100])
def test_other_value_is_not_opened(value: bytes) -> None:
    assert sealer(KEYS[0]).unseal(value, "place") is None


def test_value_is_bound_to_key_purpose_and_place() -> None:
    sealed = sealer(KEYS[0]).seal(b"hello", "place")
    assert sealer(KEYS[1]).unseal(sealed, "place") is None
    assert sealer(KEYS[0], purpose="nonces").unseal(sealed, "place") is None
    assert sealer(KEYS[0]).unseal(sealed, "other") is None


def test_first_key_seals_and_all_open() -> None:
    sealed, signature = sealer(KEYS[0]).seal(b"hello", "place"), sealer(KEYS[0]).sign(b"hello")
    rotated = sealer(KEYS[1], KEYS[0])
    assert rotated.unseal(sealed, "place") == b"hello"
    assert rotated.verify(b"hello", signature)
    assert rotated.sign(b"hello") == sealer(KEYS[1]).sign(b"hello") != signature
    assert sealer(KEYS[1]).unseal(rotated.seal(b"hello", "place"), "place") == b"hello"


def test_signatures() -> None:
    signature = sealer(KEYS[0]).sign(b"hello")
    assert sealer(KEYS[0]).verify(b"hello", signature)
    assert not sealer(KEYS[0]).verify(b"hellO", signature)
    assert not sealer(KEYS[0]).verify(b"hello", signature[:-1])
    assert not sealer(KEYS[0], purpose="nonces").verify(b"hello", signature)


def test_url_safe_key() -> None:
    key = base64.b64encode(b"\xfb\xff" * 16).decode()
    sealed = sealer(key).seal(b"hello", "")
    assert sealer(base64.urlsafe_b64encode(b"\xfb\xff" * 16).decode()).unseal(sealed, "") == b"hello"


class Plugin:
    """Keeps the sealer of its last build."""

    def __init__(self) -> None:
        self.sealer: Any = None

    @hookimpl
    def operation_wrapper(self, operation: Operation, context: BuildContext) -> None:
        self.sealer = context.sealer("plugin")


DOCUMENT = {
    "naftiko": "1.0.0-alpha2",
    "capability": {
        "consumes": [{"type": "fake", "namespace": "things", "operations": [{"name": "read"}]}],
        "exposes": [{"type": "fake", "namespace": "front", "operations": [{"name": "read", "call": "things.read"}]}],
    },
}


def build(environment: dict[str, str]) -> Any:
    plugin = Plugin()
    Host(
        DOCUMENT,
        plugins=Plugins({"fake": FakePlugin(), "sealing": plugin}),
        settings=Settings(environment=environment),
    )
    return plugin.sealer


def test_sealer_of_a_plugin() -> None:
    assert build({}) is build({"ADAPTER_HOST_STATE_KEY": ""}) is None
    sealed = build({"ADAPTER_HOST_STATE_KEY": KEYS[0]}).seal(b"hello", "place")
    assert sealer(KEYS[0], purpose="plugin").unseal(sealed, "place") == b"hello"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("secret!", "it is not base64; use at least 32 random bytes as base64"),
        ("c2VjcmV0=c2VjcmV0", "it is not base64"),
        ("c2VjcmV0c", "it is not base64"),
        ("c2VjcmV0", "it has a key of 6 bytes; use at least 32"),
        (f"{KEYS[0]},", "it is not base64"),
    ],
)
def test_invalid_key(text: str, message: str) -> None:
    with pytest.raises(
        ProblemsError, match=f"^the key of the state store in ADAPTER_HOST_STATE_KEY is invalid: {message}"
    ):
        build({"ADAPTER_HOST_STATE_KEY": text})
