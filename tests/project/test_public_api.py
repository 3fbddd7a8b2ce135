"""Tests of the public API: every public name is listed, documented and importable, and no other."""

from __future__ import annotations

import ast
import enum
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

import adapter_host
import adapter_host.testing
from tests.support.paths import ROOT
from tests.support.source_trees import parsed


def in_order(names: list[str]) -> list[str]:
    """Sort constants, classes and functions, each by name."""
    return sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))


def test_all_is_sorted() -> None:
    assert adapter_host.__all__ == in_order(adapter_host.__all__)
    assert adapter_host.testing.__all__ == in_order(adapter_host.testing.__all__)


@pytest.mark.parametrize("module", [adapter_host, adapter_host.testing], ids=lambda module: module.__name__)
def test_only_public_names_are_exported(module: ModuleType) -> None:
    submodules = {found.name for found in pkgutil.iter_modules(module.__path__)}
    for name in module.__all__:
        getattr(module, name)
    offered = {name for name in vars(module) if not name.startswith("_")} - {"TYPE_CHECKING", "annotations"}
    assert offered - (submodules - set(module.__all__)) == set(module.__all__)


def test_lazy_exports_match_type_checking_imports() -> None:
    seen = {
        alias.name: node.module
        for node in ast.walk(parsed(Path(adapter_host.__file__)))
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert seen == adapter_host._MODULES
    assert sorted(seen) == sorted(adapter_host.__all__) == sorted(dir(adapter_host))
    with pytest.raises(AttributeError, match="module 'adapter_host' has no attribute 'absent'"):
        adapter_host.absent  # noqa: B018


def test_validate_imports_no_server() -> None:
    """Imports that only a server needs would take most of the time of `validate`."""
    program = (
        "import sys; from adapter_host.cli import main; code = main(sys.argv[1:]);"
        "print(*{'aiohttp', 'mcp', 'mcp_types', 'uvloop', 'jsonpath', 'jsonschema_rs'} & sys.modules.keys());"
        "sys.exit(code)"
    )
    file = ROOT / "capabilities/netbird-checkout.yaml"
    done = subprocess.run([sys.executable, "-c", program, "validate", file], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == [""]


def test_validate_imports_no_aiohttp() -> None:
    program = (
        "import sys, adapter_host.cli.validate; print(*{'aiohttp', 'jsonpath', 'jsonschema_rs'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("name", adapter_host.__all__)
def test_every_name_is_documented(name: str) -> None:
    value = getattr(adapter_host, name)
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        assert name in documented_values(), "a value's docstring stands below its assignment"
        return
    inherited = {getattr(parent, "__doc__", None) for parent in type.mro(value)[1:]} if inspect.isclass(value) else ()
    text = value.__doc__ or ""
    assert text.strip()
    assert text not in inherited
    assert not text.startswith(f"{name}("), "made by a decorator"


def public_members() -> Iterator[tuple[str, object]]:
    for name in adapter_host.__all__:
        value = getattr(adapter_host, name)
        if inspect.isclass(value) and not issubclass(value, enum.Enum):
            for member, found in vars(value).items():
                if not member.startswith("_") and (inspect.isfunction(found) or isinstance(found, property)):
                    yield f"{name}.{member}", found


def test_every_public_method_is_documented() -> None:
    assert [name for name, member in public_members() if not inspect.getdoc(member)] == []


@cache
def documented_values() -> set[str]:
    found = set()
    for path in (ROOT / "core/adapter_host").rglob("*.py"):
        body = parsed(path).body
        for statement, after in pairwise(body):
            documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            if isinstance(statement, ast.AnnAssign):
                targets = [statement.target]
            if documented:
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield every `from module import name` and `import module` (with an empty name) of first-party packages."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def plugin_files(*, tests: bool) -> list[Path]:
    return sorted(
        path
        for path in (ROOT / "plugins").glob("*/*/**/*.py")
        if (path.parts[-2] == "tests" or "tests" in path.parts) is tests
    )


def test_plugins_import_only_public_names() -> None:
    files = plugin_files(tests=False)
    assert len(files) > 10
    found = [(path, *each) for path in files for each in imports(path) if each[0].split(".")[0] == "adapter_host"]
    assert [each for each in found if each[1] != "adapter_host" or each[2] not in adapter_host.__all__] == []


def test_plugin_tests_import_only_public_names_and_the_kit() -> None:
    files = plugin_files(tests=True)
    assert len(files) > 5
    found = [(path, *each) for path in files for each in imports(path) if each[0].split(".")[0] == "adapter_host"]
    allowed = {
        *(("adapter_host", name) for name in adapter_host.__all__),
        *(("adapter_host.testing", name) for name in adapter_host.testing.__all__),
    }
    assert [each for each in found if each[1:] not in allowed] == []


def test_plugins_do_not_import_each_other() -> None:
    packages = {path.name for path in (ROOT / "plugins").glob("*/adapter_host_*")}
    assert len(packages) > 3
    for path in plugin_files(tests=False):
        own = next(part for part in path.parts if part in packages)
        others = {module.split(".")[0] for module, _ in imports(path)} & packages
        assert others <= {own}, path


def test_core_imports_no_plugin() -> None:
    for path in (ROOT / "core/adapter_host").rglob("*.py"):
        assert not [module for module, _ in imports(path) if module.startswith("adapter_host_")], path
