"""Read YAML into plain data whose every position is known. Imports `expressions` and the ground modules."""

from .messages import did_you_mean, kind_of, listed, shown
from .nodes import Loc, MappingNode, Node, Position, SequenceNode
from .source import Source

__all__ = [
    "Loc",
    "MappingNode",
    "Node",
    "Position",
    "SequenceNode",
    "Source",
    "did_you_mean",
    "kind_of",
    "listed",
    "shown",
]
