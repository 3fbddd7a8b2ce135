"""The JSON Schema of the language: it refuses a document only if the host does, and all that a schema can know."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from adapter_host import Settings
from adapter_host.cli import main
from adapter_host.compiler.language_schema.document import language_schema
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.host.loading import Document, load_documents
from adapter_host.plugin.loading.manager import Plugins
from tests.support.pages import PAGES, blocks
from tests.support.paths import ROOT, SHARED

UNKNOWN_TO_A_SCHEMA: Final = {
    "import": "the other file cannot be read, or has no such entry",
    "missing-key": "a key that another key requires, such as the credentials of a type of authentication",
    "no-base-uri": "neither the document nor an option has the URL of an API",
    "refused-call": "a call of an operation that cannot be called",
    "template": "the syntax of a template",
    "unknown-call": "a call of an operation that is not declared",
    "unknown-format": "a format of responses that no package reads",
}
"""The codes of problems in published documents that the schema does not find, and their reasons."""


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.installed()


@pytest.fixture(scope="module")
def schema(plugins: Plugins) -> dict[str, Any]:
    return language_schema(plugins)


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema)


def problems_of(document: Document, plugins: Plugins) -> list[Problem]:
    """Return the errors of a document, as `adapter-host validate` reports them."""
    loading = load_documents((document,), plugins, Settings())
    found = [*loading.problems, *(problem for plan in loading.plans for problem in plan.loaded.diagnostics.problems)]
    return [problem for problem in found if not problem.warning]


def documents(folder: Path) -> Iterator[tuple[Path, Any]]:
    for file in sorted(folder.rglob("*.y*ml")):
        try:
            data = Source.read(file).data
        except ProblemsError:
            continue
        if isinstance(data, dict) and data.keys() & {"naftiko", "ikanos", "capability"}:
            yield file, data


def test_it_is_a_valid_schema(schema: dict[str, Any]) -> None:
    jsonschema_rs.meta.validate(schema)


def test_examples_are_valid(validator: jsonschema_rs.Validator) -> None:
    found = dict(documents(ROOT / "capabilities"))
    assert len(found) > 20
    assert [file.name for file, data in found.items() if not validator.is_valid(data)] == []


@pytest.mark.skipif(not SHARED.exists(), reason="the published documents are not there")
@pytest.mark.parametrize("folder", ["corpus", "corpus-authors", "cases", "tutorial"])
def test_published_documents_have_the_same_verdict(
    folder: str, validator: jsonschema_rs.Validator, plugins: Plugins
) -> None:
    refused, kinds = [], set()
    for file, data in documents(SHARED / folder):
        is_valid, problems = validator.is_valid(data), problems_of(file, plugins)
        if not is_valid and not problems:
            refused.append(str(file))
        if is_valid:
            kinds |= {problem.code for problem in problems}
    assert refused == []
    assert kinds <= UNKNOWN_TO_A_SCHEMA.keys()


def test_documents_of_pages_and_broken_ones_have_the_same_verdict(
    validator: jsonschema_rs.Validator, plugins: Plugins
) -> None:
    found: list[tuple[str, str | bytes]] = [
        *((str(page), block.text) for page in PAGES for block in blocks(page, "yaml")),
        *((str(file), file.read_bytes()) for file in sorted((ROOT / "tests/compiler/bad").glob("*.yaml"))),
        *((str(file), file.read_bytes()) for file in sorted((ROOT / "plugins").glob("*/*.yaml"))),
    ]
    valid, invalid, refused = 0, 0, []
    for name, text in found:
        try:
            source = Source.parse(text, name)
        except ProblemsError:
            continue
        if "capability" in source.data and not validator.is_valid(source.data):
            invalid += 1
            refused += [] if problems_of(source, plugins) else [name]
        else:
            valid += "capability" in source.data
    assert refused == []
    assert valid > 30
    assert invalid > 20


def _places(value: Any, loc: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*loc, key)
        yield from _places(child, (*loc, key))


def _changed(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield copies of a document in each of which one value is missing, or of another type."""
    changes = {"removed": ..., "list": [[1]], "mapping": {"other": []}, "empty": None, "text": "other", "number": 7}
    for loc in _places(document):
        for change, value in changes.items():
            changed = copy.deepcopy(document)
            parent = changed
            for key in loc[:-1]:
                parent = parent[key]
            if value is ...:
                del parent[loc[-1]]
            else:
                parent[loc[-1]] = value
            yield f"{change} {'.'.join(str(key) for key in loc if isinstance(key, str))}", changed


def test_changed_documents_have_the_same_verdict(validator: jsonschema_rs.Validator, plugins: Plugins) -> None:
    data = Source.read(ROOT / "capabilities/greeting.yaml").data
    refused, missed, found = [], set(), 0
    for change, document in _changed(data):
        is_valid, problems = validator.is_valid(document), problems_of(document, plugins)
        if not is_valid and not problems:
            refused.append(change)
        found += not is_valid
        if is_valid and any(problem.code == "type" for problem in problems):
            missed.add(change)
    assert refused == []
    assert missed == set()
    assert found > 100


HTTP: Final = {"type": "http", "namespace": "api", "baseUri": "https://api.example.com"}
OTHER_FORMS: Final[dict[str, Any]] = {
    "names as keys": {
        "capability": {"consumes": [{**HTTP, "resources": {"r": {"operations": {"o": {"method": "get"}}}}}]},
    },
    "flows": {"capability": {"consumes": [HTTP], "aggregates": {"a": {"flows": {"f": {"call": "api.x"}}}}}},
    "api": {"capability": {"exposes": [{"type": "api", "namespace": "n", "port": "8080", "resources": None}]}},
    "fragment": {"naftiko": 1.0, "binds": [{"namespace": "env", "keys": {"A": "B"}}]},
    "import": {"capability": {"consumes": [{"import": "api", "from": "./other.yaml"}]}},
    "resilience": {"capability": {"consumes": [{**HTTP, "x-resilience": {"retry": {"attempts": 2}}}]}},
    "steps": {
        "capability": {
            "consumes": [HTTP],
            "aggregates": [
                {
                    "namespace": "a",
                    "functions": [
                        {"name": "f", "steps": {"s": {"call": "api.x"}, "t": {"type": "script", "file": "a.js"}}}
                    ],
                }
            ],
        }
    },
}


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_forms_of_all_versions_are_valid(name: str, validator: jsonschema_rs.Validator) -> None:
    assert [error.message for error in validator.iter_errors(OTHER_FORMS[name])] == []


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"naftiko": "1.0"}, []),
        ({"capability": {}}, ["capability"]),
        ({"capability": {"consumes": [{**HTTP, "type": "htpp"}]}}, ["capability", "consumes", 0, "type"]),
        ({"capability": {"consumes": [{**HTTP, "x-transport": "fast"}]}}, ["capability", "consumes", 0, "x-transport"]),
        (
            {"capability": {"consumes": [{**HTTP, "x-resilience": {"retries": 2}}]}},
            ["capability", "consumes", 0, "x-resilience"],
        ),
    ],
)
def test_errors_have_their_place(document: Any, place: list[Any], validator: jsonschema_rs.Validator) -> None:
    places = [list(error.instance_path) for error in _deepest(validator.iter_errors(document))]
    assert place in places


def _deepest(errors: Iterator[jsonschema_rs.ValidationError]) -> Iterator[jsonschema_rs.ValidationError]:
    for error in errors:
        yield error
        for branch in getattr(error.kind, "context", ()):
            yield from _deepest(iter(branch))


def test_command_writes_the_schema(schema: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema
    assert main(["schema", "-o", str(tmp_path / "schema.json")]) == 0
    assert json.loads((tmp_path / "schema.json").read_text()) == schema


def test_types_of_other_plugins_are_included(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = tmp_path / "lamp.py"
    plugin.write_text(
        "from adapter_host import Exposer, ExposerConfig, hookimpl\n"
        "class LampConfig(ExposerConfig):\n    brightness: int\n"
        "class Lamp(Exposer[LampConfig]):\n    config_class = LampConfig\n"
        "@hookimpl\ndef register_exposers(register):\n    register('lamp', Lamp)\n"
    )
    assert main(["schema", "--plugin-file", str(plugin)]) == 0
    validator = jsonschema_rs.validator_for(json.loads(capsys.readouterr().out))
    lamp = {"type": "lamp", "namespace": "l", "brightness": 3}
    assert validator.is_valid({"capability": {"exposes": [lamp]}})
    assert not validator.is_valid({"capability": {"exposes": [{**lamp, "brightness": []}]}})
