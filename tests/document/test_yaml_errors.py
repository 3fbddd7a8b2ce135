"""Messages and positions of YAML syntax errors."""

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from adapter_host.document import Source
from adapter_host.document.nodes import MAX_DEPTH
from adapter_host.document.yaml_errors import syntax_problem
from adapter_host.document.yaml_reader import LOADER, read_nodes
from adapter_host.errors import ProblemsError

MARK = yaml.Mark("a.yaml", 4, 1, 2, "", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1\n", [(2, 1, "tab")]),
        ("a:\n  b: 1\n\tc: 2\n", [(3, 1, "tab")]),
        ("a: |\n\tb\n", [(2, 1, "tab")]),
        ("a: b: c\n", [(1, 5, "syntax")]),
        ("a: 1\n  b: 2\n", [(2, 4, "syntax")]),
        ("a:\n  - 1\n b: 2\n", [(3, 2, "syntax")]),
        ("a: 'it's'\n", [(1, 8, "syntax")]),
        ("- a\nb: 1\n", [(2, 1, "syntax")]),
        ("a: - b\n", [(1, 4, "syntax")]),
        ("a: ? b\n", [(1, 4, "syntax")]),
        ("a: 1\nfoo bar\nb: 1\n", [(2, 1, "syntax")]),
        ("a: [1, 2\nb: 3\n", [(2, 2, "syntax")]),
        ("a: {b: 1\n", [(2, 1, "syntax")]),
        ("a: ]\n", [(1, 4, "syntax")]),
        ("b: 1\na: 'x\n", [(2, 4, "syntax")]),
        ('a: "x\n---\n"', [(1, 4, "syntax")]),
        ("a: @x\n", [(1, 4, "syntax")]),
        ('a: "\\q"', [(1, 5, "syntax")]),
        ('a: "\\xZZ"', [(1, 7, "syntax")]),
        ('a: "\\ud800"', [(1, 7, "syntax")]),
        ("a: &\n", [(1, 5, "syntax")]),
        ("a: *\n", [(1, 5, "syntax")]),
        ("a: !x!y z\n", [(1, 4, "syntax")]),
        ("a: !<x y\n", [(1, 7, "syntax")]),
        ("a: |x\n", [(1, 5, "syntax")]),
        ("%YAML 2.0\n--- {}", [(1, 1, "syntax")]),
        ("%\n", [(1, 2, "syntax")]),
        ("%TAG ! a\n%TAG ! b\n--- {}\n", [(2, 1, "syntax")]),
        ("a: 1\n... b\n", [(2, 5, "syntax")]),
    ],
    ids=lambda value: ascii(value)[:30] if isinstance(value, str | bytes) else "",
)
def test_syntax(text: str, expected: list[tuple[int, int, str]], snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        Source.parse(text, "a.yaml")
    problems = caught.value.problems
    assert {problem.file for problem in problems} == {"a.yaml"}
    assert [(problem.line, problem.column, problem.code) for problem in problems] == expected
    assert [problem.message for problem in problems] == snapshot


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1\n", [(2, 1, "tab")]),
        ("a: b: c\n", [(1, 5, "syntax")]),
        ("a: [1, 2\nb: 3\n", [(2, 2, "syntax")]),
        ('a: "\\UFFFFFFFF"', [(0, 0, "syntax")]),
        ("a: @b", [(1, 4, "syntax")]),
        ("a: %b", [(1, 4, "syntax")]),
        (f"a:\n  {'[' * (MAX_DEPTH + 1)}", [(2, MAX_DEPTH + 2, "too-deep")]),
    ],
    ids=lambda value: ascii(value)[:30] if isinstance(value, str | bytes) else "",
)
def test_syntax_without_libyaml(text: str, expected: list[tuple[int, int, str]], snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        read_nodes(text, "a.yaml", yaml.SafeLoader)
    problems = caught.value.problems
    assert {problem.file for problem in problems} == {"a.yaml"}
    assert [(problem.line, problem.column, problem.code) for problem in problems] == expected
    assert [problem.message for problem in problems] == snapshot


def test_libyaml_and_python_parse_alike() -> None:
    text = "a: &x {b: [1, two]}\nc: *x\nd: |\n  text\n"
    assert LOADER is yaml.CSafeLoader
    assert read_nodes(text, "a.yaml", yaml.SafeLoader).value == read_nodes(text, "a.yaml").value


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (yaml.YAMLError("odd"), "a.yaml: not valid YAML"),
        (yaml.MarkedYAMLError(problem="odd", problem_mark=MARK), "a.yaml:2:3: not valid YAML: odd"),
    ],
)
def test_unknown_syntax_error(error: yaml.YAMLError, message: str) -> None:
    problem = syntax_problem(error, "a\n  b", "a.yaml")
    assert (str(problem), problem.code) == (message, "syntax")
