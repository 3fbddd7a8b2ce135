"""The ways for a unit (an operation, a tool, a resource, a function) to run."""

from dataclasses import dataclass
from typing import Any

from adapter_host.document.nodes import Loc

from .grammar import Condition, Findings, Rule, anything


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to run: the key that asks for it, what more it needs, and the outputs that belong to it."""

    key: str
    needs: tuple[str, ...] = ()
    outputs: Rule = anything
    excludes: tuple[str, ...] = ()

    def hindrances(self, value: dict[str, Any], at: Loc, findings: Findings) -> Findings:
        """Return the problems that exclude this mode."""
        found = Findings(findings.source)
        for key in self.needs:
            if key not in value:
                found.missing(at, key, f" (needed with {self.key!r})")
        for key in self.excludes:
            if key in value:
                found.conflict(at, self.key, key)
        if "outputParameters" in value:
            self.outputs(value["outputParameters"], (*at, "outputParameters"), found)
        return found


def modes(*options: Mode, without: str = "", single: bool = False) -> Condition:
    """One of the modes fits (just one when `single`); `without` is what to say when none is asked for."""

    def check(value: dict[str, Any], at: Loc, findings: Findings) -> None:
        asked = [mode for mode in options if not mode.key or mode.key in value]
        if not asked:
            findings.add(at, without, "no-mode")
            return
        tried = [(mode.key, mode.hindrances(value, at, findings).problems) for mode in asked]
        fitting = [key for key, problems in tried if not problems]
        if not fitting:
            findings.problems += tried[0][1]
        elif single and len(fitting) > 1:
            findings.conflict(at, *fitting[:2])

    return check
