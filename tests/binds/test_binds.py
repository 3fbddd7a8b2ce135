"""Secrets: where they come from, what no caller can do to them, and that nothing shows them."""

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
from adapter_host.binds.binds import Binds, BoundName, EnvironmentSource, Origin
from adapter_host.document.source import Source
from adapter_host.expressions.template import Reference
from adapter_host.testing import Running
from tests.support.adapters import PlainConfig, document, plain, plain_plugins

ENVIRONMENT = {"API_TOKEN": "s3cr3t", "OTHER_TOKEN": "0th3r", "EMPTY": ""}
ORIGIN = Origin("bind", EnvironmentSource("", Path(), ENVIRONMENT), Problem)
NAMES = [
    BoundName("env", "TOKEN", "API_TOKEN", ORIGIN),
    BoundName("env", "KEY", "KEY", ORIGIN),
    BoundName("other", "TOKEN", "OTHER_TOKEN", ORIGIN),
]


def loaded(*exposers: str, names: list[BoundName] | None = None, mock: bool = False) -> LoadedCapability:
    source = Source.of({"capability": {}}, "a.yaml")
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
    empty = BoundName("env", "EMPTY", "EMPTY", ORIGIN)
    assert [binds.value(name) for name in (*NAMES, empty)] == ["s3cr3t", None, "0th3r", None]
    assert Binds(NAMES, ENVIRONMENT, mock=True).value(NAMES[0]) == "mock-API_TOKEN"
    assert binds.undeclared("API_TOKEN").qualified == "API_TOKEN"
    assert binds.value(binds.undeclared("API_TOKEN")) == "s3cr3t"


def test_values_are_not_shown() -> None:
    binds = Binds(NAMES, ENVIRONMENT)
    settings = Settings(environment=ENVIRONMENT)
    for shown in (repr(binds), str(binds), repr(settings)):
        assert "s3cr3t" not in shown


@pytest.mark.parametrize(
    ("text", "constant"), [("{{TOKEN}}", "s3cr3t"), ("{{env.TOKEN}}", "s3cr3t"), ("{{ other.TOKEN }}!", "0th3r!")]
)
@pytest.mark.parametrize("inputs", [None, (), ("TOKEN", "env.TOKEN", "other.TOKEN")])
def test_a_bind_is_a_constant_whatever_inputs_are_called(
    text: str, constant: str, inputs: tuple[str, ...] | None
) -> None:
    found = loaded()
    template = found.template(text, (), inputs=inputs)
    assert template.constant == constant
    assert template.text({"TOKEN": "forged", "env.TOKEN": "forged"}) == constant
    assert found.diagnostics.problems == ()


@pytest.mark.parametrize("name", ["rest.TOKEN", "tools.TOKEN", "front.TOKEN", "args.TOKEN"])
def test_a_caller_s_name_is_never_a_secret(name: str) -> None:
    found = loaded("front")
    assert found.template(f"{{{{{name}}}}}", (), inputs=()).parts == (Reference("TOKEN"),)
    assert found.template(f"{{{{{name}}}}}", (), inputs=None).inputs == ()
    assert [problem.code for problem in found.diagnostics.errors] == ["caller-input"]


def test_a_bind_goes_before_an_exposer_of_its_name() -> None:
    found = loaded("env")
    assert found.template("{{env.TOKEN}}", (), inputs=()).constant == "s3cr3t"
    found.template("{{env.limit}}", (), inputs=())
    assert [problem.message for problem in found.diagnostics.errors] == [
        "bind 'env' has no key 'limit' (it has: TOKEN, KEY)"
    ]


def test_a_variable_of_the_environment_is_a_last_resort() -> None:
    found = loaded(names=[])
    assert found.template("{{API_TOKEN}}", (), inputs=()).constant == "s3cr3t"
    (warning,) = found.diagnostics.problems
    assert warning.warning
    assert warning.message == "'{{API_TOKEN}}' is declared in no bind; the environment variable API_TOKEN is taken"
    assert found.template("{{API_TOKEN}}", (), inputs=("API_TOKEN",)).inputs == ("API_TOKEN",)
    assert found.template("{{api_token}}", (), inputs=()).inputs == ("api_token",)
    assert found.template("{{api_token}}", (), inputs=None).inputs == ()


def test_what_is_not_set_is_kept_for_the_start() -> None:
    found = loaded()
    assert found.template("{{KEY}}", (), inputs=None).constant == ""
    assert found.diagnostics.problems == ()
    assert {name: problem.code for name, problem in found.secrets.unresolved.items()} == {
        "env.KEY": "unresolved-secret"
    }
    assert found.secrets.names == {"env.KEY"}
    stand_in = loaded(mock=True)
    assert stand_in.template("{{KEY}}", (), inputs=None).constant == "mock-KEY"
    assert stand_in.secrets.unresolved == {}


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


async def test_a_call_sends_the_secret_and_what_the_caller_gave() -> None:
    host = served()
    await host.start(listen=False)
    await host.call("front.get", {"id": "{{TOKEN}}", "note": "{{env.TOKEN}}"})
    assert Running(host).fake("api").calls == [
        ("get", {"auth": "s3cr3t", "note": "{{env.TOKEN}}/s3cr3t", "id": "{{TOKEN}}"})
    ]
    await host.stop()


@hypothesis_settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["auth", "TOKEN", "env.TOKEN", "env", "note", "id", "API_TOKEN"]), st.text()))
async def test_no_caller_fills_a_secret(given_arguments: dict[str, str]) -> None:
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


def test_nothing_shows_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    host = served()
    plan = host.plans[0]
    shown = [repr(host), repr(plan), repr(plan.loaded), repr(host.settings), caplog.text]
    for status in host.status():
        shown.append(repr(status))
        shown += [repr(operation) for operation in status.exposer.operations.values()]
        for operation in status.exposer.operations.values():
            shown += [str(operation.preview({})), str(operation.input_schema)]
    assert not [text for text in shown if "s3cr3t" in text]


def test_a_preview_names_secrets() -> None:
    host = served()
    get = next(iter(host.status()[0].exposer.operations.values()))
    assert get.preview({"id": "1", "note": "n"}) == {
        "arguments": {"auth": "{{env.TOKEN}}", "id": "1", "note": "n/{{env.TOKEN}}"}
    }


async def test_an_error_names_the_secret_and_not_its_value() -> None:
    host = Host(SERVED, plugins=plain_plugins(), settings=Settings(environment={"OTHER": "s3cr3t"}))
    with pytest.raises(ProblemsError) as caught:
        await host.start()
    told = "".join(traceback.format_exception(caught.value))
    assert "API_TOKEN" in told
    assert "s3cr3t" not in told


# Other sources


class Vault(BindSource):
    """`vault://PATH`: notes what it is asked, in `asked`; `fails` is what it raises."""

    asked: list[str]
    fails: Exception | None = None

    def __init__(self, location: str, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(location, folder, environment)
        if location == "vault://":
            raise BindError("'vault://' names no path")

    def value(self, key: str) -> str | None:
        self.asked.append(f"{self.location} {self.folder} {self.environment.get('VAULT_ADDRESS')} {key}")
        if self.fails:
            raise self.fails
        return {"token": "s3cr3t", "empty": ""}.get(key)


class VaultPlugin:
    """Brings `vault://`."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.source: type[Vault] = type("FreshVault", (Vault,), {"asked": [], "fails": fails})

    @hookimpl
    def register_bind_sources(self, register: RegisterBindSource) -> None:
        register("vault", self.source)

    @property
    def asked(self) -> list[str]:
        """What it was asked for."""
        return self.source.asked


def vaulted(*secrets: str, location: str = "vault://team/api", plugins: Plugins, mock: bool = False) -> Host:
    """Return a host whose calls carry secrets of a vault."""
    sent = {f"with-{secret}": f"{{{{{secret}}}}}" for secret in secrets}
    inputs = [{"name": name} for name in sent]
    consumes = [{"type": "fake", "namespace": "api", "operations": [{"name": "get", "inputParameters": inputs}]}]
    keys = {"TOKEN": "token", "EMPTY": "empty", "MISSING": "missing"}
    binds = [{"namespace": "team", "location": location, "keys": keys}]
    written = document(plain({"name": "get", "call": "api.get", "with": sent}), consumes=consumes, binds=binds)
    settings = Settings(environment={"VAULT_ADDRESS": "there"}, mock=mock)
    return Host(written, plugins=plugins, settings=settings)


async def test_a_plugin_s_source_is_asked_once_for_each_key_that_is_used() -> None:
    vault = VaultPlugin()
    async with vaulted("TOKEN", "team.TOKEN", plugins=plain_plugins(vault=vault)) as host:
        await host.call("front.get")
        assert Running(host).fake("api").calls == [("get", {"with-TOKEN": "s3cr3t", "with-team.TOKEN": "s3cr3t"})]
        assert vault.asked == ["vault://team/api . there token"]
        assert host.plans[0].loaded.secret_files == ()


async def test_what_a_source_does_not_have_stops_the_start() -> None:
    host = vaulted("TOKEN", "EMPTY", "MISSING", plugins=plain_plugins(vault=VaultPlugin()))
    with pytest.raises(ProblemsError) as caught:
        await host.start()
    place = "<capability>: capability.exposes.0.operations.0.with"
    assert [str(problem) for problem in caught.value.problems] == [
        f"{place}.with-EMPTY: secret 'team.EMPTY' is not set (bind 'team'; set 'empty' at the bind's location)",
        f"{place}.with-MISSING: secret 'team.MISSING' is not set (bind 'team'; set 'missing' at the bind's location)",
    ]


async def test_a_source_that_cannot_be_read_is_asked_no_more_and_told_once() -> None:
    vault = VaultPlugin(BindError("the vault is sealed"))
    host = vaulted("TOKEN", "EMPTY", "MISSING", plugins=plain_plugins(vault=vault))
    assert len(vault.asked) == 1
    with pytest.raises(ProblemsError) as caught:
        await host.start()
    (problem,) = caught.value.problems
    assert problem.code == "unreadable-bind"
    assert str(problem) == (
        "<capability>: capability.binds.0.location: bind 'team' cannot be read: the vault is sealed"
        " (keys: token, empty and missing)"
    )


def test_what_a_source_should_not_raise_is_told_without_its_text() -> None:
    plugins = plain_plugins(vault=VaultPlugin(ValueError("s3cr3t is no token")))
    with pytest.raises(PluginError) as caught:
        vaulted("TOKEN", plugins=plugins)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
    assert "FreshVault: ValueError at test_binds.py:" in str(caught.value)


async def test_with_a_stand_in_no_source_is_asked() -> None:
    vault = VaultPlugin(BindError("the vault is sealed"))
    async with vaulted("TOKEN", plugins=plain_plugins(vault=vault), mock=True) as host:
        assert vault.asked == []
        assert host.plans[0].loaded.secrets.unresolved == {}


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("vault://", "'vault://' names no path"),
        ("valt://x", "unknown bind scheme 'valt://'; did you mean 'vault'? (known: environment, file, vault)"),
        ("k8s://x", "unknown bind scheme 'k8s://' (known: environment, file, vault)"),
        ("secrets.yaml", "'location' of a bind must be a URL, such as file://./secrets.yaml"),
        ("file://", "'file://' names no file (file://./secrets.yaml would)"),
    ],
)
@pytest.mark.parametrize("mock", [False, True])
def test_a_wrong_location(location: str, message: str, mock: bool) -> None:
    with pytest.raises(ProblemsError) as caught:
        vaulted("TOKEN", location=location, plugins=plain_plugins(vault=VaultPlugin()), mock=mock)
    assert [str(problem) for problem in caught.value.problems] == [
        f"<capability>: capability.binds.0.location: {message}"
    ]


def test_a_scheme_has_no_case() -> None:
    vault = VaultPlugin()
    vaulted("TOKEN", location="VAULT://team", plugins=plain_plugins(vault=vault))
    assert vault.asked == ["VAULT://team . there token"]


def test_a_source_is_shown_without_its_location() -> None:
    source = VaultPlugin().source("vault://user:s3cr3t@host", Path(), {})
    assert repr(source) == "FreshVault()"
