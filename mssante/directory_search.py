"""Search in the directory: by words of any field or of one, by sector and kind; without case or accents, despite typing errors.

Three looks, each only when the one before found too little: whole words, beginnings of words, then words one typing error away.
A word of a profession is also looked for as the registers have it (`directory_meanings`).
What is read is bounded (`SEEN` entries a look), whatever is asked, so that an answer takes milliseconds on a million entries; of
more that match, some are shown: those near to who asks, when it is known where that is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection, select, text

from mssante.directory_meanings import Together, meanings
from mssante.directory_words import ANYWHERE, KIND, NAME, PLACE, PROFESSION, SECTOR, near, words_of
from mssante.kinds import BoxKind
from mssante.tables import WORDS_VECTOR, directory_entries, directory_vocabulary

MOST_WORDS = 8  # of a search; more are ignored
LONGEST_TEXT = 200
SEEN = 200
FEWEST_COMMON = 20_000  # entries: fewer are listed in some milliseconds
WALKED = 12  # entries listed in the index in the time that one is walked by
NEIGHBOURS = 20  # words that stand for a mistyped one
DEPARTEMENT = 2  # digits of a postcode
SHORTEST_BEGINNING = 3  # letters: two begin half the names of the country
SHORTEST_MISTYPED = 4  # letters: below, every word is near to many


@dataclass(frozen=True, slots=True)
class Search:
    """All that is given must hold. `text`: words of any field; the others: of that one. `sectors`: TRE_R02 codes, any of them.
    `near`: postcode of who asks; of too many that match, those of the same département are shown first."""

    text: str = ""
    name: str = ""
    profession: str = ""
    town: str = ""  # or the beginning of a postcode
    sectors: frozenset[str] = frozenset()
    kinds: frozenset[BoxKind] = frozenset()
    near: str = ""


@dataclass(frozen=True, slots=True)
class _Word:
    """`forms`: any of them; `meant`: or these words of a profession; `begins`: others that begin so, at every look."""

    tags: str
    forms: tuple[str, ...]
    meant: tuple[Together, ...] = ()
    begins: bool = False


def rows(conn: Connection, search: Search, limit: int) -> list[Any]:
    """Rows of `directory_entries`, the best first: most whole words, then the nearest to who asks, then by town and name."""
    words, codes = _asked(search)
    found = _near_and_far(conn, search, words, codes, limit, beginnings=False)
    if len(found) < limit and words:
        found |= _near_and_far(conn, search, words, codes, limit, beginnings=True)
    if not found and words:
        words = _corrected(conn, words)
        found = _near_and_far(conn, search, words, codes, limit, beginnings=True)
    return sorted(found.values(), key=lambda row: _rank(row, words, search.near))[:limit]


def _near_and_far(
    conn: Connection, search: Search, words: list[_Word], codes: list[_Word], limit: int, beginnings: bool
) -> dict[int, Any]:
    """By id. Of more than are shown, those near to who asks are looked for on their own: not all others were seen."""
    found = _look(conn, words, codes, beginnings)
    near = words_of(search.near)[:1]
    if len(found) > limit and words and near and near[0][:DEPARTEMENT].isdigit():
        there = _Word(PLACE, (near[0][:DEPARTEMENT],), begins=True)
        found += _look(conn, [*words, there], codes, beginnings)
    return {row.id: row for row in found}


def _asked(search: Search) -> tuple[list[_Word], list[_Word]]:
    text = search.text.partition("@")[0]  # of an address: the domain is no word of anyone
    fields = ((ANYWHERE, text), (NAME, search.name), (PROFESSION, search.profession), (PLACE, search.town))
    words = [_word(tags, word) for tags, said in fields for word in words_of(said[:LONGEST_TEXT])[:MOST_WORDS]]
    telling = [word for word in words if len(word.forms[0]) > 1]  # an elided « l », « d » says nothing
    codes = [_Word(SECTOR, tuple(sorted(search.sectors))), _Word(KIND, tuple(sorted(k.value for k in search.kinds)))]
    return (telling or words)[:MOST_WORDS], [code for code in codes if code.forms]


def _word(tags: str, word: str) -> _Word:
    return _Word(tags, (word,), meanings(word) if PROFESSION in tags else ())


def _look(conn: Connection, words: list[_Word], codes: list[_Word], beginnings: bool) -> list[Any]:
    if not words and not codes:
        return list(conn.execute(_ANY))
    postgresql = conn.dialect.name == "postgresql"
    # A short word begins others only beside a longer one, which keeps them few: « camille ro » while it is typed.
    longer = any(len(word.forms[0]) >= SHORTEST_BEGINNING for word in words if not word.begins)
    groups = [_group(word, word.begins or (beginnings and longer), postgresql) for word in words]
    groups += [_group(code, False, postgresql) for code in codes]
    joined = (" & " if postgresql else " AND ").join(groups)
    if postgresql:
        conn.execute(_INDEX_ONLY)
        if len(groups) == 1 and not beginnings and _common(conn, joined):
            conn.execute(_NO_INDEX)
    return list(conn.execute(_FOUND[conn.dialect.name], {"query": joined, "most": SEEN}))


def _common(conn: Connection, query: str) -> bool:
    """Whether one word is of so many entries that the first ones are met sooner by walking than by listing all in the index, which
    PostgreSQL does before it shows any: 5 µs an entry walked by, 0.4 µs one listed. By its statistics: a word it does not know is
    rare. Of two words together it knows nothing: « hôpital » and « PER » are common, and nobody is both.
    """
    estimated = conn.execute(_ESTIMATED, {"query": query}).scalar_one()[0]["Plan"]["Plan Rows"]
    if estimated < FEWEST_COMMON:
        return False
    entries = conn.execute(_ENTRIES).scalar_one()
    return bool(estimated * estimated > SEEN * WALKED * entries)


def _group(word: _Word, beginning: bool, postgresql: bool) -> str:
    """`(nmart* OR lmart* OR ("pmedecine" AND "pgenerale"))`. Words are letters and digits only, codes of our own tables: nothing to
    escape but for the eyes."""
    quote, star, either, both = ("'", ":*", " | ", " & ") if postgresql else ('"', "*", " OR ", " AND ")
    ending = star if beginning else ""
    terms = [f"{quote}{tag}{form}{quote}{ending}" for tag in word.tags for form in word.forms]
    terms += [f"({both.join(f'{quote}{PROFESSION}{one}{quote}' for one in together)})" for together in word.meant]
    return f"({either.join(terms)})"


def _corrected(conn: Connection, words: list[_Word]) -> list[_Word]:
    """Each word with its neighbours of the vocabulary, and with what neighbours mean of it."""
    candidates = {word: near(word.forms[0]) if len(word.forms[0]) >= SHORTEST_MISTYPED else set() for word in words}
    meant = {word: _meant(word, candidates[word]) for word in words}
    known = _known(conn, {*chain(*candidates.values()), *chain(*chain(*meant.values()))})
    return [
        _Word(
            word.tags,
            (word.forms[0], *sorted(candidates[word] & known)[:NEIGHBOURS]),
            (*word.meant, *(together for together in meant[word] if known.issuperset(together))),
        )
        for word in words
    ]


def _meant(word: _Word, candidates: Iterable[str]) -> list[Together]:
    if PROFESSION not in word.tags:
        return []
    return sorted({together for candidate in candidates for together in meanings(candidate)})


def _known(conn: Connection, words: Iterable[str]) -> set[str]:
    query = select(directory_vocabulary.c.word).where(directory_vocabulary.c.word.in_(sorted(words)))
    return set(conn.execute(query).scalars())


def _rank(row: Any, words: list[_Word], near: str) -> tuple[int, int, str, str, int]:
    held = set(row.words.split(" "))
    whole = sum(_whole(word, held) for word in words)
    far = 0 if not near or row.postcode == near else 1 if row.postcode[:DEPARTEMENT] == near[:DEPARTEMENT] else 2
    return -whole, far, row.town, row.display_name, row.id


def _whole(word: _Word, held: set[str]) -> bool:
    said = any(tag + form in held for tag in word.tags for form in word.forms)
    return said or any(all(PROFESSION + one in held for one in together) for together in word.meant)


_ANY = select(directory_entries).order_by(directory_entries.c.id).limit(SEEN)
# Of a rare word, which its statistics do not know, the planner thinks a walk through all entries cheaper; it never is.
_INDEX_ONLY = text("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = on")
_NO_INDEX = text(
    "SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0"
)
_ESTIMATED = text(
    f"EXPLAIN (FORMAT JSON) SELECT FROM directory_entries WHERE {WORDS_VECTOR} @@ CAST(:query AS tsquery)"
)
_ENTRIES = text("SELECT reltuples FROM pg_class WHERE oid = 'directory_entries'::regclass")
_COLUMNS = ", ".join(f"e.{column.name}" for column in directory_entries.c)
_FOUND = {
    "sqlite": text(
        f"SELECT {_COLUMNS} FROM directory_index i JOIN directory_entries e ON e.id = i.rowid "  # noqa: S608
        "WHERE directory_index MATCH :query LIMIT :most"
    ),
    "postgresql": text(
        f"SELECT {_COLUMNS} FROM directory_entries e WHERE {WORDS_VECTOR} @@ CAST(:query AS tsquery) LIMIT :most"  # noqa: S608
    ),
}
