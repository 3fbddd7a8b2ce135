"""Options of plugins: files, settings, allowed and denied plugins; commands of plugins; `plugins show`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter_host.cli import main
from tests.support.installed_plugins import EXPOSER, install_plugin

LEDGER = '''
"""An ledger log."""

import sys
from pathlib import Path

from adapter_host import Command, Model, ProblemsError, hookimpl, plugin_settings


class LedgerSettings(Model):
    """The settings of the ledger log."""

    file: str = "ledger.log"
    days: int = 30
    fields: tuple[str, ...] = ()


def show(options):
    settings = plugin_settings(options.settings, "ledger", LedgerSettings)
    known = "rest" in options.plugins.names
    print(f"{options.prefix}{settings.file} {settings.days} {','.join(settings.fields)} {known}")
    return 5


@hookimpl
def register_settings(register):
    register(LedgerSettings)


@hookimpl
def register_commands(register):
    register("ledger", Command("show the ledger log", show, lambda parser: parser.add_argument("--prefix", default="")))


@hookimpl
def check_capability(loaded):
    print("checked", file=sys.stderr)


@hookimpl
def operation_wrapper(operation, context):
    settings = context.plugin_settings("ledger", LedgerSettings)
    print(f"{settings.days} days", file=sys.stderr)
'''
DOCUMENT = "naftiko: 1.0.0-alpha2\ncapability:\n  exposes:\n    - type: control\n      namespace: a\n      port: 9\n"
WITH_OPERATION = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - {type: http, namespace: api, baseUri: "http://127.0.0.1:1", resources: [
        {path: /a, name: a, operations: [{name: get-a, method: GET}]}]}
  exposes:
    - {type: rest, namespace: front, port: 0, resources: [{path: /a, operations: [{method: GET, call: api.get-a}]}]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ledger.py").write_text(LEDGER)
    (tmp_path / "a.yaml").write_text(DOCUMENT)
    (tmp_path / "b.yaml").write_text(WITH_OPERATION)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith(("guest_", "adapter_host_file_"))]:
        del sys.modules[name]


def test_plugin_file(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["validate", "a.yaml"], ["inspect", "a.yaml"]):
        assert main([*command, "--plugin-file", "ledger.py"]) == 0
        assert capsys.readouterr().err == "checked\n"
    assert main(["plugins", "--plugin-file", "ledger.py"]) == 0
    assert "\nledger " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        (None, 2, "--plugin-file: 'broken.py' does not exist"),
        ("import nothing_there", 1, "plugin 'broken': ModuleNotFoundError: No module named 'nothing_there' (broken.py"),
        ("def f(:", 1, "broken.py:1)"),
    ],
)  # fmt: skip
def test_broken_plugin_file(
    text: str | None, code: int, reason: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (folder / "broken.py").write_text(text)
    assert main(["validate", "a.yaml", "--plugin-file", "broken.py"]) == code
    assert reason in capsys.readouterr().err.replace(f"{folder}/", "")
    assert "adapter_host_file_broken" not in sys.modules


def test_settings_of_options(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--plugin-file", "ledger.py", "--plugin-setting", "ledger.days=7"]
    assert main(["validate", "b.yaml", *options]) == 0
    assert capsys.readouterr().err == "checked\n7 days\n"
    assert main(["ledger", *options, "--plugin-setting", 'ledger.fields=["a","b"]', "--prefix", "> "]) == 5
    assert capsys.readouterr().out == "> ledger.log 7 a,b True\n"
    assert main(["ledger", "--plugin-file", "ledger.py", "--plugin-setting", "ledger.file=7"]) == 5
    assert capsys.readouterr().out.startswith("7 30 ")


def test_settings_of_the_configuration_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "etc").mkdir()
    (folder / "etc/host.yaml").write_text(
        "pluginFiles: [../ledger.py]\nplugins:\n  ledger:\n    days: 90\n    file: a.log\n"
    )
    assert main(["validate", "b.yaml", "--config", "etc/host.yaml"]) == 0
    assert "90 days" in capsys.readouterr().err
    assert main(["ledger", "--config", "etc/host.yaml", "--plugin-setting", "ledger.days=1"]) == 5
    assert capsys.readouterr().out == "a.log 1  True\n"


@pytest.mark.parametrize(
    ("config", "reported"),
    [
        ("plugins: {ledger: {days: many}}", "host.yaml:1:26: 'days' must be a whole number (given 'many')"),
        ("plugins: {ledger: {dais: 3}}", "host.yaml:1:20: unknown key 'dais'; did you mean 'days'?"),
        ("plugins: {legder: {days: 3}}", "host.yaml:1:19: unknown plugin 'legder'; did you mean 'ledger'?"),
        ("plugins: {rest: {days: 3}}", "host.yaml:1:17: plugin 'rest' has no settings; remove them"),
        ("plugins: 5", "host.yaml:1:10: 'plugins' must be a mapping (given 5)"),
        ("plugin: {}", "host.yaml:1:1: unknown key 'plugin'; did you mean 'plugins'?"),
        ("", "host.yaml: the document is empty"),
        ("{}", ""),
    ],
)
def test_problems_of_the_configuration_file(
    config: str, reported: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "host.yaml").write_text(config)
    code = main(["validate", "a.yaml", "--plugin-file", "ledger.py", "--config", "host.yaml"])
    assert code == (1 if reported else 0)
    assert reported in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "code", "reported"),
    [
        ("ledger.days=many", 1, "--plugin-setting ledger.days: 'days' must be a whole number (given 'many')"),
        ("ledger.dais=3", 1, "--plugin-setting ledger.dais: unknown key 'dais'; did you mean 'days'?"),
        ("legder.days=3", 1, "unknown plugin 'legder'; did you mean 'ledger'?"),
        ("ledger=3", 2, "--plugin-setting: 'ledger=3' is not NAME.KEY=VALUE"),
    ],
)
def test_problems_of_settings(setting: str, code: int, reported: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "a.yaml", "--plugin-file", "ledger.py", "--plugin-setting", setting]) == code
    assert reported in capsys.readouterr().err


def test_allowed_and_denied_plugins(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "b.yaml", "--deny-plugin", "rest"]) == 1
    assert "unknown exposer type 'rest'" in capsys.readouterr().err
    assert main(["validate", "b.yaml", "--allow-plugin", "rest", "--allow-plugin", "http"]) == 0
    capsys.readouterr()
    assert main(["plugins", "--allow-plugin", "rest"]) == 0
    listed = capsys.readouterr().out
    assert "disabled: http" in listed.splitlines()
    (folder / "host.yaml").write_text("allowPlugins: []\n")
    assert main(["validate", "a.yaml", "--config", "host.yaml"]) == 1
    capsys.readouterr()
    for option in ("--allow-plugin", "--deny-plugin"):
        assert main(["validate", "a.yaml", option, "reest"]) == 2
        assert f"{option}: no plugin 'reest' is installed; did you mean 'rest'?" in capsys.readouterr().err


def test_commands_of_plugins(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install_plugin(folder, "lazy", LEDGER.replace("@hookimpl\ndef check", "def _check").replace(
        "@hookimpl\ndef operation", "def _operation").replace('"ledger", Command', '"lazy", Command').replace(
        '"ledger", LedgerSettings', '"lazy", LedgerSettings'), {"commands.lazy": "lazy"})  # fmt: skip
    assert main(["validate", "a.yaml"]) == 0
    assert main(["plugins", "new"]) == 2
    assert "guest_lazy" not in sys.modules
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "lazy      show the ledger log" in capsys.readouterr().out
    assert main(["lazy", "--prefix", ">"]) == 5
    assert capsys.readouterr().out == ">ledger.log 30  True\n"
    assert main(["lazy", "--perfix", ">"]) == 2
    assert capsys.readouterr().err.startswith("adapter-host lazy: unknown option '--perfix'; did you mean '--prefix'?")


def test_broken_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = (
        "from adapter_host import Command, hookimpl\n\ndef fail(options):\n    raise KeyError('x')\n\n"
        "@hookimpl\ndef register_commands(register):\n    register('{name}', Command('fail', fail))\n"
    )
    install_plugin(folder, "failing", source.replace("{name}", "failing"), {"commands.failing": "failing"})
    install_plugin(folder, "taking", source.replace("{name}", "serve"), {"commands.serve": "taking"})
    install_plugin(folder, "dying", "import nothing_there\n", {"commands.dying": "dying"})
    assert main(["failing"]) == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("adapter-host: plugin 'failing' (adapter-host-failing 1.2): KeyError: 'x' (")
    assert error.endswith("guest_failing.py:4)")
    assert hint == "Run it again with --traceback to see where."
    assert main(["failing", "--traceback"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err
    assert main(["plugins", "show", "dying", "--traceback"]) == 2
    error = capsys.readouterr().err
    assert "Traceback (most recent call last)" in error
    assert "failed: plugin 'dying' (adapter-host-dying 1.2): ModuleNotFoundError" in error
    assert main(["dying"]) == 2
    assert "plugin 'dying' (adapter-host-dying 1.2): ModuleNotFoundError" in capsys.readouterr().err
    assert main(["served"]) == 2
    assert "command 'serve' of a plugin is ignored; the host has one with this name" in capsys.readouterr().err


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "show", "rest"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["exposes rest: adapter_host_rest.exposer.RestExposer", "plugin rest (adapter-host-rest 0.1.0)"]
    assert any(line.split() == ["resources", "list", "of", "RestResource", "yes", "-"] for line in lines)
    assert any(line.split() == ["port", "integer", "(0", "to", "65535)", "yes", "-"] for line in lines)
    assert main(["plugins", "show", "control"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["timeout", "integer", "(at", "least", "1)", "-", "60000"] for line in lines)
    assert main(["plugins", "show", "exposes.mcp", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["kind"], shown["type"], shown["plugin"]) == ("exposes", "mcp", "mcp")
    assert shown["schema"]["properties"]["transport"]["enum"] == ["http", "stdio"]
    assert main(["plugins", "show", "--format", "json", "environment"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] is None
    assert main(["plugins", "--plugin-file", "ledger.py", "show", "ledger"]) == 0
    shown_lines = capsys.readouterr().out.splitlines()
    assert "The settings of the ledger log." in shown_lines
    assert any(line.split() == ["days", "integer", "-", "30"] for line in shown_lines)
    assert main(["plugins", "show", "reest"]) == 2
    assert "no plugin has a type 'reest'; did you mean 'rest'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "type_name", ["control", "echo", "exposes.mcp", "consumes.mcp", "rest", "skill", "http", "script", "file"]
)
def test_show_describes_every_type(type_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "show", type_name]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_errors_of_adapters_name_the_plugin(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = EXPOSER.replace("    config_class = Config\n", "    config_class = Config\n{body}")
    for name, body, reason in (
        ("raises", "    def catalog(self):\n        raise KeyError('x')\n", "KeyError: 'x' ("),
        ("nothing", "    def catalog(self):\n        return None\n", "it returned None; return a list of Catalog"),
        ("texts", "    def catalog(self):\n        return ['a']\n", "it returned 'a' among its entries; return"),
        ("builds", "    def __init__(self, *args):\n        raise KeyError('x')\n", "KeyError: 'x' ("),
    ):  # fmt: skip
        install_plugin(folder, name, source.replace("{body}", body).replace("{type}", name), {f"exposes.{name}": name})
        (folder / f"{name}.yaml").write_text(DOCUMENT.replace("control", name).replace("      port: 9\n", ""))
        assert main(["inspect", f"{name}.yaml"]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"adapter-host: plugin '{name}' (adapter-host-{name} 1.2): ")
        assert reason in error
        assert f"guest_{name}.py:" in error
