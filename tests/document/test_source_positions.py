"""The document reader on arbitrary text: positions are correct, and errors are problems."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_host.document import Loc, Source
from adapter_host.document.yaml_reader import read_nodes
from adapter_host.errors import Problem, ProblemsError
from tests.support.paths import SHARED

NAMES = st.text("abc xyz-_:#{}'\"é", min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc \n:#-{}'\"é\t", max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


def expected_positions(node: yaml.Node | None, loc: Loc = ()) -> list[tuple[Loc, bool, int, int]]:
    """Return every position of a document, as PyYAML has it."""
    assert node is not None
    positions = [(loc, False, node.start_mark.line + 1, node.start_mark.column + 1)]
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            positions += expected_positions(item, (*loc, index))
    elif isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            positions.append(((*loc, key.value), True, key.start_mark.line + 1, key.start_mark.column + 1))
            positions += expected_positions(item, (*loc, key.value))
    return positions


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), st.sampled_from([True, False, None]))
@settings(deadline=None)
def test_positions_match_pyyaml(data: dict[str, Any], flow: bool | None) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True)
    source = Source.parse(text, "a.yaml")
    assert source.data == data
    for loc, key, line, column in expected_positions(yaml.compose(text, yaml.CSafeLoader)):
        assert source.position_of(loc, key=key) == ("a.yaml", line, column)


def test_positions_of_published_documents() -> None:
    paths = [*SHARED.glob("corpus/**/*.y*ml"), *SHARED.glob("tutorial/**/*.y*ml")]
    if not paths:
        pytest.skip("no published documents beside the repository")
    for path in paths:
        root = yaml.compose(path.read_text(), yaml.CSafeLoader)
        source = Source.read(path)
        for loc, key, line, column in expected_positions(root):
            assert source.position_of(loc, key=key) == (str(path), line, column)


YAMLISH = st.text("ab:- \n\t[]{},&*<!'\"|>#?01xe~\\%.\x85\ufeff", max_size=40)


def outcome(read: Callable[[], dict[str, Any]]) -> dict[str, Any] | tuple[Problem, ...]:
    try:
        return read()
    except ProblemsError as error:
        return error.problems


@given(YAMLISH | st.text() | st.binary() | st.text().map(str.encode))
@settings(deadline=None, max_examples=500)
def test_any_text_parses_or_has_problems(text: str | bytes) -> None:
    result = outcome(lambda: Source.parse(text, "a.yaml").data)
    assert isinstance(result, dict) or all(problem.file == "a.yaml" for problem in result)


@given(YAMLISH)
@settings(deadline=None, max_examples=200)
def test_any_text_parses_or_has_problems_without_libyaml(text: str) -> None:
    result = outcome(lambda: read_nodes(text.removeprefix("\ufeff"), "a.yaml", yaml.SafeLoader).value)
    assert isinstance(result, dict) or all(problem.file == "a.yaml" for problem in result)
