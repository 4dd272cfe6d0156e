"""The words by which the directory is searched: folded, each behind one letter that says what it is a word of.

`nmarche lvillefleur l99100 sSA33`: so one text index answers both « in any field » and « in this field », in SQLite and in
PostgreSQL alike. A typing error is one letter missing, added, changed, or two exchanged (Damerau): the words at that distance are
made and looked up in the directory's own vocabulary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

NAME, PROFESSION, PLACE = "n", "p", "l"  # n: person, structure, service, local part of the address
SECTOR, KIND = "s", "k"
ANYWHERE = NAME + PROFESSION + PLACE
LONGEST = 64  # letters of a word that is kept
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def folded(text: str) -> str:
    """Without case, accents or punctuation, one space between words: « Pharmacie de l'Étoile » and `pharmacie etoile` meet."""
    if text.isascii():
        if text.isalnum():
            return text.lower()
        return " ".join(_ASCII_WORD.findall(text.lower()))
    plain = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
    return " ".join(_WORD.findall(_ACCENT.sub("", plain)))


_ACCENT = re.compile(r"[\u0300-\u036f]+")  # combining, after NFKD
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    return [word[:LONGEST] for word in folded(text).split()]


@lru_cache(maxsize=65_536)
def _tagged(tag: str, text: str) -> tuple[str, ...]:
    return tuple(tag + word for word in words_of(text))


def indexed(name: str, local: str, fields: Iterable[tuple[str, str]], codes: Iterable[tuple[str, str]]) -> str:
    """What the text index reads, every word once. `name`: words of persons and structures; `local`: part of the address; `fields`:
    (tag, text); `codes`: (tag, code), unchanged. Of all but `local` many entries have the same, so that it is remembered."""
    found = [NAME + word for word in words_of(local)]
    for part in name.split():
        found += _tagged(NAME, part)
    for tag, text in fields:
        found += _tagged(tag, text)
    for tag, code in codes:
        found.append(tag + code)
    return " ".join(dict.fromkeys(found))


def vocabulary(indexed_texts: Iterable[str]) -> set[str]:
    """The words in what `indexed` made, without their tags and codes."""
    tagged = set(" ".join(indexed_texts).split(" "))
    return {word[1:] for word in tagged if word[:1] in ANYWHERE}


def near(word: str) -> set[str]:
    """All texts one typing error away from `word`; its first letter is taken as meant, or exchanged with the second."""
    splits = [(word[:at], word[at:]) for at in range(1, len(word) + 1)]
    missing = (left + right[1:] for left, right in splits if right)
    exchanged = (left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1)
    changed = (left + letter + right[1:] for left, right in splits if right for letter in LETTERS)
    added = (left + letter + right for left, right in splits for letter in LETTERS)
    return {*missing, *exchanged, *changed, *added, word[1:2] + word[:1] + word[2:]} - {word}
