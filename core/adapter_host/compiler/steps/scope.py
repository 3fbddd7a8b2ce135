"""Names that a step's templates and mappings may use."""

from __future__ import annotations

import re
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import OperationSpec
from adapter_host.compiler.scope import Getter, Scope, Value, Values, is_input
from adapter_host.document.messages import did_you_mean
from adapter_host.document.source import Loc
from adapter_host.expressions.jsonpath import Find, compile_path
from adapter_host.expressions.template import Part, Reference

_STEP: Final = re.compile(r"\$(?:\.([^.\[\]]+)|\[(['\"])(.+?)\2\])(.*)", re.DOTALL)


class StepScope(Scope):
    """A scope in which earlier steps may be named too; `known` says how many of them there are.

    What is taken of a step is one more value, named by its path (`$.get-ship.name`).
    """

    def __init__(self, spec: OperationSpec, loaded: LoadedCapability) -> None:
        super().__init__(spec.input_parameters, loaded)
        self._names = [step.name for step in spec.steps]
        self.known = 0
        self.needed: set[str] = set()
        self.taken: dict[str, dict[str, Find]] = {name: {} for name in self._names}
        self.binary: set[str] = set()

    def meaning(self, value: Any, loc: Loc) -> Value:
        """What a value of the document stands for."""
        if isinstance(value, str) and value.startswith(("$.", "$[")) and "{{" not in value:
            return Reference(self.path(value, loc))
        return super().meaning(value, loc)

    def own(self, name: str, loc: Loc) -> Part | None:
        """What a tag's name means here before it means anything else."""
        if name.startswith(("$.", "$[")):
            return Reference(self.path(name, loc))
        step, *rest = name.split(".")
        if step in self.taken and (rest or step not in self.declared):
            return Reference(self.take(step, "".join(map(_segment, rest)), loc))
        return super().own(name, loc)

    def path(self, text: str, loc: Loc) -> str:
        """The name of the value at a path that begins with a step's name."""
        found = _STEP.fullmatch(text)
        if found is None:
            message = f"'{text}' must begin with the name of a step ($.step.path)"
            self.loaded.problem(message, loc, code="step-path")
            return text
        return self.take(found[1] or found[3], found[4], loc)

    def take(self, step: str, path: str, loc: Loc) -> str:
        """The name of the value at a path of what a step gives."""
        name = f"$.{step}{path}"
        if reason := self._unknown(step) or self._untakeable(step):
            self.loaded.problem(reason, loc, code="unknown-step")
            return name
        try:
            self.taken[step][name] = compile_path(f"${path}")
        except ValueError as error:
            self.loaded.problem(str(error).replace(f"${path}", name, 1), loc, code="jsonpath")
        self.needed.add(step)
        return name

    def context(self, loc: Loc) -> Getter:
        """The function that gives all there is: the inputs, what `with` says, and what earlier steps gave."""
        steps = {name: self.take(name, "", loc) for name in self._names[: self.known] if name not in self.binary}
        named = {**self.given, **steps}
        self.used.update(self.declared)

        def take(values: Values) -> dict[str, Any]:
            inputs = {name: value for name, value in values.items() if is_input(name)}
            return self.constants | inputs | {key: values[name] for key, name in named.items() if name in values}

        return take

    def _unknown(self, step: str) -> str | None:
        known = self._names[: self.known]
        if step in known:
            return None
        if step in self._names[self.known : self.known + 1]:
            return f"step '{step}' cannot use what it gives itself"
        if step in self._names:
            return f"step '{step}' comes later (a step uses what earlier steps give; put it before)"
        hint = did_you_mean(step, known) or f" (earlier steps: {', '.join(dict.fromkeys(known)) or 'none'})"
        return f"no step is named '{step}'{hint}"

    def _untakeable(self, step: str) -> str | None:
        return f"step '{step}' gives bytes, of which nothing can be taken" if step in self.binary else None


def _segment(part: str) -> str:
    return f"[{part}]" if part.isdecimal() else f".{part}"
