"""Read YAML into plain data with the position of every value. Imports `expressions` and the ground modules."""

from .messages import describe_type, did_you_mean, format_value, join_words
from .nodes import Loc, MappingNode, Node, Position, SequenceNode
from .source import Source

__all__ = [
    "Loc",
    "MappingNode",
    "Node",
    "Position",
    "SequenceNode",
    "Source",
    "describe_type",
    "did_you_mean",
    "format_value",
    "join_words",
]
