"""Messages and positions of YAML syntax errors."""

import pytest
import yaml

from adapter_host.document import Source
from adapter_host.document.yaml_errors import syntax_problem
from adapter_host.document.yaml_reader import LOADER, read_nodes
from adapter_host.errors import ProblemsError

MARK = yaml.Mark("a.yaml", 4, 1, 2, "", 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1\n", "2:1: a tab cannot indent or separate here; use spaces"),
        ("a:\n  b: 1\n\tc: 2\n", "3:1: a tab cannot indent or separate here; use spaces"),
        ("a: |\n\tb\n", "2:1: a tab cannot indent or separate here; use spaces"),
        ("a: b: c\n", "1:5: ':' is not allowed here; fix the indentation, or quote the value"),
        ("a: 1\n  b: 2\n", "2:4: ':' is not allowed here; fix the indentation, or quote the value"),
        ("a:\n  - 1\n b: 2\n", "3:2: not a key of the mapping that starts at 1:1; fix the indentation or quote it"),
        ("a: 'it's'\n", "1:8: not a key of the mapping that starts at 1:1; fix the indentation or quote it"),
        ("- a\nb: 1\n", "2:1: '-' expected for the list that starts at 1:1; fix the indentation"),
        ("a: - b\n", "1:4: '-' is not allowed here; a list begins on its own line"),
        ("a: ? b\n", "1:4: '?' is not allowed here; quote a value that begins with '? '"),
        ("a: 1\nfoo bar\nb: 1\n", "2:1: missing ':' after this key"),
        ("a: [1, 2\nb: 3\n", "2:2: ',' or ']' expected; the '[' at 1:4 is still open"),
        ("a: {b: 1\n", "2:1: ',' or '}' expected; the '{' at 1:4 is still open"),
        ("a: ]\n", "1:4: a value is expected here"),
        ("b: 1\na: 'x\n", "2:4: this quote is never closed"),
        ('a: "x\n---\n"', "1:4: this quote is not closed before the document ends"),
        ("a: @x\n", "1:4: '@' cannot begin a value; quote the value"),
        ('a: "\\q"', "1:5: unknown escape; write '\\\\' for a backslash, or use single quotes"),
        ('a: "\\xZZ"', "1:7: this escape needs hexadecimal digits"),
        ('a: "\\ud800"', "1:7: this escape is not a Unicode character"),
        ("a: &\n", "1:5: '&' needs a name; quote a value that begins with '&'"),
        ("a: *\n", "1:5: '*' needs a name; quote a value that begins with '*'"),
        ("a: !x!y z\n", "1:4: unknown tag; quote a value that begins with '!'"),
        ("a: !<x y\n", "1:7: malformed tag; quote a value that begins with '!'"),
        ("a: |x\n", "1:5: after '|' or '>' only '+', '-' and an indentation of 1 to 9 are allowed"),
        ("%YAML 2.0\n--- {}", "1:1: unsupported YAML version; use 1.2"),
        ("%\n", "1:2: malformed directive; only a directive begins with '%'"),
        ("%TAG ! a\n%TAG ! b\n--- {}\n", "2:1: malformed directive; only a directive begins with '%'"),
        ("a: 1\n... b\n", "2:5: text after the end of the document"),
    ],
)
def test_syntax(text: str, message: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        Source.parse(text, "a.yaml")
    assert str(caught.value) == f"a.yaml:{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1\n", "a.yaml:2:1: a tab cannot indent or separate here; use spaces"),
        ("a: b: c\n", "a.yaml:1:5: ':' is not allowed here; fix the indentation, or quote the value"),
        ("a: [1, 2\nb: 3\n", "a.yaml:2:2: ',' or ']' expected; the '[' at 1:4 is still open"),
        ('a: "\\UFFFFFFFF"', "a.yaml: an escape is not a Unicode character"),
    ],
)
def test_syntax_without_libyaml(text: str, message: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        read_nodes(text, "a.yaml", yaml.SafeLoader)
    assert str(caught.value) == message


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
    assert str(syntax_problem(error, "a\n  b", "a.yaml")) == message
