"""Challenges of APIs with digest authentication, and the responses to them."""

from __future__ import annotations

import hashlib

import pytest

from adapter_host.auth.upstream.digest import Account, Challenge, choose_challenge, parse_challenges

RFC = 'realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'  # noqa: E501


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    challenge = choose_challenge([f"Digest {RFC}, algorithm={algorithm}"])
    assert challenge is not None
    account = Account("Mufasa", "Circle of Life")
    header = challenge.header(account, "GET", "/dir/index.html", 1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert f'response="{response}"' in header
    assert "nc=00000001" in header


def test_hashed_user_name() -> None:
    challenge = Challenge("r", "n", "SHA-256", "auth", userhash=True)
    header = challenge.header(Account("me", "p"), "GET", "/", 1, "c")
    assert f'username="{hashlib.sha256(b"me:r").hexdigest()}"' in header
    assert "userhash=true" in header


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        ([f"Digest {RFC}", f"Digest {RFC}, algorithm=SHA-256"], "SHA-256"),
        ([f"Digest {RFC}, algorithm=SHA-512-256, Digest {RFC}, algorithm=md5"], "md5"),
        ([f'Basic realm="Digest, nonce=\\"x\\"", digest {RFC}'], "MD5"),
        (["Negotiate a87421000492aa874209af8bc028==", f"Digest {RFC}"], "MD5"),
        (['Digest realm="r", nonce=""'], None),
        (['Digest nonce="n"'], None),
        (['Digest realm="r", nonce="n", qop="auth-int"'], None),
        (['Digest realm="r", nonce="n", algorithm=SHA'], None),
        (['Digest realm="r\x01", nonce="n"'], None),
        (['Digest realm="r', "", ",,", "Basic", '=, "'], None),
        ([], None),
    ],
)
def test_choose_challenge(headers: list[str], chosen: str | None) -> None:
    challenge = choose_challenge(headers)
    assert (challenge and challenge.algorithm) == chosen


def test_parse_challenges() -> None:
    text = 'A, B c=d , e = "f\\\\g, h=i" C x=1'
    assert list(parse_challenges(text)) == [("a", {}), ("b", {"c": "d", "e": "f\\g, h=i"}), ("c", {"x": "1"})]
