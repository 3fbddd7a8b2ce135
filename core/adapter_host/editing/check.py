"""Check one document, and compile as much of it as can be compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model
from adapter_host.compiler.plan import Plan
from adapter_host.document.nodes import Position
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.host.loading import Loading, load_documents
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.server.addresses import process_clashes
from adapter_host.settings import Settings

_KEYS = frozenset({"capability", "naftiko", "ikanos"})


@dataclass(frozen=True, slots=True)
class Check:
    """The problems of a document and its plan; of an invalid document, the plan of its valid parts, if there is one.

    `models` are the models by the position of their mappings, `included` the plans of the files that it includes.
    """

    problems: Sequence[Problem] = ()
    plan: Plan | None = None
    models: dict[Position, list[Model]] = field(default_factory=dict)
    included: Sequence[Plan] = ()


def is_capability(source: Source) -> bool:
    """Return whether a document is a capability, or a part of one for others to import."""
    return not source.data.keys().isdisjoint(_KEYS)


def is_capability_text(text: str) -> bool:
    """Return whether a text looks like a capability, even if it is not valid YAML."""
    return any(line.partition(":")[0].strip() in _KEYS for line in text.splitlines() if line[:1] not in (" ", "#", "-"))


def check_text(
    text: str, file: str, plugins: Plugins, settings: Settings, *, strict: bool = False, expected: bool = False
) -> Check:
    """Check the text of a document, which is that of `file`; others have no problems, unless one is `expected`.

    With `strict`, also validate it against the official schema.
    """
    try:
        source = Source.parse(text, file)
    except ProblemsError as error:
        return Check(error.problems if expected or is_capability_text(text) else ())
    if not expected and not is_capability(source):
        return Check()
    loading = load_documents((source,), plugins, settings, strict=strict)
    loading.add_clashes(process_clashes(loading.plans, settings))
    if loading.plans:
        plan = loading.plans[0]
        problems = (*loading.problems, *plan.loaded.diagnostics.problems)
        return Check(problems, plan, _models(plan.loaded), loading.included)
    partial = _valid_parts(text, file, plugins, settings)
    if not partial.plans:
        return Check(tuple(loading.problems))
    plan = partial.plans[0]
    return Check(tuple(loading.problems), plan, _models(plan.loaded), partial.included)


def _valid_parts(text: str, file: str, plugins: Plugins, settings: Settings) -> Loading:
    # Secrets that are not set would be problems of the operations that use them.
    lenient = replace(settings, skip_invalid=True, mock=True)
    return load_documents((Source.parse(text, file),), plugins, lenient)


def _models(loaded: LoadedCapability) -> dict[Position, list[Model]]:
    models: dict[Position, list[Model]] = {}
    for model, loc in loaded.models:
        models.setdefault(loaded.source.position_of(loc), []).append(model)
    return models
