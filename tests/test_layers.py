"""Imports between the core's modules run one way, and its modules stay small and typed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[1] / "core/adapter_host"
FILES = sorted(CORE.rglob("*.py"))

LAYERS = (
    {"api", "credentials", "errors", "media", "places", "problem_json", "settings", "streams", "tracing"},
    {"document"},
    {"model"},
    {"capability", "location", "openapi", "template"},
    {"curl", "declaration", "jsonpath"},
    {"inputs", "wording"},
    {"operation", "scope", "shaping"},
    {"provision"},
    {"adapters", "flow", "mappings"},
    {"binary"},
    {"digest", "oauth2", "resolve", "step_types"},
    {"hookspecs"},
    {"aggregates", "auth", "forwarding", "gate", "lookups", "plugins", "switch", "units"},
    {"access", "mocks", "steps"},
    {"compiler"},
    {"load", "plan"},
    {"listeners"},
    {"building", "generation", "reloads"},
    {"attachment", "exposure"},
    {"host"},
    {"embedding"},
    {"__init__"},
    {"cli", "testing"},
    {"__main__"},
)
"""From the bottom to the top: a module imports what is below it alone."""

DOCUMENT_LAYERS = (
    {"words"},
    {"nodes", "scalars"},
    {"syntax"},
    {"reader"},
    {"source"},
    {"binds", "dialects", "strict"},
    {"imports", "secret_files"},
)
DIALECT_LAYERS = ({"versions"}, {"rewriting"}, {"shapes"})
STRICT_LAYERS = (
    {"grammar"},
    {"modes", "terms"},
    {"control", "outputs", "parts"},
    {"alpha2", "beta5"},
    {"languages"},
)
LANGUAGE_LAYERS = ({"units"}, {"consumed"}, {"exposed"}, {"document"})
OAUTH2_LAYERS = (
    {"claims", "issuer"},
    {"server"},
    {"introspection", "keys", "resource"},
    {"compiler", "tokens"},
)
OPENAPI_LAYERS = (
    {"fetch", "media", "model", "names", "notes", "places"},
    {"documents", "schemas", "security"},
    {"inputs", "samples"},
    {"answers"},
    {"version2", "version3"},
    {"reading", "writing"},
)
CLI_LAYERS = (
    {"__init__", "logs", "text"},
    {"about", "announce", "options", "scaffold", "watch"},
    {"served"},
    {"worker"},
    {"call", "exporting", "importing", "inspect", "plugins", "validate", "workers"},
    {"serve"},
)
TESTING_LAYERS = ({"contract", "fake"}, {"running"}, {"consumer_contract", "exposer_contract"})

LATE_IMPORTS = {
    ("__init__.py", "__getattr__", "_import_module"),
    ("auth.py", "compile_credentials", "from .oauth2.compiler import compile_oauth2"),
    ("jsonpath.py", "_environment", "from jsonpath import JSONPathEnvironment"),
    ("jsonpath.py", "_general", "from jsonpath import JSONPath, JSONPathError"),
    ("cli/__init__.py", "_module", "import_module"),
    ("cli/serve.py", "_loop_factory", "import_module"),
    ("oauth2/compiler.py", "_signed", "import_module"),
}
"""Imports inside a function that have their reason: a command brings what it needs alone; others may be missing."""

LONGEST = 500
LOOK_HARD = 300
LONG = {"testing.exposer_contract"}
"""Modules that have been looked at, and are longer for a reason."""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(CORE).with_suffix("").parts)


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """The core's modules that a module imports (`document.source`), each with what it takes from it."""
    package = path.relative_to(CORE).parent.parts
    for node in runtime_nodes(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            above = package[: len(package) - node.level + 1]
            module = ".".join((*above, *filter(None, [node.module])))
        elif (node.module or "").split(".")[0] == "adapter_host":
            module = (node.module or "").removeprefix("adapter_host").removeprefix(".")
        else:
            continue
        for alias in node.names:
            below = f"{module}.{alias.name}".lstrip(".")
            is_module = (CORE / below.replace(".", "/")).with_suffix(".py").is_file()
            yield (below if is_module else module or "__init__"), alias.name


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those for type checkers alone."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from runtime_nodes(child)


def heights(layers: tuple[set[str], ...]) -> dict[str, int]:
    return {name: height for height, names in enumerate(layers) for name in names}


def check(package: str, layers: tuple[set[str], ...]) -> None:
    """The modules of one package (a sub-package counts as one) import what is in lower layers alone."""
    known = heights(layers)
    folder = CORE / package.replace(".", "/")
    present = {path.relative_to(folder).parts[0].removesuffix(".py") for path in FILES if path.is_relative_to(folder)}
    assert present - {"__init__"} <= known.keys() <= present, "a module has no layer, or a layer no module"
    wrong = []
    for path in FILES:
        if not path.is_relative_to(folder):
            continue
        own = path.relative_to(folder).parts[0].removesuffix(".py")
        if own not in known:
            continue
        for module, _ in imported(path):
            prefix = f"{package}." if package else ""
            if not f"{module}.".startswith(prefix):
                continue
            other = module.removeprefix(prefix.rstrip(".")).lstrip(".").split(".")[0] or "__init__"
            if other in known and other != own and known[other] >= known[own]:
                wrong.append(f"{name_of(path)} imports {module}")
    assert wrong == []


def test_the_core() -> None:
    check("", LAYERS)


def test_the_document() -> None:
    check("document", DOCUMENT_LAYERS)


def test_the_strict_language() -> None:
    check("document.strict", STRICT_LAYERS)
    check("document.dialects", DIALECT_LAYERS)
    check("document.strict.alpha2", LANGUAGE_LAYERS)
    check("document.strict.beta5", LANGUAGE_LAYERS)


def test_oauth2() -> None:
    check("oauth2", OAUTH2_LAYERS)


def test_openapi() -> None:
    check("openapi", OPENAPI_LAYERS)


def test_the_command() -> None:
    check("cli", CLI_LAYERS)


def test_the_kit() -> None:
    check("testing", TESTING_LAYERS)


def functions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Every function of a module, and whether it is in the public contract by its own name and its class's."""

    def walk(node: ast.AST, public: bool) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield child, public and not child.name.startswith("_")
                yield from walk(child, False)
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, public and not child.name.startswith("_"))
            else:
                yield from walk(child, public)

    yield from walk(ast.parse(path.read_text()), True)


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


def test_nothing_is_imported_late() -> None:
    assert {found for path in FILES for found in late_imports(path)} == LATE_IMPORTS


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_modules_are_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= (LONGEST if name_of(path) in LONG else LOOK_HARD)


def size(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def test_functions_fit_in_one_look() -> None:
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
        "key_place",
        "replaced",
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


def test_there_is_no_state_of_a_module() -> None:
    """Two hosts in one process share nothing: no module makes a registry, session or lock at its top."""
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
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr) and statement.value is not None
        for node in ast.walk(statement.value)
        if isinstance(node, ast.Call) and (getattr(node.func, "id", "") or getattr(node.func, "attr", "")) in makers
    ]
    assert made == []
