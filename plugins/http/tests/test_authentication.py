"""What proves who is calling: sent with every request, never a caller's to replace."""

from __future__ import annotations

import logging
from base64 import b64encode
from typing import Any

import pytest

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
    ],
)
async def test_credentials(start: Any, api: Any, authentication: Any, header: dict[str, str], query: str) -> None:
    call = await start(authentication=authentication, secrets=SECRETS)
    await call()
    assert {
        name: api.last.headers.get(name) for name in ("Authorization", "X-Key") if name in api.last.headers
    } == header
    assert api.last.target == f"/things{query}"


async def test_an_input_in_its_place_replaces_it_only_when_it_is_given(start: Any, api: Any) -> None:
    named = {"name": "authorization", "in": "header", "required": True}
    call = await start({"inputParameters": [named]}, authentication=BEARER, secrets=SECRETS)
    (given,) = call.operation.inputs
    assert (given.name, given.implicit, given.required) == ("authorization", False, False)
    for absent in ({}, {"authorization": None}):
        await call(**absent)
        assert api.last.headers.getall("Authorization") == ["Bearer s3/c&t"]
    await call(authorization="Bearer of the document's own with")
    assert api.last.headers.getall("Authorization") == ["Bearer of the document's own with"]


async def test_so_does_one_in_the_query(start: Any, api: Any) -> None:
    named = {"name": "access_token", "in": "query"}
    call = await start({"inputParameters": [named]}, authentication=QUERY_KEY, secrets=SECRETS)
    assert [given.implicit for given in call.operation.inputs] == [False]
    await call()
    assert api.last.target == "/things?access_token=s3%2Fc%26t"
    await call(access_token="other")
    assert api.last.target == "/things?access_token=other"


@pytest.mark.parametrize("value", ["fixed", "{{evil}}", "{{TOKEN}}-x"])
async def test_no_value_of_the_document_takes_its_place(start: Any, api: Any, value: str) -> None:
    inputs = [{"name": "AUTHORIZATION", "in": "header", "value": value}]
    call = await start(authentication=BEARER, inputParameters=inputs, secrets=SECRETS)
    assert any("'AUTHORIZATION' is what the authentication sets" in text for text in call.warnings)
    await call(evil="evil", AUTHORIZATION="evil")
    assert api.last.headers.getall("Authorization") == ["Bearer s3/c&t"]


async def test_arguments_cannot_name_secrets(start: Any, api: Any) -> None:
    call = await start({"inputParameters": [{"name": "q", "in": "query"}]}, path="/{id}", secrets=SECRETS)
    await call(q="{{TOKEN}}", id="{{env.TOKEN}}", TOKEN="x")
    assert api.last.target == "/%7B%7Benv.TOKEN%7D%7D?q=%7B%7BTOKEN%7D%7D"


@pytest.mark.parametrize(
    ("authentication", "message"),
    [
        ({"type": "bearer"}, "'token' is missing (authentication 'bearer' needs it)"),
        ({"type": "bearer", "token": ""}, "'token' is empty"),
        ({"type": "apikey", "value": "x"}, "'key' is missing (authentication 'apikey' needs it)"),
        ({"type": "apikey", "key": "a b", "value": "x"}, "'a b' is no name of a header"),
        ({"type": "basic", "username": "a:b", "password": "x"}, "a user name may hold no ':'"),
        ({"type": "digest", "username": "a:b", "password": "x"}, "a user name may hold no ':'"),
        ({"type": "digest", "username": "a"}, "'password' is missing (authentication 'digest' needs it)"),
    ],
)
def test_problems(problems: Any, authentication: dict[str, str], message: str) -> None:
    found = problems(authentication=authentication)
    assert [problem.message.split(": ", 1)[1] for problem in found] == [message]


@pytest.mark.parametrize("secret", ["line\nfeed", "nul\x00", "carriage\r\n"])
@pytest.mark.parametrize("authentication", [BEARER, HEADER_KEY, QUERY_KEY, BASIC])
def test_a_secret_that_could_break_a_header_is_named_and_not_shown(
    problems: Any, authentication: dict[str, str], secret: str
) -> None:
    (found,) = problems(authentication=authentication, secrets={"TOKEN": secret})
    assert found.message.endswith("secret 'env.TOKEN' holds a control character")
    assert secret.split()[0] not in found.message


def test_a_secret_that_no_header_can_hold_is_named(problems: Any) -> None:
    (found,) = problems(authentication=BEARER, secrets={"TOKEN": "sécret"})
    assert found.message.endswith("secret 'env.TOKEN' may hold only ASCII characters")


async def test_secrets_are_in_no_repr_and_no_log(start: Any, api: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    call = await start(authentication=QUERY_KEY, secrets=SECRETS, baseUri="http://127.0.0.1:9")
    with pytest.raises(Exception, match="cannot be reached") as caught:
        await call()
    logged = "".join(record.getMessage() for record in caplog.records if record.name.startswith("adapter_host"))
    shown = f"{logged}{caught.value}{call.operation.scope!r}"
    assert "cannot be reached" in shown
    assert "s3" not in shown
