"""Right arguments are always accepted; a wrong one is refused at the place of its mistake, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_host import ArgumentError, Input
from adapter_host.compiler.values.argument_checks import compile_validator
from adapter_host.schemas.explanation import Explainer
from adapter_host.schemas.resolve import resolve_schema
from adapter_host.schemas.wording import describe_place, json_pointer
from tests.support.examples import examples
from tests.support.generated_values import Made, changed, schemas_and_values


def never_asked(schema: Any, value: Any) -> bool:
    raise AssertionError("the schema is not nested deeply")


@settings(max_examples=examples(500), deadline=None)
@given(schemas_and_values(), st.data())
def test_generated_arguments(made: Made, data: st.DataObject) -> None:
    schema, value, changes = made
    resolved = resolve_schema(schema)
    check = compile_validator([Input("body", required=True, in_="body", whole=True, json_schema=resolved)])
    assert check({"body": value}) == {"body": value}
    assert Explainer(resolved.checked, never_asked).explain(value) == []
    path, wrong = data.draw(st.sampled_from(changes))
    with pytest.raises(ArgumentError) as caught:
        check({"body": changed(value, path, wrong)})
    assert (caught.value.parameter, caught.value.pointer) == ("body", json_pointer(path))
    place = describe_place(("body", *path)) if path else "'body'"
    assert {message.startswith(f"{place} ") for message in caught.value.message.splitlines()} == {True}
