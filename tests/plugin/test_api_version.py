"""The version of the plugin API: a plugin that asks for another is told what to install."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapter_host import API_VERSION, PluginError, Plugins

Told = Callable[..., str]
CORE = f"adapter-host-core {metadata.version('adapter-host-core')}"
MAJOR, MINOR = map(int, API_VERSION.split("."))


def install(folder: Path, module: str, requires: str = "") -> None:
    """Put a distribution `adapter-host-guest` 2.1 on a folder of the path, with an entry point `guest`."""
    (folder / "guest.py").write_text(module)
    info = folder / "adapter_host_guest-2.1.dist-info"
    info.mkdir()
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: adapter-host-guest\nVersion: 2.1\n{needs}")
    (info / "entry_points.txt").write_text("[adapter_host]\nguest = guest\n")


@pytest.fixture
def failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the guest of a module's text and requirement is told, or nothing when it is taken."""
    monkeypatch.syspath_prepend(tmp_path)

    def found(module: str, requires: str = "") -> str:
        install(tmp_path, module, requires)
        try:
            plugins = Plugins.installed()
        finally:
            sys.modules.pop("guest", None)
        told = [str(error) for error in plugins.failed if "'guest'" in str(error)]
        assert bool(told) is ("guest" not in [info.name for info in plugins.registered])
        return "".join(told)

    return found


@pytest.mark.parametrize("asked", [API_VERSION, f"{MAJOR}.0", None])
def test_a_plugin_of_this_api_is_taken(asked: str | None) -> None:
    plugin = SimpleNamespace(requires_api=asked) if asked else SimpleNamespace()
    assert [info.name for info in Plugins({"guest": plugin}).registered] == ["guest"]


@pytest.mark.parametrize("asked", [f"{MAJOR}.{MINOR + 1}", f"{MAJOR + 1}.0"])
def test_a_plugin_of_a_later_api_is_told_which_core(failure: Told, asked: str) -> None:
    assert failure(f'requires_api = "{asked}"', "adapter-host-core<0.9,>=0.8") == (
        f"plugin 'guest' (adapter-host-guest 2.1): it is written for plugin API {asked}, and {CORE} has {API_VERSION}"
        " (pip install 'adapter-host-core<0.9,>=0.8')"
    )


def test_a_plugin_of_an_earlier_api_is_told_to_be_upgraded(failure: Told) -> None:
    assert failure('requires_api = "0.9"', "adapter-host-core==0.0.1") == (
        f"plugin 'guest' (adapter-host-guest 2.1): it is written for plugin API 0.9, and {CORE} has {API_VERSION}"
        " (pip install --upgrade adapter-host-guest, or pip install 'adapter-host-core==0.0.1')"
    )


def test_without_a_requirement_the_latest_core_is_named(failure: Told) -> None:
    told = failure(f'requires_api = "{MAJOR + 1}.0"')
    assert told.endswith("(pip install --upgrade adapter-host-core)")


def test_a_name_that_this_core_has_not_is_told_likewise(failure: Told) -> None:
    told = failure("from adapter_host import Teleporter", "adapter-host-core<0.9,>=0.8")
    assert told.startswith("plugin 'guest' (adapter-host-guest 2.1): ImportError: cannot import name 'Teleporter' ")
    assert told.endswith(f" ({CORE} has plugin API {API_VERSION}; pip install 'adapter-host-core<0.9,>=0.8')")


def test_another_failed_import_is_not_blamed_on_the_core(failure: Told) -> None:
    told = failure("import a_module_that_is_not_there", "adapter-host-core<0.9,>=0.8")
    assert told.endswith("ModuleNotFoundError: No module named 'a_module_that_is_not_there'")


@pytest.mark.parametrize("asked", ["one", "1", 1.0, "1.0.0"])
def test_what_is_no_version_is_told(asked: object) -> None:
    with pytest.raises(PluginError, match=r"plugin 'guest': its requires_api must be a version as '\d+\.\d+' \(given "):
        Plugins({"guest": SimpleNamespace(requires_api=asked)})


def test_nothing_is_kept_of_a_plugin_of_another_api() -> None:
    plugins = Plugins()
    with pytest.raises(PluginError):
        plugins.register("guest", SimpleNamespace(requires_api="99.0"))
    plugins.register("guest", SimpleNamespace())
    assert [info.name for info in plugins.registered] == ["guest"]
