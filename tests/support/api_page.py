"""The public API as text, from the source code: signatures, attributes and docstrings."""

from __future__ import annotations

import ast
import enum
import inspect
from collections.abc import Collection, Iterator
from copy import deepcopy
from functools import cache
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import adapter_host
import adapter_host.testing

from .source_trees import parsed

PUBLIC = frozenset({*adapter_host.__all__, *adapter_host.testing.__all__})
Function = ast.FunctionDef | ast.AsyncFunctionDef


def class_node(owner: type) -> ast.ClassDef:
    """Return the node of a class, which callers may change."""
    node: ast.Module | ast.ClassDef = parsed(source_file(owner))
    for name in owner.__qualname__.split("."):
        (node,) = (each for each in node.body if isinstance(each, ast.ClassDef) and each.name == name)
    assert isinstance(node, ast.ClassDef)
    return deepcopy(node)


def shown_class(owner: type) -> ast.ClassDef:
    """Return the node of a class for the page: with expanded annotations, and without hidden members."""
    node = class_node(owner)
    path = source_file(owner)
    for each in ast.walk(node):
        if isinstance(each, ast.AnnAssign):
            each.annotation = expand(each.annotation, path, PUBLIC)
        elif isinstance(each, Function):
            expand_function(each, path)
    node.body = [each for each in node.body if not is_hidden(owner, getattr(each, "name", "") or assigned(each))]
    return node


def expand_function(node: Function, path: Path) -> Function:
    for arg in arguments(node):
        arg.annotation = arg.annotation and expand(arg.annotation, path, PUBLIC)
    node.returns = node.returns and expand(node.returns, path, PUBLIC)
    return node


def function_node(function: Any) -> Function:
    (node,) = ast.parse(dedent(inspect.getsource(inspect.unwrap(function)))).body
    assert isinstance(node, Function)
    return node


def documented(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each statement with the docstring below it, or an empty text."""
    for statement, after in pairwise([*body, ast.Pass()]):
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        yield statement, inspect.cleandoc(str(after.value.value)) if is_text else ""  # type: ignore[attr-defined]


def values(root: Path) -> dict[str, tuple[ast.stmt, str]]:
    """Return the assignments of modules that have a docstring, by name."""
    found = {}
    for path in root.rglob("*.py"):
        for statement, text in documented(parsed(path).body):
            target = assigned(statement)
            if target and text:
                found[target] = (statement, text)
    return found


def assigned(statement: ast.stmt) -> str:
    """Return the name that a statement assigns to, or an empty text."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def signature(node: Function, *, name: str | None = None, bound: bool = True) -> str:
    """Return the signature of a function, without `self` or `cls` if it is bound."""
    args = ast.arguments(**{field: getattr(node.args, field) for field in node.args._fields})
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    if bound and "staticmethod" not in decorators:
        if args.posonlyargs:
            args.posonlyargs = args.posonlyargs[1:]
        else:
            args.args = args.args[1:]
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returned = f" -> {ast.unparse(node.returns)}" if node.returns and name is None else ""
    return f"{prefix}{name or node.name}({ast.unparse(args)}){returned}"


def attributes(node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Yield name, declaration and docstring of the public attributes of a class, those of its `__init__` last."""
    seen = set()
    for statement, text in documented(node.body):
        name = assigned(statement)
        if name and not name.startswith("_") and name not in {"model_config"}:
            seen.add(name)
            yield name, declaration(statement), text
    init = next((each for each in node.body if isinstance(each, Function) and each.name == "__init__"), None)
    annotations = {arg.arg: arg.annotation for arg in arguments(init)} if init else {}
    for assignment in ast.walk(init) if init else ():
        target = assignment.targets[0] if isinstance(assignment, ast.Assign) else getattr(assignment, "target", None)
        if not isinstance(assignment, ast.Assign | ast.AnnAssign) or not isinstance(target, ast.Attribute):
            continue
        is_own = isinstance(target.value, ast.Name) and target.value.id == "self" and not target.attr.startswith("_")
        if is_own and target.attr not in seen:
            seen.add(target.attr)
            value = assignment.value.id if isinstance(assignment.value, ast.Name) else ""
            annotation = assignment.annotation if isinstance(assignment, ast.AnnAssign) else annotations.get(value)
            yield target.attr, target.attr + (f": {ast.unparse(annotation)}" if annotation else ""), ""


def declaration(statement: ast.stmt) -> str:
    """Return an assignment in one line; a long value is left out."""
    text = " ".join(ast.unparse(statement).split())
    return text if len(text) <= 110 else text.partition(" = ")[0]


def arguments(node: Function) -> list[ast.arg]:
    args = node.args
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, [args.vararg, args.kwarg])]


def members(owner: type) -> Iterator[tuple[str, Function, bool]]:
    """Yield name, node and whether it is a property of the public methods that a class itself defines."""
    for node in shown_class(owner).body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if not any(decorator.endswith((".setter", "overload")) for decorator in decorators):
                yield node.name, node, any("property" in decorator for decorator in decorators)


def first_line(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def entry(name: str, member: Any, docs: dict[str, tuple[ast.stmt, str]]) -> Iterator[str]:
    """Yield the part of the page about one name."""
    yield from (f"### {name}", "")
    if inspect.isclass(member):
        yield from class_entry(name, member)
    elif inspect.isroutine(member):
        yield from (
            "```text",
            signature(expand_function(function_node(member), source_file(member)), bound=False),
            "```",
            "",
            inspect.getdoc(member) or "",
        )
    else:
        statement, text = docs[name]
        shown = declaration(statement)
        if not name.isupper() and " = " in shown and "Annotated[" not in shown:
            yield from ("```text", shown, "```", "")
        yield text


def class_entry(name: str, owner: type) -> Iterator[str]:
    if not issubclass(owner, enum.Enum):
        node = shown_class(owner)
        init = next((each for each in node.body if isinstance(each, Function) and each.name == "__init__"), None)
        bases = [ast.unparse(base) for base in node.bases if not ast.unparse(base).startswith(("ABC", "Generic"))]
        shown = signature(init, name=name) if init else name
        yield from ("```text", f"class {shown}" + (f": {', '.join(bases)}" if bases else ""), "```", "")
    yield inspect.getdoc(owner) or ""
    lines = []
    if not issubclass(owner, enum.Enum):
        for _, shown, text in attributes(shown_class(owner)):
            lines.append(f"* `{shown}`" + (f": {first_line(text)}" if text else ""))
        for member, function, is_property in members(owner):
            returned = f": {ast.unparse(function.returns)}" if function.returns else ""
            shown = f"{member}{returned}" if is_property else signature(function)
            text = first_line(ast.get_docstring(function) or inspect.getdoc(getattr(owner, member)))
            lines.append(f"* `{shown}`" + (f": {text}" if text else ""))
    if lines:
        yield from ("", *lines)


def section(module: ModuleType, docs: dict[str, tuple[ast.stmt, str]]) -> Iterator[str]:
    yield f"## `{module.__name__}`"
    for name in module.__all__:
        yield ""
        yield from entry(name, getattr(module, name), docs)


HIDDEN = {
    "AsgiApplication": {"__init__"},
    "BuildContext": {"__init__", "sockets"},
    "ExposerPlan": {"credentials", "limiter"},
    "Host": {"attach_to", "reserve_ports"},
    "ListeningSocket": {"__init__"},
    "LoadedCapability": {"binds", "create", "diagnostics", "secrets", "template"},
    "Schema": {"__init__", "pool", "prepare"},
    "ServedRequest": {"__init__"},
    "Source": {"__init__", "nodes_to", "replace", "replace_from", "root"},
    "Template": {"__init__", "parts"},
}
"""Members of public classes that only the host itself uses; plugins have other names for the same."""


def is_hidden(owner: type, member: str) -> bool:
    return member in HIDDEN.get(owner.__name__, ())


class Expanded(ast.NodeTransformer):
    """Replaces the names of private aliases by their values, and `Annotated[X, ...]` by `X`."""

    def __init__(self, path: Path, public: Collection[str]) -> None:
        self.path, self.public = path, public

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.public:
            return node
        path, statement = definition(self.path, node.id)
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None or is_variable(statement):
            return node
        expanded: ast.expr = Expanded(path, self.public).visit(deepcopy(statement.value))
        return expanded

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if ast.unparse(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
            inner: ast.expr = self.visit(node.slice.elts[0])
            return inner
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return node


def is_variable(statement: ast.stmt) -> bool:
    return any(maker in ast.unparse(statement) for maker in ("TypeVar(", "ParamSpec("))


@cache
def definition(path: Path, name: str) -> tuple[Path, ast.stmt | None]:
    """Return the module and the statement that define a name of this package; None for other names."""
    for statement in ast.walk(parsed(path)):
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            return path, statement
        if isinstance(statement, ast.ImportFrom) and name in {alias.asname or alias.name for alias in statement.names}:
            original = next(alias.name for alias in statement.names if (alias.asname or alias.name) == name)
            source = imported_file(path, statement)
            return definition(source, original) if source is not None else (path, None)
    for statement in parsed(path).body:
        if assigned(statement) == name:
            return path, statement
    return path, None


def imported_file(path: Path, statement: ast.ImportFrom) -> Path | None:
    """Return the file that a statement imports from, if it is one of this package."""
    module = statement.module or ""
    if statement.level:
        base = path.parents[statement.level - 1]
    elif module == "adapter_host":
        (name,) = [alias.name for alias in statement.names][:1]
        return imported_public(name)
    elif module.startswith("adapter_host."):
        base = next(parent for parent in path.parents if parent.name == "adapter_host").parent
    else:
        return None
    file = base.joinpath(*module.split("."))
    return file / "__init__.py" if file.is_dir() else file.with_suffix(".py")


def imported_public(name: str) -> Path | None:
    module = adapter_host._MODULES.get(name)
    return Path(adapter_host.__file__).parent.joinpath(*module.split(".")).with_suffix(".py") if module else None


def expand(annotation: ast.expr, path: Path, public: Collection[str]) -> ast.expr:
    is_text = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    original = ast.parse(annotation.value, mode="eval").body if is_text else deepcopy(annotation)  # type: ignore[attr-defined]
    expanded: ast.expr = Expanded(path, public).visit(original)
    return expanded


def private_types(owner: Any, public: Collection[str]) -> Iterator[str]:
    """Yield the classes of this package in the signatures of a public class or function that are not public."""
    path = source_file(owner)
    for annotation in annotations_of(owner):
        for node in ast.walk(expand(annotation, path, public)):
            if isinstance(node, ast.Name) and node.id not in public:
                _, statement = definition(path, node.id)
                if isinstance(statement, ast.ClassDef):
                    yield node.id


def source_file(owner: Any) -> Path:
    file = inspect.getsourcefile(inspect.unwrap(owner) if inspect.isroutine(owner) else owner)
    assert file is not None
    return Path(file)


def annotations_of(owner: Any) -> Iterator[ast.expr]:
    if not inspect.isclass(owner):
        yield from function_annotations(function_node(owner))
        return
    for node in class_node(owner).body:
        if isinstance(node, Function) and (not node.name.startswith("_") or node.name in ("__init__", "__call__")):
            if not is_hidden(owner, node.name):
                yield from function_annotations(node)
        elif isinstance(node, ast.AnnAssign) and not assigned(node).startswith("_"):
            yield from [] if is_hidden(owner, assigned(node)) else [node.annotation]


def function_annotations(node: Function) -> Iterator[ast.expr]:
    yield from (arg.annotation for arg in arguments(node) if arg.annotation)
    if node.returns:
        yield node.returns
