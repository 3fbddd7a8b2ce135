"""Every object and field of the official schema has a test that shows at run time what it does.

A test says so by a mark, `@pytest.mark.shows("ExposedOperation", "method", "call")`; a definition without fields is
claimed by its name alone.
"""

from __future__ import annotations

from .language.claims import claims
from .language.schema import parts

VERSION = "1.0.0-alpha2"
NOT_YET = {
    "script steps need a plugin": (
        "OperationStepScript",
        "ScriptingManagementSpec",
        "ControlManagementSpec.scripting",
    ),
    "the control port needs a plugin": (
        "ExposesControl",
        "ControlManagementSpec",
        "ControlLogsEndpointSpec",
        "ObservabilitySpec",
        "ObservabilityMetricsSpec",
        "ObservabilityLocalEndpointSpec",
        "ObservabilityTracesSpec",
        "ObservabilityTracesLocalSpec",
        "ObservabilityExportersSpec",
        "ObservabilityOtlpExporterSpec",
    ),
    "an import says nothing of itself yet": ("ImportedConsumesHttp.description",),
    "nothing is forwarded yet": ("ForwardConfig", "ExposedResource.forward"),
}
"""Why objects (or fields) have no test yet; whatever is claimed has to be taken away here."""


def not_yet() -> set[str]:
    names = {name for names in NOT_YET.values() for name in names}
    return {part for part in parts(VERSION) if part in names or part.partition(".")[0] in names}


def test_every_field_is_shown() -> None:
    assert sorted(parts(VERSION) - claims().keys() - not_yet()) == []


def test_every_claim_is_of_a_field() -> None:
    assert {name: tests for name, tests in claims().items() if name not in parts(VERSION)} == {}


def test_what_is_shown_is_not_excused() -> None:
    assert sorted(not_yet() & claims().keys()) == []


def test_every_excuse_is_of_a_field() -> None:
    known = {name for part in parts(VERSION) for name in (part, part.partition(".")[0])}
    assert sorted({name for names in NOT_YET.values() for name in names} - known) == []
