"""Secrets: sources, precedence over request input, and masking."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from adapter_host import (
    ArgumentError,
    BindError,
    BindSource,
    Capability,
    Host,
    LoadedCapability,
    PluginError,
    Plugins,
    Problem,
    ProblemsError,
    RegisterBindSource,
    Settings,
    hookimpl,
)
from adapter_host.binds.binds import Binds, BindVariable, CachedSource, EnvironmentSource
from adapter_host.document.source import Source
from adapter_host.expressions.template import Reference
from adapter_host.testing import Running
from tests.support.adapters import PlainConfig, document, plain, plain_plugins

ENVIRONMENT = {"API_TOKEN": "s3cr3t", "OTHER_TOKEN": "0th3r", "EMPTY": ""}
SOURCE = CachedSource("bind", EnvironmentSource("", Path(), ENVIRONMENT), Problem)
NAMES = [
    BindVariable("env", "TOKEN", "API_TOKEN", SOURCE),
    BindVariable("env", "KEY", "KEY", SOURCE),
    BindVariable("other", "TOKEN", "OTHER_TOKEN", SOURCE),
]


def load_capability(*exposers: str, names: list[BindVariable] | None = None, mock: bool = False) -> LoadedCapability:
    source = Source.from_data({"capability": {}}, "a.yaml")
    exposes = tuple(PlainConfig(type="plain", namespace=name, port=0) for name in exposers)
    capability = Capability(version="1", exposes=exposes)
    return LoadedCapability.create(source, capability, Binds(NAMES if names is None else names, ENVIRONMENT, mock=mock))


def test_names() -> None:
    binds = Binds(NAMES, ENVIRONMENT)
    assert binds.find("env.TOKEN") == binds.find("TOKEN") == NAMES[0]
    assert binds.find("other.TOKEN") == NAMES[2]
    assert binds.find("none.TOKEN") is binds.find("API_TOKEN") is None
    assert binds.namespaces == {"env": ["TOKEN", "KEY"], "other": ["TOKEN"]}


def test_values() -> None:
    binds = Binds(NAMES, ENVIRONMENT)
    empty = BindVariable("env", "EMPTY", "EMPTY", SOURCE)
    assert [binds.value(name) for name in (*NAMES, empty)] == ["s3cr3t", None, "0th3r", None]
    assert Binds(NAMES, ENVIRONMENT, mock=True).value(NAMES[0]) == "mock-API_TOKEN"
    assert binds.environment_variable("API_TOKEN").qualified_name == "API_TOKEN"
    assert binds.value(binds.environment_variable("API_TOKEN")) == "s3cr3t"


def test_repr_hides_values() -> None:
    binds = Binds(NAMES, ENVIRONMENT)
    settings = Settings(environment=ENVIRONMENT)
    for text in (repr(binds), str(binds), repr(settings)):
        assert "s3cr3t" not in text


@pytest.mark.parametrize(
    ("text", "constant"), [("{{TOKEN}}", "s3cr3t"), ("{{env.TOKEN}}", "s3cr3t"), ("{{ other.TOKEN }}!", "0th3r!")]
)
@pytest.mark.parametrize("inputs", [None, (), ("TOKEN", "env.TOKEN", "other.TOKEN")])
def test_bind_wins_over_input_of_same_name(text: str, constant: str, inputs: tuple[str, ...] | None) -> None:
    loaded = load_capability()
    template = loaded.template(text, (), inputs=inputs)
    assert template.constant == constant
    assert template.text({"TOKEN": "forged", "env.TOKEN": "forged"}) == constant
    assert loaded.diagnostics.problems == ()


@pytest.mark.parametrize("name", ["rest.TOKEN", "tools.TOKEN", "front.TOKEN", "args.TOKEN"])
def test_caller_qualifiers_never_resolve_to_secrets(name: str) -> None:
    loaded = load_capability("front")
    assert loaded.template(f"{{{{{name}}}}}", (), inputs=()).parts == (Reference("TOKEN"),)
    assert loaded.template(f"{{{{{name}}}}}", (), inputs=None).inputs == ()
    assert [problem.code for problem in loaded.diagnostics.errors] == ["caller-input"]


def test_bind_wins_over_exposer_of_same_name() -> None:
    loaded = load_capability("env")
    assert loaded.template("{{env.TOKEN}}", (), inputs=()).constant == "s3cr3t"
    loaded.template("{{env.limit}}", (), inputs=())
    assert [problem.message for problem in loaded.diagnostics.errors] == [
        "bind 'env' has no key 'limit' (it has: TOKEN, KEY)"
    ]


def test_environment_is_the_fallback_of_its_namespace() -> None:
    for names in ([], NAMES[:1]):
        loaded = load_capability(names=names)
        assert loaded.template("{{env.API_TOKEN}}", (), inputs=()).constant == "s3cr3t"
        (warning,) = loaded.diagnostics.problems
        assert (warning.code, warning.warning) == ("undeclared-variable", True)
        assert warning.message == "no bind declares '{{env.API_TOKEN}}'; using the environment variable API_TOKEN"


@pytest.mark.parametrize("name", ["env.api_token", "vault.API_TOKEN", "ENV.API_TOKEN"])
def test_environment_is_no_fallback_of_other_names(name: str) -> None:
    loaded = load_capability()
    loaded.template("{{" + name + "}}", (), inputs=())
    assert [problem.code for problem in loaded.diagnostics.errors] == ["template"]


def test_environment_variable_is_the_fallback() -> None:
    loaded = load_capability(names=[])
    assert loaded.template("{{API_TOKEN}}", (), inputs=()).constant == "s3cr3t"
    (warning,) = loaded.diagnostics.problems
    assert warning.warning
    assert warning.message == "no bind declares '{{API_TOKEN}}'; using the environment variable API_TOKEN"
    assert loaded.template("{{API_TOKEN}}", (), inputs=("API_TOKEN",)).inputs == ("API_TOKEN",)
    assert loaded.template("{{api_token}}", (), inputs=()).inputs == ("api_token",)
    assert loaded.template("{{api_token}}", (), inputs=None).inputs == ()


def test_unset_secrets_are_reported_at_start() -> None:
    loaded = load_capability()
    assert loaded.template("{{KEY}}", (), inputs=None).constant == ""
    assert loaded.diagnostics.problems == ()
    assert {name: problem.code for name, problem in loaded.secrets.unresolved.items()} == {
        "env.KEY": "unresolved-secret"
    }
    assert loaded.secrets.names == {"env.KEY"}
    mocked = load_capability(mock=True)
    assert mocked.template("{{KEY}}", (), inputs=None).constant == "mock-KEY"
    assert mocked.secrets.unresolved == {}


SERVED: dict[str, Any] = document(
    plain(
        {
            "name": "get",
            "call": "api.get",
            "with": {"auth": "{{env.TOKEN}}", "note": "{{front.note}}/{{TOKEN}}", "id": "front.id"},
        },
        {"name": "open", "call": "api.get"},
        authentication={"type": "bearer", "token": "{{env.TOKEN}}"},
    ),
    consumes=[
        {
            "type": "fake",
            "namespace": "api",
            "operations": [{"name": "get", "inputParameters": [{"name": name} for name in ("auth", "note", "id")]}],
        }
    ],
    binds=[{"namespace": "env", "keys": {"TOKEN": "API_TOKEN"}}],
)


def served() -> Host:
    return Host(SERVED, plugins=plain_plugins(), settings=Settings(environment=ENVIRONMENT))


async def test_call_sends_secret_and_arguments() -> None:
    host = served()
    await host.start(listen=False)
    await host.call("front.get", {"id": "{{TOKEN}}", "note": "{{env.TOKEN}}"})
    assert Running(host).fake("api").calls == [
        ("get", {"auth": "s3cr3t", "note": "{{env.TOKEN}}/s3cr3t", "id": "{{TOKEN}}"})
    ]
    await host.stop()


@hypothesis_settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["auth", "TOKEN", "env.TOKEN", "env", "note", "id", "API_TOKEN"]), st.text()))
async def test_arguments_never_replace_a_secret(given_arguments: dict[str, str]) -> None:
    host = served()
    await host.start(listen=False)
    try:
        await host.call("front.get", given_arguments)
    except ArgumentError:
        assert not given_arguments.keys() <= {"note", "id"}
    else:
        ((_, sent),) = Running(host).fake("api").calls
        assert sent["auth"] == "s3cr3t"
        assert sent["note"].endswith("/s3cr3t")
        assert sent.get("id", "") == given_arguments.get("id", "")
    finally:
        await host.stop()


def test_secrets_are_in_no_repr_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    host = served()
    plan = host.plans[0]
    texts = [repr(host), repr(plan), repr(plan.loaded), repr(host.settings), caplog.text]
    for status in host.status():
        texts.append(repr(status))
        texts += [repr(operation) for operation in status.exposer.operations.values()]
        for operation in status.exposer.operations.values():
            texts += [str(operation.preview({})), str(operation.input_schema)]
    assert not [text for text in texts if "s3cr3t" in text]


def test_preview_shows_secret_names() -> None:
    host = served()
    get = next(iter(host.status()[0].exposer.operations.values()))
    assert get.preview({"id": "1", "note": "n"}) == {
        "arguments": {"auth": "{{env.TOKEN}}", "id": "1", "note": "n/{{env.TOKEN}}"}
    }


async def test_error_names_secret_without_its_value() -> None:
    host = Host(SERVED, plugins=plain_plugins(), settings=Settings(environment={"OTHER": "s3cr3t"}))
    with pytest.raises(ProblemsError) as caught:
        await host.start()
    text = "".join(traceback.format_exception(caught.value))
    assert "API_TOKEN" in text
    assert "s3cr3t" not in text


# Other sources


class Vault(BindSource):
    """`vault://PATH`: records calls in `requested_keys`; raises `error` if set."""

    requested_keys: list[str]
    error: Exception | None = None

    def __init__(self, location: str, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(location, folder, environment)
        if location == "vault://":
            raise BindError("'vault://' names no path")

    def value(self, key: str) -> str | None:
        self.requested_keys.append(f"{self.location} {self.folder} {self.environment.get('VAULT_ADDRESS')} {key}")
        if self.error:
            raise self.error
        return {"token": "s3cr3t", "empty": ""}.get(key)


class VaultPlugin:
    """Registers `vault://`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.source: type[Vault] = type("FreshVault", (Vault,), {"requested_keys": [], "error": error})

    @hookimpl
    def register_bind_sources(self, register: RegisterBindSource) -> None:
        register("vault", self.source)

    @property
    def requested_keys(self) -> list[str]:
        """The recorded calls."""
        return self.source.requested_keys


def vault_host(*secrets: str, location: str = "vault://team/api", plugins: Plugins, mock: bool = False) -> Host:
    """Return a host whose calls send secrets of a vault."""
    sent = {f"with-{secret}": f"{{{{{secret}}}}}" for secret in secrets}
    inputs = [{"name": name} for name in sent]
    consumes = [{"type": "fake", "namespace": "api", "operations": [{"name": "get", "inputParameters": inputs}]}]
    keys = {"TOKEN": "token", "EMPTY": "empty", "MISSING": "missing"}
    binds = [{"namespace": "team", "location": location, "keys": keys}]
    data = document(plain({"name": "get", "call": "api.get", "with": sent}), consumes=consumes, binds=binds)
    settings = Settings(environment={"VAULT_ADDRESS": "there"}, mock=mock)
    return Host(data, plugins=plugins, settings=settings)


async def test_plugin_source_reads_each_used_key_once() -> None:
    vault = VaultPlugin()
    async with vault_host("TOKEN", "team.TOKEN", plugins=plain_plugins(vault=vault)) as host:
        await host.call("front.get")
        assert Running(host).fake("api").calls == [("get", {"with-TOKEN": "s3cr3t", "with-team.TOKEN": "s3cr3t"})]
        assert vault.requested_keys == ["vault://team/api . there token"]
        assert host.plans[0].loaded.secret_files == ()


async def test_missing_secret_prevents_start() -> None:
    host = vault_host("TOKEN", "EMPTY", "MISSING", plugins=plain_plugins(vault=VaultPlugin()))
    with pytest.raises(ProblemsError) as caught:
        await host.start()
    loc = "<capability>: capability.exposes.0.operations.0.with"
    assert [str(problem) for problem in caught.value.problems] == [
        f"{loc}.with-EMPTY: secret 'team.EMPTY' is not set (bind 'team'; set 'empty' at the bind's location)",
        f"{loc}.with-MISSING: secret 'team.MISSING' is not set (bind 'team'; set 'missing' at the bind's location)",
    ]


async def test_unreadable_source_is_reported_once() -> None:
    vault = VaultPlugin(BindError("the vault is sealed"))
    host = vault_host("TOKEN", "EMPTY", "MISSING", plugins=plain_plugins(vault=vault))
    assert len(vault.requested_keys) == 1
    with pytest.raises(ProblemsError) as caught:
        await host.start()
    (problem,) = caught.value.problems
    assert problem.code == "unreadable-bind"
    assert str(problem) == (
        "<capability>: capability.binds.0.location: bind 'team' cannot be read: the vault is sealed"
        " (keys: token, empty and missing)"
    )


def test_unexpected_source_error_hides_its_text() -> None:
    plugins = plain_plugins(vault=VaultPlugin(ValueError("s3cr3t is no token")))
    with pytest.raises(PluginError) as caught:
        vault_host("TOKEN", plugins=plugins)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
    assert "FreshVault: ValueError at test_binds.py:" in str(caught.value)


async def test_mock_mode_reads_no_source() -> None:
    vault = VaultPlugin(BindError("the vault is sealed"))
    async with vault_host("TOKEN", plugins=plain_plugins(vault=vault), mock=True) as host:
        assert vault.requested_keys == []
        assert host.plans[0].loaded.secrets.unresolved == {}


@pytest.mark.parametrize("location", ["vault://", "valt://x", "k8s://x", "secrets.yaml", "file://"])
@pytest.mark.parametrize("mock", [False, True])
def test_invalid_location(location: str, mock: bool, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        vault_host("TOKEN", location=location, plugins=plain_plugins(vault=VaultPlugin()), mock=mock)
    (problem,) = caught.value.problems
    assert (problem.file, problem.message.partition(": ")[0]) == ("<capability>", "capability.binds.0.location")
    assert problem.message == snapshot


def test_scheme_is_case_insensitive() -> None:
    vault = VaultPlugin()
    vault_host("TOKEN", location="VAULT://team", plugins=plain_plugins(vault=vault))
    assert vault.requested_keys == ["VAULT://team . there token"]


def test_source_repr_hides_location() -> None:
    source = VaultPlugin().source("vault://user:s3cr3t@host", Path(), {})
    assert repr(source) == "FreshVault()"
