"""Plugins that are single files of Python, outside of any distribution."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

from .origins import Origin

_PREFIX: Final = "adapter_host_file_"


def import_file(path: Path) -> tuple[Origin, ModuleType]:
    """Import a file and return it as a plugin named like the file; raise `PluginError`."""
    module_name = _PREFIX + "".join(character if character.isalnum() else "_" for character in path.stem)
    origin = Origin(path.stem, module_name)
    with origin.named(position=str(path)):
        spec = spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"'{path}' is not a Python file; its name must end in .py")
        module = module_from_spec(spec)
        # Models look up their annotations in the module of this name.
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[module_name]
            raise
    return origin, module
