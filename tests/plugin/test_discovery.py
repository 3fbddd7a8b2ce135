"""Consumers that describe themselves: their definitions are pinned in a file, and changes are warnings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import (
    Arguments,
    BuildContext,
    ConsumedOperation,
    Consumer,
    ConsumerConfig,
    Host,
    Plugins,
    ProblemsError,
    RegisterConsumer,
    Result,
    Schema,
    Settings,
    UpstreamUnreachableError,
    discover,
    hookimpl,
    resolve_response_schema,
    schema_inputs,
)
from adapter_host.cli import main
from adapter_host.testing.running import build_host
from tests.support.adapters import plain_plugins

WEATHER = {
    "forecast": {
        "description": "Returns the forecast of a town",
        "input": {
            "type": "object",
            "properties": {
                "town": {"$ref": "#/$defs/Town", "description": "Where"},
                "days": {"type": "integer", "maximum": 7},
            },
            "required": ["town"],
            "$defs": {"Town": {"type": "string", "minLength": 2}},
        },
        "output": {"type": "object", "properties": {"town": {"$ref": "#/$defs/Town"}}, "$defs": {"Town": {"const": 1}}},
    }
}
DOCUMENT = """\
naftiko: 1.0.0-alpha2
info: {label: Trips}
capability:
  binds:
    - {namespace: env, keys: {KEY: WEATHER_KEY}}
  consumes:
    - {type: described, namespace: weather, key: "{{env.KEY}}"}
  exposes:
    - type: plain
      namespace: trips
      port: 0
      operations:
        - {name: forecast, call: weather.forecast}
        - {name: alarm, call: weather.alarm}
"""


class DescribedConfig(ConsumerConfig):
    """An entry of `consumes` with `type: described`."""

    key: str = ""


class DescribedOperation(ConsumedOperation):
    def __init__(self, namespace: str, name: str, definition: dict[str, Any]) -> None:
        self.namespace, self.name = namespace, name
        self.description = definition["description"]
        self.inputs = schema_inputs(definition["input"], f"{namespace}.{name}")
        self.output_schema: Schema | None = resolve_response_schema(definition["output"], f"{namespace}.{name}.result")

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        return Result(data=dict(arguments))


class Described(Consumer[DescribedConfig]):
    """An API in memory: `plugin.definitions` are those that it has now."""

    config_class = DescribedConfig
    discovers = True
    plugin: DescribedPlugin

    @classmethod
    async def discover(cls, config: DescribedConfig, context: BuildContext) -> Any:
        context.secret(config.key, config, "key")
        context.raise_problems()
        if cls.plugin.definitions is None:
            raise UpstreamUnreachableError("no connection to the API")
        return cls.plugin.definitions

    def operations(self) -> Sequence[ConsumedOperation]:
        definitions = self.context.discovered() or {}
        return [DescribedOperation(self.config.namespace, name, each) for name, each in definitions.items()]

    async def start(self) -> None:
        for _ in range(2):
            self.context.report_changes(self.plugin.definitions)


class DescribedPlugin:
    """The plugin of `type: described`."""

    def __init__(self) -> None:
        self.definitions: Any = {**WEATHER, "alarm": {**WEATHER["forecast"], "description": "Rings"}}

    @hookimpl
    def register_consumers(self, register: RegisterConsumer) -> None:
        register("described", type("InMemory", (Described,), {"plugin": self}))


@pytest.fixture
def api() -> DescribedPlugin:
    return DescribedPlugin()


@pytest.fixture
def plugins(api: DescribedPlugin, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    plugins = plain_plugins(described=api)
    monkeypatch.setattr(Plugins, "installed", lambda *_, **__: plugins)
    monkeypatch.setenv("WEATHER_KEY", "s3cr3t")
    return plugins


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "trips.yaml"
    file.write_text(DOCUMENT)
    return file


@pytest.fixture
def run(file: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a command and returns the exit code and the output, without the folder."""

    def run(*arguments: str) -> tuple[int, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, (out + err).replace(f"{file.parent}/", "")

    return run


@pytest.fixture
def snapshot_file(file: Path) -> Path:
    return file.with_name("trips.weather.discovered.json")


def test_first_discovery(
    run: Callable[..., tuple[int, str]], plugins: Plugins, file: Path, snapshot_file: Path, snapshot: SnapshotAssertion
) -> None:
    assert run("validate", str(file)) == snapshot
    assert run("discover", str(file), "--check") == snapshot
    assert not snapshot_file.exists()
    assert run("discover", str(file)) == snapshot
    assert run("discover", str(file), "weather", "--check") == snapshot
    assert run("validate", str(file)) == snapshot
    assert snapshot_file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in sorted(file.parent.iterdir())] == ["trips.weather.discovered.json", "trips.yaml"]


def test_validate_does_not_connect(api: DescribedPlugin, plugins: Plugins, file: Path, snapshot_file: Path) -> None:
    assert main(["discover", str(file)]) == 0
    api.definitions = None
    assert main(["validate", str(file)]) == 0
    (operation,) = [each for each in Host(str(file), plugins=plugins).plans[0].consumed if each.name == "forecast"]
    assert [(each.name, each.type, each.required, each.description) for each in operation.inputs] == [
        ("town", "string", True, "Where"),
        ("days", "integer", False, None),
    ]
    assert str(snapshot_file) in Host(str(file), plugins=plugins).plans[0].loaded.files


def test_changes_of_an_api(
    run: Callable[..., tuple[int, str]], api: DescribedPlugin, plugins: Plugins, file: Path, snapshot: SnapshotAssertion
) -> None:
    run("discover", str(file))
    before = (file.parent / "trips.weather.discovered.json").read_text()
    forecast = {**api.definitions["forecast"], "description": "Returns the forecast of a place"}
    api.definitions = {"forecast": forecast, "wind": api.definitions["alarm"]}
    assert run("discover", str(file), "--check") == snapshot
    assert (file.parent / "trips.weather.discovered.json").read_text() == before
    assert run("discover", str(file)) == snapshot
    assert run("validate", str(file)) == snapshot


async def test_changed_api_is_one_warning_at_start(
    api: DescribedPlugin, plugins: Plugins, file: Path, caplog: pytest.LogCaptureFixture, snapshot: SnapshotAssertion
) -> None:
    definitions = await discover(str(file), plugins=plugins)
    settings = Settings(discovered=definitions)
    async with Host(str(file), plugins=plugins, settings=settings) as host:
        assert host.warnings == ()
    api.definitions = {"forecast": api.definitions["forecast"], "wind": api.definitions["alarm"]}
    async with Host(str(file), plugins=plugins, settings=settings) as host:
        (warning,) = host.warnings
    assert (warning.code, warning.line, warning.column) == ("changed-definitions", 7, 14)
    assert warning.message.replace(f"{file.parent}/", "") == snapshot
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [str(warning)]


async def test_whole_schemas_of_inputs_and_results(plugins: Plugins, file: Path) -> None:
    definitions = await discover(str(file), plugins=plugins)
    host = build_host(str(file), plugins=plugins, discovered=definitions, environment={"WEATHER_KEY": "x"})
    operation = next(each for each in host.plans[0].exposers[0].exposer.operations.values() if each.name == "forecast")
    town = "weather.forecast.Town"
    assert operation.input_schema["properties"]["days"] == {"type": "integer", "maximum": 7}
    assert operation.input_schema["$defs"] == {town: {"type": "string", "minLength": 2}}
    assert operation.output_schema == {
        "type": "object",
        "properties": {"town": {"$ref": "#/$defs/weather.forecast.result.Town"}},
        "$defs": {"weather.forecast.result.Town": {"const": 1}},
    }


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda text: text.replace("Rings", "Sings"), "was edited"),
        (lambda text: text[:-4], "is not JSON"),
        (lambda text: "[]", "is not a file of 'adapter-host discover'"),
        (lambda text: text.replace('"described"', '"other"'), "is of type 'other'"),
    ],
    ids=["edited", "cut off", "other file", "other type"],
)
def test_invalid_file(
    plugins: Plugins, file: Path, snapshot_file: Path, edit: Callable[[str], str], reason: str
) -> None:
    assert main(["discover", str(file)]) == 0
    snapshot_file.write_text(edit(snapshot_file.read_text()))
    with pytest.raises(ProblemsError) as caught:
        Host(str(file), plugins=plugins)
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == ("not-discovered", 7)
    assert reason in problem.message


def test_skip_invalid_leaves_out_the_api(plugins: Plugins, file: Path) -> None:
    host = Host(str(file), plugins=plugins, settings=Settings(skip_invalid=True))
    assert [consumer.config.namespace for plan in host.plans for consumer in plan.consumers] == []
    assert "not-discovered" in [problem.code for problem in host.warnings]


def test_failures_of_the_command(
    run: Callable[..., tuple[int, str]],
    api: DescribedPlugin,
    plugins: Plugins,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    assert run("discover", str(file), "wether") == snapshot
    monkeypatch.delenv("WEATHER_KEY")
    assert run("discover", str(file)) == snapshot
    monkeypatch.setenv("WEATHER_KEY", "s3cr3t")
    api.definitions = None
    assert run("discover", str(file)) == snapshot
    api.definitions = {"forecast": object()}
    code, output = run("discover", str(file))
    assert (code, "are not plain JSON" in output) == (1, True)
    file.write_text(DOCUMENT.replace("type: described", "type: fake"))
    assert run("discover", str(file)) == snapshot
    assert run("discover", str(file), "weather") == snapshot


def test_schemas_of_an_api_cannot_read_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets.yaml").write_text("type: string")
    monkeypatch.chdir(tmp_path)
    for reference in ("secrets.yaml", "https://example.com/schema.json", "#/x-schemas/A"):
        with pytest.raises(ProblemsError):
            schema_inputs({"properties": {"a": {"$ref": reference}}}, "api.read")
    assert json.loads(json.dumps(resolve_response_schema({"$ref": "#/$defs/A", "$defs": {"A": {}}}, "a").data)) == {}
