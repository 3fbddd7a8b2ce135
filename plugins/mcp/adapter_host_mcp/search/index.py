"""A full-text index with fields (BM25F: S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework")."""

from __future__ import annotations

import heapq
import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .words import query_terms, synonyms, terms_of

MAX_TERMS: Final = 64
"""Terms of a query that are searched for; further ones are ignored."""

_SATURATION: Final = 1.2
_RELATED_WEIGHT: Final = 0.7
_COMPLETE_NAME: Final = 1.0
_SHORTEST_PREFIX: Final = 4
_MOST_RELATED: Final = 8
_JOINED_FIELDS: Final = ("name", "path")


@dataclass(frozen=True, slots=True)
class Field:
    """The weight of a field's terms, and how much the length of the field matters, from 0 to 1."""

    weight: float
    length: float


FIELDS: Final[Mapping[str, Field]] = {
    "name": Field(3.0, 0.6),
    "path": Field(1.5, 0.5),
    "summary": Field(2.5, 0.6),
    "method": Field(1.0, 0.0),
    "groups": Field(0.8, 0.5),
    "description": Field(0.8, 0.75),
    "inputs": Field(0.7, 0.75),
    "details": Field(0.25, 0.75),
}
"""The fields of documents."""

FieldTexts = Mapping[str, str]
"""The texts of a document by field."""


class Index:
    """Finds documents by words, the best first; equal ones in the order of the documents."""

    def __init__(self, documents: Sequence[FieldTexts]) -> None:
        terms = [{name: _count_terms(name, text) for name, text in each.items()} for each in documents]
        self._count = len(documents)
        lengths = {name: sum(each[name].total() for each in terms if name in each) for name in FIELDS}
        means = {name: length / max(self._count, 1) or 1.0 for name, length in lengths.items()}
        self._names = [frozenset(terms_of(each.get("name", ""))) for each in documents]
        self._postings: dict[str, tuple[array[int], array[float]]] = {}
        for number, fields in enumerate(terms):
            for term, weight in _weights(fields, means).items():
                numbers, weights = self._postings.setdefault(term, (array("I"), array("f")))
                numbers.append(number)
                weights.append(weight)
        self._sorted_terms = sorted(self._postings)

    def search(self, query: str, most: int, allowed: Collection[int] | None = None) -> list[int]:
        """Return the numbers of at most `most` documents that match best, of those in `allowed` if it is not None."""
        scores: dict[int, float] = {}
        searched: set[str] = set()
        for term in query_terms(query, MAX_TERMS):
            weighted = self._weighted_terms(term)
            searched.update(weighted)
            for number, score in self._scores(weighted).items():
                if allowed is None or number in allowed:
                    scores[number] = scores.get(number, 0.0) + score
        complete = ((number, score * self._completeness(number, searched)) for number, score in scores.items())
        best = heapq.nsmallest(most, complete, key=lambda item: (-item[1], item[0]))
        return [number for number, _ in best]

    def _completeness(self, number: int, searched: Collection[str]) -> float:
        """Return a factor from 1 to 2 for the part of a document's name that is in the query."""
        name = self._names[number]
        return 1 + _COMPLETE_NAME * len(name.intersection(searched)) / len(name) if name else 1.0

    def _weighted_terms(self, term: str) -> dict[str, float]:
        """Return a term and related ones of the index, each with its weight."""
        related = [each for each in synonyms(term) if each in self._postings]
        if term not in self._postings and not related:
            related = self._longer_terms(term)
        return {**dict.fromkeys(related, _RELATED_WEIGHT), **({term: 1.0} if term in self._postings else {})}

    def _scores(self, weighted: Mapping[str, float]) -> dict[int, float]:
        """Return the scores of documents with one of related terms: of several, the best counts.

        They are as rare as all of them together: a rare synonym must not count more than the subject of a query.
        """
        weights: dict[int, float] = {}
        for term, factor in weighted.items():
            for number, weight in zip(*self._postings[term], strict=True):
                weights[number] = max(weights.get(number, 0.0), factor * weight / (_SATURATION + weight))
        rarity = math.log(1 + (self._count - len(weights) + 0.5) / (len(weights) + 0.5))
        return {number: rarity * weight for number, weight in weights.items()}

    def _longer_terms(self, term: str) -> list[str]:
        """Return terms of the index that an abbreviation starts: `config` of `configur`."""
        if len(term) < _SHORTEST_PREFIX:
            return []
        start = bisect_left(self._sorted_terms, term)
        return [each for each in self._sorted_terms[start : start + _MOST_RELATED] if each.startswith(term)]


def _count_terms(field: str, text: str) -> Counter[str]:
    terms = list(terms_of(text))
    if field in _JOINED_FIELDS:
        terms += [first + second for first, second in pairwise(terms)]
    return Counter(terms)


def _weights(fields: Mapping[str, Counter[str]], means: Mapping[str, float]) -> dict[str, float]:
    """Return the weighted frequency of each term over the fields of a document."""
    weights: dict[str, float] = {}
    for name, counts in fields.items():
        field = FIELDS[name]
        norm = 1 - field.length + field.length * counts.total() / means[name]
        for term, count in counts.items():
            weights[term] = weights.get(term, 0.0) + field.weight * count / norm
    return weights
