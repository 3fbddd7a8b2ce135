"""Secrets: where they come from, what no caller can do to them, and that nothing shows them."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from adapter_host import ArgumentError, Capability, Declaration, Host, ProblemsError, Settings
from adapter_host.document.binds import Binds, BoundName
from adapter_host.document.source import Source
from adapter_host.template import Reference
from adapter_host.testing import Running

from .plain import PlainConfig, document, plain, plain_plugins

NAMES = [
    BoundName("env", "TOKEN", "API_TOKEN"),
    BoundName("env", "KEY", "KEY"),
    BoundName("other", "TOKEN", "OTHER_TOKEN"),
]
ENVIRONMENT = {"API_TOKEN": "s3cr3t", "OTHER_TOKEN": "0th3r", "EMPTY": ""}


def declaration(*exposers: str, names: list[BoundName] | None = None, mock: bool = False) -> Declaration:
    source = Source.of({"capability": {}}, "a.yaml")
    exposes = tuple(PlainConfig(type="plain", namespace=name, port=0) for name in exposers)
    capability = Capability(version="1", exposes=exposes)
    return Declaration(source, capability, Binds(NAMES if names is None else names, ENVIRONMENT, mock=mock))


def test_names() -> None:
    binds = Binds(NAMES, ENVIRONMENT)
    assert binds.find("env.TOKEN") == binds.find("TOKEN") == NAMES[0]
    assert binds.find("other.TOKEN") == NAMES[2]
    assert binds.find("none.TOKEN") is binds.find("API_TOKEN") is None
    assert binds.namespaces == {"env": ["TOKEN", "KEY"], "other": ["TOKEN"]}


def test_values() -> None:
    binds = Binds(NAMES, ENVIRONMENT)
    assert (binds.value("API_TOKEN"), binds.value("EMPTY"), binds.value("MISSING")) == ("s3cr3t", None, None)
    assert Binds(NAMES, ENVIRONMENT, mock=True).value("API_TOKEN") == "mock-API_TOKEN"


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
    found = declaration()
    template = found.template(text, (), inputs=inputs)
    assert template.constant == constant
    assert template.text({"TOKEN": "forged", "env.TOKEN": "forged"}) == constant
    assert found.problems == []


@pytest.mark.parametrize("name", ["rest.TOKEN", "tools.TOKEN", "front.TOKEN", "args.TOKEN"])
def test_a_caller_s_name_is_never_a_secret(name: str) -> None:
    found = declaration("front")
    assert found.template(f"{{{{{name}}}}}", (), inputs=()).parts == (Reference("TOKEN"),)
    assert found.template(f"{{{{{name}}}}}", (), inputs=None).inputs == ()
    assert [problem.code for problem in found.errors] == ["caller-input"]


def test_a_bind_goes_before_an_exposer_of_its_name() -> None:
    found = declaration("env")
    assert found.template("{{env.TOKEN}}", (), inputs=()).constant == "s3cr3t"
    found.template("{{env.limit}}", (), inputs=())
    assert [problem.message for problem in found.errors] == ["bind 'env' has no key 'limit' (it has: TOKEN, KEY)"]


def test_a_variable_of_the_environment_is_a_last_resort() -> None:
    found = declaration(names=[])
    assert found.template("{{API_TOKEN}}", (), inputs=()).constant == "s3cr3t"
    (warning,) = found.problems
    assert warning.warning
    assert warning.message == "'{{API_TOKEN}}' is declared in no bind; the environment variable API_TOKEN is taken"
    assert found.template("{{API_TOKEN}}", (), inputs=("API_TOKEN",)).inputs == ("API_TOKEN",)
    assert found.template("{{api_token}}", (), inputs=()).inputs == ("api_token",)
    assert found.template("{{api_token}}", (), inputs=None).inputs == ()


def test_what_is_not_set_is_kept_for_the_start() -> None:
    found = declaration()
    assert found.template("{{KEY}}", (), inputs=None).constant == ""
    assert found.problems == []
    assert {name: problem.code for name, problem in found.unresolved.items()} == {"env.KEY": "unresolved-secret"}
    assert found.secrets == {"env.KEY"}
    stand_in = declaration(mock=True)
    assert stand_in.template("{{KEY}}", (), inputs=None).constant == "mock-KEY"
    assert stand_in.unresolved == {}


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
    shown = [repr(host), repr(plan), repr(plan.declaration), repr(host.settings), caplog.text]
    for exposure in host.exposures:
        shown.append(repr(exposure))
        shown += [repr(operation) for operation in exposure.exposer.operations.values()]
        for operation in exposure.exposer.operations.values():
            shown += [str(operation.preview({})), str(operation.input_schema)]
    assert not [text for text in shown if "s3cr3t" in text]


def test_a_preview_names_secrets() -> None:
    host = served()
    get = next(iter(host.exposures[0].exposer.operations.values()))
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
