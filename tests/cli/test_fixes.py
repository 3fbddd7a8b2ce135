"""`validate --fix` and `fmt` change the named files only, and keep their meaning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapter_host import Plan, Plugins, Problem, Settings
from adapter_host.cli import main
from adapter_host.cli.changes import find_changes
from adapter_host.cli.inspect import _describe_plan
from adapter_host.editing.check import Check, check_text
from adapter_host.editing.fixes import FIXES, edits_of, fixed_text
from adapter_host.editing.fixes import Document as FixableDocument
from tests.support.paths import SHARED

DOCUMENT = """\
# A comment
naftiko: 1.0.0-alpha2
info:
  label: Shop
capability:
  consumes:
    - type: http
      namespace: shop
      baseUri: https://shop.example.com
      authentication: {type: bearer, token: "{{SHOP_TOKEN}}{{OTHER}}"}   # secret
      resources:
        - name: things
          path: /things
          operations:
            - name: get
              method: GET
              inputParameters:
                - {name: id, in: path}
                - name: fields
                  in: query
                  type: array
                  description: A comma-separated list
                - {name: parts, in: query, type: array, description: A comma-separated list}
        - name: payments
          path: /payments
          operations:
            - name: pay
              method: POST
  exposes:
    - type: rest
      namespace: shop-rest
      port: 8080
      resources:
        - name: pay
          path: /pay
          operations:
            - name: pay
              method: POST
              call: shop.pay
    - type: mcp
      namespace: shop-mcp
      port: 9090
      tools:
        - {name: get thing, description: Gets, call: shop.get}
        - name: pay
          description: Pays
          call: shop.pay
"""
FIXED = (
    DOCUMENT.replace(
        "capability:\n",
        "binds:\n  - namespace: env\n    keys:\n      SHOP_TOKEN: SHOP_TOKEN\n      OTHER: OTHER\ncapability:\n",
    )
    .replace("path: /things\n", "path: /things/{id}\n")
    .replace(
        "description: A comma-separated list\n",
        "description: A comma-separated list\n                  x-explode: false\n",
    )
    .replace("description: A comma-separated list}", "description: A comma-separated list, x-explode: false}")
    .replace("              call: shop.pay\n", "              call: shop.pay\n              inputParameters: []\n")
    .replace("name: get thing", "name: get-thing")
)


FIXABLE = (
    "corpus/frankfurter",
    "corpus/netbird/6a895ce",
    "corpus/notion",
    "corpus-authors",
)
"""The folders with warnings that have a fix, other than a large one with the same warnings."""


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.installed()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_bytes(DOCUMENT.encode())
    return path


def test_every_fix(file: Path, capsys: pytest.CaptureFixture[str], plugins: Plugins) -> None:
    problems = check_text(DOCUMENT, str(file), plugins, Settings(environment={})).problems
    assert {problem.code for problem in problems} == FIXES.keys()
    assert main(["validate", "--fix", str(file)]) == 0
    output = capsys.readouterr()
    assert output.err == "fixed 7 problems in 1 file\n"
    assert output.out == "1 capability: 1 can run with 3 operations; 0 problems, 0 warnings\n"
    assert file.read_text() == FIXED
    assert main(["validate", "--fix", str(file)]) == 0
    assert capsys.readouterr().err == "fixed 0 problems in 0 files\n"
    assert file.read_text() == FIXED


def test_diff_writes_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--diff", "--fix", str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"--- {file}", f"+++ {file}"]
    assert "-        - {name: get thing, description: Gets, call: shop.get}" in lines
    assert "+        - {name: get-thing, description: Gets, call: shop.get}" in lines
    assert file.read_text() == DOCUMENT
    file.write_text(FIXED)
    assert main(["validate", "--diff", str(file)]) == 0
    assert capsys.readouterr().out == ""


def test_line_breaks_and_the_byte_order_mark_stay(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + DOCUMENT.replace("\n", "\r\n").encode())
    assert main(["validate", "--fix", str(file)]) == 0
    assert file.read_bytes() == b"\xef\xbb\xbf" + FIXED.replace("\n", "\r\n").encode()


def test_problems_without_a_fix_are_left(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(DOCUMENT.replace("call: shop.get}", "call: shop.gett}"))
    assert main(["validate", "--fix", str(file)]) == 1
    assert "unknown operation 'shop.gett'" in capsys.readouterr().err


def test_imported_files_are_not_changed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, _, tail = DOCUMENT.partition("  consumes:\n")
    consumed, _, exposed = tail.partition("  exposes:\n")
    shared = "naftiko: 1.0.0-alpha2\nconsumes:\n" + "".join(f"{line[2:]}\n" for line in consumed.splitlines())
    imported = file.with_name("imported.yaml")
    imported.write_text(shared)
    file.write_text(f"{head}  consumes:\n    - {{import: shop, location: ./imported.yaml}}\n  exposes:\n{exposed}")
    assert main(["validate", "--fix", str(file)]) == 0
    assert imported.read_text() == shared
    assert "name: get-thing" in file.read_text()


def test_the_path_of_several_operations_stays(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENT.replace("        - name: payments\n          path: /payments\n          operations:\n", "")
    file.write_text(text)
    assert main(["validate", "--fix", str(file)]) == 0
    assert "the path has no placeholder for 'id'" in capsys.readouterr().err
    assert "          path: /things\n" in file.read_text()


def test_fixes_that_lead_to_a_problem_are_not_written(
    file: Path, capsys: pytest.CaptureFixture[str], plugins: Plugins
) -> None:
    problems = check_text(DOCUMENT, str(file), plugins, Settings(environment={})).problems
    new = Problem("a tool of this name is pinned", str(file), 1, 1, "other")
    assert len(find_changes(problems, [str(file)], lambda text, name: Check(problems[:1]))) == 1
    assert find_changes(problems, [str(file)], lambda text, name: Check((*problems, new))) == []
    message = "not changed, because the fixes would lead to: a tool of this name is pinned"
    assert capsys.readouterr().err == f"{file}: {message}\n"


def test_anchors_stay(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENT.replace(
        "- {name: get thing, description: Gets, call: shop.get}",
        "- &t {name: get thing, description: Gets, call: shop.get}",
    )
    file.write_text(text)
    assert main(["validate", "--fix", str(file)]) == 0
    assert "- &t {name: get-thing," in file.read_text()


def meaning(plan: Plan) -> Any:
    """Return what clients and APIs see, without the names of binds."""
    described = _describe_plan(plan)
    for key in ("file", "binds", "skipped"):
        described.pop(key, None)
    return json.loads(json.dumps(described, default=str).replace("env.", ""))


@pytest.mark.skipif(not SHARED.exists(), reason="the published documents are not there")
@pytest.mark.parametrize("folder", FIXABLE)
def test_published_documents_mean_the_same_without_their_warnings(folder: str, plugins: Plugins) -> None:
    fixed = 0
    for path in sorted((SHARED / folder).rglob("*.y*ml")):
        text = path.read_text()
        before = _check(text, path, plugins)
        if FIXES.keys().isdisjoint(problem.code for problem in before.problems):
            continue
        changed, count = fixed_text(text, str(path), before.problems)
        after = _check(changed, path, plugins)
        document = FixableDocument.read(changed, str(path))
        assert [problem for problem in after.problems if edits_of(document, problem)] == [], path
        assert {problem.message for problem in after.problems} <= {problem.message for problem in before.problems}
        if before.plan is not None and after.plan is not None:
            assert meaning(after.plan) == meaning(before.plan), path
        fixed += count
    assert fixed


def _check(text: str, path: Path, plugins: Plugins) -> Check:
    return check_text(text, str(path), plugins, Settings(environment={}))


UNFORMATTED = "naftiko: 1.0.0-alpha2\ncapability:\n    exposes:\n    - type: rest  # here\n      namespace: r\n"
FORMATTED = "naftiko: 1.0.0-alpha2\ncapability:\n  exposes:\n    - type: rest  # here\n      namespace: r\n"


def test_fmt(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(UNFORMATTED)
    (file.parent / "other.yaml").write_text("no:\n    capability: 1\n")
    assert main(["fmt", "--check", str(file.parent)]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == (f"{file}\n", "1 file would be formatted\n")
    assert main(["fmt", "--diff", str(file)]) == 1
    assert "+  exposes:" in capsys.readouterr().out.splitlines()
    assert file.read_text() == UNFORMATTED
    assert main(["fmt", str(file.parent)]) == 0
    assert capsys.readouterr().err == "1 file formatted\n"
    assert file.read_text() == FORMATTED
    assert (file.parent / "other.yaml").read_text() == "no:\n    capability: 1\n"
    assert main(["fmt", "--check", str(file)]) == 0


def test_fmt_of_an_invalid_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("a: [\n")
    assert main(["fmt", str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"{file}:2:1: ")
    assert file.read_text() == "a: [\n"
    assert main(["fmt", str(file.with_name("missing.yaml"))]) == 1
    assert "cannot read" in capsys.readouterr().err
