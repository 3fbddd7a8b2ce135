"""Read YAML into plain data whose every position is known. Imports `expressions` and the ground modules."""

from .messages import kind_of, listed, shown, suggest
from .nodes import Loc, MappingNode, Node, Place, SequenceNode
from .source import Source

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
