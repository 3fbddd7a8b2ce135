"""Templates: tags, their parts, and rendering."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host import ABSENT, Template
from adapter_host.expressions.template import Reference, Secret, compile_template, text_of

SECRETS = {"TOKEN": "s3cr3t", "EMPTY": None}


def compile_text(text: str) -> Template:
    return compile_template(text, lambda name: Secret(name, SECRETS[name]) if name in SECRETS else Reference(name))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{{x}}", "5"),
        ("{{ x }}", "5"),
        ("{{{x}}}", "5"),
        ("{{& x}}", "5"),
        ("{{ & x }}", "5"),
        ("a{{x}}b{{y}}c", "a5btruec"),
        ('{"id": {{x}}}', '{"id": 5}'),
        ('{"a": {"b": {{{x}}}}}', '{"a": {"b": 5}}'),
        ('{"a":{"b":{{x}}}}', '{"a":{"b":5}}'),
        ("{{{x}}", "{5"),
        ("{x}", "{x}"),
        ("{{}}", "{{}}"),
        ("{{x", "{{x"),
        ("{{missing}}", ""),
        ("{{null}}", ""),
        ("{{a.b-c}}", "dotted"),
        ("{{list}}", "[1,2]"),
        ("{{map}}", '{"k":"v"}'),
        ("Bearer {{TOKEN}}", "Bearer s3cr3t"),
        ("{{EMPTY}}", ""),
    ],
)
def test_text(text: str, expected: str) -> None:
    arguments = {"x": 5, "y": True, "null": None, "a.b-c": "dotted", "list": [1, 2], "map": {"k": "v"}}
    assert compile_text(text).text(arguments) == expected


def test_values_are_not_expanded() -> None:
    assert compile_text("{{x}}").text({"x": "{{TOKEN}}"}) == "{{TOKEN}}"


def test_only_values_are_encoded() -> None:
    template = compile_text("/{{x}}/{{TOKEN}}/é")
    assert template.text({"x": "a/b"}, lambda text: text.replace("/", "%2F")) == "/a%2Fb/s3cr3t/é"


@pytest.mark.parametrize("value", [5, None, [1], {"a": 1}, "text", False])
def test_single_tag_keeps_value_type(value: Any) -> None:
    template = compile_text("{{x}}")
    assert template.single == "x"
    assert template.value({"x": value}) == value
    assert template.value({}) is ABSENT


def test_template_parts() -> None:
    template = compile_text("{{x}}-{{TOKEN}}-{{y}}-{{x}}")
    assert (template.inputs, template.secrets) == (("x", "y"), ("TOKEN",))
    assert (template.constant, template.single) == (None, None)
    assert template.value({"x": 1, "y": 2}) == "1-s3cr3t-2-1"
    assert compile_text("a{{TOKEN}}").constant == "as3cr3t"


def test_secrets_are_masked() -> None:
    template = compile_text("Bearer {{TOKEN}} for {{x}}")
    assert template.masked() == "Bearer {{TOKEN}} for {{x}}"
    assert template.preview({"x": 5}) == "Bearer {{TOKEN}} for 5"
    for text in (repr(template), repr(template.parts), str(template), f"{template.parts[1]}"):
        assert "s3cr3t" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        (ABSENT, ""),
        (3, "3"),
        (2.5, "2.5"),
        (10**25, "1" + "0" * 25),
    ],
)
def test_text_of(value: Any, text: str) -> None:
    assert text_of(value) == text


@given(st.text())
def test_any_text_compiles(text: str) -> None:
    template = compile_text(text)
    if not template.inputs and not template.secrets:
        assert template.text({}) == text
    assert template.text(dict.fromkeys(template.inputs, "")) == compile_text(text).text({})


@given(st.text(alphabet="{}x &"), st.text(alphabet="{}x &"))
def test_braces_around_tag_are_kept(before: str, after: str) -> None:
    text = f"{before.rstrip('{')}{{{{name}}}}{after}"
    template = compile_template(text, lambda name: "|" if name == "name" else "")
    assert "|" in template.text({})
    assert after.startswith("}") is False or template.text({}).partition("|")[2].startswith("}")
