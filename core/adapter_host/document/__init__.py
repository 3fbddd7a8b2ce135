"""Documents: text to plain data with places."""

from .nodes import Loc, MappingNode, Node, Place, SequenceNode
from .source import Source
from .words import kind_of, listed, shown, suggest

__all__ = [
    "Loc",
    "MappingNode",
    "Node",
    "Place",
    "SequenceNode",
    "Source",
    "kind_of",
    "listed",
    "shown",
    "suggest",
]
