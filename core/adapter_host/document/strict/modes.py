"""Modes of a unit (an operation, a tool, a resource or a function)."""

from dataclasses import dataclass
from typing import Any

from adapter_host.document.nodes import Loc

from .grammar import Condition, Findings, Rule, anything


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode: the key that selects it, the keys it needs or excludes, and the rule of its outputs."""

    key: str
    needs: tuple[str, ...] = ()
    outputs: Rule = anything
    excludes: tuple[str, ...] = ()

    def violations(self, value: dict[str, Any], loc: Loc, findings: Findings) -> Findings:
        """Return the errors that rule out this mode."""
        found = Findings(findings.source)
        for key in self.needs:
            if key not in value:
                found.missing(loc, key, f" (needed with {self.key!r})")
        for key in self.excludes:
            if key in value:
                found.conflict(loc, self.key, key)
        if "outputParameters" in value:
            self.outputs(value["outputParameters"], (*loc, "outputParameters"), found)
        return found


def modes(*available: Mode, none_message: str = "", exclusive: bool = False) -> Condition:
    """Require one valid mode, and only one if `exclusive`; `none_message` is the error if no mode is selected."""

    def check(value: dict[str, Any], loc: Loc, findings: Findings) -> None:
        candidates = [mode for mode in available if not mode.key or mode.key in value]
        if not candidates:
            findings.add(loc, none_message, "no-mode")
            return
        attempts = [(mode.key, mode.violations(value, loc, findings).problems) for mode in candidates]
        satisfied = [key for key, problems in attempts if not problems]
        if not satisfied:
            findings.problems += attempts[0][1]
        elif exclusive and len(satisfied) > 1:
            findings.conflict(loc, *satisfied[:2])

    return check
