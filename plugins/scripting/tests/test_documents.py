"""Tests of errors in scripts and steps, reported when the document is loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, Plugins, Problem, ProblemsError

from .conftest import Write, build_document

Step = dict[str, Any]


def problems(plugins: Plugins, *steps: Step, scripting: dict[str, Any] | None = None) -> list[Problem]:
    try:
        return list(Host(build_document(*steps, scripting=scripting), plugins=plugins).warnings)
    except ProblemsError as error:
        return list(error.problems)


def messages(plugins: Plugins, *steps: Step, scripting: dict[str, Any] | None = None) -> list[str]:
    """Return the messages without their path and without duplicates, as two exposers have the same steps."""
    found = [problem.message for problem in problems(plugins, *steps, scripting=scripting)]
    return list(
        dict.fromkeys(message.split(": ", 1)[-1] if message[:11] == "capability." else message for message in found)
    )


@pytest.mark.parametrize(
    ("language", "text", "line", "message"),
    [
        (
            "javascript",
            "let a = 1;\nlet a = 2;",
            2,
            "invalid redefinition of lexical identifier",
        ),
        ("javascript", "if (true) {\n  f(;\n}", 2, "unexpected token in expression: ';'"),
        ("javascript", "\n\nf(", 3, ""),
        ("javascript", "\nreturn 1", 2, "return not in a function"),
        ("javascript", "\nvar x = /(/", 1, "expecting ')'"),
        (
            "javascript",
            "\n\nimport 'x'",
            3,
            "'import'",
        ),
        ("python", "a = 1\nif a\n    b = 2", 2, "expected ':'"),
        ("python", "a = 1\n  b = 2", 2, "unexpected indent"),
        ("python", "a = '\\d'\n\ndef f():\n    yield 1", 4, "NotImplementedError"),
        ("python", "a = 1\ndel a", 2, "'del' statement"),
        ("python", "\nimport os", 2, "'os'"),
        ("python", "a\0b", 1, ""),
    ],
)
def test_invalid_scripts(
    script_plugins: Plugins, write: Write, language: str, text: str, line: int, message: str
) -> None:
    step = write(text, language)
    (problem,) = problems(script_plugins, step)
    assert message in problem.message
    assert (Path(problem.file).name, problem.line, problem.code) == (step["file"], line, "script")
    assert problem.column >= 1


def test_invalid_dependency_is_named(script_plugins: Plugins, write: Write) -> None:
    write("let a;\nlet a;", name="lib")
    (problem,) = problems(script_plugins, write("1", dependencies=["lib.js"]))
    assert (Path(problem.file).name, problem.line) == ("lib.js", 2)


def test_missing_and_invalid_keys(script_plugins: Plugins, write: Write, snapshot: SnapshotAssertion) -> None:
    step = write("result = 1")
    assert messages(script_plugins, {**step, "language": None}) == snapshot
    assert messages(script_plugins, {key: step[key] for key in ("type", "name", "file", "language")}) == snapshot
    assert messages(script_plugins, {**step, "language": "groovy"}) == snapshot
    assert messages(script_plugins, {**step, "language": "ruby"}) == snapshot
    assert messages(script_plugins, {**step, "location": "scripts"}) == snapshot
    assert messages(script_plugins, {**step, "fil": "x"}) == snapshot


@pytest.mark.parametrize(
    "name", ["../secret.js", "/etc/passwd", "a/../b.js", "a b.js", "a//b.js", ".", "ä.js", "a\\b.js"]
)
def test_invalid_script_paths(script_plugins: Plugins, write: Write, name: str, snapshot: SnapshotAssertion) -> None:
    for step in (write("1", file=name), write("1", dependencies=[name])):
        assert {problem.code for problem in problems(script_plugins, step)} == {"script-file"}
        assert messages(script_plugins, step) == snapshot(name="message")


def test_script_files_must_be_text_inside_the_location(
    script_plugins: Plugins, write: Write, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    step = write("1")
    folder = tmp_path / "scripts"
    (tmp_path / "outside.js").write_text("1")
    (folder / "link.js").symlink_to(tmp_path / "outside.js")
    (folder / "up").symlink_to(tmp_path)
    (folder / ".hidden.js").write_text("1")
    (folder / "latin.js").write_bytes(b"'\xe9'")
    (folder / "long.js").write_text("1;" * 600_000)
    (folder / "folder.js").mkdir()
    os.mkfifo(folder / "pipe.js")
    for name in ("link.js", "up/outside.js", ".hidden.js", "none.js", "folder.js", "pipe.js"):
        (message,) = messages(script_plugins, {**step, "file": name})
        assert message.replace(str(folder), "FOLDER") == snapshot(name=name)
    assert messages(script_plugins, {**step, "file": "latin.js"}) == snapshot(name="latin.js")
    assert messages(script_plugins, {**step, "file": "long.js"}) == snapshot(name="long.js")
    (message,) = messages(script_plugins, {**step, "location": (tmp_path / "nowhere").as_uri()})
    assert message.replace(str(tmp_path), "") == snapshot(name="nowhere")
    (folder / "inner").mkdir()
    (folder / "inner/fine.js").write_text("1")
    (folder / "inner/link.js").symlink_to(folder / "main.js")
    assert (
        messages(script_plugins, {**step, "file": "inner/fine.js"}, {**step, "name": "b", "file": "inner/link.js"})
        == []
    )


def test_script_files_are_watched(script_plugins: Plugins, write: Write) -> None:
    write("1", name="lib")
    host = Host(build_document(write("1", dependencies=["lib.js"])), plugins=script_plugins)
    names = [Path(file).name for file in host.plans[0].loaded.files]
    assert names == ["<capability>", "lib.js", "main.js"]


def test_relative_location(script_plugins: Plugins, write: Write, tmp_path: Path) -> None:
    import json

    write("result = 1")
    document = build_document(write("result = 1", location="file:///./scripts"))
    (tmp_path / "capability.yaml").write_text(json.dumps(document))
    Host(tmp_path / "capability.yaml", plugins=script_plugins)


def test_script_step_without_the_plugin(snapshot: SnapshotAssertion) -> None:
    import adapter_host_rest
    from adapter_host.testing import FakePlugin

    document = build_document({"type": "script", "name": "a", "file": "a.js"})
    del document["capability"]["exposes"][1]
    with pytest.raises(ProblemsError) as caught:
        Host(document, plugins=Plugins({"rest": adapter_host_rest, "fake": FakePlugin()}))
    (problem,) = caught.value.problems
    assert problem.message == snapshot


def test_invalid_with(script_plugins: Plugins, write: Write, snapshot: SnapshotAssertion) -> None:
    step = write("1", **{"with": {"x": "$.later.y", "z": "{{nobody.q}}"}})
    assert messages(script_plugins, step) == snapshot


def test_invalid_management_scripting(script_plugins: Plugins, write: Write, snapshot: SnapshotAssertion) -> None:
    found = messages(script_plugins, write("1"), scripting={"timeout": 0, "enabled": "maybe", "defaultLocation": "x"})
    assert found == snapshot
