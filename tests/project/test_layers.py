"""Tests of the layers: imports run one way, and modules are short and typed."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.source_trees import parsed

CORE = ROOT / "core/adapter_host"
TREES = [CORE, *sorted(ROOT.glob("plugins/*/adapter_host_*"))]
FILES = sorted(CORE.rglob("*.py"))

PACKAGES = (
    "testing",
    "cli",
    "editing",
    "host",
    "server",
    "compiler",
    "auth",
    "plugin",
    "operation",
    "capability",
    "openapi",
    "binds",
    "state",
    "pages",
    "schemas",
    "document",
    "expressions",
)
"""The packages of the core from top to bottom; each imports only the packages after it."""

LATE_IMPORTS = {
    ("client_tunnel.py", "_connect", "from python_socks import ProxyError, ProxyType"),
    ("client_tunnel.py", "_connect", "from python_socks.async_.asyncio.v2 import Proxy"),
    ("__init__.py", "__getattr__", "_import_module"),
    ("compiler/loading/loader.py", "load_document", "from adapter_host.document.strict import check_strict"),
    (
        "compiler/loading/openapi_completion.py",
        "read",
        "from adapter_host.openapi import Documents, Fetcher, WarningCollector, capability, read_api",
    ),
    (
        "compiler/loading/openapi_source.py",
        "capability_of",
        "from adapter_host.openapi import Documents, WarningCollector, capability, read_api",
    ),
    ("schemas/schema.py", "validate", "from .validator import compile_validator"),
    ("schemas/validator_pool.py", "compile", "from .validator import compile_validators"),
    ("schemas/rewriting.py", "find_mistakes", "from .validator import schema_mistakes"),
    ("auth/upstream/authorizer.py", "_open_session", "from aiohttp import ClientTimeout"),
    (
        "auth/upstream/authorizer.py",
        "_open_session",
        "from adapter_host.client_session import open_client_session",
    ),
    (
        "auth/upstream/authorizer.py",
        "_open_session",
        "from adapter_host.proxied_connectors import SocksConnector, TunnelConnector",
    ),
    ("auth/upstream/compile.py", "_oauth2", "from .oauth2 import compile_oauth2"),
    ("proxied_connectors.py", "_connect", "from python_socks import ProxyError as SocksError"),
    ("proxied_connectors.py", "_connect", "from python_socks import ProxyType"),
    ("proxied_connectors.py", "_connect", "from python_socks.async_.asyncio import Proxy"),
    ("auth/compile.py", "compile_credentials", "from .oauth2.compiler import compile_oauth2"),
    ("expressions/jsonpath.py", "_environment", "from .jsonpath_filters import FilterEnvironment"),
    ("expressions/jsonpath.py", "compile_locations", "from jsonpath import JSONPathError"),
    ("expressions/jsonpath.py", "_full_getter", "from jsonpath import JSONPath, JSONPathError"),
    ("cli/__init__.py", "_module", "import_module"),
    ("cli/completion.py", "_argcomplete", "import_module"),
    ("cli/tokens.py", "find_tokenizer", "import_module"),
    ("cli/validate.py", "run", "from adapter_host.editing.check import check_text"),
    ("cli/validate.py", "run", "from .changes import find_changes, named_files, print_diff, write_fixes"),
    ("cli/serve/command.py", "_loop_factory", "import_module"),
    ("auth/oauth2/compiler.py", "_jwt_verifier", "import_module"),
    ("state/sealing.py", "unseal", "import_module"),
    ("state/sealing.py", "_ciphers", "import_module"),
}
"""Imports inside functions: commands import only what they need, and optional packages may be missing."""

LONGEST = 600
LOOK_HARD = 300
LONG = {"__init__", "testing.consumer_contract", "testing.exposer_contract", "testing.state_contract"}
"""Modules that are longer for a good reason: the list of public names, and the contracts."""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(CORE).with_suffix("").parts)


def module_of(path: Path) -> str:
    """Return the dotted name of a module, of the core or of a plugin."""
    start = next(index for index, part in enumerate(path.parts) if part.startswith("adapter_host"))
    parts = path.with_suffix("").parts[start:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, modules: Collection[str]) -> set[str]:
    """Return the modules of `modules` that a module imports, at the top, in functions or for type checkers."""
    module = module_of(path)
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join((*above, *filter(None, [node.module])))
            whole = {f"{source}.{alias.name}" for alias in node.names}
            found |= whole & set(modules) or {source}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(modules) - {module}


@cache
def import_graph(folder: Path) -> dict[str, set[str]]:
    files = {module_of(path): path for path in folder.rglob("*.py") if "templates" not in path.parts}
    return {module: imported(path, files) for module, path in files.items()}


def circle(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Return the nodes of a cycle, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_packages_import_downwards() -> None:
    heights = {package: height for height, package in enumerate(PACKAGES)}
    packages = {path.parent.name for path in CORE.glob("*/__init__.py")}
    assert packages == heights.keys()
    ground = {path.stem for path in CORE.glob("*.py")} - {"__init__", "__main__"}
    wrong = []
    for module, others in import_graph(CORE).items():
        own = module.split(".")[1] if "." in module else ""
        for other in others:
            target = other.split(".")[1] if "." in other else ""
            if own in ground and target not in ground:
                wrong.append(f"{module} imports {other}")
            # The test kit imports the public names, like plugins.
            upwards = own in heights and target not in ground | {own} and heights.get(target, -1) <= heights[own]
            if upwards and own != "testing":
                wrong.append(f"{module} imports {other}")
    assert wrong == []


@pytest.mark.parametrize("folder", TREES, ids=lambda folder: folder.name)
def test_modules_import_in_no_circle(folder: Path) -> None:
    # The package itself imports all public names for type checkers.
    graph = {module: others - {folder.name} for module, others in import_graph(folder).items() if module != folder.name}
    assert circle(graph) == []


@pytest.mark.parametrize("folder", TREES, ids=lambda folder: folder.name)
def test_packages_import_in_no_circle(folder: Path) -> None:
    """No package imports itself through others, at any depth."""
    graph = import_graph(folder)
    for package in {module.rpartition(".")[0] for module in graph if "." in module}:
        depth = package.count(".") + 2
        units: dict[str, set[str]] = {}
        for module, others in graph.items():
            if module.startswith(f"{package}."):
                unit = ".".join(module.split(".")[:depth])
                inside = {".".join(other.split(".")[:depth]) for other in others if other.startswith(f"{package}.")}
                units[unit] = units.get(unit, set()) | inside - {unit}
        assert circle(units) == []


@pytest.mark.parametrize("folder", TREES, ids=lambda folder: folder.name)
def test_packages_have_a_one_line_docstring(folder: Path) -> None:
    """The docstring names the imports that are allowed."""
    for init in folder.glob("*/__init__.py"):
        first = (ast.get_docstring(parsed(init)) or "").split("\n\n")[0]
        assert "\n" not in first, init
        assert "Imports " in first or folder != CORE, init


@cache
def functions(path: Path) -> tuple[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool], ...]:
    """Return every function of a module, and whether it is public."""

    def walk(node: ast.AST, public: bool) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield child, public and not child.name.startswith("_")
                yield from walk(child, False)
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, public and not child.name.startswith("_"))
            else:
                yield from walk(child, public)

    return tuple(walk(parsed(path), True))


def late_imports(path: Path) -> Iterator[tuple[str, str, str]]:
    for function, _ in functions(path):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield str(path.relative_to(CORE)), function.name, ast.unparse(node)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id.endswith("import_module")
            ):
                yield str(path.relative_to(CORE)), function.name, node.func.id


def test_imports_are_at_the_top() -> None:
    assert {found for path in FILES for found in late_imports(path)} == LATE_IMPORTS


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_modules_are_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= (LONGEST if name_of(path) in LONG else LOOK_HARD)


def size(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def test_functions_are_short() -> None:
    sizes = {f"{name_of(path)}.{function.name}": size(function) for path in FILES for function, _ in functions(path)}
    ordered = sorted(sizes.values())
    assert [name for name, lines in sizes.items() if lines > 50] == []
    assert ordered[len(ordered) // 2] < 10
    assert ordered[len(ordered) * 9 // 10] < 25


def test_everything_is_annotated() -> None:
    bare = []
    for path in FILES:
        for function, _ in functions(path):
            given = function.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, [given.vararg, given.kwarg])]
            missing = [each.arg for each in named if each.annotation is None and each.arg not in ("self", "cls")]
            if missing or function.returns is None:
                bare.append(f"{name_of(path)}.{function.name}")
    assert bare == []


def test_public_functions_are_documented() -> None:
    overridden = {
        "child",
        "key_position",
        "with_child",
        "operations",
        "call",
        "start",
        "stop",
        "register_consumers",
        "register_exposers",
    }
    bare = [
        f"{name_of(path)}.{function.name}"
        for path in FILES
        for function, public in functions(path)
        if public and not ast.get_docstring(function) and function.name not in overridden
    ]
    assert bare == []


def test_modules_have_no_state() -> None:
    """Two hosts in one process share nothing: no module creates a registry, session or lock."""
    makers = {
        "PluginManager",
        "Plugins",
        "Host",
        "ClientSession",
        "Lock",
        "Event",
        "dict",
        "list",
        "set",
        "basicConfig",
    }
    made = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        for statement in parsed(path).body
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr) and statement.value is not None
        for node in ast.walk(statement.value)
        if isinstance(node, ast.Call) and (getattr(node.func, "id", "") or getattr(node.func, "attr", "")) in makers
    ]
    assert made == []


def test_docstrings_do_not_return_what_a_function_does_not() -> None:
    """A docstring that begins with Return or Yield belongs to a function that is not annotated with None."""
    wrong = []
    for path in (path for base in ("core", "plugins", "tests") for path in (ROOT / base).rglob("*.py")):
        if "node_modules" in path.parts:
            continue
        for function, _ in functions(path):
            returns_nothing = isinstance(function.returns, ast.Constant) and function.returns.value is None
            if returns_nothing and (ast.get_docstring(function) or "").startswith(("Return ", "Yield ")):
                wrong.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}")
    assert wrong == []
