"""JavaScript syntax: finds unsupported statements, and where to insert counters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

from .files import Source
from .instrumentation import COUNT_FUNCTION, Insertion, insert
from .language import InvalidScriptError

_LANGUAGE: Final = Language(tree_sitter_javascript.language())

_BLOCKS: Final = frozenset({"program", "statement_block", "switch_case", "switch_default"})
_BODIES: Final = frozenset({"body", "consequence"})
_MODULES: Final = frozenset({"import_statement", "export_statement", "import"})
_LOOPS: Final = frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"})
_UNCOUNTED: Final = frozenset({"function_declaration", "generator_function_declaration", "empty_statement"})
_COUNT_CALL: Final = f"{COUNT_FUNCTION}();".encode()


class Syntax:
    """The syntax tree of a script; invalid scripts have one, too."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text.encode()
        self._root = Parser(_LANGUAGE).parse(self._text).root_node

    def check(self) -> None:
        """Raise `InvalidScriptError` for syntax of modules."""
        for node in _walk(self._root):
            if node.type in _MODULES:
                message = f"'{node.type.partition('_')[0]}' is not supported in scripts"
                raise InvalidScriptError(
                    self._source, f"{message}; list other files in 'dependencies'", *_position(node)
                )

    def instrumented(self) -> str:
        """Return the script with statement counters; raises `InvalidScriptError` for syntax errors."""
        if self._root.has_error:
            raise _syntax_error(self._source, self._root)
        return insert(self._text, (insertion for node in _walk(self._root) for insertion in _insertions(node)))


def _walk(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += node.children


def _insertions(node: Node) -> Iterator[Insertion]:
    """Yield the counters of the statements directly below a node."""
    if node.type in _BLOCKS:
        directives = node.type != "switch_case"
        for child in node.children:
            if not _is_statement(child):
                continue
            directives = directives and _is_directive(child)
            if not directives and child.type not in _UNCOUNTED:
                yield child.start_byte, 2, _COUNT_CALL
        return
    if node.type == "labeled_statement":
        return  # a label must directly precede its loop
    for index, child in enumerate(node.children):
        single = node.field_name_for_child(index) in _BODIES or node.type == "else_clause"
        if node.type in _LOOPS and child.type == "statement_block" and not any(map(_is_statement, child.children)):
            yield child.start_byte + 1, 1, _COUNT_CALL
        elif single and _is_statement(child) and child.type not in ("statement_block", "function_declaration"):
            yield child.start_byte, 1, b"{" + _COUNT_CALL
            yield child.end_byte, 0, b"}"


def _is_statement(node: Node) -> bool:
    return node.type.endswith(("_statement", "_declaration")) or node.type == "statement_block"


def _is_directive(node: Node) -> bool:
    return (
        node.type == "expression_statement" and node.named_child_count == 1 and node.named_children[0].type == "string"
    )


def _syntax_error(source: Source, root: Node) -> InvalidScriptError:
    """Return the first syntax error of the tree."""
    errors = (node for node in _walk(root) if node.is_error or node.is_missing)
    first = min(errors, key=lambda node: node.start_byte)
    message = f"'{first.type}' is missing" if first.is_missing else f"unexpected {_first_word(first)!r}"
    return InvalidScriptError(source, f"invalid JavaScript: {message}", *_position(first))


def _first_word(node: Node) -> str:
    words = (node.text or b"").decode(errors="replace").split()
    return words[0][:40] if words else "end of the script"


def _position(node: Node) -> tuple[int, int]:
    return node.start_point[0] + 1, node.start_point[1] + 1
