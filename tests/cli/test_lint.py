"""Tests of `adapter-host lint`: each rule, its place, comments that disable it, and SARIF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapter_host.cli import main
from adapter_host.cli.lint.rules import RULES
from tests.support.corpus_documents import CORPUS
from tests.support.paths import ROOT

CONSUMED = """\
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: shop
      baseUri: https://shop.test
      {authentication}
      resources:
        - path: /orders
          operations:
            - {{name: find, method: GET}}
            - {{name: add, method: POST, inputParameters: [{{name: item, in: query}}]}}
            - {{name: change, method: PATCH}}
            - {{name: remove, method: DELETE}}
            - name: search
              method: POST
              inputParameters: [{{name: after, in: query, description: The cursor}}]
              x-pagination: {{form: cursor, items: $.orders, next: $.next, input: after, readOnly: true}}
  exposes:
    - type: mcp
      namespace: shop-mcp
      port: 9090
      {exposer}
      tools:
"""
TOKEN = "authentication: {type: bearer, token: s3cret}"

Run = tuple[int, list[str]]


@pytest.fixture
def lint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that lints tools, and returns the exit code and the lines without the path of the file."""

    def lint(*tools: str, authentication: str = "", exposer: str = "", options: tuple[str, ...] = ()) -> Run:
        file = tmp_path / "shop.yaml"
        head = CONSUMED.format(authentication=authentication, exposer=exposer)
        file.write_text(head + "".join(f"        {line}\n" for line in tools))
        code = main(["lint", *options, str(file)])
        return code, [line.removeprefix(f"{file}:") for line in capsys.readouterr().out.splitlines()]

    return lint


def tool(call: str, hints: str = "{}", name: str = "do", more: str = "", comment: str = "") -> str:
    return f"- {{name: {name}, description: Does it, call: shop.{call}, hints: {hints}{more}}}{comment}"


def rules_of(lines: list[str]) -> list[str]:
    return [line.rpartition("[")[2].removesuffix("]") for line in lines]


@pytest.mark.parametrize(
    ("call", "hints", "rules"),
    [
        ("find", "{readOnly: true}", []),
        ("find", "{destructive: false}", []),
        ("add", "{readOnly: true}", ["write-says-read-only"]),
        ("remove", "{readOnly: true, destructive: false}", ["write-says-read-only"]),
        ("add", "{destructive: false}", []),
        ("change", "{destructive: false}", ["update-says-harmless"]),
        ("remove", "{destructive: false}", ["update-says-harmless"]),
        ("remove", "{readOnly: false, destructive: true}", []),
        ("remove", "{}", []),
        ("search", "{readOnly: true}", []),
    ],
)
def test_hints_are_compared_with_methods(lint: Any, call: str, hints: str, rules: list[str]) -> None:
    code, lines = lint(tool(call, hints), options=("--disable", "missing-input-description"))
    assert (code, rules_of(lines)) == (int(bool(rules)), rules)


def test_findings_have_their_places(lint: Any) -> None:
    _, lines = lint(tool("find"), tool("remove", "{readOnly: true}", "drop"))
    expected = "'drop' says that it only reads, but calls 'shop.remove' (DELETE); correct the hint 'readOnly'"
    (line,) = lines
    number, column, rest = line.split(":", 2)
    assert rest == f" warning: {expected} [write-says-read-only]"
    head = CONSUMED.count("\n")
    text = f"        {tool('remove', '{readOnly: true}', 'drop')}"
    assert (int(number), int(column)) == (head + 2, text.index("true") + 1)


def test_functions_that_say_they_are_safe_are_compared_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [
                {
                    "type": "http",
                    "namespace": "shop",
                    "baseUri": "https://shop.test",
                    "resources": [{"path": "/orders", "operations": [{"name": "remove", "method": "DELETE"}]}],
                }
            ],
            "aggregates": [
                {
                    "label": "Orders",
                    "namespace": "orders",
                    "functions": [
                        {"name": "drop", "description": "Drops", "semantics": {"safe": True}, "call": "shop.remove"}
                    ],
                }
            ],
            "exposes": [
                {"type": "mcp", "namespace": "m", "port": 9090, "tools": [{"name": "drop", "ref": "orders.drop"}]}
            ],
        },
    }
    (tmp_path / "shop.yaml").write_text(json.dumps(document))
    assert main(["lint", str(tmp_path)]) == 1
    assert rules_of(capsys.readouterr().out.splitlines()) == ["write-says-read-only"]


def test_exposers_in_front_of_a_credential_need_authentication(lint: Any) -> None:
    assert lint(tool("find")) == (0, [])
    code, (line,) = lint(tool("find"), authentication=TOKEN)
    assert code == 1
    assert "'shop-mcp' needs no authentication of its callers, and sends the host's credential to 'shop'" in line
    assert "s3cret" not in line
    assert lint(tool("find"), authentication=TOKEN, exposer=TOKEN) == (0, [])
    local = "transport: stdio"
    assert lint(tool("find"), authentication=TOKEN, exposer=local) == (0, [])


def test_constant_inputs_with_secrets_are_credentials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = CONSUMED.format(authentication="inputParameters: [{name: X-Key, in: header, value: '{{KEY}}'}]", exposer="")
    binds = "naftiko: 1.0.0-alpha2\nbinds: [{namespace: env, keys: {KEY: KEY}}]"
    (tmp_path / "shop.yaml").write_text(text.replace("naftiko: 1.0.0-alpha2", binds) + f"        {tool('find')}\n")
    assert main(["lint", str(tmp_path)]) == 1
    assert rules_of(capsys.readouterr().out.splitlines()) == ["open-exposer"]


def test_definitions_have_budgets(lint: Any) -> None:
    _, lines = lint(tool("find"), tool("find", name="also"), options=("--tool-tokens", "15"))
    assert rules_of(lines) == ["tool-over-budget"] * 2
    _, lines = lint(tool("find"), tool("find", name="also"), options=("--exposer-tokens", "30"))
    assert rules_of(lines) == ["tools-over-budget"]


@pytest.mark.parametrize(("discovery", "rules"), [("all", ["tools-over-budget"]), ("search", [])])
def test_tools_that_are_found_by_a_search_are_not_listed(lint: Any, discovery: str, rules: list[str]) -> None:
    tools = [f"- {{name: t{number}, description: {'word ' * 100}, call: shop.find}}" for number in range(20)]
    _, lines = lint(*tools, exposer=f"x-discovery: {discovery}", options=("--exposer-tokens", "2000"))
    assert rules_of(lines) == rules


def test_full_schemas_must_be_portable(lint: Any) -> None:
    declared = ", inputParameters: [{name: n, description: N, in: query, x-schema: {type: integer, multipleOf: 5}}]"
    assert lint(tool("find", more=declared)) == (0, [])
    _, lines = lint(tool("find", name="a.b", more=declared), exposer="x-schema-profile: full")
    assert rules_of(lines) == ["schema-not-portable"]
    assert "the name and input schema of 'a.b' are not portable" in lines[0]


def test_descriptions_are_needed(lint: Any) -> None:
    code, lines = lint("- {name: do, call: shop.find}")
    assert (code, rules_of(lines)) == (1, ["missing-description"])
    code, lines = lint(tool("add"))
    assert (code, rules_of(lines)) == (0, ["missing-input-description"])
    assert lint(tool("add"), options=("--fail-on", "note"))[0] == 1
    assert lint(tool("remove", "{readOnly: true}"), options=("--fail-on", "error"))[0] == 0


def test_approvals_are_checked_on_request(lint: Any) -> None:
    enabled = ("--enable", "write-without-approval")
    assert lint(tool("remove")) == (0, [])
    _, lines = lint(tool("find"), tool("remove", name="drop"), options=enabled)
    assert rules_of(lines) == ["write-without-approval"]
    assert lint(tool("remove", more=", x-approval: true"), options=enabled) == (0, [])
    assert lint(tool("remove"), exposer="x-approval: true", options=enabled) == (0, [])


@pytest.mark.parametrize(
    ("tools", "exposer"),
    [
        ([tool("remove", "{readOnly: true}", comment="  # lint-disable: write-says-read-only")], ""),
        (["# lint-disable: open-exposer, write-says-read-only", tool("remove", "{readOnly: true}")], ""),
        ([tool("remove", "{readOnly: true}")], "# lint-disable-file: write-says-read-only"),
    ],
    ids=["line", "line before", "file"],
)
def test_comments_disable_rules(lint: Any, tools: list[str], exposer: str) -> None:
    assert lint(*tools, exposer=exposer) == (0, [])


def test_comments_disable_rules_in_their_entry_only(lint: Any) -> None:
    first = ["- name: do  # lint-disable: write-says-read-only", "  description: Does it", "  call: shop.remove"]
    code, lines = lint(*first, "  hints: {readOnly: true}", tool("remove", "{readOnly: true}", "other"))
    assert (code, rules_of(lines)) == (1, ["write-says-read-only"])
    assert "'other'" in lines[0]
    assert lint(*first, "  hints: {destructive: false}")[0] == 1


def test_options_disable_rules(lint: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = tool("remove", "{readOnly: true}")
    assert lint(found, options=("--disable", "write-says-read-only")) == (0, [])
    assert main(["lint", "--disable", "write-say-read-only", "x.yaml"]) == 2
    assert "unknown value 'write-say-read-only'; did you mean 'write-says-read-only'?" in capsys.readouterr().err


def test_invalid_documents_are_findings(lint: Any) -> None:
    code, (line,) = lint(tool("fnd"), options=("--disable", "invalid-document"))
    assert code == 1
    assert "error: unknown operation 'shop.fnd'" in line
    assert line.endswith("(unknown-call) [invalid-document]")


def test_sarif_has_rules_places_and_suppressions(lint: Any) -> None:
    comment = "  # lint-disable: write-says-read-only"
    code, lines = lint(
        tool("remove", "{readOnly: true}", comment=comment), tool("add", name="other"), options=("--format", "sarif")
    )
    log = json.loads("\n".join(lines))
    (run,) = log["runs"]
    assert (code, log["version"]) == (0, "2.1.0")
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    suppressed, note = run["results"]
    assert suppressed["ruleId"] == "write-says-read-only"
    assert list(RULES)[suppressed["ruleIndex"]] == "write-says-read-only"
    assert suppressed["suppressions"] == [{"kind": "inSource"}]
    place = suppressed["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].startswith("file:///")
    assert place["region"]["startLine"] == CONSUMED.count("\n") + 1
    assert (note["level"], "suppressions" in note) == ("note", False)
    assert suppressed["partialFingerprints"] != note["partialFingerprints"]


def test_fingerprints_stay_when_lines_are_added(lint: Any) -> None:
    options = ("--format", "sarif")
    first, second = (
        json.loads("\n".join(lint(*lines, tool("add"), options=options)[1]))["runs"][0]["results"][0]
        for lines in ((), ("# a comment",))
    )
    assert first["partialFingerprints"] == second["partialFingerprints"]
    assert first["locations"] != second["locations"]


def test_every_rule_is_documented() -> None:
    page = (ROOT / "docs/reference/lint.md").read_text()
    assert [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")][1:] == list(RULES)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the published capabilities are not at ../shared/corpus")
def test_published_capabilities_are_linted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--enable", "write-without-approval", str(CORPUS)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert {"open-exposer", "update-says-harmless", "write-without-approval"} <= set(rules_of(lines))
