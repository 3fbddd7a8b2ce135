"""Resolve `x-include`: connect exposers with those that they include, of the same document or of another file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapter_host.capability.include_spec import IncludeSpec
from adapter_host.compiler.plan import Plan
from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.errors import Problem, ProblemsError
from adapter_host.plugin.exposer import Included
from adapter_host.plugin.inclusion import Selection

from .included_exposers import Node, authentication_fault, default_targets

LoadFile = Callable[[Path], Plan]
"""Compiles a capability file; raises `ProblemsError`."""


@dataclass(slots=True)
class Includer:
    """Connects the exposers of plans. `loaded` are the plans of included files that are not served themselves.

    `problems` are those of included files.
    """

    plans: Sequence[Plan]
    load_file: LoadFile
    skip_invalid: bool
    loaded: list[Plan] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _by_file: dict[str, Plan | None] = field(default_factory=dict)
    _open: list[Node] = field(default_factory=list)
    _done: set[int] = field(default_factory=set)
    _uses: list[tuple[Node, IncludeSpec, Plan]] = field(default_factory=list)

    def connect(self) -> None:
        """Resolve all includes; problems are those of the documents that include."""
        self._by_file = {_real_path(plan.loaded.source.file): plan for plan in self.plans}
        for plan in self.plans:
            for exposer_plan in plan.exposers:
                self._connect(Node(plan, exposer_plan))
        if self.skip_invalid:
            self._fail_dependents()

    def _fail_dependents(self) -> None:
        """Report includes of documents that are left out, which are then left out as well."""
        uses = [use for use in self._uses if use[2] is not use[0].plan]
        while failed := [use for use in uses if use[2].loaded.diagnostics.errors]:
            for node, spec, _ in failed:
                message = f"cannot include '{spec.location}', which has problems of its own"
                self._problem(node, spec, message, "location")
            uses = [use for use in uses if use not in failed]

    def _connect(self, node: Node) -> None:
        specs = getattr(node.config, "x_include", ())
        if not specs or id(node.exposer_plan) in self._done:
            return
        self._done.add(id(node.exposer_plan))
        self._open.append(node)
        included: list[Included] = []
        for spec in specs:
            with node.plan.loaded.diagnostics.demote_errors(self.skip_invalid) as section:
                found = list(self._resolve(node, spec))
            if not section.failed:
                included += found
        self._open.pop()
        if included:
            node.exposer.include(included)
        for selection in {id(each.selection): each.selection for each in included}.values():
            _report_unknown(node, selection)

    def _resolve(self, node: Node, spec: IncludeSpec) -> Iterator[Included]:
        """Yield the exposers that a spec names, and report problems."""
        plan = node.plan if spec.location is None else self._plan_of(node, spec)
        if plan is None:
            return
        selection = Selection(spec.only, spec.except_)
        for target in self._targets(node, spec, plan):
            if self._may_include(node, spec, target):
                self._connect(target)
                self._uses.append((node, spec, plan))
                yield Included(target.exposer, spec.prefix, selection)

    def _targets(self, node: Node, spec: IncludeSpec, plan: Plan) -> list[Node]:
        exposers = [*plan.exposers, *plan.included]
        types = join_words(node.exposer.includes, "or")
        where = "this document" if spec.location is None else f"'{spec.location}'"
        if spec.namespace is None:
            targets = default_targets(node.exposer.includes, plan, without=node.exposer)
            if not targets:
                message = f"{where} has no exposer of type {types}; only those can be included"
                self._problem(node, spec, message, "location")
            return targets
        target = next((each for each in exposers if each.exposer.config.namespace == spec.namespace), None)
        if target is None:
            known = [each.exposer.config.namespace for each in exposers]
            hint = did_you_mean(spec.namespace, known) or f" (it has: {', '.join(known) or 'none'})"
            self._problem(node, spec, f"{where} has no exposer '{spec.namespace}'{hint}", "namespace")
            return []
        if target.exposer.config.type not in node.exposer.includes:
            message = f"'{spec.namespace}' is of type {target.exposer.config.type}; only type {types} can be included"
            self._problem(node, spec, message, "namespace")
            return []
        return [Node(plan, target)]

    def _may_include(self, node: Node, spec: IncludeSpec, target: Node) -> bool:
        key = "location" if spec.namespace is None else "namespace"
        cycle = [each.exposer_plan for each in self._open]
        if target.exposer_plan in cycle:
            chain = self._open[cycle.index(target.exposer_plan) :]
            places = " includes ".join(each.place for each in (*chain, target))
            self._problem(node, spec, f"an exposer cannot include itself: {places}; remove one of them", key)
            return False
        if (fault := authentication_fault(node, target)) is not None:
            self._problem(node, spec, f"{fault}; declare the same", key, code="included-authentication")
            return False
        return True

    def _plan_of(self, node: Node, spec: IncludeSpec) -> Plan | None:
        """Return the plan of the file at `location`; report a problem if it cannot be used."""
        loaded = node.plan.loaded
        location = str(spec.location).removeprefix("file://")
        folder = Path(loaded.source.position_of(loaded.loc(spec))[0]).parent
        path = os.path.normpath(folder / location)
        loaded.add_file(path)
        file = _real_path(path)
        if file not in self._by_file:
            self._by_file[file] = None
            try:
                plan = self.load_file(Path(path))
            except ProblemsError as error:
                self.problems += error.problems
            else:
                # Its exposers are not served, but their operations and limits are used.
                plan = self._by_file[file] = replace(plan, exposers=(), included=plan.exposers)
                self.loaded.append(plan)
        plan_of_file = self._by_file[file]
        if plan_of_file is None:
            self._problem(node, spec, f"cannot include '{spec.location}', which has problems of its own", "location")
        return plan_of_file

    def _problem(self, node: Node, spec: IncludeSpec, message: str, key: str, *, code: str = "include") -> None:
        loaded = node.plan.loaded
        loaded.problem(message, loaded.loc(spec, key), code=code)


def _report_unknown(node: Node, selection: Selection) -> None:
    """Report names and tags that nothing has, also with `--skip-invalid`: a misspelt exception would be served."""
    loaded = node.plan.loaded
    for section, key, index, text in selection.unknown():
        known = selection.names if key == "names" else selection.tags
        message = (
            f"nothing that is included has the {key.removesuffix('s')} '{text}'{did_you_mean(text, sorted(known))}"
        )
        loaded.problem(message, loaded.loc(section, key, index), code="unknown-name")


def _real_path(path: str | Path) -> str:
    return os.path.realpath(path)
