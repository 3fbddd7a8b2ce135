"""Bearer tokens: accepted and rejected ones."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from syrupy.assertion import SnapshotAssertion

from adapter_host.auth.oauth2.claims import LEEWAY, ExpectedClaims, InvalidTokenError
from adapter_host.auth.oauth2.key_set import ALGORITHMS
from adapter_host.operation.callers import Principal
from tests.support.authorization_server import AUDIENCE, Issuer, Now, issuing, private_key, public_jwk, unsigned
from tests.support.oauth2_host import WHERE, invalid, post, serving


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


# Accepted tokens


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("RSA", "RS256"),
        ("RSA", "RS512"),
        ("RSA", "PS256"),
        ("P-256", "ES256"),
        ("P-384", "ES384"),
        ("P-521", "ES512"),
        ("OKP", "EdDSA"),
    ],
)
@pytest.mark.shows("AuthOAuth2", "type", "authorizationServerUri")
async def test_valid_signatures(issuer: Issuer, kind: str, algorithm: str) -> None:
    issuer.keys = [public_jwk(private_key(kind), algorithm, kid="one", use="sig", alg=algorithm)]
    async with serving(issuer) as url:
        assert (await post(url, issuer.token(kind=kind, algorithm=algorithm)))[0] == 200
        assert (await post(url, issuer.token(kind=kind, algorithm=algorithm, name="other")))[0] == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["https://other.example", AUDIENCE]},
        {"nbf": Now(-5)},
        {"nbf": Now(LEEWAY - 10)},
        {"exp": Now(10 - LEEWAY)},
        {"exp": Now(60.5)},
        {"iat": None},
        {"sub": None},
        {"scope": "read"},
        {"scope": None, "scp": "write read"},
        {"scope": None, "scp": ["read"]},
        {"scope": "write", "scp": ["read"]},
    ],
    ids=str,
)
async def test_valid_claims(issuer: Issuer, claims: dict[str, Any]) -> None:
    async with serving(issuer) as url:
        assert (await post(url, issuer.token(**claims)))[0] == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": Now(-LEEWAY - 5)},
        {"exp": "9999999999"},
        {"exp": True},
        {"nbf": Now(LEEWAY + 60)},
        {"nbf": "soon"},
        {"iat": Now(LEEWAY + 60)},
        {"iss": None},
        {"iss": "https://other.example"},
        {"aud": None},
        {"aud": ""},
        {"aud": []},
        {"aud": "https://api.example"},
        {"aud": f"{AUDIENCE}/"},
        {"aud": f"{AUDIENCE} more"},
        {"aud": {AUDIENCE: 1}},
    ],
    ids=str,
)
async def test_invalid_claims(issuer: Issuer, claims: dict[str, Any], snapshot: SnapshotAssertion) -> None:
    async with serving(issuer) as url:
        status, challenge, _ = await post(url, issuer.token(**claims))
    assert status == 401
    assert challenge == snapshot


async def test_issuer_with_a_trailing_slash(issuer: Issuer) -> None:
    issuer.metadata["issuer"] += "/"
    async with serving(issuer) as url:
        assert (await post(url, issuer.token(iss=f"{issuer.url}/")))[0] == 200
        assert (await post(url, issuer.token()))[1] == invalid("the token is from another issuer")


async def test_subject_must_be_a_string() -> None:
    claims = {"aud": "us", "sub": 7}
    with pytest.raises(InvalidTokenError, match="malformed sub"):
        ExpectedClaims("us", ()).principal(claims, "issuer", "t0ken", 0.0)


def identity(token: str = "t0ken", issuer: str = "https://login.example", **claims: Any) -> str:
    principal = ExpectedClaims("us", ()).principal({"aud": "us", **claims}, issuer, token, 0.0)
    assert token not in principal.identity
    return principal.identity


@pytest.mark.parametrize(
    "claims", [{"sub": "ann"}, {"sub": "ann", "client_id": "app"}, {"sub": "ann", "azp": "app"}, {"client_id": "app"}]
)
def test_identity_is_that_of_the_principal_not_of_its_token(claims: dict[str, Any]) -> None:
    own = identity(**claims)
    assert own == identity("another token", scope="read write", exp=99, **claims)
    others = [{"issuer": "https://other.example"}, {"sub": "bob"}, {"client_id": "other"}]
    assert own not in [identity(**{**claims, **other}) for other in others]
    assert own not in (identity(), Principal("ann").identity)


def test_tokens_that_name_nobody_are_of_different_principals() -> None:
    assert identity("one") == identity("one") != identity("two")
    assert identity("one", sub="", client_id="", azp=7) == identity("one", sub="", client_id=None)


@pytest.mark.shows("AuthOAuth2", "resource", "audience")
async def test_declared_audience(issuer: Issuer) -> None:
    async with serving(issuer, audience="api://orders") as url:
        assert (await post(url, issuer.token(aud="api://orders")))[0] == 200
        assert (await post(url, issuer.token()))[0] == 401


@pytest.mark.parametrize(
    "claims", [{"scope": "write"}, {"scope": None}, {"scope": "reader"}, {"scope": "READ"}, {"scp": 7, "scope": {}}]
)
async def test_missing_scope(issuer: Issuer, claims: dict[str, Any]) -> None:
    async with serving(issuer) as url:
        status, challenge, _ = await post(url, issuer.token(**claims))
    description = "the token lacks a required scope"
    expected = f'Bearer error="insufficient_scope", error_description="{description}", scope="read", {WHERE}'
    assert (status, challenge) == (403, expected)


@pytest.mark.shows("AuthOAuth2", "scopes")
async def test_all_scopes_are_required(issuer: Issuer) -> None:
    async with serving(issuer, scopes=["read", "write"]) as url:
        assert (await post(url, issuer.token(scope="write read more")))[0] == 200
        assert (await post(url, issuer.token(scope="read")))[0] == 403
    async with serving(issuer, scopes=[]) as url:
        assert (await post(url, issuer.token(scope=None)))[0] == 200


# Rejected tokens


def hs256(key: bytes, claims: dict[str, Any]) -> str:
    """Return a token signed with an HMAC of a public key, which libraries refuse to create."""
    signed = unsigned(claims, alg="HS256", typ="JWT", kid="one").rstrip(".")
    signature = hmac.digest(key, signed.encode(), hashlib.sha256)
    return f"{signed}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_insecure_algorithms_are_rejected(issuer: Issuer) -> None:
    public = private_key("P-256").public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    issuer.keys.append({"kty": "oct", "kid": "secret", "k": urlsafe_b64encode(b"k" * 32).decode(), "alg": "HS256"})
    tokens = [
        *(unsigned(issuer.claims(), alg=name, kid="one") for name in ("none", "None", "NONE", "", None, ["ES256"])),
        unsigned(issuer.claims(), kid="one"),
        hs256(pem, issuer.claims()),
        hs256(b"", issuer.claims()),
        jwt.encode(issuer.claims(), b"k" * 32, "HS256", headers={"kid": "secret"}),
    ]
    async with serving(issuer) as url:
        for token in tokens:
            status, challenge, _ = await post(url, token)
            assert status == 401
            assert challenge == invalid("the signing algorithm of the token is not accepted")
        assert issuer.asked.total() == 0, "no request is needed"


def test_accepted_algorithms_are_asymmetric() -> None:
    assert {name[:2] for name in ALGORITHMS} == {"RS", "PS", "ES", "Ed"}


async def test_key_is_used_only_for_its_algorithm(issuer: Issuer) -> None:
    rsa = private_key("RSA")
    issuer.keys = [
        public_jwk(rsa, "RS256", kid="one", alg="RS256"),
        public_jwk(rsa, "RS256", kid="encrypts", use="enc"),
        public_jwk(private_key("weak"), "RS256", kid="weak"),
    ]
    async with serving(issuer) as url:
        assert (await post(url, issuer.token(kind="RSA", algorithm="RS256")))[0] == 200
        unknown = invalid("the token is signed with an unknown key")
        for kid, kind, algorithm in (("one", "RSA", "PS256"), ("encrypts", "RSA", "RS256")):
            assert (await post(url, issuer.token(kind=kind, algorithm=algorithm, kid=kid)))[1] == unknown
        with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
            weak = issuer.token(kind="weak", algorithm="RS256", kid="weak")
        assert (await post(url, weak))[1] == unknown


async def test_token_without_a_key_id(issuer: Issuer) -> None:
    issuer.keys.append(public_jwk(private_key("P-256", "second"), "ES256"))
    async with serving(issuer) as url:
        for name, status in (("", 200), ("second", 200), ("third", 401)):
            assert (await post(url, issuer.token(kid=None, name=name)))[0] == status


async def test_wrong_signature_is_rejected(issuer: Issuer) -> None:
    head, body, signature = issuer.token().split(".")
    other = issuer.token(sub="eve").split(".")[1]
    async with serving(issuer) as url:
        for token in (f"{head}.{other}.{signature}", f"{head}.{body}."):
            assert (await post(url, token))[1] == invalid("the signature of the token is invalid")


@pytest.mark.parametrize("token", ["xyz", "a.b.c", "...", "e30.e30.", "\u00e9.e30.", "W10.e30.e30", "x" * 6000])
async def test_malformed_tokens_are_rejected(issuer: Issuer, token: str) -> None:
    async with serving(issuer) as url:
        status, challenge, _ = await post(url, token)
        assert status == 401
        assert 'error="invalid_token"' in challenge
        assert issuer.asked.total() == 0


@pytest.mark.parametrize("payload", [b"[]", b"no", b'"text"', b"\xff", b'{"exp": NaN}'])
async def test_signed_payload_must_be_an_object(issuer: Issuer, payload: bytes) -> None:
    token = jwt.PyJWS().encode(payload, private_key("P-256"), "ES256", headers={"kid": "one"})
    async with serving(issuer) as url:
        assert (await post(url, token))[1] == invalid("the token is malformed")


async def test_unknown_critical_header_is_rejected(issuer: Issuer) -> None:
    headers = {"kid": "one", "crit": ["exp"], "exp": 1}
    token = jwt.encode(issuer.claims(), private_key("P-256"), "ES256", headers=headers)
    async with serving(issuer) as url:
        assert (await post(url, token))[0] == 401


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "token"])
async def test_missing_token(issuer: Issuer, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with serving(issuer) as url, aiohttp.ClientSession() as session:
        async with session.post(url, headers=headers) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == f'Bearer scope="read", {WHERE}'
        assert (await post(f"{url}?access_token={issuer.token()}"))[0] == 401
    assert issuer.asked.total() == 0
