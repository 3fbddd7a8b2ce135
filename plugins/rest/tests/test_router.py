from __future__ import annotations

import re
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from adapter_host_rest.router import Router, Segment, format_path, match_segment, parse_path, split_path


def build_router(*paths: str, method: str = "GET") -> Router[str]:
    router: Router[str] = Router()
    for path in paths:
        router.add(method, parse_path(path), path)
    return router


def find(router: Router[str], path: str, method: str = "GET") -> tuple[str, list[str]] | None:
    return router.find(method, split_path(path))


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
def test_parse_declared_path(path: str, shown: str) -> None:
    assert format_path(parse_path(path)) == shown


@pytest.mark.parametrize("path", ["/{a}{b}", "/{a", "/a}", "/{{a}", "/{}", "/{a/b}"])
def test_invalid_declared_path(path: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is in the snapshot
        parse_path(path)
    assert str(caught.value) == snapshot


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
def test_request_path_is_split_before_decoding(raw: str, segments: list[str]) -> None:
    assert split_path(raw) == segments


@pytest.mark.parametrize("raw", ["/%ff", "/a/%00", "/%C3", "/\udcff"])
def test_request_path_that_is_not_text(raw: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - a UnicodeDecodeError is one
        split_path(raw)


@pytest.mark.parametrize(
    ("path", "expected"),
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
def test_most_specific_path_wins(path: str, expected: tuple[str, list[str]] | None) -> None:
    router = build_router("/c/{sha}", "/c/{sha}.{type}", "/c/v{n}.x", "/c/list")
    assert find(router, path) == expected


def test_router_backtracks() -> None:
    router = build_router("/a/{x}/c", "/a/b/d", "/{p}/b/{q}-{r}/e")
    assert find(router, "/a/b/c") == ("/a/{x}/c", ["b"])
    assert find(router, "/a/b/1-2/e") == ("/{p}/b/{q}-{r}/e", ["a", "1", "2"])


def test_methods_do_not_shadow_each_other() -> None:
    router = build_router("/pets/{id}")
    router.add("POST", parse_path("/pets/search"), "search")
    assert find(router, "/pets/search") == ("/pets/{id}", ["search"])
    assert find(router, "/pets/search", "POST") == ("search", [])
    assert router.targets(["pets", "search"]).keys() == {"GET", "POST"}
    assert router.targets(["dogs"]) == {}


def test_adding_an_existing_shape_returns_its_target() -> None:
    router = build_router("/a/{x}/{y}.{z}")
    assert router.add("GET", parse_path("/a/{p}/{q}.{r}"), "again") == "/a/{x}/{y}.{z}"
    assert router.add("PUT", parse_path("/a/{p}/{q}.{r}"), "put") == "put"
    assert router.add("GET", parse_path("/a/{p}/{q}-{r}"), "dash") == "dash"


LITERAL = st.text("ab.-", max_size=3)
INNER = st.text("ab.-", min_size=1, max_size=2)


@given(LITERAL, st.lists(INNER, max_size=3), LITERAL, st.text("ab.-", max_size=12))
@example("", ["."], "", "a.b.c")
@example("a", ["b"], "a", "aba")
def test_segments_match_like_a_greedy_regex(first: str, inner: list[str], last: str, text: str) -> None:
    literals = [first, *inner, last]
    expression = "(.+)".join(map(re.escape, literals))
    expected = re.fullmatch(expression, text)
    assert match_segment(literals, text) == (None if expected is None else list(expected.groups()))


Rank = tuple[int, int, tuple[str, ...]]


def slow_match(segments: tuple[Segment, ...], path: list[str]) -> tuple[list[Rank], list[str]] | None:
    """Return the rank of each segment of a declared path for `path` (lower wins), and the values."""
    if len(segments) != len(path):
        return None
    ranks: list[Rank] = []
    values: list[str] = []
    for segment, text in zip(segments, path, strict=True):
        matched = re.fullmatch("(.+)".join(map(re.escape, segment.literals)), text)
        if matched is None:
            return None
        kind = 0 if not segment.variables else 2 if segment.is_variable else 1
        ranks.append((kind, -sum(map(len, segment.literals)), segment.literals))
        values += matched.groups()
    return ranks, values


NAMES = count()
PIECE = st.sampled_from(["a", "b", "ab", "{}", "a{}", "{}b", "{}.{}", ""])
DECLARED = st.lists(PIECE, min_size=1, max_size=3).map("/".join)
ASKED = st.lists(st.sampled_from(["a", "b", "ab", "abb", "a.b", "x", ".", ""]), min_size=1, max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["GET", "PUT"]), DECLARED), max_size=12), ASKED)
@example([("GET", "a{}/{}"), ("GET", "{}b/a")], ["abb", "a"])
def test_router_matches_exhaustive_search(routes: list[tuple[str, str]], path: list[str]) -> None:
    router: Router[str] = Router()
    candidates = []
    for method, declared in dict.fromkeys(routes):
        segments = parse_path(re.sub(r"\{\}", lambda _: f"{{v{next(NAMES)}}}", "/" + declared))
        router.add(method, segments, declared)
        matched = slow_match(segments, path)
        if matched is not None:
            candidates.append((method, matched[0], declared, matched[1]))
    best = min((c for c in candidates if c[0] == "GET"), key=lambda c: c[1], default=None)
    expected = router.find("GET", path)
    assert expected == (None if best is None else (best[2], best[3]))
    assert router.targets(path).keys() == {c[0] for c in candidates}
