"""Commands that send nothing need no secrets, wherever the document has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host.cli import main
from adapter_host.testing import running
from tests.support.rest_and_mcp import operation, resource

READ = resource("/a", operation("a"), name="a")
CONSUMERS: dict[str, dict[str, Any]] = {
    "url": {"baseUri": "{{S}}", "resources": [resource("/{{S}}/a", operation("a"), name="a")]},
    "host": {"baseUri": "https://{{S}}/v1"},
    "port": {"baseUri": "https://api.example:{{S}}"},
    "value": {
        "resources": [
            resource(
                "/a", operation("a", inputParameters=[{"name": "X-A", "in": "header", "value": "{{S}}"}]), name="a"
            )
        ]
    },
    "body": {"resources": [resource("/a", operation("a", "POST", body={"type": "json", "data": {"a": "{{S}}"}}))]},
    "bearer": {"authentication": {"type": "bearer", "token": "{{S}}"}},
    "basic": {"authentication": {"type": "basic", "username": "{{S}}", "password": "{{S}}"}},
    "digest": {"authentication": {"type": "digest", "username": "{{S}}", "password": "{{S}}"}},
    "apikey": {"authentication": {"type": "apikey", "key": "{{S}}", "value": "{{S}}", "placement": "header"}},
    "issuer": {"authentication": {"type": "oauth2", "authorizationServerUri": "{{S}}/realms/x", "resource": "{{S}}"}},
    "token-endpoint": {
        "authentication": {
            "type": "oauth2",
            "authorizationServerUri": "https://issuer.example",
            "tokenEndpoint": "http://{{S}}/token",
            "x-client": {"id": "{{S}}", "secret": "{{S}}"},
        }
    },
}
AUTHENTICATIONS: dict[str, dict[str, Any]] = {
    "bearer": {"type": "bearer", "token": "{{S}}"},
    "basic": {"type": "basic", "username": "{{S}}", "password": "{{S}}"},
    "digest": {"type": "digest", "username": "{{S}}", "password": "{{S}}"},
    "apikey": {"type": "apikey", "key": "{{S}}", "value": "{{S}}", "placement": "header"},
    "issuer": {"type": "oauth2", "authorizationServerUri": "{{S}}/realms/x", "resource": "{{S}}"},
    "issuer-host": {
        "type": "oauth2",
        "authorizationServerUri": "http://{{S}}",
        "resource": "http://{{S}}",
        "tokenValidation": "introspection",
        "x-client-id": "{{S}}",
        "x-client-secret": "{{S}}",
    },
}


def document(consumer: dict[str, Any], *exposers: dict[str, Any]) -> dict[str, Any]:
    api = {"type": "http", "namespace": "api", "baseUri": "https://api.example", "resources": [READ], **consumer}
    method = api["resources"][0]["operations"][0]["method"]
    route = resource("/a", operation("a", method, call="api.a"))
    rest = {"type": "rest", "namespace": "site", "port": 0, "resources": [route]}
    return {
        "naftiko": "1.0.0-alpha2",
        "binds": [{"namespace": "env", "keys": {"S": "S"}}],
        "capability": {"consumes": [api], "exposes": [{**rest, **more} for more in exposers or ({},)]},
    }


CONTROL = {
    "type": "control",
    "namespace": "control",
    "observability": {"exporters": {"otlp": {"endpoint": "{{S}}"}}},
    "resources": [],
}
DOCUMENTS = {
    **{f"consumer-{name}": document(keys) for name, keys in CONSUMERS.items()},
    **{f"exposer-{name}": document({}, {"authentication": keys}) for name, keys in AUTHENTICATIONS.items()},
    "otlp": document({}, {}, CONTROL),
}
URLS = ("consumer-url", "consumer-host", "consumer-issuer", "consumer-token-endpoint", "exposer-issuer", "otlp")
# A path is different: `{S}` in it is an input.
SINGLE_BRACES = {
    f"{name}-single": json.loads(json.dumps(DOCUMENTS[name]).replace("{{S}}", "{S}"))
    for name in URLS
    if name != "consumer-url"
}
DOCUMENTS |= SINGLE_BRACES


@pytest.fixture(params=DOCUMENTS)
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a document with a secret in one of its places."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("S", raising=False)
    Path("it.yaml").write_text(yaml.safe_dump(DOCUMENTS[request.param]))
    return "it.yaml"


@pytest.mark.parametrize(
    "arguments",
    [("validate",), ("inspect",), ("inspect", "--mock"), ("export", "openapi", "--exposer", "site")],
    ids=" ".join,
)
def test_missing_secret_is_no_problem(
    arguments: tuple[str, ...], file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, file]) == 0
    errors = [line for line in capsys.readouterr().err.splitlines() if "warning: " not in line]
    assert errors == []


def test_inspect_lists_the_missing_secret(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--format", "json", file]) == 0
    assert json.loads(capsys.readouterr().out)["secrets"]["env.S"] is False


async def test_mock_server_needs_no_secret(file: str) -> None:
    async with running(Path(file), mock=True) as served:
        assert (await served.host.call("site.a", {})).status == 200


@pytest.mark.parametrize("file", [*URLS, *SINGLE_BRACES], indirect=True)
def test_secret_that_is_no_url_is_a_problem(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("S", "a b:c")
    assert main(["validate", file]) == 1
    error = capsys.readouterr().err
    assert "URL" in error
    assert "a b:c" not in error
