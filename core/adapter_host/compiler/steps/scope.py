"""Resolve names in the templates and mappings of steps."""

from __future__ import annotations

import re
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import OperationSpec
from adapter_host.compiler.values.scope import Getter, Scope, Value, Values, is_input
from adapter_host.document.messages import did_you_mean
from adapter_host.document.source import Loc
from adapter_host.expressions.jsonpath import PathGetter, compile_path
from adapter_host.expressions.template import Part, Reference

_STEP: Final = re.compile(r"\$(?:\.([^.\[\]]+)|\[(['\"])(.+?)\2\])(.*)", re.DOTALL)

# Names such as `@id` and `xml:lang` have to be quoted in a JSONPath.
_QUOTED: Final = re.compile(r"[@:,?\s]")


class StepScope(Scope):
    """A scope that also resolves the results of earlier steps: those before the step entered last.

    A value in the result of a step is named by its path (`$.get-ship.name`).
    """

    def __init__(self, spec: OperationSpec, loaded: LoadedCapability) -> None:
        self._step_names = [step.name for step in spec.steps]
        self._index = 0
        self.dependencies: set[str] = set()
        self.extractors: dict[str, dict[str, PathGetter]] = {name: {} for name in self._step_names}
        self.binary_steps: set[str] = set()
        super().__init__(spec.input_parameters, loaded)

    def enter_step(self, index: int) -> None:
        """Resolve names for the step at `index`, and collect its `dependencies`."""
        self._index = index
        self.dependencies = set()

    def leave_steps(self) -> None:
        """Resolve names after the last step, where every step is known."""
        self.enter_step(len(self._step_names))

    def resolve(self, value: Any, loc: Loc) -> Value:
        """Resolve a value of the document, which may be a path into the result of a step."""
        if isinstance(value, str) and value.startswith(("$.", "$[")) and "{{" not in value:
            return Reference(self.resolve_path(value, loc))
        return super().resolve(value, loc)

    def lookup(self, name: str, loc: Loc) -> Part | None:
        """Look up the name in a template tag, which may be that of a step."""
        if name.startswith(("$.", "$[")):
            return Reference(self.resolve_path(name, loc))
        step, dot, _ = name.partition(".")
        if step in self.extractors and (dot or step not in self.declared):
            return Reference(self.extract_field(name, loc))
        return super().lookup(name, loc)

    def resolve_path(self, text: str, loc: Loc) -> str:
        """Return the name of the value at a path that begins with a step's name."""
        match = _STEP.fullmatch(text)
        if match is None:
            message = f"'{text}' must begin with the name of a step, as in $.step.path"
            self.loaded.problem(message, loc, code="step-path")
            return text
        return self.extract(match[1] or match[3], match[4], loc)

    def extract_field(self, name: str, loc: Loc) -> str:
        """Extract the value of a step's name, which the names of nested fields may follow; return its name."""
        step, dot, fields = name.partition(".")
        is_path = any(character in fields for character in "[]()*'")
        path = f"{dot}{fields}" if is_path else "".join(map(_path_segment, fields.split("."))) if dot else ""
        return self.extract(step, path, loc)

    def extract(self, step: str, path: str, loc: Loc) -> str:
        """Extract the value at a path of a step's result; return its name."""
        name = f"$.{step}{path}"
        if reason := self._unknown_step_message(step) or self._binary_step_message(step):
            self.loaded.problem(reason, loc, code="unknown-step")
            return name
        try:
            self.extractors[step][name] = compile_path(f"${path}")
        except ValueError as error:
            self.loaded.problem(str(error).replace(f"${path}", name, 1), loc, code="jsonpath")
        self.dependencies.add(step)
        return name

    def compile_context(self, loc: Loc) -> Getter:
        """Compile a function that returns all values: inputs, `with` values and results of earlier steps."""
        steps = {
            name: self.extract(name, "", loc)
            for name in self._step_names[: self._index]
            if name not in self.binary_steps
        }
        sources = {**self.bound, **steps}
        self.used.update(self.declared)

        def collect(values: Values) -> dict[str, Any]:
            inputs = {name: value for name, value in values.items() if is_input(name)}
            return self.constants | inputs | {key: values[name] for key, name in sources.items() if name in values}

        return collect

    def _unknown_step_message(self, step: str) -> str | None:
        earlier = self._step_names[: self._index]
        if step in earlier:
            return None
        if step in self._step_names[self._index : self._index + 1]:
            return f"step '{step}' cannot use its own result"
        if step in self._step_names:
            return f"step '{step}' runs later; move it before this step"
        hint = did_you_mean(step, earlier) or f" (earlier steps: {', '.join(dict.fromkeys(earlier)) or 'none'})"
        return f"unknown step '{step}'{hint}"

    def _binary_step_message(self, step: str) -> str | None:
        return f"step '{step}' returns binary data, which cannot be referenced" if step in self.binary_steps else None


def _path_segment(part: str) -> str:
    if part.isdecimal():
        return f"[{part}]"
    return f"['{part}']" if _QUOTED.search(part) else f".{part}"
