"""The version of the plugin API, and hints for incompatible plugins."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapter_host import API_VERSION, PluginError, Plugins

Register = Callable[..., str]
CORE = f"adapter-host-core {metadata.version('adapter-host-core')}"
MAJOR, MINOR = map(int, API_VERSION.split("."))


def install(folder: Path, module: str, requires: str = "") -> None:
    """Install a distribution `adapter-host-guest` 2.1 with an entry point `guest` into a folder of the path."""
    (folder / "guest.py").write_text(module)
    info = folder / "adapter_host_guest-2.1.dist-info"
    info.mkdir()
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: adapter-host-guest\nVersion: 2.1\n{needs}")
    (info / "entry_points.txt").write_text("[adapter_host]\nguest = guest\n")


@pytest.fixture
def failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Return a function that installs a plugin and returns its error; empty when it is registered."""
    monkeypatch.syspath_prepend(tmp_path)

    def install_and_load(module: str, requires: str = "") -> str:
        install(tmp_path, module, requires)
        try:
            plugins = Plugins.installed()
        finally:
            sys.modules.pop("guest", None)
        message = [str(error) for error in plugins.failed if "'guest'" in str(error)]
        assert bool(message) is ("guest" not in [info.name for info in plugins.registered])
        return "".join(message)

    return install_and_load


@pytest.mark.parametrize("version", [API_VERSION, f"{MAJOR}.0", None])
def test_compatible_plugin_is_registered(version: str | None) -> None:
    plugin = SimpleNamespace(requires_api=version) if version else SimpleNamespace()
    assert [info.name for info in Plugins({"guest": plugin}).registered] == ["guest"]


@pytest.mark.parametrize("version", [f"{MAJOR}.{MINOR + 1}", f"{MAJOR + 1}.0"])
def test_later_api_names_the_required_core(failure: Register, version: str) -> None:
    message = failure(f'requires_api = "{version}"', "adapter-host-core<0.9,>=0.8")
    assert message.startswith("plugin 'guest' (adapter-host-guest 2.1): ")
    assert f" plugin API {version}, " in message
    assert message.endswith(f" {CORE} has {API_VERSION} (pip install 'adapter-host-core<0.9,>=0.8')")


def test_earlier_api_suggests_an_upgrade(failure: Register) -> None:
    message = failure('requires_api = "0.9"', "adapter-host-core==0.0.1")
    assert " plugin API 0.9, " in message
    assert message.endswith("(pip install --upgrade adapter-host-guest, or pip install 'adapter-host-core==0.0.1')")


def test_without_a_requirement_the_latest_core_is_suggested(failure: Register) -> None:
    message = failure(f'requires_api = "{MAJOR + 1}.0"')
    assert message.endswith("(pip install --upgrade adapter-host-core)")


def test_missing_core_name_names_the_required_core(failure: Register) -> None:
    message = failure("from adapter_host import Teleporter", "adapter-host-core<0.9,>=0.8")
    assert message.startswith("plugin 'guest' (adapter-host-guest 2.1): ImportError: cannot import name 'Teleporter' ")
    assert f" ({CORE} has plugin API {API_VERSION}; pip install 'adapter-host-core<0.9,>=0.8')" in message
    assert message.endswith("/guest.py:1)")


def test_unrelated_import_error_has_no_hint(failure: Register) -> None:
    message = failure("import a_module_that_is_not_there", "adapter-host-core<0.9,>=0.8")
    assert "ModuleNotFoundError: No module named 'a_module_that_is_not_there' (/" in message
    assert "pip install" not in message


@pytest.mark.parametrize("version", ["one", "1", 1.0, "1.0.0"])
def test_invalid_requires_api(version: object) -> None:
    with pytest.raises(PluginError, match=r"^plugin 'guest': 'requires_api' .*\(given "):
        Plugins({"guest": SimpleNamespace(requires_api=version)})


def test_incompatible_plugin_leaves_nothing_registered() -> None:
    plugins = Plugins()
    with pytest.raises(PluginError):
        plugins.register("guest", SimpleNamespace(requires_api="99.0"))
    plugins.register("guest", SimpleNamespace())
    assert [info.name for info in plugins.registered] == ["guest"]
