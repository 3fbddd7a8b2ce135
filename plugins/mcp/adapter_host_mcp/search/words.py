"""The words of texts and identifiers, as stems, and the other words of queries for the same thing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Final

from .stemming import stem

_ACRONYM_PLURAL: Final = re.compile(r"([A-Z]{2,})s(?![a-z])")
_CASE_CHANGE: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD: Final = re.compile(r"[^\W_]+")

_STOP_WORDS: Final = """
a an and are as at be by can do for from has have how i if in into is it its may me my of on or our should so some than
that the their them then there these they this to want was what when where which who will with would you your
"""
_STOPS: Final = frozenset(_STOP_WORDS.split())

_SYNONYMS: Final = """
create add new make register insert post
delete remove destroy erase drop discard
list all browse enumerate every
get retrieve fetch read show view obtain display return look
search find query look seek
update change modify edit alter patch set replace adjust
check verify validate test
start run execute trigger launch begin
stop cancel abort terminate end halt
send submit post deliver
enable activate
disable deactivate
copy duplicate clone fork
move transfer
upload attach
download export
assign attach link
user account person people member
organization org company
repository repo project
message msg
configuration config setting option preference
identifier id
image picture photo
document file
comment note remark
database db
environment env
application app
information info detail
pull pr
address location place
machine device computer
invite invitation
delete cancel revoke withdraw
book reserve schedule
approve accept confirm
reject deny decline refuse
permission access right
log audit event history
folder directory
email mail
invoice bill
sync synchronize refresh
secret credential token
count number total
latest newest recent
""".strip()

_PHRASES: Final = {
    "set up": "create", "get rid of": "delete", "take away": "remove", "take out": "remove", "look up": "get",
    "look for": "search", "look at": "view", "turn on": "enable", "turn off": "disable", "switch on": "enable",
    "switch off": "disable", "shut down": "stop", "kick off": "start",
}  # fmt: skip
_PHRASE: Final = re.compile(rf"\b(?:{'|'.join(_PHRASES)})\b")


def words_of(text: str) -> Iterator[str]:
    """Yield the words of a text in lower case, identifiers split at changes of case: `getUserIDs` is get, user, id."""
    spaced = _CASE_CHANGE.sub(" ", _ACRONYM_PLURAL.sub(lambda match: f" {match[1].lower()} ", text))
    return (word.casefold() for word in _WORD.findall(spaced))


def terms_of(text: str) -> Iterator[str]:
    """Yield the stems of the words of a text, without the words that say nothing in a search."""
    return (stem(word) for word in words_of(text) if word not in _STOPS)


def query_terms(query: str, most: int) -> list[str]:
    """Return the distinct terms of a query, at most `most`; adjacent words are also one: `web hook` finds `webhook`."""
    spelled = _PHRASE.sub(lambda match: _PHRASES[match[0]], " ".join(words_of(query)))
    words = [word for word in spelled.split() if word not in _STOPS] or spelled.split()
    joined = (stem(first + second) for first, second in pairwise(words))
    return list(dict.fromkeys([*map(stem, words), *joined]))[:most]


def synonyms(term: str) -> Iterable[str]:
    """Return the stems of other words for the same thing."""
    return _synonyms_by_term().get(term, ())


@cache
def _synonyms_by_term() -> Mapping[str, tuple[str, ...]]:
    by_term: dict[str, dict[str, None]] = {}
    for line in _SYNONYMS.splitlines():
        terms = [stem(word.replace("-", "")) for word in line.split()]
        for term in terms:
            by_term.setdefault(term, {}).update(dict.fromkeys(other for other in terms if other != term))
    return {term: tuple(others) for term, others in by_term.items()}
