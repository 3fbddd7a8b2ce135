"""Installed plugins are imported when a document needs them, and a false declaration is an error."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, Plugins, ProblemsError, Settings
from adapter_host.cli import main
from tests.support.installed_plugins import EXPOSER, install_plugin

HOOK = """
from adapter_host import hookimpl

@hookimpl
def check_capability(loaded):
    return []
"""
DOCUMENT = "naftiko: 1.0.0-alpha2\ncapability:\n  exposes:\n    - type: {type}\n      namespace: a\n"
CONTROL = {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [{"type": "control", "namespace": "a", "port": 9}]}}


@pytest.fixture(autouse=True)
def _forget_modules() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.startswith("guest_")]:
        del sys.modules[name]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def document(type_name: str) -> dict[str, Any]:
    return {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [{"type": type_name, "namespace": "a"}]}}


def test_declared_plugin_is_imported_on_first_use(site: Path) -> None:
    install_plugin(site, "lines", EXPOSER.format(type="lines"), {"exposes.lines": "lines"})
    plugins = Plugins.installed()
    assert "lines" in plugins.names
    assert "lines" in plugins.exposers
    assert "lines" in list(plugins.exposers)
    Host(CONTROL, plugins=plugins)
    assert "guest_lines" not in sys.modules
    assert "lines" not in [info.name for info in plugins.registered]
    Host(document("lines"), plugins=plugins)
    assert "guest_lines" in sys.modules
    assert [info.exposers for info in plugins.registered if info.name == "lines"] == [("lines",)]


def test_value_may_be_the_object_reference(site: Path) -> None:
    install_plugin(site, "lines", EXPOSER.format(type="lines"), {"exposes.lines": "guest_lines"})
    plugins = Plugins.installed()
    assert "guest_lines" not in sys.modules
    assert plugins.exposers["lines"].__module__ == "guest_lines"


def test_undeclared_plugin_and_plugin_with_hooks_are_imported(site: Path) -> None:
    install_plugin(site, "plain", EXPOSER.format(type="plain"))
    install_plugin(site, "hooked", HOOK, {"hooks": "hooked"})
    plugins = Plugins.installed()
    assert {"guest_plain", "guest_hooked"} <= sys.modules.keys()
    assert {"plain", "hooked"} <= {info.name for info in plugins.registered}
    assert plugins.failed == []


@pytest.mark.parametrize(
    ("source", "declared", "reason"),
    [
        (EXPOSER, {"exposes.a": "bad", "exposes.b": "bad"}, "it declares 'exposes.b' and does not register it"),
        (EXPOSER, {"exposes.b": "bad"}, "it registers 'exposes.a', which it does not declare"),
        (EXPOSER + HOOK, {"exposes.a": "bad"}, "it implements check_capability and does not declare 'hooks'"),
        (EXPOSER, {"exposes.a": "bad", "hooks": "bad"}, "it declares 'hooks' and implements none"),
        (EXPOSER, {"expose.a": "bad"}, "unknown entry point 'expose.a' of adapter_host.types; use exposes.NAME"),
    ],
    ids=["unregistered", "undeclared", "hooks", "no hooks", "kind"],
)
def test_false_declaration(site: Path, source: str, declared: dict[str, str], reason: str) -> None:
    install_plugin(site, "bad", source.replace("{type}", "a"), declared)
    plugins = Plugins.installed()
    plugins.load_all()
    (error,) = plugins.failed
    assert str(error).startswith("plugin 'bad' (adapter-host-bad 1.2): ")
    assert reason in str(error)
    assert "a" not in plugins.exposers
    assert "bad" not in plugins.names


@pytest.mark.parametrize("declared", [{"exposes.rest": "second"}, {}], ids=["declared", "undeclared"])
def test_type_of_another_plugin(site: Path, declared: dict[str, str]) -> None:
    install_plugin(site, "second", EXPOSER.format(type="rest"), declared)
    plugins = Plugins.installed()
    (error,) = plugins.failed
    assert "plugin 'second' (adapter-host-second 1.2): register_exposers: exposes type 'rest' is already" in str(error)
    assert "registered by plugin 'rest'; choose another name" in str(error)
    assert plugins.exposers["rest"].__module__ == "adapter_host_rest.exposer"


def test_declaration_of_no_plugin(site: Path) -> None:
    install_plugin(site, "bad", EXPOSER.format(type="a"), {"exposes.a": "good"})
    plugins = Plugins.installed()
    (error,) = plugins.failed
    assert "entry point 'exposes.a' of adapter_host.types names no plugin" in str(error)
    assert "a" in plugins.exposers


def test_broken_plugin_stops_only_what_needs_it(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_plugin(site, "broken", "import sys\n\nsys.exit('no licence')\n", {"exposes.broken": "broken"})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.yaml").write_text(DOCUMENT.format(type="control") + "      port: 9\n")
    (tmp_path / "broken.yaml").write_text(DOCUMENT.format(type="broken"))
    assert main(["validate", "other.yaml"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["validate", "broken.yaml"]) == 1
    reported = capsys.readouterr().err
    assert reported.startswith("broken.yaml:4:13: unknown exposer type 'broken'")
    assert "plugin 'broken' (adapter-host-broken 1.2): it ends the process by SystemExit(no licence)" in reported
    assert "guest_broken.py:3)" in reported
    assert main(["plugins"]) == 1
    assert "failed: plugin 'broken' (adapter-host-broken 1.2): " in capsys.readouterr().err


def test_undeclared_plugin_that_exits_stops_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install_plugin(site, "broken", "raise SystemExit\n")
    plugins = Plugins.installed()
    Host(CONTROL, plugins=plugins)
    assert "it ends the process by SystemExit()" in str(plugins.failed[0])


def test_syntax_error_has_its_line(site: Path) -> None:
    install_plugin(site, "broken", "import sys\nfrom = 1\n")
    assert "SyntaxError" in str(Plugins.installed().failed[0])
    assert str(Plugins.installed().failed[0]).endswith("guest_broken.py:2)")


def test_same_type_in_several_threads(site: Path) -> None:
    """A build in another thread waits for the import that is going on."""
    install_plugin(site, "slow", f"import threading\nthreading.Event().wait(0.05)\n{EXPOSER.format(type='slow')}",
                   {"exposes.slow": "slow"})  # fmt: skip
    plugins, found = Plugins.installed(), []
    threads = [threading.Thread(target=lambda: found.append(plugins.exposers.get("slow"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert None not in found


def test_disabled_and_allowed(site: Path) -> None:
    install_plugin(site, "lines", EXPOSER.format(type="lines"), {"exposes.lines": "lines"})
    assert "lines" not in Plugins.installed({"lines"}).exposers
    allowed = Plugins.installed(allowed=["lines"])
    assert list(allowed.exposers) == ["lines"]
    assert {"http", "rest"} <= {*allowed.disabled}
    with pytest.raises(ProblemsError, match="unknown exposer type 'rest'"):
        Host(document("rest"), plugins=allowed, settings=Settings(environment={}))


def test_validate_imports_only_what_the_document_uses(site: Path, tmp_path: Path) -> None:
    for number in range(14):
        source = f"import not_there_{number}\n{EXPOSER.format(type=f'heavy{number}')}"
        install_plugin(site, f"heavy{number}", source, {f"exposes.heavy{number}": f"heavy{number}"})
    (tmp_path / "a.yaml").write_text(DOCUMENT.format(type="control") + "      port: 9\n")
    program = (
        "import sys; from adapter_host.cli import main; code = main(['validate', 'a.yaml']);"
        "print(sorted(name for name in sys.modules if name.startswith(('guest_', 'adapter_host_'))"
        " and '.' not in name)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(site)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    always = ["approval", "audit", "console", "control", "resilience"]
    assert done.stdout.splitlines()[-1] == str([f"adapter_host_{name}" for name in always])


def test_first_party_plugins_declare_their_types() -> None:
    """Their packages are imported only for documents that need them, and their declarations are true."""
    plugins = Plugins.installed()
    assert {info.name for info in plugins.registered} == {"approval", "audit", "console", "control", "resilience"}
    plugins.load_all()
    assert plugins.failed == []
    assert len(plugins.registered) == len(plugins.installed_names)
