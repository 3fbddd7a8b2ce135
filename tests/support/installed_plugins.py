"""Install plugins into a folder of the path, as distributions with metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install_plugin(folder: Path, name: str, source: str, declared: Mapping[str, str] = {}) -> None:
    """Install `adapter-host-NAME` 1.2 with a plugin, the module `guest_NAME`, and its declarations."""
    (folder / f"guest_{name}.py").write_text(source)
    info = folder / f"adapter_host_{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: adapter-host-{name}\nVersion: 1.2\n")
    entry_points = f"[adapter_host]\n{name} = guest_{name}\n\n[adapter_host.types]\n"
    (info / "entry_points.txt").write_text(
        entry_points + "".join(f"{key} = {value}\n" for key, value in declared.items())
    )


EXPOSER = """
from adapter_host import Exposer, ExposerConfig, hookimpl

class Config(ExposerConfig):
    pass

class Silent(Exposer):
    config_class = Config

@hookimpl
def register_exposers(register):
    register("{type}", Silent)
"""
"""A plugin with one type of exposer."""
