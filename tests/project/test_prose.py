"""Tests of the project's English: rates of some kinds of words, and words that are always wrong here.

Limits are per 1,000 words, and the documentation of other projects (starlette, httpx, tox, datasette) is within them,
measured with the same patterns: noun clauses 0.1 to 2.7, "you" 7 to 40, "answer" 0 to 2, "response" 0 to 10. So are the
docstrings of starlette, aiohttp, pydantic, click, uvicorn and mcp: noun clauses 0 to 0.8. docs/STYLE.md has the rules.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import ROOT
from tests.support.source_trees import parsed

STYLE: Final = ROOT / "docs/STYLE.md"
GENERATED: Final = ROOT / "docs/reference/api.md"
"""Made from docstrings, which do not address the reader."""

PAGES: Final = sorted(
    [*ROOT.glob("*.md"), ROOT / "core/README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")]
)
GUIDES: Final = [page for page in PAGES if "how-to" in page.parts or page.name in ("tutorial.md", "embedding.md")]
OTHER_TEXTS: Final = sorted(
    [
        ROOT / "Makefile",
        *(folder / "pyproject.toml" for folder in (ROOT, ROOT / "core", *ROOT.glob("plugins/*"))),
        *ROOT.glob("core/**/templates/**/*.tmpl"),
        *ROOT.glob("capabilities/**/*.yaml"),
        *ROOT.glob("capabilities/**/*.md"),
    ]
)
PACKAGES: Final = [ROOT / "core/adapter_host", *sorted(ROOT.glob("plugins/*/adapter_host_*"))]
TEST_FOLDERS: Final = [ROOT / "tests", *sorted(ROOT.glob("plugins/*/tests"))]

NOUN_CLAUSE: Final = re.compile(
    r"\b(?:what|whatever|whoever|those who|who) "
    r"(?!(?:are|is|does|do|did|happens|if|about|you need|you|kind|to)\b)\w",
    re.IGNORECASE,
)
"""A clause with what or who as a noun: "what runs plans". Questions and "what is" are not counted."""
YOU: Final = re.compile(r"\byour?\b", re.IGNORECASE)
ANSWER: Final = re.compile(r"\banswer(?:s|ed|ing)?\b", re.IGNORECASE)
RESPONSE: Final = re.compile(r"\bresponses?\b", re.IGNORECASE)

WRONG_WORDS: Final = re.compile(
    r"\b(?:stand-ins?|doors?|anew|whoever|whosoever|besides|in truth|(?:is|are|was|were) told|taken whole|"
    r"takes? whole|goes? on serving)\b",
    re.IGNORECASE,
)
"""Words that have no meaning for this project; docs/STYLE.md lists the right ones."""
WRONG_IN_CODE: Final = re.compile(rf"{WRONG_WORDS.pattern}|{ANSWER.pattern}", re.IGNORECASE)
WRONG_NAMES: Final = re.compile(r"(?:^|_)(?:stand_?ins?|doors?|anew|whoever|besides|told|answer(?:s|ed|ing)?)(?:_|$)")

MOST_NOUN_CLAUSES: Final = 3.0
MOST_NOUN_CLAUSES_IN_DOCSTRINGS: Final = 1.0
MOST_ANSWERS: Final = 1.0
LEAST_YOU: Final = 6.0
MOST_ON_A_PAGE: Final = 5.0
"""Noun clauses and answers of one page: more than over all pages, because a page has fewer words."""
LEAST_YOU_IN_A_GUIDE: Final = 2.0
FEW_WORDS: Final = 300
"""Pages with fewer words are only counted with all others: one word would be more than 3 per 1,000."""
QUESTION: Final = re.compile(r"\s*(?:What|Whatever|Whether|Which|Who|Whoever|Where|How)\b")
MOST_QUESTIONS: Final = 0.03
"""The share of docstrings that begin with What, Whether, How and the like; 0 to 2.4 % in other projects."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Numbers of words of some kinds, per 1,000 words."""

    words: int
    noun_clauses: float
    you: float
    answers: float
    responses: float


def rates(text: str) -> Rates:
    """Return the rates of a text without markup."""
    words = len(re.findall(r"[A-Za-z']+", text))
    counts = (len(pattern.findall(text)) for pattern in (NOUN_CLAUSE, YOU, ANSWER, RESPONSE))
    noun_clauses, you, answers, responses = (1000 * count / max(words, 1) for count in counts)
    return Rates(words, noun_clauses, you, answers, responses)


def without_code(markdown: str) -> str:
    """Return a page without code, HTML and targets of links."""
    for pattern, replacement in (("```.*?```", ""), ("`+[^`]*`+", "X"), ("<[^>]+>", ""), (r"\]\([^)]*\)", "]")):
        markdown = re.sub(pattern, replacement, markdown, flags=re.DOTALL)
    return markdown


def sentences(markdown: str) -> str:
    """Return the sentences of a page: no code, and no rows of tables."""
    return re.sub(r"^\|.*$", "", without_code(markdown), flags=re.MULTILINE)


def cells(markdown: str) -> str:
    """Return the rows of a page's tables."""
    return "\n".join(re.findall(r"^\|.*$", without_code(markdown), flags=re.MULTILINE))


@cache
def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def joined(pages: Iterable[Path]) -> str:
    return "\n".join(sentences(read(page)) for page in pages)


def modules(folders: Iterable[Path]) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the modules below folders."""
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if "node_modules" not in path.parts:
                yield path, parsed(path)


def docstrings(tree: ast.Module) -> Iterator[str]:
    """Yield the docstrings of a module without code, including those of values."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield without_code(node.value.value)


def comments(source: str) -> str:
    """Return the comments of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join(token.string for token in tokens if token.type == tokenize.COMMENT)


def messages(tree: ast.Module) -> Iterator[str]:
    """Yield the string constants of a module: docstrings, messages and help, and parts of f-strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def names(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module defines, in snake case."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).lower()
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id.lower()
        elif isinstance(node, ast.arg):
            yield node.arg


def matches(pattern: re.Pattern[str], text: str) -> list[str]:
    """Return the matches of a pattern, with the text around them."""
    return [" ".join(text[max(match.start() - 30, 0) : match.end() + 30].split()) for match in pattern.finditer(text)]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


PAGE = pytest.mark.parametrize("page", PAGES, ids=relative)


# Rates


def test_pages_have_few_noun_clauses() -> None:
    assert rates(joined(PAGES)).noun_clauses <= MOST_NOUN_CLAUSES
    assert rates("\n".join(cells(read(page)) for page in PAGES if page != STYLE)).noun_clauses <= MOST_NOUN_CLAUSES


def test_pages_call_a_response_a_response() -> None:
    measured = rates(joined(PAGES))
    assert measured.answers <= MOST_ANSWERS
    assert measured.responses > measured.answers


def test_pages_address_the_reader() -> None:
    assert rates(joined(page for page in PAGES if page != GENERATED)).you >= LEAST_YOU


@PAGE
def test_page_is_within_the_range_of_other_projects(page: Path) -> None:
    measured = rates(sentences(read(page)))
    if measured.words >= FEW_WORDS:
        assert measured.noun_clauses <= MOST_ON_A_PAGE
        assert measured.answers <= MOST_ON_A_PAGE
        assert measured.answers <= measured.responses or measured.answers <= MOST_ANSWERS


@pytest.mark.parametrize("page", GUIDES, ids=relative)
def test_guide_addresses_the_reader(page: Path) -> None:
    measured = rates(sentences(read(page)))
    assert measured.words < FEW_WORDS or measured.you >= LEAST_YOU_IN_A_GUIDE


@pytest.mark.parametrize("folders", [PACKAGES, TEST_FOLDERS], ids=["packages", "tests"])
def test_docstrings_are_within_the_range_of_other_projects(folders: list[Path]) -> None:
    found = [docstring for _, tree in modules(folders) for docstring in docstrings(tree)]
    measured = rates("\n".join(found))
    assert len(found) > 500
    assert measured.noun_clauses <= MOST_NOUN_CLAUSES_IN_DOCSTRINGS
    assert measured.answers <= MOST_ANSWERS
    assert measured.responses > measured.answers
    questions = [docstring for docstring in found if QUESTION.match(docstring)]
    assert len(questions) <= MOST_QUESTIONS * len(found), questions


# Wrong words


@PAGE
def test_page_has_no_wrong_words(page: Path) -> None:
    text = without_code(read(page))
    if page == STYLE:
        text = sentences(text)
    assert matches(WRONG_WORDS, text) == []


@pytest.mark.parametrize("path", OTHER_TEXTS, ids=relative)
def test_text_has_no_wrong_words(path: Path) -> None:
    assert matches(WRONG_WORDS, read(path)) == []


def test_packages_have_no_wrong_words() -> None:
    assert {
        relative(path): found
        for path, tree in modules(PACKAGES)
        for text in (*messages(tree), comments(read(path)))
        if (found := matches(WRONG_IN_CODE, text))
    } == {}


def test_tests_have_no_wrong_words() -> None:
    assert {
        relative(path): found
        for path, tree in modules(TEST_FOLDERS)
        for text in (*docstrings(tree), comments(read(path)))
        if path != Path(__file__) and (found := matches(WRONG_IN_CODE, text))
    } == {}


def test_names_have_no_wrong_words() -> None:
    assert {
        (relative(path), name)
        for path, tree in modules((*PACKAGES, *TEST_FOLDERS))
        for name in names(tree)
        if path != Path(__file__) and WRONG_NAMES.search(name)
    } == set()


# The measurement itself


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What runs plans reports whoever wrote them, whatever happened.", 3),
        ("A page for those who read it", 1),
        ("What is a plan, and what happens to it? See what you need, and who are its users.", 0),
        ("The host runs plans for every client.", 0),
    ],
)
def test_noun_clauses_are_counted(text: str, expected: int) -> None:
    assert len(NOUN_CLAUSE.findall(text)) == expected


def test_rates_are_per_thousand_words() -> None:
    text = "Your answer is a response. " + "word " * 95
    assert rates(text) == Rates(words=100, noun_clauses=0, you=10, answers=10, responses=10)
    assert rates("") == Rates(0, 0, 0, 0, 0)


def test_code_and_tables_are_no_sentences() -> None:
    page = "A [page](answer.md) `your answer`\n<!-- answer -->\n```console\nanswer\n```\n| answer | `you` |\n"
    assert sentences(page).split() == ["A", "[page]", "X"]
    assert cells(page) == "| answer | X |"


SOURCE = '''\
"""A door."""


class OneDoor:
    """A `door`, and more."""

    def report(self, is_told: str) -> str:
        answers = f"it is {is_told} anew"  # besides
        return answers
'''


def test_docstrings_comments_and_names_are_found() -> None:
    tree = ast.parse(SOURCE)
    assert list(docstrings(tree)) == ["A door.", "A X, and more."]
    assert comments(SOURCE) == "# besides"
    assert [name for name in names(tree) if WRONG_NAMES.search(name)] == ["one_door", "is_told", "answers"]
    assert [text for text in messages(tree) if matches(WRONG_IN_CODE, text)] == [
        "A door.",
        "A `door`, and more.",
        " anew",
    ]


@pytest.mark.parametrize(
    "text", ["a stand-in", "the Door", "read anew", "whoever calls", "it is told", "is taken whole"]
)
def test_wrong_words_are_found(text: str) -> None:
    assert WRONG_WORDS.search(text)


@pytest.mark.parametrize("text", ["outdoor", "standing in line", "renewed", "the told story", "beside it"])
def test_other_words_are_right(text: str) -> None:
    assert not WRONG_WORDS.search(text)
