"""`Extraction_Correspondance_MSSante`: the public file of all mailboxes of the space, one a line (UTF-8, `|` between fields).

Columns are found by their names in the first line, whatever their order, case or accents; those unknown here are passed over. A
field that the file has no column for is left as it is in the directory. An identifier whose key does not fit is left out, its line
kept.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from mssante.address import address_key
from mssante.directory import Entry
from mssante.directory_words import folded
from mssante.identity import Invalid, parse_person_id, parse_structure_id
from mssante.kinds import BoxKind
from mssante.registers.nomenclatures import specialities
from mssante.registers.reading import Fault

SEPARATOR = "|"
PIECE = 1 << 20  # octets read at once
LONGEST_SECTOR = 8  # characters; codes of TRE_R02 have four
READ_AS = 1  # changes with what is made of a line: all lines are read anew then

# folded name of a column -> what it says
COLUMNS = {
    "type de bal": "kind",
    "adresse bal": "address",
    "identification nationale pp": "person_id",
    "type identifiant structure": "structure_type",
    "identification structure": "structure_id",
    "service de rattachement": "service",
    "civilite d exercice": "title",
    "nom d exercice": "family_name",
    "prenom d exercice": "given_name",
    "libelle profession": "profession",
    "code savoir faire": "skill",
    "libelle savoir faire": "speciality",
    "raison sociale structure bal": "organisation",
    "enseigne commerciale structure bal": "sign",
    "l6ligneacheminement": "routing",
    "l6ligneacheminement structure bal": "routing",
    "l6 ligne acheminement structure bal": "routing",
    "ligne acheminement structure bal": "routing",
    "libelle commune structure bal": "town",
    "code postal": "postcode",
    "code postal structure bal": "postcode",
    "code secteur d activite": "sector",
    "telephone structure bal": "phone",
}
# what a column says -> fields of the entry that come of it
FIELDS = {
    "kind": ("kind",),
    "person_id": ("person_id",),
    "structure_id": ("structure_id",),
    "service": ("service", "display_name"),
    "title": ("title", "display_name"),
    "family_name": ("family_name", "display_name"),
    "given_name": ("given_name", "display_name"),
    "profession": ("profession",),
    "skill": ("speciality",),
    "speciality": ("speciality",),
    "organisation": ("organisation", "display_name"),
    "sign": ("organisation", "display_name"),
    "routing": ("town",),
    "town": ("town",),
    "postcode": ("postcode",),
    "sector": ("sector",),
    "phone": ("phone",),
}
TITLES = {"DR": "Dr", "PR": "Pr", "M": "M.", "MME": "Mme", "MLLE": "Mme"}


class NotAnExtraction(Exception):
    """The first line names no column of addresses, or the file is no text."""


# what a line says, in the order in which it is picked out
SAID = (
    "kind", "address", "person_id", "structure_id", "service", "title", "family_name", "given_name", "profession",
    "skill", "speciality", "organisation", "sign", "routing", "town", "postcode", "sector", "phone",
)  # fmt: skip
ABSENT = -1  # the empty field put behind those of a line


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each thing stands in a line; `pick`: all of `SAID` at once, of fields with an empty one behind them."""

    places: dict[str, int]
    width: int
    pick: Callable[[list[str]], tuple[str, ...]]

    @property
    def changed(self) -> tuple[str, ...]:
        """Fields of the entry that this file speaks of."""
        return tuple(sorted({field for name in self.places if name in FIELDS for field in FIELDS[name]}))

    @property
    def salt(self) -> bytes:
        """Another one when the same line would be read otherwise."""
        return sha256(repr((READ_AS, self.width, sorted(self.places.items()))).encode()).digest()


def layout(first_line: str) -> Layout:
    """Raises `NotAnExtraction`."""
    names = [COLUMNS.get(folded(name)) for name in first_line.lstrip("\ufeff").rstrip("\r\n").split(SEPARATOR)]
    places = {name: at for at, name in reversed(list(enumerate(names))) if name}
    if "address" not in places:
        raise NotAnExtraction
    pick: Any = itemgetter(*(places.get(name, ABSENT) for name in SAID))
    return Layout(places, max(places.values()) + 1, pick)


def read_line(line: str, form: Layout) -> Entry | Fault:
    """`line` with or without its end."""
    fields = line.rstrip("\r\n").split(SEPARATOR)
    if len(fields) < form.width:
        return Fault.SHORT
    fields.append("")
    (
        said_kind, said_address, person, structure, service, said_title, family, said_given, profession, skill,
        speciality, legal_name, sign, routing, town, postcode, sector, phone,
    ) = map(str.strip, form.pick(fields))  # fmt: skip
    address = address_key(said_address)
    if isinstance(address, Invalid):
        return Fault.ADDRESS
    kind = _KINDS.get(said_kind.upper()) if "kind" in form.places else BoxKind.PER if family else BoxKind.ORG
    if kind is None:
        return Fault.KIND
    organisation = sign or legal_name
    title, given = titled(said_title), given_name(said_given)
    label = (title, given, family.upper()) if kind in _PEOPLE else (service, organisation)
    name = (" " if kind in _PEOPLE else ", ").join(filter(None, label))
    return Entry(
        address=address,
        kind=kind,
        display_name=name or organisation or address.partition("@")[0],
        profession=profession,
        town=town or _town(routing),
        postcode=postcode[:10],
        sector=sector if 0 < len(sector) <= LONGEST_SECTOR else None,
        structure_id=_structure(structure),
        phone=phone[:32],
        title=title,
        given_name=given,
        family_name=family,
        person_id=_person(person),
        speciality=speciality or _speciality(skill),
        organisation=organisation,
        service=service,
    )


_KINDS = {kind.value: kind for kind in (BoxKind.PER, BoxKind.CAB, BoxKind.ORG, BoxKind.APP)}
_PEOPLE = (BoxKind.PER, BoxKind.CAB)


def titled(title: str) -> str:
    """« Dr » for the registers' `DR`."""
    return TITLES.get(title.upper().rstrip("."), title)


@lru_cache(maxsize=65_536)
def given_name(name: str) -> str:
    """`JEAN-PIERRE` and `jean-pierre` as « Jean-Pierre »."""
    return name.title() if name.isupper() or name.islower() else name


@lru_cache(maxsize=65_536)
def _town(routing: str) -> str:
    """The town of « 75012 PARIS CEDEX 12 » (NF Z 10-011, line 6)."""
    return " ".join(routing.lstrip("0123456789 ").split())


def _speciality(code: str) -> str:
    known = specialities().get(code) if code else None
    return known.label if known else ""


def _person(text: str) -> str:
    return text if text and not isinstance(parse_person_id(text), Invalid) else ""


@lru_cache(maxsize=65_536)
def _structure(text: str) -> str:
    """The FINESS or SIRET alone: the register writes it behind a digit that says which."""
    parsed = parse_structure_id(text) if text else None
    return "" if parsed is None or isinstance(parsed, Invalid) else parsed.value


# -------------------------------------------------------------------- the file
@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The text (of the only file in it, when it is a zip) and its size in octets. Raises OSError, `NotAnExtraction`."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as plain:
            yield plain, path.stat().st_size
        return
    with zipfile.ZipFile(path) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        if len(files) != 1:
            raise NotAnExtraction
        with archive.open(files[0]) as inside:
            yield io.BufferedReader(inside, PIECE), files[0].file_size  # type: ignore[type-var]
