"""The strict checker agrees with the official schema."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from adapter_host import ProblemsError
from adapter_host.document import Loc, Source
from adapter_host.document.strict import ALPHA2, BETA5, Language, check_strict, language_of
from tests.language.conversion import as_beta5
from tests.language.schema import Sampler, fields, published, validator_of
from tests.support.pages import PAGES, blocks
from tests.support.paths import ROOT, SHARED

pytestmark = pytest.mark.early

SAMPLES = 500
MUTATIONS = 2000
EACH_LANGUAGE = pytest.mark.parametrize("language", [ALPHA2, BETA5], ids=["alpha2", "beta5"])


def without_extensions(data: Any) -> Any:
    """Return a document without the keys of extensions, which are not in the schema."""
    if isinstance(data, dict):
        return {key: without_extensions(value) for key, value in data.items() if not key.startswith("x-")}
    return [without_extensions(item) for item in data] if isinstance(data, list) else data


def same_verdict(data: Any, language: Language) -> bool:
    """Return True for a valid document; assert that the schema and the checker agree."""
    valid: bool = validator_of(language.version).is_valid(without_extensions(data))
    problems = [problem for problem in check_strict(Source.from_data(data)) if not problem.warning]
    assert valid == (not problems), f"{problems[:3] or 'no problem'}: {json.dumps(data)}"
    return valid


@cache
def seeds(language: Language) -> list[Any]:
    """Return valid documents, generated from the schema, that together have every field."""
    sampler = Sampler(language.version, random.Random(20260430))
    documents = [sampler.document() for _ in range(SAMPLES)]
    assert sampler.seen == fields(language.version)
    return [data for data in documents if same_verdict(data, language)]


@EACH_LANGUAGE
def test_documents_from_schema_are_valid(language: Language) -> None:
    assert len(seeds(language)) > SAMPLES * 0.9


def with_known_version(data: dict[str, Any]) -> tuple[dict[str, Any], Language]:
    """Return a document and its language, with a version that has a schema."""
    language, header = language_of(data)
    if data.get(header) not in language.nearby:
        return data, language
    return {language.header: language.version, **{key: data[key] for key in data if key != header}}, language


def project_documents() -> Iterator[tuple[dict[str, Any], Language]]:
    """Yield the documents of the project and of its pages, valid and invalid."""
    paths = [path for folder in ("capabilities", "tests") for path in (ROOT / folder).rglob("*.y*ml")]
    texts = [path.read_bytes() for path in paths if "node_modules" not in path.parts]
    texts += [block.text.encode() for page in PAGES for block in blocks(page, "yaml")]
    for text in texts:
        try:
            data = Source.parse(text, "document.yaml").data
        except ProblemsError:
            continue  # not YAML, on purpose
        if isinstance(data, dict):
            yield with_known_version(data)


def test_project_documents_have_same_verdict() -> None:
    verdicts = [same_verdict(data, language) for data, language in project_documents()]
    assert verdicts.count(True) > 10
    assert verdicts.count(False) > 50


def test_converted_documents_stay_valid() -> None:
    capabilities = [data for data, language in project_documents() if language is ALPHA2 and "capability" in data]
    assert len(capabilities) > 10
    assert all(same_verdict(as_beta5(data), BETA5) or not same_verdict(data, ALPHA2) for data in capabilities)


def test_published_documents_have_same_verdict() -> None:
    for path in published():
        same_verdict(*with_known_version(Source.read(path).data))


def test_tutorial_is_valid() -> None:
    paths = [path for path in published() if path.is_relative_to(SHARED / "tutorial")]
    for data in (Source.read(path).data for path in paths if path.name != "secrets.yaml"):
        assert same_verdict(data, ALPHA2)
        assert same_verdict(as_beta5(data), BETA5)


def locations(data: Any, loc: Loc = ()) -> Iterator[Loc]:
    yield loc
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from locations(value, (*loc, key))


WORDS = (
    "a A-1 a.b a.b.c {{x}} é object array string integer call script json text basic oauth2 rest mcp skill stdio "
    "http GET path 2026-13-01 2026-01-01 https://x/{a} https://x file:///x text/plain"
)
VALUES: list[Any] = [
    *WORDS.split(),
    *(None, True, False, 0, 1, -1, 3.0, 0.5, 70000, "", "a b", "x" * 1100),
    *([], ["a"], [1], [{}], {}, {"a": 1}, {"a": "b"}),
    {"type": "string", "value": "x"},
    [{"name": "a", "type": "string"}],
    [{"type": "string", "mapping": "$."}],
    [{"name": "a", "type": "string", "value": "b"}],
    [{"type": "call", "name": "a", "call": "a.b"}],
]
KEYS = (
    "name description label type value mapping const properties items in required port call steps ref with "
    "display flows target tags binary responses responseBinary as "
    "mappings outputParameters location template from instruction import consumes exposes operations forward "
    "transport data body unknown Name namespace pattern"
)


def mutate(data: dict[str, Any], choice: random.Random) -> dict[str, Any]:
    """Return the document with a few random changes."""
    changed: dict[str, dict[str, Any]] = {"document": copy.deepcopy(data)}
    for _ in range(choice.choice([1, 1, 1, 2, 3])):
        locs = [loc for loc in locations(changed) if loc]
        *above, last = choice.choice(locs)
        parent: Any = changed
        for key in above:
            parent = parent[key]
        mutate_at(parent, last, changed, choice)
    return changed["document"]


def mutate_at(parent: Any, key: Any, everything: Any, choice: random.Random) -> None:
    action = choice.randrange(5)
    value = parent[key]
    if action == 0 and isinstance(value, (dict, list)) and value:
        del value[choice.choice(list(value) if isinstance(value, dict) else range(len(value)))]
    elif action <= 2 and isinstance(value, dict):
        value[choice.choice(KEYS.split())] = copy.deepcopy(choice.choice(VALUES))
    elif action == 3:
        *above, last = choice.choice([loc for loc in locations(everything) if loc])
        other = everything
        for step in above:
            other = other[step]
        parent[key] = copy.deepcopy(other[last])
    else:
        parent[key] = copy.deepcopy(choice.choice(VALUES))


@EACH_LANGUAGE
def test_mutated_documents_have_same_verdict(language: Language) -> None:
    choice = random.Random(20260821)
    valid = 0
    for _ in range(MUTATIONS):
        valid += same_verdict(mutate(choice.choice(seeds(language)), choice), language)
    assert MUTATIONS / 20 < valid < MUTATIONS * 19 / 20


@pytest.mark.parametrize(
    ("header", "version", "language"),
    [
        ("naftiko", "1.0.0-alpha1", ALPHA2),
        ("naftiko", "1.0.0-alpha3", BETA5),
        ("ikanos", "1.0.0-beta1", BETA5),
        ("ikanos", "1.0.0-beta4", BETA5),
    ],
)
def test_version_without_schema_uses_nearest(header: str, version: str, language: Language) -> None:
    for seed in seeds(language)[:5]:
        rest = {key: value for key, value in seed.items() if key != language.header}
        (warning,) = check_strict(Source.from_data({header: version, **rest}))
        message = f"--strict: no official schema for {version} is available; validated against {language.version}"
        assert (warning.warning, warning.message) == (True, f"{header}: {message}")
        broken = check_strict(Source.from_data({header: version, **rest, "extra": 1}))
        assert [problem.code for problem in broken] == ["no-official-schema", "unknown-key"]


@pytest.mark.parametrize("header", [{"naftiko": BETA5.version}, {"ikanos": ALPHA2.version}, {"ikanos": "1.0.0-beta9"}])
def test_header_of_unknown_language(header: dict[str, str]) -> None:
    assert any(not problem.warning for problem in check_strict(Source.from_data({**header, "binds": [{"from": "a"}]})))
