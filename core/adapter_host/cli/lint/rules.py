"""The rules of `adapter-host lint`, and what they find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from adapter_host.document.nodes import Loc, Position

Level = Literal["error", "warning", "note"]

LEVELS: Final[tuple[Level, ...]] = ("note", "warning", "error")
"""The levels of findings, the least important first."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its stable id; one that is not `enabled` must be enabled by its id."""

    id: str
    level: Level
    summary: str
    enabled: bool = True


RULES: Final[dict[str, Rule]] = {
    rule.id: rule
    for rule in (
        Rule("invalid-document", "error", "The document cannot run."),
        Rule("write-says-read-only", "warning", "A tool that says it only reads sends a request that may write."),
        Rule("update-says-harmless", "warning", "A tool that says it is not destructive replaces or deletes."),
        Rule("open-exposer", "warning", "Callers without authentication use the credential of an upstream."),
        Rule("tool-over-budget", "warning", "The definition of a tool costs a model more tokens than the budget."),
        Rule("tools-over-budget", "warning", "The tools of an exposer cost a model more tokens than the budget."),
        Rule("schema-not-portable", "warning", "Providers of models refuse the name or the schema of a tool."),
        Rule("missing-description", "warning", "A tool has no description."),
        Rule("missing-input-description", "note", "Inputs of a tool have no description."),
        Rule("write-without-approval", "warning", "A tool that writes needs no approval.", enabled=False),
    )
}
"""All rules by their ids."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding at a position; `enclosing` are the positions of the sections that contain it."""

    rule: Rule
    message: str
    position: Position
    enclosing: tuple[Position, ...] = field(default=(), repr=False)
    loc: Loc = field(default=(), repr=False)
    is_suppressed: bool = False
