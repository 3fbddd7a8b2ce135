"""JavaScript as it is written: what cannot stand in a script, and where its statements begin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

from .counting import TICK, Insertion, inserted
from .files import Source
from .language import ScriptMistake

_LANGUAGE: Final = Language(tree_sitter_javascript.language())

_BLOCKS: Final = frozenset({"program", "statement_block", "switch_case", "switch_default"})
_BODIES: Final = frozenset({"body", "consequence"})
_MODULES: Final = frozenset({"import_statement", "export_statement", "import"})
_LOOPS: Final = frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"})
_UNCOUNTED: Final = frozenset({"function_declaration", "generator_function_declaration", "empty_statement"})
_CALL: Final = f"{TICK}();".encode()


class Syntax:
    """A script's syntax tree, which is there for any text."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text.encode()
        self._root = Parser(_LANGUAGE).parse(self._text).root_node

    def check(self) -> None:
        """Raise `ScriptMistake` for what modules alone have."""
        for node in _walk(self._root):
            if node.type in _MODULES:
                message = f"'{node.type.partition('_')[0]}' is not possible in a script"
                raise ScriptMistake(self._source, f"{message} (name other files in 'dependencies')", *_place(node))

    def counted(self) -> str:
        """The script, each of its statements counted; raises `ScriptMistake` where the tree has a gap."""
        if self._root.has_error:
            raise _mistake(self._source, self._root)
        return inserted(self._text, (each for node in _walk(self._root) for each in _insertions(node)))


def _walk(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += node.children


def _insertions(node: Node) -> Iterator[Insertion]:
    """What counts the statements directly below a node."""
    if node.type in _BLOCKS:
        directives = node.type != "switch_case"
        for child in node.children:
            if not _is_statement(child):
                continue
            directives = directives and _is_directive(child)
            if not directives and child.type not in _UNCOUNTED:
                yield child.start_byte, 2, _CALL
        return
    if node.type == "labeled_statement":
        return  # a label belongs to its loop
    for index, child in enumerate(node.children):
        single = node.field_name_for_child(index) in _BODIES or node.type == "else_clause"
        if node.type in _LOOPS and child.type == "statement_block" and not any(map(_is_statement, child.children)):
            yield child.start_byte + 1, 1, _CALL
        elif single and _is_statement(child) and child.type not in ("statement_block", "function_declaration"):
            yield child.start_byte, 1, b"{" + _CALL
            yield child.end_byte, 0, b"}"


def _is_statement(node: Node) -> bool:
    return node.type.endswith(("_statement", "_declaration")) or node.type == "statement_block"


def _is_directive(node: Node) -> bool:
    return (
        node.type == "expression_statement" and node.named_child_count == 1 and node.named_children[0].type == "string"
    )


def _mistake(source: Source, root: Node) -> ScriptMistake:
    """What the parser stumbled over first."""
    wrong = min((node for node in _walk(root) if node.is_error or node.is_missing), key=lambda node: node.start_byte)
    message = f"'{wrong.type}' is missing" if wrong.is_missing else f"unexpected {_word(wrong)!r}"
    return ScriptMistake(source, f"this is no JavaScript: {message}", *_place(wrong))


def _word(node: Node) -> str:
    words = (node.text or b"").decode(errors="replace").split()
    return words[0][:40] if words else "end of the script"


def _place(node: Node) -> tuple[int, int]:
    return node.start_point[0] + 1, node.start_point[1] + 1
