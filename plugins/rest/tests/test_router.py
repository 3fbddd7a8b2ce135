from __future__ import annotations

import re
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapter_host_rest.router import Router, Segment, match_segment, parse_path, show_path, split_path


def router(*paths: str, method: str = "GET") -> Router[str]:
    made: Router[str] = Router()
    for path in paths:
        made.add(method, parse_path(path), path)
    return made


def find(made: Router[str], path: str, method: str = "GET") -> tuple[str, list[str]] | None:
    return made.find(method, split_path(path))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a/{x}", "/a/{x}"),
        ("/a/{{x}}", "/a/{x}"),
        ("/a/{{ x }}/{station-id}", "/a/{x}/{station-id}"),
        ("/{a}.{b}", "/{a}.{b}"),
        ("/v{n}/", "/v{n}/"),
        ("/a//b", "/a//b"),
        ("a/b", "/a/b"),
        ("/", "/"),
        ("/caf%C3%A9", "/café"),
    ],
)
def test_declared_path_is_read(path: str, shown: str) -> None:
    assert show_path(parse_path(path)) == shown


@pytest.mark.parametrize("path", ["/{a}{b}", "/{a", "/a}", "/{{a}", "/{}", "/{a/b}"])
def test_declared_path_that_means_nothing_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"unbalanced braces|nothing stands between"):
        parse_path(path)


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("/", [""]),
        ("", [""]),
        ("/a/b", ["a", "b"]),
        ("/a//b/", ["a", "", "b", ""]),
        ("/a%2Fb/%C3%A9", ["a/b", "é"]),
        ("/\udcc3\udca9", ["é"]),
        ("/a+b%2B", ["a+b+"]),
        ("/100%", ["100%"]),
    ],
)
def test_request_path_is_split_before_it_is_decoded(raw: str, segments: list[str]) -> None:
    assert split_path(raw) == segments


@pytest.mark.parametrize("raw", ["/%ff", "/a/%00", "/%C3", "/\udcff"])
def test_request_path_that_is_no_text_is_refused(raw: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - a UnicodeDecodeError is one
        split_path(raw)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/c/list", ("/c/list", [])),
        ("/c/a.b.diff", ("/c/{sha}.{type}", ["a.b", "diff"])),
        ("/c/v7.x", ("/c/v{n}.x", ["7"])),
        ("/c/abc", ("/c/{sha}", ["abc"])),
        ("/c/.diff", ("/c/{sha}", [".diff"])),
        ("/c/", None),
        ("/c", None),
        ("/c/abc/", None),
    ],
)
def test_most_specific_path_wins(path: str, found: tuple[str, list[str]] | None) -> None:
    made = router("/c/{sha}", "/c/{sha}.{type}", "/c/v{n}.x", "/c/list")
    assert find(made, path) == found


def test_dead_end_is_left_again() -> None:
    made = router("/a/{x}/c", "/a/b/d", "/{p}/b/{q}-{r}/e")
    assert find(made, "/a/b/c") == ("/a/{x}/c", ["b"])
    assert find(made, "/a/b/1-2/e") == ("/{p}/b/{q}-{r}/e", ["a", "1", "2"])


def test_path_of_another_method_does_not_hide_one() -> None:
    made = router("/pets/{id}")
    made.add("POST", parse_path("/pets/search"), "search")
    assert find(made, "/pets/search") == ("/pets/{id}", ["search"])
    assert find(made, "/pets/search", "POST") == ("search", [])
    assert made.targets(["pets", "search"]).keys() == {"GET", "POST"}
    assert made.targets(["dogs"]) == {}


def test_same_shape_is_found_when_added_again() -> None:
    made = router("/a/{x}/{y}.{z}")
    assert made.add("GET", parse_path("/a/{p}/{q}.{r}"), "again") == "/a/{x}/{y}.{z}"
    assert made.add("PUT", parse_path("/a/{p}/{q}.{r}"), "put") == "put"
    assert made.add("GET", parse_path("/a/{p}/{q}-{r}"), "dash") == "dash"


LITERAL = st.text("ab.-", max_size=3)
INNER = st.text("ab.-", min_size=1, max_size=2)


@given(LITERAL, st.lists(INNER, max_size=3), LITERAL, st.text("ab.-", max_size=12))
@example("", ["."], "", "a.b.c")
@example("a", ["b"], "a", "aba")
def test_segment_matches_as_a_greedy_expression_does(first: str, inner: list[str], last: str, text: str) -> None:
    literals = [first, *inner, last]
    expression = "(.+)".join(map(re.escape, literals))
    expected = re.fullmatch(expression, text)
    assert match_segment(literals, text) == (None if expected is None else list(expected.groups()))


Rank = tuple[int, int, tuple[str, ...]]


def slow_match(segments: tuple[Segment, ...], path: list[str]) -> tuple[list[Rank], list[str]] | None:
    """How specific each segment of a declared path is for `path` (the least wins), and the values."""
    if len(segments) != len(path):
        return None
    ranks: list[Rank] = []
    values: list[str] = []
    for segment, text in zip(segments, path, strict=True):
        matched = re.fullmatch("(.+)".join(map(re.escape, segment.literals)), text)
        if matched is None:
            return None
        kind = 0 if not segment.variables else 2 if segment.plain else 1
        ranks.append((kind, -sum(map(len, segment.literals)), segment.literals))
        values += matched.groups()
    return ranks, values


NAMES = count()
PIECE = st.sampled_from(["a", "b", "ab", "{}", "a{}", "{}b", "{}.{}", ""])
DECLARED = st.lists(PIECE, min_size=1, max_size=3).map("/".join)
ASKED = st.lists(st.sampled_from(["a", "b", "ab", "abb", "a.b", "x", ".", ""]), min_size=1, max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["GET", "PUT"]), DECLARED), max_size=12), ASKED)
@example([("GET", "a{}/{}"), ("GET", "{}b/a")], ["abb", "a"])
def test_routing_is_that_of_trying_every_path(routes: list[tuple[str, str]], path: list[str]) -> None:
    made: Router[str] = Router()
    candidates = []
    for method, declared in dict.fromkeys(routes):
        segments = parse_path(re.sub(r"\{\}", lambda _: f"{{v{next(NAMES)}}}", "/" + declared))
        made.add(method, segments, declared)
        matched = slow_match(segments, path)
        if matched is not None:
            candidates.append((method, matched[0], declared, matched[1]))
    best = min((c for c in candidates if c[0] == "GET"), key=lambda c: c[1], default=None)
    found = made.find("GET", path)
    assert found == (None if best is None else (best[2], best[3]))
    assert made.targets(path).keys() == {c[0] for c in candidates}
