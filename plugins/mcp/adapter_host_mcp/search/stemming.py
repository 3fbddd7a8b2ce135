"""Stems of English words (M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_VOWELS: Final = "aeiou"
_SHORTEST: Final = 3
_LONGEST: Final = 40

_DOUBLE_SUFFIXES: Final = {
    "ational": "ate", "ization": "ize", "iveness": "ive", "fulness": "ful", "ousness": "ous", "tional": "tion",
    "biliti": "ble", "entli": "ent", "ousli": "ous", "ation": "ate", "alism": "al", "aliti": "al", "iviti": "ive",
    "enci": "ence", "anci": "ance", "izer": "ize", "abli": "able", "alli": "al", "ator": "ate", "eli": "e",
}  # fmt: skip
"""The replacements of step 2, longer suffixes first, as in the steps below."""

_ADJECTIVES: Final = {
    "icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ness": "", "ful": "",
}  # fmt: skip

_SUFFIXES: Final = dict.fromkeys(
    ("ement", "ance", "ence", "able", "ible", "ment", "sion", "tion", "ant", "ent", "ism", "ate", "iti", "ous", "ive",
     "ize", "al", "er", "ic", "ou"), "",
)  # fmt: skip

_KEPT: Final = {"sion": "s", "tion": "t"}
"""The letter before `ion`, which stays."""


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """Return the stem of a lower-case word; the word itself if it has other characters than a to z."""
    if not _SHORTEST <= len(word) <= _LONGEST or not (word.isascii() and word.isalpha()):
        return word
    word = _strip_past(_strip_plural(word))
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = f"{word[:-1]}i"
    word = _replace(word, _DOUBLE_SUFFIXES, 0)
    word = _replace(word, _ADJECTIVES, 0)
    word = _replace(word, _SUFFIXES, 1)
    return _strip_final(word)


def _strip_plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _strip_past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    suffix = next((each for each in ("ing", "ed") if word.endswith(each)), "")
    start = word[: len(word) - len(suffix)]
    if not suffix or not _has_vowel(start):
        return word
    if start.endswith(("at", "bl", "iz")):
        return f"{start}e"
    if _ends_double(start) and start[-1] not in "lsz":
        return start[:-1]
    return f"{start}e" if _measure(start) == 1 and _ends_short(start) else start


def _replace(word: str, suffixes: Mapping[str, str], least: int) -> str:
    """Replace the longest suffix, if the measure of what precedes it exceeds `least`."""
    for suffix, replacement in suffixes.items():
        if word.endswith(suffix):
            start = word[: -len(suffix)] + _KEPT.get(suffix, "")
            return start + replacement if _measure(start) > least else word
    return word


def _strip_final(word: str) -> str:
    if word.endswith("e"):
        start = word[:-1]
        measure = _measure(start)
        if measure > 1 or (measure == 1 and not _ends_short(start)):
            word = start
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _kinds(word: str) -> str:
    """Return `v` for each vowel and `c` for each consonant; `y` after a consonant is a vowel."""
    kinds = ""
    for letter in word:
        is_vowel = letter in _VOWELS or (letter == "y" and kinds.endswith("c"))
        kinds += "v" if is_vowel else "c"
    return kinds


def _measure(word: str) -> int:
    """Return the number of sequences of vowels that consonants follow."""
    return _kinds(word).count("vc")


def _has_vowel(word: str) -> bool:
    return "v" in _kinds(word)


def _ends_double(word: str) -> bool:
    return word[-2:-1] == word[-1:] and _kinds(word).endswith("cc")


def _ends_short(word: str) -> bool:
    return _kinds(word).endswith("cvc") and word[-1] not in "wxy"
