"""Attacks on patterns: values that make a backtracking engine run for ever, and patterns that mean something else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from quickjs_rs import Runtime

from adapter_host import ArgumentError, Input, PatternError, UpstreamInvalidError, compile_pattern
from adapter_host.expressions import pattern as engine
from adapter_host.expressions.jsonpath import compile_path
from tests.conftest import Command
from tests.support.host_process import host_process
from tests.support.raw_http import CLOSE, exchange, status_of

MAIL = r"^([a-zA-Z0-9]+\.?)+@example\.com$"
LETTERS = "a" * 2000
DOCUMENT = f"""
naftiko: 1.0.0-alpha2
info: {{label: T}}
capability:
  exposes:
    - type: rest
      namespace: site
      port: 0
      resources:
        - path: /mail
          operations:
            - method: GET
              inputParameters: [{{name: q, in: query, type: string, pattern: '{MAIL}'}}]
              outputParameters: [{{type: string, value: "{{{{q}}}}"}}]
        - path: /other
          operations: [{{method: GET, outputParameters: [{{type: string, value: hello}}]}}]
    - type: mcp
      namespace: agent
      port: 0
      tools:
        - name: mail
          description: Checks an address
          inputParameters: [{{name: q, type: string, pattern: '{MAIL}'}}]
          outputParameters: [{{type: string, value: "{{{{q}}}}"}}]
      prompts:
        - name: write
          description: Writes to an address
          arguments: [{{name: q, pattern: '{MAIL}'}}]
          template: [{{role: user, content: "{{{{q}}}}"}}]
"""


def call(method: str, name: str) -> bytes:
    """Return a request to MCP with the attack as argument `q`."""
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": name, "arguments": {"q": LETTERS}}}
    ).encode()
    headers = b"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    return b"POST /mcp HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b" % (CLOSE, headers, len(body), body)


async def test_a_value_does_not_stop_the_host(tmp_path: Path) -> None:
    async with host_process(tmp_path, DOCUMENT) as host:
        site, agent = host.port("site"), host.port("agent")
        refused = await exchange(site, b"GET /mail?q=%b HTTP/1.1\r\n%b\r\n" % (LETTERS.encode(), CLOSE), seconds=10)
        assert status_of(refused) == 400
        assert b"must match the pattern" in refused
        for request in (call("tools/call", "mail"), call("prompts/get", "write")):
            assert b"must match the pattern" in await exchange(agent, request, seconds=10)
        served = await exchange(site, b"GET /other HTTP/1.1\r\n%b\r\n" % CLOSE, seconds=10)
        assert served.endswith(b'"hello"')


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MAIL, "a" * 100_000),
        ("^(a+)+$", "a" * 100_000 + "!"),
        ("(a|a)*b", "a" * 100_000),
        ("(x+x+)+y", "x" * 100_000),
        (r"^(?=(a+)+$)a", "a" * 100_000 + "!"),
        (r"^\s*(.*)\s*;$", " " * 100_000),
    ],
)
def test_no_value_backtracks(pattern: str, text: str) -> None:
    with pytest.raises(ArgumentError, match="must match the pattern"):
        Input("q", pattern=pattern).check(text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("path", ["$[?match(@.a, '(a+)+b')]", "$[?search(@.a, '^(a|a)*$')]", "$[?@.a =~ /(a+)+b/]"])
def test_no_filter_backtracks(path: str) -> None:
    assert compile_path(path)([{"a": "a" * 10_000 + "!"}]) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("$[?match(@.a, @.b)]", "must be a text in quotes"),
        ("$[?search(@.a, '(')]", "has no"),
        ("$[?match(@.a, 'a)|(b')]", "has no"),
        ("$[?@.a =~ /[/]", "has no"),
        ("$[?@.a =~ /a)|(b/i]", "has no"),
        ("$[?@.a =~ /a/s]", "flag 's'"),
    ],
)
def test_invalid_filters_are_reported(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        compile_path(path)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$[?match(@, 'x.')]", ["xy", "x\u2028"]),
        ("$[?match(@, '[.]x')]", []),
        ("$[?search(@, 'y')]", ["xy", "yxx"]),
        ("$[?@ =~ /X./i]", ["xy"]),
        ("$[?@ =~ /x|y/]", []),
        (r"$[?match(@, '\\d')]", []),
    ],
)
def test_filters_match_as_declared(path: str, found: list[str]) -> None:
    assert compile_path(path)(["xy", "yxx", "x\n", "x\u2028", "\u0661", 7]) == found


def test_a_filter_refuses_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_STEPS", 100)
    engine._compiled.cache_clear()
    with pytest.raises(UpstreamInvalidError, match="too long"):
        compile_path("$[?search(@, 'abcde')]")(["a" * 21])


def test_the_length_of_a_value_is_bounded_by_the_size_of_its_pattern() -> None:
    limit = engine.MAX_STEPS // 1000
    item = Input("q", pattern="[ab]*a[ab]{998}")
    item.check("a" * limit)
    with pytest.raises(ArgumentError, match=f"'q' must be at most {limit:,} characters long, because of its pattern"):
        item.check("a" * (limit + 1))


def test_a_number_of_characters_does_not_count_as_size() -> None:
    item = Input("q", pattern="^[\\s\\S]{2,100000}$")
    item.check("\U0001f600" * 100_000)
    for text in ("a", "a" * 100_001):
        with pytest.raises(ArgumentError, match="must match"):
            item.check(text)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("^[0-9]+$", ["1"], ["1\n", "\u0661"]),
        (r"^\d$", ["1"], ["\u0661"]),
        (r"^\w$", ["_"], ["\u00e9"]),
        (r"^\s$", ["\ufeff", "\u00a0"], ["\x85", "\x1c"]),
        ("^.$", ["a", "\x85", "\U0001f600"], ["\n", "\r", "\u2028", "\u2029"]),
        ("b", ["abc"], ["ac"]),
        ("a|^b$", ["xax", "b"], ["bx"]),
        (r"^\u0041\x42\cA\u{1F600}\ud83d\ude00$", ["AB\x01\U0001f600\U0001f600"], []),
        (r"^[^\]\b-]$", ["a"], ["]", "\b", "-"]),
        ("^[[a&&b]$", ["[", "&", "b"], ["a]"]),
        ("^[^]$", ["\n"], [""]),
        ("[]", [], ["", "a"]),
        (r"^\p{Lu}\P{L}$", ["\u00c91"], ["\u00e91", "AA"]),
        (r"^\/\-\@\_$", ["/-@_"], []),
        ("^{a}]$", ["{a}]"], []),
        ("^(?<year>[0-9]{4})$", ["2026"], ["26"]),
        ("^(?i:ab)c$", ["ABc"], ["ABC"]),
        (r"^(?=.*[A-Z])(?=.*\d)(?!.*\s).{8,}$", ["Abcdefg1"], ["abcdefg1", "Abcdefgh", "Abc efg1", "Abcdef1"]),
    ],
)
def test_patterns_have_the_meaning_of_ecma_262(pattern: str, matching: list[str], others: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert [text for text in (*matching, *others) if compiled.matches(text)] == matching


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", r"a '(' has no ')' (character 1); add ')', or write '\('"),
        ("a)", r"a ')' has no '(' (character 2); write '\)'"),
        ("[a", "a '[' has no ']' (character 1)"),
        ("a**", r"'*' has nothing to repeat (character 3); write '\*'"),
        ("a++", "'+' has nothing to repeat (character 3)"),
        ("^*", "'*' has nothing to repeat (character 2)"),
        ("a{3,2}", "the numbers in '{3,2}' are out of order (character 2)"),
        ("a{,3}", "a quantifier has no first number (character 2); write '{0,' for '{,'"),
        ("[z-a]", "the range 'z-a' is out of order (character 2)"),
        ("a\\", r"it ends with a '\' (character 2)"),
        (r"\Z", r"'\Z' is not an escape (character 1); write '$'"),
        (r"\p{Nothing}", r"'\p{Nothing}' is not a property of Unicode (character 1)"),
        (r"\ud800", "U+D800 is not a character"),
        ("(?i)a", "'(?i)' is not a group (character 1); write '(?i:...)'"),
        ("(?P<n>a)", "'(?P<' is not a group (character 1); write '(?<name>...)'"),
        (r"(a)\1", "a back-reference is not supported (character 4)"),
        (r"(?<n>a)\k<n>", "a back-reference is not supported (character 8)"),
        ("(?<=a)b", "a look-behind is not supported here (character 1)"),
        ("a(?!b)", "a look-ahead is not supported here (character 2)"),
        ("(^(?=a))", "a look-ahead is not supported here (character 3)"),
        ("^(?=a)b|c", "a look-ahead is in one of several alternatives"),
        ("(a{1000}){1000}", "it has more than 5,000 characters and classes"),
        (f"a{{{'9' * 10_000}}}", "it has more than 5,000 characters and classes"),
        ("(" * 60 + ")" * 60, "groups are nested more than 50 levels deep (character 51)"),
        (r"\p{L}{4000}x", "is too large; use smaller numbers in braces"),
    ],
)
def test_unsupported_patterns_say_what_would_do(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=re.escape(reason)):
        compile_pattern(pattern)


@pytest.mark.parametrize(("number", "line"), [(0, 12), (1, 22), (2, 27)], ids=["rest", "tool", "prompt"])
def test_an_unsupported_pattern_is_a_problem_of_the_document(
    number: int, line: int, command: Command, tmp_path: Path
) -> None:
    parts = DOCUMENT.strip().split(MAIL)
    patterns = [MAIL, MAIL, MAIL]
    patterns[number] = "("
    (tmp_path / "capability.yaml").write_text("".join(map("".join, zip(parts, [*patterns, ""], strict=True))))
    result = command("validate", "capability.yaml")
    assert result.returncode == 1
    (problem,) = result.stderr.splitlines()
    assert re.match(rf"capability\.yaml:{line}:\d+: the pattern '\(' is not supported: a '\(' has no '\)'", problem)


def test_imported_patterns_are_checked_if_they_are_supported(command: Command, tmp_path: Path) -> None:
    patterns = {"mail": MAIL, "password": r"^(?=.*\d).{8,}$", "twice": r"(a)\1"}
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "pattern": pattern}}
        for name, pattern in patterns.items()
    ]
    operation = {"operationId": "do", "parameters": parameters, "responses": {"200": {"description": "d"}}}
    info = {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": {"/x": {"get": operation}}}
    (tmp_path / "openapi.json").write_bytes(orjson.dumps(info))
    result = command("import", "openapi", "openapi.json")
    (imported,) = yaml.safe_load(result.stdout)["capability"]["consumes"][0]["resources"]
    inputs = imported["operations"][0]["inputParameters"]
    assert [item.get("pattern") for item in inputs] == [MAIL, r"^(?=.*\d).{8,}$", None]
    assert inputs[2]["x-schema"] == {"pattern": r"(a)\1"}
    assert "a back-reference is not supported (character 4)" in result.stderr
    assert "not checked" in result.stderr


TOKENS = [*"ab-1\n.^$|()[]*+?{},_é", "(?:", "(?<n>", "[^", "{2}", "{1,}", "{0,2}", "*?", "a-b", "(?=", "(?!"]
TOKENS += ["&&", "--", r"\u00e9", r"\x61", r"\cJ"] + [rf"\{char}" for char in "dDwWsSbB.-/n0"]
CHARACTERS = [*"ab-1_. {}]\\&\n", "é", "\u0661", "\u00a0", "\x85", "\ufeff", "\u2028"]


@pytest.fixture(scope="module")
def javascript() -> Iterator[Callable[[str, list[str]], Any]]:
    """Return a function that matches samples in QuickJS, an independent implementation of ECMA 262."""
    source = """
    const test = (pattern, samples) => {
      let found;
      try { found = new RegExp(pattern, "u"); } catch (error) { found = new RegExp(pattern); }
      return JSON.stringify(samples.map((sample) => found.test(sample)));
    };
    """
    with Runtime() as runtime, runtime.new_context() as context:
        context.eval(source)
        yield lambda pattern, samples: json.loads(context.eval(f"test(...{json.dumps([pattern, samples])})"))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=8), st.booleans())
def test_patterns_match_as_in_javascript(
    javascript: Callable[[str, list[str]], Any], tokens: list[str], whole: bool
) -> None:
    # Engines differ in where two groups may have one name.
    assume(tokens.count("(?<n>") < 2)
    text = f"^{''.join(tokens)}$" if whole else "".join(tokens)
    try:
        compiled = compile_pattern(text)
    except PatternError:
        return
    samples = ["", *CHARACTERS, *("".join(pair) for pair in product("ab1é\n-", repeat=2)), "aab", "{2}"]
    assert [compiled.matches(sample) for sample in samples] == javascript(text, samples)
