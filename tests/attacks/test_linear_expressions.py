"""Attacks on our own regular expressions: texts of clients, upstreams and documents that take long to match."""

from __future__ import annotations

import pytest

from adapter_host.auth.upstream.digest import choose_challenge, parse_challenges
from adapter_host.compiler.references import placeholders
from adapter_host.expressions.template import TAG, Reference, compile_template
from adapter_host_control.endpoints.masking import mask_url_credentials
from adapter_host_http.request.templates import TAG as BODY_TAG
from adapter_host_http.request.url import PLACEHOLDER
from adapter_host_mcp.uri_templates import parse_uri
from adapter_host_rest.router import parse_path

SIZE = 20_000

pytestmark = pytest.mark.timeout(20)


@pytest.mark.parametrize(
    "text", ["{{" + " " * SIZE, "{{a" + " " * SIZE, "{{" + "a " * SIZE, "{" * SIZE, "{{&" + " " * SIZE]
)
def test_unclosed_tags_take_linear_time(text: str) -> None:
    assert TAG.search(text) is None
    assert BODY_TAG.search(text) is None
    assert PLACEHOLDER.search(text) is None
    assert placeholders(text) == ()
    with pytest.raises(ValueError, match="brace"):
        parse_path(f"/{text}")
    with pytest.raises(ValueError, match=r"brace|variable"):
        parse_uri(f"docs://{text}")


@pytest.mark.parametrize("tag", ["{{ a b }}", "{{{ a b }}}", "{{& a b }}", "{{a b}}"])
def test_a_tag_has_the_name_without_space(tag: str) -> None:
    assert compile_template(tag, Reference).inputs == ("a b",)
    match = BODY_TAG.fullmatch(tag)
    assert match is not None
    assert "a b" in match.groups()


@pytest.mark.parametrize("text", ["?key" * SIZE, "?" * SIZE, "?" + "key" * SIZE, "://" * SIZE])
def test_texts_of_the_log_are_masked_in_linear_time(text: str) -> None:
    assert mask_url_credentials(text) == text


def test_secrets_in_texts_of_the_log_are_masked() -> None:
    text = "GET http://user:pw@host/?a=1&api_key=one?two&b=2 and ?q&x-token=three"
    assert mask_url_credentials(text) == "GET http://***@host/?a=1&api_key=***&b=2 and ?q&x-token=***"


@pytest.mark.parametrize(
    "text", ["a" * SIZE + '"', 'Digest a="' + '\\"' * SIZE, "a=" * SIZE, "a " * SIZE, 'Digest x="' + '"a=' * SIZE]
)
def test_challenges_of_an_upstream_are_read_in_linear_time(text: str) -> None:
    assert all("nonce" not in parameters for _, parameters in parse_challenges(text))


def test_a_challenge_is_found_after_one_that_is_malformed() -> None:
    header = 'x"y, Basic realm="a, Digest nonce=\\"no\\"", Digest realm="r", nonce="n", qop="auth"'
    challenge = choose_challenge([header])
    assert challenge is not None
    assert (challenge.realm, challenge.nonce) == ("r", "n")
