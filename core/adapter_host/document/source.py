"""A document: plain data with file, line and column of every value."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adapter_host.errors import Problem, ProblemsError
from adapter_host.regular_files import read_regular_file

from .nodes import Loc, Node, Position, node_from_data
from .yaml_reader import read_nodes

__all__ = ["MAX_BYTES", "Loc", "Source"]

MAX_BYTES = 10 * 1024 * 1024

LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_UNPRINTABLE = 20
_NO_TERMS: Mapping[str, str] = MappingProxyType({})


class Source:
    """A document; `data` is plain and read-only, `replace` creates it again.

    `converted_from` are the files of another kind that it was made from, if any.
    """

    __slots__ = ("converted_from", "file", "root", "terms")

    def __init__(self, file: str, root: Node) -> None:
        self.file = file
        self.root = root
        self.converted_from: tuple[str, ...] = ()
        self.terms: Mapping[str, str] = _NO_TERMS

    @property
    def data(self) -> Any:
        """The document as dict, list, str, int, float, bool and None."""
        return self.root.value

    @classmethod
    def read(cls, path: str | Path) -> "Source":
        """Read a file; raise ProblemsError."""
        file = str(path)
        try:
            raw = read_regular_file(path, MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ProblemsError([Problem(f"cannot read: {reason}", file, code="unreadable")]) from error
        return cls.parse(raw, file)

    @classmethod
    def parse(cls, text: str | bytes, file: str) -> "Source":
        """Parse text; raise ProblemsError."""
        if len(text) > MAX_BYTES:
            raise _too_large(file)
        decoded = _decode(text, file) if isinstance(text, bytes) else text
        decoded = decoded.removeprefix("\ufeff")
        problems = list(islice(_find_unprintable(decoded, file), _MAX_UNPRINTABLE))
        if problems:
            raise ProblemsError(problems)
        return cls(file, read_nodes(decoded, file))

    @classmethod
    def from_data(cls, data: Mapping[str, Any], file: str = "<capability>") -> "Source":
        """Return a document from a copy of plain data; raise ProblemsError for types that YAML does not have."""
        return cls(file, node_from_data(data, file))

    def position_of(self, loc: Loc, *, key: bool = False) -> Position:
        """Return file, line and column of the value (or the key) at `loc`, else of the nearest parent."""
        node = self.root
        position = node.position
        for step in loc:
            child = node.child(step)
            if child is None:
                return node.position
            position = (key and node.key_position(step)) or child.position
            node = child
        return position

    def problem(
        self, loc: Loc, message: str, *, code: str, warning: bool = False, key: bool = False, replacement: str = ""
    ) -> Problem:
        """Return a problem at `loc`; without lines the message starts with the path."""
        position = self.position_of(loc, key=key)
        prefix = "" if position[1] or not loc else f"{'.'.join(map(str, loc))}: "
        return Problem(f"{prefix}{message}", *position, code=code, warning=warning, replacement=replacement)

    def place(self, loc: Loc) -> str:
        """Return file, line and column of the value at `loc`, for messages about other places."""
        file, line, column = self.position_of(loc)
        return f"{file}:{line}:{column}" if line else file

    def term(self, term: str) -> str:
        """Return the name of a thing in the document's version of the language."""
        return self.terms.get(term, term)

    def replace_from(self, loc: Loc, other: "Source", other_loc: Loc) -> None:
        """Replace the node at `loc` by another document's node; other aliases of the old node keep it.

        Raise LookupError when either location does not exist. `data` is a new tree afterwards.
        """
        self.replace(loc, other.nodes_to(other_loc)[-1])

    def replace(self, loc: Loc, node: Node) -> None:
        """Replace the node at `loc`, as `replace_from` does."""
        parents = self.nodes_to(loc)
        for parent, key in zip(parents[-2::-1], loc[::-1], strict=True):
            node = parent.with_child(key, node)
        self.root = node

    def nodes_to(self, loc: Loc) -> list[Node]:
        """Return the nodes from the root to `loc`; raise LookupError when it does not exist."""
        nodes = [self.root]
        for key in loc:
            child = nodes[-1].child(key)
            if child is None:
                raise LookupError(loc)
            nodes.append(child)
        return nodes


def _too_large(file: str) -> ProblemsError:
    limit = MAX_BYTES // (1024 * 1024)
    return ProblemsError([Problem(f"larger than {limit} MiB", file, code="too-large")])


def _decode(raw: bytes, file: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            message = "UTF-16 text; save the file as UTF-8"
            raise ProblemsError([Problem(message, file, 1, 1, "not-utf-8")]) from error
        line, column = _line_column(raw[: error.start].decode(), error.start)
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ProblemsError([Problem(message, file, line, column, "not-utf-8")]) from error


def _find_unprintable(text: str, file: str) -> Iterator[Problem]:
    for match in _UNPRINTABLE.finditer(text):
        message = f"character U+{ord(match[0]):04X} is not allowed in YAML"
        yield Problem(message, file, *_line_column(text, match.start()), "unprintable")


def _line_column(text: str, index: int) -> tuple[int, int]:
    breaks = [match.end() for match in LINE_BREAK.finditer(text, 0, index)]
    return len(breaks) + 1, min(index, len(text)) - (breaks[-1] if breaks else 0) + 1
