"""The version that a document is read as decides which of its keys are out of date."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_host import Host


def document(header: str, version: str) -> dict[str, Any]:
    function = {"name": "hello", "outputParameters": [{"type": "string", "value": "hi"}]}
    resource = {"path": "/", "operations": [{"method": "GET", "ref": "greetings.hello"}]}
    return {
        header: version,
        "info": {"label": "Greetings"},
        "capability": {
            "aggregates": [{"namespace": "greetings", "functions": [function]}],
            "exposes": [{"type": "rest", "namespace": "front", "port": 0, "resources": [resource]}],
        },
    }


@pytest.mark.parametrize("header", ["naftiko", "ikanos"])
@pytest.mark.parametrize("version", ["1.0.0-alpha3", "1.0.0-alpha4", "1.0.0-beta1"])
def test_functions_are_outdated_since_alpha3(header: str, version: str) -> None:
    messages = [warning.message for warning in Host(document(header, version)).warnings]
    assert [message for message in messages if "since 1.0.0-alpha3" in message] == messages
    assert len(messages) == 2, messages


@pytest.mark.parametrize("header", ["naftiko", "ikanos"])
@pytest.mark.parametrize("version", ["1.0.0-alpha1", "1.0.0-alpha2"])
def test_functions_are_current_before_alpha3(header: str, version: str) -> None:
    assert Host(document(header, version)).warnings == ()
