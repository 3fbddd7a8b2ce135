"""Credentials: sent with every request, and callers cannot replace them."""

from __future__ import annotations

import logging
from base64 import b64encode
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

BEARER = {"type": "bearer", "token": "{{TOKEN}}"}
HEADER_KEY = {"type": "apikey", "key": "X-Key", "value": "{{TOKEN}}"}
QUERY_KEY = {"type": "apikey", "key": "access_token", "value": "{{env.TOKEN}}", "placement": "query"}
BASIC = {"type": "basic", "username": "me", "password": "{{TOKEN}}"}
SECRETS = {"TOKEN": "s3/c&t"}


@pytest.mark.parametrize(
    ("authentication", "header", "query"),
    [
        (None, {}, ""),
        (BEARER, {"Authorization": "Bearer s3/c&t"}, ""),
        (HEADER_KEY, {"X-Key": "s3/c&t"}, ""),
        (QUERY_KEY, {}, "?access_token=s3%2Fc%26t"),
        (BASIC, {"Authorization": f"Basic {b64encode(b'me:s3/c&t').decode()}"}, ""),
        ({**BASIC, "username": ""}, {"Authorization": f"Basic {b64encode(b':s3/c&t').decode()}"}, ""),
        ({**BASIC, "username": "me", "password": ""}, {"Authorization": f"Basic {b64encode(b'me:').decode()}"}, ""),
        ({"type": "apiKey", "in": "header", "name": "X-Key", "value": "{{TOKEN}}"}, {"X-Key": "s3/c&t"}, ""),
        ({"type": "apikey", "in": "query", "name": "key", "value": "{{TOKEN}}"}, {}, "?key=s3%2Fc%26t"),
        ({"type": "apikey", "name": "X-Key", "value": "{{TOKEN}}"}, {"X-Key": "s3/c&t"}, ""),
        ({**HEADER_KEY, "name": "The key of the shop"}, {"X-Key": "s3/c&t"}, ""),
    ],
)
async def test_credentials(start: Any, api: Any, authentication: Any, header: dict[str, str], query: str) -> None:
    call = await start(authentication=authentication, secrets=SECRETS)
    await call()
    assert {
        name: api.last.headers.get(name) for name in ("Authorization", "X-Key") if name in api.last.headers
    } == header
    assert api.last.target == f"/things{query}"


async def test_auth_is_authentication(start: Any, api: Any) -> None:
    call = await start(auth=BEARER, secrets=SECRETS)
    await call()
    assert api.last.headers["Authorization"] == "Bearer s3/c&t"


@pytest.mark.parametrize("headers", [{"X-Set": "{{TOKEN}}", "X-N": 2}, [{"name": "X-Set", "value": "{{TOKEN}}"}]])
async def test_headers_are_constants(start: Any, api: Any, headers: Any) -> None:
    call = await start({"headers": {"x-set": "operation"}}, headers=headers, secrets=SECRETS)
    await call()
    assert api.last.headers.getall("X-Set") == ["operation"]
    call = await start(headers=headers, secrets=SECRETS)
    await call()
    assert api.last.headers.getall("X-Set") == ["s3/c&t"]
    assert api.last.headers.get("X-N") == ("2" if isinstance(headers, dict) else None)


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        pytest.param({"auth": {"type": "apiKey", "in": "header", "name": "X"}}, "missing-key", id="no value"),
        pytest.param({"auth": {"type": "apikey", "name": "X", "key": "{{TOKEN}}"}}, "missing-key", id="key as value"),
        pytest.param({"auth": {"type": "apikey", "in": "cookie", "name": "X", "value": "x"}}, "type", id="cookie"),
        pytest.param({"auth": "bearer"}, "type", id="text"),
        pytest.param({"authentication": {"type": "basic", "username": "", "password": ""}}, "credential", id="empty"),
        pytest.param({"headers": {"X-Set": None}}, "type", id="no header value"),
        pytest.param({"headers": {"X-Set": {"type": "string"}}}, "type", id="header declaration"),
        pytest.param({"headers": ["X-Set: 1"]}, "type", id="header lines"),
        pytest.param(
            {"headers": {"X-Set": "1"}, "inputParameters": [{"name": "x-set", "in": "header"}]},
            "duplicate-header",
            id="duplicate header",
        ),
    ],
)
def test_credentials_and_headers_without_a_unique_meaning_are_refused(
    problems: Any, declared: dict[str, Any], code: str
) -> None:
    found = problems(**declared, secrets=SECRETS)
    assert code in [problem.code for problem in found if not problem.warning]


async def test_header_input_overrides_the_credential_when_present(start: Any, api: Any) -> None:
    named = {"name": "authorization", "in": "header", "required": True}
    call = await start({"inputParameters": [named]}, authentication=BEARER, secrets=SECRETS)
    (input_,) = call.operation.inputs
    assert (input_.name, input_.implicit, input_.required) == ("authorization", False, False)
    for absent in ({}, {"authorization": None}):
        await call(**absent)
        assert api.last.headers.getall("Authorization") == ["Bearer s3/c&t"]
    await call(authorization="Bearer of the document's own with")
    assert api.last.headers.getall("Authorization") == ["Bearer of the document's own with"]


async def test_query_input_overrides_the_credential_when_present(start: Any, api: Any) -> None:
    named = {"name": "access_token", "in": "query"}
    call = await start({"inputParameters": [named]}, authentication=QUERY_KEY, secrets=SECRETS)
    assert [input_.implicit for input_ in call.operation.inputs] == [False]
    await call()
    assert api.last.target == "/things?access_token=s3%2Fc%26t"
    await call(access_token="other")
    assert api.last.target == "/things?access_token=other"


@pytest.mark.parametrize("value", ["fixed", "{{evil}}", "{{TOKEN}}-x"])
async def test_constant_value_does_not_override_the_credential(start: Any, api: Any, value: str) -> None:
    inputs = [{"name": "AUTHORIZATION", "in": "header", "value": value}]
    call = await start(authentication=BEARER, inputParameters=inputs, secrets=SECRETS)
    assert any("'AUTHORIZATION' is set by the authentication" in text for text in call.warnings)
    await call(evil="evil", AUTHORIZATION="evil")
    assert api.last.headers.getall("Authorization") == ["Bearer s3/c&t"]


async def test_arguments_cannot_reference_secrets(start: Any, api: Any) -> None:
    call = await start({"inputParameters": [{"name": "q", "in": "query"}]}, path="/{id}", secrets=SECRETS)
    await call(q="{{TOKEN}}", id="{{env.TOKEN}}", TOKEN="x")
    assert api.last.target == "/%7B%7Benv.TOKEN%7D%7D?q=%7B%7BTOKEN%7D%7D"


@pytest.mark.parametrize(
    ("authentication", "code"),
    [
        pytest.param({"type": "bearer"}, "missing-key", id="no token"),
        pytest.param({"type": "bearer", "token": ""}, "credential", id="empty token"),
        pytest.param({"type": "apikey", "value": "x"}, "missing-key", id="no key"),
        pytest.param({"type": "apikey", "key": "a b", "value": "x"}, "header-name", id="key is no header name"),
        pytest.param({"type": "basic", "username": "a:b", "password": "x"}, "credential", id="basic user with colon"),
        pytest.param({"type": "digest", "username": "a:b", "password": "x"}, "credential", id="digest user with colon"),
        pytest.param({"type": "digest", "username": "a"}, "missing-key", id="no password"),
        pytest.param({"type": "mutualTLS"}, "unsupported", id="certificate"),
    ],
)
def test_invalid_authentication(
    problems: Any, authentication: dict[str, str], code: str, snapshot: SnapshotAssertion
) -> None:
    (problem,) = problems(authentication=authentication)
    assert problem.code == code
    assert problem.message == snapshot


@pytest.mark.parametrize("secret", ["line\nfeed", "nul\x00", "carriage\r\n"])
@pytest.mark.parametrize("authentication", [BEARER, HEADER_KEY, QUERY_KEY, BASIC])
def test_secret_with_control_characters_is_reported_by_name(
    problems: Any, authentication: dict[str, str], secret: str
) -> None:
    (reported,) = problems(authentication=authentication, secrets={"TOKEN": secret})
    assert (reported.code, "'env.TOKEN'" in reported.message) == ("credential", True)
    assert secret.split()[0] not in reported.message


def test_non_ascii_secret_is_reported_by_name(problems: Any) -> None:
    (reported,) = problems(authentication=BEARER, secrets={"TOKEN": "sécret"})
    assert (reported.code, "'env.TOKEN'" in reported.message) == ("credential", True)
    assert "sécret" not in reported.message


async def test_secrets_are_in_no_repr_and_no_log(start: Any, api: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    call = await start(authentication=QUERY_KEY, secrets=SECRETS, baseUri="http://127.0.0.1:9")
    with pytest.raises(Exception, match="cannot be reached") as caught:
        await call()
    logged = "".join(record.getMessage() for record in caplog.records if record.name.startswith("adapter_host"))
    output = f"{logged}{caught.value}{call.operation.scope!r}"
    assert "cannot be reached" in output
    assert "s3" not in output
